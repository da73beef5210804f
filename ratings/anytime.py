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
LEAN = 1.5
"""How many of its deviations ρ a claim's mixture lies above 0: it is tighter around the plan than half a normal, and wider long before it."""
_FEW = 2.5
"""How far out Student's t is compared with the normal for an interval. At 1.96, as for one look, 8 % of sequences of 12 clusters ever fail, at the
boundary's own 3.04 2 % do and the interval is wider than it need be; here it is less than 5 % for 8 to 49 clusters (`benchmarks.looks`)."""


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
        return self.at_once(votes, clusters, 1)

    def at_once(self, votes: float, clusters: float, intervals: int) -> float:
        """How many standard errors each of so many intervals reaches out, for all of them to hold at every look together (a union bound)."""
        error = ERROR / intervals
        out = _FEW * sqrt((1 + tightest(error)) / (1 + tightest(ERROR)))
        return boundary(tightest(error) * votes / self.planned_votes, error) * _few(clusters, out)

    def simultaneous(
        self, theta: NDArray[np.float64], covariance: NDArray[np.float64], votes: float, clusters: float
    ) -> intervals.Simultaneous:
        """Which pairs are apart; with 95 % all claims at all looks are right, their direction included.

        A claim is that i is above j, one of k(k − 1), each with its own martingale of λ > 0 only (`log_evidence`). Of m claims not made yet
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
        planned = tightest_claim(ERROR / (2 * pairs))
        clock, few = planned * votes / self.planned_votes, _few(clusters, one_sided(planned, ERROR / (2 * pairs)))
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


def log_evidence(z: NDArray[np.float64] | float, clock: float, lean: float = LEAN) -> NDArray[np.float64]:
    """Log of a martingale of λ > 0 alone: evidence that W drifts upwards.

    The mixture is N(lean·ρ, ρ²), cut off at 0. With y = (z√x + lean)/√(1 + x) it is (1 + x)^-½ exp((y² − lean²)/2) Φ(y)/Φ(lean); where W
    drifts downwards each exp(λW − λ²V/2) is a supermartingale, and so is this.
    """
    moved = (np.asarray(z, np.float64) * sqrt(clock) + lean) / sqrt(1 + clock)
    return (moved**2 - lean**2 - log(1 + clock)) / 2 + log_ndtr(moved) - float(log_ndtr(lean))


def one_sided(clock: float, error: float, lean: float = LEAN) -> float:
    """How many standard errors W/√V may be above 0 until that evidence reaches 1/`error`."""
    wanted, high = -log(error), 4.0
    while log_evidence(high, clock, lean) < wanted:
        high *= 2

    def missing(z: float) -> float:
        return float(log_evidence(z, clock, lean)) - wanted

    return optimize.bisect(missing, 0.0, high, xtol=1e-12, full_output=True)[0]


@lru_cache(maxsize=64)
def tightest_claim(error: float) -> float:
    """Find the clock at which `one_sided` is least."""
    found = optimize.minimize_scalar(
        lambda place: one_sided(exp(place), error), bounds=(-3, 6), method="bounded", options={"xatol": 1e-6}
    )
    return exp(float(found.x))


@lru_cache(maxsize=64)
def _few(clusters: float, out: float) -> float:
    """Student's t over the normal quantile, `out` standard errors out."""
    df = intervals.degrees_of_freedom(clusters)
    return 1.0 if np.isinf(df) else float(t.isf(norm.sf(out), df)) / out
