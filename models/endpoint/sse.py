"""Reads server-sent events from bytes as they come, whatever their pieces are."""

import re
from collections.abc import Iterator

LONGEST = 1 << 20
IDLE = 1 << 16
"""Bytes of comments, empty lines and fields that say nothing which may stand between two events: a keep-alive a second makes some kilobytes in an answer."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
ERROR = b"error"
KNOWN = re.compile(rb":|[a-zA-Z_-]+(:|$)").match
"""A comment, or a field of whatever name, with its colon or without."""


Event = tuple[bytes, bytes]
"""What one event carries: its `data:` lines joined, and the name it was given."""


class TooLongError(Exception):
    """A line or an event longer than `LONGEST` bytes, or more than `IDLE` without any."""


class EventReader:
    """Gives each event; comments and unknown fields are left out. An `error:` line is an event named so, as llama.cpp writes it, and so is a line that
    is no field at all: a server that says in plain words what has happened to it.

    Lines end with LF, CRLF or CR, and one byte-order mark at the beginning is no part of them (WHATWG HTML, 9.2.6); U+2028 and the like are
    text, since only bytes are looked at.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._pieces: list[bytes] = []
        self._waiting = 0
        self._after_cr = False
        self._data: list[bytes] = []
        self._name = b""
        self._size = 0
        self._idle = 0
        self._begun = False
        self.marked = False
        """Whether the stream began with a byte-order mark."""

    def feed(self, piece: bytes) -> Iterator[Event]:
        """Give the events that are whole now.

        Raises:
            TooLongError: what came is no stream of events.
        """
        if not self._begun:
            piece = self._without_mark(piece)
        if self._after_cr and piece:
            self._after_cr = False
            piece = piece.removeprefix(b"\n")  # a CRLF came in two pieces
        if b"\n" not in piece and b"\r" not in piece:  # a line goes on: it is joined once, when it has ended
            self._pieces.append(piece)
            self._waiting += len(piece)
            if self._waiting > LONGEST:
                raise TooLongError
            return
        self._after_cr = piece[-1:] == b"\r"
        buffer = piece
        if self._rest or self._pieces:
            buffer = b"".join((self._rest, *self._pieces, piece))
            self._pieces.clear()
        if b"\r" in buffer:
            buffer = buffer.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = buffer.split(b"\n")
        self._rest = lines.pop()
        self._waiting = len(self._rest)
        if self._waiting > LONGEST:
            raise TooLongError
        for line in lines:
            if not line:
                if self._data or self._name == ERROR:
                    yield self._event()
                else:
                    self._wait(0)
                self._name = b""  # an event without data is none, and its name goes with it
            elif line.startswith(b"data:"):
                self._take(line[6:] if line[5:6] == b" " else line[5:])
            elif line.startswith(b"event:"):
                self._name = line[6:].strip()
            elif line.startswith(b"error:"):
                self._name = ERROR
                self._take(line[6:].strip())
            elif not KNOWN(line):
                self._name = ERROR  # words of somebody who has stopped speaking in events
                self._take(line.strip())
            else:
                self._wait(len(line))

    def end(self) -> Event:
        """Give what stood at the end without its empty line: some servers forget it after the last event."""
        self._begun = True
        if self._rest or self._pieces:
            for _ in self.feed(b"\n"):
                pass
        return self._event()

    def _event(self) -> Event:
        data = self._data
        whole = data[0] if len(data) == 1 else b"\n".join(data)
        data.clear()
        self._size = self._idle = 0
        return whole, self._name

    def _wait(self, size: int) -> None:
        self._idle += size + 1
        if self._idle > IDLE:
            raise TooLongError

    def _take(self, data: bytes) -> None:
        self._data.append(data)
        self._size += len(data) + 6
        if self._size > LONGEST:
            raise TooLongError

    def _without_mark(self, piece: bytes) -> bytes:
        """Give the beginning of the stream once it is known whether it is a byte-order mark; nothing until then."""
        start, self._rest = self._rest + piece, b""
        if len(start) < len(BYTE_ORDER_MARK) and BYTE_ORDER_MARK.startswith(start):
            self._rest = start
            return b""
        self._begun = True
        self.marked = start.startswith(BYTE_ORDER_MARK)
        return start.removeprefix(BYTE_ORDER_MARK)
