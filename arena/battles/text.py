"""Text from outside made safe to keep: no control characters, no lone surrogates, one Unicode form."""

import unicodedata
from typing import Final

import regex

from arena.domain.errors import TooLarge, Unusable
from models.text import printable, visible

_GRAPHEME: Final = regex.compile(r"\X")


def clean_prompt(text: str, limit: int) -> str:
    """Return the prompt as it is kept and sent: printable, in NFC, trimmed.

    Raises:
        TooLarge: over `limit` characters.
        Unusable: nothing is left to ask.
    """
    # A bound before the work: normalising can only be linear, but megabytes need not be looked at.
    if len(text) > 4 * limit:
        raise _too_long(len(text), limit)
    prompt = unicodedata.normalize("NFC", printable(text)).strip()
    if len(prompt) > limit:
        raise _too_long(len(prompt), limit)
    if not visible(prompt):
        raise Unusable("empty_prompt")
    return prompt


def clean_comment(text: str, limit: int) -> str:
    """Return the comment as it is kept: printable, in NFC, trimmed; may be empty.

    Raises:
        TooLarge: over `limit` characters.
    """
    comment = unicodedata.normalize("NFC", printable(text[: 4 * limit + 1])).strip()
    if len(comment) > limit:
        raise TooLarge("comment_too_long", limit=limit)
    return comment


def beginning(text: str, graphemes: int) -> str:
    """Return the text's beginning on one line, at most so many graphemes of it, an ellipsis where there is more."""
    line = " ".join(text.split())
    ends = [found.end() for found in _GRAPHEME.finditer(line)]
    return line if len(ends) <= graphemes else f"{line[: ends[graphemes - 1]].rstrip()}…"


def _too_long(length: int, limit: int) -> TooLarge:
    return TooLarge("prompt_too_long", limit=limit, length=length)
