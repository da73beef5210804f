"""What everybody may read of published stages, as far as each stage's file discloses it: the result, the transparency report, the public dataset."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from arena.domain.declared import Bilingual
from arena.domain.errors import Forbidden, NotFound, Unavailable
from arena.domain.stage import TEXTS_CONSENT, VOTES_CONSENT, Stage, StageStatus
from arena.record.keys import Keys
from arena.record.stages import StageRecord
from arena.record.store import Store
from arena.results.export.archive import zipped
from arena.results.export.atomic_write import write_file
from arena.results.export.bundle import sums
from arena.results.export.document import SUMS
from arena.results.export.result import Result
from arena.results.export.schema import UserScore
from arena.results.publish.dataset import CARD, release
from arena.results.publish.dataset_card import dataset_card
from arena.results.publish.report import report, report_page
from arena.results.votes.sealed import known, sealed_stage


@dataclass(frozen=True, slots=True)
class Published:
    """A published stage, with as much of its result as its file discloses."""

    stage: Stage
    record: StageRecord
    result: Result
    score: UserScore | None
    """Where everything is disclosed."""

    @property
    def has_dataset(self) -> bool:
        """Whether there is a public dataset: everything is disclosed, and citizens were asked."""
        return self.score is not None and any(consent.id == VOTES_CONSENT for consent in self.stage.consents)


class Publications:
    """Gives out what is published. A final export never changes, so each is read once; a corrected stage has another."""

    def __init__(self, store: Store, keys: Keys, folder: Path) -> None:
        """`folder` holds a folder for each stage."""
        self._store = store
        self._keys = keys
        self._folder = folder
        self._results: dict[str, tuple[str, Published]] = {}
        """By stage, with the export that it is read from."""
        self._reports: dict[str, tuple[str, str]] = {}
        self._one_at_a_time = threading.Lock()

    def stages(self) -> Mapping[str, Bilingual]:
        """List the published stages of this record, the newest first, with their titles."""
        records = [record for record in self._store.stages.all() if record.status is StageStatus.PUBLISHED]
        return {record.id: sealed_stage(self._store, record.id).title for record in reversed(records)}

    def result(self, stage_id: str) -> Published:
        """Read a published stage's result.

        Raises:
            NotFound: no such stage here, or it is not published yet: the two are told apart by nobody.
        """
        return self._newest(stage_id)[1]

    def _newest(self, stage_id: str) -> tuple[str, Published]:
        export_id = self._store.finals.newest_id(stage_id)
        if export_id is None:
            raise NotFound("not_found")
        found = self._results.get(stage_id)
        if found is None or found[0] != export_id:
            self._results[stage_id] = found = self._read(stage_id)
        return found

    def _read(self, stage_id: str) -> tuple[str, Published]:
        final = self._store.finals.newest(stage_id)
        if final is None:
            raise NotFound("not_found")
        stage, result = sealed_stage(self._store, stage_id), Result.model_validate_json(final.result)
        score = UserScore.model_validate_json(final.document) if stage.disclosure == "full" else None
        return final.export_id, Published(stage, known(self._store, stage_id), result, score)

    def report(self, stage_id: str, now: datetime) -> str:
        """Write a published stage's transparency report.

        Raises:
            NotFound: it is not published.
            Forbidden: it was declared not to be disclosed.
            Unavailable: something is being made for somebody else.
        """
        export_id, _ = self._whole(stage_id)
        found = self._reports.get(stage_id)
        if found is None or found[0] != export_id:
            with self._making():
                page = report_page(report(self._store, stage_id, now))
            self._reports[stage_id] = found = export_id, page
        return found[1]

    def dataset(self, stage_id: str, now: datetime) -> Path:
        """Give the public dataset as a ZIP, made when it is first asked for, and anew once a voter has taken a consent to it back.

        Raises:
            NotFound: the stage is not published.
            Forbidden: it was declared not to be disclosed.
            Unusable: its citizens were never asked.
            Unavailable: something is being made for somebody else.
        """
        export_id, published = self._whole(stage_id)
        stage = published.stage
        taken_back = self._store.citizens.last_taken_back(stage_id, (VOTES_CONSENT, TEXTS_CONSENT))
        out = self._folder / stage_id / f"{stage_id}-dataset-{export_id[:8]}-{taken_back}.zip"
        if not out.is_file():
            with self._making():
                document, files = release(self._store, self._keys, stage_id, now)
                files[CARD] = dataset_card(document, stage.protocol).encode()
                write_file(zipped({**files, SUMS: sums(files)}, f"{stage_id}-dataset"), out)
                for older in out.parent.glob(f"{stage_id}-dataset-*.zip"):
                    if older != out:
                        older.unlink(missing_ok=True)
        return out

    @contextmanager
    def _making(self) -> Iterator[None]:
        """Make one thing at a time; who would have to wait is told so, for a crowd that waits would leave no thread to anybody else."""
        if not self._one_at_a_time.acquire(blocking=False):
            raise Unavailable("busy", retry_after_s=10)
        try:
            yield
        finally:
            self._one_at_a_time.release()

    def _whole(self, stage_id: str) -> tuple[str, Published]:
        export_id, found = self._newest(stage_id)
        if found.score is None:
            raise Forbidden("not_disclosed", disclosure=found.stage.disclosure)
        return export_id, found
