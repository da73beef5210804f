"""Uncertainty: nominal 95 % intervals hold the truth, and say so when they cannot."""

import numpy as np
import pytest

from ratings import bradley_terry, intervals
from ratings.comparison import Comparisons
from ratings.fit import PER_LOGIT, rate
from tests.support.ratings_votes import population_strengths, votes

TASTES = np.array([0.5, 0.25, 0.0, -0.25, -0.5])


@pytest.mark.slow
@pytest.mark.parametrize("each", [20, 50])
def test_intervals_cover_the_truth_when_voters_have_tastes(each: int):
    """300 voters with personal taste: 93–97 % of the nominal 95 % intervals hold, for ratings and win probabilities."""
    truth = population_strengths(TASTES, taste=0.7)
    chance = (bradley_terry.probabilities(truth).sum(axis=1) - 0.5) / 4
    hits, chance_hits, vote_hits, total = 0, 0, 0, 0
    for seed in range(120):
        comparisons = votes(TASTES, 300, each, seed, taste=0.7)
        clustered = rate(comparisons)
        by_vote = rate(Comparisons(comparisons.models, comparisons.a, comparisons.b, comparisons.outcome))
        for n, row in enumerate(clustered.rows):
            at = 1000 + PER_LOGIT * truth[n]
            hits += _inside(at, row.rating_ci95)
            chance_hits += _inside(chance[n], row.win_probability_ci95)
            vote_hits += _inside(at, by_vote.rows[n].rating_ci95)
            total += 1
    assert 0.93 <= hits / total <= 0.97
    assert 0.93 <= chance_hits / total <= 0.97
    assert vote_hits / total < 0.89, "votes taken as independent must be seen to promise too much"


def _inside(value: float, ends: tuple[float, float] | None) -> bool:
    assert ends is not None
    return ends[0] <= value <= ends[1]


def test_rank_intervals_hold_all_at_once():
    """In at least 95 of 100 stages every entrant's true rank lies in its rank interval, all entrants together."""
    held = 0
    for seed in range(100):
        ratings = rate(votes([0.12, 0.06, 0.0, -0.06, -0.12], 200, 10, seed, taste=0.3))
        held += all(
            row.rank_ci95[0] <= n + 1 <= row.rank_ci95[1] for n, row in enumerate(ratings.rows) if row.rank_ci95
        )
    assert held >= 95


def test_sandwich_is_the_textbook_formula():
    """The fixed-point sums give the covariance that the written-out formula gives, to five digits."""
    comparisons = votes([0.5, 0.0, -0.1, -0.4], 150, 12, seed=4, taste=0.6, ties=0.2)
    ratings = rate(comparisons, prior=0)
    theta, k = ratings.theta, 4
    assert comparisons.voter is not None
    p = bradley_terry.probabilities(theta)[comparisons.a, comparisons.b]
    won = np.array([1.0, 0.0, 0.5])[comparisons.outcome]
    contrast = np.eye(k)[comparisons.a] - np.eye(k)[comparisons.b]
    hessian = (contrast * (p * (1 - p))[:, None]).T @ contrast
    scores = np.zeros((150, k))
    np.add.at(scores, comparisons.voter, (won - p)[:, None] * contrast)
    bread = np.linalg.pinv(hessian, rcond=1e-10, hermitian=True)
    meat = scores.T @ scores * 150 / 149
    phi = max(1.0, np.trace(bread @ meat) / 3)
    expected = bread @ (meat + 3 / 147 * phi * hessian) @ bread
    np.testing.assert_allclose(ratings.covariance, expected, rtol=1e-5, atol=1e-9)


def test_voter_bootstrap_agrees_with_the_sandwich():
    """Voters drawn with replacement, seeded, give the same standard errors to within a tenth."""
    comparisons = votes(TASTES, 200, 15, seed=9, taste=0.7, ties=0.1)
    drawn = intervals.voter_bootstrap(comparisons, rounds=300, seed=1)
    errors = [row.se for row in rate(comparisons).rows]
    np.testing.assert_allclose(drawn.std(axis=0), np.array(errors, dtype=float), rtol=0.12)
    np.testing.assert_array_equal(drawn[:3], intervals.voter_bootstrap(comparisons, rounds=3, seed=1))


@pytest.mark.parametrize("tail", [0.0, 1.2])
def test_with_few_or_very_uneven_voters_the_sandwich_is_the_careful_one(tail: float):
    """8 voters with 50 votes each, and 120 voters of whom few cast most (Zipf 1.2): its standard errors are 1 to 2.5 times the bootstrap's."""
    for seed in range(3):
        people = 120 if tail else 8
        each = np.maximum(600 / np.arange(1, people + 1) ** tail, 1).astype(int) if tail else np.full(people, 50)
        all_alike = votes(TASTES, people, int(each.max()), seed, taste=0.7, ties=0.1)
        assert all_alike.voter is not None
        kept = np.arange(len(all_alike)) % each.max() < each[all_alike.voter]
        columns = (all_alike.a[kept], all_alike.b[kept], all_alike.outcome[kept], all_alike.voter[kept])
        comparisons = Comparisons.from_codes(all_alike.models, *columns)
        ratio = [row.se or 0.0 for row in rate(comparisons).rows] / intervals.voter_bootstrap(comparisons, 300, 1).std(
            axis=0
        )
        assert ratio.min() > 1
        assert ratio.max() < 2.5
        assert ratio.mean() > 1.15


def test_one_voter_is_never_certain():
    """A thousand votes by one person leave the intervals wide and say why; they never shrink to nothing."""
    rng = np.random.default_rng(0)
    a = rng.integers(0, 3, 1000)
    comparisons = Comparisons.from_codes(
        ["x", "y", "z"], a, (a + rng.integers(1, 3, 1000)) % 3, rng.integers(0, 2, 1000), np.zeros(1000, int)
    )
    ratings = rate(comparisons)
    assert all(row.rating_ci95 and row.rating_ci95[1] - row.rating_ci95[0] > 50 for row in ratings.rows)
    assert any(n.code == "few_voters" for n in ratings.notices)
    assert not any(pair.separated for pair in ratings.pairwise)


def test_votes_without_voters_are_each_their_own():
    """Without a voter column, the intervals equal those of votes by as many different voters."""
    comparisons = votes([0.4, 0.0, -0.4], 500, 1, seed=2, ties=0.2)
    alone = rate(Comparisons(comparisons.models, comparisons.a, comparisons.b, comparisons.outcome))
    np.testing.assert_allclose(alone.covariance, rate(comparisons).covariance, rtol=1e-6)


def test_equal_weights_change_nothing():
    """Weighting every vote alike gives the unweighted ratings."""
    comparisons = votes([0.4, 0.0, -0.4], 60, 5, seed=2, ties=0.2, taste=0.5)
    assert comparisons.voter is not None
    weighted = Comparisons.from_codes(
        comparisons.models, comparisons.a, comparisons.b, comparisons.outcome, comparisons.voter, np.ones(300)
    )
    np.testing.assert_allclose(rate(weighted).theta, rate(comparisons).theta, atol=1e-12)
    np.testing.assert_allclose(rate(weighted).covariance, rate(comparisons).covariance, rtol=1e-6)


def test_many_voters_in_blocks_are_one_sum(monkeypatch: pytest.MonkeyPatch):
    """Voters taken in blocks, to bound the memory, give the same sums to the last digit."""
    comparisons = votes(TASTES, 90, 7, seed=5, taste=1, both_bad=0.1)
    whole = rate(comparisons)
    monkeypatch.setattr("ratings.clusters._BLOCK", 64)
    monkeypatch.setattr("ratings.clusters._CACHED", 32)
    assert rate(comparisons).rows == whole.rows
