"""Looking while people vote: intervals and claims that hold however often, and whenever, one looks.

Asymptotic confidence sequences with the normal-mixture boundary (Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2024,
"Time-uniform central limit theory and asymptotic confidence sequences", Annals of Statistics 52, theorem 2.2; Robbins 1970). The
standardised sum of n scores is, in the limit, that of a Brownian motion W at a time V that grows with n. For any ρ > 0

    M = ∫ exp(λW − λ²V/2) dN(λ; 0, ρ²) = (1 + x)^-½ exp(z²x / (2(1 + x))),   x = ρ²V, z = W/√V,

is a martingale from 1, so P(M ≥ 1/α at some time) ≤ α (Ville 1939): z stays within √((1 + 1/x) log((1 + x)/α²)) at all
times at once with 1 − α. That many standard errors is an interval's reach; ρ only decides when it is tightest.
The clock x counts the votes in the fit. What the covariance is does not matter to it, so it may be the clustered one: where
the same voters go on voting, later estimates agree with earlier ones more than a Brownian motion's do, and fewer looks go astray.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import exp, log, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import optimize
from scipy.special import lambertw, log_ndtr
from scipy.stats import norm, t

from ratings import intervals

ERROR = 0.05
"""Of an interval at any look; of any claim about any pair at any look, all together."""


@dataclass(frozen=True, slots=True)
class Anytime:
    """Results are looked at while votes come in; intervals are tightest at the planned number of votes."""

    planned_votes: float
    """Votes in the fit, above 0. A plan that is missed costs width, never validity."""

    def quantile(self, votes: float, clusters: float) -> float:
        """How many standard errors a 95 % interval reaches out after so many votes.

        Args:
            votes: in the fit so far.
            clusters: the effective number; few of them widen as they do without looks, by Student's t.
        """
        return boundary(self._clock(votes, ERROR), ERROR) * _few(clusters, ERROR)

    def simultaneous(
        self, theta: NDArray[np.float64], covariance: NDArray[np.float64], votes: float, clusters: float
    ) -> intervals.Simultaneous:
        """Which pairs are apart; with 95 % all claims at all looks are right, their direction included.

        A claim is that i is above j, one of k(k − 1), each with its own martingale of λ > 0 only. Of m claims not made yet
        one is made once its martingale reaches m/0.05 (Holm 1979). A first wrong claim needs one of the w wrong ones to reach
        w/0.05 at some time; by Ville's inequality and a union bound that has 5 %, however the pairs hang together and whenever each
        comes closest. The draws of a maximum at one look (max-t) have no such word for all looks.

        Args:
            theta: log-strengths of one group.
            covariance: of θ.
            votes: in the fit so far.
            clusters: their effective number.
        """
        k = len(theta)
        pairs = k * (k - 1) // 2
        clock, few = self._clock(votes, ERROR / pairs), _few(clusters, ERROR / pairs)
        errors = intervals.difference_errors(covariance) * few
        gaps = theta[:, None] - theta
        z = np.divide(gaps, errors, out=np.zeros_like(gaps), where=errors > 0)
        evidence = log_evidence(z, clock)
        above = np.zeros((k, k), bool)
        while True:
            left = 2 * pairs - int(above.sum())
            found = (evidence >= log(left / ERROR)) & ~np.eye(k, dtype=bool)
            if (found == above).all():
                break
            above = found
        critical = few * one_sided(clock, ERROR / left)
        return intervals.Simultaneous(critical, above | above.T, 1 + above.sum(axis=0), k - above.sum(axis=1))

    def _clock(self, votes: float, error: float) -> float:
        return tightest(error) * votes / self.planned_votes


def boundary(clock: float, error: float) -> float:
    """How many standard errors |W|/√V may be from 0 until M says otherwise (the paper's equation 5, divided by σ̂/√t).

    Args:
        clock: x = ρ²V, above 0.
        error: the chance that it ever is further out although nothing is there.
    """
    return sqrt((1 + 1 / clock) * (log(1 + clock) - 2 * log(error)))


def tightest(error: float) -> float:
    """Find the clock at which `boundary` is least: x + 1 − log(x + 1) = 1 − 2 log(error), by Lambert's W_-1; the boundary is √(x + 1) there."""
    return -float(lambertw(-(error**2) * exp(-1), -1).real) - 1


def log_evidence(z: NDArray[np.float64] | float, clock: float) -> NDArray[np.float64]:
    """Log of the martingale of the λ > 0 alone, 2 (1 + x)^-½ exp(z²x / (2(1 + x))) Φ(z √(x / (1 + x))): evidence that W drifts upwards."""
    share = clock / (1 + clock)
    moved = np.asarray(z, np.float64) * sqrt(share)
    return log(2) - log(1 + clock) / 2 + moved**2 / 2 + log_ndtr(moved)


def one_sided(clock: float, error: float) -> float:
    """How many standard errors W/√V may be above 0 until that evidence reaches 1/`error`."""
    wanted = -log(error)
    # For z ≥ 0 Φ is at least ½, so it is never further out than the boundary both ways.
    low, high = 0.0, boundary(clock, error)
    return optimize.bisect(lambda z: float(log_evidence(z, clock)) - wanted, low, high, xtol=1e-12, full_output=True)[0]


@lru_cache(maxsize=64)
def _few(clusters: float, error: float) -> float:
    """Student's t over the normal quantile, as far out as the boundary is where it is least."""
    df = intervals.degrees_of_freedom(clusters)
    if np.isinf(df):
        return 1.0
    out = sqrt(1 + tightest(error))
    return float(t.isf(norm.sf(out), df)) / out
