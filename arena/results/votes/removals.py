"""Removals: an entrant leaves a stage after it opened, in the open and for good."""

from dataclasses import dataclass
from datetime import datetime

from arena.domain.errors import Conflict, Unusable
from arena.domain.stage import Stage, StageStatus
from arena.record.events import REMOVED
from arena.record.store import Store


@dataclass(frozen=True, slots=True)
class Removal:
    """An entrant that left the stage after it opened, as it is published."""

    entrant: str
    at: datetime
    reason: str


def remove_entrant(store: Store, stage: Stage, entrant: str, *, reason: str, organizer: str, now: datetime) -> Removal:
    """Takes an entrant out of the draws and of the fit, for good; its votes stay in the record.

    Raises:
        Unusable: not an entrant of this stage, no reason, or fewer than two would remain.
        Conflict: removed already, or the stage is no longer open.
    """
    gone = {removal.entrant for removal in removals(store, stage.id)}
    if entrant not in stage.entrant_ids or not reason.strip():
        raise Unusable(
            "removal_incomplete",
            "제외할 참가팀의 아이디와 사유를 적어 주세요.",
            f"Name one of {', '.join(stage.entrant_ids)} and the reason: a removal without them cannot be published.",
        )
    record = store.stages.find(stage.id)
    if entrant in gone or record is None or record.status not in (StageStatus.DRAFT, StageStatus.OPEN):
        raise Conflict(
            "removal_refused",
            f"{entrant}은(는) 이미 제외되었거나 평가가 마감되었습니다.",
            f"{entrant} was removed before, or the stage is frozen: after the freeze nothing changes.",
        )
    if len(stage.entrant_ids) - len(gone) <= 2:
        raise Unusable(
            "too_few_entrants",
            "참가팀이 둘보다 적어지면 평가할 수 없습니다.",
            "Fewer than two entrants would remain. Freeze the stage instead.",
        )
    store.events.append(now, stage.id, organizer, REMOVED, {"entrant": entrant, "reason": reason})
    return Removal(entrant, now, reason)


def removals(store: Store, stage_id: str) -> list[Removal]:
    """Every removal, in order."""
    return [
        Removal(event.data["entrant"], event.at, event.data["reason"])
        for event in store.events.of_stage(stage_id, REMOVED)
    ]
