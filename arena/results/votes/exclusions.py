"""Exclusions: votes left out of the fit. Appended as events with reason, rule, who and when; reversible; no vote is ever deleted."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from arena.domain.errors import Unusable
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
    rule: str
    """What was decided on: the rule with its thresholds, or why it was undone."""
    battles: tuple[str, ...]


def exclude(
    store: Store,
    stage_id: str,
    battles: Iterable[str],
    *,
    reason: ExclusionReason,
    rule: str,
    organizer: str,
    now: datetime,
) -> Exclusion:
    """Leaves these battles' votes out of the fit from now on.

    Raises:
        Unusable: no battle, no rule, or a battle without a vote in this stage.
    """
    return _append(store, stage_id, Exclusion(now, organizer, ADD, reason, rule, tuple(sorted(set(battles)))))


def restore(
    store: Store,
    stage_id: str,
    battles: Iterable[str],
    *,
    rule: str,
    organizer: str,
    now: datetime,
) -> Exclusion:
    """Takes these battles' votes back into the fit; `rule` says why.

    Raises:
        Unusable: no battle, no rule, or a battle that is not excluded.
    """
    wanted = tuple(sorted(set(battles)))
    active = active_exclusions(store, stage_id)
    for battle_id in wanted:
        if battle_id not in active:
            raise Unusable(
                "not_excluded",
                f"대결 {battle_id[:40]}의 투표는 제외되어 있지 않습니다.",
                f"The vote of battle {battle_id[:40]} is not excluded.",
            )
    return _append(store, stage_id, Exclusion(now, organizer, REMOVE, None, rule, wanted))


def active_exclusions(store: Store, stage_id: str) -> dict[str, ExclusionReason]:
    """The votes left out at this moment: `{battle id: reason}`. The last act on a battle counts."""
    active: dict[str, ExclusionReason] = {}
    for act in history(store, stage_id):
        for battle_id in act.battles:
            if act.reason is None:
                active.pop(battle_id, None)
            else:
                active[battle_id] = act.reason
    return active


def history(store: Store, stage_id: str) -> list[Exclusion]:
    """Every act of excluding and restoring, in order: this is what is published."""
    acts = [event for event in store.events.of_stage(stage_id) if event.kind in (ADD, REMOVE)]
    return [
        Exclusion(
            event.at,
            event.actor,
            event.kind,
            ExclusionReason(event.data["reason"]) if event.kind == ADD else None,
            event.data["rule"],
            tuple(event.data["battles"]),
        )
        for event in acts
    ]


def _append(store: Store, stage_id: str, act: Exclusion) -> Exclusion:
    if not act.battles or not act.rule.strip():
        raise Unusable(
            "exclusion_incomplete",
            "제외하거나 되돌릴 투표와 그 근거를 적어 주세요.",
            "Name the votes and the rule or the grounds: an exclusion without them cannot be published.",
        )
    missing = set(act.battles)
    for vote in store.votes.after(stage_id, 0):
        missing.discard(vote.battle_id)
    if missing:
        raise Unusable(
            "no_such_vote",
            f"이 단계에 투표가 없는 대결입니다: {min(missing)[:40]}",
            f"Battle {min(missing)[:40]} has no vote in this stage.",
        )
    store.events.append(
        act.at,
        stage_id,
        act.organizer,
        act.action,
        {"rule": act.rule, "battles": list(act.battles)} | ({"reason": act.reason.value} if act.reason else {}),
    )
    return act
