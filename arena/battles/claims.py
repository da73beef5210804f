"""Sentences in which a masked text says who is speaking, and those in which a question asks for it."""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from arena.battles.names import ANY, PARTS, WORDS, filled

_VOLITION = "[" + "".join(chr(0xAC00 + 28 * n + 8) for n in range(399)) + "]"
"""Syllables that end as a speaker's own intention does, before the ending itself."""

_ALL_PARTS = {**PARTS, "volition": _VOLITION}
for _name in ("you", "who", "adv", "is", "identity", "tell", "open_question", "short_end"):
    _ALL_PARTS[_name] = filled(WORDS["prompts"][_name], _ALL_PARTS)


def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of the words' file; the first name in it is the group `n`."""
    whole = filled(pattern, _ALL_PARTS)
    return re.compile(whole.replace("{n}", f"(?P<n>{ANY})", 1).replace("{n}", ANY))


_CLAIMS, _CONTEXT = WORDS["claims"], WORDS["context"]
_SURE, _NAMED, _UNASKED, _ASIDE, _THIRD, _SIGNATURES = (
    tuple(map(_compiled, _CLAIMS[kind])) for kind in ("sure", "named", "unasked", "aside", "third", "signature")
)
_CREDIT = re.compile("|".join(filled(each, {**_ALL_PARTS, "n": ANY}) for each in _CLAIMS["credit"]), re.MULTILINE)
_ASKED = tuple(map(_compiled, WORDS["prompts"]["asked"]))
_TRIGGER = _compiled(WORDS["prompts"]["trigger"])
_OPENER = re.compile(filled(r"^{mark}*(?:{opener}(?:{mark}|\n)+)*", {**WORDS["prompts"], **PARTS}))
_IDLE = _compiled(WORDS["prompts"]["idle"])
_TAG = _compiled(_CLAIMS["tag"])
_BARE = _compiled(_CLAIMS["bare"])
_BADGE = _compiled(_CLAIMS["badge"])
_HELLO = re.compile(PARTS["hello"] + r"\W*$")
_TOPIC, _ADNOMINAL, _NEGATION, _DENIED, _SUPPOSED, _TAKEN_BACK, _PERSON, _QUOTING, _FIRST_PERSON = (
    re.compile(_CONTEXT[name])
    for name in (
        *("topic", "adnominal", "negation", "denied", "supposed", "taken_back", "person", "quoting", "first_person"),
    )
)
_OTHERS = re.compile(_CONTEXT["others"])
_FIRST = re.compile(filled(_CONTEXT["first"], PARTS))
_OPEN, _CLOSE = (
    "[_\"'\u2018\u201c\u300c\u300e\u300a\u3008(\\[<\u3010\u2039\u00ab]",
    "[_\"'\u2019\u201d\u300d\u300f\u300b\u3009)\\]>\u3011\u203a\u00bb]",
)
_WRAPPED = re.compile(rf"{_OPEN}{{1,2}}\s?({ANY}(?:{PARTS['t']}))\s?{_CLOSE}{{1,2}}")
_TRAILING = re.compile(rf"({ANY})_+")
_TWICE = re.compile(rf"({ANY})\s?\1")
_QUOTED = re.compile(
    r"(?<!\w)'[^'\n]{1,200}'|\"[^\"\n]{1,200}\"|\u2018[^\u2019\n]{1,200}\u2019|\u201c[^\u201d\n]{1,200}\u201d"
    r"|\u300c[^\u300d\n]{1,200}\u300d|\u300e[^\u300f\n]{1,200}\u300f|`[^`\n]{1,200}`"
)
_APOSTROPHE = re.compile(r"(?<=[A-Za-z\ue000-\uefff])\u2019(?=[A-Za-z])")
_ITEM = re.compile(r"\s*-\s")
_FENCED = re.compile(r"^[ \t]*(```|~~~)[^\n]*\n.*?(?:^[ \t]*\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[^\n]*$", re.MULTILINE)
_FACES = r"\u2600-\u27bf\U0001f300-\U0001faff"
SENTENCE = re.compile(
    rf"(?:[^.!?\u3002\n{_FACES}:;^]+|[:;^](?![)D(^])|\.(?=[A-Za-z0-9]))+(?:[.!?\u3002{_FACES}]|[:;^][)D(^])*"
)
"""With what it ends with: a face does too."""
A_NAME = re.compile(ANY)
_LABEL = re.compile(rf"^\W*(?:{ANY}|\w{{1,8}})\s?[:\uff1a]")
_COLON = re.compile("[:\uff1a]")
_HEADLINE = 30
"""Characters that a heading has at most."""
_LINES = 3
"""The last lines of an answer, in which it may be signed."""


def apart_from_code(text: str) -> str:
    """Leave out what stands in fences, unless nothing else is there: code that prints a name claims nothing."""
    outside = _FENCED.sub("\n", text)
    return outside if outside.strip() else _FENCE.sub("", text)


def _unwrapped(masked: str) -> str:
    """Take quotation marks and brackets off a name that stands alone in them, and a name off what only repeats it."""
    return _TWICE.sub(r"\1", _WRAPPED.sub(r"\1", _APOSTROPHE.sub("'", _TRAILING.sub(r"\1", masked))))


def claimed(masked: str) -> set[str]:
    """Find the names in a masked text that it gives to its author."""
    text = _unwrapped(masked).strip()
    text = text[1:-1] if _QUOTED.fullmatch(text) else _QUOTED.sub(" ", text)
    known: set[str] = set()
    announced, greeted = "", True
    for line in text.split("\n"):
        if not line.strip():
            announced = "" if announced == "here" else announced
            continue
        if announced:
            announced = "here"
        elif A_NAME.search(line):
            for found in SENTENCE.finditer(line):
                if not known.issuperset(A_NAME.findall(found[0])):
                    known |= set(_claimed_in(found[0].strip(), line[: found.start()], text, greeted=greeted))
                greeted = _HELLO.search(found[0]) is not None
        else:
            greeted = _HELLO.search(line) is not None
        if _announces(line):
            announced = "next"
    return known


def _announces(line: str) -> bool:
    """Tell whether the lines up to the next empty one are somebody else's words."""
    line = line.strip()
    return (line.endswith((":", "\uff1a")) or (len(line) < _HEADLINE and line[-1] not in ".!?")) and (
        _QUOTING.search(line) is not None
    )


def _claimed_in(sentence: str, before: str, text: str, *, greeted: bool) -> Iterator[str]:
    """Find the names that one sentence gives to the author of the text."""
    personal = _PERSON.search(sentence) is not None
    yield from _matching(_SURE if personal else (*_SURE, *_NAMED), sentence, before)
    bare = _BARE.search(sentence)
    if bare and (bare["hello"] or bare["what"] or (greeted and _FIRST_PERSON.search(text.replace(sentence, "", 1)))):
        yield _who(bare)


def _matching(patterns: Iterable[re.Pattern[str]], sentence: str, before: str) -> Iterator[str]:
    """Find whom the claims of these kinds in a sentence name."""
    for pattern in patterns:
        yield from (_who(found) for found in pattern.finditer(sentence) if _stands(found, before))


def _who(found: re.Match[str]) -> str:
    """Give the name that a pattern found: its group's, or where that stands in another branch, the first."""
    return found["n"] or A_NAME.findall(found[0])[0]


def _stands(found: re.Match[str], before: str) -> bool:
    """Tell whether a claim holds: it has no topic of its own, nothing denies it, and it is nobody else's."""
    parts = found.groupdict()
    gap = _ADNOMINAL.sub(" ", parts.get("gap") or "")
    if _TOPIC.search(gap) or _DENIED.search(gap):
        return False
    act = parts.get("act")
    if act is not None and (_OTHERS.search(act) or _FIRST.search(before + found.string[: found.start()])):
        return False
    if any(_NEGATION.search(parts.get(name) or "") for name in ("tail", "then")):
        return False
    sentence, front = found.string, before + found.string[: found.start()]
    if _TAKEN_BACK.search(sentence[found.end() :]) or _SUPPOSED.search(sentence[: found.start()]):
        return False
    announced = _QUOTING.search(front)
    return announced is None or not _COLON.search(front, announced.end())


def signed(masked: str) -> Iterator[str]:
    """Find the names under a masked text, or in front of it, as of who wrote it."""
    tagged = _TAG.search(masked.lstrip())
    if tagged:
        yield _who(tagged)
    text = _unwrapped(masked).strip()
    lines = [line for line in text.split("\n") if line.strip()]
    labels = {line.split(":")[0].strip() for line in lines if _LABEL.search(line)}
    if len(labels) < 2:
        yield from (_who(found) for pattern in _UNASKED if (found := pattern.search(text)))
    for line in dict.fromkeys(lines):
        for found in SENTENCE.finditer(line):
            if A_NAME.search(found[0]):
                yield from _matching((*_ASIDE, *_THIRD), found[0].strip(), line[: found.start()])
    items = {line for above, line in pairwise(text.split("\n")) if _ITEM.match(above) and _ITEM.match(line)}
    for line in {*lines[:_LINES], *lines[-_LINES:]} - items:
        yield from (_who(found) for pattern in _SIGNATURES if (found := pattern.search(line)))
    last = "\n".join(lines[-2:])
    yield from (_who(found) for pattern in _SIGNATURES if (found := pattern.search(last)))


def credited(masked: str) -> Iterator[str]:
    """Find the names in a masked text, code and all, that it gives as its author's in a field, a comment or a heading."""
    return (A_NAME.findall(found[0])[0] for found in _CREDIT.finditer(masked))


def asks(masked: str) -> bool:
    """Tell whether a masked question asks the models who they are; what stands in quotation marks is not asked."""
    text = _OPENER.sub("", _QUOTED.sub(" ", _unwrapped(masked)))
    if not _TRIGGER.search(text) or _IDLE.search(text):
        return False
    return any(pattern.search(text) for pattern in _ASKED)
