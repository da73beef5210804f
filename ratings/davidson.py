"""Davidson's tie model (1970): a check that the order does not hang on counting a tie as half a win.

P(i wins) : P(tie) : P(j wins) = exp(d/2) : ν : exp(−d/2) with d = θ_i − θ_j. Ties get a parameter of their own, so the
scale is not compressed by them as half-wins compress it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_expit

from ratings.comparison import A_WINS, B_WINS, BOTH_BAD, TIE, Tally
from ratings.errors import NotConvergedError


@dataclass(frozen=True, slots=True, eq=False)
class Davidson:
    """The fitted tie model."""

    models: tuple[str, ...]
    theta: NDArray[np.float64]
    """Log-strengths in logits, mean 0."""
    nu: float
    """How readily voters call a tie: of two equals, ν/(2 + ν) of the votes."""


def fit(tally: Tally, prior: float = 0.5) -> Davidson:
    """Maximum likelihood with the same phantom opponent as the main fit (it never ties).

    Raises:
        NotConvergedError: the optimum was not reached (without ties, or without a prior where one is needed).
    """
    counts = tally.fitted.astype(np.float64)
    wins = counts[:, :, A_WINS] + counts[:, :, B_WINS].T
    ties = counts[:, :, TIE] + (counts[:, :, BOTH_BAD] if tally.both_bad == "tie" else 0)
    ties = ties + ties.T
    k, total_ties = len(wins), float(ties.sum()) / 2
    if total_ties == 0:
        raise NotConvergedError("no_ties", 0)
    total = float(wins.sum()) + total_ties

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        theta, level, log_nu = point[:k], point[k], point[k + 1]
        d = theta[:, None] - theta[None, :]
        log_sum = np.logaddexp(np.logaddexp(d / 2, -d / 2), log_nu)
        p_win, p_tie = np.exp(d / 2 - log_sum), np.exp(log_nu - log_sum)
        games = wins + wins.T + ties
        value = -(wins * (d / 2 - log_sum)).sum() - (ties * (log_nu - log_sum)).sum() / 2
        # d(log-likelihood)/dd for the pair, seen from i: half of (wins + ties/2 − expected)
        slope = (wins + ties / 2 - games * (p_win + p_tie / 2)).sum(axis=1)
        of_nu = total_ties - (games * p_tie).sum() / 2
        apart = theta - level
        value -= prior * (log_expit(apart) + log_expit(-apart)).sum()
        pull = prior * np.tanh(apart / 2)
        gradient = np.concatenate([-slope + pull, [-pull.sum(), -of_nu]])
        hold = point[:k].sum() + level  # the level is free: hold its mean
        return (float(value) + 0.5 * hold**2) / total, (gradient + np.append(np.full(k + 1, hold), 0)) / total

    found = minimize(loss, np.zeros(k + 2), jac=True, method="BFGS", options={"gtol": 1e-9, "maxiter": 2000})
    if np.abs(found.jac).max() > 1e-6:
        raise NotConvergedError("ties", int(found.nit))
    return Davidson(tally.models, found.x[:k] - found.x[:k].mean(), float(np.exp(found.x[k + 1])))
