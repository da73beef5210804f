"""A stage as its sealed file in the record declares it."""

from arena.domain.errors import Conflict, NotFound
from arena.domain.stage import Stage, file_sha256
from arena.record.stages import StageRecord
from arena.record.store import Store


def sealed_stage(store: Store, stage_id: str) -> Stage:
    """The stage as its sealed file in the record declares it.

    Raises:
        NotFound: this database does not have it.
    """
    return Stage.from_toml(known(store, stage_id).file.encode(), f"the sealed file of stage {stage_id}")


def known(store: Store, stage_id: str) -> StageRecord:
    """The stage's record.

    Raises:
        NotFound: this database does not have it.
        Conflict: its file is no longer the one that was sealed.
    """
    record = store.stages.find(stage_id)
    if record is None:
        names = ", ".join(r.id for r in store.stages.all()) or "none"
        raise NotFound(
            "stage_not_found",
            f"단계 {stage_id}이(가) 이 데이터베이스에 없습니다. 있는 단계: {names}",
            f"There is no stage {stage_id} in this database. Known stages: {names}.",
        )
    if file_sha256(record.file.encode()) != record.file_sha256:
        raise Conflict(
            "stage_tampered",
            f"단계 {stage_id}의 봉인된 파일이 데이터베이스에서 바뀌었습니다. 백업과 견주어 보세요.",
            f"The sealed file of stage {stage_id} was changed in the database. Hold it against a backup.",
        )
    return record
