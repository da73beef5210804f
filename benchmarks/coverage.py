"""Whether the 95 % intervals hold the truth where votes share their questions, and whose voice moves the score. All data is synthetic.

    python -m benchmarks.coverage [--stages 2000] [--jobs N] [--part questions|crowds|busy]

Simulated stages of 5 equal entrants, 15 % ties between equals, seeded. Every voter has a taste for each entrant, sd 0.5 logits, and every
question an effect on each, sd 0.5. A question is one of the starters, shared by all, or asked once; `prompts all different` has only those.
By voter and question, and by voter alone, for each vote the same and each citizen the same: how often a points interval holds 12.5
(within the printed rounding), how many stages tell any two equals apart, and the interval's mean width. Crowds: who votes how often, with which
taste, and pairs drawn adaptively by the arena's own rule; without questions but where topics are named, one for each battle. The busy voter
comes on top of 60 judges with 30 votes each, always votes for e where e is shown and for either elsewhere. Of 2,000 stages a coverage of
95 % is good to 0.6 percentage points at most (five intervals a stage), a share of 5 % to 1.0; of 400 stages to 1.3 and 2.2.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from arena.domain.draw import EPOCH, Rule, chances, pair_of
from ratings.comparison import Comparisons
from ratings.fit import rate
from ratings.result import Ratings
from ratings.voices import Voice

MODELS = ("a", "b", "c", "d", "e")
TRUTH = 12.5
TASTE = EFFECT = 0.5
TIES = 0.15
VOICES: tuple[Voice, ...] = ("vote", "citizen")
ROUNDING = 0.005
"""Half a unit of the last digit in which points are printed."""


@dataclass(frozen=True, slots=True)
class Design:
    """Who votes on what."""

    voters: int
    each: int
    shared: int = 0
    """Questions that several ask, starters or topics."""
    share: float = 1.0
    """The share of battles that begin with one of them; every other one is asked once."""
    busy: float = 0.0
    """The share of all votes that are cast by one more voter, who always votes for e."""
    taste: float = TASTE
    tail: float = 0.0
    """Votes by voter fall with this power of their place among the busiest (Zipf), with the same number of votes in all."""
    adaptive: bool = False


QUESTIONS = {
    "16 starters in 30 % of battles, 300 x 20": Design(300, 20, 16, 0.3),
    "16 starters in 60 % of battles, 300 x 20": Design(300, 20, 16, 0.6),
    "20 shared questions, 300 x 20": Design(300, 20, 20),
    "50 shared questions, 300 x 20": Design(300, 20, 50),
    "10 shared questions, 49 x 10": Design(49, 10, 10),
    "prompts all different, 300 x 20": Design(300, 20),
}
CROWDS = {
    "taste 0, 300 x 20": Design(300, 20, taste=0),
    "taste 0.7, 300 x 20": Design(300, 20, taste=0.7),
    "taste 1.0, 300 x 20": Design(300, 20, taste=1.0),
    "taste 1.0, 300 x 100": Design(300, 100, taste=1.0),
    "Zipf 1.2, 300 voters, 6,000 votes, taste 0.7": Design(300, 20, taste=0.7, tail=1.2),
    "49 x 10, taste 0.7": Design(49, 10, taste=0.7),
    "12 x 20, taste 0.7": Design(12, 20, taste=0.7),
    "adaptive draws, 300 x 20, taste 0.7": Design(300, 20, taste=0.7, adaptive=True),
    "adaptive draws, 49 x 10, taste 0.7": Design(49, 10, taste=0.7, adaptive=True),
}
TOPICS = {f"{n} topics, 300 x 20": Design(300, 20, n) for n in (8, 20)}
ADAPTIVE = Rule("adaptive", uniform_share=0.3)
BUSY = {f"one voter casts {share:.0%} for e": Design(60, 30, busy=share) for share in (0.07, 0.15, 0.3)}


def stage(design: Design, seed: int, voice: Voice = "vote", *, by_question: bool = True) -> Comparisons:
    """The votes of one simulated stage; `voice` and `by_question` change what is made of them, never the votes."""
    rng, k = np.random.default_rng(seed), len(MODELS)
    judged = design.voters * design.each
    n = judged + round(judged * design.busy / (1 - design.busy))
    voter = np.minimum(np.arange(n) // design.each, design.voters)  # what is left is the busy voter's
    if design.tail:
        share = np.arange(1, design.voters + 1) ** -design.tail
        voter = np.minimum(np.searchsorted(share.cumsum() / share.sum(), (np.arange(n) + 0.5) / n), design.voters - 1)
        voter[: design.voters] = np.arange(design.voters)  # everybody has voted once
    begins = rng.random(n) < (design.share if design.shared else 0)
    question = np.where(begins, rng.integers(0, max(design.shared, 1), n), design.shared + np.arange(n))
    taste = design.taste * rng.standard_normal((design.voters + 1, k))
    effect = EFFECT * rng.standard_normal((design.shared + n, k))
    liking = taste[voter] + effect[question]
    a, b = drawn(rng, n, design.adaptive)
    rows = np.arange(n)
    p = expit(liking[rows, a] - liking[rows, b])
    tie, first = rng.random(n) < 4 * TIES * p * (1 - p), rng.random(n) < p
    outcome = np.where(tie, 2, np.where(first, 0, 1))
    fan, e = voter == design.voters, k - 1
    outcome = np.select([fan & (a == e), fan & (b == e), fan], [0, 1, np.where(first, 0, 1)], outcome)
    return Comparisons.from_codes(MODELS, a, b, outcome, voter, voice=voice, question=question if by_question else None)


def drawn(rng: np.random.Generator, n: int, adaptive: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw pairs, each as likely as any other, or by the arena's adaptive rule, which evens out counts."""
    k = len(MODELS)
    if not adaptive:
        a = rng.integers(0, k, n)
        return a, (a + rng.integers(1, k, n)) % k
    shown: dict[tuple[str, str], int] = {}
    sides = []
    for start in range(0, n, EPOCH):
        chance = chances(MODELS, ADAPTIVE, shown)
        pairs = list(chance)
        for place in rng.choice(len(pairs), min(EPOCH, n - start), p=list(chance.values())).tolist():
            a, b = pairs[place]
            shown[pair_of(a, b)] = shown.get(pair_of(a, b), 0) + 1
            sides.append((MODELS.index(a), MODELS.index(b)))
    left, right = np.array(sides).T
    return left, right


def judged(fit: Ratings) -> tuple[float, ...]:
    """Share of points intervals that hold the truth, whether equals are told apart, mean width; e's points, and whether its interval holds."""
    ends = np.array([row.points_ci95 for row in fit.rows], dtype=np.float64)
    held = (ends[:, 0] - ROUNDING <= TRUTH) & (ends[:, 1] + ROUNDING >= TRUTH)
    apart = any(pair.separated for pair in fit.pairwise)
    width = float((ends[:, 1] - ends[:, 0]).mean())
    return float(held.mean()), float(apart), width, fit.rows[-1].points or 0.0, float(held[-1])


def of_stage(design: Design, ways: Iterable[tuple[Voice, bool]], seed: int) -> NDArray[np.float64]:
    """Judge the same votes in each way, (ways, 5)."""
    return np.array([judged(rate(stage(design, seed, voice, by_question=both), seed=seed)) for voice, both in ways])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", type=int, default=2000)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--part", choices=("questions", "crowds", "busy"))
    asked = parser.parse_args()
    parts: dict[str, Callable[[int, int], None]] = {"questions": questions, "crowds": crowds, "busy": busy}
    for name, show in parts.items():
        if asked.part in (None, name):
            show(asked.stages, asked.jobs)


def questions(stages: int, jobs: int) -> None:
    """Coverage, false separation and width by design and by what is clustered."""
    ways: list[tuple[Voice, bool]] = [(voice, both) for voice in VOICES for both in (True, False)]
    print(f"{'5 equal entrants':44}{'voice':10}{'clustered by':20}{'covers':>8}{'apart':>8}{'width':>8}")
    for name, found in run(QUESTIONS, ways, stages, jobs):
        for (voice, both), (held, apart, width, *_) in zip(ways, found, strict=True):
            by = "voter and question" if both else "voter"
            print(f"{name:44}{voice:10}{by:20}{held:8.1%}{apart:8.1%}{width:8.2f}", flush=True)


def crowds(stages: int, jobs: int) -> None:
    """Print coverage, false separation and width by who votes, with each vote and each citizen the same; of topics by voter and topic, and by voter."""
    print(f"\n{'5 equal entrants':48}{'':24}{'covers':>8}{'apart':>8}{'width':>8}")
    ways: list[tuple[Voice, bool]] = [("vote", False), ("citizen", False)]
    for name, found in run(CROWDS, ways, stages, jobs):
        for (voice, _), (held, apart, width, *_) in zip(ways, found, strict=True):
            print(f"{name:48}{f'voice {voice}':24}{held:8.1%}{apart:8.1%}{width:8.2f}", flush=True)
    for name, found in run(TOPICS, [("vote", True), ("vote", False)], stages, jobs):
        for by, (held, apart, width, *_) in zip(("voter and topic", "voter"), found, strict=True):
            print(f"{name:48}{by:24}{held:8.1%}{apart:8.1%}{width:8.2f}", flush=True)


def busy(stages: int, jobs: int) -> None:
    """Print e's points where one voter casts many votes for it."""
    print(f"\n{'60 equal judges x 30':44}" + "".join(f"{f'e, voice {voice}':>18}{'covers':>8}" for voice in VOICES))
    for name, found in run(BUSY, [("vote", True), ("citizen", True)], stages, jobs):
        print(f"{name:44}" + "".join(f"{row[3]:18.2f}{row[4]:8.1%}" for row in found), flush=True)


def run(
    designs: dict[str, Design], ways: list[tuple[Voice, bool]], stages: int, jobs: int
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Mean over the stages of each design, (ways, 5)."""
    with get_context("spawn").Pool(jobs) as pool:
        for name, design in designs.items():
            each = pool.imap(partial(of_stage, design, ways), range(stages), chunksize=8)
            yield name, np.mean(list(each), axis=0)


if __name__ == "__main__":
    main()
