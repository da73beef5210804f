"""Events: who did what to a stage, and when. Append-only."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, insert, select

from arena.domain.errors import NotFound
from arena.domain.stage import StageStatus
from arena.record.database import Database
from arena.record.tables import events, stages

REMOVED = "entrant.removed"
"""An entrant has left the stage: it is neither drawn nor rated from then on."""


@dataclass(frozen=True, slots=True)
class Event:
    """One act or incident."""

    seq: int
    at: datetime
    stage_id: str | None
    actor: str
    kind: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One event to be added, by whoever adds it."""

    at: datetime
    kind: str
    data: dict[str, Any]


class Events:
    """The audit log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, at: datetime, stage_id: str | None, actor: str, kind: str, data: dict[str, Any]) -> None:
        """Add an event; nothing ever changes or removes one."""
        with self._database.writing() as connection:
            log(connection, at, stage_id, actor, kind, data)

    def follow(
        self, stage_id: str, actor: str, decide: Callable[[StageStatus, Sequence[Event]], Iterable[Entry]]
    ) -> None:
        """Add what follows from all that was decided on a stage before: one caller after the other, whichever process asks.

        Args:
            stage_id: the stage.
            actor: who decides.
            decide: gets where the stage stands and its events so far, and tells what to add, or raises; then nothing is added.

        Raises:
            NotFound: no such stage.
        """
        with self._database.writing() as connection:
            for entry in decide(*taken(connection, stage_id)):
                log(connection, entry.at, stage_id, actor, entry.kind, entry.data)

    def of_stage(self, stage_id: str, kind: str | None = None) -> list[Event]:
        """List the stage's events in order, of one kind or of all."""
        chosen = _of_stage(stage_id)
        if kind is not None:
            chosen = chosen.where(events.c.kind == kind)
        with self._database.reading() as connection:
            return [Event(**row._mapping) for row in connection.execute(chosen)]

    def of_arena(self, most: int) -> list[Event]:
        """List the newest events of no stage in particular, such as logins, in order."""
        chosen = select(events).where(events.c.stage_id.is_(None)).order_by(events.c.seq.desc()).limit(most)
        with self._database.reading() as connection:
            return [Event(**row._mapping) for row in connection.execute(chosen)][::-1]

    def of_kinds(self, kinds: Collection[str], since: datetime) -> list[Event]:
        """List the events of no stage in particular that are of these kinds, from a moment on, in order."""
        arenas = (events.c.stage_id.is_(None), events.c.kind.in_(kinds), events.c.at >= since)
        chosen = select(events).where(*arenas).order_by(events.c.seq)
        with self._database.reading() as connection:
            return [Event(**row._mapping) for row in connection.execute(chosen)]

    def removed(self, stage_id: str) -> frozenset[str]:
        """List the entrants that have left the stage."""
        with self._database.reading() as connection:
            return removed(connection, stage_id)


def _of_stage(stage_id: str) -> Select[*tuple[Any, ...]]:
    return select(events).where(events.c.stage_id == stage_id).order_by(events.c.seq)


def taken(connection: Connection, stage_id: str) -> tuple[StageStatus, list[Event]]:
    """Take the stage for the caller's transaction: whoever else decides on it waits. Tell where it stands, and its events so far.

    Raises:
        NotFound: no such stage.
    """
    chosen = select(stages.c.status).where(stages.c.id == stage_id).with_for_update()
    status = connection.execute(chosen).scalar_one_or_none()
    if status is None:
        raise NotFound("stage_not_found")
    return StageStatus(status), [Event(**row._mapping) for row in connection.execute(_of_stage(stage_id))]


def log(
    connection: Connection, at: datetime, stage_id: str | None, actor: str, kind: str, data: dict[str, Any]
) -> None:
    """Add an event inside the caller's transaction: it is kept with what it tells of, or neither is."""
    connection.execute(insert(events).values(at=at, stage_id=stage_id, actor=actor, kind=kind, data=data))


def removed(connection: Connection, stage_id: str) -> frozenset[str]:
    """List the entrants that have left the stage, inside the caller's transaction."""
    chosen = select(events.c.data).where(events.c.stage_id == stage_id, events.c.kind == REMOVED)
    return frozenset(data["entrant"] for data in connection.execute(chosen).scalars())
