"""How far voters agree with themselves: the same question and the same answers judged again, sides swapped, after other battles (test and retest)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ratings.anytime import Anytime
from ratings.comparison import A_WINS, B_WINS, BOTH_BAD, OUTCOMES, TIE
from ratings.shares import side_bias


@dataclass(frozen=True, slots=True)
class Agreed:
    """How many pairs of judgements are the same."""

    times: int
    of: int
    share: float | None
    """None where there is no pair."""
    interval: tuple[float, float] | None
    """95 % at one look or at all, clustered by voter, as in `ratings.shares.side_bias`."""
    chance: float | None
    """The share that would agree if the second had nothing to do with the first: Σ of the products of how often each was said (Cohen 1960)."""


@dataclass(frozen=True, slots=True)
class Retest:
    """All pairs, and those in which both times one side was chosen."""

    voters: int
    """People who judged something twice."""
    exact: Agreed
    """The same of the four decisions, whatever the sides."""
    decided: Agreed
    """The same answer, where both times one was chosen."""


def retest(
    first: NDArray[np.integer],
    again: NDArray[np.integer],
    voter: NDArray[np.integer],
    looks: Anytime | None = None,
) -> Retest:
    """Compare judgements with their repeats.

    Args:
        first: what was said, as in `ratings.comparison`.
        again: of the same answers on each other's side.
        voter: who said both, as codes from 0.
        looks: the intervals hold at every look while so many repeats as it plans come in; None where they are looked at once.
    """
    swapped = np.arange(len(OUTCOMES))
    swapped[[A_WINS, B_WINS, TIE, BOTH_BAD]] = [B_WINS, A_WINS, TIE, BOTH_BAD]
    once, twice = np.asarray(first, np.intp), swapped[np.asarray(again, np.intp)]
    chose = np.isin(once, (A_WINS, B_WINS)) & np.isin(twice, (A_WINS, B_WINS))
    who = np.asarray(voter, np.intp)
    exact, decided = _agreed(once, twice, who, looks), _agreed(once[chose], twice[chose], who[chose], looks)
    return Retest(len(np.unique(who)), exact, decided)


def _agreed(once: NDArray[np.intp], twice: NDArray[np.intp], voter: NDArray[np.intp], looks: Anytime | None) -> Agreed:
    of = np.bincount(voter)
    same = np.bincount(voter[once == twice], minlength=len(of))
    counted = side_bias(same, of - same, looks)
    if not len(once):
        return Agreed(0, 0, None, None, None)
    said = [np.bincount(each, minlength=len(OUTCOMES)) for each in (once, twice)]
    chance = int(said[0] @ said[1]) / len(once) ** 2
    return Agreed(counted.wins_a, len(once), counted.share, counted.interval, chance)
