"""Who stands in the first K: surely, maybe or not, with the confidence of the pairs; and how likely by the same draws."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ratings import intervals
from ratings.result import EntrantRating, Ratings

InFirst = Literal["surely", "maybe", "no"]
_SAME = 1e-9
"""Strengths and errors this close differ by rounding only."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The two entrants on either side of the cut."""

    last_in: str
    """The K-th by strength."""
    first_out: str
    """The next."""
    separated: bool
    """Whether they are apart beyond chance, all pairs claimed at once."""


@dataclass(frozen=True, slots=True)
class FirstK:
    """The first K of a fit, entrant by entrant in the order of its rows."""

    k: int
    in_first: tuple[InFirst | None, ...]
    """None for an entrant that was never compared."""
    chances: tuple[float | None, ...]
    """P(in the first K); None unless all entrants were compared with each other."""
    cut: Cut | None
    """None likewise, and where the first K are all or nobody."""

    def to_dicts(self) -> list[dict[str, Any]]:
        """Write what each of `scores[]` gains, in the order of the rows."""
        return [
            {"in_first_k": told, "p_first_k": chance} for told, chance in zip(self.in_first, self.chances, strict=True)
        ]


def first(ratings: Ratings, k: int) -> FirstK:
    """Tell who stands in the first k of all entrants of a fit.

    Surely: so many are separately below that at most k − 1 can be above. Not: at least k are separately above. Both follow
    from the rank intervals, so all of it holds at once with 95 %, as the pairs do. Of entrants that never met nobody is above
    or below, so over several groups less is sure.

    Args:
        ratings: the fit; its seed draws the probabilities.
        k: how many are the first, 0 or more.
    """
    total = len(ratings.rows)
    size = {group: sum(row.group == group for row in ratings.rows) for group in {row.group for row in ratings.rows}}
    told: tuple[InFirst | None, ...] = tuple(_standing(row, total - size[row.group], k) for row in ratings.rows)
    if size.keys() != {0}:
        return FirstK(k, told, (None,) * total, None)
    return FirstK(k, told, tuple(_chances(ratings, k).tolist()), _cut(ratings, k))


def in_first(low: int, high: int, k: int) -> InFirst:
    """Tell from the ranks that are possible whether one is among the first k."""
    return "surely" if high <= k else "no" if low > k else "maybe"


def _standing(row: EntrantRating, elsewhere: int, k: int) -> InFirst | None:
    """`elsewhere` entrants never met this one: each may be above it."""
    if row.rank_ci95 is None:
        return None
    return in_first(row.rank_ci95[0], row.rank_ci95[1] + elsewhere, k)


def _chances(ratings: Ratings, k: int) -> NDArray[np.float64]:
    """Count the draws of the strengths in which each is among the first k; what the votes do not tell apart shares its mean.

    Draws are made in the order of the strengths, so among equals only what they are called decides which gets which.
    """
    total = len(ratings.rows)
    if not 0 < k < total:
        return np.full(total, float(k > 0))
    centre = np.eye(total) - 1 / total  # undoes an anchor, which moves no difference
    covariance = centre @ ratings.covariance @ centre
    sample = intervals.draws_by_strength(ratings.theta, covariance, ratings.n_eff_clusters, ratings.seed)
    drawn = ratings.theta + sample
    bar = np.partition(drawn, total - k, axis=1)[:, total - k, None]
    share = (drawn >= bar).mean(axis=0)
    own = np.stack([ratings.theta, np.sqrt(np.maximum(np.diag(covariance), 0))])
    alike = (np.abs(own[:, :, None] - own[:, None, :]) <= _SAME).all(axis=0)
    return np.round((alike @ share) / alike.sum(axis=1), 4)


def _cut(ratings: Ratings, k: int) -> Cut | None:
    rows = ratings.by_rank()
    if not 0 < k < len(rows):
        return None
    last, after = rows[k - 1].model, rows[k].model
    apart = next(pair.separated for pair in ratings.pairwise if {pair.a, pair.b} == {last, after})
    return Cut(last, after, bool(apart))
