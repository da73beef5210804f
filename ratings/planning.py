"""How many more votes: until two entrants are told apart, or until every score is known well enough.

Takes the fit as the truth: the voters go on as they voted, the same clustering widens the intervals by the same factor,
and variance shrinks with information. Apart means what it means on the leaderboard, all pairs claimed at once, so a pair
that is `separated` there needs no more votes here. Real votes will wander around this; ask again as they come.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ratings import bradley_terry, intervals
from ratings.clusters import laplacian
from ratings.errors import NothingToRateError, RatingsError
from ratings.result import Ratings

Pairing = Literal["uniform", "adaptive"]
UNIFORM_SHARE = 0.2
"""Of adaptive pairing: the mix that keeps near-peers-only pairing from going astray."""
_MOST = 10_000_000
_ROUND = 0.02
Aim = Literal["pair", "neighbours", "half_width"]


@dataclass(frozen=True, slots=True)
class PairVotes:
    """So many more votes on this pair."""

    a: str
    b: str
    votes: int


@dataclass(frozen=True, slots=True)
class VotesNeeded:
    """More counted votes, over all pairs, until the aim is met; 0 when it already is, None beyond ten million."""

    aim: Aim
    """A pair told apart, all neighbours, or every interval narrow enough."""
    uniform: int | None
    """When every pair is drawn equally often."""
    adaptive: int | None
    """When most votes go where they help most, a fifth still spread evenly."""
    uniform_per_pair: int | None
    """Of the uniform votes, those of each pair."""
    adaptive_by_pair: tuple[PairVotes, ...]
    """Of the adaptive votes, those of each pair; empty where there are none to cast, or too many."""

    @property
    def sooner(self) -> Pairing | None:
        """The pairing that gets there sooner; None when there is no difference, or neither does."""
        u, a = self.uniform, self.adaptive
        if u == a:
            return None
        return "adaptive" if u is None or (a is not None and a < u) else "uniform"

    def to_dict(self) -> dict[str, Any]:
        """As the organizer's page and files show it."""
        return {
            "aim": self.aim,
            "uniform": self.uniform,
            "uniform_per_pair": self.uniform_per_pair,
            "adaptive": self.adaptive,
            "adaptive_by_pair": [{"a": pair.a, "b": pair.b, "votes": pair.votes} for pair in self.adaptive_by_pair],
            "sooner": self.sooner,
        }


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    names: list[str]
    theta: NDArray[np.float64]
    critical: float
    """How many standard errors of its difference a pair must lie apart, all pairs at once."""
    information: NDArray[np.float64]
    phantom: NDArray[np.float64]
    inflation: NDArray[np.float64]
    """(k, k): how much wider than independent votes the clustering makes the variance of each difference."""
    slope: NDArray[np.float64]
    """(k, k): p(1 − p), the information in one vote on a pair."""
    votes: int


def votes_to_separate(ratings: Ratings, upper: str, lower: str) -> VotesNeeded:
    """Until these two are told apart on the leaderboard.

    Raises:
        RatingsError: they are not in one group of compared entrants, or stand exactly level.
    """
    plan = _plan(ratings, (upper, lower))
    i, j = plan.names.index(upper), plan.names.index(lower)
    gap = abs(plan.theta[i] - plan.theta[j])
    if gap < 1e-9:
        raise RatingsError("exactly_level", upper=upper, lower=lower)
    wanted = np.full(plan.slope.shape, np.inf)
    wanted[i, j] = wanted[j, i] = (gap / plan.critical) ** 2
    return _needed(plan, wanted, "pair")


def votes_to_separate_all(ratings: Ratings) -> VotesNeeded:
    """Until every pair of neighbours is told apart on the leaderboard; None where neighbours stand level."""
    plan = _plan(ratings, ())
    order = np.argsort(-plan.theta)
    wanted = np.full(plan.slope.shape, np.inf)
    for i, j in pairwise(order):
        wanted[i, j] = wanted[j, i] = max((plan.theta[i] - plan.theta[j]) / plan.critical, 1e-12) ** 2
    return _needed(plan, wanted, "neighbours")


def votes_to_half_width(ratings: Ratings, points: float) -> VotesNeeded:
    """Until every entrant's 95 % interval in points (win probability) is at most ±`points` wide."""
    if points <= 0:
        raise RatingsError("half_width", points=points)
    plan = _plan(ratings, ())
    k = len(plan.theta)
    gradient = (np.diag(plan.slope.sum(axis=1)) - plan.slope) / (k - 1) * ratings.component_max
    limit = (points / intervals.quantile(np.inf)) ** 2
    mean_inflation = plan.inflation[~np.eye(k, dtype=bool)].mean()

    def excess(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.einsum("ij,jk,ik->i", gradient, covariance, gradient) * mean_inflation / limit

    def gain(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
        open_rows = gradient[excess(covariance) > 1] @ covariance
        return ((open_rows[:, :, None] - open_rows[:, None, :]) ** 2).sum(axis=0) * plan.slope

    return _search(plan, lambda c: bool((excess(c) <= 1).all()), gain, "half_width")


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
    sample = intervals.draws_by_strength(theta, covariance, ratings.n_eff_clusters, ratings.seed)
    critical = intervals.simultaneous(theta, covariance, sample).critical
    return _Plan(names, theta, critical, information, phantom, inflation, slope, int(games.sum() / 2))


def _inverse(information: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.pinv(information, hermitian=True), dtype=np.float64)


def _needed(plan: _Plan, wanted: NDArray[np.float64], aim: Aim) -> VotesNeeded:
    """Votes until the variance of every difference is at most `wanted`."""

    def excess(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
        return intervals.difference_errors(covariance) ** 2 * plan.inflation / wanted

    def gain(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
        total = np.zeros_like(covariance)
        over = excess(covariance)
        for i, j in zip(*np.nonzero(np.triu(over > 1)), strict=True):
            # Sherman–Morrison to first order: one vote on (a, b) takes (row_a − row_b)² · p(1 − p) off the variance of i − j.
            row = covariance[i] - covariance[j]
            total += (row[:, None] - row[None, :]) ** 2 * plan.slope / (wanted[i, j] / plan.inflation[i, j])
        return total

    return _search(plan, lambda c: bool((excess(c) <= 1).all()), gain, aim)


def _search(
    plan: _Plan,
    done: Callable[[NDArray[np.float64]], bool],
    gain: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    aim: Aim,
) -> VotesNeeded:
    """Uniform pairs by bisection; adaptive in rounds of 2 % more votes, most to the pairs that shrink most."""
    k = len(plan.theta)
    even = (1 - np.eye(k)) / (k * (k - 1) / 2)
    start = plan.information + plan.phantom

    def covariance(extra: NDArray[np.float64]) -> NDArray[np.float64]:
        return _inverse(start + laplacian(extra * plan.slope))

    if done(covariance(even * 0)):
        return VotesNeeded(aim, 0, 0, 0, ())
    uniform = None
    if done(covariance(even * _MOST)):
        low, high = 0, _MOST
        # More votes never widen an interval, so the smallest number can be bracketed.
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if done(covariance(even * middle)) else (middle, high)
        uniform = high
    each = None if uniform is None else ceil(2 * uniform / (k * (k - 1)))
    extra, spent = np.zeros((k, k)), 0
    while spent < _MOST:
        now = covariance(extra)
        if done(now):
            return VotesNeeded(aim, uniform, spent, each, _by_pair(plan.names, extra))
        worth = gain(now)
        share = np.where(worth.sum() > 0, 2 * worth / max(float(worth.sum()), 1e-300), even)
        step = max(1, int(_ROUND * (plan.votes + spent)))
        extra = extra + step * (UNIFORM_SHARE * even + (1 - UNIFORM_SHARE) * share)
        spent += step
    return VotesNeeded(aim, uniform, None, each, ())


def _by_pair(names: list[str], extra: NDArray[np.float64]) -> tuple[PairVotes, ...]:
    pairs = zip(*np.triu_indices(len(names), 1), strict=True)
    return tuple(PairVotes(names[i], names[j], ceil(extra[i, j])) for i, j in pairs)
