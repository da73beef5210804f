"""The same fit with covariates: what the ratings would be if all answers had the same length, marks and side.

logit P(a beats b) = θ_a − θ_b + x·β, where x holds for each kind of mark the difference of the sides over their sum (as
LMArena's style control does), divided by its standard deviation, and a constant for side a. Beside the raw fit, never
instead of it: a long answer may be long because it is better.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ratings import intervals
from ratings.anytime import Anytime
from ratings.clusters import FROM_LEFT, laplacian, sums
from ratings.comparison import B_WINS, BothBad, Comparisons
from ratings.connectivity import groups
from ratings.errors import ComparisonError, NotConvergedError, RatingsError
from ratings.fit import CENTRE, PER_LOGIT
from ratings.result import Ratings

MARKS = ("length", "headers", "bold", "lists")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_HEADER = re.compile(r"^ {0,3}#{1,6}\s", re.MULTILINE)
_BOLD = re.compile(r"\*\*[^*\n]+\*\*|__[^_\n]+__")
_ITEM = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s", re.MULTILINE)
_STEPS = 50


@dataclass(frozen=True, slots=True)
class Coefficient:
    """What one covariate does to the log-odds of winning, per standard deviation (for `side_a`: being shown left)."""

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Controlled:
    """Ratings with the covariates held equal."""

    models: tuple[str, ...]
    theta: NDArray[np.float64]
    covariance: NDArray[np.float64]
    quantile: float
    """Standard errors that a 95 % interval reaches out."""
    coefficients: tuple[Coefficient, ...]
    ridge: float

    @property
    def ranks(self) -> tuple[int, ...]:
        """1 is the highest."""
        return tuple(1 + int((self.theta > value + 1e-9).sum()) for value in self.theta)

    def to_dict(self, raw: Ratings) -> dict[str, Any]:
        """Raw and controlled side by side, as the export's `sensitivity.style_controlled` shows them."""
        reach = PER_LOGIT * self.quantile * np.sqrt(np.maximum(np.diag(self.covariance), 0))
        rows = []
        for n, model in enumerate(self.models):
            rating = CENTRE + PER_LOGIT * float(self.theta[n])
            row = raw.row(model)
            rows.append(
                {
                    "model": model,
                    "rating_raw": None if row.rating is None else round(row.rating, 4),
                    "rank_raw": row.rank,
                    "rating": round(rating, 4),
                    "rating_ci95": [round(rating - float(reach[n]), 4), round(rating + float(reach[n]), 4)],
                    "rank": self.ranks[n],
                }
            )
        coefficients = [
            {"name": c.name, "value": round(c.value, 6), "ci95": [round(c.low, 6), round(c.high, 6)]}
            for c in self.coefficients
        ]
        return {"ridge": self.ridge, "coefficients": coefficients, "scores": rows}


@dataclass(frozen=True, slots=True)
class PositionBias:
    """How much side a is favoured: of two equal answers the left one wins `share` of the decided votes."""

    share: float
    low: float
    high: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"share": round(self.share, 6), "ci95": [round(self.low, 6), round(self.high, 6)]}


def marks(text: str) -> tuple[int, int, int, int]:
    """(length in characters, headers, bold spans, list items) of a Markdown answer; code blocks hold no marks."""
    prose = _FENCE.sub("", text)
    return len(text), len(_HEADER.findall(prose)), len(_BOLD.findall(prose)), len(_ITEM.findall(prose))


def differences(sides: Mapping[str, Sequence[float] | NDArray]) -> NDArray[np.float64]:
    """(votes, 4) relative differences (a − b)/(a + b) of `length_a`, `length_b`, `headers_a`, …; 0 where both are 0.

    Raises:
        ComparisonError: a column is missing, or holds something that is no count.
    """
    columns = []
    for name in MARKS:
        try:
            a, b = (np.asarray(sides[f"{name}_{side}"], dtype=np.float64) for side in "ab")
        except KeyError as error:
            raise ComparisonError("style_column_missing", column=error.args[0]) from None
        wrong = ~(np.isfinite(a) & np.isfinite(b) & (a >= 0) & (b >= 0))
        if wrong.any():
            raise ComparisonError("style_no_count", name=name, row=int(wrong.argmax()))
        columns.append(np.divide(a - b, a + b, out=np.zeros_like(a), where=a + b > 0))
    return np.stack(columns, axis=1)


def controlled(
    comparisons: Comparisons,
    covariates: NDArray[np.float64] | None = None,
    names: Sequence[str] = MARKS,
    *,
    prior: float = 0.5,
    ridge: float = 1.0,
    both_bad: BothBad = "exclude",
    looks: Anytime | None = None,
) -> Controlled:
    """Fit strengths and covariates together by Newton's method; intervals are clustered by voter.

    Args:
        comparisons: the votes.
        covariates: (votes, c), from `differences`; None fits side a alone.
        names: of the c covariates.
        prior: the phantom opponent's, as in the raw fit.
        ridge: the penalty ridge/2 · β² on the covariates only, never on strengths.
        both_bad: as in the raw fit.
        looks: as in the raw fit.

    Raises:
        ComparisonError: a covariate is not finite; names the row.
        RatingsError: entrants that never met, or covariates of another shape.
        NotConvergedError: the optimum was not reached.
    """
    x = np.empty((len(comparisons), 0)) if covariates is None else np.asarray(covariates, dtype=np.float64)
    labels = (() if covariates is None else tuple(names)) + ("side_a",)
    if x.shape != (len(comparisons), len(labels) - 1):
        raise RatingsError("covariates_shape", shape=x.shape, names=labels[:-1])
    wrong = ~np.isfinite(x)
    if wrong.any():
        row, column = (int(at) for at in np.argwhere(wrong)[0])
        raise ComparisonError("covariate_infinite", name=labels[column], value=float(x[row, column]), row=row)
    if len(groups(comparisons.tally(both_bad).wins)) > 1:
        raise RatingsError("style_of_groups")
    kept = comparisons.in_fit(both_bad)
    spread = x[kept].std(axis=0)
    x = np.column_stack([x[kept] / np.where(spread > 0, spread, 1), np.ones(int(kept.sum()))])
    problem = _Problem(comparisons, kept, x, comparisons.weights(both_bad)[kept], prior, ridge)
    point = problem.optimum()
    return problem.described(point, labels, looks)


def position_bias(comparisons: Comparisons, *, prior: float = 0.5, both_bad: BothBad = "exclude") -> PositionBias:
    """Estimate the share of decided votes that the left of two equal answers wins, with its clustered 95 % interval.

    Raises:
        RatingsError: the votes cannot tell it: nobody decided, one voter decided all, or no answer changed sides.
    """
    _refuse_untold_side(comparisons)
    [side] = controlled(comparisons, prior=prior, ridge=0.0, both_bad=both_bad).coefficients
    return PositionBias(float(expit(side.value)), float(expit(side.low)), float(expit(side.high)))


def _refuse_untold_side(comparisons: Comparisons) -> None:
    decided = comparisons.outcome <= B_WINS
    if comparisons.weight is not None:
        decided &= comparisons.weight > 0
    a, b = comparisons.a[decided], comparisons.b[decided]
    pairs = np.unique(np.column_stack([a, b]), axis=0)
    if comparisons.voter is not None and len(np.unique(comparisons.voter[decided])) < 2:
        raise RatingsError("side_of_one_voter")
    # Strengths alone explain a favoured side when some θ has θ_a − θ_b = 1 for every pair that was shown.
    design = np.zeros((len(pairs), len(comparisons.models)))
    design[np.arange(len(pairs)), pairs[:, 0]] += 1
    design[np.arange(len(pairs)), pairs[:, 1]] -= 1
    with_side = np.column_stack([design, np.ones(len(pairs))])
    if not len(pairs) or np.linalg.matrix_rank(with_side) == np.linalg.matrix_rank(design):
        raise RatingsError("side_never_changed")


class _Problem:
    """The joint likelihood: k strengths, then the covariates; the phantom stands at 0."""

    def __init__(
        self,
        comparisons: Comparisons,
        kept: NDArray[np.bool_],
        x: NDArray[np.float64],
        weight: NDArray[np.float64],
        prior: float,
        ridge: float,
    ) -> None:
        self.models, self.k, self.prior, self.ridge = comparisons.models, len(comparisons.models), prior, ridge
        a, b, won = comparisons.a[kept], comparisons.b[kept], (FROM_LEFT / 2)[comparisons.outcome[kept]]
        voter = np.arange(len(x)) if comparisons.voter is None else comparisons.voter[kept]
        # Floating sums depend on their order, so the votes are put in one that does not depend on theirs.
        keys = (*x.T, weight, won, b, a)
        order = np.lexsort(keys if comparisons.voter is None else (*keys, voter))
        self.a, self.b, self.x = a[order].astype(np.intp), b[order].astype(np.intp), x[order]
        self.won, self.weight = won[order], weight[order]
        self.voter = np.arange(len(x)) if comparisons.voter is None else np.unique(voter[order], return_inverse=True)[1]

    def optimum(self) -> NDArray[np.float64]:
        point = np.zeros(self.k + self.x.shape[1])
        for _ in range(_STEPS):
            surprise, slope = self._residuals(point)
            apart = expit(point[: self.k])
            gradient = self._by_model(surprise, self.x) - np.concatenate(
                [self.prior * (2 * apart - 1), self._penalty() * point[self.k :]]
            )
            hessian = self._information(slope) + self._regular(point)
            if self.prior == 0:
                hessian[: self.k, : self.k] += np.trace(hessian) / len(hessian) ** 2
            try:
                step = np.linalg.solve(hessian, gradient)
            except np.linalg.LinAlgError:  # no finite optimum: say, every vote was for side a
                break
            point = point + step * min(1.0, 5 / max(float(np.abs(step).max()), 1e-300))
            if np.abs(step).max() < 1e-10:
                return point
        raise NotConvergedError("covariates", _STEPS)

    def described(self, point: NDArray[np.float64], labels: tuple[str, ...], looks: Anytime | None) -> Controlled:
        k = self.k
        surprise, slope = self._residuals(point)
        information, regular = self._information(slope), self._regular(point)
        voters_weight = np.bincount(self.voter, self.weight)
        voters = float(voters_weight.sum() ** 2 / (voters_weight @ voters_weight))
        size = int(self.voter.max()) + 1
        scores = np.empty((size, len(point)))
        rows = self.voter * k
        strengths = sums(rows + self.a, surprise, size * k) - sums(rows + self.b, surprise, size * k)
        scores[:, :k] = strengths.reshape(size, k)
        for c in range(self.x.shape[1]):
            scores[:, k + c] = sums(self.voter, surprise * self.x[:, c], size)
        covariance = intervals.clustered(information, scores.T @ scores, regular, voters, free=len(point) - 1)
        centre = np.eye(len(point))
        centre[:k, :k] -= 1 / k
        covariance = centre @ covariance @ centre.T
        votes = float(voters_weight.sum())
        q = intervals.quantile(voters) if looks is None else looks.quantile(votes, voters)
        errors = np.sqrt(np.maximum(np.diag(covariance), 0))
        coefficients = tuple(
            Coefficient(name, float(value), float(value - q * error), float(value + q * error))
            for name, value, error in zip(labels, point[k:], errors[k:], strict=True)
        )
        return Controlled(self.models, point[:k] - point[:k].mean(), covariance[:k, :k], q, coefficients, self.ridge)

    def _residuals(self, point: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        p = expit(point[self.a] - point[self.b] + self.x @ point[self.k :])
        return self.weight * (self.won - p), self.weight * p * (1 - p)

    def _by_model(self, values: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([sums(self.a, values, self.k) - sums(self.b, values, self.k), values @ x])

    def _information(self, slope: NDArray[np.float64]) -> NDArray[np.float64]:
        k = self.k
        pairs = sums(self.a * k + self.b, slope, k * k).reshape(k, k)
        full = np.zeros((k + self.x.shape[1],) * 2)
        full[:k, :k] = laplacian(pairs + pairs.T)
        for c in range(self.x.shape[1]):
            column = self._by_model(slope * self.x[:, c], self.x)
            full[:, k + c] = column
            full[k + c, :k] = column[:k]
        return full

    def _penalty(self) -> NDArray[np.float64]:
        penalty = np.full(self.x.shape[1], self.ridge)
        penalty[-1] = 0.0  # side a is a constant of the page, not a style: nothing shrinks it
        return penalty

    def _regular(self, point: NDArray[np.float64]) -> NDArray[np.float64]:
        p = expit(point[: self.k])
        return np.diag(np.concatenate([2 * self.prior * p * (1 - p), self._penalty()]))
