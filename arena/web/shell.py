"""Gradio's page frame, made ours: no inline script (so that `script-src 'self'` holds in silence), no foreign card, our language and frame."""

import re
from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arena.web import assets
from arena.web.language import Language, language_of
from arena.web.layout import Frame, keep_choice

_INLINE_SCRIPT: Final = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>.*?</script>", re.DOTALL)
_CARD: Final = re.compile(rb"<meta\s+(?:property|name)=\"(?:og|twitter):[^>]*>", re.DOTALL)
_MANIFEST: Final = re.compile(rb"<link rel=\"manifest\"[^>]*>")


def dressed(html: bytes, language: Language, frame: Frame | None = None) -> bytes:
    """The frame without what we do not want; Gradio then reads its configuration over HTTP."""
    html = _MANIFEST.sub(b"", _CARD.sub(b"", _INLINE_SCRIPT.sub(b"", html)))
    html = html.replace(b'lang="en"', f'lang="{language}" data-language="{language}"'.encode(), 1)
    if frame is None:
        fonts = f'<link rel="stylesheet" href="{assets.url("fonts/fonts.css")}">'.encode()
        return html.replace(b"</head>", fonts + b"</head>", 1)
    html = html.replace(b"<body", b'<body class="arena-battle"', 1)
    html = html.replace(b"</head>", frame.head.encode() + b"</head>", 1)
    html = html.replace(b"<gradio-app", frame.before.encode() + b"<gradio-app", 1)
    return html.replace(b"</gradio-app>", b"</gradio-app>" + frame.after.encode(), 1)


class Shell:
    """An ASGI middleware around everything; touches only HTML that holds a Gradio app."""

    def __init__(self, app: ASGIApp, *, frame: Callable[[Request], Frame]) -> None:
        """`frame` gives what stands around the citizens' page."""
        self._app = app
        self._frame = frame

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers with the frame rewritten, or hands on unchanged."""
        if scope["type"] != "http" or scope["path"] not in ("/", "/organizer", "/organizer/"):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        start: Message | None = None
        body = bytearray()

        async def held(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            body.extend(message.get("body", b""))
            if message.get("more_body", False) or start is None:
                return
            if b"<gradio-app" not in body:
                await send(start)
                await send({"type": "http.response.body", "body": bytes(body)})
                return
            ours = scope["path"] == "/"
            html = dressed(bytes(body), language_of(request), self._frame(request) if ours else None)
            told = Response(html, start["status"], media_type="text/html")
            told.headers["cache-control"] = "no-cache"
            told.headers["vary"] = "accept-language, cookie"
            keep_choice(request, told)
            await told(scope, receive, send)

        await self._app(scope, receive, held)
