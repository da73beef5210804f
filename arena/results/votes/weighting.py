"""Who voted, as against who was meant to: small groups hidden, strata raked to the stage's margins, and what weighting costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arena.domain.stage import Stage, Stratum
from arena.results.votes.strata import StrataTable
from arena.results.votes.table import VoteTable
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


def rateable(counts: Mapping[str, int]) -> set[str]:
    """Tell which groups may have a result of their own: those with a count in `published`, and the one that is hidden with a single small one,
    where the two together are so many that whoever knows their sum knows it to have ten people: its result then says no more."""
    hidden = [name for name, n in published(counts).items() if n is None]
    apart = sum(counts[name] for name in hidden) < 2 * SMALL - 1
    return {name for name, n in counts.items() if n >= SMALL and not (apart and name in hidden)}


@dataclass(frozen=True, slots=True)
class Raked:
    """Weights of mean 1 that bring the voters to the target margins as far as the cap and the classes allow."""

    weights: Mapping[str, float]
    achieved: Mapping[str, Mapping[str, float]]
    """Of the strata that were used, the share of the fit that each category has."""


def rake(strata: StrataTable, margins: Mapping[str, Mapping[str, float]]) -> Raked | None:
    """Rake the voters to the target shares (`ratings.weights`), no weight above 5 times or below a fifth of the mean.

    A voter's weight is shared over their votes (`ratings.voices`), so the shares are those of the voters, however often each
    voted. A stratum is used only if every category of it has ten voters or more: fewer cannot stand for a share of the country.
    Voters who gave no answer keep their share. In the end voters of about the same weight get the mean of theirs, so that each
    weight belongs to ten people or more and shows nobody's answers.

    Args:
        strata: only those with a vote in the fit.
        margins: target shares per stratum, each adding up to 1.

    Returns:
        None where no stratum can be used.
    """
    named = {stratum: strata.named(stratum) for stratum in sorted(margins)}
    usable = {
        stratum: margins[stratum]
        for stratum, held in named.items()
        if all(held.count(category) >= SMALL for category in margins[stratum])
    }
    if not usable:
        return None
    known = {s: [held if held in usable[s] else None for held in named[s]] for s in usable}
    weights = in_classes(raking.rake(pd.DataFrame(known, dtype=object), usable, cap=MOST).weights)
    achieved = {stratum: _shares(named[stratum], weights) for stratum in usable}
    return Raked(dict(zip(strata.voters, weights.tolist(), strict=True)), achieved)


def weigh(votes: VoteTable, stage: Stage, strata: StrataTable) -> Raked | None:
    """Rake the voters with a vote that decides the score to the stage's margins; None where no stratum can be used.

    They are taken in the alphabet's order, so that the same votes and strata give the same digits wherever they were read.
    """
    here = np.unique(votes.voter[votes.in_fit(stage.protocol.both_bad)])
    fitted = sorted(votes.voters[code] for code in here.tolist())
    return rake(strata.among(fitted), stage.population.margins)


def in_classes(weights: NDArray[np.float64], least: int = SMALL) -> NDArray[np.float64]:
    """Give neighbouring weights their mean, so that at least so many people share each; equal weights stay together.

    Args:
        weights: of each voter, (voters,).
        least: how many people share a weight; all of them where there are fewer.
    """
    values, which, people = np.unique(np.round(weights, 9), return_inverse=True, return_counts=True)
    of_value, held, at = np.zeros(len(values), np.intp), 0, 0
    for n, count in enumerate(people.tolist()):
        of_value[n], held = at, held + count
        if held >= least and people[n + 1 :].sum() >= least:
            held, at = 0, at + 1
    sums, sizes = np.bincount(of_value, values * people), np.bincount(of_value, people)
    return np.round(sums / sizes, 9)[of_value[which]]


def effective(weights: NDArray[np.float64], votes: NDArray[np.integer]) -> tuple[float, float]:
    """Give Kish's effective number of votes, and the design effect (how many times more votes weighting and sharing cost).

    Args:
        weights: of each voter, shared over their votes.
        votes: of each voter in the fit, 1 or more.
    """
    n_eff = float(weights.sum() ** 2 / (weights**2 / votes).sum())
    return round(n_eff, 2), round(float(votes.sum()) / n_eff, 4)


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
    """Their share of the weighted fit; None where nothing is weighted."""


def strata_rows(strata: StrataTable, declared: Sequence[Stratum], raked: Raked | None) -> list[StratumRow]:
    """Hold who voted against who was meant to, category by category."""
    rows: list[StratumRow] = []
    for stratum in declared:
        targets = {category.id: category.target for category in stratum.categories} | {UNKNOWN: None}
        held = [name or UNKNOWN for name in strata.named(stratum.id)]
        shown = published({category: held.count(category) for category in targets})
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


def _shares(held: Sequence[str | None], weights: NDArray[np.float64]) -> dict[str, float]:
    totals: dict[str, float] = {}
    for category, weight in zip(held, weights.tolist(), strict=True):
        totals[category or UNKNOWN] = totals.get(category or UNKNOWN, 0.0) + weight
    return {category: total / float(weights.sum()) for category, total in sorted(totals.items())}
