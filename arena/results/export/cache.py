"""A frozen stage's exports on disk, of which the newest that still holds is the one to give out."""

import threading
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from arena.domain.clock import kst
from arena.domain.errors import Conflict
from arena.record.keys import Keys
from arena.record.stages import StageRecord
from arena.record.store import Store
from arena.results.export.bundle import LATEST, export
from arena.results.export.document import JSON
from arena.results.export.schema import UserScore
from arena.results.votes.exclusions import history
from arena.results.votes.sealed import known


class ExportCache:
    """Exports under `root`, in a folder for each stage; processes that share the record should share it too."""

    def __init__(self, store: Store, keys: Keys, root: Path, git_commit: str | None = None) -> None:
        self._store = store
        self._keys = keys
        self._root = root
        self._git_commit = git_commit
        self._one_at_a_time = threading.Lock()

    def newest(self, stage_id: str, now: datetime) -> Path:
        """Find the folder of the newest export; make a new one where there is none, or votes were left out or taken back since.

        Raises:
            NotFound: no such stage.
            Conflict: it has not frozen yet.
        """
        record = known(self._store, stage_id)
        if record.frozen_at is None:
            raise Conflict("not_frozen", stage=stage_id)
        out = self._root / stage_id
        with self._one_at_a_time:
            folder = (out / LATEST).resolve()
            if not self._holds(folder, record):
                folder = export(self._store, self._keys, stage_id, out, now, git_commit=self._git_commit)
        return folder

    def _holds(self, folder: Path, record: StageRecord) -> bool:
        try:
            document = UserScore.model_validate_json((folder / JSON).read_bytes())
        except (OSError, ValidationError):
            return False
        frozen = (kst(document.stage.frozen_at), len(document.exclusion_acts))
        if frozen != (kst(record.frozen_at), len(history(self._store, record.id))):
            return False
        # What was published stays what it was, whichever keys take the place of others later.
        published = record.published_at is not None
        return published or len(document.evidence_keys) == len(self._store.evidence_keys.of_stage(record.id))
