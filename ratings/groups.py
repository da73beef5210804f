"""Results by group (sex, age, region, AI use, topic, language, turns, identity): what each group of people or votes prefers, and how different the groups are.

A mixed Bradley–Terry model (`ratings.mixed`) with one effect of each group on each entrant, each voter's taste and each question's favour. A group of few
is drawn to what all prefer, as far as its votes leave open (Gelman, Hill & Yajima 2012: with the shrinkage come comparisons that need no further
correction; the intervals are widened all the same, to hold for all groups and entrants at once). Groups of fewer than ten people are told of
nowhere: they are one group in the model, without a result.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ratings import intervals, marginal, notices, score
from ratings.anytime import Anytime
from ratings.comparison import BothBad, Comparisons
from ratings.errors import ComparisonError
from ratings.fit import CENTRE, PER_LOGIT
from ratings.mixed import Fitted, Model
from ratings.mixed_votes import Compared, compared
from ratings.multilevel import sd_interval, shortcomings
from ratings.notices import Notice
from ratings.result import Interval
from ratings.score import Transform

FEWEST = 10
"""Groups of fewer people than this are not shown."""
_FREE = 3.0
"""Standard deviation, in logits, at which the groups are drawn nowhere: for the test."""


@dataclass(frozen=True, slots=True)
class GroupRating:
    """What one group prefers: one entrant. The intervals of all groups and entrants hold at once, with 95 %."""

    model: str
    rating: float
    rating_ci95: Interval
    points: float
    points_ci95: Interval


@dataclass(frozen=True, slots=True)
class Group:
    """One group."""

    name: str
    voters: int | None
    """None for a group of fewer than ten people: how few is not told. Whoever publishes has to see to sums that would give it away."""
    votes: int | None
    """In the fit."""
    ratings: tuple[GroupRating, ...]
    """In the order the entrants were declared; empty for a group that is too small to show."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How different the groups are."""

    sd: float
    """Standard deviation between groups of an entrant's rating, in rating points: two groups typically lie 1.4 times as far apart."""
    sd_ci95: Interval
    """Never holds 0, since no two groups are quite alike; `p` says whether chance alone would do."""
    f: float | None
    df: tuple[int, float] | None
    p: float | None
    """That the groups would differ so by chance, voters and questions clustered; None with too few people for so many groups."""


@dataclass(frozen=True, slots=True)
class Groups:
    """A variable's groups."""

    variable: str
    groups: tuple[Group, ...]
    difference: Difference | None
    """None with fewer than two groups to show."""
    notices: tuple[Notice, ...]
    component_max: float = 25.0
    transform: Transform = field(default_factory=Transform)

    def to_dict(self) -> dict[str, Any]:
        """Write the JSON of an export, rounded far below any interval."""
        apart = self.difference
        return {
            "variable": self.variable,
            "groups": [
                {
                    "name": group.name,
                    "voters": group.voters,
                    "votes": group.votes,
                    "scores": [
                        {
                            "model": row.model,
                            "rating": round(row.rating, 2),
                            "rating_ci95": [round(end, 2) for end in row.rating_ci95],
                            "points": row.points,
                            "points_ci95": list(row.points_ci95),
                        }
                        for row in group.ratings
                    ],
                }
                for group in self.groups
            ],
            "difference": None
            if apart is None
            else {
                "sd": round(apart.sd, 2),
                "sd_ci95": [round(end, 2) for end in apart.sd_ci95],
                "f": None if apart.f is None else round(apart.f, 4),
                "df": None if apart.df is None else [apart.df[0], round(apart.df[1], 2)],
                "p": None if apart.p is None else float(f"{apart.p:.4g}"),
            },
            "warnings": [notice.to_dict() for notice in self.notices],
        }


def by_group(
    comparisons: Comparisons,
    variable: str,
    levels: Sequence[str],
    codes: NDArray[np.integer],
    *,
    prior: float = 0.5,
    both_bad: BothBad = "exclude",
    transform: Transform | None = None,
    component_max: float = 25.0,
    seed: int = 0,
    looks: Anytime | None = None,
) -> Groups:
    """Rate the entrants in each group. Weights and voices are not looked at.

    Entrants that never met are not rated; of several groups of compared entrants the one with the most votes is.

    Args:
        comparisons: the votes, with their voters.
        variable: what the groups are of.
        levels: the groups' names.
        codes: (votes,) each vote's group, −1 where it is not known; a voter's votes may fall into several.
        prior: as in the fit.
        both_bad: as in the fit.
        transform: from ratings to points.
        component_max: the points of the whole user component.
        seed: for the draws of the largest difference from the truth.
        looks: intervals hold at every look while votes come in; None where results are looked at once. p is of one look.

    Raises:
        NothingToRateError: no two entrants were ever compared.
        SeparatedError: `prior` is 0 and no finite estimate exists.
        ComparisonError: the codes do not fit the votes or the levels.
    """
    codes, transform, names = np.asarray(codes), transform or Transform(), comparisons.models
    if codes.shape != comparisons.a.shape:
        raise ComparisonError("shapes_differ", column=variable, shape=codes.shape, other=comparisons.a.shape)
    wrong = (codes < -1) | (codes >= len(levels))
    if wrong.any():
        row = int(wrong.argmax())
        raise ComparisonError("code_out_of_range", column=variable, value=int(codes[row]), top=len(levels) - 1, row=row)
    people, votes = _people(comparisons, both_bad, codes, len(levels))
    shown = np.flatnonzero(people >= FEWEST)
    level = np.full(len(levels) + 1, len(shown))  # the last is also that of codes below 0
    level[shown] = np.arange(len(shown))
    of_vote = level[codes]
    rest = bool((of_vote[comparisons.in_fit(both_bad)] == len(shown)).any())
    found, alone = compared(comparisons, both_bad, of_vote[:, None], (len(shown) + rest,))
    said = [notices.no_votes(names[i]) for i in alone]
    if len(found) > 1:
        said += notices.never_compared([tuple(names[i] for i in group.place) for group in found])
    group = max(found, key=lambda each: len(each.rows))
    said += shortcomings(group, names)
    own = [names[i] for i in group.place]
    ratings: list[tuple[GroupRating, ...]] = []
    difference = None
    # Where people's votes fall into several groups, what was asked may be all that the groups differ by.
    clusters = group.voters if _of_people(group) else group.clusters
    if len(shown):
        model = Model(group.votes, prior, own)
        fitted = model.fit()
        blocks = _blocks(model, len(shown))
        theta, covariance = marginal.strengths(model, fitted, blocks, np.eye(len(shown)))
        sample = _sample(model, fitted, blocks, theta, clusters, seed)
        reach = _reach(covariance, sample)
        if looks is not None:
            reach = max(reach, looks.at_once(len(group.rows), clusters, len(covariance)))
        ratings = _ratings(own, theta, covariance, sample, reach, clusters, transform, component_max)
        if len(shown) > 1:
            alone = intervals.quantile(clusters) if looks is None else looks.quantile(len(group.rows), clusters)
            difference = _difference(model, fitted, group.votes.k, len(shown), clusters, alone)
    rows = [
        Group(name, int(people[n]), int(votes[n]), ratings[level[n]])
        if level[n] < len(shown)
        else Group(name, None, None, ())
        for n, name in enumerate(levels)
    ]
    return Groups(variable, tuple(rows), difference, tuple(said), component_max, transform)


def _people(
    comparisons: Comparisons, both_bad: BothBad, codes: NDArray[np.integer], levels: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many people, and how many votes, each group has in the fit."""
    kept = comparisons.in_fit(both_bad) & (codes >= 0)
    voter = np.arange(len(codes)) if comparisons.voter is None else comparisons.voter
    each = np.unique(np.column_stack([codes[kept], voter[kept]]), axis=0)
    return np.bincount(each[:, 0], minlength=levels), np.bincount(codes[kept], minlength=levels)


def _of_people(group: Compared) -> bool:
    """Tell whether each voter's votes are in one group."""
    votes = group.votes
    return len(np.unique(np.column_stack([votes.voter, votes.level[:, 0]]), axis=0)) == votes.voters


def _blocks(model: Model, groups: int) -> NDArray[np.float64]:
    """Which shared effects add up in each group."""
    blocks = np.zeros((groups, model.blocks))
    blocks[:, 0] = 1
    blocks[np.arange(groups), model.first[0] + np.arange(groups)] = 1
    return blocks


def _sample(
    model: Model,
    fitted: Fitted,
    blocks: NDArray[np.float64],
    theta: NDArray[np.float64],
    clusters: float,
    seed: int,
) -> NDArray[np.float64]:
    """Draw errors of all groups' strengths, (draws, groups · k), by the groups' σ at three points of its own uncertainty (Gauss–Hermite).

    The largest of many errors hangs on their tails, and these on a σ that is larger than it seems: then the groups were drawn together too far.
    """
    error, found, start = float(np.sqrt(fitted.spread[0, 0])), [], 0
    for node, share in ((-np.sqrt(3), 1 / 6), (0.0, 2 / 3), (np.sqrt(3), 1 / 6)):
        sd = fitted.mode.sd.copy()
        sd[0] *= np.exp(node * error)
        mode = model.at(sd, fitted.mode) if node else fitted.mode
        there, gradient = marginal.population(model, mode, blocks, np.eye(len(blocks)))
        covariance = gradient @ mode.covariance @ gradient.T
        drawn = intervals.draws_by_strength(theta.ravel(), (covariance + covariance.T) / 2, clusters, seed)
        stop = start + round(share * len(drawn))
        found.append(drawn[start:stop] + (there - theta).ravel())
        start = stop
    return np.concatenate(found)


def _reach(covariance: NDArray[np.float64], sample: NDArray[np.float64]) -> float:
    """How many standard errors the intervals of all groups and entrants reach out, to hold at once."""
    return float(np.quantile(np.abs(sample / np.sqrt(np.diag(covariance))).max(axis=1), 0.95))


def _ratings(
    names: Sequence[str],
    theta: NDArray[np.float64],
    covariance: NDArray[np.float64],
    sample: NDArray[np.float64],
    at_once: float,
    clusters: float,
    transform: Transform,
    component_max: float,
) -> list[tuple[GroupRating, ...]]:
    groups, k = theta.shape
    errors = np.sqrt(np.diag(covariance))
    wider = at_once / intervals.quantile(clusters)
    found = []
    for n in range(groups):
        own = slice(n * k, (n + 1) * k)
        shares = score.shares(transform, names, theta[n], covariance[own, own], at_once, sample[:, own], wider)
        points = shares.points(component_max, transform.decimals)
        rating, reach = CENTRE + PER_LOGIT * theta[n], PER_LOGIT * at_once * errors[own]
        found.append(
            tuple(
                GroupRating(name, float(r), (float(r - e), float(r + e)), each[0], (each[1], each[2]))
                for name, r, e, each in zip(names, rating, reach, points, strict=True)
            )
        )
    return found


def _difference(model: Model, fitted: Fitted, k: int, groups: int, clusters: float, quantile: float) -> Difference:
    """σ of the groups, and a Wald test in the form of Hotelling's T² on effects that are drawn nowhere."""
    sd = float(fitted.mode.sd[0])
    error = float(np.sqrt(fitted.spread[0, 0]))
    low, high = sd_interval(sd, error, quantile)
    free = model.at(np.array([_FREE, *fitted.mode.sd[1:]]), fitted.mode)
    first = int(model.first[0])
    effects = free.shared[first : first + groups]
    own = slice(first * k, (first + groups) * k)
    contrast = np.kron(np.eye(groups) - 1 / groups, np.eye(k) - 1 / k)
    apart, covariance = contrast @ effects.ravel(), contrast @ free.covariance[own, own] @ contrast
    d, people = (groups - 1) * (k - 1), clusters - 1
    f = df = p = None
    if people - d + 1 >= 1:
        wald = float(apart @ np.linalg.pinv(covariance, rcond=1e-9, hermitian=True) @ apart)
        f, df = wald * (people - d + 1) / (people * d), (d, people - d + 1)
        p = float(stats.f.sf(f, *df))
    return Difference(PER_LOGIT * sd, (PER_LOGIT * low, PER_LOGIT * high), f, df, p)
