"""What a vote's first question was, as a key that is equal for equal questions and tells nothing of the text.

Votes on one question share what it happens to favour, so the ratings take it as a cluster (`ratings.questions`). A question
that the page offers has a key everybody can read, whatever stands in its brackets and in whichever language. Any other is an
HMAC, under a key of the stage's own, of the text as it is kept, with personal data masked; once the stage's texts are erased
that key goes too, and nobody can try out texts any more.
"""

import hmac
import re
import unicodedata
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Self

from arena.domain.stage import Stage, Starters
from arena.domain.starters import every_starter

_BRACKETS = re.compile(r"\[[^\[\]]*\]")
_FEWEST = 6
"""Letters outside the brackets; a question of fewer would take others for itself."""


class QuestionKeys:
    """The keys of one stage's questions."""

    def __init__(self, offered: Sequence[Starters], key: str) -> None:
        """`offered` is all that the page may offer on some day, `key` the stage's own, 64 hex characters."""
        self._key = bytes.fromhex(key)
        self._offered = [
            pair for place, starters in enumerate(offered) for pair in _of_topic(starters, starters.id or str(place))
        ]

    @classmethod
    def of_stage(cls, stage: Stage, key: str) -> Self:
        """Make those of a stage: its own questions, and the page's where it has none but themes of a day."""
        always = any(starters.day is None for starters in stage.starters)
        return cls((*stage.starters, *(() if always else every_starter())), key)

    def of(self, prompt: str) -> str | None:
        """Give the key of a first question as it is kept: `starter:…`, or 32 hex characters; None where it has no letter or digit."""
        text = question_text(prompt)
        if not text:
            return None
        for pattern, name in self._offered:
            if pattern.fullmatch(text):
                return name
        return hmac.digest(self._key, text.encode(), sha256)[:16].hex()


def question_text(text: str) -> str:
    """Give the letters and digits of a question, composed and in one case (NFKC): what makes two questions the same."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def _of_topic(starters: Starters, name: str) -> Iterator[tuple[re.Pattern[str], str]]:
    """Give what is offered, with the brackets open, and its key."""
    name = name if starters.day is None else f"{starters.day.isoformat()}:{name}"
    for n, prompt in enumerate(starters.prompts):
        for text in (prompt.ko, prompt.en):
            fixed = [question_text(part) for part in _BRACKETS.split(text)]
            whole = question_text(text.replace("[", "").replace("]", ""))
            pattern = ".+".join(map(re.escape, fixed)) if sum(map(len, fixed)) >= _FEWEST else re.escape(whole)
            yield re.compile(pattern, re.DOTALL), f"starter:{name}:{n}"
