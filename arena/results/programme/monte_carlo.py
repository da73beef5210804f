"""How sure a decision is: every component's uncertainty carried through to the totals and the cut, with a declared seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arena.results.export.schema import UserScore
from arena.results.programme.selection import AggregateError
from ratings import intervals
from ratings.first import InFirst, in_first
from ratings.score import BIASED, Transform, applied

DRAWS = 20_000
"""So many draws leave a probability uncertain by less than 0.7 percentage points."""
_SAME = 1e-9
"""Totals this close are equal: the scores have far fewer decimals."""


@dataclass(frozen=True, slots=True, eq=False)
class Chances:
    """What the draws say, team by team in the given order."""

    teams: tuple[str, ...]
    in_cut: NDArray[np.float64]
    """Probability to be in the cut."""
    totals: NDArray[np.float64]
    """(2, k): the 95 % interval of the total."""
    same_cut: float
    """Probability that the cut holds exactly the teams that it holds."""


def user_points(export: UserScore, teams: Sequence[str], count: int = DRAWS) -> NDArray[np.float64]:
    """Draw the user score: strengths from the export's covariance, each put through its declared transform; shape (count, teams).

    Such draws would not have the export's own intervals where these hold at all looks and so are wider than the covariance alone makes
    them, or where the transform is biased near ties and its intervals lie elsewhere (`ratings.extremes`). There a team's points move
    between the ends of its interval as its strength moves against the mean of all.

    Args:
        export: a verified export whose entrants were all compared with each other.
        teams: in this order.
        count: how many draws.

    Raises:
        AggregateError: the export rates nobody.
    """
    method = export.method
    if method is None:
        raise AggregateError("user_score_missing", team=teams[0])
    declared = method.transform
    names = [row.team_id for row in export.scores]
    theta = np.array([row.theta for row in export.scores], dtype=np.float64)
    covariance = np.array(export.covariance, dtype=np.float64)
    clusters = intervals.clusters(method.n_eff_voters, method.n_eff_questions)
    errors = intervals.draws(covariance, clusters, method.seed, count)
    if method.intervals == "anytime" or declared.id in BIASED:
        ends = np.array([row.points_ci95 for row in export.scores], dtype=np.float64).T
        middle = np.array([row.points for row in export.scores], dtype=np.float64)
        points = np.clip(_between(errors - errors.mean(axis=1, keepdims=True), middle, ends), 0, declared.scale[1])
    else:
        transform = Transform(declared.id, declared.version, declared.params)
        points = applied(transform, names, theta + errors) * declared.scale[1]
    return np.round(points, declared.rounding.decimals)[:, [names.index(team) for team in teams]]


def _between(
    errors: NDArray[np.float64], middle: NDArray[np.float64], ends: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Move the estimates (k,) by errors (count, k), scaled on either side so that 95 % of the draws lie between these ends (2, k)."""
    factor = (ends - middle) / np.quantile(errors, [0.025, 0.975], axis=0)
    return middle + errors * np.where(errors < 0, *factor)


@dataclass(frozen=True, slots=True)
class Sure:
    """What of the cut is beyond chance, all pairs of teams claimed at once."""

    in_first: Mapping[str, InFirst]
    """Whether each team is among the first `places` by total."""
    separated: bool | None
    """Whether the last of them and the next are apart; None where they are all."""


def sure(teams: Sequence[str], totals: NDArray[np.float64], drawn: NDArray[np.float64], places: int) -> Sure:
    """Compare the totals, as the user score compares strengths: step-down max-t over the draws.

    Args:
        teams: in the order of the columns.
        totals: as decided.
        drawn: (draws, teams) totals.
        places: how many teams the cut keeps.
    """
    errors = drawn - totals
    at_once = intervals.simultaneous(totals, np.atleast_2d(np.cov(errors, rowvar=False)), errors)
    ranks = zip(at_once.rank_low.tolist(), at_once.rank_high.tolist(), strict=True)
    told: dict[str, InFirst] = {
        team: in_first(low, high, places) for team, (low, high) in zip(teams, ranks, strict=True)
    }
    if places >= len(teams):
        return Sure(told, None)
    order = np.argsort(-totals, kind="stable")
    return Sure(told, bool(at_once.separated[order[places - 1], order[places]]))


def judged_points(scores: NDArray[np.float64], errors: NDArray[np.float64], maximum: float, seed: int) -> NDArray:
    """Draw another component: normal with the standard errors it was submitted with, within its range; shape (DRAWS, teams)."""
    noise = np.random.default_rng(seed).standard_normal((DRAWS, len(scores)))
    return np.clip(scores + noise * errors, 0, maximum)


def chances(
    teams: Sequence[str],
    drawn: Mapping[str, NDArray[np.float64]],
    places: int,
    ties: Sequence[str],
    cut: Sequence[str],
) -> Chances:
    """Apply the rule of the cut to every draw. A tie that the rule leaves undecided counts for each team by its share of the places.

    Args:
        teams: in the order of the columns.
        drawn: (draws, teams) for each component.
        places: how many teams the cut keeps.
        ties: components that decide between equal totals.
        cut: the teams that are in the cut as decided.
    """
    totals = np.sum(list(drawn.values()), axis=0)
    better = np.zeros((*totals.shape, len(teams)), dtype=bool)
    equal = np.ones_like(better)
    for key in (totals, *(drawn[tie] for tie in ties)):
        apart = key[:, None, :] - key[:, :, None]  # [draw, team, other]: how far the other is above the team
        better |= equal & (apart > _SAME)
        equal &= np.abs(apart) <= _SAME
    above, peers = better.sum(axis=2), equal.sum(axis=2)
    share = np.clip((places - above) / peers, 0, 1)
    kept = np.isin(np.array(teams), list(cut))
    return Chances(
        teams=tuple(teams),
        in_cut=share.mean(axis=0),
        totals=np.quantile(totals, [0.025, 0.975], axis=0),
        same_cut=float((share[:, kept] == 1).all(axis=1).mean()) if kept.any() else 0.0,
    )
