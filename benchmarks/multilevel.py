"""Whether `representative` and the results by group hold what they promise: coverage, beside raw and raked; beside Hamiltonian Monte Carlo; time. All data is synthetic.

    python -m benchmarks.multilevel [--stages 200] [--jobs N] [--part coverage|groups|time]
    build/multilevel/bin/python -m benchmarks.multilevel --part peer       (an environment with benchmarks/multilevel_peers.txt)

Simulated stages of 5 entrants, seeded, people by sex and age (5 bands). Men come 2.7 times as readily as women, the youngest 15 times as readily as the oldest, so that the oldest
are about 8 of 185 people: raking leaves age out (it needs ten in every category); on a panel with quotas each cell has its share. The effects of sex and of age on each entrant are drawn anew in
each stage, sd as said; every voter has a taste, sd 0.5, every question an effect, sd 0.5 (16 starters begin 30 % of battles), 15 % of votes between equals are
ties. The truth is what the whole population's chances come to, in points. Of 200 stages, five intervals each, a coverage of 95 % is
good to 1.5 percentage points or better. `groups` holds the five age bands' ratings, all at once, against the truth, and counts how often chance is
called a difference.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from ratings import bradley_terry, marginal
from ratings.comparison import Comparisons
from ratings.fit import CENTRE, PER_LOGIT, rate
from ratings.groups import FEWEST, by_group
from ratings.mixed import Mode, Model
from ratings.mixed_votes import compared
from ratings.multilevel import Cells, Stratum, representative
from ratings.weights import rake

K = 5
MODELS = tuple("abcde")
THETA = np.linspace(0.3, -0.3, K)
SEX, AGE = np.array([0.5, 0.5]), np.array([0.17, 0.16, 0.19, 0.20, 0.28])
CELLS = Cells.of_margins([SEX.tolist(), AGE.tolist()])
READY = np.array([1.6, 0.6])[CELLS.level[:, 0]] * np.array([2.2, 1.6, 0.9, 0.6, 0.15])[CELLS.level[:, 1]]
"""How readily each cell's people come."""
TOPICS = 4
TIES = 0.15
ROUNDING = 0.005


@dataclass(frozen=True, slots=True)
class Design:
    """Who votes on what, and how they differ."""

    sex: float = 0.3
    age: float = 0.3
    """Standard deviations of the groups' effects."""
    voters: int = 185
    each: int = 20
    taste: float = 0.5
    shape: str = "normal"
    """Of taste: `normal`; `heavy` is Student's t with 3 degrees of freedom; `one` has all people differ over one entrant only."""
    shared: int = 16
    share: float = 0.3
    """Of battles, begun with one of the shared questions; every other one is asked once."""
    quotas: bool = False
    """Whether each cell has its share of the people, as on a panel with quotas."""
    grouping: str = "age"
    """What `groups` looks at: `age`, or `topic`, of which each question has one, and which makes no difference of its own."""


COVERAGE = {
    "185 x 20, groups differ by 0.3": Design(),
    "185 x 20, by 0.5": Design(0.5, 0.5),
    "185 x 20, by 0.1": Design(0.1, 0.1),
    "185 x 20, not at all": Design(0.0, 0.0),
    "185 x 20, taste 1.0": Design(taste=1.0),
    "185 x 20, taste with heavy tails": Design(shape="heavy"),
    "185 x 20, they split over one entrant": Design(shape="one"),
    "185 x 20, a panel with quotas": Design(quotas=True),
    "49 x 10, a panel with quotas": Design(voters=49, each=10, quotas=True),
    "49 x 10": Design(voters=49, each=10),
    "49 x 10, all votes on 10 questions": Design(voters=49, each=10, shared=10, share=1.0),
}
GROUPS = {
    "age, no difference": Design(0.3, 0.0),
    "age, no difference, all on 20 questions": Design(0.3, 0.0, shared=20, share=1.0),
    "age, no difference, they split over one": Design(0.3, 0.0, shape="one"),
    "age, no difference, 49 x 20": Design(0.3, 0.0, voters=49),
    "age, by 0.3": Design(),
    "4 topics, no difference, 40 questions": Design(shared=40, share=1.0, grouping="topic"),
    "4 topics, no difference, 70 % asked once": Design(grouping="topic"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """Votes, what the voters are, and the truth."""

    comparisons: Comparisons
    of_voter: NDArray[np.integer]
    """(voters, 2): sex and age."""
    chances: NDArray[np.float64]
    """(cells, k, k): how often people of each cell prefer the row's entrant, a tie as half."""

    @property
    def points(self) -> NDArray[np.float64]:
        """What the population would give, of 25."""
        chance = np.tensordot(CELLS.share, self.chances, 1)
        return 25 * (chance.sum(axis=1) - 0.5) / (K - 1)

    def ratings_of(self, grouping: str) -> NDArray[np.float64]:
        """(groups, k): of each age as its people come; or of each topic, where all are the same."""
        come = (CELLS.share * READY).reshape(2, 5)
        by_age = np.einsum("sa,saij->aij", come / come.sum(axis=0), self.chances.reshape(2, 5, K, K)) * (1 - np.eye(K))
        all_alike = np.tensordot(come.ravel() / come.sum(), self.chances, 1) * (1 - np.eye(K))
        chances = by_age if grouping == "age" else np.array([all_alike] * TOPICS)
        return CENTRE + PER_LOGIT * np.array([bradley_terry.fit(1e6 * chance, 0) for chance in chances])

    def codes(self, grouping: str) -> NDArray[np.integer]:
        """Each vote's group."""
        voter, question = self.comparisons.voter, self.comparisons.question
        assert voter is not None
        assert question is not None
        return self.of_voter[voter, 1] if grouping == "age" else question % TOPICS


def stage(design: Design, seed: int) -> Stage:
    """Simulate one."""
    rng = np.random.default_rng(seed)
    effects = design.sex * rng.standard_normal((2, K)), design.age * rng.standard_normal((5, K))
    come = CELLS.share * READY
    chosen = filled(design.voters) if design.quotas else rng.choice(len(come), design.voters, p=come / come.sum())
    level = CELLS.level[chosen]
    n = design.voters * design.each
    voter = np.repeat(np.arange(design.voters), design.each)
    begins = rng.random(n) < design.share
    question = np.where(begins, rng.integers(0, design.shared, n), design.shared + np.arange(n))
    favour = 0.5 * rng.standard_normal((design.shared + n, K))
    liking = THETA + sum(effect[level[voter, s]] for s, effect in enumerate(effects))
    liking = liking + _tastes(design, rng, design.voters)[voter] + favour[question]
    a = rng.integers(0, K, n)
    b = (a + rng.integers(1, K, n)) % K
    p = expit(liking[np.arange(n), a] - liking[np.arange(n), b])
    tie, first = rng.random(n) < 4 * TIES * p * (1 - p), rng.random(n) < p
    outcome = np.where(tie, 2, np.where(first, 0, 1))
    people = _tastes(design, rng, 4000) + 0.5 * rng.standard_normal((4000, K))
    chances = []
    for sex, age in CELLS.level:
        of = THETA + effects[0][sex] + effects[1][age] + people
        p = expit(of[:, :, None] - of[:, None, :])
        chances.append((p - 4 * TIES * p * (1 - p) * (p - 0.5)).mean(axis=0))
    return Stage(Comparisons.from_codes(MODELS, a, b, outcome, voter, question=question), level, np.array(chances))


def filled(people: int) -> NDArray[np.integer]:
    """Give each cell its share of the people, by largest remainders."""
    share = CELLS.share * people
    seats = share.astype(int)
    seats[np.argsort(seats - share, kind="stable")[: people - seats.sum()]] += 1
    return np.repeat(np.arange(len(seats)), seats)


def _tastes(design: Design, rng: np.random.Generator, people: int) -> NDArray[np.float64]:
    match design.shape:
        case "heavy":
            return design.taste * rng.standard_t(3, (people, K)) / np.sqrt(3)
        case "one":
            return 2 * design.taste * rng.standard_normal((people, 1)) * (np.arange(K) == 0)
        case _:
            return design.taste * rng.standard_normal((people, K))


def strata(of: Stage) -> list[Stratum]:
    """What the voters are."""
    return [
        Stratum("sex", ("m", "f"), of.of_voter[:, 0]),
        Stratum("age", tuple(map(str, range(5))), of.of_voter[:, 1]),
    ]


def raked(of: Stage) -> Comparisons:
    """The votes with the weights that the arena would give: a stratum is raked only if every category has ten people."""
    targets = {name: {str(n): float(share) for n, share in enumerate(of)} for name, of in (("sex", SEX), ("age", AGE))}
    traits, voter = pd.DataFrame(of.of_voter.astype(str), columns=list(targets)), of.comparisons.voter
    usable = {
        name: shares
        for name, shares in targets.items()
        if all((traits[name] == level).sum() >= FEWEST for level in shares)
    }
    if not usable or voter is None:
        return replace(of.comparisons, voice="citizen")
    return replace(of.comparisons, voice="citizen", weight=rake(traits, usable).weights[voter])


def covered(design: Design, seed: int) -> NDArray[np.float64]:
    """Representative, raw, raked: whether points intervals hold the truth, their width, squared error. (3, 3)."""
    of = stage(design, seed)
    rows = [
        representative(of.comparisons, strata(of), CELLS).rows,
        rate(of.comparisons).rows,
        rate(raked(of)).rows,
    ]
    found = []
    for each in rows:
        points = np.array([row.points for row in each], np.float64)
        low, high = np.array([row.points_ci95 for row in each], np.float64).T
        held = (low - ROUNDING <= of.points) & (of.points <= high + ROUNDING)
        found.append([held.mean(), (high - low).mean(), ((points - of.points) ** 2).mean()])
    return np.array(found)


def grouped(design: Design, seed: int) -> NDArray[np.float64]:
    """Whether all sets hold at once, p below 5 % and 1 %, whether the interval of the difference holds, σ in rating points, and the number of groups."""
    of = stage(design, seed)
    truths = of.ratings_of(design.grouping)
    names = tuple(map(str, range(len(truths))))
    found = by_group(of.comparisons, design.grouping, names, of.codes(design.grouping))
    held, apart = True, found.difference
    for group, truth in zip(found.groups, truths, strict=True):
        held &= all(row.rating_ci95[0] <= t <= row.rating_ci95[1] for row, t in zip(group.ratings, truth, strict=False))
    shown = sum(bool(group.ratings) for group in found.groups)
    if apart is None:
        return np.array([held, False, False, np.nan, np.nan, np.nan, shown])
    p = 1.0 if apart.p is None else apart.p
    return np.array([held, p < 0.05, p < 0.01, apart.sd, *apart.sd_ci95, shown])


def coverage(stages: int, jobs: int) -> None:
    """Print how often intervals hold the truth, how wide they are, and how far the points lie off (root mean square)."""
    print(
        f"{'points, of 25':42}"
        + "".join(f"{name:>16}{'width':>7}{'off':>7}" for name in ("representative", "raw", "raked"))
    )
    for name, found in _each(COVERAGE, covered, stages, jobs):
        shown = [f"{held:16.1%}{width:7.2f}{np.sqrt(square):7.2f}" for held, width, square in found]
        print(f"{name:42}" + "".join(shown), flush=True)


def groups(stages: int, jobs: int) -> None:
    """Print whether all groups' ratings hold at once, and how often chance is called a difference."""
    print(f"\n{'':42}{'all hold':>10}{'p < 5 %':>9}{'p < 1 %':>9}{'sd':>7}{'low':>7}{'high':>7}{'groups':>8}")
    for name, found in _each(GROUPS, grouped, stages, jobs):
        print(
            f"{name:42}{found[0]:10.1%}{found[1]:9.1%}{found[2]:9.1%}"
            + "".join(f"{v:7.1f}" for v in found[3:6])
            + f"{found[6]:8.1f}",
            flush=True,
        )


def timed(stages: int, jobs: int) -> None:
    """Print processor seconds."""
    del stages, jobs
    print(f"\n{'people x votes, shared questions':42}{'representative':>16}{'by age':>10}")
    for voters, shared in ((185, 16), (185, 48), (20_000, 0), (20_000, 48)):
        of = stage(Design(voters=voters, shared=max(shared, 1), share=0.6 if shared else 0.0), 1)
        assert of.comparisons.voter is not None
        start = time.process_time()
        representative(of.comparisons, strata(of), CELLS)
        middle = time.process_time()
        by_group(of.comparisons, "age", tuple("01234"), of.of_voter[of.comparisons.voter, 1])
        print(
            f"{f'{voters:,} x 20, {shared}':42}{middle - start:14.2f} s{time.process_time() - middle:8.2f} s",
            flush=True,
        )


def peer(stages: int, jobs: int) -> None:
    """Print our answer for one stage beside numpyro's: the same model and priors, every σ drawn as well, by the No-U-Turn sampler."""
    del stages
    jax, numpyro = import_module("jax"), import_module("numpyro")
    dist, infer = import_module("numpyro.distributions"), import_module("numpyro.infer")
    numpyro.enable_x64()
    numpyro.set_host_device_count(jobs)
    of = stage(Design(shared=20, share=1.0), 7)
    ours = representative(of.comparisons, strata(of), CELLS)
    voter = of.comparisons.voter
    assert voter is not None
    (group,), _ = compared(of.comparisons, "exclude", of.of_voter[voter], (2, 5))
    votes, names = group.votes, ("sex", "age", "voter", "question")

    def model() -> None:
        sd = {name: numpyro.sample(f"sd_{name}", dist.HalfNormal(1.0)) for name in names}
        sizes = dict(zip(names, (2, 5, votes.voters, votes.questions), strict=True))
        effect = {
            name: sd[name] * numpyro.sample(name, dist.Normal(0, 1).expand([size, K]).to_event(2))
            for name, size in sizes.items()
        }
        theta = numpyro.sample("theta", dist.ImproperUniform(dist.constraints.real, (), (K,)))
        numpyro.factor("phantom", 0.5 * (jax.nn.log_sigmoid(theta) + jax.nn.log_sigmoid(-theta)).sum())
        liking = theta + effect["sex"][votes.level[:, 0]] + effect["age"][votes.level[:, 1]]
        liking = liking + effect["voter"][votes.voter] + effect["question"][votes.question]
        rows = jax.numpy.arange(len(votes.low))
        eta = liking[rows, votes.low] - liking[rows, votes.high]
        numpyro.factor("votes", (votes.won * eta - jax.nn.softplus(eta)).sum())
        numpyro.deterministic(
            "shared", jax.numpy.concatenate([theta[None], effect["sex"], effect["age"], effect["question"]])
        )

    sampler = infer.MCMC(
        infer.NUTS(model),
        num_warmup=500,
        num_samples=500,
        num_chains=2,
        chain_method="parallel" if jobs > 1 else "sequential",
        progress_bar=False,
    )
    start = time.perf_counter()
    sampler.run(jax.random.PRNGKey(1))
    drawn: dict[str, Any] = {name: np.asarray(value) for name, value in sampler.get_samples().items()}
    print(f"numpyro {numpyro.__version__}: 1,000 draws in {time.perf_counter() - start:.0f} s; ours is one fit")
    fitted = Model(votes, 0.5, MODELS)
    blocks = np.zeros((len(CELLS.share), fitted.blocks))
    blocks[:, 0] = 1
    for first, level in zip(fitted.first, CELLS.level.T, strict=False):
        blocks[np.arange(len(blocks)), first + level] = 1
    theirs = []
    for n in range(0, len(drawn["theta"]), 2):
        sd = np.array([drawn[f"sd_{name}"][n] for name in names])
        mode = Mode(sd, drawn["shared"][n], np.zeros((0, K)), np.zeros((0, 0)))
        theirs.append(marginal.population(fitted, mode, blocks, CELLS.share[None])[0][0])
    found = np.array(theirs)
    print(f"{'rating':12}{'ours':>9}{'se':>7}{'theirs':>9}{'sd':>7}")
    for n, row in enumerate(ours.rows):
        assert row.rating is not None
        assert row.se is not None
        print(
            f"{row.model:12}{row.rating:9.1f}{PER_LOGIT * row.se:7.1f}{CENTRE + PER_LOGIT * found[:, n].mean():9.1f}{PER_LOGIT * found[:, n].std():7.1f}"
        )
    print(f"{'sd, logits':12}{'ours':>9}{'95 %':>16}{'median':>9}{'95 %':>16}")
    for kind in ours.kinds[0]:
        low, middle, high = np.quantile(drawn[f"sd_{kind.name}"], (0.025, 0.5, 0.975))
        ends = (f"{kind.sd_ci95[0]:.2f}–{kind.sd_ci95[1]:.2f}", f"{low:.2f}–{high:.2f}")
        print(f"{kind.name:12}{kind.sd:9.3f}{ends[0]:>16}{middle:9.3f}{ends[1]:>16}")
    off = np.array([row.theta for row in ours.rows], np.float64) - found.mean(axis=0)
    ratio = np.array([row.se for row in ours.rows], np.float64) / found.std(axis=0)
    print(
        f"means differ by at most {np.abs(off / found.std(axis=0)).max():.2f} of their sd (0.25 allowed); se over sd {ratio.min():.2f}–{ratio.max():.2f} (0.8–1.25 allowed)"
    )
    assert np.abs(off / found.std(axis=0)).max() < 0.25
    assert ratio.min() > 0.8
    assert ratio.max() < 1.25


def _each(
    designs: dict[str, Design], judge: Callable[[Design, int], NDArray[np.float64]], stages: int, jobs: int
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Mean over the stages of each design."""
    with get_context("spawn").Pool(jobs) as pool:
        for name, design in designs.items():
            yield name, np.nanmean(list(pool.imap(partial(judge, design), range(stages), chunksize=4)), axis=0)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parts: dict[str, Callable[[int, int], None]] = {"coverage": coverage, "groups": groups, "time": timed, "peer": peer}
    parser.add_argument("--part", choices=tuple(parts))
    asked = parser.parse_args()
    for name, show in parts.items():
        if asked.part == name or (asked.part is None and name != "peer"):
            show(asked.stages, asked.jobs)


if __name__ == "__main__":
    main()
