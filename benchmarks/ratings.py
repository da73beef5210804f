"""Ratings beside their peers on the same seeded synthetic battles: time, memory, accuracy; and what live ratings cost.

`make bench-ratings` builds the peers' environment and runs everything in about ten minutes; `--part`, `--models` and
`--votes` run less, `--full` also waits for evalica's hundred bootstrap rounds over a million votes instead of ten counted tenfold.
Each case runs in a process of its own, so imports, memory peaks and warm caches do not mix. Times are CPU seconds, the
best of several calls in one process; the first call and the import stand apart. Nothing here is part of the tests.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
PEERS = ROOT / "build" / "peers" / "bin" / "python"
OUT = ROOT / "build" / "bench-ratings.json"
MODELS = (5, 20, 200)
VOTES = (10_000, 100_000, 1_000_000, 10_000_000)
VOTES_PER_VOTER = 20
STARTERS, STARTED = 16, 0.6
"""Questions that all share, and how many votes begin with one."""
PATIENCE_S = 4.0
"""A case is repeated until its calls have taken this long."""

Case = tuple[Callable[[], Any], Callable[[Any], np.ndarray], int]
"""What is timed, how its log-strengths are read, how often it runs."""


def battles(k: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Seeded battles as codes: uniform pairs, 15 % ties, strengths evenly spaced over 1.6 logits, 20 votes a voter."""
    rng = np.random.default_rng(2026)
    theta = np.linspace(0.8, -0.8, k)
    a = rng.integers(0, k, n, dtype=np.int32)
    b = ((a + rng.integers(1, k, n, dtype=np.int32)) % k).astype(np.int32)
    won = rng.random(n) < 1 / (1 + np.exp(theta[b] - theta[a]))
    outcome = np.where(rng.random(n) < 0.15, 2, np.where(won, 0, 1)).astype(np.int8)
    return a, b, outcome, rng.integers(0, max(1, n // VOTES_PER_VOTER), n, dtype=np.int32)


def converged(k: int, a: np.ndarray, b: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """The maximum-likelihood strengths by plain Newton steps to 1e-13: the estimate everybody is compared with."""
    wins = np.zeros((k, k))
    np.add.at(wins, (a, b), np.array([1.0, 0.0, 0.5])[outcome])
    np.add.at(wins, (b, a), np.array([0.0, 1.0, 0.5])[outcome])
    games, theta = wins + wins.T, np.zeros(k)
    for _ in range(100):
        p = 1 / (1 + np.exp(theta[None, :] - theta[:, None]))
        slope = games * p * (1 - p)
        step = np.linalg.solve(np.diag(slope.sum(axis=1)) - slope + 1, (wins - games * p).sum(axis=1))
        theta += step
        if np.abs(step).max() < 1e-13:
            break
    return theta - theta.mean()


# ---- the cases; each imports its own library


def ours(k: int, n: int, prior: float) -> Case:
    """Codes → checked comparisons → ratings with clustered intervals, points, rank ranges and pairwise separations."""
    from ratings.comparison import Comparisons
    from ratings.fit import rate

    names = [f"m{i}" for i in range(k)]
    data = battles(k, n)
    return lambda: rate(Comparisons.from_codes(names, *data), prior=prior), lambda r: r.theta, 7


def asked(k: int, n: int) -> Case:
    """The same with questions: 60 % of the votes on 16 starters, the others each on one that nobody else asked."""
    from ratings.comparison import Comparisons
    from ratings.fit import rate

    names, data, rng = [f"m{i}" for i in range(k)], battles(k, n), np.random.default_rng(7)
    question = np.where(rng.random(n) < STARTED, rng.integers(0, STARTERS, n), STARTERS + np.arange(n)).astype(np.int32)
    return lambda: rate(Comparisons.from_codes(names, *data, question=question)), lambda r: r.theta, 7


def evalica_point(k: int, n: int) -> Case:
    """evalica's Bradley–Terry on lists of ints: no intervals."""
    import evalica

    a, b, outcome, _ = battles(k, n)
    kinds = [evalica.Winner.X, evalica.Winner.Y, evalica.Winner.Draw]
    xs, ys, winners = a.tolist(), b.tolist(), [kinds[o] for o in outcome.tolist()]
    return (
        lambda: evalica.bradley_terry(xs, ys, winners),
        lambda r: np.log([r.scores[i] for i in range(k)]),
        3,
    )


def evalica_bootstrap(k: int, n: int, rounds: int) -> Case:
    """evalica's percentile bootstrap over votes."""
    import evalica

    a, b, outcome, _ = battles(k, n)
    kinds = [evalica.Winner.X, evalica.Winner.Y, evalica.Winner.Draw]
    xs, ys, winners = a.tolist(), b.tolist(), [kinds[o] for o in outcome.tolist()]

    bradley_terry: Any = evalica.bradley_terry

    def run() -> Any:
        return evalica.bootstrap(
            bradley_terry, xs, ys, winners, n_resamples=rounds, bootstrap_method="percentile", random_state=0
        )

    return run, lambda r: np.log([r.result.scores[i] for i in range(k)]), 1


def arena_rank(k: int, n: int, build: bool) -> Case:
    """arena-rank's fit with its sandwich by vote; with or without building its data set each time."""
    import pandas as pd

    # By name: arena-rank lives in the peers' environment only.
    BradleyTerry = importlib.import_module("arena_rank.models.bradley_terry").BradleyTerry
    PairDataset = importlib.import_module("arena_rank.utils.data_utils").PairDataset
    a, b, outcome, _ = battles(k, n)
    table = pd.DataFrame({"model_a": a, "model_b": b, "winner": np.array(["model_a", "model_b", "tie"])[outcome]})
    made = PairDataset.from_pandas(table)

    def run() -> Any:
        data = PairDataset.from_pandas(table) if build else made
        model = BradleyTerry(n_competitors=k)
        return data, model.compute_ratings_and_cis(data), model

    def strengths(result: Any) -> np.ndarray:
        data, _, model = result
        theta = np.asarray(model.params["ratings"])
        return theta[np.argsort(np.asarray(data.competitors))]

    return run, strengths, 3


def fastchat(k: int, n: int, rounds: int) -> Case:
    """FastChat's method: unique rows with their counts, L-BFGS on the likelihood, multinomial bootstrap over votes."""
    from scipy.optimize import minimize

    a, b, outcome, _ = battles(k, n)
    table = np.column_stack([a, b, np.array([2, 0, 1])[outcome]])

    def fit(rows: np.ndarray, counts: np.ndarray, start: np.ndarray) -> np.ndarray:
        left, right, won = rows[:, 0], rows[:, 1], rows[:, 2] / 2
        total = counts.sum()

        def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
            p = 1 / (1 + np.exp(theta[right] - theta[left]))
            value = -(counts * (won * np.log(p) + (1 - won) * np.log1p(-p))).sum() / total
            pull = counts * (p - won) / total
            return value, np.bincount(left, pull, minlength=k) - np.bincount(right, pull, minlength=k)

        return minimize(loss, start, jac=True, method="L-BFGS-B", options={"gtol": 1e-6, "maxiter": 100}).x

    def run() -> np.ndarray:
        rows, counts = np.unique(table, axis=0, return_counts=True)
        theta = fit(rows, counts, np.zeros(k))
        rng = np.random.default_rng(0)
        for _ in range(rounds):
            fit(rows, rng.multinomial(n, counts / n).astype(float), theta)
        return theta

    return run, lambda theta: theta, 3


CASES: dict[str, tuple[Callable[[int, int], Case], bool]] = {
    "ours": (lambda k, n: ours(k, n, 0.5), False),
    "ours, prior 0": (lambda k, n: ours(k, n, 0.0), False),
    "ours, questions": (asked, False),
    "evalica, point": (evalica_point, True),
    "arena-rank, all": (lambda k, n: arena_rank(k, n, build=True), True),
    "arena-rank, refit": (lambda k, n: arena_rank(k, n, build=False), True),
    "FastChat, point": (lambda k, n: fastchat(k, n, 0), True),
    "FastChat, 100 rounds": (lambda k, n: fastchat(k, n, 100), True),
    "evalica, 10 rounds": (lambda k, n: evalica_bootstrap(k, n, 10), True),
    "evalica, 100 rounds": (lambda k, n: evalica_bootstrap(k, n, 100), True),
}
"""Name → how it is set up, and whether it runs in the peers' environment."""


def measure(name: str, k: int, n: int) -> dict[str, Any]:
    """Runs one case in this process."""
    started = time.process_time()
    CASES[name][0](3, 100)
    import_s = time.process_time() - started
    run, strengths, times = CASES[name][0](k, n)
    a, b, outcome, _ = battles(k, n)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    before, cpu = memory("VmRSS"), []
    started = time.perf_counter()
    start = time.process_time()
    result = run()
    cpu.append(time.process_time() - start)
    first_wall, peak = time.perf_counter() - started, memory("VmHWM")
    for _ in range(times - 1):
        if sum(cpu) > PATIENCE_S:
            break
        start = time.process_time()
        run()
        cpu.append(time.process_time() - start)
    theta = strengths(result)
    error = float(np.abs(theta - theta.mean() - converged(k, a, b, outcome)).max())
    return {
        "case": name,
        "models": k,
        "votes": n,
        "import_s": import_s,
        "first_s": cpu[0],
        "first_wall_s": first_wall,
        "best_s": min(cpu),
        "peak_mb": (peak - before) / 1024,
        "error": error,
    }


def memory(field: str) -> int:
    """Resident memory of this process, now or at its peak, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1])


def live(k: int, n: int) -> dict[str, Any]:
    """What `LiveRatings` costs once it holds n votes: a cold start, one vote, one refresh."""
    import pandas as pd

    from ratings.comparison import OUTCOMES
    from ratings.live import LiveRatings

    names = np.array([f"m{i}" for i in range(k)])
    a, b, outcome, voter = battles(k, n)
    winner = np.array([o.value for o in OUTCOMES])[outcome]
    table = pd.DataFrame({"voter": voter.astype(str), "model_a": names[a], "model_b": names[b], "winner": winner})
    ratings = LiveRatings(names.tolist())
    start = time.process_time()
    ratings.add_many(table)
    cold = time.process_time() - start
    refreshes, votes = [], []
    for row in range(200):
        start = time.process_time()
        ratings.add(str(voter[row]), str(names[a[row]]), str(names[b[row]]), str(winner[row]))
        votes.append(time.process_time() - start)
        start = time.process_time()
        ratings.snapshot()
        refreshes.append(time.process_time() - start)
    return {
        "case": "live",
        "models": k,
        "votes": n,
        "cold_s": cold,
        "vote_us": float(np.median(votes)) * 1e6,
        "refresh_ms": float(np.median(refreshes)) * 1e3,
        "refresh_p99_ms": float(np.quantile(refreshes, 0.99)) * 1e3,
    }


COVERAGE = ((0.5, 20), (0.5, 50), (0.7, 5), (0.7, 20), (0.7, 50), (0.7, 100), (1.0, 20), (1.0, 50))
"""Voters' personal taste (sd in logits), votes of each."""


def coverage(stages: int) -> list[dict[str, Any]]:
    """How many nominal 95 % intervals hold the truth: 5 entrants, 300 voters with personal taste."""
    from ratings import bradley_terry
    from ratings.comparison import Comparisons
    from ratings.fit import PER_LOGIT, rate
    from tests.support.ratings_votes import population_strengths, votes

    theta, rows = np.array([0.5, 0.25, 0.0, -0.25, -0.5]), []
    for taste, each in COVERAGE:
        strengths = population_strengths(theta, taste=taste)
        chance = (bradley_terry.probabilities(strengths).sum(axis=1) - 0.5) / 4
        hits = {"rating": 0, "points": 0, "rating, by vote": 0}
        for seed in range(stages):
            c = votes(theta, 300, each, 10_000 + seed, taste=taste)
            by_vote = rate(Comparisons(c.models, c.a, c.b, c.outcome))
            for n, row in enumerate(rate(c).rows):
                at = 1000 + PER_LOGIT * strengths[n]
                for name, value, ends in (
                    ("rating", at, row.rating_ci95),
                    ("points", chance[n], row.win_probability_ci95),
                    ("rating, by vote", at, by_vote.rows[n].rating_ci95),
                ):
                    hits[name] += ends is not None and ends[0] <= value <= ends[1]
        shares = {name: count / (5 * stages) for name, count in hits.items()}
        rows.append({"case": "coverage", "taste": taste, "each": each, "stages": stages, **shares})
    return rows


def orders(shuffles: int) -> list[dict[str, Any]]:
    """What the order of the same votes does to online Elo, beside the standard error of the fit."""
    from ratings.comparison import Comparisons
    from ratings.elo import elo
    from ratings.fit import PER_LOGIT, rate

    rows = []
    for k, n in ((5, 10_000), (20, 100_000)):
        comparisons = Comparisons.from_codes([f"m{i}" for i in range(k)], *battles(k, n))
        ends = np.array([elo(comparisons, seed=seed, checkpoints=1).ratings[-1] for seed in range(shuffles)])
        fitted = rate(comparisons)
        other = (ends.argmax(axis=1) != int(fitted.theta.argmax())).mean()
        error = float(np.mean([row.se or 0 for row in fitted.rows])) * PER_LOGIT
        spread = float(ends.std(axis=0).mean())
        rows.append({"case": "elo", "models": k, "votes": n, "sd": spread, "se": error, "other_leader": float(other)})
    return rows


# ---- all of it, side by side


def wanted(name: str, k: int, n: int, full: bool) -> bool:
    """Ours at every size; the peers up to a million votes, and at ten million once; bootstraps where one size shows them."""
    if name.startswith("ours"):
        return True
    if name.startswith("evalica, 10"):
        hundred = full or n < 1_000_000
        return k == 20 and n <= 1_000_000 and (name == "evalica, 100 rounds") == hundred
    if name == "FastChat, 100 rounds":
        return n <= 1_000_000
    return n <= 1_000_000 or k == 20


def spawn(*arguments: str, peers: bool) -> list[dict[str, Any]]:
    """Runs this file with arguments in a process of its own and reads the JSON that it prints."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    # As a module: a script's own folder would come first on the path, and this file would stand for the package `ratings`.
    command = [str(PEERS if peers else sys.executable), "-m", "benchmarks.ratings", *arguments]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"  {' '.join(arguments)} failed: {done.stderr.strip().splitlines()[-1:]}", flush=True)
        return []
    answer = json.loads(done.stdout.splitlines()[-1])
    return answer if isinstance(answer, list) else [answer]


def speed(models: list[int], sizes: list[int], full: bool) -> list[dict[str, Any]]:
    """Every case at every size, ours between the peers, so that all see the same machine."""
    rows: list[dict[str, Any]] = []
    print(
        f"{'':22}{'models':>7}{'votes':>12}{'import s':>10}{'first s':>10}{'best s':>10}{'extra MB':>10}{'error':>10}"
    )
    for k in models:
        for n in sizes:
            for name, (_, peers) in CASES.items():
                if not wanted(name, k, n, full):
                    continue
                for row in spawn("--case", name, str(k), str(n), peers=peers):
                    rows.append(row)
                    print(
                        f"{name:22}{k:7}{n:12,}{row['import_s']:10.2f}{row['first_s']:10.4f}{row['best_s']:10.4f}"
                        f"{row['peak_mb']:10.1f}{row['error']:10.1e}",
                        flush=True,
                    )
    return rows


def lives() -> list[dict[str, Any]]:
    """What live ratings cost, whatever number of votes they hold."""
    rows: list[dict[str, Any]] = []
    print(f"\n{'live':22}{'models':>7}{'votes':>12}{'cold s':>10}{'vote µs':>10}{'refresh ms':>12}{'p99 ms':>10}")
    for k in (5, 20):
        for n in (10_000, 100_000, 1_000_000):
            for row in spawn("--case", "live", str(k), str(n), peers=False):
                rows.append(row)
                print(
                    f"{'':22}{k:7}{n:12,}{row['cold_s']:10.2f}{row['vote_us']:10.0f}{row['refresh_ms']:12.2f}"
                    f"{row['refresh_p99_ms']:10.2f}",
                    flush=True,
                )
    return rows


def coverages(stages: int) -> list[dict[str, Any]]:
    """The coverage table."""
    print(f"\n{'coverage of 95 %':22}{'taste':>7}{'votes each':>12}{'rating':>10}{'points':>10}{'by vote':>10}")
    rows = spawn("--case", "coverage", str(stages), "0", peers=False)
    for row in rows:
        print(
            f"{'':22}{row['taste']:7}{row['each']:12}{row['rating']:10.3f}{row['points']:10.3f}{row['rating, by vote']:10.3f}"
        )
    return rows


def elos(shuffles: int) -> list[dict[str, Any]]:
    """How far the order of the votes moves online Elo."""
    print(
        f"\n{'online Elo, K = 4':22}{'models':>7}{'votes':>12}{'sd of order':>12}{'se of fit':>10}{'other leader':>13}"
    )
    rows = spawn("--case", "elo", str(shuffles), "0", peers=False)
    for row in rows:
        print(
            f"{'':22}{row['models']:7}{row['votes']:12,}{row['sd']:12.1f}{row['se']:10.1f}{row['other_leader']:13.0%}"
        )
    return rows


def main() -> None:
    """Reads the arguments; without a case, runs them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", nargs=3, metavar=("NAME", "MODELS", "VOTES"), help="one case, in this process")
    parser.add_argument("--part", choices=("speed", "live", "coverage", "elo"), help="only this part")
    parser.add_argument("--models", type=int, nargs="+", default=MODELS, help="of the speed part")
    parser.add_argument("--votes", type=int, nargs="+", default=VOTES, help="of the speed part")
    parser.add_argument("--full", action="store_true", help="evalica's 100 rounds over a million votes as well")
    parser.add_argument("--stages", type=int, default=200, help="simulated stages for each row of the coverage table")
    arguments = parser.parse_args()
    if arguments.case:
        name, k, n = arguments.case[0], int(arguments.case[1]), int(arguments.case[2])
        own: dict[str, Callable[[], Any]] = {
            "live": lambda: live(k, n),
            "coverage": lambda: coverage(k),
            "elo": lambda: orders(k),
        }
        print(json.dumps(own[name]() if name in own else measure(name, k, n)))
        return
    rows: list[dict[str, Any]] = []
    if arguments.part in (None, "speed"):
        rows += speed(list(arguments.models), list(arguments.votes), arguments.full)
    if arguments.part in (None, "live"):
        rows += lives()
    if arguments.part in (None, "coverage"):
        rows += coverages(arguments.stages)
    if arguments.part in (None, "elo"):
        rows += elos(60)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(rows, indent=1) + "\n")
    report(rows)


def report(rows: list[dict[str, Any]]) -> None:
    """What was aimed at beside what this very run gave."""
    at = {(row["case"], row["models"], row["votes"]): row for row in rows if "best_s" in row}
    k, n = 20, 1_000_000
    print()
    if ("ours", k, n) in at:
        mine = at["ours", k, n]
        print(f"At {n:,} votes and {k} models, codes to ratings with clustered intervals, points and rank ranges:")
        for name, rounds, target in (
            ("arena-rank, refit", 1, 20),
            ("arena-rank, all", 1, None),
            ("evalica, point", 1, 10),
            ("evalica, 100 rounds", 1, 1000),
            ("evalica, 10 rounds", 10, 1000),
            ("FastChat, 100 rounds", 1, None),
        ):
            if (name, k, n) in at:
                label = name if rounds == 1 else f"{name}, counted {rounds} times"
                say(f"{label}: times slower than ours", rounds * at[name, k, n]["best_s"] / mine["best_s"], target, 1)
        if ("ours, questions", k, n) in at:
            say("by voter and question, ms", 1000 * at["ours, questions", k, n]["best_s"], 60, -1)
        given = sum(array.nbytes for array in battles(k, n)) / 2**20
        say("extra memory over the input arrays", mine["peak_mb"] / given, 3, -1)
        if ("ours", k, 10 * n) in at:
            say("ten times the votes, times the time", at["ours", k, 10 * n]["best_s"] / mine["best_s"], 15, -1)
        errors = {name: max(r["error"] for r in rows if r["case"] == name) for name in CASES if (name, k, n) in at}
        print("Largest distance from the converged estimate, in logits:", {c: f"{e:.1e}" for c, e in errors.items()})
    refreshes = [row["refresh_ms"] for row in rows if row["case"] == "live"]
    if refreshes:
        say("slowest median refresh of live ratings, ms", max(refreshes), 10, -1)


def say(what: str, value: float, target: float | None, better: int) -> None:
    """Prints one figure with its target, if it has one; `better` is 1 where more is better."""
    verdict = "" if target is None else f"   target {target:g}: {'met' if (value - target) * better >= 0 else 'MISSED'}"
    print(f"  {value:9.2f}  {what}{verdict}")


if __name__ == "__main__":
    main()
