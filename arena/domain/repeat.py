"""Repeats: a citizen's own earlier battle once more, the answers on each other's side, to learn how well people agree with themselves.

With h, seed and k as in `arena.domain.draw`, r the stage's `repeats`, and E the numbers of the draws that this citizen could be shown again, from the
smallest to the largest and joined by ",":

repeat    draw k is due if h("kai.repeat/1|k", 10**9) < r * 10**9; a draw that is due and whose E is not empty shows draw number
          h("kai.repeat-of/1|k|E", |E|) of E again, sides swapped, before anything else is drawn. Its probability is r / |E|.

E holds a draw of theirs that was voted, was no repeat and never was repeated, between two entrants that are rated, whose texts are there, and after
which they have voted on ten or more. A repeat's vote never enters the fit.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from arena.domain.battle import Draw
from arena.domain.draw import Pair, below

APART = 10
"""So many of a citizen's own votes lie between a battle and its repeat."""
_BILLION = 10**9


@dataclass(frozen=True, slots=True)
class Earlier:
    """One of a citizen's battles, as far as a repeat asks."""

    number: int
    """Of its draw."""
    a: str
    b: str
    voted: bool
    has_texts: bool
    repeat_of: int | None


def is_due(seed: str, number: int, share: float) -> bool:
    """Tell whether the draw with this number is a repeat, where the citizen has anything to repeat."""
    due = round(share * _BILLION)
    return due > 0 and below(seed, f"kai.repeat/1|{number}", _BILLION) < due


def repeatable(history: Sequence[Earlier], entrants: Collection[str]) -> list[Earlier]:
    """Choose what can be shown again.

    Args:
        history: all of the citizen's battles in the stage, in the order of their draws.
        entrants: those that are rated.
    """
    voted = [battle for battle in history if battle.voted]
    repeated = {battle.repeat_of for battle in history}
    return [
        battle
        for battle in voted[:-APART]
        if battle.repeat_of is None
        and battle.number not in repeated
        and battle.has_texts
        and {battle.a, battle.b} <= set(entrants)
    ]


def shown_again(seed: str, number: int, share: float, pairs: Mapping[int, Pair], numbers: Sequence[int]) -> Draw:
    """Make the draw with this number as a repeat.

    Args:
        seed: the stage's.
        number: counts the stage's draws from 1.
        share: of the draws, the stage's `repeats`.
        pairs: who stood on side a and b in each of `numbers`.
        numbers: the draws that could be shown again, in order.
    """
    listed = ",".join(map(str, numbers))
    first = numbers[below(seed, f"kai.repeat-of/1|{number}|{listed}", len(numbers))]
    a, b = pairs[first]
    probability = round(share * _BILLION) / _BILLION / len(numbers)
    return Draw(b, a, number, tuple(map(str, numbers)), probability, repeat_of=first)


def again(seed: str, number: int, share: float, history: Sequence[Earlier], entrants: Collection[str]) -> Draw | None:
    """Make a draw that is due a repeat of one of a citizen's battles; None where there is nothing to repeat."""
    pairs = {battle.number: (battle.a, battle.b) for battle in repeatable(history, entrants)}
    return shown_again(seed, number, share, pairs, list(pairs)) if pairs else None
