"""Names and values in sentences: a handful is named, the rest is counted, and nothing unprintable reaches a screen."""

from collections.abc import Sequence
from typing import Any, Literal

HANDFUL = 5
"""Names that a sentence lists before it counts the rest."""
_LONGEST = 80


def listed(names: Sequence[str], language: Literal["ko", "en"] = "en", most: int = HANDFUL) -> str:
    """The names in one phrase: all of them up to one above `most`, otherwise the first `most` and how many more."""
    if len(names) <= most + 1:
        return ", ".join(map(printable, names))
    rest = f" 외 {len(names) - most:,}개" if language == "ko" else f" and {len(names) - most:,} more"
    return ", ".join(map(printable, names[:most])) + rest


def counted(count: float, noun: str) -> str:
    """So many of them: "1 vote", "2,000 votes", "0.4 votes"."""
    return f"{figure(count)} {noun}" + ("" if count == 1 else "s")


def figure(count: float) -> str:
    """A count for the eye: whole where it is whole, two decimals otherwise, and three digits where those show nothing."""
    if isinstance(count, int):
        return f"{count:,}"
    return f"{count:.3g}" if 0 < abs(count) < 0.01 else f"{count:,.2f}".rstrip("0").rstrip(".")


def printable(text: str) -> str:
    """The text with control characters and broken halves of characters written as escapes; the rest as it stands."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in "\u200c\u200d\u3000\u00a0" else c.encode("unicode_escape").decode() for c in text
    )


def quoted(value: Any) -> str:
    """A value as an error shows it: quoted, escaped, and cut where it is long."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
