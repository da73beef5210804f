"""What was measured of a stage's votes when it froze, and must not change when texts or answers about people are erased later."""

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from arena.record.database import Database
from arena.record.tables import sidecars


class KeptAnnotations:
    """One for each frozen stage; its content is `results.export.kept`'s."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, stage_id: str, data: bytes, strata: bytes | None) -> None:
        """Keep it, with the strata of its voters where there are any; whoever comes second changes nothing."""
        try:
            with self._database.writing() as connection:
                connection.execute(insert(sidecars).values(stage_id=stage_id, data=data, strata=strata))
        except IntegrityError:
            return

    def renew(self, stage_id: str, data: bytes) -> None:
        """Keep the newest measurements in place of those of the freeze, as long as the strata that they were made of are there."""
        with self._database.writing() as connection:
            mine = (sidecars.c.stage_id == stage_id, sidecars.c.strata.is_not(None))
            connection.execute(update(sidecars).where(*mine).values(data=data))

    def find(self, stage_id: str) -> bytes | None:
        """Find what was kept, if anything was."""
        with self._database.reading() as connection:
            return connection.execute(
                select(sidecars.c.data).where(sidecars.c.stage_id == stage_id)
            ).scalar_one_or_none()

    def strata(self, stage_id: str) -> bytes | None:
        """Find the strata that were kept; None where there were none, or they have been forgotten."""
        with self._database.reading() as connection:
            return connection.execute(
                select(sidecars.c.strata).where(sidecars.c.stage_id == stage_id)
            ).scalar_one_or_none()

    def forget_strata(self, stage_id: str) -> bool:
        """Erase them for good, and tell whether there were any."""
        with self._database.writing() as connection:
            mine = (sidecars.c.stage_id == stage_id, sidecars.c.strata.is_not(None))
            return connection.execute(update(sidecars).where(*mine).values(strata=None)).rowcount > 0
