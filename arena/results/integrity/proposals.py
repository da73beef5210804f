"""What the integrity tests propose, and what following them would do to the ranking. An organizer decides; nothing here excludes anybody."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from arena.domain.stage import Stage
from arena.domain.vote import Winner
from arena.record.store import Store
from arena.record.traces import DrawnFor, Traces, VoteTrace
from arena.results.integrity.coordination import STEP_S, WINDOW_S, Group, campaigns
from arena.results.integrity.voter_tests import TESTS, Ballots, Conduct, examine
from arena.results.votes.exclusions import ExclusionReason, active_exclusions
from arena.results.votes.inclusion import rating_seed, rule_of
from arena.results.votes.removals import removals
from ratings.comparison import OUTCOMES, Comparisons
from ratings.errors import NothingToRateError
from ratings.fit import rate
from ratings.result import Ratings
from ratings.score import Transform

VOTER_RATE = 0.05
"""The false-discovery rate at which single voters are proposed."""
CAMPAIGN_RATE = 0.01
"""That of networks and hours: a false one would cost many people their votes."""
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
    rule: str
    """The test with its threshold and what it found: what `integrity.exclude` wants as its grounds."""
    q: float
    voters: tuple[str, ...]
    battles: tuple[str, ...]
    p: Mapping[str, float]
    """Each test's p-value, for a single voter; empty for a campaign."""
    entrant: str | None
    """Whom the votes are for or against, where that is what stands out."""

    def to_json(self) -> dict[str, Any]:
        """For the organizer's console."""
        return {
            "reason": self.reason.value,
            "rule": self.rule,
            "q": self.q,
            "voters": list(self.voters),
            "battles": list(self.battles),
            "p": {test: float(f"{p:.3g}") for test, p in self.p.items()},
            "entrant": self.entrant,
        }


@dataclass(frozen=True, slots=True)
class _Names:
    entrants: tuple[str, ...]
    voters: tuple[str, ...]
    networks: tuple[str, ...]
    battles: tuple[str, ...]
    began: datetime


def propose(store: Store, stage: Stage) -> list[Proposal]:
    """Every voter, network and pair of hours that stands out in the stage's votes, the most striking first; what is excluded already is left out."""
    traces = Traces(store.database)
    ballots, names = read(traces.votes(stage.id), traces.draws(stage.id), stage)
    if len(ballots.voter) < FEWEST_VOTES:
        return []
    conduct = examine(ballots, VOTER_RATE)
    found = [_of_voter(ballots, names, conduct, int(v)) for v in conduct.flagged(VOTER_RATE)]
    found += [
        _of_group(ballots, names, group)
        for group in campaigns(ballots, conduct, VOTER_RATE)
        if group.q <= CAMPAIGN_RATE and len(group.members)
    ]
    done = active_exclusions(store, stage.id)
    left = [replace(each, battles=tuple(b for b in each.battles if b not in done)) for each in found]
    return sorted((each for each in left if each.battles), key=lambda each: (each.q, each.voters))


def read(votes: Iterable[VoteTrace], draws: Sequence[DrawnFor], stage: Stage) -> tuple[Ballots, _Names]:
    """The record's traces as columns; votes on checks are counted apart."""
    entrants, controls = stage.entrant_ids, frozenset(control.id for control in stage.controls)
    place = {entrant: code for code, entrant in enumerate(entrants)}
    voters: dict[str, int] = {}
    networks: dict[str, int] = {}
    prompts: dict[str, int] = {}
    rows: list[tuple[int, int, int, int, float, float, int, int]] = []
    battles: list[str] = []
    checked: Counter[tuple[int, bool]] = Counter()
    began: datetime | None = None
    outcome = {Winner(o.value): code for code, o in enumerate(OUTCOMES)}
    for vote in votes:
        began = began or vote.cast_at
        voter = voters.setdefault(vote.voter, len(voters))
        if vote.model_a in controls or vote.model_b in controls:
            good = Winner.MODEL_B if vote.model_a in controls else Winner.MODEL_A
            checked[voter, vote.winner not in (good, Winner.BOTH_BAD)] += 1
            continue
        network = -1 if vote.network is None else networks.setdefault(vote.network, len(networks))
        prompt = -1 if vote.prompt is None else prompts.setdefault(vote.prompt, len(prompts))
        judged = float("nan") if vote.judged_s is None else vote.judged_s
        a, b = place[vote.model_a], place[vote.model_b]
        rows.append(
            (voter, a, b, outcome[vote.winner], (vote.cast_at - began).total_seconds(), judged, network, prompt)
        )
        battles.append(vote.battle_id)
    drawn = np.zeros((len(voters), len(entrants)), np.int64)
    total = np.zeros(len(voters), np.int64)
    for draw in draws:
        if draw.voter in voters and draw.model_a in place and draw.model_b in place:
            drawn[voters[draw.voter], [place[draw.model_a], place[draw.model_b]]] += draw.battles
            total[voters[draw.voter]] += draw.battles
    checks = np.array([(checked[v, False] + checked[v, True], checked[v, True]) for v in range(len(voters))], np.int64)
    columns = [np.array(column) for column in zip(*rows, strict=True)] if rows else [np.empty(0, np.int64)] * 8
    voter, a, b, result, at, judged_s, network, prompt = columns
    ballots = Ballots(
        len(entrants),
        voter,
        a,
        b,
        result,
        at.astype(np.float64),
        judged_s.astype(np.float64),
        network,
        prompt,
        drawn,
        total,
        checks.reshape(-1, 2),
    )
    return ballots, _Names(entrants, tuple(voters), tuple(networks), tuple(battles), began or datetime.now(UTC))


def rated_without(store: Store, stage: Stage, excluded: Mapping[str, str]) -> Ratings | None:
    """The stage's ratings with exactly these battles' votes left out by an organizer: call it with none, the active and the proposed ones.

    Returns:
        None where no vote can be counted.
    """
    record = store.stages.find(stage.id)
    removed = frozenset(removal.entrant for removal in removals(store, stage.id))
    rule = rule_of(stage, excluded, removed)
    entrants = tuple(entrant for entrant in stage.entrant_ids if entrant in rule.entrants)
    place = {entrant: code for code, entrant in enumerate(entrants)}
    outcome = {Winner(o.value): code for code, o in enumerate(OUTCOMES)}
    voters: dict[str, int] = {}
    rows = [
        (place[v.model_a], place[v.model_b], outcome[v.winner], voters.setdefault(v.voter, len(voters)))
        for v in store.votes.after(stage.id, 0)
        if rule.left_out(v.battle_id, v.model_a, v.model_b, marked=v.marked) is None
    ]
    if not rows:
        return None
    declared = stage.protocol.transform
    try:
        return rate(
            Comparisons.from_codes(entrants, *(np.array(column) for column in zip(*rows, strict=True))),
            prior=stage.protocol.prior,
            both_bad=stage.protocol.both_bad,
            transform=Transform(declared.id, declared.version, declared.params),
            component_max=stage.component_max,
            seed=rating_seed(record.file_sha256) if record else 0,
        )
    except NothingToRateError:
        return None


def _of_voter(ballots: Ballots, names: _Names, conduct: Conduct, voter: int) -> Proposal:
    test = conduct.reason(voter)
    reason = _REASONS[test]
    q, p = float(conduct.q[voter]), {name: float(conduct.p[name][voter]) for name in TESTS}
    return Proposal(
        reason=reason,
        rule=f"voter test {test}: p = {p[test]:.2g}, q = {q:.2g} <= {VOTER_RATE} (Simes over {len(TESTS)} tests, Benjamini-Hochberg)",
        q=q,
        voters=(names.voters[voter],),
        battles=_battles(ballots, names, np.array([voter])),
        p=p,
        entrant=names.entrants[int(conduct.favourite[voter])] if reason is ExclusionReason.TARGET else None,
    )


def _of_group(ballots: Ballots, names: _Names, group: Group) -> Proposal:
    if group.kind == "network":
        where = f"network {names.networks[group.key][:8]}"
    else:
        start = names.began + timedelta(seconds=group.key * STEP_S)
        where = f"{WINDOW_S / 3600:.0f} hours from {start.isoformat(timespec='minutes')}"
    return Proposal(
        reason=ExclusionReason.CAMPAIGN,
        rule=(
            f"campaign test, {where}: {group.votes} votes, {group.excess:+.1f} wins for {names.entrants[group.entrant]} beyond the others' consensus, "
            f"q = {group.q:.2g} <= {CAMPAIGN_RATE} (Benjamini-Yekutieli); voters with 80 % of their votes there"
        ),
        q=group.q,
        voters=tuple(names.voters[v] for v in group.members),
        battles=_battles(ballots, names, group.members),
        p={},
        entrant=names.entrants[group.entrant],
    )


def _battles(ballots: Ballots, names: _Names, voters: np.ndarray) -> tuple[str, ...]:
    return tuple(names.battles[i] for i in np.flatnonzero(np.isin(ballots.voter, voters)))
