"""What a fit gives: a row for each entrant, what happened between each pair, and how all of it was made."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ratings.anytime import Anytime
from ratings.comparison import BothBad
from ratings.intervals import FEWEST_QUESTIONS, clusters
from ratings.notices import Notice
from ratings.score import Transform
from ratings.voices import Voice

METHOD_VERSION = 3
"""Raised whenever the same votes would give another digit."""

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class EntrantRating:
    """One entrant's row. Everything that needs a fit is None for an entrant that was never compared."""

    model: str
    theta: float | None
    """Log-strength in logits, mean 0 within the group (or 0 at the anchor)."""
    se: float | None
    rating: float | None
    rating_ci95: Interval | None
    rank: int | None
    """Within the group, 1 is the highest; read it with `rank_ci95`."""
    rank_ci95: tuple[int, int] | None
    win_probability: float | None
    win_probability_ci95: Interval | None
    points: float | None
    points_ci95: Interval | None
    points_bias: float | None
    """How far the points lie off on average if those that may be tied with the first (or the last) are (`ratings.extremes`)."""
    n_votes: int | float
    """Votes in the fit that this entrant took part in."""
    both_bad: int | float
    """Its votes that found neither answer good enough."""
    provisional: bool
    group: int | None
    """Entrants of different groups never met, not even through others."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What happened between two entrants."""

    a: str
    b: str
    wins_a: int | float
    wins_b: int | float
    ties: int | float
    both_bad: int | float
    shown_a_left: int | float
    separated: bool | None
    """Whether their ratings are apart beyond chance, all pairs claimed at once; None across groups."""

    @property
    def met(self) -> bool:
        """Whether any vote, `both_bad` included, was cast between them."""
        return bool(self.wins_a or self.wins_b or self.ties or self.both_bad)


@dataclass(frozen=True, slots=True, eq=False)
class Ratings:
    """A fit, with all that is needed to repeat it."""

    rows: tuple[EntrantRating, ...]
    """In the order the entrants were declared."""
    covariance: NDArray[np.float64]
    """Of θ, (k, k), squared logits; NaN across groups."""
    pairwise: tuple[Pair, ...]
    notices: tuple[Notice, ...]
    n_votes: int | float
    """Votes given, `both_bad` included."""
    n_used: int | float
    """Votes in the fit."""
    n_eff_voters: float
    """Kish's effective number of voters: as many equally busy ones would say as much."""
    n_eff_questions: float | None
    """The same of questions; None where they are not known, and the covariance is clustered by voter alone."""
    prior: float
    both_bad: BothBad
    voice: Voice
    """Whether each citizen counted the same, or each vote."""
    transform: Transform
    component_max: float
    seed: int
    anchor: str | None
    looks: Anytime | None = None
    """Intervals and pairs apart hold at every look while votes come in; None where they hold at one."""
    method_version: int = METHOD_VERSION

    @property
    def models(self) -> tuple[str, ...]:
        """The entrants' names, in the order of the rows and of the covariance."""
        return tuple(row.model for row in self.rows)

    @property
    def theta(self) -> NDArray[np.float64]:
        """The log-strengths, NaN where an entrant has none."""
        return np.array([np.nan if row.theta is None else row.theta for row in self.rows])

    @property
    def by_question(self) -> bool:
        """Whether the covariance is clustered by question too."""
        return self.n_eff_questions is not None and self.n_eff_questions >= FEWEST_QUESTIONS

    @property
    def n_eff_clusters(self) -> float:
        """The smaller of the numbers of clusters that the covariance rests on."""
        return clusters(self.n_eff_voters, self.n_eff_questions)

    def row(self, model: str) -> EntrantRating:
        """Find the row of this entrant."""
        return self.rows[self.models.index(model)]

    def by_rank(self) -> list[EntrantRating]:
        """List the rows as a leaderboard lists them: by group, then rank; the unranked last."""
        return sorted(self.rows, key=lambda r: (r.group is None, r.group or 0, r.rank or 0, self.models.index(r.model)))

    def to_dict(
        self, entrant_key: Literal["team_id", "model"] = "model", *, met_only: bool = False, covariance: bool = True
    ) -> dict[str, Any]:
        """Write the JSON of an export: `scores[]`, `covariance`, `pairwise[]`, `warnings[]` (codes and parameters) and how they were made.

        With `met_only` pairs without a vote are left out, and without `covariance` it is null: what is written then
        grows with the entrants and the pairs that met, not with the square of the entrants.

        Floats are rounded (logits to 9 decimals, ratings to 4, probabilities to 6), far below any interval, so that
        another processor's last bits do not show.
        """
        return {
            "scores": [_score(row, entrant_key) for row in self.rows],
            "covariance": [[_number(value, 12) for value in row] for row in self.covariance.tolist()]
            if covariance
            else None,
            "pairwise": [
                {
                    "a": p.a,
                    "b": p.b,
                    "wins_a": _count(p.wins_a),
                    "wins_b": _count(p.wins_b),
                    "ties": _count(p.ties),
                    "both_bad": _count(p.both_bad),
                    "shown_a_left": _count(p.shown_a_left),
                    "separated": p.separated,
                }
                for p in self.pairwise
                if not met_only or p.met
            ],
            "warnings": [notice.to_dict() for notice in self.notices],
            "method": {
                "model": "bradley-terry",
                "version": self.method_version,
                "prior": self.prior,
                "both_bad": self.both_bad,
                "voice": self.voice,
                "covariance": f"sandwich clustered by {'voter and question' if self.by_question else 'voter'}",
                "intervals": "fixed" if self.looks is None else "anytime",
                "planned_votes": None if self.looks is None else _count(self.looks.planned_votes),
                "seed": self.seed,
                "anchor": self.anchor,
                "n_votes": _count(self.n_votes),
                "n_used": _count(self.n_used),
                "n_eff_voters": _number(self.n_eff_voters, 2),
                "n_eff_questions": _number(self.n_eff_questions, 2),
                "transform": self.transform.to_dict(self.component_max),
            },
        }


def _score(row: EntrantRating, entrant_key: str) -> dict[str, Any]:
    return {
        entrant_key: row.model,
        "theta": _number(row.theta, 9),
        "se": _number(row.se, 9),
        "rating": _number(row.rating, 4),
        "rating_ci95": _numbers(row.rating_ci95, 4),
        "rank": row.rank,
        "rank_ci95": None if row.rank_ci95 is None else list(row.rank_ci95),
        "win_probability": _number(row.win_probability, 6),
        "win_probability_ci95": _numbers(row.win_probability_ci95, 6),
        "points": row.points,
        "points_ci95": None if row.points_ci95 is None else list(row.points_ci95),
        "points_bias": row.points_bias,
        "n_votes": _count(row.n_votes),
        "both_bad": _count(row.both_bad),
        "provisional": row.provisional,
        "group": row.group,
    }


def _number(value: float | None, decimals: int) -> int | float | None:
    """JSON has no NaN, and a count is no float. `+ 0.0` turns -0.0 into 0.0."""
    if value is None or value != value:
        return None
    return value if isinstance(value, int) else round(value, decimals) + 0.0


def _count(value: float) -> int | float:
    """Write a count; a sum of weights too small for six decimals keeps six digits."""
    return float(f"{value:.6g}") if 0 < abs(value) < 1e-3 else _number(value, 6) or 0


def _numbers(values: Interval | None, decimals: int) -> list[int | float | None] | None:
    return None if values is None else [_number(value, decimals) for value in values]
