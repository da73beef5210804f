"""Server-sent events are read from bytes, whatever their pieces are."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.endpoint.sse import ERROR, IDLE, LONGEST, Event, EventReader, TooLongError

STREAM = (
    ': hello\r\n\r\ndata: {"a":"가\u2028나"}\n\nevent: x\nid: 1\ndata: one\ndata:two\r\rretry: 3\ndata:  padded\n\ndata\n\ndata: 👍🏽\r\n\r\n'
).encode()
EVENTS = ['{"a":"가\u2028나"}'.encode(), b"one\ntwo", b" padded", "👍🏽".encode()]


def read(*pieces: bytes) -> list[bytes]:
    reader = EventReader()
    return [data for piece in pieces for data, _ in reader.feed(piece)]


def test_every_cut_in_two_gives_the_same_events() -> None:
    """A boundary may fall inside a character, a CRLF, a field name or an empty line."""
    for at in range(len(STREAM) + 1):
        assert read(STREAM[:at], STREAM[at:]) == EVENTS, at
    assert read(*(STREAM[n : n + 1] for n in range(len(STREAM)))) == EVENTS


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_pieces_give_the_same_events(cuts: list[int]) -> None:
    """However a network hands the bytes over, the events are the same."""
    edges = [0, *sorted(cuts), len(STREAM)]
    assert read(*(STREAM[a:b] for a, b in itertools.pairwise(edges))) == EVENTS


def test_a_last_event_without_its_empty_line_is_not_lost() -> None:
    """Some servers close right after the last line."""
    reader = EventReader()
    assert [data for data, _ in reader.feed(b"data: a\n\ndata: b")] == [b"a"]
    assert reader.end() == (b"b", b"")
    reader = EventReader()
    assert list(reader.feed(b"data: a\n")) == []
    assert reader.end() == (b"a", b"")


@pytest.mark.parametrize("at", range(8))
def test_a_byte_order_mark_is_no_part_of_the_stream(at: int) -> None:
    """Whole or cut in pieces, it is dropped at the beginning, and only there."""
    stream = b"\xef\xbb\xbfdata: a\n\ndata: \xef\xbb\xbf\n\n"
    assert read(stream[:at], stream[at:]) == [b"a", b"\xef\xbb\xbf"]
    assert read(*(stream[n : n + 1] for n in range(len(stream)))) == [b"a", b"\xef\xbb\xbf"]


@pytest.mark.parametrize(
    ("lines", "event"),
    [
        (b'event: error\ndata: {"m":1}\n\n', (b'{"m":1}', ERROR)),
        (b'error: {"m":1}\n\n', (b'{"m":1}', ERROR)),
        (b"event: error\n\n", (b"", ERROR)),
        (b"event: ping\ndata: {}\n\n", (b"{}", b"ping")),
        (b"event: ping\n\ndata: x\n\n", (b"x", b"")),
    ],
)
def test_errors_have_their_name(lines: bytes, event: Event) -> None:
    """An event named `error`, an `error:` line and an error without a word are errors; the name of an event without data goes with it."""
    assert list(EventReader().feed(lines)) == [event]


@pytest.mark.parametrize(
    "piece", [b": still here\n\n", b":\n", b"\n", b"id: 7\n", b"retry: 9\r\n", b": " + b"x" * 9999 + b"\n"]
)
def test_comments_without_end_end_early(piece: bytes) -> None:
    """A stream that goes on and says nothing is refused after 64 KiB of it; a keep-alive now and then, for however long, is not."""
    reader = EventReader()
    with pytest.raises(TooLongError):
        list(itertools.chain.from_iterable(reader.feed(piece) for _ in range(3 * IDLE // len(piece))))
    patient = EventReader()
    for _ in range(100):
        list(patient.feed(piece * (IDLE // 4 // len(piece))))
        assert list(patient.feed(b"data: x\n\n")) == [(b"x", b"")]


@pytest.mark.parametrize("piece", [b"data: " + b"x" * LONGEST, b"data: x\n" * (LONGEST // 2)])
def test_nothing_without_an_end_fills_the_memory(piece: bytes) -> None:
    """A line or an event over the bound is refused as soon as it is."""
    with pytest.raises(TooLongError):
        read(*[piece] * 4)
