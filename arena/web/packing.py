"""Compresses what is served: the files that never change once and well, everything else as it goes, and a stream not at all."""

import re
from typing import Final

import brotli
from anyio import sleep_forever, to_thread
from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arena.web.assets import FOREVER

# Gradio's own files hold a hash in their names, and its theme in its query.
_UNCHANGING: Final = re.compile(r"(/organizer)?/(assets/.+|theme\.css)$|/arena-assets/.+")
_PACKED: Final = ("text/", "application/javascript", "application/json", "image/svg+xml")
_KEPT: Final = 600
"""Files kept packed in memory; Gradio has some hundreds, and nobody can make more than there are."""


class Packing:
    """An ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._passing = GZipMiddleware(app, minimum_size=600, compresslevel=6)
        self._kept: dict[str, tuple[list[tuple[bytes, bytes]], bytes]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers from what is kept, or packs what the app answers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] != "GET" or not _UNCHANGING.match(scope["path"]):
            await self._passing(scope, receive, send)
            return
        if "br" not in Headers(scope=scope).get("accept-encoding", ""):
            await self._passing(scope, receive, _unchanging(scope, send))
            return
        if scope["path"] not in self._kept:
            answer = await self._whole(scope)
            status = answer[0]["status"]
            if status != 200 or len(self._kept) >= _KEPT:
                await send(answer[0])
                await send({"type": "http.response.body", "body": answer[1]})
                return
            self._kept[scope["path"]] = await to_thread.run_sync(_pack, answer[0]["headers"], answer[1])
        headers, body = self._kept[scope["path"]]
        await _unchanging(scope, send)({"type": "http.response.start", "status": 200, "headers": list(headers)})
        await send({"type": "http.response.body", "body": body})

    async def _whole(self, scope: Scope) -> tuple[Message, bytes]:
        """What the app answers to somebody who takes nothing packed, has nothing kept, and stays to the end.

        The visitor may leave meanwhile; if the app heard of it, it would stop, and everybody after would get half a file.
        """
        plain = (b"accept-encoding", b"if-none-match", b"if-modified-since", b"range")
        asked = {**scope, "headers": [pair for pair in scope["headers"] if pair[0].lower() not in plain]}
        start: Message = {"type": "http.response.start", "status": 500, "headers": []}
        body = bytearray()
        told = False

        async def asking() -> Message:
            nonlocal told
            if told:
                await sleep_forever()
            told = True
            return {"type": "http.request", "body": b"", "more_body": False}

        async def held(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
            else:
                body.extend(message.get("body", b""))

        await self._app(asked, asking, held)
        return start, bytes(body)


def _pack(headers: list[tuple[bytes, bytes]], body: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    kind = next((value.decode("latin-1") for name, value in headers if name.lower() == b"content-type"), "")
    own = (b"content-length", b"content-encoding", b"vary", b"etag", b"last-modified", b"accept-ranges")
    kept = [pair for pair in headers if pair[0].lower() not in own]
    if kind.startswith(_PACKED):
        body = brotli.compress(body, quality=11)
        kept.append((b"content-encoding", b"br"))
    return [*kept, (b"vary", b"accept-encoding"), (b"content-length", str(len(body)).encode())], body


def _unchanging(scope: Scope, send: Send) -> Send:
    """Tells the browser to keep a file whose address holds its version."""

    async def told(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200:
            headers = message["headers"]
            if not any(name.lower() == b"cache-control" for name, _ in headers):
                if scope["path"].endswith("theme.css") and not scope.get("query_string"):
                    headers = [*headers, (b"cache-control", b"no-cache")]
                else:
                    headers = [*headers, (b"cache-control", FOREVER.encode())]
            message = {**message, "headers": headers}
        await send(message)

    return told
