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
    """Take an entrant out of the draws and of the fit, for good; its votes stay in the record.

    Raises:
        Unusable: not an entrant of this stage, no reason, or fewer than two would remain.
        Conflict: removed already, or the stage is no longer open.
    """
    gone = {removal.entrant for removal in removals(store, stage.id)}
    if entrant not in stage.entrant_ids or not reason.strip():
        raise Unusable("removal_incomplete", known=stage.entrant_ids)
    record = store.stages.find(stage.id)
    if entrant in gone or record is None or record.status not in (StageStatus.DRAFT, StageStatus.OPEN):
        raise Conflict("removal_refused", entrant=entrant)
    if len(stage.entrant_ids) - len(gone) <= 2:
        raise Unusable("too_few_entrants")
    store.events.append(now, stage.id, organizer, REMOVED, {"entrant": entrant, "reason": reason})
    return Removal(entrant, now, reason)


def removals(store: Store, stage_id: str) -> list[Removal]:
    """List every removal, in order."""
    return [
        Removal(event.data["entrant"], event.at, event.data["reason"])
        for event in store.events.of_stage(stage_id, REMOVED)
    ]
