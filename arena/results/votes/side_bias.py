"""Whether the side of an answer decides, which it must not."""

from dataclasses import dataclass
from math import sqrt
from typing import Self

import numpy as np

from arena.results.votes.table import VoteTable
from ratings.comparison import A_WINS, B_WINS, OUTCOMES


@dataclass(frozen=True, slots=True)
class SideBias:
    """How often the answer on side a won, of the counted votes that had a winner; ½ when the sides are drawn fairly."""

    a: int
    b: int

    @classmethod
    def of(cls, votes: VoteTable) -> Self:
        """Count the votes that are in the fit."""
        counts = np.bincount(votes.outcome[votes.counted], minlength=len(OUTCOMES)).tolist()
        return cls(counts[A_WINS], counts[B_WINS])

    @property
    def share(self) -> float | None:
        """The share of side a, to six decimals; None without a decided vote."""
        return round(self.a / (self.a + self.b), 6) if self.a + self.b else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Its 95 % interval (Wilson 1927), to six decimals, every vote taken as independent."""
        n, z = self.a + self.b, 1.959963984540054
        if not n:
            return None
        p = self.a / n
        centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        reach = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        return round(max(0.0, centre - reach), 6), round(min(1.0, centre + reach), 6)
