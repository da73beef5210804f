"""How long a citizen's vote takes while one cookie looks at its longest battle and changes its consents as fast as it can.

`make bench-lane`. The arena is a process of its own on SQLite, as `app.py` serves it, with the default limits; the one cookie is another, which
sends so many views and so many changes a second and never waits for an answer before the next. Votes of other citizens come at a fixed pace; each
lasts from the moment when it was due to its acknowledgement. Measured without the cookie, with it, and without it again.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import aiohttp
from sqlalchemy import insert

from arena.domain.battle import Battle
from arena.record.keys import Keys
from arena.record.store import Store
from arena.record.tables import answers, turns
from arena.web.core.session import COOKIE, Sessions
from tests.support import voting
from tests.support.serving import free_port, stage_toml
from tests.support.voting import NOW

TURNS, CHARS = 10, 4000
VOTERS, VOTES_PER_S = 64, 10
IN_FLIGHT = 500
FORMULA = "$\\frac{a_%d}{\\sqrt{b^2 + c^2}} = \\sum_{i=0}^{n} x_i^2$ "


def long_battle(store: Store, citizen: str, rng: random.Random) -> str:
    """Ten turns of mathematics, all new to whoever renders them; the battle's id."""
    battle = voting.opened(store, voting.enrol(store, citizen))
    rows = []
    for n in range(1, TURNS + 1):
        for side in "ab":
            text = "".join(FORMULA % rng.randrange(10**6) for _ in range(CHARS // len(FORMULA)))
            rows.append({"battle_id": battle.id, "n": n, "side": side, "status": "complete", "text": text})
    fixed = {"reasoning": "", "dropped_turns": 0, "shown_chars": 0, "leaks": []}
    with store.database.writing() as connection:
        asked = [
            {"battle_id": battle.id, "n": n + 1, "prompt": "?", "asked_at": NOW, "flags": []} for n in range(TURNS)
        ]
        connection.execute(insert(turns), asked)
        connection.execute(insert(answers), [{**row, **fixed} for row in rows])
    return battle.id


def flood(
    base: str, cookie: str, battle: str, per_s: int, seconds: float, told: "multiprocessing.Queue[object]"
) -> None:
    """One cookie's views and changes, each so many a second; what they were answered."""
    told.put(asyncio.run(_flood(base, cookie, battle, per_s, seconds)))


async def _flood(base: str, cookie: str, battle: str, per_s: int, seconds: float) -> Counter[str]:
    found, room = Counter[str](), asyncio.Semaphore(IN_FLIGHT)
    headers = {"origin": base, "cookie": f"{COOKIE}={cookie}"}
    async with aiohttp.ClientSession(base, connector=aiohttp.TCPConnector(limit=0), headers=headers) as http:

        async def send(n: int) -> None:
            try:
                if n % 2:
                    asked = http.put("/api/v1/session", json={"consents": ["service", "teams"]})
                else:
                    asked = http.get(f"/api/v1/battles/{battle}")
                async with asked as answer:
                    await answer.read()
                    found[f"{'change' if n % 2 else 'view'} {answer.status}"] += 1
            except aiohttp.ClientError:
                found["no answer"] += 1
            finally:
                room.release()

        began, sent = time.perf_counter(), set[asyncio.Task[None]]()
        for n in range(int(2 * per_s * seconds)):
            await asyncio.sleep(max(0.0, began + n / (2 * per_s) - time.perf_counter()))
            if time.perf_counter() > began + seconds:
                break
            await room.acquire()
            task = asyncio.create_task(send(n))
            sent.add(task)
            task.add_done_callback(sent.discard)
        found["seconds"] = round(time.perf_counter() - began)
        await asyncio.gather(*sent)
    return found


async def votes(base: str, ready: Sequence[tuple[Battle, str]], seconds: float) -> list[float]:
    """Cast these at the fixed pace; how long each took, in milliseconds, from when it was due."""
    took: list[float] = []
    async with aiohttp.ClientSession(base, headers={"origin": base}) as http:

        async def cast(battle: Battle, cookie: str, due: float) -> None:
            headers = {"cookie": f"{COOKIE}={cookie}"}
            async with http.post(
                f"/api/v1/battles/{battle.id}/vote", json={"winner": "tie"}, headers=headers
            ) as answer:
                if answer.status != 201:
                    raise RuntimeError(await answer.text())
            took.append(1000 * (time.perf_counter() - due))

        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for n, (battle, cookie) in enumerate(ready[: int(seconds * VOTES_PER_S)]):
                due = began + n / VOTES_PER_S
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                group.create_task(cast(battle, cookie, due))
    return sorted(took)


def said(name: str, took: Sequence[float]) -> None:
    """One line."""
    p99 = took[int(len(took) * 0.99)]
    print(f"{name:<24} {len(took)} votes   p50 {statistics.median(took):7.1f} ms   p99 {p99:7.1f} ms", flush=True)


async def measured(base: str, folder: Path, per_s: int, seconds: float, seed: int) -> None:
    """Runs the three parts."""
    async with aiohttp.ClientSession(base) as http:
        for _ in range(1200):
            with contextlib.suppress(aiohttp.ClientError):
                if (await http.get("/healthz")).status == 200:
                    break
            await asyncio.sleep(0.1)
    store, keys = Store(f"sqlite:///{folder / 'arena.db'}"), Keys.open(folder, {})
    sessions = Sessions(keys.secret, keys.cookie_secrets, secure=False)
    attacker, cookie = sessions.new()
    battle = long_battle(store, attacker.id, random.Random(seed))
    known = dict(sessions.new() for _ in range(VOTERS))
    for citizen in known:
        store.citizens.enrol(citizen, {}, NOW)
    each = -(-int(4 * seconds * VOTES_PER_S) // VOTERS)
    of_each = [
        [(battle, cookie) for battle in voting.many_ready(store, citizen, each, first=1000 + n * each)]
        for n, (citizen, cookie) in enumerate(known.items())
    ]
    ready = [one for row in zip(*of_each, strict=True) for one in row]
    part = int(seconds * VOTES_PER_S)
    await votes(base, ready[3 * part :], 2)  # warm
    before = await votes(base, ready, seconds)
    said("alone", before)
    told: multiprocessing.Queue[Counter[str]] = multiprocessing.Queue()
    flooding = multiprocessing.Process(target=flood, args=(base, cookie, battle, per_s, seconds, told))
    flooding.start()
    during = await votes(base, ready[part:], seconds)
    answered = await asyncio.to_thread(told.get)
    flooding.join()
    said(f"beside {per_s} + {per_s} a second", during)
    after = await votes(base, ready[2 * part :], seconds)
    said("alone again", after)
    store.close()
    alone = sorted([*before, *after])
    ratio = during[int(len(during) * 0.99)] / alone[int(len(alone) * 0.99)]
    print(f"p99 beside / alone {ratio:.2f}; the cookie was answered {dict(sorted(answered.items()))}")


def main() -> None:
    """Runs it."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seconds", type=float, default=20.0)
    asked.add_argument("--per-second", type=int, default=200, help="views, and as many changes")
    asked.add_argument("--seed", type=int, default=7)
    given = asked.parse_args()
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f}, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory(prefix="lane") as name:
        folder, port = Path(name), free_port()
        stage = stage_toml(proof="pressure").replace('"test"', f'"{voting.STAGE}"', 1)
        (folder / "stage.toml").write_text(stage, "utf-8")
        settings = {"ARENA_DATA_DIR": folder, "ARENA_STAGE": folder / "stage.toml", "PORT": port}
        chosen = {**os.environ, **{key: str(value) for key, value in settings.items()}}
        server = subprocess.Popen([sys.executable, "app.py"], env=chosen, stdout=subprocess.DEVNULL)
        try:
            asyncio.run(measured(f"http://127.0.0.1:{port}", folder, given.per_second, given.seconds, given.seed))
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
