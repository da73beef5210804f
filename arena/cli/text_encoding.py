"""Bytes of a text file as text: UTF-8 first, then what spreadsheets in Korea write."""

import codecs

from ratings.errors import ComparisonError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_PACKED = ((b"\x1f\x8b", "gzip"), (b"PK\x03\x04", "zip (Excel)"), (b"\x28\xb5\x2f\xfd", "zstd"))
_PACKED += (
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"PAR1", "Parquet"),
    (b"%PDF", "PDF"),
    (b"\xd0\xcf\x11\xe0", "Excel"),
)


def decode(content: bytes) -> tuple[str, str]:
    """Return the text without its byte-order mark, and the encoding it was written in: utf-8, utf-16-le, …, cp949.

    Raises:
        ComparisonError: the bytes are no text in any of these.
    """
    for start, kind in _PACKED:
        if content.startswith(start):
            raise ComparisonError("content_packed", kind=kind)
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _strict(content[len(mark) :], encoding), encoding
    encoding = _without_mark(content)
    if encoding is not None:
        return _strict(content, encoding), encoding
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as error:
        if _broken_utf8(content):
            raise ComparisonError("broken_utf8", place=error.start) from None
    try:
        return content.decode("cp949"), "cp949"
    except UnicodeDecodeError:
        raise ComparisonError("encoding_unknown") from None


def _strict(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ComparisonError("broken_encoding", place=error.start, encoding=encoding.upper()) from None


def _without_mark(content: bytes) -> str | None:
    """UTF-16 without a mark: the ASCII of a header has a zero in every second byte."""
    start = content[:64]
    if len(content) % 2 or len(start) < 8:
        return None
    half = len(start) // 2
    even, odd = start[0::2].count(0), start[1::2].count(0)
    if max(even, odd) < half / 2:
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _broken_utf8(content: bytes) -> bool:
    """Tell whether the bytes are UTF-8 but for a few: then reading them as CP949 would invent names."""
    text = content.decode("utf-8", errors="replace")
    bad = text.count("\ufffd")
    return sum(c > "\x7f" for c in text) - bad > bad
