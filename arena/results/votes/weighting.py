"""Who voted, as against who was meant to: small groups hidden, strata raked to the stage's margins, and what weighting costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import pandas as pd

from arena.domain.stage import Stratum
from ratings import weights as raking

SMALL = 10
"""Groups of fewer people than this are not shown."""
MOST = 5.0
"""The largest weight, as a multiple of the mean: one rare person must not speak for a crowd."""
UNKNOWN = "unknown"
"""Where a citizen gave no answer: weighted as they come, never guessed."""


def published(counts: Mapping[str, int]) -> dict[str, int | None]:
    """Give the counts with small groups hidden as None, and one more where a total would give a single hidden one away."""
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
    """Of the strata that were used, the weighted share of each category."""
    n_eff: float
    """Kish's effective number: as many unweighted voters would say as much."""
    design_effect: float


def rake(voters: Mapping[str, Mapping[str, str]], margins: Mapping[str, Mapping[str, float]]) -> Raked | None:
    """Rake the voters to the target shares (`ratings.weights`), no weight above 5 times or below a fifth of the mean.

    A stratum is used only if every category of it has ten voters or more: fewer cannot stand for a share of the country, and their
    weights would show who they are. Voters who gave no answer keep their share.

    Args:
        voters: each voter's category per stratum, as far as known.
        margins: target shares per stratum, each adding up to 1.

    Returns:
        None where no stratum can be used.
    """
    names = sorted(voters)
    usable = {
        stratum: shares
        for stratum, shares in sorted(margins.items())
        if all(sum(voters[name].get(stratum) == category for name in names) >= SMALL for category in shares)
    }
    if not usable:
        return None
    answers = {stratum: [voters[name].get(stratum) for name in names] for stratum in usable}
    known = {s: [held if held in usable[s] else None for held in column] for s, column in answers.items()}
    weights = np.round(raking.rake(pd.DataFrame(known, dtype=object), usable, cap=MOST).weights, 9)
    n_eff, effect = effective(weights.tolist())
    achieved = {stratum: _shares(names, weights, voters, stratum) for stratum in usable}
    return Raked(dict(zip(names, weights.tolist(), strict=True)), achieved, n_eff, effect)


def effective(weights: Sequence[float]) -> tuple[float, float]:
    """Give Kish's effective number of voters, and the design effect (how many times more voters weighting costs)."""
    w = np.asarray(weights, dtype=np.float64)
    n_eff = float(w.sum() ** 2 / (w @ w))
    return round(n_eff, 2), round(len(w) / n_eff, 4)


class StratumRow(TypedDict):
    """One category of one stratum."""

    stratum: str
    category: str
    """`UNKNOWN` for who did not say."""
    target: float | None
    """Its share by plan; None for `UNKNOWN`."""
    voters: int | None
    """None for a group that is too small to show."""
    weighted_share: float | None
    """The share of the weight that they carry; None where nothing is weighted."""


def strata_rows(
    voters: Mapping[str, Mapping[str, str]], strata: Sequence[Stratum], raked: Raked | None
) -> list[StratumRow]:
    """Hold who voted against who was meant to, category by category."""
    rows: list[StratumRow] = []
    for stratum in strata:
        targets = {category.id: category.target for category in stratum.categories} | {UNKNOWN: None}
        counts = dict.fromkeys(targets, 0)
        for answers in voters.values():
            held = answers.get(stratum.id, UNKNOWN)
            counts[held if held in counts else UNKNOWN] += 1
        shown = published(counts)
        achieved = raked.achieved.get(stratum.id) if raked else None
        for category, target in targets.items():
            rows.append(
                {
                    "stratum": stratum.id,
                    "category": category,
                    "target": target,
                    "voters": shown[category],
                    "weighted_share": None
                    if achieved is None or shown[category] is None
                    else round(achieved.get(category, 0.0), 6),
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
    return {category: total / float(weights.sum()) for category, total in sorted(totals.items())}
