"""A database the arena can trust: durable commits, one writer at a time in SQLite, and failures told apart."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    CursorResult,
    Engine,
    Executable,
    bindparam,
    create_engine,
    event,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    DisconnectionError,
    InterfaceError,
    InternalError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from arena.domain.errors import StageError, Unavailable
from arena.domain.redaction import redacted
from arena.record.private_files import make_file, make_folder
from arena.record.writers import WritersLine

BUSY_TIMEOUT_MS = 5000
IDLE_S = 5.0
_LINES: dict[str, WritersLine] = {}


class Database:
    """Opens a database (SQLite file or PostgreSQL), migrates it, and lends transactions."""

    def __init__(self, url: str, *, lane_beside: "Database | None" = None) -> None:
        """`url` is SQLAlchemy's: `sqlite:///var/arena.db` or `postgresql+psycopg://user@host/name`.

        With `lane_beside` it is the votes' own way into that database: connections that nobody else uses, and the first place among the writers.
        """
        self.url = _parsed(url)
        self._votes_only = lane_beside is not None
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if (file := sqlite_file(url)) is not None:
            make_folder(file.parent)
            make_file(file)  # SQLite gives what it writes beside it the same mode
        options: dict[str, Any] = {"pool_size": 8, "max_overflow": 0 if lane_beside else 8}
        options["json_deserializer"] = orjson.loads
        options["connect_args"] = {"check_same_thread": False} if self.is_sqlite else {"connect_timeout": 5}
        self.engine: Engine = create_engine(self.url, **options)
        self._file: tuple[int, int] | None = lane_beside._file if lane_beside else None
        event.listen(self.engine, "do_connect", self._on_do_connect)
        event.listen(self.engine, "connect", self._on_connect)
        event.listen(self.engine, "begin", self._on_begin)
        # In one process the writers of a SQLite file wait in line here: SQLite itself would have them poll, and some starve.
        self._line = _LINES.setdefault(str(self.url.database), WritersLine()) if self.is_sqlite else None
        if not self.is_sqlite:
            event.listen(self.engine, "checkin", self._on_checkin)
            event.listen(self.engine, "checkout", self._on_checkout)

    def _on_checkin(self, _connection: Any, record: Any) -> None:
        record.info["used"] = time.monotonic()

    def _on_checkout(self, connection: Any, record: Any, _proxy: Any) -> None:
        """Try a connection that has lain idle before it is lent: the server may have been restarted meanwhile."""
        if time.monotonic() - record.info.get("used", math.inf) > IDLE_S:
            try:
                self.engine.dialect.do_ping(connection)
            except self.engine.dialect.loaded_dbapi.Error as error:
                raise DisconnectionError from error

    def _on_do_connect(self, _dialect: Any, _record: Any, _args: Any, _options: Any) -> None:
        self._require_file()

    def _require_file(self) -> None:
        """SQLite would go on writing into a file that was deleted or replaced, and every such vote would be lost."""
        if self._file is not None and self._file != _identity(self.url.database):
            raise _not_saved()

    def _on_connect(self, connection: Any, _record: Any) -> None:
        if self.is_sqlite:
            # We begin transactions ourselves, so that a writer takes its place at once and never fails half-way.
            connection.isolation_level = None
            cursor = connection.cursor()
            for pragma in (
                "journal_mode=WAL",
                # The acknowledgement of a vote must survive a power cut.
                "synchronous=FULL",
                "foreign_keys=ON",
                f"busy_timeout={BUSY_TIMEOUT_MS}",
            ):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()
            self._file = self._file or _identity(self.url.database)
        else:
            with connection.cursor() as cursor:
                cursor.execute("SET synchronous_commit = on")
                cursor.execute(f"SET lock_timeout = {BUSY_TIMEOUT_MS}")
            connection.commit()

    def _on_begin(self, connection: Connection) -> None:
        if self.is_sqlite:
            writes = connection.get_execution_options().get("arena_writes", False)
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    def migrate(self) -> None:
        """Bring the tables to this version of the arena; do nothing when they are."""
        config = _migrations()
        with self.writing() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def is_behind(self) -> bool:
        """Tell whether its tables are of an earlier version of the arena, or not there yet.

        Raises:
            StageError: they are of a version that this one does not know.
        """
        script = ScriptDirectory.from_config(_migrations())
        with self.reading() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
        if found is not None and found not in {each.revision for each in script.walk_revisions()}:
            raise StageError("database_newer", revision=found)
        return found != script.get_current_head()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a consistent view; nothing is written."""
        with _translated(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction, durable when the block has ended without an exception, and nothing at all otherwise.

        Raises:
            Unavailable: the database did not take it, or was lost before it could say so; the same call may succeed later.
        """
        with (
            self._in_line(),
            _translated(),
            self.engine.connect().execution_options(arena_writes=True) as connection,
            connection.begin(),
        ):
            yield connection
            self._require_file()

    @contextmanager
    def _in_line(self) -> Iterator[None]:
        if self._line is None:
            yield
            return
        if not self._line.enter(vote=self._votes_only, timeout_s=BUSY_TIMEOUT_MS / 1000):
            raise _not_saved()
        try:
            yield
        finally:
            self._line.leave()

    def close(self) -> None:
        """Give every connection back."""
        self.engine.dispose()


def _migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


class ForIds:
    """A statement about some ids, built once in two forms: for a single one a plain `=`, which costs a third less."""

    def __init__(self, build: Callable[[Callable[[Column[Any]], ColumnElement[bool]]], Executable]) -> None:
        """`build(these)` makes the statement; `these(column)` is its condition."""
        self._one = build(lambda column: column == bindparam("one_id"))
        self._many = build(lambda column: column.in_(bindparam("many_ids", expanding=True)))

    def execute(self, connection: Connection, ids: Sequence[str], **more: Any) -> CursorResult[*tuple[Any, ...]]:
        """Run it for these ids, at least one, with its other parameters."""
        if len(ids) == 1:
            return connection.execute(self._one, {"one_id": ids[0], **more})
        return connection.execute(self._many, {"many_ids": list(ids), **more})


def sqlite_file(url: str) -> Path | None:
    """Find the file of a SQLite database at SQLAlchemy's `url`; of any other there is none."""
    parsed = _parsed(url)
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


def _parsed(url: str) -> URL:
    """Read SQLAlchemy's address of a database.

    Raises:
        StageError: it is none, or of a database that this arena does not know.
    """
    try:
        parsed = make_url(url)
        parsed.get_dialect()
    except (ArgumentError, ValueError):  # a port that is no number may be the rest of a password with an @ in it
        raise StageError("database_address", value=redacted(url)) from None
    return parsed


def _identity(path: str | None) -> tuple[int, int]:
    try:
        found = Path(path or "").stat()
    except OSError:
        return (0, 0)
    return found.st_dev, found.st_ino


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InternalError, InterfaceError, PoolTimeout) as error:
        raise _not_saved() from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise _not_saved() from error
        raise


def _not_saved() -> Unavailable:
    return Unavailable("not_saved")
