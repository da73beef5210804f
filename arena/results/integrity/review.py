"""The review between freeze and publication: what was proposed at the freeze, what became of each proposal, and who looked at a result meanwhile.

Acts change nothing that anybody sees before the result is published; whoever has a result made meanwhile is on record, and so is published.
"""

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from arena.domain.errors import Conflict, NotFound, Unusable
from arena.domain.grounds import GROUNDS, Grounds, WrittenGrounds
from arena.domain.stage import Stage, StageStatus
from arena.record.events import Entry, Event
from arena.record.store import Store
from arena.results.integrity.proposals import Proposal, propose
from arena.results.votes.exclusions import Acting, Exclusion, ExclusionReason, root_over
from arena.results.votes.feed import VoteFeed
from arena.results.votes.sealed import known, sealed_stage

DECIDED, LOOKED = "review.decided", "review.looked"


@dataclass(frozen=True, slots=True)
class Proposed:
    """Votes that were proposed to be left out when the stage froze."""

    key: str
    reason: ExclusionReason
    grounds: Grounds
    q: float
    voters: tuple[str, ...]
    battles: tuple[str, ...]
    root: str
    """Of the Merkle tree over their receipts, as an act that follows this has it."""
    p: Mapping[str, float]
    """Each test's p-value, for a single voter."""
    entrant: str | None
    """Whom the votes are for or against, where that is what stands out."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of one proposal."""

    key: str
    followed: bool
    at: datetime
    organizer: str
    why: str | None
    """Why it was declined; None where it was followed."""


@dataclass(frozen=True, slots=True)
class Look:
    """That a result was made before publication, for somebody who could see it."""

    at: datetime
    acts: int
    """How many acts had been made by then: what these did could be seen."""


def keep_proposals(store: Store, stage: Stage, now: datetime) -> None:
    """Propose on a stage that has just frozen, and keep it; once kept it never changes, whatever is erased later."""
    if store.reviews.find(stage.id) is not None:
        return
    keep(store, stage.id, propose(VoteFeed(store, stage), store, stage), now)


def keep(store: Store, stage_id: str, found: Iterable[Proposal], now: datetime) -> None:
    """Keep these as what is proposed."""
    rows = []
    for proposal in found:
        receipts = store.votes.receipts_of(stage_id, proposal.battles)
        rows.append(
            {
                "key": proposal.key,
                "reason": proposal.reason.value,
                "grounds": GROUNDS.dump_python(proposal.grounds, mode="json"),
                "q": proposal.q,
                "voters": proposal.voters,
                "battles": proposal.battles,
                "root": root_over(receipt for receipt, _ in receipts.values()),
                "p": proposal.p,
                "entrant": proposal.entrant,
            }
        )
    store.reviews.keep(stage_id, now, zlib.compress(orjson.dumps(rows)))


def proposals_of(store: Store, stage_id: str) -> list[Proposed]:
    """Read what was proposed when the stage froze, the most striking first; nothing before."""
    kept = store.reviews.find(stage_id)
    rows = [] if kept is None else orjson.loads(zlib.decompress(kept))
    return [
        Proposed(
            **row
            | {
                "reason": ExclusionReason(row["reason"]),
                "grounds": GROUNDS.validate_python(row["grounds"]),
                "voters": tuple(row["voters"]),
                "battles": tuple(row["battles"]),
            }
        )
        for row in rows
    ]


def decisions_in(events: Iterable[Event]) -> dict[str, Decision]:
    """Find what became of each proposal by these events, the last word on each; those that nobody has decided on are missing."""
    return {
        event.data["key"]: Decision(
            event.data["key"], event.data["followed"], event.at, event.actor, event.data.get("why")
        )
        for event in events
        if event.kind == DECIDED
    }


def looks_in(events: Iterable[Event]) -> list[Look]:
    """List who had a result made before publication."""
    return [Look(event.at, event.data["acts"]) for event in events if event.kind == LOOKED]


def note_look(store: Store, stage_id: str, who: str, export_id: str, acts: int, now: datetime) -> None:
    """Keep that somebody gets a provisional result of a frozen stage, once for each of them and result."""

    frozen_at = known(store, stage_id).frozen_at

    def decide(status: StageStatus, before: Sequence[Event]) -> list[Entry]:
        looked = any(e.kind == LOOKED and (e.actor, e.data["export_id"]) == (who, export_id) for e in before)
        if looked or status is not StageStatus.FROZEN:
            return []
        return [Entry(max(now, frozen_at or now), LOOKED, {"export_id": export_id, "acts": acts})]

    store.events.follow(stage_id, who, decide)


def follow(store: Store, stage_id: str, key: str | None, *, organizer: str, now: datetime) -> list[Exclusion]:
    """Leave out what is proposed under this key; without one, whatever is proposed and not decided on.

    Raises:
        NotFound: nothing is proposed under this key.
        Conflict: the stage is not under review, it is followed already, or one of the votes is left out already.
    """
    rule = sealed_stage(store, stage_id).review.rule
    proposals = proposals_of(store, stage_id)
    if key is not None:
        if rule == "follow_all":
            raise Conflict("review_follows_all")
        proposals = [_under(proposals, key)]

    def act(acting: Acting, decided: Mapping[str, Decision]) -> list[Entry]:
        entries = []
        for proposal in proposals:
            if proposal.key in decided and (key is None or decided[proposal.key].followed):
                if key is not None:
                    raise Conflict("followed_already")
                continue
            made = acting.exclude(proposal.battles, proposal.reason, proposal.grounds, proposal.key)
            entries += [made.entry, Entry(made.at, DECIDED, {"key": proposal.key, "followed": True})]
        return entries

    return _reviewed(store, stage_id, organizer, now, act)


def decline(store: Store, stage_id: str, key: str, *, why: str, organizer: str, now: datetime) -> list[Exclusion]:
    """Let the votes proposed under this key count, and say why; where they were left out they are taken back.

    Raises:
        NotFound: nothing is proposed under this key.
        Unusable: no reason is given.
        Conflict: the stage is not under review, or its file says that whatever is proposed is left out.
    """
    proposal = _under(proposals_of(store, stage_id), key)
    if sealed_stage(store, stage_id).review.rule == "follow_all":
        raise Conflict("review_follows_all")
    if not why.strip():
        raise Unusable("exclusion_incomplete")

    def act(acting: Acting, decided: Mapping[str, Decision]) -> list[Entry]:
        at, entries = max([acting.now, *(made.at for made in acting.before[-1:])]), []
        if key in decided and decided[key].followed:
            made = acting.restore(proposal.battles, WrittenGrounds(text=why.strip()), key)
            at, entries = made.at, [made.entry]
        return [*entries, Entry(at, DECIDED, {"key": key, "followed": False, "why": why.strip()})]

    return _reviewed(store, stage_id, organizer, now, act)


def leave_out(
    store: Store, stage_id: str, battles: Iterable[str], *, grounds: str, organizer: str, now: datetime
) -> Exclusion:
    """Leave out votes that no test proposes: cast by a team, an organizer or a test; `grounds` say how that is known.

    Raises:
        Unusable: no battle, no grounds, or a battle without a vote in this stage.
        Conflict: the stage is not under review, or one of them is left out already.
    """
    written, wanted = WrittenGrounds(text=grounds), list(battles)

    def act(acting: Acting, _decided: Mapping[str, Decision]) -> list[Entry]:
        return [acting.exclude(wanted, ExclusionReason.OPERATOR, written).entry]

    return _reviewed(store, stage_id, organizer, now, act)[0]


def take_back(store: Store, stage_id: str, n: int, *, grounds: str, organizer: str, now: datetime) -> Exclusion:
    """Take back what act `n`, counted from 0, left out of its own, as far as it still is.

    Raises:
        NotFound: there is no such act.
        Unusable: no grounds, or nothing is left of it.
        Conflict: the stage is not under review, or the act follows a proposal: that is declined.
    """
    written = WrittenGrounds(text=grounds)

    def act(acting: Acting, _decided: Mapping[str, Decision]) -> list[Entry]:
        if n >= len(acting.before):
            raise NotFound("no_decision")
        chosen = acting.before[n]
        if chosen.proposal is not None:
            raise Conflict("act_of_proposal")
        return [acting.restore([b for b in chosen.battles if acting.out.get(b) is chosen], written).entry]

    return _reviewed(store, stage_id, organizer, now, act)[0]


def require_decided(stage: Stage, proposals: Sequence[Proposed], decided: Mapping[str, Decision]) -> None:
    """Let a stage be published only when its review has followed its rule.

    Raises:
        Conflict: a proposal is undecided, or declined where all have to be followed.
    """
    undecided = sum(proposal.key not in decided for proposal in proposals)
    declined = sum(not decision.followed for decision in decided.values())
    if undecided or (declined and stage.review.rule == "follow_all"):
        raise Conflict("review_undecided", stage=stage.id, proposals=undecided or declined)


def _reviewed(
    store: Store,
    stage_id: str,
    organizer: str,
    now: datetime,
    act: Callable[[Acting, Mapping[str, Decision]], list[Entry]],
) -> list[Exclusion]:
    """Act on a stage under review, alone, after every decision before."""
    frozen_at = known(store, stage_id).frozen_at
    acting = Acting(
        store, stage_id, organizer, max(now, frozen_at or now)
    )  # this clock may be behind the one that froze

    def decide(status: StageStatus, before: Sequence[Event]) -> list[Entry]:
        if status is StageStatus.PUBLISHED:
            raise Conflict("review_over", stage=stage_id)
        if status is not StageStatus.FROZEN:
            raise Conflict("review_not_begun", stage=stage_id)
        acting.begin(before)
        return act(acting, decisions_in(before))

    store.events.follow(stage_id, organizer, decide)
    return acting.made


def _under(proposals: Iterable[Proposed], key: str) -> Proposed:
    found = next((proposal for proposal in proposals if proposal.key == key), None)
    if found is None:
        raise NotFound("proposal_unknown")
    return found
