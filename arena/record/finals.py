"""Final exports: each stage's one chain of published results. Only ever appended to, in the transaction that declares it."""

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import Row, insert, select

from arena.domain.errors import Conflict
from arena.domain.stage import StageStatus
from arena.record.database import Database
from arena.record.events import Entry, Event, log, taken
from arena.record.outbox import put
from arena.record.stages import move
from arena.record.tables import finals


@dataclass(frozen=True, slots=True)
class Final:
    """One published export."""

    stage_id: str
    n: int
    """Its place in the chain, from 1."""
    export_id: str
    created_at: datetime
    reason: str | None
    """Why it takes the place of the one before; None for the first."""
    document: bytes
    """`export.json`, as it was signed."""
    result: bytes
    """What everybody may read of it, with commitments to what stays closed, as it was signed."""
    beside: Mapping[str, bytes]
    """Files of that moment, by name, that others may add to; the rest follows from the record."""


class Finals:
    """The chains of every stage."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def declare(
        self,
        final: Final,
        actor: str,
        decide: Callable[[Sequence[Event]], Iterable[Entry]],
        *,
        event: str,
        urls: Sequence[str],
        body: bytes,
        due: datetime,
    ) -> None:
        """Declare this export the stage's result: kept, the stage published, what follows in the log and in the outbox, or nothing of it.

        Args:
            final: the export; its place has to be the next one.
            actor: who declares it.
            decide: gets the stage's events so far, and tells what to log, or raises where the export no longer says what was decided.
            event: what those at `urls` are told has happened.
            urls: whom to push to.
            body: what to push.
            due: from when on; the export may be dated by a clock that is ahead.

        Raises:
            Conflict: somebody else was first, or the stage is not where it has to be: frozen for the first export, published for a correction.
        """
        stage_id, now = final.stage_id, final.created_at
        with self._database.writing() as connection:
            status, before = taken(connection, stage_id)
            chain = connection.execute(select(finals.c.n).where(finals.c.stage_id == stage_id)).scalars().all()
            if final.n != len(chain) + 1:
                raise Conflict("published_meanwhile", stage=stage_id)
            entries = list(decide(before))
            if final.n == 1:
                move(connection, stage_id, StageStatus.FROZEN, StageStatus.PUBLISHED, now)
            elif status is not StageStatus.PUBLISHED:
                raise Conflict("not_published", stage=stage_id)
            columns = ("stage_id", "n", "export_id", "created_at", "reason", "document", "result")
            texts = {name: data.decode("utf-8") for name, data in final.beside.items()}
            row = {name: getattr(final, name) for name in columns} | {"beside": zlib.compress(orjson.dumps(texts))}
            connection.execute(insert(finals).values(row))
            for entry in entries:
                log(connection, entry.at, stage_id, actor, entry.kind, entry.data)
            for url in urls:
                put(connection, stage_id, event, url, body, due)

    def newest(self, stage_id: str) -> Final | None:
        """Find the stage's result, if it has one."""
        chosen = select(finals).where(finals.c.stage_id == stage_id).order_by(finals.c.n.desc()).limit(1)
        with self._database.reading() as connection:
            row = connection.execute(chosen).one_or_none()
        return None if row is None else _final(row)

    def newest_id(self, stage_id: str) -> str | None:
        """Find the identifier of the stage's result, if it has one."""
        chosen = select(finals.c.export_id).where(finals.c.stage_id == stage_id).order_by(finals.c.n.desc()).limit(1)
        with self._database.reading() as connection:
            return connection.execute(chosen).scalar_one_or_none()

    def of_stage(self, stage_id: str) -> list[Final]:
        """List the stage's chain, the first export first."""
        chosen = select(finals).where(finals.c.stage_id == stage_id).order_by(finals.c.n)
        with self._database.reading() as connection:
            return [_final(row) for row in connection.execute(chosen)]


def _final(row: Row) -> Final:
    texts = orjson.loads(zlib.decompress(row.beside))
    return Final(**{**row._mapping, "beside": {name: text.encode() for name, text in texts.items()}})
