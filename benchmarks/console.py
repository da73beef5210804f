"""What fifty open consoles cost: CPU of the server with none, fifty idle, and fifty while votes come in; beside the same figures through Gradio's queue.

    python benchmarks/console.py [--consoles 50] [--votes 5000] [--seconds 20]

The server is a process of its own; its CPU time is read before and after each phase. The consoles wait for changes as the page does
(`?wait=20` with the tag they have, the live and the trends document each). The peer is a small Gradio app in which the same live figures are
`gr.Plot`s that a `gr.Timer` refreshes every two seconds, as many clients asking its queue. All votes are simulated.
"""

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from arena.record.keys import Keys
from arena.record.store import Store
from arena.simulate import open_simulated, simulate, simulated_stage
from tests.support.serving import Citizen, free_port

PASSWORD = "correct horse battery"  # noqa: S105 - of a database that lives a minute
TICKS = os.sysconf("SC_CLK_TCK")
PEER = """
import json, sys
import gradio as gr
import plotly.graph_objects as go
told = [s["figure"] for s in json.load(open(sys.argv[1]))["sections"] if s["figure"]]
figures = [go.Figure(one) for one in told]
with gr.Blocks(analytics_enabled=False) as page:
    plots = [gr.Plot() for _ in figures]
    page.load(lambda: figures, None, plots, api_name="refresh", concurrency_limit=40)
page.queue(max_size=2000)
page.launch(server_port=int(sys.argv[2]), quiet=True, ssr_mode=False)
"""


def cpu_s(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def console(http: httpx.AsyncClient, stop: asyncio.Event, seen: list[float], name: str) -> None:
    """One tab's document, followed as the page follows it."""
    tag = ""
    while not stop.is_set():
        answer = await http.get(f"/organizer/console/{name}?wait=20", headers={"if-none-match": tag} if tag else {})
        if answer.status_code == 200:
            tag = answer.headers["etag"]
            seen.append(time.monotonic())


async def phase(base: str, cookie: str, pid: int, consoles: int, seconds: float, *, voting: bool) -> dict[str, float]:
    """CPU while so many consoles are open, and how soon they all saw each vote."""
    limits = httpx.Limits(max_connections=4 * consoles + 8)
    delays: list[float] = []
    async with httpx.AsyncClient(base_url=base, cookies={"arena_organizer": cookie}, timeout=60, limits=limits) as http:
        stop, seen = asyncio.Event(), [[] for _ in range(consoles)]
        others: list[float] = []
        open_ = [asyncio.create_task(console(http, stop, one, "live")) for one in seen]
        open_ += [asyncio.create_task(console(http, stop, others, "trends")) for _ in range(consoles)]
        await asyncio.sleep(4)
        before, began = cpu_s(pid), time.monotonic()
        cast = 0
        citizen = await asyncio.to_thread(lambda: Citizen(base).agree())
        while time.monotonic() - began < seconds:
            if not voting:
                await asyncio.sleep(1)
                continue
            battle = await asyncio.to_thread(citizen.open)
            await asyncio.to_thread(citizen.ask, battle)
            counts = [len(one) for one in seen]
            await asyncio.to_thread(citizen.vote, battle)
            voted = time.monotonic()
            cast += 1
            for _ in range(250):
                if all(len(one) > n for one, n in zip(seen, counts, strict=True)):
                    break
                await asyncio.sleep(0.02)
            delays += [one[-1] - voted if len(one) > n else 5.0 for one, n in zip(seen, counts, strict=True)]
            await asyncio.sleep(max(0.0, 1 - (time.monotonic() - voted)))
        spent, took = cpu_s(pid) - before, time.monotonic() - began
        stop.set()
        for task in open_:
            task.cancel()
        await asyncio.gather(*open_, return_exceptions=True)
    return {
        "cpu_share": spent / took,
        "votes": cast,
        "seen_median_s": statistics.median(delays) if delays else 0.0,
        "seen_worst_s": max(delays, default=0.0),
    }


@contextlib.contextmanager
def gradio(folder: Path, document: bytes) -> Iterator[tuple[str, int]]:
    """The same live figures as `gr.Plot`s of a small Gradio app; gives its API's address and its process."""
    (folder / "live.json").write_bytes(document)
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-c", PEER, str(folder / "live.json"), str(port)],
        env={**os.environ, "GRADIO_ANALYTICS_ENABLED": "False"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    base = f"http://127.0.0.1:{port}/gradio_api"
    try:
        for _ in range(300):
            try:
                httpx.get(f"{base}/startup-events")
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield base, server.pid
    finally:
        server.terminate()
        server.wait(10)


async def peer(base: str, pid: int, clients: int, seconds: float) -> tuple[float, float]:
    """CPU share of so many clients that each ask its queue every two seconds, and how many refreshes a second they got."""
    done = 0
    async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=4 * clients)) as http:

        async def follow() -> None:
            nonlocal done
            while True:
                began = time.monotonic()
                call = await http.post(f"{base}/call/refresh", json={"data": []})
                await http.get(f"{base}/call/refresh/{call.json()['event_id']}")
                done += 1
                await asyncio.sleep(max(0.0, 2 - (time.monotonic() - began)))

        open_ = [asyncio.create_task(follow()) for _ in range(clients)]
        await asyncio.sleep(4)
        before, began, first = cpu_s(pid), time.monotonic(), done
        await asyncio.sleep(seconds)
        took = time.monotonic() - began
        share, rate = (cpu_s(pid) - before) / took, (done - first) / took
        for task in open_:
            task.cancel()
        await asyncio.gather(*open_, return_exceptions=True)
        return share, rate


def main() -> None:
    """Prints one line a phase, and JSON at the end."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--consoles", type=int, default=50)
    asked.add_argument("--votes", type=int, default=5000)
    asked.add_argument("--seconds", type=float, default=20)
    wanted = asked.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stage, data = simulated_stage(
            more='[limits]\nproof = "never"\nbattles_per_hour = 100000\nvotes_per_hour = 100000'
        )
        (folder / "stage.toml").write_bytes(data)
        store, now = Store(f"sqlite:///{folder / 'arena.db'}"), datetime.now(UTC)
        open_simulated(store, stage, data, now)
        simulate(store, stage, wanted.votes, 7, secret=Keys.open(folder, {}).secret)
        store.organizers.add("organizer", PASSWORD, now)
        store.close()
        port = free_port()
        environment = {
            **os.environ,
            "ARENA_DATA_DIR": str(folder),
            "ARENA_STAGE": str(folder / "stage.toml"),
            "PORT": str(port),
            "ARENA_LOG_LEVEL": "warning",
        }
        server = subprocess.Popen([sys.executable, "-m", "arena", "serve"], env=environment, stdout=subprocess.DEVNULL)
        base = f"http://127.0.0.1:{port}"
        try:
            for _ in range(600):
                try:
                    httpx.get(f"{base}/healthz").raise_for_status()
                    break
                except httpx.HTTPError:
                    time.sleep(0.2)
            with httpx.Client(base_url=base, headers={"origin": base}) as http:
                http.post("/organizer/login", data={"name": "organizer", "password": PASSWORD})
                cookie = http.cookies["arena_organizer"]
                document = http.get("/organizer/console/live").content
            told: dict[str, object] = {"votes_before": wanted.votes, "consoles": wanted.consoles}
            for label, consoles, voting in (
                ("one console, no vote", 1, False),
                (f"{wanted.consoles} consoles, no vote", wanted.consoles, False),
                ("one console, a vote a second", 1, True),
                (f"{wanted.consoles} consoles, a vote a second", wanted.consoles, True),
            ):
                found = asyncio.run(phase(base, cookie, server.pid, consoles, wanted.seconds, voting=voting))
                told[label] = found
                line = f"{label:<34} {100 * found['cpu_share']:6.1f} % of a core"
                if voting:
                    line += (
                        f", {found['votes']:.0f} votes, seen by all after {found['seen_median_s']:.2f} s (median), "
                        f"{found['seen_worst_s']:.2f} s (worst)"
                    )
                print(line)
        finally:
            server.terminate()
            server.wait(20)
        with gradio(folder, document) as (api, pid):
            share, rate = asyncio.run(peer(api, pid, wanted.consoles, wanted.seconds))
        told["gradio_queue"] = {"cpu_share": share, "refreshes_per_s": rate}
        print(
            f"{f'{wanted.consoles} clients of a Gradio queue, 2 s':<34} {100 * share:6.1f} % of a core for the live figures alone"
        )
        print(json.dumps(told, ensure_ascii=False))


if __name__ == "__main__":
    main()
