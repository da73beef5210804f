"""A stage's exports on disk, of which the one that holds now is the one to give out."""

import threading
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from arena.domain.clock import kst
from arena.domain.errors import Conflict
from arena.domain.stage import StageStatus
from arena.record.keys import Keys
from arena.record.stages import StageRecord
from arena.record.store import Store
from arena.results.export.bundle import LATEST, export, looked_at
from arena.results.export.chain import shelved
from arena.results.export.document import JSON
from arena.results.export.schema import UserScore
from arena.results.integrity.review import decisions_in
from arena.results.votes.exclusions import acts_in
from arena.results.votes.sealed import known


class ExportCache:
    """Exports under `root`, in a folder for each stage; processes that share the record should share it too."""

    def __init__(self, store: Store, keys: Keys, root: Path, git_commit: str | None = None) -> None:
        self._store = store
        self._keys = keys
        self._root = root
        self._git_commit = git_commit
        self._one_at_a_time = threading.Lock()

    def newest(self, stage_id: str, who: str, now: datetime) -> Path:
        """Find the folder of the stage's result; while it is under review, of a provisional one that follows every act until now.

        Args:
            stage_id: the stage.
            who: gets it; that they look at a provisional one is kept, and published.
            now: when.

        Raises:
            NotFound: no such stage.
            Conflict: it has not frozen yet.
        """
        record = known(self._store, stage_id)
        if record.frozen_at is None:
            raise Conflict("not_frozen", stage=stage_id)
        out = self._root / stage_id
        with self._one_at_a_time:
            if record.status is StageStatus.PUBLISHED:
                return shelved(self._store, self._keys, stage_id, out)
            folder = (out / LATEST).resolve()
            if (document := self._provisional(folder, record)) is None:
                return export(self._store, self._keys, stage_id, out, now, who=who, git_commit=self._git_commit)
            looked_at(self._store, document, who, now)
            return folder

    def _provisional(self, folder: Path, record: StageRecord) -> UserScore | None:
        """Read what lies there; None where it is not of this freeze, or something was decided since."""
        try:
            document = UserScore.model_validate_json((folder / JSON).read_bytes())
        except (OSError, ValidationError):
            return None
        events = self._store.events.of_stage(record.id)
        told = {each.key: (each.decision == "followed", kst(each.decided_at)) for each in document.review.proposals}
        known = {key: (each.followed, kst(each.at)) for key, each in decisions_in(events).items()}
        same = {key: decided for key, decided in told.items() if decided[1]} == known
        acts = len(document.exclusion_acts) == len(acts_in(events))
        frozen = kst(document.stage.frozen_at) == kst(record.frozen_at) and not document.final
        keys = len(document.evidence_keys) == len(self._store.evidence_keys.of_stage(record.id))
        return document if same and acts and frozen and keys else None
