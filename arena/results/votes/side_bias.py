"""Whether the side of an answer decides, which it must not: votes for either side by voter, kept as votes come and go."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from arena.results.votes.table import VoteTable
from ratings import shares
from ratings.anytime import Anytime
from ratings.comparison import A_WINS, B_WINS
from ratings.shares import SideBias


class SideCounts:
    """Counts of whole votes, so that telling the bias costs the same after ten votes or ten million."""

    def __init__(self) -> None:
        """Count nothing yet."""
        self._wins = np.zeros((2, 0), np.int64)

    def add(self, votes: VoteTable, rows: NDArray[np.bool_], count: int = 1) -> None:
        """Count these votes (`count` 1), or take them back (-1)."""
        chosen = np.flatnonzero(rows)
        if not len(chosen):
            return
        size = len(votes.voters)
        voter, outcome = votes.voter[chosen], votes.outcome[chosen]
        grown = np.stack([np.bincount(voter[outcome == side], minlength=size) for side in (A_WINS, B_WINS)]) * count
        grown[:, : self._wins.shape[1]] += self._wins
        self._wins = grown

    def bias(self, looks: Anytime | None) -> SideBias:
        """Tell the share of side a, its interval and its p, to six decimals."""
        return _rounded(shares.side_bias(self._wins[0], self._wins[1], looks))


def side_bias(votes: VoteTable, looks: Anytime | None) -> SideBias:
    """Tell the bias of the votes that are in the fit."""
    counts = SideCounts()
    counts.add(votes, votes.counted)
    return counts.bias(looks)


def _rounded(found: SideBias) -> SideBias:
    if found.share is None or found.interval is None:
        return found
    low, high = found.interval
    return replace(
        found,
        voters=round(found.voters, 2),
        share=round(found.share, 6),
        interval=(round(low, 6), round(high, 6)),
        p=None if found.p is None else round(found.p, 6),
    )
