"""Names and values as they are shown: nothing unprintable reaches a screen, and nothing is longer than a line."""

from typing import Any

_LONGEST = 80


def printable(text: str) -> str:
    """Write control characters and broken halves of characters as escapes; leave the rest of the text as it stands."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in "\u200c\u200d\u3000\u00a0" else c.encode("unicode_escape").decode() for c in text
    )


def quoted(value: Any) -> str:
    """Write a value as an error shows it: quoted, escaped, and cut where it is long."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def letters(number: int) -> str:
    """Count in letters: A … Z, AA, AB, …"""
    before, last = divmod(number, 26)
    return (letters(before - 1) if before else "") + chr(65 + last)
