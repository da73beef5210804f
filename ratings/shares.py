"""Shares that know their voters: which side wins, and whose battles end without a winner more often than the others'.

Votes of one person are alike, so a share's interval is Wilson's (1927) at the effective number of votes that the clustering leaves, with Student's t at the
effective number of voters; two shares are compared by a score test whose variance is clustered by voter (Liang & Zeger 1986). Families of tests are
corrected by Holm (1979).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import fisher_exact, t

from ratings.anytime import Anytime
from ratings.comparison import BOTH_BAD, Comparisons

_ALONE = 1 + 1e-9
"""Up to so many effective voters nothing is known of how voters differ."""


@dataclass(frozen=True, slots=True)
class SideBias:
    """How often the answer on side a won, of the votes that chose one; ½ where the side does not matter, since sides are drawn at random."""

    wins_a: int
    wins_b: int
    voters: float
    """The effective number of those who decided: (Σn)²/Σn² (Kish 1965); 0 where nobody did."""
    share: float | None
    """None where no vote is decided."""
    interval: tuple[float, float] | None
    """95 %, clustered by voter; from 0 to 1 where one voter decided all."""
    p: float | None
    """Two-sided, of a share of ½; None where fewer than two voters tell it."""


@dataclass(frozen=True, slots=True)
class ShareTest:
    """How often something happened in an entrant's battles, against all battles without it (or, of a side, without it on that side)."""

    model: str
    side: Literal["a", "b"] | None
    """Where the entrant stood; None for both together."""
    times: int
    of: int
    share: float | None
    others: float | None
    """The share in all other battles; None where there are none."""
    p: float | None
    """Two-sided; None where nothing can be compared."""
    adjusted: float | None
    """The same by Holm, over every entrant and side."""


def wilson(share: float, effective: float, quantile: float) -> tuple[float, float]:
    """Compute Wilson's interval (1927) of a share of so many independent votes, within 0 and 1."""
    z = quantile
    centre = (share + z * z / (2 * effective)) / (1 + z * z / effective)
    reach = z * np.sqrt(share * (1 - share) / effective + z * z / (4 * effective**2)) / (1 + z * z / effective)
    return max(0.0, float(centre - reach)), min(1.0, float(centre + reach))


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Adjust one family's p-values (Holm 1979): where one is below α, the chance that any such claim is wrong is at most α."""
    told = sorted((value, n) for n, value in enumerate(p) if value is not None)
    adjusted: list[float | None] = [None] * len(p)
    worst = 0.0
    for rank, (value, n) in enumerate(told):
        worst = max(worst, min(1.0, (len(told) - rank) * value))
        adjusted[n] = worst
    return adjusted


def side_bias(wins_a: NDArray[np.integer], wins_b: NDArray[np.integer], looks: Anytime | None = None) -> SideBias:
    """Hold side a against side b.

    The interval is never narrower than votes of different people would make it. Whole numbers are summed exactly: no order of votes or voters shows.

    Args:
        wins_a: of each voter, the votes for side a.
        wins_b: in the same order, those for side b.
        looks: the interval holds at every look while votes come in; None where it is looked at once. p is of one look.
    """
    won, decided = np.asarray(wins_a, np.int64), np.asarray(wins_a, np.int64) + wins_b
    a, n, squares = int(won.sum()), int(decided.sum()), int(decided @ decided)
    if n == 0:
        return SideBias(0, 0, 0.0, None, None, None)
    share, voters = a / n, n * n / squares
    if voters <= _ALONE:
        return SideBias(a, n - a, voters, share, (0.0, 1.0), None)
    # Σ (x − share · n)² over voters, times n².
    spread = n * n * int(won @ won) - 2 * a * n * int(won @ decided) + a * a * squares
    clustered, simple = voters / (voters - 1) * spread / (n * n), n * share * (1 - share)
    # Where all agree, how alike one person's votes are cannot be seen: each person is counted once.
    effective = voters if a in (0, n) else n * min(1.0, simple / clustered) if clustered > 0 else float(n)
    df = max(1.0, voters - 1)
    p = float(2 * t.sf(abs(share - 0.5) * 2 * np.sqrt(effective), df))
    reach = float(t.ppf(0.975, df)) if looks is None else looks.quantile(n, voters)
    return SideBias(a, n - a, voters, share, wilson(share, effective, reach), p)


def both_bad(comparisons: Comparisons) -> tuple[ShareTest, ...]:
    """Compare how often each entrant's battles ended with "neither is good enough" with how often the others' did.

    Who refuses to say whenever a team loses lifts it where such votes stay out of the fit: then its share is larger. Weights are not looked at.

    Returns:
        For each entrant, in their order: both sides together, on a, on b.
    """
    voter = np.arange(len(comparisons)) if comparisons.voter is None else comparisons.voter.astype(np.intp)
    size = int(voter.max()) + 1 if len(voter) else 0
    bad = comparisons.outcome == BOTH_BAD
    everywhere = (np.bincount(voter, minlength=size), np.bincount(voter[bad], minlength=size))
    on = [_by_voter(side, voter, bad, len(comparisons.models), size) for side in (comparisons.a, comparisons.b)]
    found: list[ShareTest] = []
    for model, left, right in zip(comparisons.models, *on, strict=True):
        together = (left[0] + right[0], left[1] + right[1])
        for side, (of, times) in zip((None, "a", "b"), (together, left, right), strict=True):
            p = _clustered(of, times, *everywhere)
            found.append(_share_test(model, side, _Counts(*map(int, (times.sum(), of.sum(), bad.sum(), len(bad)))), p))
    return _adjusted(found)


def unvoted(models: Sequence[str], left: NDArray[np.int64], shown: NDArray[np.int64]) -> tuple[ShareTest, ...]:
    """Compare how often each entrant's battles were left without a vote with how often the others' were.

    Fisher's exact test (1922), two-sided. It takes battles as independent: a draw tells no voter, so that one person who leaves many is many people here, and
    a small p asks for a look and proves nothing.

    Args:
        models: in the order of the counts.
        left: (k, k) battles left without a vote, the entrant on side a first.
        shown: (k, k) those and the battles with a vote.

    Returns:
        For each entrant, in their order: both sides together, on a, on b.
    """
    found: list[ShareTest] = []
    for i, model in enumerate(models):
        on_a, on_b = (int(left[i].sum()), int(shown[i].sum())), (int(left[:, i].sum()), int(shown[:, i].sum()))
        together = (on_a[0] + on_b[0], on_a[1] + on_b[1])
        for side, (times, of) in zip((None, "a", "b"), (together, on_a, on_b), strict=True):
            counts = _Counts(times, of, int(left.sum()), int(shown.sum()))
            found.append(_share_test(model, side, counts, counts.exact()))
    return _adjusted(found)


@dataclass(frozen=True, slots=True)
class _Counts:
    """In one entrant's battles, and in all."""

    times: int
    of: int
    all_times: int
    all_of: int

    def exact(self) -> float | None:
        """Fisher's two-sided p; None where there is nothing to compare."""
        if not (0 < self.of < self.all_of and 0 < self.all_times < self.all_of):
            return None
        others = self.all_times - self.times
        table = [[self.times, self.of - self.times], [others, self.all_of - self.of - others]]
        p: Any = fisher_exact(table)[1]
        return min(1.0, float(p))


def _share_test(model: str, side: Literal["a", "b"] | None, n: _Counts, p: float | None) -> ShareTest:
    share = n.times / n.of if n.of else None
    others = (n.all_times - n.times) / (n.all_of - n.of) if n.all_of > n.of else None
    return ShareTest(model, side, n.times, n.of, share, others, p, None)


def _adjusted(found: Sequence[ShareTest]) -> tuple[ShareTest, ...]:
    every = holm([test.p for test in found])
    return tuple(
        ShareTest(test.model, test.side, test.times, test.of, test.share, test.others, test.p, adjusted)
        for test, adjusted in zip(found, every, strict=True)
    )


def _by_voter(
    side: NDArray[np.integer], voter: NDArray[np.intp], bad: NDArray[np.bool_], k: int, size: int
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """For each entrant on this side, its votes and its `both_bad` ones by voter."""
    order = np.argsort(side, kind="stable")
    ends = np.searchsorted(side[order], np.arange(k + 1))
    found = []
    for start, end in pairwise(ends.tolist()):
        rows = order[start:end]
        here = voter[rows]
        found.append((np.bincount(here, minlength=size), np.bincount(here[bad[rows]], minlength=size)))
    return found


def _clustered(
    of: NDArray[np.intp], times: NDArray[np.intp], all_of: NDArray[np.intp], all_times: NDArray[np.intp]
) -> float | None:
    """Two-sided p of a difference of shares between some votes and all others, from counts by voter.

    The variance is never smaller than that of independent votes: where an event is rare, votes without one would make it so.
    """
    inside, total, events = int(of.sum()), int(all_of.sum()), int(all_times.sum())
    outside = total - inside
    if not (inside and outside and 0 < events < total):
        return None
    pooled, rest = events / total, all_of - of
    surprise, all_surprise = times - pooled * of, all_times - pooled * all_of
    influence = surprise * (1 / inside + 1 / outside) - all_surprise / outside
    voters = min(inside**2 / int(of @ of), outside**2 / int(rest @ rest))
    if voters <= _ALONE:
        return None
    spread = float(influence @ influence)
    variance = max(spread * voters / (voters - 1), pooled * (1 - pooled) * (1 / inside + 1 / outside))
    z = float(influence.sum()) / np.sqrt(variance)
    return float(2 * t.sf(abs(z), max(1.0, voters - 1)))
