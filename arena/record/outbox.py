"""The outbox: what has to reach an aggregator, kept until it has, through restarts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, insert, select, update

from arena.record.database import Database
from arena.record.tables import outbox


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message on its way."""

    seq: int
    stage_id: str
    event: str
    url: str
    body: bytes
    created_at: datetime
    attempts: int
    due_at: datetime
    delivered_at: datetime | None
    given_up_at: datetime | None
    last_error: str | None

    @property
    def state(self) -> Literal["delivered", "given_up", "waiting"]:
        """How it fares."""
        if self.delivered_at is not None:
            return "delivered"
        return "waiting" if self.given_up_at is None else "given_up"


class Outbox:
    """Messages that are delivered at least once, each by one process at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, stage_id: str, event: str, url: str, body: bytes, now: datetime) -> int:
        """Keep a message for delivery; return its number."""
        with self._database.writing() as connection:
            return put(connection, stage_id, event, url, body, now)

    def take(self, now: datetime, until: datetime) -> Parcel | None:
        """Take the next message that is due, for this process until `until`; nobody else gets it before then."""
        waiting = (outbox.c.delivered_at.is_(None), outbox.c.given_up_at.is_(None), outbox.c.due_at <= now)
        with self._database.reading() as connection:  # most looks find nothing, and must keep no voter waiting
            if connection.execute(select(outbox.c.seq).where(*waiting).limit(1)).first() is None:
                return None
        with self._database.writing() as connection:
            chosen = select(outbox.c.seq).where(*waiting).order_by(outbox.c.due_at, outbox.c.seq).limit(1)
            if not self._database.is_sqlite:
                chosen = chosen.with_for_update(skip_locked=True)
            seq = connection.execute(chosen).scalar_one_or_none()
            if seq is None:
                return None
            row = connection.execute(
                update(outbox)
                .where(outbox.c.seq == seq)
                .values(due_at=until, attempts=outbox.c.attempts + 1)
                .returning(*outbox.c)
            ).one()
            return Parcel(**row._mapping)

    def delivered(self, seq: int, now: datetime) -> None:
        """Note that it has arrived."""
        with self._database.writing() as connection:
            connection.execute(update(outbox).where(outbox.c.seq == seq).values(delivered_at=now, last_error=None))

    def failed(self, seq: int, error: str, due_at: datetime | None, now: datetime) -> None:
        """Note that it has not; due again at `due_at`, or given up."""
        values = {"last_error": error[:500]} | ({"given_up_at": now} if due_at is None else {"due_at": due_at})
        with self._database.writing() as connection:
            connection.execute(update(outbox).where(outbox.c.seq == seq).values(**values))

    def again(self, stage_id: str, now: datetime) -> int:
        """Make every undelivered message of a stage due now, given-up ones too; return how many."""
        open_ones = (outbox.c.stage_id == stage_id, outbox.c.delivered_at.is_(None))
        with self._database.writing() as connection:
            changed = connection.execute(
                update(outbox).where(*open_ones).values(due_at=now, given_up_at=None, attempts=0)
            )
            return changed.rowcount

    def of_stage(self, stage_id: str) -> list[Parcel]:
        """List a stage's messages, oldest first."""
        chosen = select(outbox).where(outbox.c.stage_id == stage_id).order_by(outbox.c.seq)
        with self._database.reading() as connection:
            return [Parcel(**row._mapping) for row in connection.execute(chosen)]


def put(connection: Connection, stage_id: str, event: str, url: str, body: bytes, now: datetime) -> int:
    """Keep a message for delivery inside the caller's transaction; return its number."""
    made = connection.execute(
        insert(outbox).values(
            stage_id=stage_id, event=event, url=url, body=body, created_at=now, attempts=0, due_at=now
        )
    )
    return int(made.inserted_primary_key[0])  # type: ignore[index]
