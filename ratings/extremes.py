"""Intervals for scales that hang on who is first or last: `top_normalised` and `min_max`.

Such a share is tᵢ = (xᵢ − m) / (M − m), with M the largest of all x and m the smallest (for `top_normalised` x is the win
probability and m = 0; for `min_max` x is θ). The largest of several estimates lies too high and the smallest too low, the more
so the closer they are to a tie, so tᵢ is biased there, and no percentile of draws around the estimate, whose ties are broken,
covers it (Andrews 2000). The interval inverts a test instead (Fieller 1954): with M and m those of the others, t is held unless
x̂ᵢ − (1 − t) m̂ − t M̂ lies among the rarest draws of its distribution under t; t = 1 stands for every lead, t = 0 for every lag.
What that distribution hangs on besides t is who is tied with the first and the last, which is not known; so it is taken
twice, with the strengths as they are estimated and with everybody within two standard errors of the first (last) as good as
it (as bad), and the interval holds both, and the estimate (moment selection, Andrews & Soares 2010).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

TIED = 2.0
"""An entrant this many standard errors of the difference from the first (last) may be its equal."""
_ERROR, _FEWEST = 0.05, 0.01
"""How often the interval may fail, and how much of it goes to the end where it can hardly fail."""
_TRIED = tuple(n / 10 for n in range(11))
"""Shares that are tested first; between two of which one is rejected the border is looked for."""
_HALVINGS = 9


@dataclass(frozen=True, slots=True, eq=False)
class Extremes:
    """Per entrant, a share of the maximum, its 95 % interval and its bias."""

    share: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    bias: NDArray[np.float64] | None
    """By how much the share lies off on average where those that may be equal are; None where all may be, and the scale has no length."""


def won(theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute how many of the others each is expected to beat, (…, k)."""
    return expit(theta[..., :, None] - theta[..., None, :]).sum(axis=-1) - 0.5


def top_normalised(theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide the win probability by the leader's, (…, k)."""
    beaten = won(theta)
    return beaten / beaten.max(axis=-1, keepdims=True)


def min_max(theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Place θ between the last, 0, and the first, 1, (…, k)."""
    low = theta.min(axis=-1, keepdims=True)
    spread = theta.max(axis=-1, keepdims=True) - low
    # All equal: nobody is first or last, so everybody stands in the middle.
    return np.where(spread > 0, (theta - low) / np.where(spread > 0, spread, 1), 0.5)


def of_top(
    theta: NDArray[np.float64], errors: NDArray[np.float64], sample: NDArray[np.float64], wider: float = 1.0
) -> Extremes:
    """Give `top_normalised` with its interval and bias.

    Args:
        theta: log-strengths, (k,).
        errors: (k, k) standard errors of their differences.
        sample: (draws, k) seeded errors of θ.
        wider: how much further the interval reaches than one look's.
    """
    share = top_normalised(theta)
    low, high = np.ones(len(theta)), np.zeros(len(theta))
    beaten = won(theta)
    for level in (theta, tied := _tied(theta, errors, last=False)):
        lies = won(level)
        _hold(low, high, share, beaten, lies, _chunked(won, level + sample) - lies, wider, last=False)
    bias = _chunked(top_normalised, tied + sample).mean(axis=0) - top_normalised(tied)
    return Extremes(share, np.minimum(low, share), np.maximum(high, share), bias)


def of_min_max(
    theta: NDArray[np.float64], errors: NDArray[np.float64], sample: NDArray[np.float64], wider: float = 1.0
) -> Extremes:
    """Give `min_max` with its interval and bias; arguments as in `of_top`."""
    share = min_max(theta)
    low, high = np.ones(len(theta)), np.zeros(len(theta))
    for level in (theta, tied := _tied(theta, errors, last=True)):
        _hold(low, high, share, theta, level, sample, wider, last=True)
    bias = min_max(tied + sample).mean(axis=0) - min_max(tied) if np.ptp(tied) > 0 else None
    return Extremes(share, np.minimum(low, share), np.maximum(high, share), bias)


def _tied(theta: NDArray[np.float64], errors: NDArray[np.float64], *, last: bool) -> NDArray[np.float64]:
    """Level those that may be equal to the first, and where `last` asks for it to the last, at their mean."""
    level = theta.copy()
    first = theta.max() - theta <= TIED * errors[theta.argmax()]
    level[first] = max(theta[first].mean(), theta[~first].max(initial=-np.inf))
    bottom = (theta - theta.min() <= TIED * errors[theta.argmin()]) & ~first
    if last and bottom.any():
        level[bottom] = min(theta[bottom].mean(), level[~bottom].min())
    return level


def _hold(
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    share: NDArray[np.float64],
    estimate: NDArray[np.float64],
    level: NDArray[np.float64],
    noise: NDArray[np.float64],
    wider: float,
    *,
    last: bool,
) -> None:
    """Widen the intervals to hold every share that the test does not reject where strengths lie at `level`.

    Args:
        low: lower ends, changed.
        high: upper ends, changed.
        share: the estimates t̂, (k,), in [0, 1].
        estimate: x̂, (k,).
        level: x as the test takes it to be, for the others' distances to their first and last.
        noise: (draws, k) errors of x̂.
        wider: how much further the intervals reach than one look's.
        last: whether m is the smallest x; else it is 0.
    """
    for i in range(len(estimate)):
        others = np.arange(len(estimate)) != i
        theirs, rest, moved = estimate[others], level[others], noise[:, others] + level[others]
        zero = np.zeros(len(noise))
        test = _Test(
            lies=np.array([estimate[i], theirs.max(), theirs.min() if last else 0.0]),
            noise=(noise[:, i], moved.max(axis=1) - rest.max(), moved.min(axis=1) - rest.min() if last else zero),
            wider=wider,
        )
        ends = _not_rejected(test.room, float(share[i]))
        low[i], high[i] = min(low[i], ends[0]), max(high[i], ends[1])


@dataclass(frozen=True, slots=True, eq=False)
class _Test:
    """The test of an entrant's share: of itself, of the first of the others, and of their last."""

    lies: NDArray[np.float64]
    """(3,)."""
    noise: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
    """Each (draws,)."""
    wider: float

    def room(self, share: float) -> float:
        """How much less rare than what is rejected the estimate would be, if this were the share; below 0 it is rejected.

        Near 1 an interval can fail at its upper end alone, near 0 at its lower: most of the 5 % goes there.
        """
        mine, first, last = self.noise
        drawn = mine - share * first - (1 - share) * last
        middle = drawn.mean()
        lies = middle + (float(self.lies @ (1, -share, share - 1)) - middle) / self.wider
        too_high = _FEWEST + (_ERROR - 2 * _FEWEST) * share
        # A share of 1 stands for every lead, one of 0 for every lag.
        below = np.inf if share == 0 or (share == 1 and lies >= middle) else (drawn <= lies).mean() - too_high
        above = np.inf if share == 1 or (share == 0 and lies <= middle) else (drawn >= lies).mean() - _ERROR + too_high
        return float(min(below, above))


def _not_rejected(room: Callable[[float], float], estimate: float) -> tuple[float, float]:
    """Find the first and the last share that is not rejected, to a 5,000th; the likeliest one where all are."""
    tried = sorted({*_TRIED, estimate})
    found = [room(share) for share in tried]
    if max(found) < 0:
        likeliest = tried[int(np.argmax(found))]
        return likeliest, likeliest
    inside = [n for n, each in enumerate(found) if each >= 0]
    a, b = inside[0], inside[-1]
    low = tried[0] if a == 0 else _border(room, tried[a - 1], tried[a])
    high = tried[-1] if b == len(tried) - 1 else _border(room, tried[b + 1], tried[b])
    return low, high


def _border(room: Callable[[float], float], rejected: float, held: float) -> float:
    """Halve the way between a share that is rejected and one that is not."""
    for _ in range(_HALVINGS):
        middle = (rejected + held) / 2
        if room(middle) >= 0:
            held = middle
        else:
            rejected = middle
    return held


def _chunked(
    function: Callable[[NDArray[np.float64]], NDArray[np.float64]], theta: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Apply a function of rows to so many rows at a time that k × k numbers for each stay small."""
    rows = max(1, 4_000_000 // theta.shape[1] ** 2)
    return np.concatenate([function(theta[start : start + rows]) for start in range(0, len(theta), rows)])
