"""Stands before every route: what may be asked of us, from where, how much, and what a browser may do with the answer."""

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# What Gradio's own pages need. Everything else of Gradio's (uploads, file proxy, monitoring, deep links, API pages) does not exist here.
_PAGE: Final = r"config/?|theme\.css|manifest\.json|favicon\.ico|(assets|static|svelte)/.+"
_ALLOWED: Final = re.compile(
    rf"/$|/({_PAGE})$|/gradio_api/(startup-events|info)$"
    rf"|/organizer/?$|/organizer/({_PAGE}|gradio_api/(startup-events|info))$|/organizer/(login|logout|enter|console/.+)$"
    r"|/(my|how|rules|privacy|accessibility|receipts|checkpoints|leaderboard)$"
    r"|/(api/v1|arena-assets)/.+|/(healthz|readyz|metrics|openapi\.json)$|/\.well-known/jwks\.json$|/(login|logout)(/[\w-]+)?$"
)
_ELSEWHERE: Final = re.compile(rb"forwarded$|x-forwarded-(?!for$)|x-original-|x-rewrite-")
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

CSP: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        # Gradio and plotly write style attributes; a style cannot call anybody.
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
_HEADERS: Final = (
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    # Not "no-referrer": with that, a browser sends our own login form with `Origin: null`.
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Guard:
    """An ASGI middleware; refuses before anything is read or parsed."""

    def __init__(self, app: ASGIApp, *, origins: Collection[str], body_bytes: int) -> None:
        """`origins`: the public origin(s); without any, a request's own Host is the one allowed origin."""
        self._app = app
        self._origins = frozenset(origin.rstrip("/") for origin in origins)
        public = urlsplit(next(iter(origins), ""))
        self._scheme, self._host = public.scheme, public.netloc.encode("idna")
        self._body_bytes = body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or hands on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        if not _ALLOWED.fullmatch(scope["path"]):
            await _refuse(send, 404, "not_found", "찾을 수 없는 주소예요.", "There is nothing at this address.")
            return
        if scope["method"] not in _SAFE and not self._own_origin(scope, headers):
            await _refuse(
                send,
                403,
                "foreign_origin",
                "다른 사이트에서 보낸 요청은 받지 않아요.",
                "This request came from another site. Open the arena itself and try again.",
            )
            return
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > self._body_bytes:
            await self._too_large(send)
            return
        if scope["method"] not in _SAFE:
            body = await self._body(receive)
            if body is None:
                await self._too_large(send)
                return
            receive = _replayed(body, receive)

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                extra = [pair for pair in _HEADERS if pair[0] not in present]
                # Gradio answers any origin with credentials; nobody but us may read us.
                kept = [pair for pair in message["headers"] if not pair[0].lower().startswith(b"access-control-")]
                message = {**message, "headers": [*kept, *extra]}
            await send(message)

        await self._app(self._placed(scope), receive, dressed)

    def _placed(self, scope: Scope) -> Scope:
        """The request at the arena's own address: Gradio would build its links from whatever the client says about proxies and hosts."""
        kept = [pair for pair in scope["headers"] if not _ELSEWHERE.match(pair[0].lower())]
        if not self._host:
            return {**scope, "headers": kept}
        kept = [pair for pair in kept if pair[0].lower() != b"host"]
        return {**scope, "scheme": self._scheme, "headers": [(b"host", self._host), *kept]}

    async def _body(self, receive: Receive) -> bytes | None:
        """The whole body, which is small by the stage's limit; nothing when it is larger, whatever its headers said."""
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
        """A browser always says where an unsafe request comes from; a program that says nothing carries no cookie by accident."""
        origin = headers.get(b"origin")
        if origin is None:
            return headers.get(b"sec-fetch-site", b"same-origin") in (b"same-origin", b"none")
        text = origin.decode("latin-1")
        if self._origins:
            return text in self._origins
        return text == f"{scope.get('scheme', 'http')}://{headers.get(b'host', b'').decode('latin-1')}"

    async def _too_large(self, send: Send) -> None:
        await _refuse(
            send,
            413,
            "too_large",
            "보낸 내용이 너무 커요. 줄여서 다시 보내 주세요.",
            "This is too large. Shorten it and try again.",
        )


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Gives the body once more, then whatever comes (a disconnect)."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _refuse(send: Send, status: int, code: str, ko: str, en: str) -> None:
    body = (
        f'{{"type":"about:blank","title":"{code}","status":{status},"code":"{code}","detail":"{ko}","ko":"{ko}","en":"{en}"}}'
    ).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *_HEADERS,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
