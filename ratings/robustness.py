"""How few votes decide an order: the smallest number found whose removal swaps two neighbours.

Each vote's influence on a gap is approximated by one Newton step (Broderick, Giordano & Meager 2020); the most
influential are removed first, and every number reported was checked by removing them and refitting; the others keep their
weights. It is an upper bound of the true minimum: a cleverer choice might need fewer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratings import bradley_terry
from ratings.clusters import FROM_LEFT, laplacian
from ratings.comparison import BothBad, Comparisons, win_matrix
from ratings.connectivity import groups
from ratings.errors import NothingToRateError, RatingsError

_EACH = 16
"""So many small removals are each tried: with few voters, more taken away is not always nearer to a swap."""


@dataclass(frozen=True, slots=True)
class Fragility:
    """What it would take to swap two neighbours. None: taking away all that speak for the order does not swap them."""

    upper: str
    lower: str
    gap: float
    """In logits."""
    votes: int | None
    vote_share: float | None
    """Of the votes in the fit."""
    voters: int | None
    """Removing whole voters, all their votes with them."""

    def to_dict(self) -> dict[str, Any]:
        """As the export's `sensitivity.robustness` shows it."""
        return {
            "upper": self.upper,
            "lower": self.lower,
            "gap": round(self.gap, 9),
            "votes": self.votes,
            "vote_share": None if self.vote_share is None else round(self.vote_share, 6),
            "voters": self.voters,
        }


def robustness(comparisons: Comparisons, *, prior: float = 0.5, both_bad: BothBad = "exclude") -> tuple[Fragility, ...]:
    """For each pair of neighbours in the order, how few votes and how few voters, if removed, would swap them.

    Raises:
        NothingToRateError: no vote can be counted.
        RatingsError: the prior is 0 (removals may then leave no estimate).
    """
    if prior == 0:
        raise RatingsError("robustness_without_prior")
    tally = comparisons.tally(both_bad)
    met = [group for group in groups(tally.wins) if len(group) > 1]
    if not met:
        raise NothingToRateError
    found = []
    for group in met:
        removal = _Removal(comparisons, group, prior, both_bad)
        order = np.argsort(-removal.theta, kind="stable")
        found += [removal.between(int(i), int(j)) for i, j in pairwise(order)]
    return tuple(found)


class _Removal:
    """One group's fit, ready to lose votes."""

    def __init__(self, comparisons: Comparisons, group: tuple[int, ...], prior: float, both_bad: BothBad) -> None:
        place = np.full(len(comparisons.models), -1)
        place[list(group)] = np.arange(len(group))
        kept = (place[comparisons.a] >= 0) & comparisons.in_fit(both_bad)
        k = self.k = len(group)
        self.models, self.prior = [comparisons.models[i] for i in group], prior
        self.both_bad: BothBad = both_bad
        a, b = place[comparisons.a[kept]], place[comparisons.b[kept]]
        self.key = (a * k + b) * 4 + comparisons.outcome[kept]
        voter = np.arange(len(comparisons)) if comparisons.voter is None else comparisons.voter
        self.voter = np.unique(voter[kept], return_inverse=True)[1]
        self.weight = comparisons.weights(both_bad)[kept]
        # Removals walk through the votes of a kind in an order that does not depend on theirs.
        order = np.lexsort((self.voter, self.key))
        self.key, self.voter, self.weight = self.key[order], self.voter[order], self.weight[order]
        self.counts = self._counted(self.key, self.weight)
        self.theta = self._fit(self.counts)
        p = bradley_terry.probabilities(self.theta)
        wins = win_matrix(self.counts.reshape(k, k, 4), both_bad)
        information = laplacian((wins + wins.T) * p * (1 - p))
        self.bread = np.linalg.inv(information + bradley_terry.phantom_information(self.theta, prior))
        self.surprise = (FROM_LEFT / 2 - p[:, :, None]).ravel()
        slope = (p * (1 - p))[:, :, None].repeat(4, axis=2).ravel()
        left, right = np.divmod(np.arange(4 * k * k) // 4, k)
        self.left, self.right = left, right
        spread = self.bread[left, left] + self.bread[right, right] - 2 * self.bread[left, right]
        self.leverage = np.minimum(slope * spread, 0.9)

    def _counted(self, key: NDArray[np.integer], weight: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(key, weight, minlength=4 * self.k * self.k), dtype=np.float64)

    def _fit(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        return bradley_terry.fit(win_matrix(counts.reshape(self.k, self.k, 4), self.both_bad), self.prior)

    def _swapped(self, counts: NDArray[np.float64], i: int, j: int) -> bool:
        theta = self._fit(counts)
        return bool(theta[j] > theta[i])

    def between(self, i: int, j: int) -> Fragility:
        """Find what swaps model i with model j, which stands below it."""
        towards = self.bread[i] - self.bread[j]
        influence = self.surprise * (towards[self.left] - towards[self.right]) / (1 - self.leverage)
        votes = self._fewest_votes(influence, i, j)
        share = None if votes is None else votes / len(self.key)
        gap = float(self.theta[i] - self.theta[j])
        return Fragility(self.models[i], self.models[j], gap, votes, share, self._fewest_voters(influence, i, j))

    def _fewest_votes(self, influence: NDArray[np.float64], i: int, j: int) -> int | None:
        of_vote = influence[self.key] * self.weight
        order = np.argsort(-of_vote, kind="stable")
        order = order[of_vote[order] > 0]

        def without(n: int) -> NDArray[np.float64]:
            taken = self._counted(self.key[order[:n]], self.weight[order[:n]])
            return np.maximum(self.counts - taken, 0)  # of equal sums in another order, rounding may be left

        return _smallest(lambda n: self._swapped(without(n), i, j), len(order))

    def _fewest_voters(self, influence: NDArray[np.float64], i: int, j: int) -> int | None:
        of_voter = np.bincount(self.voter, influence[self.key] * self.weight)
        order = np.argsort(-of_voter, kind="stable")
        order = order[of_voter[order] > 0]
        rank = np.full(len(of_voter), len(of_voter))
        rank[order] = np.arange(len(order))

        def without(n: int) -> NDArray[np.float64]:
            left = rank[self.voter] >= n
            return self._counted(self.key[left], self.weight[left])

        return _smallest(lambda n: self._swapped(without(n), i, j), len(order))


def _smallest(swaps: Callable[[int], bool], most: int) -> int | None:
    """Find the smallest n ≤ most that is found to swap: each of the first few, then doubling and bisection. What is returned was refitted."""
    for n in range(1, min(_EACH, most) + 1):
        if swaps(n):
            return n
    if most <= _EACH:
        return None
    low, high = _EACH, min(2 * _EACH, most)
    while not swaps(high):
        if high == most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if swaps(middle) else (middle, high)
    return high
