"""Texts that go while votes stay: what a citizen withdraws, and what has been kept long enough. The ledger holds only digests, so it still verifies."""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from arena.domain.battle import BattleState
from arena.domain.citizen import Citizen
from arena.record.citizens import answered
from arena.record.database import Database
from arena.record.tables import answers, battles, citizens, consents, identities, strata, turns, votes


class Erasure:
    """Forgets, for good."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def withdraw(self, citizen: Citizen, subject: str, now: datetime) -> int:
        """Takes every consent back: texts are erased, running battles closed, and the thread from the person to the pseudonym is cut.

        The votes stay, under a pseudonym that nobody can lead back any more. Returns how many battles were erased.
        """
        mine = battles.c.citizen_id == citizen.id
        with self._database.writing() as connection:
            given = answered(connection, citizen.id)
            taken_back = [
                {"citizen_id": citizen.id, "consent_id": consent, "version": version, "granted": False, "at": now}
                for consent, (version, granted) in given.items()
                if granted
            ]
            if taken_back:
                connection.execute(insert(consents), taken_back)
            connection.execute(update(citizens).where(citizens.c.id == citizen.id).values(withdrawn_at=now))
            connection.execute(delete(identities).where(identities.c.subject == subject))
            connection.execute(delete(strata).where(strata.c.citizen_id == citizen.id))
            unfinished = battles.c.state.in_([BattleState.OPEN, BattleState.ANSWERING])
            connection.execute(
                update(battles)
                .where(mine, unfinished)
                .values(state=BattleState.ABANDONED, lease_owner=None, lease_until=None)
            )
            connection.execute(update(votes).where(votes.c.citizen_id == citizen.id).values(network=None))
            return _erase(connection, mine, now)

    def texts_before(self, stage_id: str, before: datetime, now: datetime, *, judged: bool | None = None) -> int:
        """Erases the texts of a stage's battles last used before a moment: of all, or of those with (or without) a vote. How many."""
        which = and_(battles.c.stage_id == stage_id, battles.c.touched_at < before)
        if judged is not None:
            decided = battles.c.state.in_([BattleState.VOTED, BattleState.REVEALED])
            which = and_(which, decided if judged else ~decided)
        with self._database.writing() as connection:
            return _erase(connection, which, now)


def _erase(connection: Connection, which: ColumnElement[bool], now: datetime) -> int:
    which = and_(which, battles.c.erased_at.is_(None))
    chosen = select(battles.c.id).where(which)
    connection.execute(update(turns).where(turns.c.battle_id.in_(chosen)).values(prompt=""))
    connection.execute(
        update(answers)
        .where(answers.c.battle_id.in_(chosen))
        .values(text="", sent=None, reasoning="", error_detail=None)
    )
    connection.execute(update(votes).where(votes.c.battle_id.in_(chosen)).values(comment=""))
    return connection.execute(update(battles).where(which).values(erased_at=now)).rowcount
