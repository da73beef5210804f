"""Looking while people vote: how often equal entrants are told apart at some look, and what it costs to make that rare.

    python -m benchmarks.looks [--stages 400] [--paths 20000] [--only TEXT]

Simulated stages of equal entrants, 6,000 votes planned and cast, personal taste of sd 0.7 logits, seeded, looked at after every 15th vote (400
looks) and after every 600th (10). `fixed` is what holds at one look, `anytime` what holds at all. Of 400 stages a share of 5 % is good to 2.1 points.
Who ends once a pair is apart is wrong as often as one ever is: the rows of two entrants.
Boundary: random walks of 4,000 steps, how many ever cross; and means of few clusters, whose error is estimated from them.
"""

import argparse

import numpy as np
from numpy.typing import NDArray

from ratings import anytime, intervals
from ratings.anytime import Anytime
from ratings.comparison import Comparisons
from ratings.errors import NothingToRateError
from ratings.fit import rate
from ratings.result import Ratings
from ratings.voices import Voice
from tests.support.ratings_votes import votes

VOTES, LOOKS, TASTE = 6000, 400, 0.7
DESIGNS: dict[str, tuple[int, int, str, Voice]] = {
    "4 equal, 300 voters one after the other": (4, 300, "in turn", "vote"),
    "4 equal, 49 voters all along": (4, 49, "all along", "vote"),
    "4 equal, busy voters first, one voice each": (4, 300, "busy first", "citizen"),
    "2 equal, 300 voters one after the other": (2, 300, "in turn", "vote"),
    "2 equal, 49 voters all along": (2, 49, "all along", "vote"),
}


def stage(k: int, voters: int, arrival: str, voice: Voice, seed: int) -> Comparisons:
    """Make the votes in the order they come in."""
    rng = np.random.default_rng(seed)
    each = VOTES // voters
    cast = votes(np.zeros(k), voters, each, seed, taste=TASTE)
    assert cast.voter is not None
    order = np.arange(len(cast))
    if arrival == "all along":
        order = rng.permutation(order)
    elif arrival == "busy first":  # a tenth give all their votes before the others, who give two
        order = np.concatenate(
            [order[: len(order) // 10], order[len(order) // 10 :][order[len(order) // 10 :] % each < 2]]
        )
    return Comparisons.from_codes(
        cast.models, cast.a[order], cast.b[order], cast.outcome[order], cast.voter[order], voice=voice
    )


def part(cast: Comparisons, n: int) -> Comparisons:
    """Take the first n votes."""
    assert cast.voter is not None
    return Comparisons.from_codes(
        cast.models, cast.a[:n], cast.b[:n], cast.outcome[:n], cast.voter[:n], voice=cast.voice
    )


def looked(cast: Comparisons) -> NDArray[np.bool_]:
    """(looks, 4): whether at each look a pair is apart, fixed and anytime, and whether the first one's interval misses, likewise."""
    looks, found = Anytime(len(cast)), np.zeros((LOOKS, 4), bool)
    for look in range(LOOKS):
        try:
            fit = rate(part(cast, (look + 1) * len(cast) // LOOKS))
        except NothingToRateError:
            continue
        if all(row.group == 0 for row in fit.rows):
            found[look] = claims(fit, looks)
    return found


def claims(fit: Ratings, looks: Anytime) -> tuple[bool, ...]:
    """Look once."""
    apart = looks.simultaneous(fit.theta, fit.covariance, fit.n_used, fit.n_eff_clusters).separated
    off = np.abs(fit.theta[0]) / np.sqrt(fit.covariance[0, 0])
    return (
        any(bool(pair.separated) for pair in fit.pairwise),
        bool(apart.any()),
        bool(off > intervals.quantile(fit.n_eff_clusters)),
        bool(off > looks.quantile(fit.n_used, fit.n_eff_clusters)),
    )


def falsely(stages: int, only: str) -> None:
    """Print how often something is said that is wrong, at some look."""
    print(f"{'':46}{'a pair apart: fixed':>21}{'anytime':>9}{'an interval misses: fixed':>27}{'anytime':>9}")
    for name, (k, voters, arrival, voice) in DESIGNS.items():
        if only not in name:
            continue
        found = np.stack([looked(stage(k, voters, arrival, voice, seed)) for seed in range(stages)])
        for count, rows in ((10, slice(39, None, 40)), (LOOKS, slice(None))):
            ever = found[:, rows].any(axis=1).mean(axis=0)
            print(
                f"{name + f', {count} looks':46}{ever[0]:21.1%}{ever[1]:9.1%}{ever[2]:27.1%}{ever[3]:9.1%}", flush=True
            )


def widths() -> None:
    """Print what it costs at parts of the plan, for many clusters."""
    print(f"\n{'times the fixed width at':30}" + "".join(f"{share:9.0%}" for share in (0.25, 0.5, 1, 2)))
    plan, many = Anytime(1000), 1e9
    single = [plan.quantile(n, many) / intervals.quantile(many) for n in (250, 500, 1000, 2000)]
    print(f"{'one interval':30}" + "".join(f"{ratio:9.2f}" for ratio in single))
    for k in (2, 3, 4, 5, 10, 20):
        theta, covariance = np.zeros(k), np.eye(k) - 1 / k
        fixed = intervals.simultaneous(theta, covariance, intervals.draws(covariance, many, 0, 100_000)).critical
        apart = [plan.simultaneous(theta, covariance, n, many).critical / fixed for n in (250, 500, 1000, 2000)]
        print(f"{f'pairs apart, {k} entrants':30}" + "".join(f"{ratio:9.2f}" for ratio in apart))


def boundaries(paths: int, steps: int = 4000) -> None:
    """Print how many random walks ever cross, with the plan at a tenth of their length."""
    print(f"\n{'random walks that ever cross':30}{'5 %':>9}{'1 %':>9}")
    rng = np.random.default_rng(0)
    crossed = np.zeros((2, 2))
    for _ in range(paths // 1000):
        z = rng.standard_normal((1000, steps)).cumsum(axis=1) / np.sqrt(np.arange(1, steps + 1))
        for column, error in enumerate((0.05, 0.01)):
            clock = anytime.tightest(error) * np.arange(1, steps + 1) / (steps / 10)
            both = np.array([anytime.boundary(x, error) for x in clock])
            plan = anytime.tightest_claim(error) / anytime.tightest(error)
            above = np.array([anytime.one_sided(x, error) for x in plan * clock])
            crossed[:, column] += (np.abs(z) > both).any(axis=1).sum(), (z > above).any(axis=1).sum()
    for name, row in zip(("either way", "upwards alone"), crossed / paths, strict=True):
        print(f"{name:30}" + "".join(f"{share:9.2%}" for share in row))


def few_clusters(paths: int) -> None:
    """Print how often means of few clusters, one after the other, ever miss until twice the plan, and the width at the plan."""
    print(f"\n{'clusters planned':30}{'ever misses':>12}{'times the fixed width':>24}")
    rng = np.random.default_rng(1)
    for clusters in (8, 12, 16, 25, 49):
        n = np.arange(2, 2 * clusters + 1)
        drawn = rng.standard_normal((paths, 2 * clusters))
        mean = drawn.cumsum(axis=1)[:, 1:] / n
        squares = (drawn**2).cumsum(axis=1)[:, 1:] - n * mean**2
        off = np.abs(mean) / np.sqrt(squares / (n - 1) / n)
        reach = np.array([Anytime(clusters).quantile(int(each), int(each)) for each in n])
        cost = reach[clusters - 2] / intervals.quantile(clusters)
        print(f"{clusters:<30}{(off > reach).any(axis=1).mean():12.1%}{cost:24.2f}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", type=int, default=400)
    parser.add_argument("--paths", type=int, default=20_000)
    parser.add_argument("--only", default="", help="designs whose name holds this")
    asked = parser.parse_args()
    widths()
    boundaries(asked.paths)
    few_clusters(asked.paths)
    falsely(asked.stages, asked.only)


if __name__ == "__main__":
    main()
