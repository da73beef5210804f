"""Exclusions: votes left out of the fit. Appended as events with reason, grounds, who and when; reversible; no vote is ever deleted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from arena.domain.errors import Unusable
from arena.domain.grounds import GROUNDS, Grounds, WrittenGrounds
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
    """
    return _append(store, stage_id, Exclusion(now, organizer, ADD, reason, grounds, tuple(sorted(set(battles)))))


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
        Unusable: no battle, no grounds, or a battle that is not excluded.
    """
    wanted = tuple(sorted(set(battles)))
    active = active_exclusions(store, stage_id)
    for battle_id in wanted:
        if battle_id not in active:
            raise Unusable("not_excluded", battle=battle_id[:40])
    return _append(store, stage_id, Exclusion(now, organizer, REMOVE, None, grounds, wanted))


def active_exclusions(store: Store, stage_id: str) -> dict[str, ExclusionReason]:
    """Find the votes left out at this moment: `{battle id: reason}`. The last act on a battle counts."""
    active: dict[str, ExclusionReason] = {}
    for act in history(store, stage_id):
        for battle_id in act.battles:
            if act.reason is None:
                active.pop(battle_id, None)
            else:
                active[battle_id] = act.reason
    return active


def history(store: Store, stage_id: str) -> list[Exclusion]:
    """List every act of excluding and restoring, in order: this is what is published."""
    acts = [event for event in store.events.of_stage(stage_id) if event.kind in (ADD, REMOVE)]
    return [
        Exclusion(
            event.at,
            event.actor,
            event.kind,
            ExclusionReason(event.data["reason"]) if event.kind == ADD else None,
            grounds_in(event.data),
            tuple(event.data["battles"]),
        )
        for event in acts
    ]


def grounds_in(data: Mapping[str, Any]) -> Grounds:
    """Read the grounds in the data of an exclusion's event; in the oldest they are one sentence, `rule`."""
    return GROUNDS.validate_python(data["grounds"]) if "grounds" in data else WrittenGrounds(text=data["rule"])


def _append(store: Store, stage_id: str, act: Exclusion) -> Exclusion:
    blank = isinstance(act.grounds, WrittenGrounds) and not act.grounds.text.strip()
    if not act.battles or blank:
        raise Unusable("exclusion_incomplete")
    missing = set(act.battles)
    for vote in store.votes.after(stage_id, 0):
        missing.discard(vote.battle_id)
    if missing:
        raise Unusable("no_such_vote", battle=min(missing)[:40])
    store.events.append(
        act.at,
        stage_id,
        act.organizer,
        act.action,
        {"grounds": GROUNDS.dump_python(act.grounds, mode="json"), "battles": list(act.battles)}
        | ({"reason": act.reason.value} if act.reason else {}),
    )
    return act
