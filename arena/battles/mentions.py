"""A distinctive name that nobody had asked for: whether the author's own, said by the author, stands there for who is speaking."""

import re
from collections.abc import Callable, Iterator
from itertools import groupby

from arena.battles.claims import A_NAME, SENTENCE
from arena.battles.names import ANY, PARTS, WORDS, distinct, filled

_TOPIC, _PERSONAL, _LISTED, _USED, _DENIED = (
    re.compile(filled(WORDS["mentions"][name], {**PARTS, "n": ANY}))
    for name in ("topic", "personal", "listed", "used", "denied")
)


def about_models(masked_prompt: str) -> bool:
    """Tell whether a masked question is about language models or their makers: answers to it have reason to name some, their own among them."""
    return _TOPIC.search(masked_prompt) is not None or any(map(distinct, A_NAME.findall(masked_prompt)))


def mentioned(masked: str, own: Callable[[str], bool], *, expected: bool) -> bool:
    """Tell whether the author's distinctive name stands in a masked answer by itself: not denied, not among others in a sentence or a list.

    Args:
        masked: the answer.
        own: whether a name's character is the author's.
        expected: whether the question gave reason to name models; then it has to stand in a sentence with a word for oneself.
    """
    if not any(distinct(each) and own(each) for each in A_NAME.findall(masked)):
        return False
    return any(_tells(place, expected=expected) for place in _places(masked, own))


def _tells(sentence: str, *, expected: bool) -> bool:
    if _LISTED.search(sentence) or _DENIED.search(sentence):
        return False
    return _PERSONAL.search(sentence) is not None or not (expected or _USED.search(sentence))


def _places(masked: str, own: Callable[[str], bool]) -> Iterator[str]:
    """Find the sentences with the author's distinctive name and nobody else's, beside no line that names somebody else."""
    for written, block in groupby(masked.split("\n"), key=lambda line: bool(line.strip())):
        lines = list(block)
        named = [each for line in lines for each in A_NAME.findall(line) if distinct(each)]
        if not written or not any(map(own, named)) or (len(lines) > 1 and not all(map(own, named))):
            continue
        for line in lines:
            for found in SENTENCE.finditer(line):
                told = [each for each in A_NAME.findall(found[0]) if distinct(each)]
                if told and all(map(own, told)):
                    yield found[0]
