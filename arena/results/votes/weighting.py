"""Who voted, as against who was meant to: small groups hidden, strata raked to the stage's margins, and what weighting costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arena.domain.stage import Stage, Stratum
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


@dataclass(frozen=True, slots=True)
class Raked:
    """Weights of mean 1 that bring the voters to the target margins as far as the cap and the classes allow."""

    weights: Mapping[str, float]
    achieved: Mapping[str, Mapping[str, float]]
    """Of the strata that were used, the share of the fit that each category has."""


def rake(voters: Mapping[str, Mapping[str, str]], margins: Mapping[str, Mapping[str, float]]) -> Raked | None:
    """Rake the voters to the target shares (`ratings.weights`), no weight above 5 times or below a fifth of the mean.

    A voter's weight is shared over their votes (`ratings.voices`), so the shares are those of the voters, however often each
    voted. A stratum is used only if every category of it has ten voters or more: fewer cannot stand for a share of the country.
    Voters who gave no answer keep their share. In the end voters of about the same weight get the mean of theirs, so that each
    weight belongs to ten people or more and shows nobody's answers.

    Args:
        voters: each voter's category per stratum, as far as known; only those with a vote in the fit.
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
    weights = in_classes(raking.rake(pd.DataFrame(known, dtype=object), usable, cap=MOST).weights)
    achieved = {stratum: _shares(names, weights, voters, stratum) for stratum in usable}
    return Raked(dict(zip(names, weights.tolist(), strict=True)), achieved)


def in_fit(votes: VoteTable, stage: Stage, people: Mapping[str, Mapping[str, str]]) -> dict[str, Mapping[str, str]]:
    """Take the voters with a vote that decides the score: those that weights are for."""
    here = np.unique(votes.voter[votes.in_fit(stage.protocol.both_bad)])
    return {votes.voters[code]: people.get(votes.voters[code], {}) for code in here.tolist()}


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
