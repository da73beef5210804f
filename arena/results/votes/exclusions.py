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
    proposal: str | None
    """The key of the proposal that it follows, or no longer follows; None for an act of its own."""

    @property
    def entry(self) -> Entry:
        """What the log keeps of it."""
        told: dict[str, Any] = {
            "grounds": GROUNDS.dump_python(self.grounds, mode="json"),
            "battles": list(self.battles),
            "root": self.root,
            "proposal": self.proposal,
        }
        return Entry(self.at, self.action, told | ({"reason": self.reason.value} if self.reason else {}))


class Acting:
    """Makes acts on a stage's votes, each held against every act before it: for one transaction of `Events.follow`."""

    def __init__(self, store: Store, stage_id: str, organizer: str, now: datetime) -> None:
        """Nothing is done yet."""
        self._store = store
        self._stage_id = stage_id
        self._organizer = organizer
        self.now = now
        self.before: list[Exclusion] = []
        """What was done before."""
        self.made: list[Exclusion] = []
        """What is done here, in order."""
        self.out: dict[str, Exclusion] = {}
        """By battle, the act that leaves its vote out now."""

    def begin(self, before: Iterable[Event]) -> None:
        """Start from these events."""
        self.before, self.made, self.out = acts_in(before), [], {}
        for act in self.before:
            self._done(act)

    def _done(self, act: Exclusion) -> None:
        for battle_id in act.battles:
            if act.reason is None:
                del self.out[battle_id]
            else:
                self.out[battle_id] = act

    def exclude(
        self, battles: Iterable[str], reason: ExclusionReason, grounds: Grounds, proposal: str | None = None
    ) -> Exclusion:
        """Leave these battles' votes out of the fit.

        Raises:
            Unusable: no battle, no grounds, or a battle without a vote in this stage.
            Conflict: one of them is left out already.
        """
        return self._act(battles, ADD, reason, grounds, proposal)

    def restore(self, battles: Iterable[str], grounds: WrittenGrounds, proposal: str | None = None) -> Exclusion:
        """Take these battles' votes back into the fit; `grounds` say why.

        Raises:
            Unusable: no battle, no grounds, or a battle without a vote in this stage.
            Conflict: one of them is not left out.
        """
        return self._act(battles, REMOVE, None, grounds, proposal)

    def _act(
        self,
        battles: Iterable[str],
        action: str,
        reason: ExclusionReason | None,
        grounds: Grounds,
        proposal: str | None,
    ) -> Exclusion:
        wanted = tuple(sorted(set(battles)))
        if not wanted or (isinstance(grounds, WrittenGrounds) and not grounds.text.strip()):
            raise Unusable("exclusion_incomplete")
        votes = self._store.votes.receipts_of(self._stage_id, wanted)
        if missing := set(wanted) - set(votes):
            raise Unusable("no_such_vote", battle=min(missing)[:40])
        for battle_id in wanted:
            if reason is None and battle_id not in self.out:
                raise Conflict("not_excluded", battle=battle_id[:40])
            if reason is not None and battle_id in self.out:
                raise Conflict("excluded_already", battle=battle_id[:40])
        # After every act before it and after its votes, whatever this process' clock says.
        latest = [cast_at for _, cast_at in votes.values()] + [act.at for act in [*self.before, *self.made][-1:]]
        root = root_over(receipt for receipt, _ in votes.values())
        at = max(self.now, *latest)
        act = Exclusion(at, self._organizer, action, reason, grounds, wanted, root, proposal)
        self.made.append(act)
        self._done(act)
        return act


def root_over(receipts: Iterable[str]) -> str:
    """Compute the RFC 9162 Merkle root over these receipts, sorted: what an act names its votes with."""
    leaves = sorted(receipts)
    return roots_of(leaves, [len(leaves)])[len(leaves)]


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
    return acts_in(store.events.of_stage(stage_id))


def acts_in(events: Iterable[Event]) -> list[Exclusion]:
    """Read the acts among these events."""
    return [
        Exclusion(
            event.at,
            event.actor,
            event.kind,
            ExclusionReason(event.data["reason"]) if event.kind == ADD else None,
            grounds_in(event.data),
            tuple(event.data["battles"]),
            event.data["root"],
            event.data["proposal"],
        )
        for event in events
        if event.kind in (ADD, REMOVE)
    ]


def grounds_in(data: Mapping[str, Any]) -> Grounds:
    """Read the grounds in the data of an exclusion's event."""
    return GROUNDS.validate_python(data["grounds"])
