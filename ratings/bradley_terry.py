"""The Bradley–Terry fit: P(i beats j) = σ(θ_i − θ_j) (Bradley & Terry 1952), with one declared regularisation.

The prior is a phantom opponent, one more row and column of the win matrix, with `prior` wins and `prior` losses against
every entrant. It keeps every estimate finite, treats all entrants alike and fades as votes come in: 0.5 Elo at 10,000
votes, 0.05 at a million. `prior = 0` is the plain maximum-likelihood estimate.
"""

from collections.abc import Sequence

import choix
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit

from ratings.clusters import laplacian
from ratings.connectivity import separations
from ratings.errors import NotConvergedError, RatingsError, SeparatedError

_NEWTON_STEPS = 100
_TOLERANCE = 1e-11
"""A step this small, in logits, has arrived."""
_LEAST_PRIOR = 1e-6
"""Half-wins of the phantom opponent; with fewer, whether the optimum is found would hang on rounding."""
_ROUNDING = 1e-8
"""Below this a step that no longer shrinks is rounding noise."""


def fit(wins: NDArray[np.float64], prior: float = 0.5, names: Sequence[str] | None = None) -> NDArray[np.float64]:
    """Find the log-strengths θ (mean 0) that make the win matrix likeliest, of models that were all compared with each other.

    Iterative Luce spectral ranking (Maystre & Grossglauser 2015) finds the optimum; Newton's method then makes it exact
    (ILSR stops when its steps are small, which on chain-like comparisons is long before it has arrived). `names` are for
    the message only.

    Raises:
        SeparatedError: `prior` is 0 and the estimate does not exist, or so small that it is out of reach.
        NotConvergedError: the optimum was not reached; nothing unfinished is ever returned.
    """
    if not 0 <= prior < np.inf:
        raise RatingsError("prior_negative", prior=prior)
    if 0 < prior < _LEAST_PRIOR:
        raise RatingsError("prior_too_small", prior=prior, least=_LEAST_PRIOR)
    if prior == 0:
        _refuse_separated(wins, prior, names)
    full = with_phantom(wins, prior) if prior > 0 else wins
    try:
        theta = _newton(full, _spectral(full))
    except NotConvergedError:
        _refuse_separated(wins, prior, names)
        raise
    if prior > 0:
        theta = theta[:-1] - theta[-1]
    return theta - theta.mean()


def _refuse_separated(wins: NDArray[np.float64], prior: float, names: Sequence[str] | None) -> None:
    cuts = separations(wins, tuple(range(len(wins))))
    if cuts:
        labels = names or [f"model {i}" for i in range(len(wins))]
        raise SeparatedError([labels[i] for i in cuts[0].winners], [labels[i] for i in cuts[0].losers], prior)


def with_phantom(wins: NDArray[np.float64], prior: float) -> NDArray[np.float64]:
    """Extend the win matrix by one row and column: `prior` wins and `prior` losses against every entrant."""
    augmented = np.full((len(wins) + 1, len(wins) + 1), float(prior))
    augmented[:-1, :-1] = wins
    augmented[-1, -1] = 0.0
    return augmented


def probabilities(theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the (k, k) matrix of P(i beats j); a half on the diagonal."""
    return expit(theta[:, None] - theta[None, :])


def information(wins: NDArray[np.float64], theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the Fisher information of the votes, (k, k): Σ n p(1 − p) (e_i − e_j)(e_i − e_j)ᵀ."""
    p = probabilities(theta)
    return laplacian((wins + wins.T) * p * (1 - p))


def phantom_information(theta: NDArray[np.float64], prior: float) -> NDArray[np.float64]:
    """Compute the phantom's part of the information, (k, k) diagonal, at its own best level.

    With θ of mean 0 the phantom's level is not 0 in general: it solves Σ σ(θ_i − level) = k/2.
    """
    p = expit(theta - phantom_level(theta))
    return np.diag(2 * prior * p * (1 - p))


def phantom_level(theta: NDArray[np.float64]) -> float:
    """Find the strength of an opponent that wins half of its games against all entrants together."""
    level = float(theta.mean())
    for _ in range(_NEWTON_STEPS):
        p = expit(theta - level)
        step = float((p - 0.5).sum() / (p * (1 - p)).sum())
        level += float(np.clip(step, -1.0, 1.0))
        if abs(step) < _TOLERANCE:
            return level
    raise NotConvergedError("phantom", _NEWTON_STEPS)


def log_likelihood(wins: NDArray[np.float64], theta: NDArray[np.float64]) -> float:
    """Σ wins · log P(win), in nats, without the prior."""
    return float((wins * log_expit(theta[:, None] - theta[None, :])).sum())


def _spectral(wins: NDArray[np.float64]) -> NDArray[np.float64]:
    """choix's answer, or a level start where choix gives none: Newton decides either way."""
    try:
        with np.errstate(all="ignore"):
            theta = choix.ilsr_pairwise_dense(wins, alpha=0.0, max_iter=100, tol=1e-6)
    except (ValueError, RuntimeError):  # both mean "no answer": which of the two is raised depends on rounding
        return np.zeros(len(wins))
    return theta - theta.mean() if np.isfinite(theta).all() else np.zeros(len(wins))


def _newton(wins: NDArray[np.float64], theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Newton's method with halved steps on a concave function: arrives, or says that it did not."""
    games = wins + wins.T
    value = log_likelihood(wins, theta)
    previous = np.inf
    for _ in range(_NEWTON_STEPS):
        p = probabilities(theta)
        hessian = laplacian(games * p * (1 - p))
        hessian += np.trace(hessian) / len(theta) ** 2  # the level is free: hold its mean
        try:
            step = np.linalg.solve(hessian, (wins - games * p).sum(axis=1))
        except np.linalg.LinAlgError:
            break
        largest = float(np.abs(step).max())
        if largest <= _TOLERANCE or (largest <= _ROUNDING and largest >= previous):
            return theta + step
        length = 1.0
        while not (trial := log_likelihood(wins, theta + length * step)) >= value - 1e-12 * abs(value):
            length /= 2
            if length < 1e-12:
                raise NotConvergedError("bradley_terry", _NEWTON_STEPS)
        theta, value, previous = theta + length * step, trial, largest
    raise NotConvergedError("bradley_terry", _NEWTON_STEPS)
