"""Whether the 95 % intervals hold the truth where votes share their questions, and whose voice moves the score. All data is synthetic.

    python -m benchmarks.coverage [--stages 2000] [--jobs N] [--part questions|busy]

Simulated stages of 5 equal entrants, 15 % ties between equals, seeded. Every voter has a taste for each entrant, sd 0.5 logits, and every
question an effect on each, sd 0.5. A question is one of the starters, shared by all, or asked once; `prompts all different` has only those.
By voter and question, and by voter alone, for each vote the same and each citizen the same: how often a points interval holds 12.5
(within the printed rounding), how many stages tell any two equals apart, and the interval's mean width. The busy voter
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


QUESTIONS = {
    "16 starters in 30 % of battles, 300 x 20": Design(300, 20, 16, 0.3),
    "16 starters in 60 % of battles, 300 x 20": Design(300, 20, 16, 0.6),
    "20 shared questions, 300 x 20": Design(300, 20, 20),
    "50 shared questions, 300 x 20": Design(300, 20, 50),
    "10 shared questions, 49 x 10": Design(49, 10, 10),
    "prompts all different, 300 x 20": Design(300, 20),
}
BUSY = {f"one voter casts {share:.0%} for e": Design(60, 30, busy=share) for share in (0.07, 0.15, 0.3)}


def stage(design: Design, seed: int, voice: Voice = "vote", *, by_question: bool = True) -> Comparisons:
    """The votes of one simulated stage; `voice` and `by_question` change what is made of them, never the votes."""
    rng, k = np.random.default_rng(seed), len(MODELS)
    judged = design.voters * design.each
    n = judged + round(judged * design.busy / (1 - design.busy))
    voter = np.minimum(np.arange(n) // design.each, design.voters)  # what is left is the busy voter's
    begins = rng.random(n) < (design.share if design.shared else 0)
    question = np.where(begins, rng.integers(0, max(design.shared, 1), n), design.shared + np.arange(n))
    taste = TASTE * rng.standard_normal((design.voters + 1, k))
    effect = EFFECT * rng.standard_normal((design.shared + n, k))
    liking = taste[voter] + effect[question]
    a = rng.integers(0, k, n)
    b = (a + rng.integers(1, k, n)) % k
    rows = np.arange(n)
    p = expit(liking[rows, a] - liking[rows, b])
    tie, first = rng.random(n) < 4 * TIES * p * (1 - p), rng.random(n) < p
    outcome = np.where(tie, 2, np.where(first, 0, 1))
    fan, e = voter == design.voters, k - 1
    outcome = np.select([fan & (a == e), fan & (b == e), fan], [0, 1, np.where(first, 0, 1)], outcome)
    return Comparisons.from_codes(MODELS, a, b, outcome, voter, voice=voice, question=question if by_question else None)


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
    parser.add_argument("--part", choices=("questions", "busy"))
    asked = parser.parse_args()
    parts: dict[str, Callable[[int, int], None]] = {"questions": questions, "busy": busy}
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
