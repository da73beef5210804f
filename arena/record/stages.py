"""Stages as records: status, sealed file, and the seed of the draws."""

import re
import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Row, insert, select, update

from arena.domain.draw import commitment, mixed
from arena.domain.errors import Conflict, Unusable
from arena.domain.opening import VALUE, opening_act
from arena.domain.stage import Stage, StageStatus, file_sha256
from arena.record.database import Database
from arena.record.events import log
from arena.record.evidence_keys import committed, hand_out, make_keys
from arena.record.tables import stages

OPENED, PUBLISHED = "stage.opened", "stage.published"


@dataclass(frozen=True, slots=True)
class StageRecord:
    """What the database keeps of a stage."""

    id: str
    status: StageStatus
    file_sha256: str
    file: str
    file_at: datetime | None
    """Since when this has been its file."""
    draw_seed: str
    """The secret that `draw_commitment` commits to."""
    beacon: str | None
    """What the beacon said."""
    opening: str | None
    """The opening act, once it is open."""
    question_key: str | None
    """What the keys of questions are made with; None once it has been forgotten."""
    draws: int
    created_at: datetime
    opened_at: datetime | None
    frozen_at: datetime | None
    published_at: datetime | None
    paused_at: datetime | None = None
    """Since when no new battle is drawn, in any process; None while they are."""

    @property
    def draw_commitment(self) -> str:
        """What is public of the seed from the first day on."""
        return commitment(self.draw_seed)

    @property
    def seed(self) -> str:
        """What its draws are made with."""
        return mixed(self.draw_seed, self.beacon)


class Stages:
    """The stages this database knows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, stage_id: str, file: str, file_sha256: str, now: datetime) -> StageRecord:
        """Make a draft of a stage that is new here; return the record of one that is not, whatever its file says now."""
        with self._database.writing() as connection:
            found = _find(connection, stage_id)
            if found is None:
                connection.execute(
                    insert(stages).values(
                        id=stage_id,
                        status=StageStatus.DRAFT,
                        file=file,
                        file_sha256=file_sha256,
                        file_at=now,
                        draw_seed=secrets.token_hex(32),
                        question_key=secrets.token_hex(32),
                        draws=0,
                        created_at=now,
                    )
                )
            return found or _get(connection, stage_id)

    def reseal(self, stage_id: str, file: str, file_sha256: str, now: datetime) -> None:
        """Replace the file of a stage that is still a draft; afterwards a stage's file never changes."""
        with self._database.writing() as connection:
            changed = connection.execute(
                update(stages)
                .where(stages.c.id == stage_id, stages.c.status == StageStatus.DRAFT)
                .values(file=file, file_sha256=file_sha256, file_at=now)
            )
            if changed.rowcount != 1:
                sealed = _get(connection, stage_id).file_sha256
                raise Conflict("stage_sealed", stage=stage_id, sealed=sealed, found=file_sha256)

    def draft(self, stage: Stage, file: bytes, now: datetime) -> StageRecord:
        """Let the stage be known with this file: from now on there is a seed, and its commitment is public.

        Raises:
            Conflict: the stage has opened with another file.
        """
        sha256 = file_sha256(file)
        record = self.register(stage.id, file.decode("utf-8"), sha256, now)
        if record.file_sha256 == sha256:
            return record
        self.reseal(stage.id, file.decode("utf-8"), sha256, now)
        return self.register(stage.id, file.decode("utf-8"), sha256, now)

    def adopt(self, stage: Stage, file: bytes, now: datetime, evidence: Path | None = None) -> StageRecord:
        """Begin to serve a stage: register it, hold its file against the sealed one, and open it if it is synthetic.

        A real stage is opened by an organizer, never by a restart. `evidence` as in `open`.

        Raises:
            Conflict: the stage has opened with another file.
        """
        record = self.draft(stage, file, now)
        if stage.synthetic and record.status is StageStatus.DRAFT:
            return self.open(stage, "start", now, evidence=evidence)
        return record

    def open(
        self, stage: Stage, actor: str, now: datetime, beacon: str | None = None, evidence: Path | None = None
    ) -> StageRecord:
        """draft → open, with the act that every checkpoint names, and the event that says which file and artifacts are sealed from now on.

        Each entrant gets its key to the evidence; the act names their hashes. If the keys cannot be written the stage does not open.

        Args:
            stage: as its file declares it.
            actor: who does it.
            now: when.
            beacon: what the declared beacon said; the seed of the draws is mixed with it.
            evidence: the folder in which a folder of this stage gets the entrants' keys; where there is none, as in a simulation, nobody has
                them until they are rotated.

        Raises:
            Conflict: the stage is no draft.
            Unusable: the beacon's value is missing, or comes too early, or the file or the seed may be younger than it.
        """
        with self._database.writing() as connection:
            found = _find(connection, stage.id)
            if found is not None and found.status is StageStatus.DRAFT:
                _require_beacon(stage, found, beacon, now)
            record = move(connection, stage.id, StageStatus.DRAFT, StageStatus.OPEN, now)
            made, held = make_keys(connection, stage.id, stage.entrant_ids, now)
            act = opening_act(
                stage.id,
                stage_file_sha256=record.file_sha256,
                draw_commitment=record.draw_commitment,
                beacon=stage.beacon,
                value=beacon,
                evidence_keys={key.id: key.sha256 for key in made.values()},
                opened_at=now,
            ).decode()
            connection.execute(update(stages).where(stages.c.id == stage.id).values(beacon=beacon, opening=act))
            data = {
                "file_sha256": record.file_sha256,
                "entrants": stage.artifacts,
                "evidence_keys": committed(made),
            }
            if evidence is not None:
                hand_out(evidence / stage.id, held)
            log(connection, now, stage.id, actor, OPENED, data if beacon is None else {**data, "beacon": beacon})
            return replace(record, beacon=beacon, opening=act)

    def forget_questions(self, stage_id: str) -> None:
        """Forget what the keys of questions are made with: from now on nobody can find a text's key."""
        with self._database.writing() as connection:
            connection.execute(update(stages).where(stages.c.id == stage_id).values(question_key=None))

    def find(self, stage_id: str) -> StageRecord | None:
        """Find the record of this stage, if there is one."""
        with self._database.reading() as connection:
            return _find(connection, stage_id)

    def all(self) -> list[StageRecord]:
        """Every stage, oldest first."""
        with self._database.reading() as connection:
            return [_record(row) for row in connection.execute(select(stages).order_by(stages.c.created_at))]

    def move(self, stage_id: str, before: StageStatus, after: StageStatus, now: datetime) -> StageRecord:
        """Take an open stage one step forward: open → frozen → published.

        Raises:
            Conflict: the stage is not in `before`.
        """
        with self._database.writing() as connection:
            return move(connection, stage_id, before, after, now)

    def pause(self, stage_id: str, now: datetime) -> bool:
        """No new battle is drawn from now on, whichever process is asked; false when that is so already."""
        with self._database.writing() as connection:
            changed = connection.execute(
                update(stages).where(stages.c.id == stage_id, stages.c.paused_at.is_(None)).values(paused_at=now)
            )
            return changed.rowcount == 1

    def resume(self, stage_id: str) -> bool:
        """Draw battles again; false when they were drawn all along."""
        with self._database.writing() as connection:
            changed = connection.execute(
                update(stages).where(stages.c.id == stage_id, stages.c.paused_at.is_not(None)).values(paused_at=None)
            )
            return changed.rowcount == 1


def _require_beacon(stage: Stage, record: StageRecord, value: str | None, now: datetime) -> None:
    """Refuse what would leave the seed to somebody's choice."""
    if value is None:
        if stage.beacon is not None and not stage.synthetic:
            raise Unusable("beacon_missing", stage=stage.id)
        return
    if stage.beacon is None:
        raise Unusable("beacon_undeclared", stage=stage.id)
    if not re.fullmatch(VALUE, value):
        raise Unusable("beacon_value", value=value)
    if now < stage.beacon.at:
        raise Unusable("beacon_early", at=stage.beacon.at)
    since = max(record.created_at, record.file_at or record.created_at)
    if since >= stage.beacon.at:
        raise Unusable("beacon_late", at=stage.beacon.at, since=since)


def move(connection: Connection, stage_id: str, before: StageStatus, after: StageStatus, now: datetime) -> StageRecord:
    """Take a stage one step forward inside the caller's transaction.

    Raises:
        Conflict: the stage is not in `before`.
    """
    moment = {"open": "opened_at", "frozen": "frozen_at", "published": "published_at"}[after]
    changed = connection.execute(
        update(stages).where(stages.c.id == stage_id, stages.c.status == before).values(status=after, **{moment: now})
    )
    found = _find(connection, stage_id)
    if changed.rowcount != 1 or found is None:
        status = found.status if found else "unknown"
        raise Conflict("stage_status", stage=stage_id, status=status, needed=before, wanted=after)
    return found


def _get(connection: Connection, stage_id: str) -> StageRecord:
    return _record(connection.execute(select(stages).where(stages.c.id == stage_id)).one())


def _find(connection: Connection, stage_id: str) -> StageRecord | None:
    row = connection.execute(select(stages).where(stages.c.id == stage_id)).one_or_none()
    return None if row is None else _record(row)


def _record(row: Row) -> StageRecord:
    return StageRecord(**{**row._mapping, "status": StageStatus(row.status)})
