"""Organizers: names and Argon2 password hashes."""

from datetime import datetime

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import insert, select, update

from arena.record.database import Database
from arena.record.tables import organizers

_hasher = PasswordHasher()
# Checked when the name is unknown, so that the answer takes as long as for a known one.
_NOBODY = _hasher.hash("nobody")


class Organizers:
    """Who may open the console."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, password: str, now: datetime) -> None:
        """Adds an organizer, or gives a known one a new password."""
        hashed = _hasher.hash(password)
        with self._database.writing() as connection:
            changed = connection.execute(
                update(organizers).where(organizers.c.name == name).values(password_hash=hashed)
            )
            if changed.rowcount == 0:
                connection.execute(insert(organizers).values(name=name, password_hash=hashed, created_at=now))

    def check(self, name: str, password: str) -> bool:
        """Whether this is the organizer's password; as slow for an unknown name as for a known one."""
        with self._database.reading() as connection:
            found = connection.execute(
                select(organizers.c.password_hash).where(organizers.c.name == name)
            ).scalar_one_or_none()
        try:
            return _hasher.verify(found or _NOBODY, password) and found is not None
        except VerificationError:
            return False
