"""Gradio's page frame, made ours: no inline script (so that `script-src 'self'` holds in silence), no foreign card, our language."""

import re
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_INLINE_SCRIPT: Final = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>.*?</script>", re.DOTALL)
_CARD: Final = re.compile(rb"<meta\s+(?:property|name)=\"(?:og|twitter):[^>]*>", re.DOTALL)
_NOSCRIPT: Final = (
    '<noscript><p lang="ko">이 페이지는 자바스크립트가 필요합니다. 브라우저 설정에서 켜 주세요.</p>'
    '<p lang="en">This page needs JavaScript. Please switch it on.</p></noscript>'
).encode()


def dressed(html: bytes) -> bytes:
    """The frame without what we do not want; Gradio then reads its configuration over HTTP."""
    html = _CARD.sub(b"", _INLINE_SCRIPT.sub(b"", html))
    return html.replace(b'lang="en"', b'lang="ko"', 1).replace(b"<gradio-app", _NOSCRIPT + b"<gradio-app", 1)


class Shell:
    """An ASGI middleware around everything; touches only HTML that holds a Gradio app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers with the frame rewritten, or hands on unchanged."""
        if scope["type"] != "http" or scope["path"] not in ("/", "/organizer", "/organizer/"):
            await self._app(scope, receive, send)
            return
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
            html = dressed(bytes(body)) if b"<gradio-app" in body else bytes(body)
            headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
            await send({**start, "headers": [*headers, (b"content-length", str(len(html)).encode())]})
            await send({"type": "http.response.body", "body": html})

        await self._app(scope, receive, held)
