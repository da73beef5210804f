"""From ratings to the user score: a declared transform, with its interval and its rounding rule.

Every transform gives a share of the component's maximum between 0 and 1, the higher the better.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from ratings import extremes
from ratings.bradley_terry import probabilities
from ratings.errors import TransformError
from ratings.intervals import difference_errors

TransformId = Literal["win_probability", "anchored", "top_normalised", "min_max"]

BIASED: tuple[TransformId, ...] = ("top_normalised", "min_max")
"""Those that hang on who is first or last, and lie off near ties (`ratings.extremes`)."""

_PARAMS: dict[str, set[str]] = {
    "win_probability": set(),
    "anchored": {"anchor", "panel"},
    "top_normalised": set(),
    "min_max": set(),
}


@dataclass(frozen=True, slots=True)
class Transform:
    """How a rating becomes points; stands in the stage file before the first vote.

    - `win_probability`: the mean over the other entrants of the probability to beat them.
    - `anchored`: the probability to beat a reference, `{"anchor": name}`, or the mean over a frozen panel,
      `{"panel": {name: θ}}` with the θ (in logits) that the panel had when it was frozen. Comparable across stages.
    - `top_normalised`: the win probability divided by the leader's. The leader gets the maximum by construction. Biased
      near ties at the top.
    - `min_max`: θ between the last (0) and the first (1). Moves by up to 20 of 100 points when the pool changes. Biased near
      ties at either end, most where the field lies close together.
    """

    id: str = "win_probability"
    version: int = 1
    params: Mapping[str, Any] = field(default_factory=dict)
    decimals: int = 2

    def __post_init__(self) -> None:
        if self.id not in get_args(TransformId):
            raise TransformError("transform_unknown", id=self.id, known=get_args(TransformId))
        if self.version != 1:
            raise TransformError("transform_version", id=self.id, version=self.version)
        unknown = set(self.params) - _PARAMS[self.id]
        if unknown:
            raise TransformError("transform_parameter", id=self.id, parameter=sorted(unknown)[0])
        if self.id == "anchored" and len(self.params) != 1:
            raise TransformError("transform_anchor")

    def to_dict(self, maximum: float) -> dict[str, Any]:
        """As the export declares it."""
        return {
            "id": self.id,
            "version": self.version,
            "params": dict(self.params),
            "scale": [0, maximum],
            "rounding": {"decimals": self.decimals, "mode": "half_even"},
        }


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """Per entrant, a share of the maximum with its 95 % interval."""

    share: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    bias: NDArray[np.float64] | None = None
    """How far the share lies off on average near ties (`ratings.extremes`); None where the transform has no first or last."""

    def biases(self, maximum: float, decimals: int) -> list[float | None]:
        """Give the bias of each entrant's points, rounded as they are."""
        if self.bias is None:
            return [None] * len(self.share)
        return [rounded(value * maximum, decimals) + 0.0 for value in self.bias.tolist()]

    def points(self, maximum: float, decimals: int) -> list[tuple[float, float, float]]:
        """(points, low, high) for each entrant, rounded half to even in decimal."""
        columns = zip(self.share.tolist(), self.low.tolist(), self.high.tolist(), strict=True)
        return [tuple(rounded(value * maximum, decimals) for value in row) for row in columns]  # type: ignore[misc]


def rounded(value: float, decimals: int) -> float:
    """Half to even on the shortest decimal that stands for the float, so that 0.125 is treated as it is printed."""
    return float(Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN))


def win_probability(theta: NDArray[np.float64], covariance: NDArray[np.float64], quantile: float) -> Shares:
    """Mean over the others of P(beats it); interval by the delta method on the logit, so it stays within 0…1."""
    k = len(theta)
    p = probabilities(theta)
    slope = p * (1 - p)
    share = (p.sum(axis=1) - 0.5) / (k - 1)
    gradient = (np.diag(slope.sum(axis=1)) - slope) / (k - 1)
    return _delta(share, gradient, covariance, quantile)


def shares(
    transform: Transform,
    models: Sequence[str],
    theta: NDArray[np.float64],
    covariance: NDArray[np.float64],
    quantile: float,
    sample: NDArray[np.float64],
    wider: float = 1.0,
) -> Shares:
    """Apply the transform to one group of compared entrants.

    Args:
        transform: the declared one.
        models: names, to find anchors by.
        theta: log-strengths.
        covariance: of θ.
        quantile: standard errors that a 95 % interval reaches out.
        sample: (draws, k) seeded errors of θ, for the transforms that hang on who is first or last.
        wider: how much further their intervals reach than the 95 % of one look.

    Raises:
        TransformError: an anchor is not among the models.
    """
    match transform.id:
        case "win_probability":
            return win_probability(theta, covariance, quantile)
        case "anchored":
            return _anchored(_panel(transform), models, theta, covariance, quantile)
        case "top_normalised":
            return _of(extremes.of_top(theta, difference_errors(covariance), sample, wider))
        case _:
            return _of(extremes.of_min_max(theta, difference_errors(covariance), sample, wider))


def applied(transform: Transform, models: Sequence[str], theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Strengths (…, k) as shares of the maximum (…, k), row by row: to carry their uncertainty further than this component.

    Raises:
        TransformError: the transform's anchor is not among the models.
    """
    match transform.id:
        case "win_probability":
            return extremes.won(theta) / (theta.shape[-1] - 1)
        case "anchored":
            places, frozen = _reference(_panel(transform), models)
            level = theta[..., places].mean(axis=-1)[..., None, None] - frozen.mean()
            return expit(theta[..., :, None] - level - frozen).mean(axis=-1)
        case "top_normalised":
            return extremes.top_normalised(theta)
        case _:
            return extremes.min_max(theta)


def _panel(transform: Transform) -> Mapping[str, float]:
    return transform.params.get("panel") or {transform.params["anchor"]: 0.0}


def _reference(panel: Mapping[str, float], models: Sequence[str]) -> tuple[list[int], NDArray[np.float64]]:
    """Where the panel's members stand among the models, and their frozen strengths."""
    absent = [name for name in panel if name not in models]
    if absent:
        raise TransformError("anchor_not_compared", anchor=absent[0], models=tuple(models))
    return [list(models).index(name) for name in panel], np.array(list(panel.values()), dtype=np.float64)


def _anchored(
    panel: Mapping[str, float],
    models: Sequence[str],
    theta: NDArray[np.float64],
    covariance: NDArray[np.float64],
    quantile: float,
) -> Shares:
    places, frozen = _reference(panel, models)
    level = theta[places].mean() - frozen.mean()
    p = expit(theta[:, None] - level - frozen[None, :])
    mean_slope = (p * (1 - p)).mean(axis=1)
    of_level = np.zeros(len(theta))
    of_level[places] = 1 / len(places)
    gradient = mean_slope[:, None] * (np.eye(len(theta)) - of_level[None, :])
    return _delta(p.mean(axis=1), gradient, covariance, quantile)


def _of(found: extremes.Extremes) -> Shares:
    return Shares(found.share, found.low, found.high, found.bias)


def _delta(
    share: NDArray[np.float64], gradient: NDArray[np.float64], covariance: NDArray[np.float64], quantile: float
) -> Shares:
    error = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", gradient, covariance, gradient), 0))
    inside = np.clip(share, 1e-12, 1 - 1e-12)
    reach = quantile * error / (inside * (1 - inside))
    return Shares(share, expit(logit(inside) - reach), expit(logit(inside) + reach))
