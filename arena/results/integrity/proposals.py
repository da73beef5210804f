"""What the integrity tests propose. An organizer decides; nothing here excludes anybody."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import numpy as np

from arena.domain.grounds import Grounds, HoursGrounds, NetworkGrounds, VoterGrounds
from arena.domain.review import Review
from arena.domain.stage import Stage
from arena.record.draws import DrawnFor
from arena.record.store import Store
from arena.results.integrity.coordination import PASSING, STEP_S, WINDOW_S, Group, campaigns
from arena.results.integrity.voter_tests import TESTS, Ballots, Conduct, examine
from arena.results.votes.exclusions import ExclusionReason
from arena.results.votes.feed import VoteFeed
from arena.results.votes.table import VoteTable
from ratings.comparison import A_WINS, B_WINS, BOTH_BAD

FEWEST_VOTES = 50
"""Below, there is no crowd to hold a voter against."""

_REASONS = {
    "side": ExclusionReason.SIDE,
    "outcome": ExclusionReason.SIDE,
    "consensus": ExclusionReason.RANDOM,
    "check": ExclusionReason.RANDOM,
    "target": ExclusionReason.TARGET,
    "absence": ExclusionReason.TARGET,
    "speed": ExclusionReason.SPEED,
    "burst": ExclusionReason.SPEED,
    "repeat": ExclusionReason.DUPLICATE,
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """Votes that stand out together, and why."""

    reason: ExclusionReason
    grounds: Grounds
    """The test with its threshold and what it found."""
    q: float
    voters: tuple[str, ...]
    seqs: tuple[int, ...]
    """The votes' numbers in the record."""
    battles: tuple[str, ...]
    p: Mapping[str, float]
    """Each test's p-value, for a single voter; empty for a campaign."""
    entrant: str | None
    """Whom the votes are for or against, where that is what stands out."""

    @property
    def key(self) -> str:
        """Name exactly these votes for this reason: an act on it cannot hit others."""
        return key_of(self.reason, self.battles)


def key_of(reason: str, battles: Iterable[str]) -> str:
    """Make the key of a proposal: 24 hex characters of a hash over its reason and its battles, a line each, in order."""
    return sha256("\n".join((reason, *sorted(battles))).encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class _Names:
    entrants: tuple[str, ...]
    voters: tuple[str, ...]
    networks: tuple[str, ...]
    seqs: tuple[int, ...]
    began: datetime


def propose(feed: VoteFeed, store: Store, stage: Stage) -> list[Proposal]:
    """Find every voter, network and pair of hours that stands out in the stage's votes, at the rates that its file seals, the most striking first.

    A vote that stands out twice is named once, by the proposal that is surer of it: each can be followed or declined without the others.
    """
    table, _ = feed.table(measured=True)
    table = table.by_time()
    ballots, names = ballots_of(table, store.draws.for_voters(stage.id), stage)
    if len(ballots.voter) < FEWEST_VOTES:
        return []
    review = stage.review
    conduct = examine(ballots, review.voter_rate)
    found = [_of_voter(ballots, names, conduct, review, int(v)) for v in conduct.flagged(review.voter_rate)]
    found += [
        _of_group(ballots, names, review, group)
        for group in campaigns(ballots, conduct, review.voter_rate)
        if group.q <= review.campaign_rate and len(group.members)
    ]
    left = _disjoint(sorted(found, key=lambda each: (each.q, each.voters)))
    battles = dict(zip(seqs := sorted(s for each in left for s in each.seqs), feed.battles_of(seqs), strict=True))
    return [replace(each, battles=tuple(battles[seq] for seq in each.seqs)) for each in left]


def ballots_of(table: VoteTable, draws: Sequence[DrawnFor], stage: Stage) -> tuple[Ballots, _Names]:
    """Bring a measured table, in the order of time, into the columns of the tests; votes on checks are counted apart, those on repeats not at all."""
    entrants = stage.entrant_ids
    place = {entrant: code for code, entrant in enumerate(entrants)}
    is_control = np.array([entrant not in place for entrant in table.entrants], bool)
    control_a = is_control[table.a] if len(table) else np.zeros(0, bool)
    control_b = is_control[table.b] if len(table) else np.zeros(0, bool)
    check = control_a | control_b
    repeat = table.repeat_of > 0
    right = np.where(control_a, B_WINS, A_WINS)
    wrong = check & (table.outcome != right) & (table.outcome != BOTH_BAD)
    votes = ~check & ~repeat
    people = len(table.voters)
    drawn = np.zeros((people, len(entrants)), np.int64)
    total = np.zeros(people, np.int64)
    voters = {voter: code for code, voter in enumerate(table.voters)}
    for draw in draws:
        if draw.voter in voters and draw.model_a in place and draw.model_b in place:
            drawn[voters[draw.voter], [place[draw.model_a], place[draw.model_b]]] += draw.battles
            total[voters[draw.voter]] += draw.battles
    checks = np.stack([np.bincount(table.voter[rows], minlength=people) for rows in (check, wrong)], axis=1)
    began = int(table.cast_at[0]) if len(table) else 0
    ballots = Ballots(
        len(entrants),
        table.voter[votes].astype(np.int64),
        table.a[votes].astype(np.int64),
        table.b[votes].astype(np.int64),
        table.outcome[votes].astype(np.int64),
        (table.cast_at[votes] - began) / 1e6,
        table.measured.judged_s[votes],
        table.network[votes].astype(np.int64),
        table.measured.prompt[votes].astype(np.int64),
        drawn,
        total,
        checks.astype(np.int64),
    )
    moment = datetime.fromtimestamp(began / 1e6, UTC)
    return ballots, _Names(entrants, table.voters, table.networks, tuple(table.seq[votes].tolist()), moment)


def _disjoint(found: Sequence[Proposal]) -> list[Proposal]:
    """Leave to each proposal the votes that none before it names; nothing where none is left."""
    named: set[int] = set()
    left: list[Proposal] = []
    for proposal in found:
        if seqs := tuple(seq for seq in proposal.seqs if seq not in named):
            left.append(replace(proposal, seqs=seqs))
            named.update(seqs)
    return left


def _of_voter(ballots: Ballots, names: _Names, conduct: Conduct, review: Review, voter: int) -> Proposal:
    test = conduct.reason(voter)
    reason = _REASONS[test]
    q, p = float(conduct.q[voter]), {name: float(conduct.p[name][voter]) for name in TESTS}
    return Proposal(
        reason=reason,
        grounds=VoterGrounds(test=test, p=p[test], q=q, rate=review.voter_rate, tests=len(TESTS)),
        q=q,
        voters=(names.voters[voter],),
        seqs=_seqs(ballots, names, np.array([voter])),
        battles=(),
        p=p,
        entrant=names.entrants[int(conduct.favourite[voter])] if reason is ExclusionReason.TARGET else None,
    )


def _of_group(ballots: Ballots, names: _Names, review: Review, group: Group) -> Proposal:
    entrant = names.entrants[group.entrant]
    leaning: dict[str, Any] = {"votes": group.votes, "entrant": entrant, "excess": group.excess, "q": group.q}
    leaning |= {"rate": review.campaign_rate, "share": PASSING}
    grounds: Grounds
    if group.kind == "network":
        grounds = NetworkGrounds(network=names.networks[group.key][:8], **leaning)
    else:
        start = names.began + timedelta(seconds=group.key * STEP_S)
        grounds = HoursGrounds(since=start, hours=WINDOW_S / 3600, **leaning)
    return Proposal(
        reason=ExclusionReason.CAMPAIGN,
        grounds=grounds,
        q=group.q,
        voters=tuple(names.voters[v] for v in group.members),
        seqs=_seqs(ballots, names, group.members),
        battles=(),
        p={},
        entrant=entrant,
    )


def _seqs(ballots: Ballots, names: _Names, voters: np.ndarray) -> tuple[int, ...]:
    return tuple(names.seqs[i] for i in np.flatnonzero(np.isin(ballots.voter, voters)))
