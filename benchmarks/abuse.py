"""What 2,000 votes of one script cost its processor, and what the same rules ask of a school behind one address. Arrivals are simulated, the rest is real.

`make bench-abuse`. Prices, counters and refusals are those of `arena/battles/limits.py` over an SQLite record, with the limits of a stage file and a
clock of the simulation's own; what a try costs is measured with `altcha`, which solves challenges here first. A proof takes a number of tries
drawn evenly up to twice its price, as the challenges are made.

The script: all its cookies first, then battle and vote as fast as it can, at most 18 a second (as it was served while nothing was asked of it), each
cookie in turn. It has so many processors, and either works for each battle as it comes or hoards: proofs for as many battles as one doubling of the
price lets it fall behind. The pupils come within a quarter of an hour, begin to work with the first key, and go from one battle to the next as people do.
"""

import argparse
import heapq
import itertools
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import altcha
import numpy as np

from arena.battles.limits import ALGORITHM, Limits, Worked
from arena.domain import stage
from arena.domain.errors import Forbidden, TooMany
from arena.domain.stage import Stage
from arena.record.pressure import Proof
from arena.record.store import Store
from arena.settings import ROOT
from benchmarks.integrity import DAY_S, HONEST_VOTERS, TARGET, THETA, Crowd, honest, honest_outcome, proposed
from ratings.comparison import A_WINS, B_WINS

ADDRESS = "203.0.113.77"
VOTES = 2000
PER_S = 18
SLOW = 8
"""A cheap phone beside the processor that this runs on."""
PUPILS, VOTES_EACH = 300, 5
TYPING_S, CYCLE_S, CONSENT_S = 25, 150, 30
"""Medians: a question, from one battle to the next, the page of consents."""
MEMORY = Path("/dev/shm")  # noqa: S108
"""Nothing of a simulation has to outlive a power cut."""
START = datetime(2026, 12, 1, 1, 0, tzinfo=UTC)


@dataclass
class Place:
    """One network on the arena's real counters, at a time that the simulation sets."""

    declared: stage.Limits
    store: Store
    now: float = 0.0
    """Seconds since the start."""
    serial: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        """Stand the limits on the clock of the simulation."""
        self.limits = Limits(self.declared, self.store.counters, secret=b"s" * 32, clock=self.clock)

    def clock(self) -> datetime:
        """Tell the time."""
        return START + timedelta(seconds=self.now)

    def due(self, act: Worked, citizen: str) -> int:
        """Tries that the act costs now."""
        work = self.limits.work(act, citizen, ADDRESS)
        return work.due(self.store.counters.piled(work.buckets, self.clock()))

    def act(self, act: Worked, citizen: str, worked: int) -> None:
        """Do it with a proof of so many tries (0: none), in the transaction that counts it."""
        expires = self.clock() + timedelta(minutes=10)
        proof = Proof(str(next(self.serial)), worked, expires) if worked else None
        admission = self.limits.admission(act, citizen, ADDRESS)
        self.store.counters.count(replace(admission, work=self.limits.work(act, citizen, ADDRESS, proof)))


@contextmanager
def place(declared: stage.Limits) -> Iterator[Place]:
    """A network where nothing has happened yet."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        store = Store(f"sqlite:///{folder}/arena.db")
        try:
            yield Place(declared, store)
        finally:
            store.close()


def try_s(cost: int, tries: int = 400) -> float:
    """Processor seconds of one try, as altcha solves a challenge of so many."""
    made = altcha.create_challenge(ALGORITHM, cost, counter=tries - 1, hmac_secret=b"s")
    began = time.process_time()
    assert altcha.solve_challenge(made) is not None
    return (time.process_time() - began) / tries


def script(declared: stage.Limits, cookies: int, processors: int, a_try: float, *, hoards: bool) -> tuple[float, float]:
    """Minutes of processor, and of the clock, for 2,000 votes."""
    batch = max(1, int(0.9 * declared.proof_doubles)) if hoards else processors
    acts: list[tuple[Worked, str]] = [("session", f"c{n}") for n in range(cookies)]
    acts.extend(("battle", f"c{n % cookies}") for n in range(VOTES))
    worked_s = 0.0
    with place(declared) as here:

        def work(tries: int) -> None:
            nonlocal worked_s
            worked_s += tries * a_try
            here.now += tries * a_try / processors

        for first in range(0, len(acts), batch):
            asked = acts[first : first + batch]
            prices = [here.due(act, citizen) for act, citizen in asked]
            work(sum(prices))
            for (act, citizen), price in zip(asked, prices, strict=True):
                here.now += 1 / PER_S
                try:
                    here.act(act, citizen, price)
                except Forbidden:  # the price has more than doubled since
                    price = here.due(act, citizen)
                    work(price)
                    here.act(act, citizen, price)
        return worked_s / 60, here.now / 60


@dataclass
class School:
    """What three hundred pupils met."""

    proofs_s: list[float] = field(default_factory=list)
    """How long each proof took on the slow processor; only where one was asked."""
    waits_s: list[float] = field(default_factory=list)
    """How long each act waited for its proof after its pupil had finished typing; 0 where none was asked."""
    again: int = 0
    refused: int = 0
    minutes: float = 0.0


def school(declared: stage.Limits, a_try: float, arrive_s: float, seed: int) -> School:
    """Let them come within `arrive_s` seconds, agree, and vote five times each."""
    rng, met, order = random.Random(seed), School(), itertools.count()
    queue: list[tuple[float, int, str, int, int, int, bool]] = []

    def at(when: float, step: str, pupil: int, votes: int, price: int = 0, *, waiting: bool = False) -> None:
        heapq.heappush(queue, (when, next(order), step, pupil, votes, price, waiting))

    def about(seconds: float) -> float:
        return rng.lognormvariate(float(np.log(seconds)), 0.4)

    with place(declared) as here:
        for pupil in range(PUPILS):
            at(rng.uniform(0, arrive_s), "begin", pupil, 0)
        while queue:
            here.now, _, step, pupil, votes, price, waiting = heapq.heappop(queue)
            act: Worked = "battle" if votes else "session"
            citizen = f"p{pupil}"
            if step == "begin":
                price = here.due(act, citizen)
                took = rng.uniform(0, 2) * price * a_try * SLOW
                if price:
                    met.proofs_s.append(took)
                typing = 0.0 if waiting else about(TYPING_S if votes else CONSENT_S)
                met.waits_s.append(max(0.0, took - typing))
                at(here.now + max(took, typing), "send", pupil, votes, price)
                continue
            try:
                here.act(act, citizen, price)
            except Forbidden:
                met.again += 1
                at(here.now, "begin", pupil, votes, waiting=True)
                continue
            except TooMany:
                met.refused += 1
                continue
            met.minutes = here.now / 60
            if votes < VOTES_EACH:
                at(here.now + (about(CYCLE_S - TYPING_S) if votes else about(5)), "begin", pupil, votes + 1)
    return met


def quantile(values: Sequence[float], q: float) -> float:
    """A quantile, 0 of nothing."""
    return float(np.quantile(values, q)) if values else 0.0


def found(cookies: int, seed: int, *, patient: bool) -> tuple[float, float]:
    """Shares of the script's votes that the integrity tests propose, and of honest voters with them: 5,000 honest votes beside its 2,000 from one network."""
    crowd = Crowd(np.random.default_rng(seed), [], [], [])
    honest(crowd, 0.0)
    crowd.network += 1
    network, rng = 4 + crowd.network, crowd.rng
    voters = [crowd.voter() for _ in range(cookies)]
    for n in range(VOTES):
        voter = voters[n % cookies]
        a, b = crowd.draw(voter)
        outcome = honest_outcome(rng, THETA, a, b, (0.15, 0.05)) if patient else int(rng.choice([A_WINS, B_WINS]))
        if TARGET in (a, b):
            outcome = A_WINS if a == TARGET else B_WINS
        judged = float(np.exp(np.log(25) + rng.normal(0, 0.6)))
        at = 7.7 * DAY_S + n * 1800 / VOTES
        crowd.rows.append((at, voter, a, b, outcome, judged, network, 1000 + 100 * voter + n // cookies))
    ballots = crowd.ballots()
    out = proposed(ballots)
    is_script = ballots.voter >= HONEST_VOTERS
    return float(np.isin(ballots.voter[is_script], out).mean()), float((out < HONEST_VOTERS).sum() / HONEST_VOTERS)


def main() -> None:
    """Prints the tables of `docs/threat-model.md`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stage", type=Path, default=ROOT / "stages" / "round-1.toml")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--try-ms", type=float, help="processor time of one try, instead of measuring it here")
    chosen = parser.parse_args()
    declared = Stage.from_toml(chosen.stage.read_bytes(), str(chosen.stage)).limits
    # What others do on this machine only adds to a measurement.
    measured = chosen.try_ms is None
    a_try = min(try_s(declared.proof_cost) for _ in range(9)) if measured else chosen.try_ms / 1000
    per_s = 1 / a_try
    print(
        f"{chosen.stage.name}: a try is {1000 * a_try:.2f} ms ({per_s:,.0f}/s) here, {1000 * SLOW * a_try:.1f} ms there"
    )
    print("\n| piled up in the network | price, tries | here | on the slow processor |\n|---|---|---|---|")
    with place(declared) as here:
        price = here.limits.work("session", None, ADDRESS).price
    for piled in (0, 300, 600, 900, 1200, 1500, 1800):
        tries = price.tries(0, piled)
        print(f"| {piled} | {tries} | {tries * a_try:.2f} s | {tries * a_try * SLOW:.1f} s |")
    print(f"\n| script, {VOTES:,} votes | processors | processor-minutes | minutes | hoarding |\n|---|---|---|---|---|")
    for cookies, processors in itertools.product((50, 200, 400), (1, 2, 16)):
        cpu, clock = script(declared, cookies, processors, a_try, hoards=False)
        hoarded, _ = script(declared, cookies, processors, a_try, hoards=True)
        print(f"| {cookies} cookies | {processors} | {cpu:.0f} | {clock:.0f} | {hoarded:.0f} |")
    print(
        "\n| the script's votes as a campaign | found, coins elsewhere | found, honest elsewhere | honest voters proposed |"
    )
    print("|---|---|---|---|")
    for cookies in (50, 200, 400):
        coins, others = (
            np.mean([found(cookies, 7 + seed, patient=p) for seed in range(chosen.runs)], axis=0) for p in (False, True)
        )
        print(f"| {cookies} cookies | {coins[0]:.0%} | {others[0]:.0%} | {max(coins[1], others[1]):.2%} |")
    print(
        f"\n| school, {PUPILS} × {VOTES_EACH} votes, {SLOW} × slower | over | refused | proofs | median | p95 | longest |",
        end="",
    )
    print(" acts that waited | wait, p95 | worked again |\n|---|---|---|---|---|---|---|---|---|---|")
    for arrive in (300, 900, 1800, 4 * 3600):
        met = school(declared, a_try, arrive, 1)
        proofs, waits = met.proofs_s, met.waits_s
        said = f"| come within {arrive // 60} min | {met.minutes:.0f} min | {met.refused} | {len(proofs)} | {quantile(proofs, 0.5):.2f} s |"
        said += (
            f" {quantile(proofs, 0.95):.1f} s | {max(proofs, default=0):.1f} s | {np.mean(np.array(waits) > 0.5):.1%} |"
        )
        print(f"{said} {quantile(waits, 0.95):.1f} s | {met.again} |")


if __name__ == "__main__":
    main()
