"""Whether the side of an answer decides, which it must not."""

from dataclasses import dataclass
from math import sqrt
from typing import Any


@dataclass(frozen=True, slots=True)
class SideBias:
    """How often the answer on side a won, of the counted votes that had a winner; ½ when the sides are drawn fairly."""

    a: int
    b: int

    @property
    def share(self) -> float | None:
        """The share of side a; None without a decided vote."""
        return self.a / (self.a + self.b) if self.a + self.b else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Its 95 % interval (Wilson 1927), every vote taken as independent."""
        n, z = self.a + self.b, 1.959963984540054
        if not n:
            return None
        p = self.a / n
        centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        reach = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        return max(0.0, centre - reach), min(1.0, centre + reach)

    def to_json(self) -> dict[str, Any]:
        """As the leaderboard and the export show it."""
        interval = self.interval
        return {
            "wins_a": self.a,
            "wins_b": self.b,
            "share_a": None if self.share is None else round(self.share, 6),
            "share_a_ci95": None if interval is None else [round(end, 6) for end in interval],
        }
