"""Who voted, as against who was meant to: small groups hidden, strata raked to the stage's margins, and what weighting costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from arena.domain.errors import Unusable

SMALL = 10
"""Groups of fewer people than this are not shown."""
ROUNDS = 1000
TOLERANCE = 1e-10
MOST = 5.0
"""The largest weight, as a multiple of the mean: one rare person must not speak for a crowd."""
UNKNOWN = "unknown"
"""Where a citizen gave no answer: weighted as they come, never guessed."""


def published(counts: Mapping[str, int]) -> dict[str, int | None]:
    """The counts with small groups hidden as None, and one more where a total would give a single hidden one away."""
    shown: dict[str, int | None] = {name: n if n >= SMALL or n == 0 else None for name, n in sorted(counts.items())}
    hidden = [name for name, n in shown.items() if n is None]
    if len(hidden) == 1:
        others = [name for name in shown if name not in hidden and counts[name] > 0]
        if others:
            shown[min(others, key=lambda name: (counts[name], name))] = None
    return shown


@dataclass(frozen=True, slots=True)
class Raked:
    """Weights of mean 1 that bring the voters to the target margins as far as the cap allows."""

    weights: Mapping[str, float]
    achieved: Mapping[str, Mapping[str, float]]
    """Per stratum, the weighted share of each category among those who answered."""
    n_eff: float
    """Kish's effective number: as many unweighted voters would say as much."""
    design_effect: float
    capped: int
    """Voters whose weight the cap cut."""


def rake(voters: Mapping[str, Mapping[str, str]], margins: Mapping[str, Mapping[str, float]]) -> Raked:
    """Iterative proportional fitting (Deming & Stephan 1940) of the voters to the target shares, weights capped at 5.

    Args:
        voters: each voter's category per stratum; a missing one is `unknown` and keeps its share.
        margins: target shares per stratum, summing to 1.

    Raises:
        Unusable: no voter, or a category that a target needs has nobody in it.
    """
    names = sorted(voters)
    if not names or not margins:
        raise Unusable(
            "nothing_to_rake", "가중할 투표자가 없습니다.", "There are no voters or no target margins to rake to."
        )
    masks: list[tuple[np.ndarray, float]] = []
    for stratum, shares in sorted(margins.items()):
        held = np.array([voters[name].get(stratum, UNKNOWN) for name in names])
        known = np.isin(held, list(shares)).sum() / len(names)
        for category, share in sorted(shares.items()):
            mask = held == category
            if share > 0 and not mask.any():
                raise Unusable(
                    "empty_stratum",
                    f"{stratum}의 {category}에 해당하는 투표자가 없어 가중할 수 없습니다.",
                    f"Nobody of {stratum} = {category} has voted, so the target {share:g} cannot be reached: ask some, or change the plan.",
                )
            masks.append((mask, share * known))
    weights = np.ones(len(names))
    for _ in range(ROUNDS):
        before = weights.copy()
        for mask, share in masks:
            total = weights[mask].sum()
            if total > 0:
                weights[mask] *= share * weights.sum() / total
        weights *= len(names) / weights.sum()
        weights = np.minimum(weights, MOST)
        if np.abs(weights - before).max() < TOLERANCE:
            break
    weights *= len(names) / weights.sum()
    weights = np.round(weights, 9)
    n_eff, effect = effective(weights.tolist())
    achieved = {stratum: _shares(names, weights, voters, stratum) for stratum in sorted(margins)}
    capped = int((weights >= MOST * (1 - 1e-6) * weights.mean()).sum())
    return Raked(dict(zip(names, weights.tolist(), strict=True)), achieved, n_eff, effect, capped)


def effective(weights: Sequence[float]) -> tuple[float, float]:
    """Kish's effective number of voters, and the design effect (how many times more voters weighting costs)."""
    w = np.asarray(weights, dtype=np.float64)
    n_eff = float(w.sum() ** 2 / (w @ w))
    return round(n_eff, 2), round(len(w) / n_eff, 4)


def strata_section(
    voters: Mapping[str, Mapping[str, str]], margins: Mapping[str, Mapping[str, float]], raked: Raked | None
) -> list[dict[str, Any]]:
    """Per stratum and category: the target, how many voters there are, and what share of the weight they carry."""
    rows = []
    for stratum, shares in sorted(margins.items()):
        counts = dict.fromkeys([*shares, UNKNOWN], 0)
        for answers in voters.values():
            held = answers.get(stratum, UNKNOWN)
            counts[held if held in counts else UNKNOWN] += 1
        shown = published(counts)
        for category in counts:
            share = None
            if raked is not None and shown[category] is not None:
                share = round(raked.achieved[stratum].get(category, 0.0), 6)
            rows.append(
                {
                    "stratum": stratum,
                    "category": category,
                    "target": shares.get(category),
                    "voters": shown[category],
                    "weighted_share": share,
                }
            )
    return rows


def _shares(
    names: Sequence[str], weights: np.ndarray, voters: Mapping[str, Mapping[str, str]], stratum: str
) -> dict[str, float]:
    totals: dict[str, float] = {}
    for name, weight in zip(names, weights.tolist(), strict=True):
        category = voters[name].get(stratum, UNKNOWN)
        totals[category] = totals.get(category, 0.0) + weight
    return {category: total / weights.sum() for category, total in sorted(totals.items())}
