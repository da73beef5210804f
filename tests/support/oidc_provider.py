"""A small OpenID provider in a process of its own: it approves everybody, checks what a provider checks, and lies when it is told to.

`python oidc_provider.py PORT`. `POST /lie` with a name makes the next ID token wrong in that one way.
"""

import asyncio
import base64
import hashlib
import json
import secrets
import sys
import time
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

CLIENT, SECRET = "arena", "arena-secret"


class Provider:
    """What it knows: its keys, the codes it gave out, who is logged in, and the next lie."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.keys = [ECKey.generate_key("P-256")]
        self.codes: dict[str, dict[str, str]] = {}
        self.person = "hong-gildong"
        self.lie = ""
        self.asked = 0

    async def count(self, _request: web.Request) -> web.Response:
        return web.json_response(self.asked)

    async def configuration(self, request: web.Request) -> web.StreamResponse:
        """In pieces, as providers behind proxies answer."""
        told = json.dumps(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/jwks",
                "end_session_endpoint": f"{self.issuer}/end",
            }
        ).encode()
        response = web.StreamResponse(headers={"content-type": "application/json"})
        await response.prepare(request)
        for piece in (told[:50], told[50:]):
            await response.write(piece)
            await asyncio.sleep(0.05)
        return response

    async def jwks(self, _request: web.Request) -> web.Response:
        return web.json_response({"keys": [k.as_dict(private=False, kid=k.thumbprint()) for k in self.keys]})

    async def authorize(self, request: web.Request) -> web.Response:
        asked = dict(request.query)
        if asked["client_id"] != CLIENT or asked["code_challenge_method"] != "S256":
            raise web.HTTPBadRequest
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        raise web.HTTPSeeOther(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}")

    async def token(self, request: web.Request) -> web.Response:
        self.asked += 1
        form = await request.post()
        asked = self.codes.pop(str(form["code"]), None)
        proof = base64.urlsafe_b64encode(hashlib.sha256(str(form["code_verifier"]).encode()).digest()).rstrip(b"=")
        known = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if asked is None or request.headers.get("authorization") != f"Basic {known}":
            raise web.HTTPUnauthorized
        if proof.decode() != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
            raise web.HTTPBadRequest
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": self.person,
            "nonce": asked["nonce"],
            "iat": now,
            "exp": now + 300,
        }
        key: Any = self.keys[-1]
        header = {"alg": "ES256", "kid": key.thumbprint()}
        lie, self.lie = self.lie, ""
        match lie:
            case "nonce":
                claims["nonce"] = secrets.token_urlsafe(32)
            case "audience":
                claims["aud"] = "another-client"
            case "party":
                claims |= {"aud": [CLIENT, "another-client"], "azp": "another-client"}
            case "issuer":
                claims["iss"] = "https://evil.example"
            case "expired":
                claims |= {"iat": now - 900, "exp": now - 600}
            case "nobody":
                claims["sub"] = ""
            case "key":
                key = ECKey.generate_key("P-256")
                header = {"alg": "ES256", "kid": self.keys[-1].thumbprint()}
            case "secret":  # signed with what the client knows, under an algorithm nobody asked for
                key, header = OctKey.import_key(SECRET), {"alg": "HS256"}
            case "unsigned":
                head = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
                body = jwt.encode({"alg": "ES256"}, claims, key).split(".")[1]
                return web.json_response({"access_token": "x", "token_type": "Bearer", "id_token": f"{head}.{body}."})
            case "broken":
                return web.Response(text="<html>")
            case "rotated":
                self.keys.append(ECKey.generate_key("P-256"))
                key = self.keys[-1]
                header = {"alg": "ES256", "kid": key.thumbprint()}
        return web.json_response(
            {"access_token": "x", "token_type": "Bearer", "id_token": jwt.encode(header, claims, key)}
        )

    async def end(self, request: web.Request) -> web.Response:
        raise web.HTTPSeeOther(request.query["post_logout_redirect_uri"])

    async def set_lie(self, request: web.Request) -> web.Response:
        self.lie = await request.text()
        return web.Response()

    async def set_person(self, request: web.Request) -> web.Response:
        self.person = await request.text()
        return web.Response()


def main(port: int) -> None:
    """Serves until it is terminated."""
    provider = Provider(port)
    app = web.Application()
    app.add_routes(
        [
            web.get("/.well-known/openid-configuration", provider.configuration),
            web.get("/jwks", provider.jwks),
            web.get("/asked", provider.count),
            web.get("/authorize", provider.authorize),
            web.post("/token", provider.token),
            web.get("/end", provider.end),
            web.post("/lie", provider.set_lie),
            web.post("/person", provider.set_person),
        ]
    )
    web.run_app(app, host="127.0.0.1", port=port, print=None)


if __name__ == "__main__":
    main(int(sys.argv[1]))
