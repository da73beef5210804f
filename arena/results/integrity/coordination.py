"""Many who act as one: the votes of one network, or of one hour, held against everybody else's.

A campaign's voters may cast too few votes each to be told from honest ones; together they lean further than honest people do. Who is proposed for
exclusion depends on when and whence they voted, never on how: leaving out only the votes for somebody would itself favour somebody.

Neighbours answer for nobody: voters who stand out alone are left out first, and no group stands out through a single voter.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import stats

from arena.results.integrity.voter_tests import (
    SMALLEST,
    Ballots,
    Codes,
    Conduct,
    Floats,
    absence,
    benjamini_hochberg,
    per_entrant,
    residuals,
    subset,
)
from ratings.comparison import A_WINS, B_WINS, BOTH_BAD

WINDOW_S = 7200.0
STEP_S = 3600.0
MIN_GROUP_VOTES = 15
MIN_GROUP_VOTERS = 3
PASSING = 0.8
"""A voter belongs to a group that holds at least this share of their votes."""
HEAVY = 0.2
"""Whoever cast this share of a group's votes could carry it alone, so the group has to stand out without them too."""
DOUBTFUL = 0.05
"""Groups with a larger p are nothing to look at twice."""


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """The votes of one network, or of two hours, as the campaign tests see them."""

    kind: Literal["network", "window"]
    key: int
    """The network's code, or the window's number: it begins `key` hours after time 0."""
    votes: int
    p: float
    q: float
    entrant: int
    """The one it leans towards or against most."""
    excess: float
    """Wins of that entrant beyond what the others' consensus gives it here."""
    members: Codes
    """The voters who cast nearly all of their votes in it."""


def campaigns(ballots: Ballots, conduct: Conduct, rate: float = 0.05) -> list[Group]:
    """Find every network and window large enough to be looked at, the most striking first, with q-values under any dependence.

    Args:
        ballots: the votes.
        conduct: what `examine` found in them.
        rate: the false-discovery rate at which single voters were found; their votes say nothing about who voted beside them.
    """
    ballots = subset(ballots, ~np.isin(ballots.voter, conduct.flagged(rate)))
    hour = np.floor(ballots.at / STEP_S).astype(np.int64)
    span = int(WINDOW_S // STEP_S)
    # Windows overlap by half, so that nobody hides on the border between two; the q-values below allow for any dependence.
    hours = np.unique(np.concatenate([hour - back for back in range(span)]))
    groups: list[tuple[Literal["network", "window"], int, Codes]] = []
    for network in np.unique(ballots.network[ballots.network >= 0]).tolist():
        groups.append(("network", network, np.flatnonzero(ballots.network == network)))
    for first in hours[hours >= 0].tolist():
        groups.append(("window", first, np.flatnonzero((hour >= first) & (hour < first + span))))
    found: list[Group] = []
    for kind, key, votes in groups:
        if len(votes) >= MIN_GROUP_VOTES and len(np.unique(ballots.voter[votes])) >= MIN_GROUP_VOTERS:
            found.append(_carried_by_many(ballots, conduct, _tested(ballots, conduct, kind, key, votes), votes))
    if not found:
        return []
    q = benjamini_hochberg(_calibrated(found), dependent=True)
    return sorted(
        (replace(group, q=float(each)) for group, each in zip(found, q, strict=True)), key=lambda g: (g.q, g.p)
    )


def _carried_by_many(ballots: Ballots, conduct: Conduct, group: Group, votes: Codes) -> Group:
    """Give the group the largest of the p-values that it has without any one of its heavy voters."""
    if group.p > DOUBTFUL:
        return group
    voters, cast = np.unique(ballots.voter[votes], return_counts=True)
    for heavy in voters[cast >= HEAVY * len(votes)].tolist():
        others = subset(ballots, ballots.voter != heavy)
        rest = np.flatnonzero(np.isin(np.flatnonzero(ballots.voter != heavy), votes))
        group = replace(group, p=max(group.p, _tested(others, conduct, group.kind, group.key, rest).p))
    return group


def _tested(ballots: Ballots, conduct: Conduct, kind: Literal["network", "window"], key: int, votes: Codes) -> Group:
    inside = np.zeros(len(ballots.voter), bool)
    inside[votes] = True
    here = subset(ballots, inside)
    members = _members(ballots, here)
    lean, entrant, excess = _lean(here, conduct)
    decided = here.outcome[(here.outcome == A_WINS) | (here.outcome == B_WINS)]
    others = ballots.outcome[~inside]
    share = ((others == A_WINS).sum() + 0.5) / (((others == A_WINS) | (others == B_WINS)).sum() + 1)
    side = stats.binomtest(int((decided == A_WINS).sum()), len(decided), share).pvalue if len(decided) else 1.0
    # Three tests of one group: Bonferroni over them, before the false discovery rate over the groups.
    p = min(1.0, 3 * min(lean, float(side), _absent(ballots, members)))
    return Group(kind, key, len(votes), max(p, SMALLEST), 1.0, entrant, excess, members)


def _lean(here: Ballots, conduct: Conduct) -> tuple[float, int, float]:
    """How far the group's wins for one entrant lie from the consensus of those outside it; voters' tastes are independent."""
    kept = subset(here, here.outcome != BOTH_BAD)
    if not len(kept.voter):
        return 1.0, 0, 0.0
    agreed = conduct.consensus
    gap = agreed.theta[kept.a] - agreed.theta[kept.b]
    off = np.array([1.0, 0.0, 0.5, 0.5])[kept.outcome] - 1 / (1 + np.exp(-gap))
    everybody = replace(kept, voter=np.zeros_like(kept.voter))
    # One Newton step away from the group's own votes: the consensus that it is held against is the others'.
    shift = (per_entrant(everybody, off, 1) @ agreed.covariance)[0]
    without = replace(agreed, theta=agreed.theta - shift)
    residual, own, spread = residuals(kept, without, leave_out=False)
    total, variance = residual.sum(axis=0), (own + agreed.taste * spread).sum(axis=0)
    # Half a win off for the step from a count to the normal curve (continuity); two sides, any of k entrants.
    z = np.maximum(np.abs(total) - 0.5, 0) / np.sqrt(np.maximum(variance, 1e-9))
    entrant = int(z.argmax())
    return min(1.0, 2 * here.k * float(stats.norm.sf(z[entrant]))), entrant, float(total[entrant])


def _absent(ballots: Ballots, members: Codes) -> float:
    """Battles the members left unjudged, all members together."""
    if not len(members):
        return 1.0
    mine = np.isin(ballots.voter, members)
    faced = np.bincount(np.concatenate([ballots.a[mine], ballots.b[mine]]), minlength=ballots.k)[None, :]
    drawn = ballots.drawn[members].sum(axis=0)[None, :]
    total = ballots.drawn_total[members].sum()[None]
    return float(absence(drawn, total, faced, np.array([mine.sum()]))[0])


def _members(ballots: Ballots, here: Ballots) -> Codes:
    inside = np.bincount(here.voter, minlength=ballots.voters)
    votes = np.bincount(ballots.voter, minlength=ballots.voters)
    return np.flatnonzero((votes > 0) & (inside >= PASSING * votes))


def _calibrated(found: list[Group]) -> Floats:
    """Honest groups share tastes too (a campus, an evening): the middle of the groups says by how much, and all are scaled by it."""
    # Genomic control (Devlin and Roeder 1999): the median of |z| is 0.6745 where nothing goes on, and larger where everybody's is.
    z = stats.norm.isf(np.array([group.p for group in found]) / 2)
    typical = float(np.median(z[z > 0])) if (z > 0).sum() >= 10 else 0.0
    return 2 * stats.norm.sf(z / max(1.0, typical / 0.6745))
