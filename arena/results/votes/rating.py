"""How a stage's votes are rated: the one place that turns what the stage file declares into a fit."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from arena.domain.stage import Stage
from arena.results.votes.inclusion import rating_seed
from arena.results.votes.table import VoteTable
from ratings import style
from ratings.anytime import Anytime
from ratings.comparison import BothBad, Comparisons
from ratings.errors import NothingToRateError, RatingsError
from ratings.fit import rate
from ratings.result import Ratings
from ratings.score import Transform
from ratings.voices import Voice


class Declared(TypedDict):
    """What a stage declares of its fit, as `ratings.fit.rate` and `ratings.live.LiveRatings.snapshot` take it."""

    prior: float
    transform: Transform
    component_max: float
    seed: int
    looks: Anytime | None


def declared(stage: Stage, file_sha256: str, looks: Anytime | None) -> Declared:
    """Read the declared fit; the seed of its draws comes from the sealed file's hash, `looks` from how the stage closes."""
    transform = stage.protocol.transform
    return {
        "prior": stage.protocol.prior,
        "transform": Transform(transform.id, transform.version, transform.params),
        "component_max": stage.component_max,
        "seed": rating_seed(file_sha256),
        "looks": looks,
    }


def compared(
    stage: Stage,
    votes: VoteTable,
    rows: NDArray[np.bool_],
    entrants: Sequence[str],
    *,
    voice: Voice | None = None,
    by_question: bool = True,
    weighted: bool = False,
) -> Comparisons:
    """Take these votes for a fit of these entrants as the stage declares, but for what is said here.

    Args:
        stage: whose voice a vote is, and over what the score generalises.
        votes: the table.
        rows: which of them; all have to be between two of the entrants.
        entrants: in the order of the answer.
        voice: whether each vote counts the same, or each citizen.
        by_question: whether questions (or topics, where the stage says so) are clusters besides voters.
        weighted: each citizen by their weight.
    """
    asked = votes.asked(stage.protocol.questions) if by_question else None
    return votes.comparisons(rows, entrants, voice=voice or stage.voice, asked=asked, weighted=weighted)


def rate_stage(
    stage: Stage,
    file_sha256: str,
    comparisons: Comparisons,
    *,
    looks: Anytime | None,
    both_bad: BothBad | None = None,
) -> Ratings | None:
    """Fit these comparisons as the stage declares, or with `both_bad` counted the other way.

    Returns:
        None where no two entrants were ever compared.
    """
    try:
        return rate(comparisons, both_bad=both_bad or stage.protocol.both_bad, **declared(stage, file_sha256, looks))
    except NothingToRateError:
        return None


def style_controlled(
    stage: Stage, votes: VoteTable, rows: NDArray[np.bool_], entrants: Sequence[str], looks: Anytime | None
) -> style.Controlled | None:
    """Fit these votes with length, formatting and side held equal.

    Args:
        stage: its prior and what it does with `both_bad` hold here too.
        votes: a measured table.
        rows: which of them; all have to be `styled`.
        entrants: in the order of the answer.
        looks: whether intervals hold at every look, as in `ratings.fit.rate`.

    Returns:
        None where some entrants never met, or no vote is left: there is nothing to show beside the raw fit.
    """
    counts = votes.measured.style[rows]
    sides = {
        f"{mark}_{side}": counts[:, place * len(style.MARKS) + column]
        for place, side in enumerate("ab")
        for column, mark in enumerate(style.MARKS)
    }
    protocol = stage.protocol
    try:
        return style.controlled(
            compared(stage, votes, rows, entrants),
            style.differences(sides),
            prior=protocol.prior,
            both_bad=protocol.both_bad,
            looks=looks,
        )
    except RatingsError:
        return None
