"""Attackers of four kinds among honest voters with tastes of their own: who is found, who is wronged, and how far the score moves. All data is synthetic.

python -m benchmarks.integrity [--runs 20] [--json FILE]
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from arena.domain.review import Review
from arena.results.integrity.coordination import campaigns
from arena.results.integrity.voter_tests import Ballots, Codes, Floats, examine
from ratings import bradley_terry
from ratings.comparison import A_WINS, B_WINS, BOTH_BAD, TIE

K = 5
THETA = np.array([0.45, 0.2, 0.0, -0.2, -0.45])
TARGET = 2
"""The attackers' own: the entrant in the middle."""
HONEST_VOTES = 5000
HONEST_VOTERS = 400
TASTE = 0.5
DAYS = 14
POINTS = 25
DAY_S = 86_400.0
KINDS = ("none", "random", "side", "target", "burst", "patient", "drip")
"""The four kinds, and two that know the defence: `patient` votes on every battle and honestly where its own does not stand; `drip` never shows a habit."""


@dataclass
class Crowd:
    """Votes being collected, as lists of columns."""

    rng: np.random.Generator
    rows: list[tuple]
    drawn: list[np.ndarray]
    checks: list[tuple[int, int]]
    network: int = 0

    def voter(self) -> int:
        """A new voter's number."""
        self.drawn.append(np.zeros(K + 1, np.int64))
        self.checks.append((0, 0))
        return len(self.drawn) - 1

    def draw(self, voter: int) -> tuple[int, int]:
        """A battle drawn for the voter."""
        a, b = self.rng.choice(K, 2, replace=False)
        self.drawn[voter][[a, b, K]] += 1
        return int(a), int(b)

    def abandon(self, voter: int, mean: float) -> None:
        """Battles that the voter leaves unjudged, whoever stands in them."""
        for _ in range(self.rng.poisson(mean)):
            self.draw(voter)

    def check(self, voter: int, rate: float, votes: int, slip: float) -> None:
        """Checks that came between the votes; `slip` is the chance to call the bad answer good, or to see no difference."""
        seen = self.rng.binomial(votes, rate)
        self.checks[voter] = (seen, self.rng.binomial(seen, slip))

    def ballots(self) -> Ballots:
        """All votes in the order of time."""
        columns = [np.array(c) for c in zip(*sorted(self.rows), strict=True)]
        at, voter, a, b, outcome, judged, network, prompt = columns
        drawn = np.array(self.drawn)
        return Ballots(
            K, voter, a, b, outcome, at.astype(float), judged.astype(float), network, prompt, drawn[:, :K], drawn[:, K],
            np.array(self.checks),
        )  # fmt: skip


def honest_outcome(rng: np.random.Generator, strengths: Floats, a: int, b: int, habits: tuple[float, float]) -> int:
    """Ties and both-bad by habit, else by strength, with a slight liking of side a."""
    tie, bad = habits
    u = rng.random()
    if u < tie:
        return TIE
    if u < tie + bad:
        return BOTH_BAD
    return A_WINS if rng.random() < 1 / (1 + np.exp(-(strengths[a] - strengths[b] + 0.05))) else B_WINS


def session(rng: np.random.Generator, votes: int, pace: float) -> Floats:
    """Times of one voter's votes: a few evenings, minutes between votes."""
    sittings = rng.uniform(0, DAYS, 1 + votes // 12)
    start = (np.floor(sittings) + np.clip(rng.normal(0.75, 0.15, len(sittings)), 0.05, 0.98)) * DAY_S
    which = np.sort(rng.integers(0, len(start), votes))
    return start[which] + np.cumsum(rng.lognormal(np.log(pace), 0.6, votes))


def honest(crowd: Crowd, golden: float) -> None:
    """400 people with tastes, habits, speeds and networks of their own; a few of them vote a lot."""
    rng = crowd.rng
    size = rng.lognormal(0, 1.0, HONEST_VOTERS)
    votes = rng.multinomial(HONEST_VOTES, size / size.sum())
    campus = rng.integers(0, 5, HONEST_VOTERS)
    for n in range(HONEST_VOTERS):
        voter = crowd.voter()
        if rng.random() < 0.3:
            network = int(campus[n])
        else:
            crowd.network += 1
            network = 4 + crowd.network
        taste = THETA + rng.normal(0, TASTE, K)
        habits = (rng.beta(1.5, 8.5), rng.beta(1, 19))
        speed, pace = np.log(25) + rng.normal(0, 0.4), np.exp(np.log(150) + rng.normal(0, 0.3))
        own = 1000 + 100 * voter
        loyal = rng.random() < 0.05  # asks everybody the same question
        crowd.abandon(voter, 0.15 * votes[n])
        crowd.check(voter, golden, int(votes[n]), 0.04)
        for k, at in enumerate(session(rng, int(votes[n]), pace)):
            a, b = crowd.draw(voter)
            prompt = int(rng.integers(0, 10)) if rng.random() < 0.3 else own if loyal else own + min(k, 99)
            judged = float(np.exp(speed + rng.normal(0, 0.6)))
            crowd.rows.append((at, voter, a, b, honest_outcome(rng, taste, a, b, habits), judged, network, prompt))


def attacker(crowd: Crowd, kind: str, votes: int, golden: float, *, lazy: bool) -> None:
    """One attacker. A lazy one votes within seconds; a careful one takes an honest person's time."""
    rng, voter = crowd.rng, crowd.voter()
    crowd.network += 1
    network = 4 + crowd.network
    pace = 40.0 if lazy else 150.0
    times = session(rng, votes, pace)
    crowd.check(voter, golden, votes, 0.04 if kind in ("target", "patient") else 0.5)
    if kind != "target":
        crowd.abandon(voter, 0.15 * votes)
    for k, at in enumerate(times):
        a, b = crowd.draw(voter)
        if kind == "target":
            while TARGET not in (a, b):  # a perfect detector: it never spends a vote on others
                a, b = crowd.draw(voter)
        outcome = A_WINS
        if kind == "random":
            outcome = int(rng.choice([A_WINS, B_WINS, TIE, BOTH_BAD], p=[0.42, 0.42, 0.11, 0.05]))
        elif TARGET in (a, b) and kind != "side":
            outcome = A_WINS if a == TARGET else B_WINS
        elif kind != "side":
            outcome = honest_outcome(rng, THETA, a, b, (0.15, 0.05))
        judged = float(np.exp(np.log(5 if lazy else 25) + rng.normal(0, 0.6)))
        crowd.rows.append((at, voter, a, b, outcome, judged, network, 1000 + 100 * voter + min(k, 99)))


def burst(crowd: Crowd, votes: int, golden: float, *, lazy: bool) -> None:
    """Many accounts of five votes within two hours, half of them from three networks: for their own where it stands, coins elsewhere."""
    rng = crowd.rng
    start = (7 + 0.7) * DAY_S
    shared = [4 + crowd.network + n for n in (1, 2, 3)]
    crowd.network += 3
    for n in range(votes // 5):
        voter = crowd.voter()
        crowd.network += 1
        network = int(rng.choice(shared)) if n % 2 else 4 + crowd.network
        crowd.check(voter, golden, 5, 0.3)
        for k, at in enumerate(start + np.sort(rng.uniform(0, 7000, 5))):
            a, b = crowd.draw(voter)
            outcome = A_WINS if rng.random() < 0.5 else B_WINS
            if TARGET in (a, b):
                outcome = A_WINS if a == TARGET else B_WINS
            judged = float(np.exp(np.log(5 if lazy else 25) + rng.normal(0, 0.6)))
            crowd.rows.append((at, voter, a, b, outcome, judged, network, 1000 + 100 * voter + k))


def drip(crowd: Crowd, votes: int) -> None:
    """Accounts of four votes each, from everywhere, over the whole stage: for their own where it stands, honest elsewhere."""
    rng = crowd.rng
    for _ in range(votes // 4):
        voter = crowd.voter()
        crowd.network += 1
        for k, at in enumerate(session(rng, 4, 150.0)):
            a, b = crowd.draw(voter)
            outcome = honest_outcome(rng, THETA, a, b, (0.15, 0.05))
            if TARGET in (a, b):
                outcome = A_WINS if a == TARGET else B_WINS
            judged = float(np.exp(np.log(25) + rng.normal(0, 0.6)))
            crowd.rows.append((at, voter, a, b, outcome, judged, 4 + crowd.network, 1000 + 100 * voter + k))


def points(ballots: Ballots, use: np.ndarray) -> Floats:
    """Points out of 25 by the mean win probability, from the votes in use."""
    use = use & (ballots.outcome != BOTH_BAD)
    score = np.array([1.0, 0.0, 0.5, 0.5])[ballots.outcome[use]]
    wins = np.zeros((K, K))
    np.add.at(wins, (ballots.a[use], ballots.b[use]), score)
    np.add.at(wins, (ballots.b[use], ballots.a[use]), 1 - score)
    p = bradley_terry.probabilities(bradley_terry.fit(wins))
    return POINTS * (p.sum(axis=1) - 0.5) / (K - 1)


def proposed(ballots: Ballots) -> Codes:
    """The voters that the defence proposes: found alone, or passing through a campaign."""
    rates = Review()
    conduct = examine(ballots, rates.voter_rate)
    groups = campaigns(ballots, conduct, rates.voter_rate)
    members = [group.members for group in groups if group.q <= rates.campaign_rate]
    return np.unique(np.concatenate([conduct.flagged(rates.voter_rate), *members]))


def run(kind: str, share: float, golden: float, *, lazy: bool, seed: int) -> dict[str, float]:
    """One stage with one attack."""
    crowd = Crowd(np.random.default_rng(seed), [], [], [])
    honest(crowd, golden)
    votes = round(share * HONEST_VOTES)
    if kind == "burst":
        burst(crowd, votes, golden, lazy=lazy)
    elif kind == "drip":
        drip(crowd, votes)
    elif kind != "none":
        for _ in range(votes // 25):
            attacker(crowd, kind, 25, golden, lazy=lazy)
    ballots = crowd.ballots()
    is_attack = ballots.voter >= HONEST_VOTERS
    excluded = np.isin(ballots.voter, proposed(ballots))
    truth, bent, mended = (
        points(ballots, ~is_attack),
        points(ballots, is_attack | ~is_attack),
        points(ballots, ~excluded),
    )
    honest_out = np.unique(ballots.voter[excluded & ~is_attack])
    active = np.unique(ballots.voter[~is_attack])
    return {
        "recall": float(excluded[is_attack].mean()) if is_attack.any() else float("nan"),
        "honest_voters_flagged": len(honest_out) / len(active),
        "honest_votes_lost": float(excluded[~is_attack].mean()),
        "target_shift": float(bent[TARGET] - truth[TARGET]),
        "target_shift_defended": float(mended[TARGET] - truth[TARGET]),
        "largest_shift": float(np.abs(bent - truth).max()),
        "largest_shift_defended": float(np.abs(mended - truth).max()),
    }


def table(runs: int, golden: float, *, lazy: bool, say: Callable[[str], None] = print) -> list[dict]:
    """Every attack at every strength, averaged over the runs."""
    label = f"{'lazy' if lazy else 'careful'} attackers, checks at {golden:.0%}"
    say(f"\n{label}; {runs} runs each; points out of {POINTS}")
    say("attack  share  recall  honest voters  honest votes   target's points    largest shift")
    say("                       proposed       lost           raw -> defended    raw -> defended")
    rows = []
    for kind in KINDS:
        for share in (0.0,) if kind == "none" else (0.01, 0.05, 0.10):
            results = [run(kind, share, golden, lazy=lazy, seed=1000 * seed + 7) for seed in range(runs)]
            mean = {key: float(np.mean([r[key] for r in results])) for key in results[0]}
            rows.append(
                {"attackers": "lazy" if lazy else "careful", "checks": golden, "attack": kind, "share": share} | mean
            )
            say(
                f"{kind:7} {share:5.0%} {mean['recall']:7.1%} {mean['honest_voters_flagged']:12.2%} {mean['honest_votes_lost']:13.2%}"
                f"      {mean['target_shift']:+6.2f} -> {mean['target_shift_defended']:+5.2f}"
                f"      {mean['largest_shift']:5.2f} -> {mean['largest_shift_defended']:4.2f}"
            )
    return rows


def main() -> None:
    """Prints the tables of `docs/integrity.md`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--json", type=Path, help="also write every figure here")
    chosen = parser.parse_args()
    print(f"{K} entrants, {HONEST_VOTES} honest votes of {HONEST_VOTERS} voters, taste sd {TASTE} logit; SYNTHETIC")
    rows = [
        row
        for lazy, golden in ((False, 0.0), (True, 0.0), (False, 0.05))
        for row in table(chosen.runs, golden, lazy=lazy)
    ]
    if chosen.json:
        chosen.json.write_text(json.dumps(rows, indent=1), "utf-8")


if __name__ == "__main__":
    main()
