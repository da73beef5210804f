"""Failing and saying one's name both take away a vote that might have been lost: does one entrant do either more often than the others?"""

from collections.abc import Mapping
from dataclasses import dataclass

from scipy import stats


@dataclass(frozen=True, slots=True)
class Veto:
    """How often one entrant did it."""

    times: int
    of: int
    """The battles, or votes, in which it could have."""
    p: float | None
    """That chance alone makes it so much more often than the others, corrected for asking it of everybody; None where nobody can tell."""


def vetoes(counts: Mapping[str, tuple[int, int]]) -> dict[str, Veto]:
    """Compare each entrant's share with that of all the others, `{entrant: (times, of)}`.

    Fisher's exact test (1922) of one side, more than the others; Bonferroni over the entrants. Battles of one citizen are alike, so a small p
    asks for a look at them and proves no intent.
    """
    times, of = (sum(each[n] for each in counts.values()) for n in (0, 1))
    found: dict[str, Veto] = {}
    for entrant, (own, tried) in counts.items():
        p = None
        if times > 0 and 0 < tried < of:
            p = min(1.0, len(counts) * float(stats.hypergeom.sf(own - 1, of, times, tried)))
        found[entrant] = Veto(own, tried, p)
    return found
