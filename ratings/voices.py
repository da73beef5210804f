"""Whose voice a vote is: every vote counts the same, or every citizen does, however often they voted.

With `citizen` the votes of a citizen share the citizen's weight, w_v / n_v, where n_v counts their votes that enter the
fit; all are then scaled to mean 1 over the fitted votes, so that the prior keeps its strength. One busy citizen is then
one citizen. The score averages citizens instead of votes: it is the mean of estimands per cluster, with the inverse of
the cluster's size as weight (Williamson, Datta & Satten 2003).

Shares are whole numbers, w_v / n_v over the largest weight in units of 2^-bits, so that their sums are exact: the counts
that decide the points in units of 2^-30, the scores that decide the standard errors in units of 2^-13.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Voice = Literal["citizen", "vote"]
COUNT_BITS = 30
"""Eight million citizens' shares add up exactly in a double."""
SCORE_BITS = 13
"""Squares of the scores stay in 64 bits beside the digits of the probabilities (`ratings.clusters.fixed_point_bits`)."""


def shares(weight: NDArray[np.float64], votes: NDArray[np.integer], bits: int) -> NDArray[np.int64]:
    """Give what each vote of each citizen counts, (citizens,), in units of 2^-bits of the largest weight.

    Args:
        weight: of each citizen, not negative.
        votes: how many of each citizen's votes enter the fit.
        bits: how finely.

    Returns:
        At least 1, but 0 for a citizen without a weight or without a vote in the fit.
    """
    each = np.divide(
        weight, votes * max(float(weight.max(initial=0)), 1e-300), out=np.zeros(len(weight)), where=votes > 0
    )
    return np.where(each > 0, np.maximum(np.rint(np.ldexp(each, bits)), 1), 0).astype(np.int64)
