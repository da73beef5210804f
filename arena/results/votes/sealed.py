"""A stage as its sealed file in the record declares it."""

from arena.domain.errors import Conflict, NotFound
from arena.domain.stage import Stage, file_sha256
from arena.record.stages import StageRecord
from arena.record.store import Store


def sealed_stage(store: Store, stage_id: str) -> Stage:
    """Read the stage as its sealed file in the record declares it.

    Raises:
        NotFound: this database does not have it.
    """
    return Stage.from_toml(known(store, stage_id).file.encode(), f"{stage_id}.toml (sealed)")


def known(store: Store, stage_id: str) -> StageRecord:
    """Find the stage's record.

    Raises:
        NotFound: this database does not have it.
        Conflict: its file is no longer the one that was sealed.
    """
    record = store.stages.find(stage_id)
    if record is None:
        raise NotFound("stage_unknown", stage=stage_id, known=[each.id for each in store.stages.all()])
    if file_sha256(record.file.encode()) != record.file_sha256:
        raise Conflict("stage_tampered", stage=stage_id)
    return record
