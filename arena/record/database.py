"""A database the arena can trust: durable commits, one writer at a time in SQLite, and failures told apart."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from arena.domain.errors import Unavailable

BUSY_TIMEOUT_MS = 5000


class Database:
    """Opens a database (SQLite file or PostgreSQL), migrates it, and lends transactions."""

    def __init__(self, url: str) -> None:
        """`url` is SQLAlchemy's: `sqlite:///var/arena.db` or `postgresql+psycopg://user@host/name`."""
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        options: dict[str, Any] = {"pool_pre_ping": not self.is_sqlite, "pool_size": 8, "max_overflow": 8}
        if self.is_sqlite:
            options["connect_args"] = {"check_same_thread": False}
        self.engine: Engine = create_engine(self.url, **options)
        event.listen(self.engine, "connect", self._on_connect)
        event.listen(self.engine, "begin", self._on_begin)

    def _on_connect(self, connection: Any, _record: Any) -> None:
        if self.is_sqlite:
            # We begin transactions ourselves, so that a writer takes its place at once and never fails half-way.
            connection.isolation_level = None
            cursor = connection.cursor()
            for pragma in (
                "journal_mode=WAL",
                "synchronous=FULL",  # the acknowledgement of a vote must survive a power cut
                "foreign_keys=ON",
                f"busy_timeout={BUSY_TIMEOUT_MS}",
            ):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()
        else:
            with connection.cursor() as cursor:
                cursor.execute("SET synchronous_commit = on")
                cursor.execute("SET lock_timeout = '5s'")
            connection.commit()

    def _on_begin(self, connection: Connection) -> None:
        if self.is_sqlite:
            writes = connection.get_execution_options().get("arena_writes", False)
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    def migrate(self) -> None:
        """Brings the tables to this version of the arena; does nothing when they are."""
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with self.writing() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A consistent view; nothing is written."""
        with _translated(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction, durable when the block has ended without an exception, and nothing at all otherwise.

        Raises:
            Unavailable: the database did not take it; the same call may succeed later.
        """
        with (
            _translated(),
            self.engine.connect().execution_options(arena_writes=True) as connection,
            connection.begin(),
        ):
            yield connection

    def close(self) -> None:
        """Gives every connection back."""
        self.engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OperationalError, PoolTimeout) as error:
        raise _not_saved() from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise _not_saved() from error
        raise


def _not_saved() -> Unavailable:
    return Unavailable(
        "not_saved",
        "지금은 저장할 수 없어요. 아무것도 바뀌지 않았으니 잠시 뒤 다시 시도해 주세요.",
        "This could not be saved. Nothing was changed; please try again in a moment.",
    )
