"""What time-stamping authorities have answered about checkpoints (RFC 3161), as it came."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select

from arena.record.database import Database
from arena.record.tables import timestamps


@dataclass(frozen=True, slots=True)
class Timestamp:
    """One answer over one checkpoint's signed bytes."""

    stage_id: str
    size: int
    tsa: str
    """The authority's address, without what may be secret in it: exports are read by others."""
    at: datetime
    """The time that it gives."""
    answer: bytes
    """The whole TimeStampResp, DER."""


class Timestamps:
    """The answers that are kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, given: Timestamp) -> None:
        """Add one."""
        values = {name: getattr(given, name) for name in ("stage_id", "size", "tsa", "at", "answer")}
        with self._database.writing() as connection:
            connection.execute(insert(timestamps).values(**values))

    def of_stage(self, stage_id: str, *, most: int | None = None) -> list[Timestamp]:
        """List them by size and time, up to a checkpoint's size."""
        columns = (timestamps.c[name] for name in ("stage_id", "size", "tsa", "at", "answer"))
        order = (timestamps.c.size, timestamps.c.at, timestamps.c.seq)
        chosen = select(*columns).where(timestamps.c.stage_id == stage_id).order_by(*order)
        if most is not None:
            chosen = chosen.where(timestamps.c.size <= most)
        with self._database.reading() as connection:
            return [Timestamp(**row._mapping) for row in connection.execute(chosen)]
