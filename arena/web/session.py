"""The citizen's cookie: a signed random subject, from which the pseudonym follows; the server keeps no session."""

import secrets
import time
from collections.abc import Sequence

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from arena.domain.citizen import Citizen, IdentityLevel, pseudonym

COOKIE = "arena_session"
MAX_AGE_S = 180 * 24 * 3600
AUDIENCE = "citizen"


class Sessions:
    """Makes and reads the citizen's cookie."""

    def __init__(self, pseudonym_secret: bytes, cookie_secrets: Sequence[bytes]) -> None:
        """`cookie_secrets`: the first signs, all verify, so that a secret can be rotated without ending sessions."""
        self._secret = pseudonym_secret
        self._keys = [OctKey.import_key(secret) for secret in cookie_secrets]

    def new(
        self, subject: str | None = None, level: IdentityLevel = "anonymous", *, lasts_s: int = MAX_AGE_S
    ) -> tuple[Citizen, str]:
        """A citizen and the cookie's value; without a subject, a new anonymous one."""
        subject = subject or secrets.token_urlsafe(16)
        claims = {"sub": subject, "aud": AUDIENCE, "lvl": level, "exp": int(time.time()) + lasts_s}
        return Citizen(pseudonym(self._secret, subject), level), jwt.encode({"alg": "HS256"}, claims, self._keys[0])

    def citizen(self, cookie: str | None) -> Citizen | None:
        """Who this cookie stands for; nobody when it is missing, forged, expired or from a forgotten secret."""
        known = self.known(cookie)
        return known[0] if known else None

    def known(self, cookie: str | None) -> tuple[Citizen, str] | None:
        """The citizen with the subject that only the cookie holds."""
        for key in self._keys if cookie else ():
            try:
                claims = jwt.decode(cookie or "", key, algorithms=["HS256"]).claims
                jwt.JWTClaimsRegistry(
                    sub={"essential": True}, exp={"essential": True}, aud={"essential": True, "value": AUDIENCE}
                ).validate(claims)
            except (JoseError, ValueError):
                continue
            return Citizen(pseudonym(self._secret, claims["sub"]), claims.get("lvl", "anonymous")), claims["sub"]
        return None
