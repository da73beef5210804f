"""Exclusions: votes left out of the fit. Appended as events with reason, grounds, who, when and exactly which votes; reversible; no vote is ever deleted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from arena.domain.errors import Conflict, Unusable
from arena.domain.grounds import GROUNDS, Grounds, WrittenGrounds
from arena.record.events import Entry, Event
from arena.record.merkle import roots_of
from arena.record.store import Store

ADD = "exclusion.add"
REMOVE = "exclusion.remove"


class ExclusionReason(StrEnum):
    """Why a vote may be left out; published with its count."""

    SIDE = "side"
    """The voter chose a side, not an answer."""
    RANDOM = "random"
    """The votes carry no judgement: no better than coins against what everybody else sees."""
    TARGET = "target"
    """The voter votes for or against one entrant, whatever was said."""
    CAMPAIGN = "campaign"
    """Many voters of one network or one hour act as one."""
    SPEED = "speed"
    """Voted faster than anybody can read, or without a pause."""
    DUPLICATE = "duplicate"
    """The same prompt again and again."""
    OPERATOR = "operator"
    """Cast by a team, an organizer or a test."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """One act of excluding or restoring, as it is published."""

    at: datetime
    organizer: str
    action: str
    """`exclusion.add` or `exclusion.remove`."""
    reason: ExclusionReason | None
    """None when votes are taken back."""
    grounds: Grounds
    """What was decided on: the test with its thresholds, or why it was undone."""
    battles: tuple[str, ...]
    root: str
    """Of the RFC 9162 Merkle tree over the receipts of these votes, the smallest first: it names exactly them."""


def exclude(
    store: Store,
    stage_id: str,
    battles: Iterable[str],
    *,
    reason: ExclusionReason,
    grounds: Grounds,
    organizer: str,
    now: datetime,
) -> Exclusion:
    """Leave these battles' votes out of the fit from now on.

    Raises:
        Unusable: no battle, no grounds, or a battle without a vote in this stage.
        Conflict: one of them is left out already.
    """
    return _append(store, stage_id, battles, ADD, reason, grounds, organizer, now)


def restore(
    store: Store,
    stage_id: str,
    battles: Iterable[str],
    *,
    grounds: WrittenGrounds,
    organizer: str,
    now: datetime,
) -> Exclusion:
    """Take these battles' votes back into the fit; `grounds` say why.

    Raises:
        Unusable: no battle, no grounds, or a battle without a vote in this stage.
        Conflict: one of them is not left out.
    """
    return _append(store, stage_id, battles, REMOVE, None, grounds, organizer, now)


def root_over(receipts: Iterable[str]) -> str:
    """Compute the RFC 9162 Merkle root over these receipts, sorted: what an act names its votes with."""
    leaves = sorted(receipts)
    return roots_of(leaves, [len(leaves)])[len(leaves)]


def active_exclusions(store: Store, stage_id: str) -> dict[str, ExclusionReason]:
    """Find the votes left out at this moment: `{battle id: reason}`."""
    return active(history(store, stage_id))


def active(acts: Iterable[Exclusion]) -> dict[str, ExclusionReason]:
    """Find what these acts, in their order, leave out: `{battle id: reason}`."""
    out: dict[str, ExclusionReason] = {}
    for act in acts:
        for battle_id in act.battles:
            if act.reason is None:
                out.pop(battle_id, None)
            else:
                out[battle_id] = act.reason
    return out


def acts_on(acts: Sequence[Exclusion]) -> dict[str, list[int]]:
    """List, by battle, the places of the acts that name its vote, in their order."""
    named: dict[str, list[int]] = {}
    for n, act in enumerate(acts):
        for battle_id in act.battles:
            named.setdefault(battle_id, []).append(n)
    return named


def history(store: Store, stage_id: str) -> list[Exclusion]:
    """List every act of excluding and restoring, in order: this is what is published."""
    return _acts(store.events.of_stage(stage_id))


def _acts(events: Iterable[Event]) -> list[Exclusion]:
    return [
        Exclusion(
            event.at,
            event.actor,
            event.kind,
            ExclusionReason(event.data["reason"]) if event.kind == ADD else None,
            grounds_in(event.data),
            tuple(event.data["battles"]),
            event.data["root"],
        )
        for event in events
        if event.kind in (ADD, REMOVE)
    ]


def grounds_in(data: Mapping[str, Any]) -> Grounds:
    """Read the grounds in the data of an exclusion's event; in the oldest they are one sentence, `rule`."""
    return GROUNDS.validate_python(data["grounds"]) if "grounds" in data else WrittenGrounds(text=data["rule"])


def _append(
    store: Store,
    stage_id: str,
    battles: Iterable[str],
    action: str,
    reason: ExclusionReason | None,
    grounds: Grounds,
    organizer: str,
    now: datetime,
) -> Exclusion:
    wanted = tuple(sorted(set(battles)))
    if not wanted or (isinstance(grounds, WrittenGrounds) and not grounds.text.strip()):
        raise Unusable("exclusion_incomplete")
    votes = store.votes.receipts_of(stage_id, wanted)
    if missing := set(wanted) - set(votes):
        raise Unusable("no_such_vote", battle=min(missing)[:40])
    root = root_over(receipt for receipt, _ in votes.values())
    latest = max(cast_at for _, cast_at in votes.values())
    made: list[Exclusion] = []

    def decide(before: Sequence[Event]) -> list[Entry]:
        """Hold it against every act until now; it comes after all of them and after its votes, whatever this process' clock says."""
        acts = _acts(before)
        out = active(acts)
        for battle_id in wanted:
            if reason is None and battle_id not in out:
                raise Conflict("not_excluded", battle=battle_id[:40])
            if reason is not None and battle_id in out:
                raise Conflict("excluded_already", battle=battle_id[:40])
        at = max(now, latest, *(act.at for act in acts[-1:]))
        made.append(Exclusion(at, organizer, action, reason, grounds, wanted, root))
        told = {"grounds": GROUNDS.dump_python(grounds, mode="json"), "battles": list(wanted), "root": root}
        return [Entry(at, action, told | ({"reason": reason.value} if reason else {}))]

    store.events.follow(stage_id, organizer, decide)
    return made[0]
