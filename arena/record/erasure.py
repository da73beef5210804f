"""Texts that go while votes stay: what a citizen withdraws, and what has been kept long enough. The ledger holds only digests, so it still verifies."""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from arena.domain.battle import BattleState
from arena.domain.citizen import Citizen
from arena.record.citizens import answered
from arena.record.database import Database
from arena.record.persons import unlink
from arena.record.tables import answers, battles, citizens, consents, strata, turns, votes


class Erasure:
    """Forgets, for good."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def withdraw(self, citizen: Citizen, subject: str, now: datetime) -> int:
        """Take every consent back: texts are erased, running battles closed, and the thread from the person to the pseudonym is cut.

        The votes stay, under a pseudonym that nobody can lead back any more; of a person whom the stage knows stays that they have withdrawn.
        Returns how many battles were erased.
        """
        mine = battles.c.citizen_id == citizen.id
        with self._database.writing() as connection:
            # First, so that what this citizen does in the same moment is over and found below, or refused (`citizens.require_present`).
            present = (citizens.c.id == citizen.id, citizens.c.withdrawn_at.is_(None))
            if not connection.execute(update(citizens).where(*present).values(withdrawn_at=now)).rowcount:
                return 0  # nobody has agreed to anything, or took it back before
            # In the order in which votes lock them, so that neither waits for the other in a ring.
            connection.execute(select(battles.c.id).where(mine).order_by(battles.c.id).with_for_update())
            given = answered(connection, citizen.id)
            taken_back = [
                {"citizen_id": citizen.id, "consent_id": consent, "version": version, "granted": False, "at": now}
                for consent, (version, granted) in given.items()
                if granted
            ]
            if taken_back:
                connection.execute(insert(consents), taken_back)
            unlink(connection, subject)
            connection.execute(delete(strata).where(strata.c.citizen_id == citizen.id))
            unheard = {"state": BattleState.ABANDONED, "stop_requested_at": now}
            connection.execute(
                update(battles).where(mine, battles.c.state == BattleState.OPEN).values(state=BattleState.ABANDONED)
            )
            # The lease says which process is writing, and so who has to hear of it.
            connection.execute(update(battles).where(mine, battles.c.state == BattleState.ANSWERING).values(unheard))
            return _erase(connection, mine, now)

    def texts_before(self, stage_id: str, before: datetime, now: datetime, *, judged: bool | None = None) -> int:
        """Erase the texts of a stage's battles last used before a moment: of all, or of those with (or without) a vote. How many."""
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
