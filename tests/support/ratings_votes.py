"""Seeded synthetic comparisons for the ratings' tests: voters with a known taste."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from ratings import bradley_terry
from ratings.comparison import OUTCOMES, Comparisons


def votes(
    theta: list[float] | NDArray[np.float64],
    voters: int,
    each: int,
    seed: int,
    *,
    taste: float = 0.0,
    ties: float = 0.0,
    both_bad: float = 0.0,
) -> Comparisons:
    """`voters` people cast `each` votes; each voter adds a personal taste of sd `taste` (logits) to every model."""
    rng = np.random.default_rng(seed)
    k, n = len(theta), voters * each
    liking = np.asarray(theta) + taste * rng.standard_normal((voters, k))
    voter = np.repeat(np.arange(voters, dtype=np.int32), each)
    a = rng.integers(0, k, n)
    b = (a + rng.integers(1, k, n)) % k
    first = rng.random(n) < expit(liking[voter, a] - liking[voter, b])
    kind = rng.random(n)
    outcome = np.where(kind < both_bad, 3, np.where(kind < both_bad + ties, 2, np.where(first, 0, 1)))
    return Comparisons.from_codes([f"m{i}" for i in range(k)], a, b, outcome, voter)


def frame(comparisons: Comparisons) -> pd.DataFrame:
    """The same comparisons in the field's columns."""
    names = np.array(comparisons.models)
    voter = np.arange(len(comparisons)) if comparisons.voter is None else comparisons.voter
    return pd.DataFrame(
        {
            "model_a": names[comparisons.a],
            "model_b": names[comparisons.b],
            "winner": np.array([o.value for o in OUTCOMES])[comparisons.outcome],
            "voter": [f"citizen-{v:06d}" for v in voter],
        }
    )


def population_strengths(theta: NDArray[np.float64], taste: float) -> NDArray[np.float64]:
    """The strengths of the average voter's choices: what a fit of endless votes by endless voters arrives at."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    gap = theta[:, None] - theta[None, :]
    chance = (expit(gap[..., None] + taste * np.sqrt(2) * nodes) * weights / weights.sum()).sum(axis=-1)
    np.fill_diagonal(chance, 0)
    return bradley_terry.fit(1e6 * chance, 0)


def optimum(wins: NDArray[np.float64], prior: float) -> NDArray[np.float64]:
    """The penalised maximum by a general optimiser that shares no code with the fit."""
    k = len(wins)

    def loss(point: np.ndarray) -> float:
        theta, level = point[:k], point[k]
        value = -(wins * log_expit(theta[:, None] - theta[None, :])).sum() + 1e-6 * point.sum() ** 2
        if prior:
            value -= prior * (log_expit(theta - level) + log_expit(level - theta)).sum()
        return float(value)

    found = minimize(loss, np.zeros(k + 1), method="BFGS", options={"gtol": 1e-9, "maxiter": 10_000})
    return found.x[:k] - found.x[:k].mean()
