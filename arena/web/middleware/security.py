"""Stands before every route: what may be asked of us, from where, how much, and what a browser may do with the answer."""

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arena.domain.errors import ArenaError, Forbidden, NotFound, NotUpgraded, TooLarge
from arena.web.core.headers import HEADERS, HSTS
from arena.web.core.problem import Refusals

# What Gradio's web component needs, and on the citizens' side `gradio_client`. Everything else of Gradio's (uploads, file proxy, monitoring,
# deep links, API pages) does not exist here.
_BLOCKS: Final = r"config|theme\.css|favicon\.ico|assets/.+|gradio_api/info"
_ALLOWED: Final = re.compile(
    rf"/$|/({_BLOCKS}|gradio_api/queue/(join|data))$"
    rf"|/organizer/?$|/organizer/({_BLOCKS}|login|logout|enter|console/.+)$"
    r"|/(my|how|rules|privacy|accessibility|receipts|checkpoints|results)$|/results/.+$|/receipts/[0-9a-f]{64}/qr\.svg$"
    r"|/(api/v1|arena-assets)/.+|/(healthz|readyz|metrics|openapi\.json)$|/\.well-known/jwks\.json$|/(login|logout)(/[\w-]+)?$"
)
_ELSEWHERE: Final = re.compile(rb"x-forwarded-(?!for$)|x-original-|x-rewrite-")
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class SecurityMiddleware:
    """An ASGI middleware; refuses before anything is read or parsed."""

    def __init__(self, app: ASGIApp, *, origins: Collection[str], body_bytes: int, refusals: Refusals) -> None:
        """`origins`: the public origin(s); without any, a request's own Host is the one allowed origin."""
        self._app = app
        self._refusals = refusals
        self._origins = frozenset(origin.rstrip("/") for origin in origins)
        public = urlsplit(next(iter(origins), ""))
        self._scheme, self._host = public.scheme, public.netloc.encode("idna")
        self._body_bytes = body_bytes
        self._headers = (*HEADERS, HSTS) if self._scheme == "https" else HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or hands on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        if not _ALLOWED.fullmatch(scope["path"]):
            await self._refuse(NotFound("not_found"), scope, receive, send)
            return
        if _wants_websocket(scope):
            await self._refuse(NotUpgraded("no_websockets"), scope, receive, send)
            return
        if scope["method"] not in _SAFE and not self._own_origin(scope, headers):
            await self._refuse(Forbidden("foreign_origin"), scope, receive, send)
            return
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > self._body_bytes:
            await self._refuse(TooLarge("too_large"), scope, receive, send)
            return
        if scope["method"] not in _SAFE:
            body = await self._body(receive)
            if body is None:
                await self._refuse(TooLarge("too_large"), scope, receive, send)
                return
            receive = _replayed(body, receive)

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                extra = [pair for pair in self._headers if pair[0] not in present]
                # What the API says depends on who asks and when: Back must not show what was said before.
                if scope["path"].startswith("/api/") and b"cache-control" not in present:
                    extra.append((b"cache-control", b"no-store"))
                # Gradio answers any origin with credentials; nobody but us may read us.
                kept = [pair for pair in message["headers"] if not pair[0].lower().startswith(b"access-control-")]
                message = {**message, "headers": [*kept, *extra]}
            await send(message)

        await self._app(self._placed(scope), receive, dressed)

    async def _refuse(self, error: ArenaError, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._refusals.answer(Request(scope), error)
        answer.raw_headers += self._headers
        await answer(scope, receive, send)

    def _placed(self, scope: Scope) -> Scope:
        """Place the request at the arena's own address: Gradio would build its links from whatever the client says about proxies and hosts."""
        kept = [pair for pair in scope["headers"] if not _ELSEWHERE.match(pair[0].lower())]
        if not self._host:
            return {**scope, "headers": kept}
        kept = [pair for pair in kept if pair[0].lower() != b"host"]
        return {**scope, "scheme": self._scheme, "headers": [(b"host", self._host), *kept]}

    async def _body(self, receive: Receive) -> bytes | None:
        """Read the whole body, which is small by the stage's limit; nothing when it is larger, whatever its headers said."""
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return bytes(body)
            body += message.get("body", b"")
            if len(body) > self._body_bytes:
                return None
            if not message.get("more_body", False):
                return bytes(body)

    def _own_origin(self, scope: Scope, headers: dict[bytes, bytes]) -> bool:
        """Tell whether an unsafe request comes from our own pages: a browser always says where from; a program that says nothing carries no cookie by accident."""
        origin = headers.get(b"origin")
        if origin is None:
            return headers.get(b"sec-fetch-site", b"same-origin") in (b"same-origin", b"none")
        text = origin.decode("latin-1")
        if self._origins:
            return text in self._origins
        return text == f"{scope.get('scheme', 'http')}://{headers.get(b'host', b'').decode('latin-1')}"


def _wants_websocket(scope: Scope) -> bool:
    """Tell whether WebSocket, of whatever version, is among the protocols that a request would rather speak, in one header or several (RFC 9110, 7.8)."""
    asked = (each for name, value in scope["headers"] if name == b"upgrade" for each in value.split(b","))
    return any(each.partition(b"/")[0].strip(b" \t").lower() == b"websocket" for each in asked)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Give the body once more, then whatever comes (a disconnect)."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
