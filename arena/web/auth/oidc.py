"""Logging in with OpenID Connect (code flow with PKCE): who somebody is stays with the provider; the arena keeps a keyed digest of it."""

import asyncio
import base64
import contextlib
import hashlib
import json
import logging
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey
from starlette.concurrency import run_in_threadpool

from arena.domain.citizen import IdentityLevel
from arena.domain.errors import Forbidden, StageError, TooMany
from arena.record.counters import Admission, Bound, Counters
from arena.record.persons import Persons
from arena.web.core.provenance import is_embedded_elsewhere
from arena.web.core.session import LOGIN_COOKIE, LOGIN_LASTS_S, SESSION_LASTS_S, SealedCookie, Sessions, new_subject

log = logging.getLogger(__name__)

ALGORITHMS = ["ES256", "RS256", "PS256"]
LEEWAY_S = 30
METADATA_LASTS_S = 3600.0
ANSWER_BYTES = 262_144
TIMEOUT = aiohttp.ClientTimeout(total=10)


@dataclass(frozen=True, slots=True)
class Provider:
    """Where citizens prove who they are."""

    issuer: str
    client_id: str
    client_secret: str
    level: IdentityLevel
    """What a login there is worth: `email` or `verified`."""

    @classmethod
    def declared(cls, *, issuer: str, client_id: str, client_secret: str, level: str, public_url: str) -> Self:
        """Make the provider that the settings describe.

        Raises:
            StageError: the stage asks who citizens are, but the settings do not say where they log in.
        """
        needed = {
            "ARENA_OIDC_ISSUER": issuer,
            "ARENA_OIDC_CLIENT_ID": client_id,
            "ARENA_OIDC_CLIENT_SECRET": client_secret,
            "ARENA_PUBLIC_URL": public_url,
        }
        for name, value in needed.items():
            if not value:
                raise StageError("oidc_setting_missing", variable=name)
        if level not in ("email", "verified"):
            raise StageError("oidc_level", variable="ARENA_OIDC_LEVEL", value=repr(level))
        return cls(issuer, client_id, client_secret, level)


class LoginRefused(Exception):
    """The login did not hold; the reason is for the log, never for the browser."""


class Oidc:
    """The login routes of a stage with `identity = "oidc"`."""

    def __init__(
        self,
        provider: Provider,
        sessions: Sessions,
        persons: Persons,
        stage_id: str,
        counters: Counters,
        *,
        cookie_secrets: Sequence[bytes],
        public_url: str,
    ) -> None:
        """`counters` count each login's way back; `public_url` is where the provider sends people back to."""
        self._provider = provider
        self._sessions = sessions
        self._persons = persons
        self._stage_id = stage_id
        self._counters = counters
        self._keys = [OctKey.import_key(hashlib.sha256(b"login\x00" + s).digest()) for s in cookie_secrets]
        self._public_url = public_url.rstrip("/")
        self._login_cookie = SealedCookie(LOGIN_COOKIE, sessions.cookie.secure)
        self._metadata: tuple[float, dict[str, Any]] = (0.0, {})
        self._jwks: KeySet | None = None
        self._fetching = asyncio.Lock()
        self.router = APIRouter(include_in_schema=False, dependencies=[Depends(_gone_to)])
        self.router.add_api_route("/login", self._login, methods=["GET"])
        self.router.add_api_route("/login/callback", self._callback, methods=["GET"])
        self.router.add_api_route("/logout", self._logout, methods=["POST"])

    async def _login(self) -> Response:
        try:
            metadata = await self._discover()
        except LoginRefused as refusal:
            return self._failed(refusal)
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        asked = {
            "response_type": "code",
            "client_id": self._provider.client_id,
            "redirect_uri": self._callback_url,
            "scope": "openid email" if self._provider.level == "email" else "openid",
            "state": state,
            "nonce": nonce,
            "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
            .rstrip(b"=")
            .decode(),
            "code_challenge_method": "S256",
        }
        response = RedirectResponse(_with_query(metadata["authorization_endpoint"], asked), 303)
        kept = {"state": state, "nonce": nonce, "verifier": verifier, "exp": int(time.time()) + LOGIN_LASTS_S}
        self._login_cookie.give(response, jwt.encode({"alg": "HS256"}, kept, self._keys[0]), LOGIN_LASTS_S)
        return response

    async def _callback(self, request: Request, code: str = "", state: str = "") -> Response:
        try:
            kept = self._kept(self._login_cookie.read(request) or "")
            if not secrets.compare_digest(kept["state"].encode(), state.encode()):
                raise LoginRefused("the state is not the one this browser was given")
            if not code or len(code) > 4096:
                raise LoginRefused("the provider sent no code")
            await run_in_threadpool(self._use_up, kept["state"])
            claims = await self._redeem(code, kept["verifier"], kept["nonce"])
        except LoginRefused as refusal:
            return self._failed(refusal)
        digest = self._sessions.digest("login", f"{claims['iss']}\x00{claims['sub']}")
        try:
            subject = await run_in_threadpool(self._persons.subject_of, self._stage_id, "login", digest, new_subject())
        except Forbidden as refusal:
            return self._back(refusal.code)
        _, cookie = self._sessions.new(subject, self._provider.level, lasts_s=SESSION_LASTS_S)
        response = RedirectResponse("/", 303)
        self._sessions.cookie.give(response, cookie, SESSION_LASTS_S)
        self._login_cookie.take_back(response)
        return response

    async def _logout(self) -> Response:
        try:
            end = (await self._discover()).get("end_session_endpoint")
        except LoginRefused:
            end = None
        leaving = {"client_id": self._provider.client_id, "post_logout_redirect_uri": f"{self._public_url}/"}
        response = RedirectResponse(_with_query(end, leaving) if end else "/", 303)
        self._sessions.cookie.take_back(response)
        return response

    def _failed(self, refusal: LoginRefused) -> Response:
        log.warning("login refused: %s", refusal)
        return self._back("failed")

    def _back(self, why: str) -> Response:
        """Send them to the first page, which says why nobody is logged in."""
        response = RedirectResponse(f"/?login={why}", 303)
        self._login_cookie.take_back(response)
        return response

    @property
    def _callback_url(self) -> str:
        return f"{self._public_url}/login/callback"

    def _kept(self, cookie: str) -> dict[str, str]:
        for key in self._keys:
            try:
                claims = jwt.decode(cookie, key, algorithms=["HS256"]).claims
                jwt.JWTClaimsRegistry(exp={"essential": True}).validate(claims)
            except (JoseError, ValueError):
                continue
            return claims
        raise LoginRefused("this browser did not begin a login, or too long ago")

    def _use_up(self, state: str) -> None:
        """Let a login ask the provider once, whichever process it comes back to: each asking shows our secret and costs the provider work."""
        key = f"oidc/{hashlib.sha256(state.encode()).hexdigest()}"
        bound = Bound(key, 1, timedelta(seconds=LOGIN_LASTS_S))
        try:
            self._counters.count(Admission((bound,), datetime.now(UTC), "", "login"))
        except TooMany:
            raise LoginRefused("this login has come back before") from None

    async def _redeem(self, code: str, verifier: str, nonce: str) -> dict[str, Any]:
        """Change the code for an ID token and return its claims, all of them checked (OpenID Connect Core §3.1.3.7)."""
        metadata = await self._discover()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._callback_url,
            "code_verifier": verifier,
        }
        basic = aiohttp.encode_basic_auth(self._provider.client_id, self._provider.client_secret)
        tokens = await self._fetch("POST", metadata["token_endpoint"], data=form, headers={"Authorization": basic})
        token = str(tokens.get("id_token", ""))
        try:
            claims = await self._decoded(token, metadata["jwks_uri"])
            required: dict[str, Any] = {
                "iss": {"essential": True, "value": self._provider.issuer},
                "aud": {"essential": True, "value": self._provider.client_id},
                "exp": {"essential": True},
                "iat": {"essential": True},
                "sub": {"essential": True},
                "nonce": {"essential": True, "value": nonce},
            }
            jwt.JWTClaimsRegistry(leeway=LEEWAY_S, **required).validate(claims)
        except (JoseError, ValueError) as error:
            raise LoginRefused(f"the ID token does not hold: {error}") from None
        if claims.get("azp", self._provider.client_id) != self._provider.client_id:
            raise LoginRefused("the ID token was made for another client")
        if not isinstance(claims["sub"], str) or not claims["sub"]:
            raise LoginRefused("the ID token names nobody")
        if self._provider.level == "email" and claims.get("email_verified") is not True:
            raise LoginRefused("the provider has not verified an e-mail address")
        return claims

    async def _decoded(self, token: str, jwks_uri: str) -> dict[str, Any]:
        """Return the token's claims once its signature holds; a key we have not seen yet is fetched once."""
        if self._jwks is not None:
            with contextlib.suppress(JoseError, ValueError):
                return jwt.decode(token, self._jwks, algorithms=ALGORITHMS).claims
        self._jwks = KeySet.import_key_set(await self._fetch("GET", jwks_uri))  # type: ignore[arg-type]
        return jwt.decode(token, self._jwks, algorithms=ALGORITHMS).claims

    async def _discover(self) -> dict[str, Any]:
        async with self._fetching:
            at, metadata = self._metadata
            if metadata and time.monotonic() - at < METADATA_LASTS_S:
                return metadata
            issuer = self._provider.issuer
            found = await self._fetch("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != issuer:
                raise LoginRefused(f"{issuer} says that it is {found.get('issuer')!r}")
            if not all(isinstance(found.get(k), str) for k in ("authorization_endpoint", "token_endpoint", "jwks_uri")):
                raise LoginRefused(f"{issuer} does not say where to log in")
            self._metadata = (time.monotonic(), found)
            return found

    async def _fetch(self, method: str, url: str, **more: Any) -> dict[str, Any]:
        try:
            async with (
                aiohttp.ClientSession(timeout=TIMEOUT) as http,
                http.request(method, url, allow_redirects=False, **more) as response,
            ):
                if response.status != 200:
                    raise LoginRefused(f"the provider answered {response.status}")
                body = bytearray()
                async for piece in response.content.iter_any():  # an answer may come in many
                    body += piece
                    if len(body) > ANSWER_BYTES:
                        raise LoginRefused("the provider's answer is too long")
            read = json.loads(body)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise LoginRefused(f"the provider cannot be reached or understood: {type(error).__name__}") from None
        if not isinstance(read, dict):
            raise LoginRefused("the provider's answer is not an object")
        return read


def _gone_to(request: Request) -> None:
    """Refuse to begin, or to end, a login for what another site's page embeds: it would take the place of one that goes on."""
    if is_embedded_elsewhere(request.scope):
        raise Forbidden("foreign_origin")


def _with_query(url: str, query: dict[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"
