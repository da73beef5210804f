"""Online Elo (Elo 1978), as a trace of a stage over time and nothing else.

Each vote moves two numbers, so the order of the same votes changes the outcome: by about 16 points (standard deviation)
where the fit's standard error is 3, and with another leader in four of ten orders (20 models whose strengths lie 14
points apart, 100,000 votes, K = 4; `benchmarks/ratings.py`).
No user score is ever made from it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ratings.clusters import FROM_LEFT
from ratings.comparison import BOTH_BAD, BothBad, Comparisons


@dataclass(frozen=True, slots=True, eq=False)
class EloTrace:
    """How online Elo moved; depends on the order of the votes."""

    models: tuple[str, ...]
    votes: NDArray[np.int64]
    """After how many votes each row of `ratings` stands, first 0."""
    ratings: NDArray[np.float64]
    """(checkpoints, k)."""
    k_factor: float
    seed: int | None
    """Of the shuffled order; None when the votes came in the order they were cast."""

    @property
    def final(self) -> dict[str, float]:
        """Where each model ended."""
        return dict(zip(self.models, self.ratings[-1].tolist(), strict=True))


def elo(
    comparisons: Comparisons,
    *,
    k_factor: float = 4.0,
    seed: int | None = None,
    checkpoints: int = 200,
    both_bad: BothBad = "exclude",
) -> EloTrace:
    """Play the votes one after the other, in their own order or in one shuffled with `seed`; everybody starts at 1000."""
    order = np.arange(len(comparisons)) if seed is None else np.random.default_rng(seed).permutation(len(comparisons))
    if both_bad == "exclude":
        order = order[comparisons.outcome[order] != BOTH_BAD]
    ratings = [1000.0] * len(comparisons.models)
    stops = np.unique(np.linspace(0, len(order), checkpoints + 1).astype(np.int64))
    trace = [list(ratings)]
    a, b = comparisons.a[order].tolist(), comparisons.b[order].tolist()
    won = (FROM_LEFT / 2)[comparisons.outcome[order]].tolist()
    for start, stop in zip(stops[:-1].tolist(), stops[1:].tolist(), strict=True):
        for n in range(start, stop):
            i, j = a[n], b[n]
            step = k_factor * (won[n] - 1 / (1 + 10 ** ((ratings[j] - ratings[i]) / 400)))
            ratings[i] += step
            ratings[j] -= step
        trace.append(list(ratings))
    return EloTrace(comparisons.models, stops, np.array(trace), k_factor, seed)
