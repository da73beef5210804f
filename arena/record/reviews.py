"""What was proposed for review when a stage froze: made once, so that nobody can have it made again until it suits."""

from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from arena.record.database import Database
from arena.record.tables import reviews


class Reviews:
    """One for each frozen stage; its content is `results.integrity.review`'s."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, stage_id: str, made_at: datetime, data: bytes) -> None:
        """Keep it; whoever comes second changes nothing."""
        try:
            with self._database.writing() as connection:
                connection.execute(insert(reviews).values(stage_id=stage_id, made_at=made_at, data=data))
        except IntegrityError:
            return

    def find(self, stage_id: str) -> bytes | None:
        """Find what was kept, if anything was."""
        with self._database.reading() as connection:
            return connection.execute(select(reviews.c.data).where(reviews.c.stage_id == stage_id)).scalar_one_or_none()
