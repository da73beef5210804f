"""How many more votes: until two entrants are told apart with a promised chance, or until every score is known well enough.

Takes the fit as the truth: every pair is drawn equally often (adaptive draws of the arena even out counts, and come to the same), the voters go
on as they voted, the same clustering widens the intervals by the same factor, and variance shrinks with information. Apart means
what it means on the leaderboard, all pairs claimed at once, at every look where it is looked at; a pair that is `separated` there needs no more votes here.
The estimate wanders as votes come: when its standard error is down to the gap over the critical value it is found apart in one case of two, so for a
chance of 80 % it has to be down to the gap over that plus 0.84. Real votes will wander around this too; ask again as they come.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from ratings import bradley_terry, intervals
from ratings.clusters import laplacian
from ratings.errors import NothingToRateError, RatingsError
from ratings.result import Ratings

POWERS = (50, 80, 90)
"""Chances, in per cent, that are promised."""
MOST = 10_000_000
"""More votes are not looked for."""
Aim = Literal["pair", "neighbours", "half_width"]


@dataclass(frozen=True, slots=True)
class VotesNeeded:
    """More counted votes, over all pairs drawn alike, until the aim is met; 0 when it already is, None beyond ten million."""

    aim: Aim
    """A pair told apart, each pair of neighbours, or every interval narrow enough."""
    votes: Mapping[int, int | None]
    """By the chance, in per cent, that it is met then; of neighbours each one's. A width hardly wanders: it needs the same for every chance."""
    pairs: int
    """How many pairs share them."""

    @property
    def per_pair(self) -> dict[int, int | None]:
        """Of the votes, those of each pair."""
        return {power: None if votes is None else ceil(votes / self.pairs) for power, votes in self.votes.items()}

    def to_dict(self) -> dict[str, Any]:
        """As files show it."""
        return {
            "aim": self.aim,
            "votes": {str(power): votes for power, votes in self.votes.items()},
            "per_pair": {str(power): votes for power, votes in self.per_pair.items()},
        }


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    names: list[str]
    theta: NDArray[np.float64]
    apart: NDArray[np.bool_]
    """(k, k): told apart already."""
    critical: Callable[[int], float]
    """How many standard errors of its difference a pair must lie apart after so many more votes, all pairs at once."""
    information: NDArray[np.float64]
    phantom: NDArray[np.float64]
    inflation: NDArray[np.float64]
    """(k, k): how much wider than independent votes the clustering makes the variance of each difference."""
    slope: NDArray[np.float64]
    """(k, k): p(1 − p), the information in one vote on a pair."""

    def covariance(self, more: int) -> NDArray[np.float64]:
        """Of independent votes, after so many more, evenly drawn."""
        k = len(self.theta)
        even = (1 - np.eye(k)) / (k * (k - 1) / 2)
        return _inverse(self.information + self.phantom + laplacian(more * even * self.slope))


def votes_to_separate(ratings: Ratings, upper: str, lower: str) -> VotesNeeded:
    """Until these two are told apart on the leaderboard.

    Raises:
        RatingsError: they are not in one group of compared entrants, or stand exactly level.
    """
    plan = _plan(ratings, (upper, lower))
    i, j = plan.names.index(upper), plan.names.index(lower)
    if abs(plan.theta[i] - plan.theta[j]) < 1e-9:
        raise RatingsError("exactly_level", upper=upper, lower=lower)
    return _to_separate(plan, [(i, j)], "pair")


def votes_to_separate_all(ratings: Ratings) -> VotesNeeded:
    """Until every pair of neighbours is told apart on the leaderboard; None where neighbours stand level."""
    plan = _plan(ratings, ())
    return _to_separate(plan, list(pairwise(np.argsort(-plan.theta).tolist())), "neighbours")


def votes_to_half_width(ratings: Ratings, points: float) -> VotesNeeded:
    """Until every entrant's 95 % interval in points (win probability) is at most ±`points` wide, at one look."""
    if points <= 0:
        raise RatingsError("half_width", points=points)
    plan = _plan(ratings, ())
    k = len(plan.theta)
    gradient = (np.diag(plan.slope.sum(axis=1)) - plan.slope) / (k - 1) * ratings.component_max
    limit = (points / intervals.quantile(np.inf)) ** 2
    mean_inflation = plan.inflation[~np.eye(k, dtype=bool)].mean()

    def met(more: int) -> bool:
        variance = np.einsum("ij,jk,ik->i", gradient, plan.covariance(more), gradient)
        return bool((variance * mean_inflation <= limit).all())

    votes = _least(met)
    return VotesNeeded("half_width", dict.fromkeys(POWERS, votes), k * (k - 1) // 2)


def _to_separate(plan: _Plan, wanted: list[tuple[int, int]], aim: Aim) -> VotesNeeded:
    left = [(i, j) for i, j in wanted if not plan.apart[i, j]]
    k = len(plan.theta)

    def met(more: int, power: int) -> bool:
        errors = intervals.difference_errors(plan.covariance(more)) * np.sqrt(plan.inflation)
        bar = plan.critical(more) + float(norm.ppf(power / 100))
        return all(abs(plan.theta[i] - plan.theta[j]) >= bar * errors[i, j] for i, j in left)

    votes = {power: 0 if not left else _least(lambda more, power=power: met(more, power)) for power in POWERS}
    return VotesNeeded(aim, votes, k * (k - 1) // 2)


def _plan(ratings: Ratings, asked: tuple[str, ...]) -> _Plan:
    group = ratings.row(asked[0]).group if asked else 0
    place = [n for n, row in enumerate(ratings.rows) if row.group is not None and row.group == group]
    names = [ratings.models[n] for n in place]
    if not names:
        raise NothingToRateError
    if any(name not in names for name in asked):
        raise RatingsError("never_met", models=asked)
    theta = ratings.theta[place]
    theta = theta - theta.mean()
    games = np.zeros((len(place), len(place)))
    index = {name: n for n, name in enumerate(names)}
    for pair in ratings.pairwise:
        if pair.a in index and pair.b in index:
            count = pair.wins_a + pair.wins_b + pair.ties + (pair.both_bad if ratings.both_bad == "tie" else 0)
            games[index[pair.a], index[pair.b]] = games[index[pair.b], index[pair.a]] = count
    p = bradley_terry.probabilities(theta)
    slope = p * (1 - p)
    np.fill_diagonal(slope, 0)
    information = laplacian(games * slope)
    phantom = bradley_terry.phantom_information(theta, ratings.prior)
    alone = _inverse(information + phantom)
    centre = np.eye(len(place)) - 1 / len(place)  # undoes an anchor, which moves no difference
    covariance = centre @ ratings.covariance[np.ix_(place, place)] @ centre
    clustered = intervals.difference_errors(covariance) ** 2
    simple = intervals.difference_errors(alone) ** 2
    # Future votes will come from people who vote as often as today's: the design effect of each difference is carried over.
    inflation = np.divide(clustered, simple, out=np.ones_like(simple), where=simple > 0)
    apart = np.zeros(slope.shape, bool)
    for pair in ratings.pairwise:
        if pair.separated and pair.a in index:
            apart[index[pair.a], index[pair.b]] = apart[index[pair.b], index[pair.a]] = True
    critical = _critical(ratings, theta, covariance, float(games.sum() / 2))
    return _Plan(names, theta, apart, critical, information, phantom, inflation, slope)


def _critical(
    ratings: Ratings, theta: NDArray[np.float64], covariance: NDArray[np.float64], votes: float
) -> Callable[[int], float]:
    looks, clusters = ratings.looks, ratings.n_eff_clusters
    if looks is not None:
        return lambda more: looks.simultaneous(theta, covariance, votes + more, clusters).critical
    sample = intervals.draws_by_strength(theta, covariance, clusters, ratings.seed)
    critical = intervals.simultaneous(theta, covariance, sample).critical
    return lambda more: critical


def _inverse(information: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.pinv(information, hermitian=True), dtype=np.float64)


def _least(met: Callable[[int], bool]) -> int | None:
    """Find the least number of votes that meets the aim, more than that meeting it too."""
    if met(0):
        return 0
    if not met(MOST):
        return None
    low, high = 0, MOST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if met(middle) else (middle, high)
    return high
