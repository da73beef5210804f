"""The score as the population that a stage plans for would give it: a multilevel model of what its strata tell, poststratified to their targets."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from arena.domain.stage import Stage
from arena.results.votes.rating import compared, declared
from arena.results.votes.strata import StrataTable
from arena.results.votes.table import VoteTable
from arena.results.votes.weighting import SMALL
from ratings import multilevel
from ratings.anytime import Anytime
from ratings.errors import RatingsError
from ratings.multilevel import Cells, Representative, Stratum

MOST_CELLS = 20_000
"""Of a population: more of them than any panel has people."""


def answered(stage: Stage, votes: VoteTable, strata: StrataTable) -> list[str]:
    """List the strata with targets that ten people or more in the fit have answered; `strata` are those of the table's voters, in its order."""
    here = np.unique(votes.voter[votes.in_fit(stage.protocol.both_bad)])
    margins = stage.population.margins
    return [s for s in strata.strata if s in margins and (strata.column(s)[here] >= 0).sum() >= SMALL]


def represented(
    stage: Stage,
    file_sha256: str,
    votes: VoteTable,
    entrants: Sequence[str],
    strata: StrataTable,
    looks: Anytime | None,
) -> Representative | None:
    """Rate the counted votes as the planned population would.

    Args:
        stage: its strata with their targets, and how it declares that votes are rated.
        file_sha256: of its sealed file.
        votes: the table.
        entrants: in the order of the answer.
        strata: of all the table's voters.
        looks: whether intervals hold at every look, as in `ratings.fit.rate`.

    Returns:
        None where no stratum with targets was answered by enough people, or nothing can be rated.
    """
    known, margins = strata.among(votes.voters), stage.population.margins
    used = answered(stage, votes, known)
    if not used or math.prod(len(margins[s]) for s in used) > MOST_CELLS:
        return None
    try:
        return multilevel.representative(
            compared(stage, votes, votes.counted, entrants),
            [Stratum(s, tuple(margins[s]), _placed(known, s, list(margins[s]))) for s in used],
            Cells.of_margins([list(margins[s].values()) for s in used]),
            both_bad=stage.protocol.both_bad,
            **declared(stage, file_sha256, looks),
        )
    except RatingsError:  # no vote that counts, no prior, or an anchor that was never compared
        return None


def _placed(known: StrataTable, stratum: str, names: Sequence[str]) -> NDArray[np.integer]:
    """Give a stratum's codes among the categories that have a target; those without one are not known."""
    categories = known.categories[known.strata.index(stratum)]
    place = np.array([names.index(each) if each in names else -1 for each in categories] + [-1])
    return place[known.column(stratum)]
