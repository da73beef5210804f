"""The signed cookies: a citizen's random subject, from which the pseudonym follows; of an organizer a random one, whose session the record holds."""

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from arena.domain.citizen import Citizen, IdentityLevel, keyed_digest, pseudonym
from arena.record.organizers import SESSION_LASTS, Organizers
from arena.record.persons import PersonKind
from arena.web.core.cookies import cookie_of
from arena.web.core.provenance import is_embedded_elsewhere

COOKIE = "arena_session"
MAX_AGE_S = 180 * 24 * 3600
SESSION_LASTS_S = 12 * 3600
"""Of a citizen who logged in."""
LOGIN_LASTS_S = 600
"""From the way to the provider to the way back."""
AUDIENCE = "citizen"
LOGIN_COOKIE = "arena_login"
ORGANIZER_COOKIE = "arena_organizer"
ORGANIZER_COOKIE_CHARS = 64


@dataclass(frozen=True, slots=True)
class SealedCookie:
    """A cookie that scripts cannot read and other sites' forms do not carry."""

    plain_name: str
    secure: bool
    """Browsers reach us over TLS: they send it over nothing else, and take it from nobody but this very host."""

    @property
    def name(self) -> str:
        """Its name; behind TLS with the prefix under which no neighbour, subdomain or plain line can plant one (RFC 6265bis, `__Host-`)."""
        return f"__Host-{self.plain_name}" if self.secure else self.plain_name

    def read(self, request: Request) -> str | None:
        """Read its value; nothing where another site had the browser send it and nobody went anywhere: then it is nobody's call."""
        scope = request.scope
        return None if is_embedded_elsewhere(scope) else cookie_of(scope["headers"], self.name)

    def give(self, response: Response, value: str, lasts_s: int) -> None:
        """Have the browser keep it."""
        response.set_cookie(
            self.name, value, max_age=lasts_s, httponly=True, samesite="lax", secure=self.secure, path="/"
        )

    def take_back(self, response: Response) -> None:
        """Have the browser forget it."""
        response.delete_cookie(self.name, httponly=True, samesite="lax", secure=self.secure, path="/")


def new_subject() -> str:
    """Make what a pseudonym follows from, at random: only the cookie holds it, and the row of a person."""
    return secrets.token_urlsafe(16)


class CookieSigner:
    """Signs and reads the claims of one audience's cookie."""

    def __init__(self, secrets_: Sequence[bytes], audience: str) -> None:
        """`secrets_`: the first signs, all verify, so that a secret can be rotated without ending sessions."""
        self._keys = [OctKey.import_key(secret) for secret in secrets_]
        self._audience = audience
        self._required = jwt.JWTClaimsRegistry(
            sub={"essential": True}, exp={"essential": True}, aud={"essential": True, "value": audience}
        )

    def sign(self, subject: str, lasts_s: int, **more: str) -> str:
        """Write a cookie's value for this subject, good for so many seconds."""
        claims = {"sub": subject, "aud": self._audience, "exp": int(time.time()) + lasts_s, **more}
        return jwt.encode({"alg": "HS256"}, claims, self._keys[0])

    def read(self, cookie: str | None) -> Mapping[str, Any] | None:
        """Read a cookie's claims; nothing when it is missing, forged, expired, meant for others or from a forgotten secret."""
        for key in self._keys if cookie else ():
            try:
                claims = jwt.decode(cookie or "", key, algorithms=["HS256"]).claims
                self._required.validate(claims)
            except (JoseError, ValueError):
                continue
            return claims
        return None


class Sessions:
    """Makes and reads the citizen's cookie."""

    def __init__(
        self, pseudonym_secret: bytes, cookie_secrets: Sequence[bytes], *, persons_of: str = "", secure: bool
    ) -> None:
        """`persons_of`: the stage, where it takes each person once: cookies from anywhere else are nobody's there. `secure`: browsers reach us over TLS."""
        self._secret = pseudonym_secret
        self._persons_of = persons_of
        self._signer = CookieSigner(cookie_secrets, AUDIENCE)
        self.cookie = SealedCookie(COOKIE, secure)

    def new(
        self, subject: str | None = None, level: IdentityLevel = "anonymous", *, lasts_s: int = MAX_AGE_S
    ) -> tuple[Citizen, str]:
        """Make a citizen and the cookie's value; without a subject, a new anonymous one."""
        subject = subject or new_subject()
        cookie = self._signer.sign(subject, lasts_s, lvl=level, stg=self._persons_of)
        return Citizen(pseudonym(self._secret, subject), level), cookie

    def digest(self, kind: PersonKind, who: str) -> str:
        """Stand for a person in the record of this stage, and nowhere else: 64 hex characters."""
        return keyed_digest(self._secret, kind, f"{self._persons_of}\x00{who}")

    def known(self, request: Request) -> tuple[Citizen, str] | None:
        """Give the citizen that the cookie stands for, with the subject that only the cookie holds; nobody when it does not hold."""
        return self.holder(self.cookie.read(request))

    def holder(self, cookie: str | None) -> tuple[Citizen, str] | None:
        """Give the same of a cookie's value."""
        claims = self._signer.read(cookie)
        if claims is None or claims.get("stg", "") != self._persons_of:
            return None
        return Citizen(pseudonym(self._secret, claims["sub"]), claims.get("lvl", "anonymous")), claims["sub"]


class OrganizerSessions:
    """Gives and reads the cookie of an organizer's session, which the record holds: what has ended there has ended everywhere."""

    def __init__(self, organizers: Organizers, *, secure: bool) -> None:
        """`secure`: browsers reach us over TLS."""
        self._organizers = organizers
        self._cookie = SealedCookie(ORGANIZER_COOKIE, secure)

    async def name(self, request: Request) -> str | None:
        """Tell which organizer this request comes from; nobody without a session that goes on.

        Raises:
            Unavailable: the record cannot be read.
        """
        cookie = self._cookie.read(request)
        if cookie is None or len(cookie) > ORGANIZER_COOKIE_CHARS:
            return None
        found = await run_in_threadpool(self._organizers.session, cookie, datetime.now(UTC))
        return None if found is None else found.name

    def begin(self, response: Response, cookie: str) -> None:
        """Give an organizer the cookie of the session that has begun."""
        self._cookie.give(response, cookie, round(SESSION_LASTS.total_seconds()))

    async def end(self, request: Request, response: Response) -> None:
        """End the session, and take the cookie back."""
        if cookie := self._cookie.read(request):
            await run_in_threadpool(self._organizers.leave, cookie, datetime.now(UTC))
        self._cookie.take_back(response)
