"""Leaks: what in a battle may have told the citizen who is who, as words under the sealed record and as bits in a table of votes."""

from collections.abc import Collection, Iterable
from enum import StrEnum

from arena.domain.battle import ASKS_IDENTITY, PROMPTED, SIDES


class Leak(StrEnum):
    """What is found; the last four are an answer's, and `arena.battles.identity` finds them."""

    ASKED = "asked"
    """The prompt asked who the models are, or whose."""
    SELF = "self"
    """The answer names its author or its author's maker as who is speaking."""
    POSING = "posing"
    """The answer says that it is another entrant, or somebody's well-known model."""
    OWN = "own"
    """The author's name stands in the answer in another way."""
    RIVAL = "rival"
    """Another entrant's name does."""


NAMING = (Leak.SELF, Leak.POSING, Leak.OWN, Leak.RIVAL)
"""What an answer does."""
_ASKED = 1


def bits(leaks: Iterable[str]) -> int:
    """Read what is sealed with a vote, `prompt:asks_identity` and `side:leak:who`, the latter with `:prompted` behind it or without."""
    found = 0
    for leak in leaks:
        where, kind, *_ = leak.split(":")
        if where in SIDES:
            found |= side_mask(SIDES.index(where), (Leak(kind),), prompted=leak.endswith(PROMPTED))
        elif kind == ASKS_IDENTITY:
            found |= _ASKED
    return found


def mask(leaks: Collection[Leak]) -> int:
    """Give the bits by which these leaks make a battle one that was not blind."""
    return (_ASKED if Leak.ASKED in leaks else 0) | side_mask(0, leaks) | side_mask(1, leaks)


def side_mask(side: int, leaks: Collection[Leak], *, prompted: bool | None = None) -> int:
    """Give the bits of these leaks on one side.

    Args:
        side: 0 or 1.
        leaks: which.
        prompted: those that the prompts had brought up, or those that they had not. None for what gives somebody away: who is speaking
            always does, a name that the citizen had said first never.
    """
    found = 0
    for leak in (leak for leak in NAMING if leak in leaks):
        kinds = (False, True) if leak in (Leak.SELF, Leak.POSING) else (False,)
        for each in kinds if prompted is None else (prompted,):
            found |= 1 << (1 + 8 * side + 2 * NAMING.index(leak) + each)
    return found
