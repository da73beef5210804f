"""What was measured of a stage's votes when it froze, and must not change when texts or answers about people are erased later."""

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from arena.record.database import Database
from arena.record.tables import sidecars


class KeptAnnotations:
    """One for each frozen stage; its content is `results.votes.annotations`'."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, stage_id: str, data: bytes) -> None:
        """Keep it; whoever comes second changes nothing."""
        try:
            with self._database.writing() as connection:
                connection.execute(insert(sidecars).values(stage_id=stage_id, data=data))
        except IntegrityError:
            return

    def find(self, stage_id: str) -> bytes | None:
        """Find what was kept, if anything was."""
        with self._database.reading() as connection:
            return connection.execute(
                select(sidecars.c.data).where(sidecars.c.stage_id == stage_id)
            ).scalar_one_or_none()
