"""What an endpoint of the OpenAI protocol puts on the wire, byte by byte: every boundary, comment and broken connection exactly as meant."""

import asyncio
import json
import socket
import struct
from dataclasses import dataclass
from typing import Any

PIECES = ("안녕", "하세요? ", "저는 ", "답변\u2028입니다", ". 👍🏽", " 끝.")
ANSWER = "".join(PIECES)
SECRET = "narae-7b at /srv/models/narae"
USAGE = {"prompt_tokens": 7, "completion_tokens": 6, "total_tokens": 13}
KEY = "sesame"


def chunk(content: str | None = None, *, finish: str | None = None, **delta: Any) -> bytes:
    """One event with a chunk, named after the model as real servers do."""
    if content is not None:
        delta["content"] = content
    body = {
        "id": "chatcmpl-narae",
        "object": "chat.completion.chunk",
        "model": SECRET,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"


def usage(**more: Any) -> bytes:
    """The last chunk of servers that count."""
    body = {"object": "chat.completion.chunk", "choices": [], "usage": {**USAGE, **more}}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


SPOKEN = b"".join(chunk(piece) for piece in PIECES)
WHOLE = chunk("", role="assistant") + SPOKEN + chunk(finish="stop") + usage() + b"data: [DONE]\n\n"
DONE = b"data: [DONE]\n\n"


@dataclass
class Talk:
    """One request, and the ways to answer it."""

    asked: dict[str, Any]
    headers: dict[str, str]
    nth: int
    """Requests with the same model before this one."""
    writer: asyncio.StreamWriter

    def head(self, status: str = "200 OK", kind: str = "text/event-stream; charset=utf-8", *more: str) -> None:
        """The response's head, its body in chunks."""
        lines = [
            f"HTTP/1.1 {status}",
            f"content-type: {kind}",
            "transfer-encoding: chunked",
            "x-served-by: narae",
            *more,
        ]
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def send(self, data: bytes) -> None:
        """A piece of the body, in a TCP segment of its own as far as that can be had."""
        self.writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await self.writer.drain()

    async def end(self) -> None:
        """The body's proper end; the connection may be used again."""
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    async def events(self, *pieces: bytes) -> None:
        """A whole good response of these pieces."""
        self.head()
        for piece in pieces:
            await self.send(piece)
        await self.end()

    async def refuse(self, status: str, body: str, kind: str = "application/json", *more: str) -> None:
        """An error with its body."""
        self.head(status, kind, *more)
        await self.send(body.encode())
        await self.end()

    def reset(self) -> None:
        """A TCP reset instead of an end."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()
