"""The tests beside the fit, on simulated stages: how often they hold the truth, how seldom they cry wolf, what they find, what they cost. All data is synthetic.

python -m benchmarks.checks [--part side|agreement|size|power|speed] [--stages 2000]
"""

import argparse
import time
from collections.abc import Callable, Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from benchmarks.ratings import battles
from ratings.agreement import agreement, alpha
from ratings.comparison import BOTH_BAD, Comparisons
from ratings.misfit import drift, misfit
from ratings.shares import both_bad, side_bias, unvoted

LEVELS = (0.05, 0.01)
DESIGNS = (
    (300, 20, 0.0, 5),
    (300, 20, 0.7, 5),
    (300, 20, 0.7, 12),
    (49, 10, 0.7, 5),
    (49, 10, 0.7, 10),
    (8, 50, 0.7, 5),
)
"""Voters, votes of each, sd of their taste in logits, entrants."""
DAYS = 5


def crowd(
    voters: int,
    each: int,
    taste: float,
    k: int,
    seed: int,
    *,
    circle: float = 0.0,
    worse: float = 0.0,
    loyal: float = 0.0,
) -> tuple[Comparisons, NDArray[np.int64]]:
    """Votes of people who each come on one day, 15 % ties, 10 % both_bad; and their days.

    `circle`: logits by which the first three beat each other in a circle; `worse`: logits that the third loses on the last two days;
    `loyal`: the share of voters who call the third's losses "neither".
    """
    rng, n = np.random.default_rng(seed), voters * each
    liking = np.linspace(0.4, -0.4, k) + taste * rng.standard_normal((voters, k))
    voter = np.repeat(np.arange(voters, dtype=np.int32), each)
    day = rng.integers(0, DAYS, voters)
    liking[day >= DAYS - 2, 2] -= worse
    a = rng.integers(0, k, n)
    b = (a + rng.integers(1, k, n)) % k
    pairs = np.zeros((k, k))
    for i in range(3):
        pairs[i, (i + 1) % 3], pairs[(i + 1) % 3, i] = circle, -circle
    first = rng.random(n) < expit(liking[voter, a] - liking[voter, b] + pairs[a, b])
    kind = rng.random(n)
    outcome = np.where(kind < 0.1, BOTH_BAD, np.where(kind < 0.25, 2, np.where(first, 0, 1)))
    lost = ((a == 2) & (outcome == 1)) | ((b == 2) & (outcome == 0))
    outcome = np.where(lost & (voter < loyal * voters), BOTH_BAD, outcome)
    return Comparisons.from_codes([f"m{i}" for i in range(k)], a, b, outcome, voter), day[voter]


def side(stages: int) -> None:
    """Coverage of the side's interval with habits, clustered and by vote, and how often p is below 5 %."""
    print("60 voters x 30 votes, habits of sd | by voter | by vote | p < 5 %")
    for habit in (0.0, 0.5, 1.0, 2.0):
        rng, held, by_vote, told = np.random.default_rng(1), 0, 0, 0
        for _ in range(stages):
            won = rng.binomial(30, expit(habit * rng.standard_normal(60)))
            found, each = side_bias(won, 30 - won), int(won.sum())
            low, high = found.interval or (1.0, 0.0)
            held += low <= 0.5 <= high
            by_vote += abs(each / 1800 - 0.5) <= 1.96 * sqrt(0.25 / 1800)
            told += found.p is not None and found.p < LEVELS[0]
        print(f"{habit:34g} | {held / stages:8.1%} | {by_vote / stages:7.1%} | {told / stages:.1%}", flush=True)


PANELS = (
    (40, 30, 0.8, 1.5, 0.0),
    (40, 30, 0.2, 1.5, 0.0),
    (300, 50, 0.05, 1.0, 0.5),
    (12, 30, 0.8, 1.5, 0.5),
    (40, 30, 0.8, 0.0, 0.0),
)
"""Members, tasks, the share of them that each judges, sd over tasks of how likely the first wins and of a member's habit, in logits."""


def agree(stages: int) -> None:
    """Coverage of alpha's interval: what very many such members would agree on these tasks."""
    print("members x tasks, share judged, sd of tasks, of habits | holds the truth | mean width")
    for members, tasks, share, apart, habit in PANELS:
        rng, held, width = np.random.default_rng(1), 0, 0.0
        for _ in range(stages):
            task, own = apart * rng.standard_normal(tasks), habit * rng.standard_normal(members)
            won = rng.random((members, tasks)) < expit(task + own[:, None])
            voter, unit = np.nonzero(rng.random((members, tasks)) < share)
            found = alpha(unit, won[voter, unit], voter, "nominal", 2)
            p = expit(task + habit * rng.standard_normal((4000, 1))).mean(axis=0)
            truth = 1 - float(np.mean(p * (1 - p)) / (p.mean() * (1 - p.mean())))
            low, high = (found and found.interval) or (1.0, 0.0)
            held, width = held + (low <= truth <= high), width + high - low
        print(
            f"{members} x {tasks}, {share}, {apart}, {habit} | {held / stages:.1%} | {width / stages:.2f}", flush=True
        )


def smallest(comparisons: Comparisons, days: NDArray[np.int64]) -> dict[str, float]:
    """The p of each test, the smallest of a family after Holm."""
    pairs, times = misfit(comparisons), drift(comparisons, days)
    assert pairs is not None
    assert times is not None
    return {
        "misfit": pairs.overall.p,
        "pairs": least([pair.adjusted for pair in pairs.pairs]),
        "drift": times.overall.p,
        "entrants": least([each.adjusted for each in times.entrants]),
        "both_bad": least([test.adjusted for test in both_bad(comparisons)]),
    }


def least(p: Sequence[float | None]) -> float:
    """The smallest that could be told."""
    return min((value for value in p if value is not None), default=1.0)


def told(title: str, stages: int, make: Callable[[int], tuple[Comparisons, NDArray[np.int64]]]) -> None:
    """Print how often each p is below each level."""
    found = [smallest(*make(seed)) for seed in range(stages)]
    cells = [
        f"{name} " + " / ".join(f"{np.mean([each[name] < level for each in found]):.1%}" for level in LEVELS)
        for name in found[0]
    ]
    print(f"{title}: {', '.join(cells)}", flush=True)


def size(stages: int) -> None:
    """How often chance alone is told, at 5 % and at 1 %."""
    for voters, each, taste, k in DESIGNS:
        told(
            f"{voters} voters x {each}, taste {taste}, {k} entrants",
            stages,
            lambda seed, design=(voters, each, taste, k): crowd(*design, seed),
        )


def power(stages: int) -> None:
    """How often what is there is told: a circle, a team that got worse, people who refuse to say; 300 voters x 20, taste 0.7, five entrants."""
    for named in ({"circle": 0.2}, {"circle": 0.4}, {"worse": 0.3}, {"worse": 0.6}, {"loyal": 0.05}, {"loyal": 0.2}):
        told(str(named), stages, lambda seed, named=named: crowd(300, 20, 0.7, 5, seed, **named))


def speed(_: int) -> None:
    """CPU time of each test at a million votes, 20 entrants."""
    for each in (5, 20, 200):
        a, b, outcome, _twenty_each = battles(20, 1_000_000)
        rng = np.random.default_rng(3)
        voter = rng.integers(0, 1_000_000 // each, 1_000_000, dtype=np.int32)
        outcome = np.where(rng.random(len(outcome)) < 0.05, BOTH_BAD, outcome).astype(np.int8)
        comparisons = Comparisons.from_codes([f"m{i}" for i in range(20)], a, b, outcome, voter)
        days = rng.integers(0, 10, 1_000_000 // each + 1)[voter]
        shown = np.bincount(a * 20 + b, minlength=400).reshape(20, 20)
        left = rng.binomial(shown, 0.1)
        asked = np.where(rng.random(len(a)) < 0.3, rng.integers(0, 60, len(a)), -1)
        calls: dict[str, Callable[[], object]] = {
            "both_bad": lambda votes=comparisons: both_bad(votes),
            "unvoted": lambda left=left, shown=shown: unvoted([str(i) for i in range(20)], left, shown),
            "misfit": lambda votes=comparisons: misfit(votes),
            "drift": lambda votes=comparisons, days=days: drift(votes, days),
            "agreement": lambda votes=comparisons, asked=asked: agreement(votes, asked, np.arange(len(asked))),
        }
        spent = {name: min(timed(call) for _ in range(3)) for name, call in calls.items()}
        told_ms = ", ".join(f"{name} {1000 * s:.0f} ms" for name, s in spent.items())
        print(f"{each} votes a voter: {told_ms}, together {1000 * sum(spent.values()):.0f} ms", flush=True)


def timed(call: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    began = time.process_time()
    call()
    return time.process_time() - began


PARTS: dict[str, Callable[[int], None]] = {
    "side": side,
    "agreement": agree,
    "size": size,
    "power": power,
    "speed": speed,
}


def main() -> None:
    """Runs what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=PARTS)
    parser.add_argument("--stages", type=int, default=2000)
    chosen = parser.parse_args()
    for name, part in PARTS.items():
        if chosen.part in (None, name):
            part(chosen.stages)


if __name__ == "__main__":
    main()
