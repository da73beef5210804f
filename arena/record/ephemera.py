"""What may be forgotten: counts of the limits, used-up proofs of work, and each day's key for network digests.

Written without waiting for the disk: a crash may lose a moment of it, which harms nobody, and no vote waits behind it.
"""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import case, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from arena.record.database import Database
from arena.record.tables import counters, network_keys, spent_proofs

KEPT_DAYS = 2
"""How long a day's network key lives; afterwards its digests mean nothing to anybody."""


class Ephemera:
    """Counts, spent proofs and daily keys, shared by every process on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = sqlite.insert if database.is_sqlite else postgresql.insert
        self._day_key: tuple[str, bytes] = ("", b"")

    def count(self, key: str, amount: int, window: timedelta, now: datetime) -> int:
        """Adds to a counter, which begins again when its window has passed; what it holds now. One statement, so no count is lost."""
        row = self._insert(counters).values(key=key, hits=amount, expires_at=now + window)
        over = counters.c.expires_at <= now
        statement = row.on_conflict_do_update(
            index_elements=[counters.c.key],
            set_={
                "hits": case((over, row.excluded.hits), else_=counters.c.hits + row.excluded.hits),
                "expires_at": case((over, row.excluded.expires_at), else_=counters.c.expires_at),
            },
        ).returning(counters.c.hits)
        with self._database.writing() as connection:
            return connection.execute(statement).scalar_one()

    def counted(self, key: str, now: datetime) -> tuple[int, datetime]:
        """What a counter holds, and when its window ends."""
        with self._database.reading() as connection:
            row = connection.execute(
                select(counters.c.hits, counters.c.expires_at).where(counters.c.key == key)
            ).one_or_none()
        return (0, now) if row is None or row.expires_at <= now else (row.hits, row.expires_at)

    def forget(self, key: str | None) -> None:
        """Begins a counter again; all of them without a key."""
        with self._database.writing() as connection:
            connection.execute(delete(counters) if key is None else delete(counters).where(counters.c.key == key))

    def spend(self, proof_id: str, expires_at: datetime) -> bool:
        """Uses a proof of work up; false when somebody has done so before."""
        row = self._insert(spent_proofs).values(id=proof_id, expires_at=expires_at)
        with self._database.writing() as connection:
            return (
                connection.execute(row.on_conflict_do_nothing().returning(spent_proofs.c.id)).one_or_none() is not None
            )

    def network_key(self, now: datetime) -> bytes:
        """The key of this day (UTC), made by whichever process asks first."""
        day = now.date().isoformat()
        if self._day_key[0] != day:
            row = self._insert(network_keys).values(day=day, key=secrets.token_hex(32))
            with self._database.writing() as connection:
                connection.execute(row.on_conflict_do_nothing())
                key = connection.execute(select(network_keys.c.key).where(network_keys.c.day == day)).scalar_one()
            self._day_key = (day, bytes.fromhex(key))
        return self._day_key[1]

    def sweep(self, now: datetime) -> None:
        """Deletes what has expired, the keys of past days too."""
        oldest = (now - timedelta(days=KEPT_DAYS)).date().isoformat()
        with self._database.writing() as connection:
            connection.execute(delete(counters).where(counters.c.expires_at <= now))
            connection.execute(delete(spent_proofs).where(spent_proofs.c.expires_at <= now))
            connection.execute(delete(network_keys).where(network_keys.c.day <= oldest))
