"""Which of an entrant's names can hardly be anything else: said unasked by the model that bears it, such a name tells who is speaking."""

import re

from arena.battles.folding import fold
from arena.battles.names import WORDS, Name
from arena.domain.stage import Entrant

_MODEL_PART, _TEAM_WORD, _COUNTED = (
    re.compile(WORDS["names"][each]) for each in ("model_part", "team_word", "counted")
)
_HOST = re.compile(r"(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}")
_INNER_CAPITAL = re.compile(r"[a-z][A-Z]")
_HANGUL = re.compile(r"[\uac00-\ud7a3]")
_LETTERS, _CAPITALS, _LATIN, _SYLLABLES = 4, 6, 8, 5
"""Letters that a distinctive name has at least: any; all capitals; one Latin word or several; Hangul alone."""


def names(entrant: Entrant) -> list[Name]:
    """List the team, whose it is and its aliases, each with and without the word for a team, as long as something distinct is left.

    What the stage file lists as `ordinary` or `distinctive` is that; else `_guessed` decides.
    """
    organisation = entrant.card.organisation if entrant.card else None
    makers = (entrant.team, organisation) if organisation else (entrant.team,)
    of_makers = _bare([fold(text) for maker in makers for text in (maker.ko, maker.en)])
    declared = dict.fromkeys(map(key, entrant.ordinary), False) | dict.fromkeys(map(key, entrant.distinctive), True)
    spelled = of_makers | _bare([fold(text) for text in (*entrant.aliases, *entrant.distinctive, *entrant.ordinary)])
    made_by = set(map(key, of_makers))
    return sorted(
        (
            Name(text, declared[key(text)]) if key(text) in declared else _guessed(text, maker=key(text) in made_by)
            for text in spelled
        ),
        key=lambda name: (name.distinctive, not name.capital, name.text),
    )


def key(name: str) -> str:
    """Give what two spellings of one name have in common: letters and digits."""
    return "".join(letter for letter in fold(name).lower() if letter.isalnum() or letter in "@$")


def _bare(folded: list[str]) -> set[str]:
    bare = {name: _TEAM_WORD.sub("", name).strip() for name in folded}
    kept = {name for name in folded if len(key(bare[name])) < 2 or name.isascii()}
    return {name for name in {*kept, *bare.values()} if len(key(name)) >= 2}


def _guessed(name: str, *, maker: bool) -> Name:
    """Tell whether a name is distinctive by how it is written; a maker's never is, for it stands on other products too."""
    letters = sum(each.isalnum() for each in name)
    latin = any(each.isascii() and each.isalpha() for each in name)
    words = [each for each in re.split(r"[\s._-]+", name) if each]
    if maker or letters < _LETTERS:
        return Name(name)
    if _MODEL_PART.search(name):
        return Name(name, distinctive=True)
    if not latin:
        many = letters >= _SYLLABLES and all(map(_HANGUL.match, name.replace(" ", "")))
        return Name(name, many or (any(map(str.isdigit, name)) and not _COUNTED.search(name)))
    if (
        any(map(str.isdigit, name))
        or _HANGUL.search(name)
        or _INNER_CAPITAL.search(name)
        or _HOST.fullmatch(name)
        or (name.isupper() and letters >= _CAPITALS)
    ):
        return Name(name, distinctive=True)
    capital = letters >= _LATIN and all(word[0].isupper() for word in words)
    return Name(name, distinctive=capital, capital=capital)
