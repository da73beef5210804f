"""A stage's one way: draft → open → frozen → published, with its sealed file, its final checkpoint, and removals in the open."""

from dataclasses import dataclass
from datetime import datetime

from arena.domain.errors import Conflict, Unusable
from arena.domain.stage import Stage, StageStatus, file_sha256
from arena.record.keys import Keys
from arena.record.ledger import Checkpoint, Ledger
from arena.record.stages import StageRecord
from arena.record.store import Store

OPENED, FROZEN, PUBLISHED, REMOVED = "stage.opened", "stage.frozen", "stage.published", "entrant.removed"


def unsealed(stage: Stage) -> list[str]:
    """The entrants without the hash of a sealed artifact: a real stage does not open with any."""
    return [entrant.id for entrant in stage.entrants if not entrant.served().get("sha256")]


def open_stage(store: Store, stage: Stage, file: bytes, *, organizer: str, now: datetime) -> StageRecord:
    """draft → open: seals the file's hash, and with it the entrants, the protocol and the transform.

    Raises:
        Unusable: an entrant of a real stage has no artifact hash.
        Conflict: the stage has opened before.
    """
    if missing := [] if stage.synthetic else unsealed(stage):
        raise Unusable(
            "entrants_unsealed",
            f"참가팀 {', '.join(missing)}의 모델 해시(sha256)가 없어 시작할 수 없습니다.",
            f"{', '.join(missing)}: give the sha256 of the sealed artifact in the stage file; without it a model could be exchanged.",
        )
    text, sha256 = file.decode("utf-8"), file_sha256(file)
    if store.stages.register(stage.id, text, sha256, now).file_sha256 != sha256:
        store.stages.reseal(stage.id, text, sha256)
    record = store.stages.move(stage.id, StageStatus.DRAFT, StageStatus.OPEN, now)
    sealed = {entrant.id: entrant.served().get("sha256") for entrant in stage.entrants}
    store.events.append(now, stage.id, organizer, OPENED, {"file_sha256": sha256, "entrants": sealed})
    return record


def freeze(store: Store, keys: Keys, stage_id: str, *, organizer: str, now: datetime) -> tuple[StageRecord, Checkpoint]:
    """open → frozen: what is committed counts, everything later is refused, and the final checkpoint is signed.

    The status changes in one transaction that every vote's own transaction is ordered against, so a vote at the boundary is either in
    or its citizen is told no. Called again after an interruption, it finishes what is missing and changes nothing else.

    Raises:
        Conflict: the stage is a draft, or published.
        LedgerError: the votes do not agree with what was sealed.
    """
    record = store.stages.find(stage_id)
    if record is None or record.status is not StageStatus.FROZEN:
        record = store.stages.move(stage_id, StageStatus.OPEN, StageStatus.FROZEN, now)
    checkpoint = Ledger(store, keys).checkpoint(stage_id, record.frozen_at or now, final=True)
    if not store.events.of_stage(stage_id, FROZEN):
        data = {"votes": checkpoint.size, "root": checkpoint.root, "draws": record.draws}
        store.events.append(now, stage_id, organizer, FROZEN, data)
    return record, checkpoint


def publish(store: Store, stage_id: str, export_id: str, *, organizer: str, now: datetime) -> StageRecord:
    """frozen → published: the named export is the stage's result.

    Raises:
        Conflict: the stage is not frozen.
    """
    record = store.stages.move(stage_id, StageStatus.FROZEN, StageStatus.PUBLISHED, now)
    store.events.append(now, stage_id, organizer, PUBLISHED, {"export_id": export_id})
    return record


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
