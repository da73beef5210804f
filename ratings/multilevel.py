"""Multilevel regression and poststratification (Gelman & Little 1997): the score as the whole population would give it, from whoever came.

A mixed Bradley–Terry model (`ratings.mixed`) learns from all votes how far the groups of each stratum differ, and draws each group to the mean as far as
its few votes leave open; its predictions are averaged over the cells of the population, each by its share (`ratings.marginal`). Unlike weights
(`ratings.weights`) it needs nobody in a cell to speak for it: a category of four people counts for its share of the country, mostly with what
everybody thinks, and with an interval that knows it. It repairs who voted, not why. Beside the declared fit, never instead of it.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratings import intervals, marginal, notices, score
from ratings.anytime import Anytime
from ratings.comparison import BothBad, Comparisons
from ratings.connectivity import separations
from ratings.errors import ComparisonError, RatingsError
from ratings.fit import CENTRE, PER_LOGIT
from ratings.mixed import Fitted, Model
from ratings.mixed_votes import Compared, compared
from ratings.notices import Notice
from ratings.result import Interval
from ratings.score import Transform


@dataclass(frozen=True, slots=True, eq=False)
class Stratum:
    """What the voters are of one variable, say sex."""

    name: str
    levels: tuple[str, ...]
    """All that the population has, with or without voters."""
    codes: NDArray[np.integer]
    """By the voter's code in the comparisons; −1 where it is not known: those are a level of their own, which the population has not."""


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """What the population is made of."""

    level: NDArray[np.integer]
    """(cells, strata): the level of each stratum."""
    share: NDArray[np.float64]
    """(cells,), adding up to 1."""

    @classmethod
    def of_margins(cls, margins: Sequence[Sequence[float]]) -> "Cells":
        """Cross the shares of each stratum's levels as if the strata were independent: on the scale of logits only the margins matter.

        Raises:
            RatingsError: the shares of a stratum do not add up to 1.
        """
        for n, shares in enumerate(margins):
            _refuse_shares(str(n), shares)
        level = np.array(list(itertools.product(*(range(len(shares)) for shares in margins))), np.int64)
        share = np.array([np.prod(of) for of in itertools.product(*margins)], np.float64)
        return cls(level.reshape(len(share), len(margins)), share / share.sum())


@dataclass(frozen=True, slots=True)
class Kind:
    """How far effects of one kind differ: between the groups of a stratum, between voters (`voter`), between questions (`question`)."""

    name: str
    sd: float
    """In logits, of one entrant."""
    sd_ci95: Interval


@dataclass(frozen=True, slots=True)
class Represented:
    """One entrant, as the population would rate it. None where it was never compared."""

    model: str
    theta: float | None
    """Log-strength in logits, mean 0 within the group of compared entrants."""
    se: float | None
    rating: float | None
    rating_ci95: Interval | None
    rank: int | None
    points: float | None
    points_ci95: Interval | None
    group: int | None
    """Entrants of different groups never met, not even through others."""


@dataclass(frozen=True, slots=True, eq=False)
class Representative:
    """The population's score."""

    rows: tuple[Represented, ...]
    """In the order the entrants were declared."""
    covariance: NDArray[np.float64]
    """Of θ, (k, k), squared logits; NaN across groups."""
    kinds: tuple[tuple[Kind, ...], ...]
    """Of each group of compared entrants."""
    notices: tuple[Notice, ...]
    n_used: int
    """Votes in the fit."""
    n_eff_voters: float
    n_eff_questions: float | None
    cells: int
    transform: Transform = field(default_factory=Transform)
    component_max: float = 25.0

    def to_dict(self) -> dict[str, Any]:
        """Write the JSON of an export: rounded far below any interval, so that another processor's last bits do not show."""
        return {
            "scores": [
                {
                    "model": row.model,
                    "theta": _rounded(row.theta, 6),
                    "se": _rounded(row.se, 6),
                    "rating": _rounded(row.rating, 2),
                    "rating_ci95": _interval(row.rating_ci95, 2),
                    "rank": row.rank,
                    "points": row.points,
                    "points_ci95": _interval(row.points_ci95, 6),
                    "group": row.group,
                }
                for row in self.rows
            ],
            "sd": [
                [
                    {"name": kind.name, "sd": _rounded(kind.sd, 4), "sd_ci95": _interval(kind.sd_ci95, 4)}
                    for kind in group
                ]
                for group in self.kinds
            ],
            "warnings": [notice.to_dict() for notice in self.notices],
            "method": {
                "model": "multilevel bradley-terry, poststratified",
                "fit": "laplace",
                "cells": self.cells,
                "n_used": self.n_used,
                "n_eff_voters": round(self.n_eff_voters, 2),
                "n_eff_questions": _rounded(self.n_eff_questions, 2),
                "transform": self.transform.to_dict(self.component_max),
            },
        }


def representative(
    comparisons: Comparisons,
    strata: Sequence[Stratum],
    cells: Cells,
    *,
    prior: float = 0.5,
    both_bad: BothBad = "exclude",
    transform: Transform | None = None,
    component_max: float = 25.0,
    seed: int = 0,
    looks: Anytime | None = None,
) -> Representative:
    """Rate the entrants as the population would; the same votes, in any order, give the same digits.

    Weights and voices are not looked at: how much a busy voter counts follows from how much the voters' tastes differ.

    Args:
        comparisons: the votes, with their voters; questions are drawn, too, where they are known.
        strata: what is known of the voters.
        cells: what the population is made of; the columns are the strata.
        prior: the phantom's wins, and losses, against every entrant, as in `ratings.fit.rate`.
        both_bad: leave these votes out of the fit, or count them as ties.
        transform: from ratings to points; the win probability unless declared otherwise.
        component_max: the points of the whole user component.
        seed: for the draws of transforms that hang on who is first or last; nothing else is drawn.
        looks: intervals hold at every look while votes come in; None where results are looked at once.

    Raises:
        NothingToRateError: no two entrants were ever compared.
        SeparatedError: `prior` is 0 and no finite estimate exists.
        RatingsError: voters, strata and cells do not fit together.
    """
    transform, names = transform or Transform(), comparisons.models
    level, levels = _levels(comparisons, strata, cells)
    found, alone = compared(comparisons, both_bad, level, levels)
    said = [notices.no_votes(names[i]) for i in alone]
    if len(found) > 1:
        said += notices.never_compared([tuple(names[i] for i in group.place) for group in found])
    rows = [Represented(name, *[None] * 8) for name in names]
    covariance, kinds = np.full((len(names), len(names)), np.nan), []
    for number, group in enumerate(found):
        said += shortcomings(group, names)
        model = Model(group.votes, prior, [names[i] for i in group.place])
        fitted = model.fit()
        blocks = np.zeros((len(cells.share), model.blocks))
        blocks[:, 0] = 1
        for first, of in zip(model.first, np.asarray(cells.level).T, strict=False):
            blocks[np.arange(len(blocks)), first + of] = 1
        theta, of_theta = marginal.strengths(model, fitted, blocks, cells.share[None])
        covariance[np.ix_(group.place, group.place)] = of_theta
        fixed = intervals.quantile(group.voters)
        quantile = fixed if looks is None else looks.quantile(len(group.rows), group.voters)
        kinds.append(_kinds([s.name for s in strata], model, fitted, quantile))
        own = [names[i] for i in group.place]
        for i, row in zip(
            group.place,
            _rows(own, number, theta[0], of_theta, group.voters, quantile, transform, component_max, seed),
            strict=True,
        ):
            rows[i] = row
    used = sum(len(group.rows) for group in found)
    return Representative(
        rows=tuple(rows),
        covariance=covariance,
        kinds=tuple(kinds),
        notices=tuple(said),
        n_used=used,
        n_eff_voters=_together([(len(group.rows), group.voters) for group in found]),
        n_eff_questions=None
        if comparisons.question is None
        else _together([(len(group.rows), group.questions or 1) for group in found]),
        cells=len(cells.share),
        transform=transform,
        component_max=component_max,
    )


def shortcomings(group: Compared, names: Sequence[str]) -> list[Notice]:
    """Tell what limits the answer for a group of compared entrants, as the plain fit tells it."""
    own = tuple(names[i] for i in group.place)
    said = notices.separated(separations(group.votes.wins, tuple(range(len(own)))), own)
    if group.voters < intervals.FEW_VOTERS:
        said.append(notices.few_voters(group.voters, own))
    if group.questions is not None and not group.by_question:
        said.append(notices.few_questions(group.questions, own))
    return said


def sd_interval(sd: float, log_se: float, quantile: float) -> Interval:
    """Give a 95 % interval of σ, on the log scale."""
    return float(sd * np.exp(-quantile * log_se)), float(sd * np.exp(quantile * log_se))


def _rows(
    names: Sequence[str],
    number: int,
    theta: NDArray[np.float64],
    covariance: NDArray[np.float64],
    voters: float,
    q: float,
    transform: Transform,
    component_max: float,
    seed: int,
) -> list[Represented]:
    errors, wider = np.sqrt(np.diag(covariance)), q / intervals.quantile(voters)
    drawn = transform.id in score.BIASED
    sample = intervals.draws_by_strength(theta, covariance, voters, seed) if drawn else np.zeros((0, len(theta)))
    points = score.shares(transform, names, theta, covariance, q, sample, wider).points(
        component_max, transform.decimals
    )
    rating, reach = CENTRE + PER_LOGIT * theta, PER_LOGIT * q * errors
    return [
        Represented(
            model=name,
            theta=float(theta[n]),
            se=float(errors[n]),
            rating=float(rating[n]),
            rating_ci95=(float(rating[n] - reach[n]), float(rating[n] + reach[n])),
            rank=1 + int((theta > theta[n] + 1e-6).sum()),
            points=points[n][0],
            points_ci95=(points[n][1], points[n][2]),
            group=number,
        )
        for n, name in enumerate(names)
    ]


def _kinds(strata: Sequence[str], model: Model, fitted: Fitted, q: float) -> tuple[Kind, ...]:
    names = [*strata, *(["voter"] if model.taste else []), *(["question"] if model.asks else [])]
    errors = np.sqrt(np.diag(fitted.spread))
    of = zip(names, fitted.mode.sd.tolist(), errors.tolist(), strict=True)
    return tuple(Kind(name, sd, sd_interval(sd, error, q)) for name, sd, error in of)


def _levels(
    comparisons: Comparisons, strata: Sequence[Stratum], cells: Cells
) -> tuple[NDArray[np.integer], tuple[int, ...]]:
    """Each vote's levels; those that are not known are one more level of their stratum, where there are any.

    Raises:
        RatingsError: strata without voters, or cells that do not fit the strata.
    """
    if comparisons.voter is None and strata:
        raise RatingsError("weights_without_voters")
    if np.shape(cells.level) != (len(cells.share), len(strata)):
        raise ComparisonError(
            "shapes_differ", column="cells", shape=np.shape(cells.level), other=(len(cells.share), len(strata))
        )
    _refuse_shares("cells", cells.share)
    columns, levels = [np.zeros((len(comparisons), 0), np.int64)], []
    for n, stratum in enumerate(strata):
        codes, top = np.asarray(stratum.codes), len(stratum.levels)
        voter = comparisons.voter if comparisons.voter is not None else np.zeros(0, np.int64)
        if len(voter) and int(voter.max()) >= len(codes):
            raise ComparisonError(
                "shapes_differ", column=stratum.name, shape=codes.shape, other=(int(voter.max()) + 1,)
            )
        for column, lowest in ((codes, -1), (np.asarray(cells.level)[:, n], 0)):
            wrong = (column < lowest) | (column >= top)
            if wrong.any():
                row = int(wrong.argmax())
                raise ComparisonError(
                    "code_out_of_range", column=stratum.name, value=int(column[row]), top=top - 1, row=row
                )
        of_vote = codes[voter]
        columns.append(np.where(of_vote < 0, top, of_vote)[:, None])
        levels.append(top + int((of_vote < 0).any()))
    return np.concatenate(columns, axis=1), tuple(levels)


def _refuse_shares(name: str, shares: Sequence[float] | NDArray[np.float64]) -> None:
    total = float(np.sum(shares))
    if not len(shares) or abs(total - 1) > 1e-6 or np.min(shares) < 0:
        raise RatingsError("target_shares", trait=name, total=total)


def _together(groups: Sequence[tuple[int, float]]) -> float:
    """Put effective numbers together: (Σn)²/Σn²."""
    return sum(n for n, _ in groups) ** 2 / sum(n**2 / effective for n, effective in groups)


def _rounded(value: float | None, decimals: int) -> float | None:
    return None if value is None else round(value, decimals) + 0.0


def _interval(values: Interval | None, decimals: int) -> list[float] | None:
    return None if values is None else [round(value, decimals) + 0.0 for value in values]
