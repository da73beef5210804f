"""From comparisons to `Ratings`: look at who met whom, fit each group, carry the uncertainty through to the points."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ratings import bradley_terry, intervals, notices, score
from ratings.anytime import Anytime
from ratings.comparison import A_WINS, B_WINS, BOTH_BAD, TIE, BothBad, Comparisons, Tally
from ratings.connectivity import Separation, groups, separations
from ratings.errors import NothingToRateError, RatingsError
from ratings.result import EntrantRating, Pair, Ratings
from ratings.score import Transform

PER_LOGIT = float(400 / np.log(10))
"""Rating points per logit: 400 points are odds of ten to one."""
CENTRE = 1000.0
PROVISIONAL_VOTES = 30
PROVISIONAL_REACH = 50.0
_SAME = 1e-9
"""Strengths this close share a rank, and sums this close, relative to their size, are equal: they differ by rounding only."""


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """One group of entrants that were compared with each other, fitted."""

    place: tuple[int, ...]
    theta: NDArray[np.float64]
    covariance: NDArray[np.float64]
    votes: float
    sum_of_squares: float
    cuts: tuple[Separation, ...]
    questions: float | None
    """The effective number of questions; None where they are not known."""

    @property
    def doubtful(self) -> frozenset[int]:
        """Entrants that the prior, not the votes, holds where they are: the smaller side of each separation."""
        return frozenset(i for cut in self.cuts for i in min(cut.winners, cut.losers, key=len))

    @property
    def voters(self) -> float:
        return self.votes**2 / self.sum_of_squares

    @property
    def clusters(self) -> float:
        """The smaller of the numbers that the covariance rests on."""
        return intervals.clusters(self.voters, self.questions)

    @property
    def few_questions(self) -> bool:
        return self.questions is not None and self.questions < intervals.FEWEST_QUESTIONS

    def quantile(self, looks: Anytime | None) -> float:
        return intervals.quantile(self.clusters) if looks is None else looks.quantile(self.votes, self.clusters)

    def simultaneous(self, sample: NDArray[np.float64], looks: Anytime | None) -> intervals.Simultaneous:
        if looks is None:
            return intervals.simultaneous(self.theta, self.covariance, sample)
        return looks.simultaneous(self.theta, self.covariance, self.votes, self.clusters)


def rate(
    comparisons: Comparisons | Tally,
    *,
    prior: float = 0.5,
    both_bad: BothBad = "exclude",
    transform: Transform | None = None,
    component_max: float = 25.0,
    seed: int = 0,
    anchor: str | None = None,
    looks: Anytime | None = None,
) -> Ratings:
    """Rate the entrants; the same votes, in any order, and the same seed give the same ratings to the last digit.

    Args:
        comparisons: the votes, or their tally (whose `both_bad` then holds).
        prior: wins and losses of the phantom opponent against every entrant; 0 is plain maximum likelihood.
        both_bad: leave these votes out of the fit, or count them as ties.
        transform: from ratings to points; the win probability unless declared otherwise.
        component_max: the points of the whole user component.
        seed: for the draws of simultaneous comparisons.
        anchor: the entrant whose rating is 1000; without it the mean of the group is.
        looks: intervals and pairs apart hold at every look while votes come in; None where results are looked at once.

    Raises:
        NothingToRateError: no vote can be counted.
        SeparatedError: `prior` is 0 and no finite estimate exists.
        TransformError: the transform's anchor is not among the compared entrants.
    """
    tally = comparisons if isinstance(comparisons, Tally) else comparisons.tally(both_bad)
    transform = transform or Transform()
    models, wins, k = tally.models, tally.wins, len(tally.models)
    if anchor is not None and anchor not in models:
        raise RatingsError("anchor_unknown", anchor=anchor, known=models)
    found = groups(wins)
    met = [group for group in found if len(group) > 1]
    if not met:
        raise NothingToRateError
    said = [notices.no_votes(models[group[0]]) for group in found if len(group) == 1]
    if len(met) > 1:
        said += notices.never_compared([tuple(models[i] for i in group) for group in met])

    covariance = np.full((k, k), np.nan)
    apart = np.full((k, k), None, dtype=object)
    rows = [_unrated(tally, i) for i in range(k)]
    games = tally.played
    fitted = _fit_groups(tally, wins, met, prior)
    for number, group in enumerate(fitted):
        block = np.ix_(group.place, group.place)
        said += notices.separated(group.cuts, models)
        sample = intervals.draws_by_strength(group.theta, group.covariance, group.clusters, seed)
        at_once, q = group.simultaneous(sample, looks), group.quantile(looks)
        apart[block] = at_once.separated
        theta, covariance[block] = _anchored(group, models, anchor)
        variance = np.diag(covariance[block])
        part = _rows(tally, games, group, number, theta, variance, at_once, q, sample, transform, component_max)
        for i, row in zip(group.place, part, strict=True):
            rows[i] = row
        said += _shortcomings(group, part, models)
    if len(fitted) > 1:
        rows = [replace(row, provisional=True) for row in rows]
    used = sum(group.votes for group in fitted)
    return Ratings(
        rows=tuple(rows),
        covariance=covariance,
        pairwise=_pairs(tally, apart),
        notices=tuple(said),
        n_votes=_whole(tally.counts.sum()),
        n_used=_whole(used),
        n_eff_voters=used**2 / sum(group.sum_of_squares for group in fitted),
        n_eff_questions=_questions(fitted, used),
        prior=prior,
        both_bad=tally.both_bad,
        voice="vote" if tally.shares is None else "citizen",
        transform=transform,
        component_max=component_max,
        seed=seed,
        anchor=anchor,
        looks=looks,
    )


def _fit_groups(tally: Tally, wins: NDArray[np.float64], met: Sequence[tuple[int, ...]], prior: float) -> list[_Group]:
    level = np.zeros(len(wins))
    for place in met:
        level[list(place)] = bradley_terry.fit(wins[np.ix_(place, place)], prior, [tally.models[i] for i in place])
    gram = tally.clusters.score_gram(bradley_terry.probabilities(level))
    fitted, excess = [], None if tally.questions is None else tally.questions.excess(bradley_terry.probabilities(level))
    for place in met:
        block = np.ix_(place, place)
        theta, members = level[list(place)], np.zeros(len(wins), bool)
        members[list(place)] = True
        votes, squares = float(wins[block].sum()), float(tally.clusters.sum_of_squares(members))
        information = bradley_terry.information(wins[block], theta)
        phantom = bradley_terry.phantom_information(theta, prior)
        asked = questions = None
        if tally.questions is not None and excess is not None:
            questions = votes**2 / tally.questions.sum_of_squares(members)
            if questions >= intervals.FEWEST_QUESTIONS:
                asked = intervals.Asked(excess[block], questions)
        covariance = intervals.sandwich(information, gram[block], phantom, votes**2 / squares, asked)
        fitted.append(_Group(place, theta, covariance, votes, squares, tuple(separations(wins, place)), questions))
    return fitted


def _anchored(
    group: _Group, models: Sequence[str], anchor: str | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """θ and its covariance with the anchor at 0, as L θ and L V Lᵀ; as they are where the anchor is elsewhere."""
    names = [models[i] for i in group.place]
    if anchor not in names:
        return group.theta, group.covariance
    shift = np.eye(len(names))
    shift[:, names.index(anchor)] -= 1
    return shift @ group.theta, shift @ group.covariance @ shift.T


def _rows(
    tally: Tally,
    games: NDArray[np.float64],
    group: _Group,
    number: int,
    theta: NDArray[np.float64],
    variance: NDArray[np.float64],
    at_once: intervals.Simultaneous,
    q: float,
    sample: NDArray[np.float64],
    transform: Transform,
    component_max: float,
) -> list[EntrantRating]:
    chance = score.win_probability(group.theta, group.covariance, q)
    names = [tally.models[i] for i in group.place]
    wider = q / intervals.quantile(group.clusters)
    shares = score.shares(transform, names, group.theta, group.covariance, q, sample, wider)
    points = shares.points(component_max, transform.decimals)
    biases = shares.biases(component_max, transform.decimals)
    errors = np.sqrt(np.maximum(variance, 0))
    doubtful = group.doubtful
    rows = []
    for n, i in enumerate(group.place):
        votes, rating, reach = _whole(games[i]), CENTRE + PER_LOGIT * theta[n], PER_LOGIT * q * errors[n]
        rows.append(
            EntrantRating(
                model=tally.models[i],
                theta=float(theta[n]),
                se=float(errors[n]),
                rating=float(rating),
                rating_ci95=(float(rating - reach), float(rating + reach)),
                rank=1 + int((group.theta > group.theta[n] + _SAME).sum()),
                rank_ci95=(int(at_once.rank_low[n]), int(at_once.rank_high[n])),
                win_probability=float(chance.share[n]),
                win_probability_ci95=(float(chance.low[n]), float(chance.high[n])),
                points=points[n][0],
                points_ci95=(points[n][1], points[n][2]),
                points_bias=biases[n],
                n_votes=votes,
                both_bad=_both_bad(tally, i),
                provisional=bool(votes < PROVISIONAL_VOTES or reach > PROVISIONAL_REACH or i in doubtful),
                group=number,
            )
        )
    return rows


def _shortcomings(group: _Group, rows: Sequence[EntrantRating], models: Sequence[str]) -> list[notices.Notice]:
    said = []
    if group.voters < intervals.FEW_VOTERS:
        said.append(notices.few_voters(group.voters, tuple(models[i] for i in group.place)))
    if group.questions is not None and group.few_questions:
        said.append(notices.few_questions(group.questions, tuple(models[i] for i in group.place)))
    for row in rows:
        low, high = row.rating_ci95 or (0.0, 0.0)
        if row.n_votes < PROVISIONAL_VOTES:
            said.append(notices.few_votes(row.model, row.n_votes, PROVISIONAL_VOTES))
        elif (high - low) / 2 > PROVISIONAL_REACH:
            said.append(notices.wide_interval(row.model, (high - low) / 2, PROVISIONAL_REACH))
    return said


def _questions(fitted: Sequence[_Group], used: float) -> float | None:
    """Put the groups' effective numbers of questions together: (Σn)²/Σn²."""
    squares = [group.votes**2 / group.questions for group in fitted if group.questions is not None]
    return used**2 / sum(squares) if squares else None


def _unrated(tally: Tally, i: int) -> EntrantRating:
    """Return the row of an entrant that was declared, and that no counted vote mentions."""
    return EntrantRating(
        model=tally.models[i],
        theta=None,
        se=None,
        rating=None,
        rating_ci95=None,
        rank=None,
        rank_ci95=None,
        win_probability=None,
        win_probability_ci95=None,
        points=None,
        points_ci95=None,
        points_bias=None,
        n_votes=0,
        both_bad=_both_bad(tally, i),
        provisional=True,
        group=None,
    )


def _pairs(tally: Tally, apart: NDArray) -> tuple[Pair, ...]:
    models = tally.models
    first, second = np.triu_indices(len(models), 1)
    left, right = tally.counts[first, second], tally.counts[second, first]
    both = left + right[:, [B_WINS, A_WINS, TIE, BOTH_BAD]]
    columns = zip(
        first.tolist(), second.tolist(), both.tolist(), left.sum(axis=1).tolist(), apart[first, second], strict=True
    )
    return tuple(
        Pair(
            a=models[i],
            b=models[j],
            wins_a=_whole(counts[A_WINS]),
            wins_b=_whole(counts[B_WINS]),
            ties=_whole(counts[TIE]),
            both_bad=_whole(counts[BOTH_BAD]),
            shown_a_left=_whole(shown),
            separated=separated,
        )
        for i, j, counts, shown, separated in columns
    )


def _both_bad(tally: Tally, i: int) -> int | float:
    return _whole(tally.counts[i, :, BOTH_BAD].sum() + tally.counts[:, i, BOTH_BAD].sum())


def _whole(value: float) -> int | float:
    """Return a count as an int; a sum of weights stays a float, unless only rounding keeps it from being whole."""
    if isinstance(value, int):
        return value
    nearest = round(value)
    return nearest if abs(value - nearest) <= _SAME * abs(value) else float(value)
