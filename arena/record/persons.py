"""Persons of a stage that takes each of them once: whose digest leads to which subject, until they withdraw, and that they have withdrawn afterwards."""

from typing import Final, Literal

from sqlalchemy import Connection, and_, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from arena.domain.errors import Forbidden
from arena.record.database import Database
from arena.record.tables import persons

PersonKind = Literal["login", "invitation"]
"""By what somebody is known to be a person that has not come before."""
_INSERT: Final = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class Persons:
    """Who has come to a stage, by keyed digests."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def subject_of(self, stage_id: str, kind: PersonKind, digest: str, new: str) -> str:
        """Find the subject of this person; `new` becomes it when they come for the first time, and for as long as the stage is remembered.

        Raises:
            Forbidden: they have withdrawn from this stage.
        """
        with self._database.writing() as connection:
            return _claimed(connection, stage_id, kind, digest, new)

    def seat(self, stage_id: str, digest: str | None, subject: str) -> None:
        """Give a person who has logged in the seat that an invitation stands for, unless they have one already.

        Raises:
            Forbidden: they have no seat and came without an invitation, somebody else has used it, or they have withdrawn.
        """
        mine = and_(persons.c.stage_id == stage_id, persons.c.subject == subject)
        with self._database.writing() as connection:
            # The person's rows are held, and only then read: who comes with two invitations at once takes one seat.
            connection.execute(select(persons.c.digest).where(mine).order_by(persons.c.digest).with_for_update())
            kinds = set(connection.execute(select(persons.c.kind).where(mine)).scalars())
            if "invitation" in kinds:
                return
            if "login" not in kinds:
                raise Forbidden("withdrawn")  # in the same moment: no seat may keep the subject
            if digest is None:
                raise Forbidden("invitation_needed")
            try:
                holder = _claimed(connection, stage_id, "invitation", digest, subject)
            except Forbidden:
                holder = None
            if holder != subject:
                raise Forbidden("invitation_used")

    def forget(self, stage_id: str) -> int:
        """Delete all that is known of the persons of a stage, withdrawn or not. Return how many digests there were."""
        with self._database.writing() as connection:
            return connection.execute(delete(persons).where(persons.c.stage_id == stage_id)).rowcount


def unlink(connection: Connection, subject: str) -> None:
    """Cut the thread from a person to this subject, inside the caller's transaction; that they have withdrawn stays.

    All of the stage who have withdrawn are written anew together: the order or the transaction in which rows were written, which a database
    also keeps, then leads no more to this pseudonym than to any other that has withdrawn.
    """
    stage_id = connection.execute(select(func.min(persons.c.stage_id)).where(persons.c.subject == subject)).scalar_one()
    withdrawn = and_(persons.c.stage_id == stage_id, or_(persons.c.subject == subject, persons.c.subject.is_(None)))
    connection.execute(select(persons.c.digest).where(withdrawn).order_by(persons.c.digest).with_for_update())
    connection.execute(update(persons).where(withdrawn).values(subject=None))


def _claimed(connection: Connection, stage_id: str, kind: PersonKind, digest: str, new: str) -> str:
    """Return the subject that this digest leads to: of two who come at once the second waits here for the first, and is the same one."""
    row = _INSERT[connection.dialect.name](persons).values(stage_id=stage_id, digest=digest, kind=kind, subject=new)
    connection.execute(row.on_conflict_do_nothing())
    chosen = select(persons.c.subject).where(persons.c.stage_id == stage_id, persons.c.digest == digest)
    subject = connection.execute(chosen).scalar_one()
    if subject is None:
        raise Forbidden("withdrawn")
    return subject
