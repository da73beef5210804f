"""The processes that serve a stage now: each says every few seconds that it is there, how much it is answering, and how its entrants fare."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from arena.record.battles import release, renew
from arena.record.database import Database
from arena.record.tables import battles, processes

PROCESS_CHARS = 64
"""Of its name, at most."""


@dataclass(frozen=True, slots=True)
class Process:
    """What a process last said of itself."""

    id: str
    """The owner in the leases of what it is answering; no other process ever has it."""
    stage_id: str
    name: str
    """What people call it; the same again after a restart."""
    began_at: datetime
    running: int
    """Questions it is answering."""
    entrants: Mapping[str, Any]
    """By entrant, its figures as JSON: `models.entrant_stats` makes them and reads them again."""


class Processes:
    """Who serves. A process that says nothing until its word expires is dead: nobody counts its figures any more."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def beat(self, said: Process, until: datetime, battle_ids: Sequence[str]) -> None:
        """Keep what a process says of itself, and the leases of the battles it is answering, until then: in one transaction.

        It locks several battles at once. The one other statement that does, which opens what dead processes left, has only leases that
        have run out; should the two ever wait for each other, the database ends one of them, and the next beat is seconds away.
        """
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        values = asdict(said) | {"expires_at": until}
        row = insert(processes).values(values)
        with self._database.writing() as connection:
            renew(connection, said.id, battle_ids, until)
            connection.execute(row.on_conflict_do_update(index_elements=[processes.c.id], set_=values))

    def end(self, process_id: str) -> int:
        """Take a process out that stops in good order, and open again what it was answering; return how many battles that were."""
        with self._database.writing() as connection:
            connection.execute(delete(processes).where(processes.c.id == process_id))
            return release(connection, battles.c.lease_owner == process_id)

    def alive(self, stage_id: str, now: datetime) -> list[Process]:
        """Read who serves the stage, by name."""
        columns = [column for column in processes.c if column.name != "expires_at"]
        chosen = select(*columns).where(processes.c.stage_id == stage_id, processes.c.expires_at > now)
        with self._database.reading() as connection:
            return [Process(**row._mapping) for row in connection.execute(chosen.order_by(processes.c.name))]

    def sweep(self, now: datetime) -> None:
        """Delete what dead processes said."""
        with self._database.writing() as connection:
            connection.execute(delete(processes).where(processes.c.expires_at <= now))
