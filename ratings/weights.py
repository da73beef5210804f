"""Raking: weights that bring the voters' margins to the population's (Deming & Stephan 1940), capped.

A variant beside the unweighted fit, never instead of it: weights repair who voted, not why.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratings.comparison import Comparisons
from ratings.errors import ComparisonError, RatingsError

_ROUNDS = 500
_REACHED = 1e-10


@dataclass(frozen=True, slots=True)
class Margin:
    """One level of one variable: what was wanted, what was there, what the weights achieve.

    Shares of the votes, or of the voters where `rake` was given no votes, among those whose trait is known.
    """

    variable: str
    level: str
    target: float
    before: float
    achieved: float


@dataclass(frozen=True, slots=True, eq=False)
class Raking:
    """A weight for each voter, mean 1 over the votes."""

    weights: NDArray[np.float64]
    """(voters,) in the order of the traits' rows."""
    margins: tuple[Margin, ...]
    cap: float
    capped: int
    """Voters whose weight the cap holds."""
    design_effect: float
    """Kish's 1 + cv²: how much the weights widen a variance."""
    n_eff: float
    """Votes an unweighted sample of the same precision would have."""

    def to_dict(self) -> dict[str, Any]:
        """As the export's `population.weighting` shows it."""
        return {
            "method": "raking",
            "cap": self.cap,
            "capped": self.capped,
            "design_effect": round(self.design_effect, 6),
            "n_eff": round(self.n_eff, 2),
            "margins": [
                {
                    "variable": m.variable,
                    "level": m.level,
                    "target": round(m.target, 6),
                    "before": round(m.before, 6),
                    "achieved": round(m.achieved, 6),
                }
                for m in self.margins
            ],
        }


def rake(
    traits: pd.DataFrame, targets: Mapping[str, Mapping[str, float]], votes: NDArray | None = None, cap: float = 5.0
) -> Raking:
    """Find the weights.

    Args:
        traits: a row for each voter, a column for each variable (sex, region, age band, AI use, …). Where a voter gave
            no answer (None, NaN) the variable does not touch the weight: those without one keep their share together.
        targets: `{variable: {level: share}}`; shares of a variable add up to 1.
        votes: how many votes each voter cast; margins are of votes, which is what the fit sees. None counts each once.
        cap: no weight above `cap` times, or below 1/`cap` times, the mean.

    Raises:
        ComparisonError: a voter's trait has no target; names the row.
        RatingsError: a target that no voter can meet, or shares that do not add up to 1.
    """
    if cap <= 1:
        raise RatingsError("weight_cap", cap=cap)
    base = np.ones(len(traits)) if votes is None else np.asarray(votes, dtype=np.float64)
    coded = [_coded(traits, variable, shares) for variable, shares in targets.items()]
    shares = [_with_unknown(codes, base, of) for codes, of in zip(coded, targets.values(), strict=True)]
    weights = np.ones(len(traits))
    for _ in range(_ROUNDS):
        before = weights
        for codes, wanted in zip(coded, shares, strict=True):
            total = np.bincount(codes, base * weights, minlength=len(wanted))
            weights = weights * (wanted * total.sum() / np.where(total > 0, total, 1))[codes]
        weights = _trimmed(weights, base, cap)
        if np.abs(weights - before).max() < _REACHED:
            break
    held = (weights > cap * (1 - 1e-9)) | (weights < 1 / cap * (1 + 1e-9))
    margins = [
        Margin(variable, level, float(wanted), float(was[n]), float(now[n]))
        for (variable, of), codes in zip(targets.items(), coded, strict=True)
        for was, now in [(_known_shares(codes, base, len(of)), _known_shares(codes, base * weights, len(of)))]
        for n, (level, wanted) in enumerate(of.items())
    ]
    n_eff = float((base * weights).sum() ** 2 / (base * weights**2).sum())
    return Raking(weights, tuple(margins), cap, int(held.sum()), float(base.sum()) / n_eff, n_eff)


def weighted(comparisons: Comparisons, weights: NDArray[np.float64]) -> Comparisons:
    """Return the same votes, each with its voter's weight; `weights[code]` belongs to the voter with that code."""
    if comparisons.voter is None:
        raise RatingsError("weights_without_voters")
    return replace(comparisons, weight=np.asarray(weights, dtype=np.float64)[comparisons.voter])


def _trimmed(weights: NDArray[np.float64], base: NDArray[np.float64], cap: float) -> NDArray[np.float64]:
    """Between 1/cap and cap, with mean 1 over the votes at the same time."""
    for _ in range(_ROUNDS):
        weights = weights * base.sum() / (base * weights).sum()
        if weights.max() <= cap * (1 + 1e-12) and weights.min() >= (1 - 1e-12) / cap:
            break
        weights = np.clip(weights, 1 / cap, cap)
    return weights


def _coded(traits: pd.DataFrame, variable: str, shares: Mapping[str, float]) -> NDArray[np.intp]:
    """Each voter's level as a code; one more code for those whose level is not known."""
    if variable not in traits.columns:
        raise RatingsError("trait_unknown", trait=variable, known=tuple(map(str, traits.columns)))
    if abs(sum(shares.values()) - 1) > 1e-6 or min(shares.values()) <= 0:
        raise RatingsError("target_shares", trait=variable, total=sum(shares.values()))
    codes = pd.Index(list(shares)).get_indexer(pd.Index(traits[variable].astype(object)))
    unknown = traits[variable].isna().to_numpy()
    stray = (codes < 0) & ~unknown
    if stray.any():
        row = int(stray.argmax())
        raise ComparisonError("level_without_share", trait=variable, value=repr(traits[variable].iloc[row]), row=row)
    empty = [level for n, level in enumerate(shares) if not (codes == n).any()]
    if empty:
        raise RatingsError("level_empty", trait=variable, value=repr(empty[0]))
    return np.where(unknown, len(shares), codes)


def _with_unknown(codes: NDArray[np.intp], base: NDArray[np.float64], of: Mapping[str, float]) -> NDArray[np.float64]:
    """Return the target of each code: the declared shares of what is known, and for the unknown the share that they have."""
    unknown = float(base[codes == len(of)].sum() / base.sum())
    return np.append(np.array(list(of.values())) * (1 - unknown), unknown)


def _known_shares(codes: NDArray[np.intp], weight: NDArray[np.float64], levels: int) -> NDArray[np.float64]:
    totals = np.bincount(codes, weight, minlength=levels + 1)[:levels]
    return totals / totals.sum()
