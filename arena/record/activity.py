"""What is going on in a stage, in counts only: battles and votes by the minute, and what went wrong. For the organizers' console."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, ColumnElement, and_, case, func, select, type_coerce

from arena.domain.battle import BattleState
from arena.record.database import Database
from arena.record.tables import answers, battles, votes

_MINUTE_US = 60_000_000


class Activity:
    """Read-only; every question is bounded by a moment it looks back to."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def battles_by_minute(self, stage_id: str, since: datetime) -> dict[datetime, int]:
        """How many battles were opened in each minute; minutes without one are not there."""
        return self._by_minute(battles.c.opened_at, and_(battles.c.stage_id == stage_id, battles.c.opened_at >= since))

    def votes_by_minute(self, stage_id: str, since: datetime) -> dict[datetime, int]:
        """How many votes were cast in each minute; minutes without one are not there."""
        return self._by_minute(votes.c.cast_at, and_(votes.c.stage_id == stage_id, votes.c.cast_at >= since))

    def running(self, stage_id: str, now: datetime) -> int:
        """Battles whose answers are being written now, in all processes."""
        chosen = select(func.count()).where(
            battles.c.state == BattleState.ANSWERING, battles.c.lease_until >= now, battles.c.stage_id == stage_id
        )
        with self._database.reading() as connection:
            return connection.execute(chosen).scalar_one()

    def voids(self, stage_id: str, since: datetime) -> dict[str, int]:
        """Battles that must not be judged, by reason."""
        chosen = (
            select(battles.c.void_reason, func.count())
            .where(battles.c.stage_id == stage_id, battles.c.state == BattleState.VOID, battles.c.opened_at >= since)
            .group_by(battles.c.void_reason)
        )
        with self._database.reading() as connection:
            return {reason or "": count for reason, count in connection.execute(chosen)}

    def failures(self, stage_id: str, since: datetime) -> Counter[tuple[str, str]]:
        """Answers that failed, `{(entrant, kind of error): how many}`."""
        entrant = case((answers.c.side == "a", battles.c.model_a), else_=battles.c.model_b)
        chosen = (
            select(entrant, answers.c.error_kind, func.count())
            .join(battles, battles.c.id == answers.c.battle_id)
            .where(battles.c.stage_id == stage_id, battles.c.opened_at >= since, answers.c.status == "failed")
            .group_by(entrant, answers.c.error_kind)
        )
        with self._database.reading() as connection:
            return Counter({(who, kind or "unknown"): count for who, kind, count in connection.execute(chosen)})

    def _by_minute(self, column: ColumnElement[datetime], which: ColumnElement[bool]) -> dict[datetime, int]:
        minute = type_coerce(column, BigInteger) // _MINUTE_US
        with self._database.reading() as connection:
            rows = connection.execute(select(minute, func.count()).where(which).group_by(minute)).all()
        return {
            datetime.fromtimestamp(0, UTC) + timedelta(minutes=int(at)): count
            for at, count in sorted((row[0], row[1]) for row in rows)
        }
