"""Reads server-sent events from bytes as they come, whatever their pieces are."""

from collections.abc import Iterator

LONGEST = 1 << 20


class TooLongError(Exception):
    """A line or an event longer than `LONGEST` bytes."""


class EventReader:
    """Gives the data of each event, `data:` lines joined; comments and other fields are left out.

    Lines end with LF, CRLF or CR (WHATWG HTML, 9.2.6); U+2028 and the like are text, since only bytes are looked at.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._after_cr = False
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The events that are whole now.

        Raises:
            TooLongError: what came is no stream of events.
        """
        if self._after_cr and piece[:1] == b"\n":  # a CRLF came in two pieces
            piece = piece[1:]
        if piece:
            self._after_cr = piece[-1:] == b"\r"
        buffer = self._rest + piece if self._rest else piece
        if b"\r" in buffer:
            buffer = buffer.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = buffer.split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > LONGEST:
            raise TooLongError
        data = self._data
        for line in lines:
            if not line:
                if data:
                    whole = data[0] if len(data) == 1 else b"\n".join(data)
                    data.clear()
                    self._size = 0
                    yield whole
            elif line.startswith(b"data:"):
                data.append(line[6:] if line[5:6] == b" " else line[5:])
                self._size += len(line)
                if self._size > LONGEST:
                    raise TooLongError

    def end(self) -> bytes:
        """What stood at the end without its empty line: some servers forget it after the last event."""
        for _ in self.feed(b"\n"):
            pass
        return b"\n".join(self._data)
