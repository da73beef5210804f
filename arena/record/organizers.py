"""Organizers: names, Argon2 password hashes, and the sessions in which they are logged in; who comes, fails and goes is in the audit log."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import Connection, delete, insert, select, update

from arena.domain.errors import NotFound, Unusable
from arena.record.counters import Admission, Bound, count
from arena.record.database import Database
from arena.record.events import log
from arena.record.tables import organizer_sessions, organizers

CONSOLE = "console"
"""Whoever has entered by the one-time link: nobody's name."""
NOBODYS = frozenset({CONSOLE, "command line", "start", "retention", "release", "export", "auditor", "unknown"})
"""Names that the audit log gives to what is no organizer."""
SESSION_LASTS = timedelta(hours=12)
SEEN_EVERY = timedelta(minutes=5)
"""A session's last use is kept to this, so that looking is not a write."""
REFUSALS_NOTED = 100
"""In an hour: whoever floods the login does not flood the audit log."""

Entrance = Literal["password", "link"]

_hasher = PasswordHasher()
# Checked when the name is unknown, so that the answer takes as long as for a known one.
_NOBODY = _hasher.hash("nobody")


@dataclass(frozen=True, slots=True)
class Organizer:
    """Somebody with an account."""

    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class OrganizerSession:
    """One browser in which somebody is logged in; its cookie is known to that browser alone."""

    name: str
    entrance: Entrance
    began_at: datetime
    seen_at: datetime
    expires_at: datetime


class Organizers:
    """Who may open the console, and who has it open."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, password: str, now: datetime, *, by: str = "command line") -> int:
        """Add an organizer, or give a known one a new password; return how many sessions that has ended.

        Raises:
            Unusable: the audit log calls something else by this name.
        """
        if name in NOBODYS:
            raise Unusable("organizer_name", name=name)
        hashed = _hasher.hash(password)
        with self._database.writing() as connection:
            changed = connection.execute(
                update(organizers).where(organizers.c.name == name).values(password_hash=hashed)
            )
            if changed.rowcount == 0:
                connection.execute(insert(organizers).values(name=name, password_hash=hashed, created_at=now))
                log(connection, now, None, by, "organizer.added", {"organizer": name})
                return 0
            ended = _end_all(connection, name)
            log(connection, now, None, by, "organizer.password", {"organizer": name, "sessions": ended})
            return ended

    def remove(self, name: str, now: datetime, *, by: str = "command line") -> int:
        """Remove an organizer and end every session of that name, `console` among them; return how many have ended.

        Raises:
            NotFound: there is neither.
        """
        with self._database.writing() as connection:
            removed = connection.execute(delete(organizers).where(organizers.c.name == name)).rowcount
            ended = _end_all(connection, name)
            if not removed and not ended:
                raise NotFound("organizer_not_found", name=name)
            log(connection, now, None, by, "organizer.removed", {"organizer": name, "sessions": ended})
            return ended

    def all(self) -> list[Organizer]:
        """Every organizer, by name."""
        chosen = select(organizers.c.name, organizers.c.created_at).order_by(organizers.c.name)
        with self._database.reading() as connection:
            return [Organizer(**row._mapping) for row in connection.execute(chosen)]

    def enter(self, name: str, password: str, now: datetime) -> str | None:
        """Begin a session for this name and password: return its cookie; nothing where they are wrong.

        As slow for an unknown name as for a known one, and 64 MiB of memory while it lasts: the caller bounds how many run at a time.
        """
        with self._database.reading() as connection:
            found = connection.execute(
                select(organizers.c.password_hash).where(organizers.c.name == name)
            ).scalar_one_or_none()
        try:
            right = _hasher.verify(found or _NOBODY, password) and found is not None
        except VerificationError:
            right = False
        # Looked for again, and held: whoever is removed or given a new password meanwhile has no session afterwards.
        still = select(organizers.c.name).where(organizers.c.name == name, organizers.c.password_hash == found)
        with self._database.writing() as connection:
            if right and connection.execute(still.with_for_update()).one_or_none() is not None:
                return _begin(connection, name, "password", now)
            _note_refusal(connection, name if found else "unknown", "organizer.login_failed", now)
        return None

    def enter_by_link(self, now: datetime) -> str:
        """Begin a session for whoever has the one-time link; return its cookie."""
        with self._database.writing() as connection:
            return _begin(connection, CONSOLE, "link", now)

    def refuse_link(self, now: datetime) -> None:
        """Keep that the one-time link came again, or too late."""
        with self._database.writing() as connection:
            _note_refusal(connection, CONSOLE, "organizer.link_refused", now)

    def session(self, cookie: str, now: datetime) -> OrganizerSession | None:
        """Find the session of this cookie, if it goes on. 256 random bits need no slow hash."""
        mine = organizer_sessions.c.digest == _digest(cookie)
        with self._database.reading() as connection:
            row = connection.execute(select(*_SHOWN).where(mine, organizer_sessions.c.expires_at > now)).one_or_none()
        if row is not None and now - row.seen_at > SEEN_EVERY:
            with self._database.writing() as connection:
                connection.execute(update(organizer_sessions).where(mine).values(seen_at=now))
        return None if row is None else OrganizerSession(**row._mapping)

    def sessions(self, now: datetime) -> list[OrganizerSession]:
        """Every session that goes on, the newest last."""
        chosen = select(*_SHOWN).where(organizer_sessions.c.expires_at > now).order_by(organizer_sessions.c.began_at)
        with self._database.reading() as connection:
            return [OrganizerSession(**row._mapping) for row in connection.execute(chosen)]

    def leave(self, cookie: str, now: datetime) -> None:
        """End the session of this cookie; where there is none, nothing happens."""
        ending = delete(organizer_sessions).where(organizer_sessions.c.digest == _digest(cookie))
        with self._database.writing() as connection:
            name = connection.execute(ending.returning(organizer_sessions.c.name)).scalar_one_or_none()
            if name is not None:
                log(connection, now, None, name, "organizer.logout", {})


_SHOWN = [organizer_sessions.c[name] for name in OrganizerSession.__dataclass_fields__]


def _begin(connection: Connection, name: str, entrance: Entrance, now: datetime) -> str:
    cookie = secrets.token_urlsafe(32)
    connection.execute(delete(organizer_sessions).where(organizer_sessions.c.expires_at <= now))
    connection.execute(
        insert(organizer_sessions).values(
            digest=_digest(cookie),
            name=name,
            entrance=entrance,
            began_at=now,
            seen_at=now,
            expires_at=now + SESSION_LASTS,
        )
    )
    log(connection, now, None, name, "organizer.login", {"entrance": entrance})
    return cookie


def _note_refusal(connection: Connection, name: str, kind: str, now: datetime) -> None:
    bound = Bound("login_refused/arena/3600", REFUSALS_NOTED, timedelta(hours=1))
    (past,) = count(connection, [Admission((bound,), now, "", "login")])
    if past is None:
        log(connection, now, None, name, kind, {})


def _end_all(connection: Connection, name: str) -> int:
    return connection.execute(delete(organizer_sessions).where(organizer_sessions.c.name == name)).rowcount


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
