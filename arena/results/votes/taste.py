"""What one citizen preferred, beside everybody: of few votes, so drawn towards what one would expect without them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from scipy.stats import beta

from arena.domain.vote import Winner
from arena.record.votes import OwnDecision

PRIOR_VOTES: Final = 10.0
"""The weight of what is expected, in votes: after so many of one's own, half of the share is one's own."""
EVEN: Final = 0.5


@dataclass(frozen=True, slots=True)
class Preference:
    """How often a citizen preferred one entrant."""

    entrant: str
    won: float
    """Battles in which they chose it; a tie counts half."""
    judged: int
    """Battles with it in which they preferred a side, or found the two alike."""
    share: float
    """Drawn towards what is expected."""
    everybody: float | None
    """Everybody's share; None where that is not disclosed."""
    beyond_chance: bool
    """Whether the difference from what is expected is more than chance explains, all entrants at once."""


def preferences(
    decisions: Sequence[OwnDecision], entrants: Sequence[str], everybody: Mapping[str, float] | None = None
) -> list[Preference]:
    """Compare a citizen's decisions with everybody's, the most preferred first; an entrant that they never judged is left out.

    With w wins (a tie counts ½) in n judged battles and the expected share p (everybody's where that is public, else ½), the share shown is the
    mean of the Beta posterior (w + m·p) / (n + m) under a prior of m = 10 votes. A difference is beyond chance where the central interval of
    Beta(w + ½, n − w + ½) at 1 − 0.05/k, for k entrants, does not hold p. `both_bad` prefers neither side and is not counted.
    """
    judged, won = dict.fromkeys(entrants, 0), dict.fromkeys(entrants, 0.0)
    for each in decisions:
        if each.winner is Winner.BOTH_BAD or not {each.model_a, each.model_b} <= judged.keys():
            continue
        half = each.winner is Winner.TIE
        for entrant, side in ((each.model_a, Winner.MODEL_A), (each.model_b, Winner.MODEL_B)):
            judged[entrant] += 1
            won[entrant] += 0.5 if half else float(each.winner is side)
    seen = [entrant for entrant in entrants if judged[entrant]]
    found = []
    for entrant in seen:
        w, n = won[entrant], judged[entrant]
        public = None if everybody is None else everybody.get(entrant)
        expected = EVEN if public is None else public
        tail = 0.05 / len(seen) / 2
        low, high = (float(beta.ppf(q, w + 0.5, n - w + 0.5)) for q in (tail, 1 - tail))
        share = (w + PRIOR_VOTES * expected) / (n + PRIOR_VOTES)
        found.append(Preference(entrant, w, n, share, public, not low <= expected <= high))
    return sorted(found, key=lambda each: -each.share)
