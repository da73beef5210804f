"""What if ties and both_bad had been counted otherwise: the same votes, the other choices, side by side."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from ratings import davidson
from ratings.comparison import BOTH_BAD, BothBad, Comparisons
from ratings.errors import NotConvergedError, RatingsError
from ratings.fit import rate
from ratings.result import Ratings
from ratings.score import Transform
from ratings.shares import wilson


@dataclass(frozen=True, slots=True)
class BothBadShare:
    """How often an entrant's battles ended with "neither answer is good enough"."""

    model: str
    votes: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Sensitivity:
    """The declared fit beside the other choices."""

    declared: Ratings
    other: Ratings | None
    """`both_bad` treated the other way; None where that leaves nothing to rate."""
    tie_model: davidson.Davidson | None
    """None where it does not apply: no ties, or entrants that never met."""
    swapped: tuple[tuple[str, str], ...]
    """Pairs (higher, lower) of the declared fit that the tie model orders the other way."""
    shares: tuple[BothBadShare, ...]

    def to_dict(self) -> dict[str, Any]:
        """As the export's `sensitivity` shows it."""
        return {
            "both_bad": self.declared.both_bad,
            f"both_bad_{_other(self.declared.both_bad)}": None
            if self.other is None
            else [
                {
                    "model": row.model,
                    "rating": _rounded(row.rating, 4),
                    "rank": row.rank,
                    "points": row.points,
                    "group": row.group,
                }
                for row in self.other.rows
            ],
            "davidson": None
            if self.tie_model is None
            else {
                "theta": {
                    name: round(value, 9) + 0.0
                    for name, value in zip(self.tie_model.models, self.tie_model.theta.tolist(), strict=True)
                },
                "nu": round(self.tie_model.nu, 9),
                "swapped": [list(pair) for pair in self.swapped],
            },
            "both_bad_share": [
                {
                    "model": s.model,
                    "votes": s.votes,
                    "share": round(s.share, 6),
                    "ci95": [round(s.low, 6), round(s.high, 6)],
                }
                for s in self.shares
            ],
        }


def sensitivity(
    comparisons: Comparisons,
    *,
    prior: float = 0.5,
    both_bad: BothBad = "exclude",
    transform: Transform | None = None,
    component_max: float = 25.0,
    seed: int = 0,
) -> Sensitivity:
    """Fit the declared choice, `both_bad` the other way, and Davidson's tie model; measure the shares of `both_bad`.

    Raises:
        NothingToRateError: no vote can be counted under the declared choice.
    """
    options: dict[str, Any] = {
        "prior": prior,
        "transform": transform,
        "component_max": component_max,
        "seed": seed,
    }
    declared = rate(comparisons, both_bad=both_bad, **options)
    try:
        other = rate(comparisons, both_bad=_other(both_bad), **options)
    except RatingsError:
        other = None  # say, nobody found an answer good enough
    tie_model = None
    if {row.group for row in declared.rows} == {0}:
        try:
            tie_model = davidson.fit(comparisons.tally(both_bad), prior)
        except NotConvergedError:
            tie_model = None  # without ties there is nothing to check
    return Sensitivity(declared, other, tie_model, _swapped(declared, tie_model), both_bad_shares(comparisons))


def _other(both_bad: BothBad) -> BothBad:
    return "tie" if both_bad == "exclude" else "exclude"


def both_bad_shares(comparisons: Comparisons) -> tuple[BothBadShare, ...]:
    """Per entrant, the share of `both_bad` among its votes, with a 95 % interval that knows the voters.

    The interval is Wilson's (1927) at the effective number of votes that the clustering leaves.
    """
    z = float(norm.ppf(0.975))
    voter = np.arange(len(comparisons)) if comparisons.voter is None else comparisons.voter
    bad = (comparisons.outcome == BOTH_BAD).astype(np.float64)
    shares = []
    for code, model in enumerate(comparisons.models):
        here = (comparisons.a == code) | (comparisons.b == code)
        n = int(here.sum())
        if n == 0:
            shares.append(BothBadShare(model, 0, 0.0, 0.0, 1.0))
            continue
        share = float(bad[here].mean())
        by_voter = np.bincount(voter[here], bad[here] - share)
        clustered, simple = float(by_voter @ by_voter), n * share * (1 - share)
        effective = n * min(1.0, simple / clustered) if clustered > 0 else float(n)
        shares.append(BothBadShare(model, n, share, *wilson(share, effective, z)))
    return tuple(shares)


def _swapped(declared: Ratings, tie_model: davidson.Davidson | None) -> tuple[tuple[str, str], ...]:
    if tie_model is None:
        return ()
    rows = declared.by_rank()
    other = dict(zip(tie_model.models, tie_model.theta.tolist(), strict=True))
    return tuple(
        (high.model, low.model)
        for n, high in enumerate(rows)
        for low in rows[n + 1 :]
        if other[high.model] < other[low.model] and high.rank != low.rank
    )


def _rounded(value: float | None, decimals: int) -> float | None:
    return None if value is None else round(value, decimals)
