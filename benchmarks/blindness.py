"""Does time tell who writes? Battles are collected; then trees and a regression guess the entrants from times, sizes and counts of events, never from text.

`make bench-blindness`. Six mock endpoints of a set write texts of the same kind and length, and differ in time alone: `alike` are like public ones,
`unlike` are a quick, two middling, a thinking, a slow and a lumpy one. `--part virtual` plays them through the arena's own pacers by a clock of its own,
thousands of battles a minute. `--part served` asks them over HTTP, the endpoints a process of their own and the arena another, and reads the stream as a
browser does. `--part demo` does so with the five embedded models, whose answers differ in length too: the guess by the two lengths alone, which any
reader has, stands beside the guess by everything.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import math
import os
import platform
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the arena shares this machine with the guessing

import aiohttp
import numpy as np
from aiohttp import web
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from arena.battles.pacing import TICK_S, Pacer, pacer
from arena.domain.battle import SIDES, Side
from arena.domain.stage import Protocol
from arena.settings import ROOT
from models.demo import corpus
from tests.support.processes import started
from tests.support.serving import free_port


class Endpoint(NamedTuple):
    """How an endpoint writes, at the median: each answer is a little quicker or slower."""

    first_s: float
    graphemes_per_s: float
    lump: int = 0
    """So many graphemes at once, or one to four."""


SETS: Final = {
    "alike": [Endpoint(0.25, 140), Endpoint(0.4, 110), Endpoint(0.6, 90), Endpoint(0.9, 70), Endpoint(1.2, 52), Endpoint(1.6, 38)],
    "unlike": [Endpoint(0.3, 120), Endpoint(0.4, 90), Endpoint(0.5, 70), Endpoint(2.0, 100), Endpoint(0.6, 15), Endpoint(0.5, 80, 80)],
}  # fmt: skip
WAYS: Final[Mapping[str, Mapping[str, Any]]] = {
    "natural": {"pacing": "natural"},
    "lockstep": {"pacing": "lockstep", "pacing_graphemes_per_s": 40},
    "metronome": {},
    "metronome, grid 2 s": {"pacing_grid_s": 2},
    "metronome, grid 5 s, 12/s": {"pacing_grid_s": 5, "pacing_graphemes_per_s": 12},
    "metronome, whole answers, grid 8 s": {"pacing_bar": "answer", "pacing_grid_s": 8},
    "metronome, whole answers, grid 24 s": {"pacing_bar": "answer", "pacing_grid_s": 24},
}
MOMENTS_S: Final = (1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 32)
LENGTHS: Final = (10, 25, 50, 100, 200, 300)
PAUSES: Final = 6
SEED: Final = 7


class Seen(NamedTuple):
    """One event with text: seconds after the question, how much of A, of B, and of anything."""

    at_s: float
    a: int
    b: int
    size: int


@dataclass
class Battles:
    """What was collected, in arrays of one row a battle."""

    features: list[list[float]] = field(default_factory=list)
    lengths: list[list[float]] = field(default_factory=list)
    entrants: list[tuple[int, int]] = field(default_factory=list)
    shown: list[tuple[float, float]] = field(default_factory=list)
    """First word and end, as they were shown."""
    own: list[tuple[float, float]] = field(default_factory=list)
    """The slower side's own."""

    def add(self, events: Sequence[Seen], over_s: float, who: tuple[int, int]) -> None:
        """One battle more, over after so many seconds."""
        self.features.append([over_s, *described(events)])
        self.lengths.append([sum(e.a for e in events), sum(e.b for e in events)])
        self.entrants.append(who)
        self.shown.append((events[0].at_s, over_s))


def described(events: Sequence[Seen]) -> list[float]:
    """Times, sizes and counts of a battle's events, so many for every battle."""
    at, a, b, size = (np.array(column, float) for column in zip(*events, strict=True))
    gaps = np.diff(at)
    paused = np.flatnonzero(gaps > 1.5 * TICK_S)
    found = [at[0], at[-1], at[-1] - at[0], len(at), gaps.max(initial=0), gaps.mean() if len(gaps) else 0]
    found += [gaps.std() if len(gaps) else 0, len(paused), gaps[paused].sum()]
    pauses = [value for n in paused[:PAUSES] for value in (at[n], gaps[n])]
    found += pauses + [-1.0] * (2 * PAUSES - len(pauses))
    found += [size.sum(), size.max(), size.mean(), size.std()]
    for side in (a, b):
        so_far, shown = side.cumsum(), np.flatnonzero(side)
        found += [so_far[-1], at[shown[0]], at[shown[-1]], len(shown), side.max(), side[shown].std()]
        found += [*side[:4], *[0.0] * (4 - len(side[:4]))]
        found += [at[min(len(at) - 1, int(np.searchsorted(so_far, n)))] for n in LENGTHS]
    return [float(value) for value in [*found, *(size[at <= moment].sum() for moment in MOMENTS_S)]]


# --- how endpoints write -----------------------------------------------------------------------------------------


def length(rng: np.random.Generator) -> int:
    """Graphemes of one answer."""
    return int(np.clip(rng.lognormal(5.3, 0.4), 40, 600))


def arrivals(endpoint: Endpoint, graphemes: int, rng: np.random.Generator) -> list[tuple[float, int]]:
    """`(seconds after the question, graphemes)` of one answer's pieces."""
    at = endpoint.first_s * math.exp(rng.normal(0, 0.2))
    rate = endpoint.graphemes_per_s * math.exp(rng.normal(0, 0.1))
    pieces: list[tuple[float, int]] = []
    while graphemes:
        piece = min(graphemes, endpoint.lump or int(rng.integers(1, 5)))
        pieces.append((at, piece))
        graphemes -= piece
        at += piece / rate * rng.gamma(4, 0.25)
    return pieces


def play(pacing: Pacer, writing: Mapping[Side, Sequence[tuple[float, int]]]) -> tuple[list[Seen], float]:
    """Drives a pacer as a running turn does, by a clock of its own; the events, and when both ends are shown."""
    rest: dict[Side, list[tuple[float, int]]] = {side: [*reversed(pieces)] for side, pieces in writing.items()}
    events, tick = [], 0
    while not all(pacing.drained(side) for side in SIDES):
        tick += 1
        now = tick * TICK_S
        for side, pieces in rest.items():
            if pieces and pieces[0][0] <= now:  # the last of them
                pacing.feed(side, "가" * sum(n for _, n in pieces))
                pieces.clear()
                pacing.end(side)
            while pieces and pieces[-1][0] <= now:
                pacing.feed(side, "가" * pieces.pop()[1])
        shown = pacing.tick(now)
        a, b = (len(shown[side]) for side in SIDES)
        if a or b:
            events.append(Seen(now, a, b, a + b))
    return events, tick * TICK_S


def virtual(kind: str, way: Mapping[str, Any], battles: int) -> Battles:
    """So many battles of a set by a clock of their own."""
    rng, found, protocol = np.random.default_rng(SEED), Battles(), Protocol(**way)
    drawn = list(itertools.permutations(range(len(SETS[kind])), 2))  # each equally often, so that chance is chance
    for who in rng.permutation([drawn[n % len(drawn)] for n in range(battles)]):
        writing: dict[Side, list[tuple[float, int]]] = {
            side: arrivals(SETS[kind][n], length(rng), rng) for side, n in zip(SIDES, who, strict=True)
        }
        events, over_s = play(pacer(protocol), writing)
        found.add(events, over_s, (int(who[0]), int(who[1])))
        found.own.append((max(w[0][0] for w in writing.values()), max(w[-1][0] for w in writing.values())))
    return found


# --- the same over HTTP ------------------------------------------------------------------------------------------


def serve_endpoints(port: int) -> None:
    """Every endpoint of every set at one address; the request's `model` is the set and the number."""
    rng = np.random.default_rng(SEED)

    async def answer(request: web.Request) -> web.StreamResponse:
        loop = asyncio.get_running_loop()
        began = loop.time()
        kind, _, n = (await request.json())["model"].partition("-")
        pieces = arrivals(SETS[kind][int(n)], length(rng), rng)
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionResetError):  # the battle is over, and nobody reads on
            for at, graphemes in pieces:
                await asyncio.sleep(max(0.0, began + at - loop.time()))
                text = "".join(rng.choice(list("가나다라마바사아자차카타파하 "), graphemes))
                await response.write(_event({"choices": [{"index": 0, "delta": {"content": text}}]}))
            await response.write(_event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
            await response.write(b"data: [DONE]\n\n")
        return response

    served = web.Application()
    served.router.add_post("/v1/chat/completions", answer)
    web.run_app(served, host="127.0.0.1", port=port, print=lambda _: print("ready", flush=True))


def _event(data: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"


ROOMY: Final = """
battles_per_hour = 1000000
battles_per_day = 1000000
turns_per_minute = 1000000
turns_per_day = 1000000
votes_per_hour = 1000000
votes_per_day = 1000000
proof = "never"
"""


def stage_of(kind: str, way: Mapping[str, Any], port: int) -> str:
    """A stage of the set's endpoints under this way of pacing."""
    head = (
        'id = "blindness"\ntitle = { ko = "측정", en = "Bench" }\nprogramme = "측정"\nround = 1\nsynthetic = true\n'
        f"[protocol]\n{_toml(way)}\n[limits]\n{ROOMY}"
    )
    entrants = (
        f'[[entrants]]\nid = "e{n}"\nteam = {{ ko = "팀{n}", en = "Team {n}" }}\nbackend = "openai"\n'
        f'base_url = "http://127.0.0.1:{port}/v1"\nmodel = "{kind}-{n}"\nopens_reasoning = false\n'
        for n in range(len(SETS[kind]))
    )
    return "\n".join([head, *entrants])


def demo_of(way: Mapping[str, Any]) -> str:
    """The demo's stage, its own pacing unless another is asked for."""
    text = (ROOT / "stages" / "demo.toml").read_text("utf-8")
    if way:
        text = re.sub(r"^pacing.*\n", "", text, flags=re.MULTILINE).replace(
            "[protocol]\n", f"[protocol]\n{_toml(way)}\n"
        )
    return text.replace("\n[population]", f"\n[limits]\n{ROOMY}\n[population]")


def _toml(keys: Mapping[str, Any]) -> str:
    return "\n".join(f"{key} = {json.dumps(value)}" for key, value in keys.items())


@contextlib.contextmanager
def endpoints() -> Iterator[int]:
    """The mock endpoints in a process of their own, and their port."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.blindness", "--endpoints", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield port
        finally:
            process.terminate()


async def battle(base: str, prompt: str, ids: Sequence[str], found: Battles, names: list[str]) -> None:
    """One citizen's battle: agree, ask, read to the end, vote, and learn who they were."""
    seen: list[Seen] = []
    async with aiohttp.ClientSession(
        f"{base}/api/v1/", headers={"origin": base}, cookie_jar=aiohttp.CookieJar(unsafe=True)
    ) as http:
        async with http.post("session", json={"consents": ["service", "teams"], "age_ok": True}) as said:
            said.raise_for_status()
        async with http.post("battles") as said:
            name = (await said.json())["battle_id"]
        began, over_s = time.perf_counter(), 0.0
        async with http.post(f"battles/{name}/turns", json={"prompt": prompt}) as stream:
            stream.raise_for_status()
            lines: dict[str, str] = {}
            async for raw in stream.content:
                key, _, value = raw.decode().rstrip("\n").partition(": ")
                if key:
                    lines[key] = value
                    continue
                over_s = time.perf_counter() - began
                if lines.get("event") == "delta":
                    data = json.loads(lines["data"])
                    a, b = (len(data.get(side, {}).get("text", "")) for side in SIDES)
                    if a or b:
                        seen.append(Seen(over_s, a, b, len(lines["data"])))
                lines = {}
        async with http.post(f"battles/{name}/vote", json={"winner": "tie"}) as said:
            reveal = (await said.json()).get("reveal")
    if seen and reveal:
        found.add(seen, over_s, (ids.index(reveal["a"]["id"]), ids.index(reveal["b"]["id"])))
        names.append(name)


async def crowd(
    base: str, prompts: Sequence[str], ids: Sequence[str], battles: int, together: int
) -> tuple[Battles, list[str]]:
    """So many battles, so many of them at once, and their ids."""
    found, names, rng, rest = Battles(), list[str](), np.random.default_rng(SEED), iter(range(battles))

    async def citizen() -> None:
        await asyncio.sleep(rng.uniform(0, 5))
        for _ in rest:
            await battle(base, prompts[int(rng.integers(len(prompts)))], ids, found, names)

    await asyncio.gather(*(citizen() for _ in range(together)))
    return found, names


def served(text: str, prompts: Sequence[str], ids: Sequence[str], battles: int, together: int) -> Battles:
    """The same through an arena in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        stage = Path(folder) / "bench.toml"
        stage.write_text(text, "utf-8")
        with started(Path(folder) / "data", ARENA_STAGE=str(stage)) as (_, base):
            found, names = asyncio.run(crowd(base, prompts, ids, battles, together))
        with contextlib.closing(sqlite3.connect(Path(folder) / "data" / "arena.db")) as record:
            rows = record.execute(
                "SELECT battle_id, max(first_token_ms), max(total_ms) FROM answers GROUP BY battle_id"
            )
            own = {name: (first / 1000, total / 1000) for name, first, total in rows}
        found.own = [own[name] for name in names]
        return found


# --- guessing ----------------------------------------------------------------------------------------------------


GUESSERS: Final[Mapping[str, Callable[[], Any]]] = {
    "trees": lambda: ExtraTreesClassifier(100, min_samples_leaf=2, random_state=SEED),
    "logistic": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=100, C=0.1)),
}


def guessed(guesser: str, features: np.ndarray, truth: np.ndarray) -> float:
    """The share of battles of which it is right, five-fold: none was seen by the one that guesses it."""
    folds = StratifiedKFold(5, shuffle=True, random_state=SEED)
    return float(np.mean(cross_val_predict(GUESSERS[guesser](), features, truth, cv=folds) == truth))


def judged(title: str, found: Battles, features: Sequence[Sequence[float]], entrants: Sequence[str]) -> None:
    """Prints a row: how well each guesser names the pair, the ordered pair, and the entrant that is recognised best."""
    who, table = np.array(found.entrants), np.array(features)
    k = len(entrants)
    pair, ordered = who.min(1) * k + who.max(1), who[:, 0] * k + who[:, 1]
    there = {n: np.any(who == n, axis=1) for n in range(k)}
    cells = []
    for guesser in GUESSERS:
        best, which = max(
            (guessed(guesser, table, is_) - max(is_.mean(), 1 - is_.mean()), n) for n, is_ in there.items()
        )
        cells.append(
            f"{100 * guessed(guesser, table, pair):5.1f} {100 * guessed(guesser, table, ordered):5.1f} "
            f"{100 * best:+5.1f} {entrants[which]:<6}"
        )
    shown, own = np.array(found.shown), np.array(found.own)
    waits = (shown[:, 0], shown[:, 0] - own[:, 0], shown[:, 1], own[:, 1])
    times = " ".join(f"{statistics.median(each):5.1f}" for each in waits)
    print(f"| {title:<36} | {len(who):5} | {' | '.join(cells)} | {times} |", flush=True)


HEAD: Final = (
    "| how                                  |     n | trees: pair ordered best   | logistic: the same         | first later end own |\n"
    "|---|---|---|---|---|"
)


def main() -> None:
    """Prints a table for each part."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--part", choices=("virtual", "served", "demo"), action="append")
    wanted.add_argument("--battles", type=int, help="in each row; by default 2000 virtual ones, 600 others")
    wanted.add_argument("--together", type=int, default=40, help="battles at once over HTTP")
    wanted.add_argument("--set", choices=tuple(SETS), action="append")
    wanted.add_argument("--way", choices=tuple(WAYS), action="append")
    wanted.add_argument("--endpoints", type=int, help=argparse.SUPPRESS)
    asked = wanted.parse_args()
    if asked.endpoints:
        serve_endpoints(asked.endpoints)
        return
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}"
    )
    print("seconds at the median: first word, later than the slower side's own, both ends, the slower side's own end")
    warnings.simplefilter("ignore", ConvergenceWarning)  # a regression that is nearly there is told as it is
    kinds = asked.set or list(SETS)
    for part in asked.part or ("virtual", "served", "demo"):
        if part == "demo":
            ids = ["garam", "narae", "dasom", "maru", "hanbit"]
            prompts = [case.asks[0] for case in corpus.cases()]
            print(f"\ndemo: chance {100 / 10:.1f} and {100 / 20:.1f}, best: points above guessing\n{HEAD}")
            for way in asked.way or ("", "lockstep"):
                found = served(
                    demo_of(WAYS[way] if way else {}), prompts, ids, asked.battles or 600, min(8, asked.together)
                )
                judged(way or "as it is declared", found, found.features, ids)
                judged("  its two lengths alone", found, found.lengths, ids)
            continue
        for kind in kinds:
            ids = [f"e{n}" for n in range(len(SETS[kind]))]
            print(f"\n{part}, {kind}: chance {100 / 15:.1f} and {100 / 30:.1f}, best: points above guessing\n{HEAD}")
            for way in asked.way or (WAYS if part == "virtual" else ("lockstep", "metronome")):
                if part == "virtual":
                    found = virtual(kind, WAYS[way], asked.battles or 2000)
                else:
                    with endpoints() as port:
                        text = stage_of(kind, WAYS[way], port)
                        found = served(text, ["안녕하세요?"], ids, asked.battles or 600, asked.together)
                judged(way, found, found.features, ids)


if __name__ == "__main__":
    main()
