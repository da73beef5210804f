"""The shelf: a frozen stage's exports on disk, of which the newest that still holds is the one to give out."""

import threading
from datetime import datetime
from pathlib import Path

import orjson

from arena.domain.errors import Conflict
from arena.record.keys import Keys
from arena.record.store import Store
from arena.results.export.bundle import LATEST, export
from arena.results.export.document import JSON, kst
from arena.results.votes.exclusions import history
from arena.results.votes.sealed import known


class Shelf:
    """Exports under `root`, in a folder for each stage; processes that share the record should share it too."""

    def __init__(self, store: Store, keys: Keys, root: Path, git_commit: str | None = None) -> None:
        self._store = store
        self._keys = keys
        self._root = root
        self._git_commit = git_commit
        self._one_at_a_time = threading.Lock()

    def newest(self, stage_id: str, now: datetime) -> Path:
        """The folder of the newest export; a new one is made where there is none, or votes were left out or taken back since.

        Raises:
            NotFound: no such stage.
            Conflict: it has not frozen yet.
        """
        record = known(self._store, stage_id)
        if record.frozen_at is None:
            raise Conflict(
                "not_frozen",
                f"단계 {stage_id}은(는) 아직 마감되지 않았습니다. 점수는 마감 뒤에 내보냅니다.",
                f"Stage {stage_id} has not frozen yet; a score leaves only after that.",
            )
        out = self._root / stage_id
        with self._one_at_a_time:
            folder = (out / LATEST).resolve()
            if not self._holds(folder, stage_id, kst(record.frozen_at)):
                folder = export(self._store, self._keys, stage_id, out, now, git_commit=self._git_commit)
        return folder

    def _holds(self, folder: Path, stage_id: str, frozen_at: str | None) -> bool:
        try:
            document = orjson.loads((folder / JSON).read_bytes())
        except OSError:
            return False
        acts = len(history(self._store, stage_id))
        return (document["stage"]["frozen_at"], len(document["exclusion_acts"])) == (frozen_at, acts)
