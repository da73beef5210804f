"""Text from outside made safe to keep: no control characters, no lone surrogates, one Unicode form."""

import unicodedata

from arena.domain.errors import TooLarge, Unusable
from models.text import printable, visible


def clean_prompt(text: str, limit: int) -> str:
    """The prompt as it is kept and sent: printable, in NFC, trimmed.

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
        raise Unusable("empty_prompt", "질문을 입력해 주세요.", "Please type a question.")
    return prompt


def clean_comment(text: str, limit: int) -> str:
    """The comment as it is kept: printable, in NFC, trimmed; may be empty.

    Raises:
        TooLarge: over `limit` characters.
    """
    comment = unicodedata.normalize("NFC", printable(text[: 4 * limit + 1])).strip()
    if len(comment) > limit:
        raise TooLarge(
            "comment_too_long",
            f"의견은 {limit:,}자까지 쓸 수 있어요. 조금 줄여 주세요.",
            f"A comment may have {limit:,} characters. Please shorten it.",
        )
    return comment


def _too_long(length: int, limit: int) -> TooLarge:
    return TooLarge(
        "prompt_too_long",
        f"질문은 {limit:,}자까지 쓸 수 있어요(지금 {length:,}자). 조금 줄여 주세요.",
        f"A question may have {limit:,} characters (this has {length:,}). Please shorten it.",
    )
