"""How far voters agree with each other on the same question and pair: Krippendorff's alpha, with an interval that knows its voters.

A unit is a question and a pair of entrants; its value is which of the two won, whatever their sides. With n_u the counts of the values in unit u and m_u
their sum, the coincidences are o = Σ_u (n_u n_uᵀ − diag n_u) / (m_u − 1), what chance makes of the same values is e = (n nᵀ − diag n) / (Σn − 1) with
n = o·1, and alpha = 1 − Σ o δ / Σ e δ (Krippendorff 2011, *Computing Krippendorff's Alpha-Reliability*): 1 where all agree, 0 where the units tell no more
than chance. Nominal: δ is 1 between different values. Ordinal: δ is the square of how many values lie between the two. The tests hold both against
Krippendorff's published examples and against another implementation.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats

from ratings.anytime import Anytime
from ratings.comparison import A_WINS, BOTH_BAD, TIE, Comparisons

FEWEST_UNITS = 10
"""Of fewer units nothing is told."""
_BLOCK = 20_000
"""Voters whose leaving out is worked out at a time."""

Level = Literal["nominal", "ordinal"]
_FIRST, _TIE, _SECOND, _NEITHER = range(4)
_ORDERED = 3
"""So many of the values have an order: `both_bad` has no place between a win and a defeat."""


@dataclass(frozen=True, slots=True)
class Alpha:
    """One coefficient."""

    units: int
    """Judged by two people or more."""
    judgements: int
    """In those units; of one person's in a unit the first."""
    voters: float
    """The effective number of those who gave them: (Σn)²/Σn² (Kish 1965)."""
    alpha: float
    interval: tuple[float, float] | None
    """95 %, by leaving out one voter after the other (jackknife), at one look or at all; None where no two voters tell it."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Both coefficients; None where there are too few units, or all judgements are the same."""

    nominal: Alpha | None
    """Over the four decisions."""
    ordinal: Alpha | None
    """Over win, tie, defeat; `both_bad` left out."""


def _student(voters: float) -> float:
    return float(stats.t.ppf(0.975, max(1.0, voters - 1)))


def agreement(
    comparisons: Comparisons, question: NDArray[np.integer], when: NDArray[np.integer], looks: Anytime | None = None
) -> Agreement:
    """Compare what different voters said of the same question and pair. Weights are not looked at.

    Args:
        comparisons: the votes; where they know no voters, each is somebody else's.
        question: of each vote, equal for equal ones; -1 where nobody else can have asked it.
        when: it was cast.
        looks: the intervals hold at every look while votes come in; None where they are looked at once.
    """
    reach = _student if looks is None else partial(looks.quantile, len(comparisons))
    a, b = comparisons.a.astype(np.int64), comparisons.b.astype(np.int64)
    k, outcome = len(comparisons.models), comparisons.outcome
    a_is_first = a < b
    value = np.select(
        [outcome == TIE, outcome == BOTH_BAD, (outcome == A_WINS) == a_is_first], [_TIE, _NEITHER, _FIRST], _SECOND
    )
    unit = (np.asarray(question, np.int64) * k + np.minimum(a, b)) * k + np.maximum(a, b)
    voter = np.arange(len(outcome)) if comparisons.voter is None else comparisons.voter.astype(np.intp)
    rows = np.flatnonzero(np.asarray(question) >= 0)
    rows = rows[np.lexsort((np.asarray(when)[rows], voter[rows], unit[rows]))]
    # Of one person's judgements in a unit, the first that was given.
    rows = rows[np.append(True, (np.diff(unit[rows]) != 0) | (np.diff(voter[rows]) != 0))[: len(rows)]]
    ordered = rows[value[rows] < _ORDERED]
    return Agreement(
        alpha(unit[rows], value[rows], voter[rows], "nominal", _NEITHER + 1, reach),
        alpha(unit[ordered], value[ordered], voter[ordered], "ordinal", _ORDERED, reach),
    )


def alpha(
    unit: NDArray[np.integer],
    value: NDArray[np.integer],
    voter: NDArray[np.integer],
    level: Level,
    values: int,
    reach: Callable[[float], float] = _student,
) -> Alpha | None:
    """Compute one coefficient; None below `FEWEST_UNITS`, or where all judgements are the same.

    Args:
        unit: of each judgement, what was judged.
        value: what was said, 0 … values − 1, in order where the level is ordinal.
        voter: who said it, at most once in each unit.
        level: when two values are how different.
        values: how many there are.
        reach: how many standard errors the interval reaches out with so many effective voters; Student's t, as for one look, unless told.
    """
    _, place = np.unique(unit, return_inverse=True)
    shared = np.bincount(place)[place] > 1
    _, place = np.unique(place[shared], return_inverse=True)
    said, units = np.asarray(value)[shared].astype(np.intp), int(place.max(initial=-1)) + 1
    if units < FEWEST_UNITS:
        return None
    names, who = np.unique(np.asarray(voter)[shared], return_inverse=True)
    counts = np.bincount(place * values + said, minlength=units * values).reshape(units, values)
    pairs = _coincidences(counts)
    whole = pairs.sum(axis=0)
    found = float(_alpha(whole[None], level)[0])
    if np.isnan(found):
        return None
    judged = np.bincount(who)
    effective = len(who) ** 2 / int(judged @ judged)
    # What each unit has less without one of its judgements, by what that one said.
    less = np.stack([pairs - _coincidences(np.maximum(counts - row, 0)) for row in np.eye(values, dtype=np.int64)], 1)
    cells = sparse.csr_array(
        (np.ones(len(who)), (who, place * values + said)), shape=(len(names), units * values), dtype=np.float64
    )
    flat = less.reshape(units * values, values * values)
    without = np.concatenate(
        [
            _alpha(whole - (cells[start : start + _BLOCK] @ flat).reshape(-1, values, values), level)
            for start in range(0, len(names), _BLOCK)
        ]
    )
    return Alpha(units, len(who), effective, found, _jackknife(found, without, reach(effective)))


def _coincidences(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each unit's part of the coincidences, (units, values, values), from its counts of values; of one judgement there is none."""
    judged = counts.sum(axis=1)
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(counts.shape[1], dtype=np.int64)
    return pairs / np.maximum(judged - 1, 1)[:, None, None]


def _alpha(coincidences: NDArray[np.float64], level: Level) -> NDArray[np.float64]:
    """Compute alpha of (n, values, values) coincidences; not a number where only one value is left."""
    n = coincidences.sum(axis=2)
    total = n.sum(axis=1)
    distance = _distances(n, level)
    seen = (coincidences * distance).sum(axis=(1, 2))
    chance = (n[:, :, None] * n[:, None, :] * distance).sum(axis=(1, 2)) / np.maximum(total - 1, 1)
    with np.errstate(invalid="ignore"):
        return np.where(chance > 1e-9 * np.maximum(total, 1), 1 - seen / chance, np.nan)


def _distances(n: NDArray[np.float64], level: Level) -> NDArray[np.float64]:
    """How different two values are, (n, values, values), from how often each value was said."""
    if level == "nominal":
        return np.broadcast_to(1 - np.eye(n.shape[1]), (*n.shape, n.shape[1]))
    middle = np.cumsum(n, axis=1) - n / 2
    return (middle[:, :, None] - middle[:, None, :]) ** 2


def _jackknife(found: float, without: NDArray[np.float64], reach: float) -> tuple[float, float] | None:
    """Give the interval, from alpha without each voter (Efron & Stein 1981), so many standard errors each way."""
    g = len(without)
    if g < 3 or np.isnan(without).any():
        return None
    off = reach * float((g - 1) / g * ((without - without.mean()) ** 2).sum()) ** 0.5
    return found - off, min(1.0, found + off)
