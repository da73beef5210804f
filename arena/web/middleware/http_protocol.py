"""HTTP as it is read from the socket: what a request says of itself is bounded before it is held, and nothing becomes a WebSocket."""

from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES: Final = 32_768
"""Of a request's line, headers and trailers together."""

_REFUSAL: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 24\r\nconnection: close\r\n\r\n"
    b"The headers are too big."
)


class HeadTooLargeError(Exception):
    """The line, headers and trailers of one request are longer than `HEAD_BYTES`."""


class BoundedProtocol(HttpToolsProtocol):
    """Reads a request as uvicorn does, and refuses a head that is too large, or bytes without end that make no part of one."""

    _head = 0
    _unread = 0
    """Bytes that came since the parser last understood something: of a field that has not ended yet, say."""
    _heard = False

    def data_received(self, data: bytes) -> None:
        """Read what came; answer 431 and hang up where it is too much."""
        self._heard = False
        try:
            super().data_received(data)
        finally:
            self._unread = 0 if self._heard else self._unread + len(data)
        if self._unread > HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_REFUSAL)
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, or too much of it."""
        if self._head <= HEAD_BYTES:
            super().send_400_response(msg)
            return
        self.transport.write(_REFUSAL)
        self.transport.close()

    def on_message_begin(self) -> None:
        """Begin to count."""
        self._head, self._heard = 0, True
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count the address."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header, or a trailer."""
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Go on."""
        self._heard = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Go on; the body has a bound of its own."""
        self._heard = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Go on."""
        self._heard = True
        super().on_message_complete()

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: whoever asks for another protocol is answered by `SecurityMiddleware`, and may not fill the log."""

    def _count(self, size: int) -> None:
        self._heard = True
        self._head += size
        if self._head > HEAD_BYTES:
            raise HeadTooLargeError


SERVER: Final[dict[str, Any]] = {
    "http": BoundedProtocol,
    "ws": "none",
    "lifespan": "off",
    "log_level": "warning",
    "access_log": False,
    "server_header": False,
    "date_header": False,
    "proxy_headers": False,
}
"""How the arena has uvicorn serve it."""
