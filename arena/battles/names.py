"""Where a text names somebody: whatever is put between the letters, and however they are drawn."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from arena.battles.folding import fold

WORDS = tomllib.loads(Path(__file__).with_name("identity.toml").read_text("utf-8"))
"""The words and sentences of identity: names of others, parts of patterns, patterns."""
ANY = "[\ue000-\uefff]"
"""Matches one name in a masked text."""
_FIRST, _LOOSE, _DISTINCT = 0xE000, 0x800, 0x400
_DISTINCTIVE = re.compile("[\ue400-\ue7ff\uec00-\uefff]")
_GAP = re.compile(
    r"[ \t._\-\u00b7\u2022|/\\'\"~,+()\[\]\u318d\u30fb\u2010-\u2015\u2190-\u2bff\U0001f000-\U0001faff]{0,3}"
)
_JOINT = re.compile(
    r"(?<=[\uac00-\ud7a3])(?=[A-Za-z0-9])|(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=[\uac00-\ud7a3\d])|(?<=\d)(?=[A-Za-z\uac00-\ud7a3])"
)
_SURELY = 5
"""Letters of a name that nobody writes by chance, even in two words."""
_SMALL = str.maketrans({chr(65 + n): chr(97 + n) for n in range(26)})
_DIGITS = str.maketrans("0134570@$lI", "oieastoasii")
"""What stands for a letter in a name that is written to be missed."""


def filled(pattern: str, parts: Mapping[str, str]) -> str:
    """Fill in each `{name}` of a part in the pattern."""
    return re.sub(r"\{([a-z_]+)\}", lambda found: parts.get(found[1], found[0]), pattern)


PARTS: dict[str, str] = {}
for _name, _part in WORDS["parts"].items():
    PARTS[_name] = filled(_part, PARTS)  # a part knows only those before it
_PARTICLES = {**PARTS, "particles": WORDS["names"]["particles"]}
_AFTER_HANGUL = re.compile(filled(WORDS["names"]["after"], _PARTICLES))
_AFTER_LATIN = re.compile(r"(?![A-Za-z0-9])")
_ELSEWHERE = re.compile(WORDS["names"]["elsewhere"])
_GLUED = re.compile(WORDS["names"]["glued"])
_VERSION = re.compile(WORDS["names"]["version"])


@dataclass(frozen=True, slots=True)
class Name:
    """One spelling of a name, and how much it tells."""

    text: str
    distinctive: bool = False
    capital: bool = False
    """Distinctive only where it begins with a capital letter, for without it is made of words."""


@dataclass(frozen=True, slots=True)
class _Spelling:
    """One name as it is looked for."""

    bearer: int
    key: str
    """Its letters and digits."""
    joints: frozenset[int]
    """Places in the key behind which a gap is no disguise."""
    cased: bool
    latin: bool
    distinctive: bool
    capital: bool
    """Distinctive with a capital letter only."""


class Names:
    """Everybody's names, by the number of who bears them: finds them in texts."""

    def __init__(self, named: Sequence[Sequence[Name]], cased: Sequence[Sequence[str]] = ()) -> None:
        """Prepare the spellings of each bearer; those that come `cased` count only in the case they are given in, and are distinctive."""
        known = ([Name(name, distinctive=True) for name in names] for names in cased)
        every = [(n, name, n >= len(named)) for n, names in enumerate((*named, *known)) for name in names]
        made = {(n, spelling.key): spelling for n, name, exact in every for spelling in (_spelling(n, name, exact),)}
        self._spellings = sorted(made.values(), key=lambda each: -len(each.key))

    def mask(self, text: str) -> str:
        """Write a folded text with one character for every name: `bearer` tells whose, `loose` and `distinct` how surely."""
        squeezed, places = _squeezed(text)
        small = squeezed.translate(_SMALL)
        drawn = small.translate(_DIGITS) if re.search(r"[0-9@$lI]", squeezed) else ""
        found: list[tuple[int, int, str]] = []
        for spelling in self._spellings:
            for at in _occurrences(spelling.key, squeezed if spelling.cased else small):
                found += self._found(text, places, spelling, at)
            if drawn and spelling.latin and not spelling.cased and len(spelling.key) > 3:
                for at in _occurrences(spelling.key.translate(_DIGITS), drawn):
                    found += self._found(text, places, spelling, at)
        found.sort(key=lambda each: (each[0], -each[1]))
        pieces, end = [], 0
        for start, stop, letter in found:
            if start >= end:
                pieces += [text[end:start], letter]
                end = stop
        return "".join(pieces) + text[end:] if pieces else text

    def _found(self, text: str, places: list[int], spelling: _Spelling, at: int) -> Iterator[tuple[int, int, str]]:
        """Look whether a name really stands there, as a word of its own; yield it at most once."""
        size = len(spelling.key)
        start, stop = places[at], places[at + size - 1] + 1
        loose, odd = False, []
        if stop - start > size:
            gaps = [text[places[at + n] + 1 : places[at + n + 1]] for n in range(size - 1)]
            if not all(_GAP.fullmatch(gap) for gap in gaps):
                return
            odd = [gap for n, gap in enumerate(gaps) if gap and n not in spelling.joints]
            # One space between two syllables is as often two words; so are two initials.
            loose = bool(odd) and (all(gap.isspace() for gap in odd) or (spelling.latin and size <= 3))
            if loose and size > 3:
                loose = len(odd) < size - 1 and not (spelling.distinctive and size >= _SURELY)
        before = text[start - 1] if start else " "
        if before.isascii() and before.isalnum():
            return
        glued = "\uac00" <= before <= "\ud7a3"
        if glued and not _GLUED.search(text, max(0, start - 8), start):
            return
        last = text[stop - 1]
        if not (_AFTER_LATIN if last.isascii() else _AFTER_HANGUL).match(text, stop):
            version = _VERSION.match(text, stop)
            if version is None:
                return
        if _ELSEWHERE.match(text, stop):
            return
        if odd and text[stop : stop + 1] == odd[-1].strip() and text[stop + 1 : stop + 2].strip():
            stop += 1  # what stands between the letters stands behind the last one too
        version = _VERSION.match(text, stop)
        sized = version is not None and spelling.latin and size >= _SURELY - 1 and version[0][-1] in "bB"
        distinct = sized or (spelling.distinctive and (not spelling.capital or text[start].isupper()))
        letter = chr(_FIRST + spelling.bearer + _LOOSE * loose + _DISTINCT * distinct)
        yield start, version.end() if version else stop, " " * glued + letter


def bearer(letter: str) -> int:
    """Tell whose name a masked text's character stands for."""
    return (ord(letter) - _FIRST) % _DISTINCT


def loose(letter: str) -> bool:
    """Tell whether it may as well be two words."""
    return ord(letter) - _FIRST >= _LOOSE


def distinct(letter: str) -> bool:
    """Tell whether it can hardly be anything else than that name."""
    return bool((ord(letter) - _FIRST) & _DISTINCT) and not loose(letter)


def undistinguished(masked: str) -> str:
    """Give each name in a masked text one character, however distinctive the spelling was."""
    return _DISTINCTIVE.sub(lambda found: chr(ord(found[0]) - _DISTINCT), masked)


def _spelling(number: int, named: Name, cased: bool) -> _Spelling:
    name = fold(named.text)
    key, places = _squeezed(name)
    joints = {n for n in range(len(key) - 1) if places[n + 1] - places[n] > 1 or _JOINT.match(name, places[n] + 1)}
    key = key if cased else key.translate(_SMALL)
    return _Spelling(number, key, frozenset(joints), cased, key.isascii(), named.distinctive, named.capital)


def _squeezed(text: str) -> tuple[str, list[int]]:
    """Give a text's letters and digits, and the place of each."""
    places = [n for n, letter in enumerate(text) if letter.isalnum() or letter in "@$"]
    return "".join([text[n] for n in places]), places


def _occurrences(key: str, text: str) -> Iterable[int]:
    at = text.find(key)
    while at >= 0:
        yield at
        at = text.find(key, at + 1)
