"""What citizens say about themselves, for weighting: with consent, replaceable, and gone when they withdraw."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import delete, insert, select

from arena.record.citizens import require_present
from arena.record.counters import Admission, require
from arena.record.database import Database
from arena.record.tables import stages, strata, votes


class Strata:
    """The answers to a stage's questions about its voters."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def answer(
        self, citizen_id: str, answers: Mapping[str, str], now: datetime, admission: Admission | None = None
    ) -> None:
        """Replace all of this citizen's answers, `{stratum: category}`; empty ones take them back. Counted by `admission`.

        Raises:
            Unauthorized: they have withdrawn.
            TooMany: as `counters.require`.
        """
        with self._database.writing() as connection:
            require_present(connection, citizen_id)
            require(connection, admission)
            connection.execute(delete(strata).where(strata.c.citizen_id == citizen_id))
            if answers:
                rows = [
                    {"citizen_id": citizen_id, "stratum": stratum, "category": category, "at": now}
                    for stratum, category in answers.items()
                ]
                connection.execute(insert(strata), rows)

    def of_citizen(self, citizen_id: str) -> dict[str, str]:
        """One citizen's answers, `{stratum: category}`."""
        with self._database.reading() as connection:
            chosen = select(strata.c.stratum, strata.c.category).where(strata.c.citizen_id == citizen_id)
            return {row.stratum: row.category for row in connection.execute(chosen)}

    def forget(self, stage_id: str) -> int:
        """Erase what the voters of a stage have said, but for those who have voted in a later one since: theirs goes with that. How many answers."""
        voters = select(votes.c.citizen_id).where(votes.c.stage_id == stage_id)
        opened = select(stages.c.opened_at).where(stages.c.id == stage_id).scalar_subquery()
        later = (
            select(votes.c.citizen_id).join(stages, stages.c.id == votes.c.stage_id).where(stages.c.opened_at > opened)
        )
        mine = (strata.c.citizen_id.in_(voters), strata.c.citizen_id.not_in(later))
        with self._database.writing() as connection:
            return connection.execute(delete(strata).where(*mine)).rowcount

    def of_voters(self, stage_id: str) -> dict[str, dict[str, str]]:
        """Read what the voters of a stage have said, `{voter: {stratum: category}}`; who has said nothing is there, empty."""
        with self._database.reading() as connection:
            voters = connection.execute(select(votes.c.citizen_id).where(votes.c.stage_id == stage_id).distinct())
            found: dict[str, dict[str, str]] = {voter: {} for (voter,) in voters}
            chosen = (
                select(strata.c.citizen_id, strata.c.stratum, strata.c.category)
                .join(votes, votes.c.citizen_id == strata.c.citizen_id)
                .where(votes.c.stage_id == stage_id)
                .distinct()
            )
            for voter, stratum, category in connection.execute(chosen):
                found[voter][stratum] = category
        return found
