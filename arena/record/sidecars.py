"""What was measured of a stage's votes when it froze, and must not change when texts or answers about people are erased later."""

from collections.abc import Iterator

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from arena.record.database import Database
from arena.record.tables import answers, battles, sidecars, votes


class Sidecars:
    """One for each frozen stage; its content is `results.sidecar`'s."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, stage_id: str, data: bytes) -> None:
        """Keeps it; whoever comes second changes nothing."""
        try:
            with self._database.writing() as connection:
                connection.execute(insert(sidecars).values(stage_id=stage_id, data=data))
        except IntegrityError:
            return

    def find(self, stage_id: str) -> bytes | None:
        """What was kept, if anything was."""
        with self._database.reading() as connection:
            return connection.execute(
                select(sidecars.c.data).where(sidecars.c.stage_id == stage_id)
            ).scalar_one_or_none()

    def answers(self, stage_id: str, chunk: int = 10_000) -> Iterator[tuple[str, str, str]]:
        """`(battle, side, text)` of every answer that was voted on and not erased since."""
        chosen = (
            select(answers.c.battle_id, answers.c.side, answers.c.text)
            .join(battles, battles.c.id == answers.c.battle_id)
            .join(votes, votes.c.battle_id == answers.c.battle_id)
            .where(votes.c.stage_id == stage_id, battles.c.erased_at.is_(None))
        )
        with self._database.reading() as connection:
            for row in connection.execution_options(yield_per=chunk).execute(chosen):
                yield row.battle_id, row.side, row.text
