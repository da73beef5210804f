"""Who is told apart, by step-down max-t, and who stands in the first K: what holds at once with 95 %, and how likely."""

from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from ratings import intervals
from ratings.comparison import Comparisons
from ratings.first import Cut, FirstK, first, in_first
from ratings.fit import rate
from ratings.result import Ratings
from tests.support.ratings_votes import votes

MANY = 1e9
"""So many voters that draws are normal."""
FIELD = np.array([0.3, 0.15, 0.1, -0.05, -0.5])


def estimates(rng: np.random.Generator, k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Strengths with a covariance that has no symmetry."""
    mixed = rng.standard_normal((k, k)) * 0.1
    return rng.standard_normal(k) * rng.choice([0.1, 0.3, 0.6]), mixed @ mixed.T


def written_out(
    theta: NDArray[np.float64], covariance: NDArray[np.float64], sample: NDArray[np.float64]
) -> tuple[list[float], NDArray[np.bool_]]:
    """The procedure as the papers have it, hypothesis by hypothesis: its critical values, and who is above whom."""
    error = intervals.difference_errors(covariance)
    pairs = list(permutations(range(len(theta)), 2))
    statistic = np.stack([(sample[:, i] - sample[:, j]) / error[i, j] for i, j in pairs], axis=1)
    found = np.array([(theta[i] - theta[j]) / error[i, j] for i, j in pairs])
    values, claimed = [], np.zeros(len(pairs), bool)
    while True:
        values.append(float(np.quantile(statistic[:, ~claimed].max(axis=1), 0.95)))
        again = found > values[-1]
        if (again == claimed).all():
            above = np.zeros(error.shape, bool)
            above[tuple(np.array(pairs)[claimed].T)] = True
            return values, above
        claimed = again


def test_step_down_is_the_written_out_procedure_and_never_wider() -> None:
    """On random fields it claims what the procedure claims pair by pair, and all that the single step does."""
    rng = np.random.default_rng(0)
    more = 0
    for seed in range(60):
        theta, covariance = estimates(rng, int(rng.integers(2, 9)))
        sample = intervals.draws_by_strength(theta, covariance, float(rng.choice([20, MANY])), seed)
        at_once = intervals.simultaneous(theta, covariance, sample)
        values, above = written_out(theta, covariance, sample)
        assert at_once.critical == pytest.approx(values[-1], rel=1e-12)
        np.testing.assert_array_equal(at_once.separated, above | above.T)
        np.testing.assert_array_equal(at_once.rank_low, 1 + above.sum(axis=0))
        np.testing.assert_array_equal(at_once.rank_high, len(theta) - above.sum(axis=1))
        assert values == sorted(values, reverse=True)
        single = np.abs(theta[:, None] - theta) > values[0] * intervals.difference_errors(covariance)
        assert not (single & ~at_once.separated).any()
        more += int((at_once.separated & ~single).sum() // 2)
    assert more


def test_a_pair_that_only_the_second_step_tells_apart() -> None:
    """Three independent estimates, differences with standard error 1: 2.25 apart is within the first value, 2.34, and beyond the second, 2.07."""
    covariance, theta = np.eye(3) / 2, np.array([10, 2.25, 0])
    sample = intervals.draws(covariance, MANY, seed=0)
    values, _ = written_out(theta, covariance, sample)
    at_once = intervals.simultaneous(theta, covariance, sample)
    assert values[0] == pytest.approx(2.34, abs=0.01)
    assert at_once.critical == pytest.approx(2.07, abs=0.01)
    assert list(zip(at_once.rank_low, at_once.rank_high, strict=True)) == [(1, 1), (2, 2), (3, 3)]


@pytest.mark.parametrize(
    "truth",
    [np.zeros(5), np.array([0, 0, 0, 0.6, 0.6]), np.array([0.4, 0.15, 0.15, 0.1, -0.4]), np.array([0, 0.1, 0.1, 0.3])],
    ids=["all equal", "two groups of equals", "two equal", "half known"],
)
def test_hardly_any_stage_makes_a_false_claim(truth: NDArray[np.float64]) -> None:
    """Of 600 stages at most 5 % (and what 600 leave to chance) tell equals apart, or turn an order round; the first K hold as often, for every K."""
    rng = np.random.default_rng(1)
    k, stages, wrong, missed = len(truth), 600, 0, 0
    mixed = np.eye(k) - 1 / k
    covariance = mixed @ np.diag(np.linspace(0.5, 1.5, k) * 0.01) @ mixed
    noise = rng.multivariate_normal(np.zeros(k), covariance, stages)
    for errors in noise:
        theta = truth + errors
        sample = intervals.draws_by_strength(theta, covariance, MANY, seed=0)
        at_once = intervals.simultaneous(theta, covariance, sample)
        agree = (theta[:, None] - theta) * (truth[:, None] - truth) > 0
        wrong += bool((at_once.separated & ~agree).any())
        missed += not all(_holds(at_once, truth, places) for places in range(1, k))
    most = 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / stages)
    assert wrong / stages <= most
    assert missed / stages <= most


def _holds(at_once: intervals.Simultaneous, truth: NDArray[np.float64], places: int) -> bool:
    """Whether the sure ones stand in the first in whatever order equals are put, and the others in none."""
    for low, high, value in zip(at_once.rank_low, at_once.rank_high, truth, strict=True):
        told = in_first(int(low), int(high), places)
        if (told == "surely" and (truth >= value).sum() > places) or (told == "no" and (truth > value).sum() < places):
            return False
    return True


def test_the_first_k_of_votes_hold() -> None:
    """In at least 95 of 100 stages of citizens with tastes, whoever is surely in is in, and whoever is not is not."""
    truth, held = np.array([0.4, 0.25, 0.0, -0.1, -0.5]), 0
    for seed in range(100):
        among = first(rate(votes(truth, 150, 10, seed, taste=0.5)), 2)
        held += all(
            told in ((None, "maybe", "surely") if n < 2 else (None, "maybe", "no"))
            for n, told in enumerate(among.in_first)
        )
    assert held >= 95


def test_the_probability_is_that_of_the_draws() -> None:
    """Of two entrants the better is first with Φ(gap / its standard error); the probabilities of a field add up to K."""
    two = rate(votes([0.05, 0.0], 80, 5, seed=4))
    better = max(two.rows, key=lambda row: row.theta or 0)
    gap = abs(two.theta[0] - two.theta[1])
    error = intervals.difference_errors(two.covariance)[0, 1]
    chance = first(two, 1).chances[two.models.index(better.model)]
    assert chance == pytest.approx(norm.cdf(gap / error), abs=0.02)
    field = rate(votes(FIELD, 60, 8, seed=3))
    for k in range(1, 5):
        assert sum(told or 0 for told in first(field, k).chances) == pytest.approx(k, abs=0.001)


def test_all_none_and_more_than_there_are() -> None:
    """No place: nobody is in. As many as there are, or more: everybody is. Neither has a cut."""
    field = rate(votes(FIELD, 60, 8, seed=3))
    assert first(field, 0) == FirstK(0, ("no",) * 5, (0.0,) * 5, None)
    for k in (5, 9):
        assert first(field, k) == FirstK(k, ("surely",) * 5, (1.0,) * 5, None)


def test_the_cut_lies_between_the_kth_and_the_next() -> None:
    """The two neighbours at the cut are named, and told apart exactly where the pair is."""
    field = rate(votes(FIELD, 200, 20, seed=3))
    names = [row.model for row in field.by_rank()]
    apart = {frozenset((pair.a, pair.b)): pair.separated for pair in field.pairwise}
    for k in range(1, 5):
        last, after = names[k - 1 : k + 1]
        assert first(field, k).cut == Cut(last, after, bool(apart[frozenset((last, after))]))
    cuts = [first(field, k).cut for k in range(1, 5)]
    assert {cut.separated for cut in cuts if cut} == {True, False}


def test_equals_share_their_probability() -> None:
    """Two entrants with the same votes have the same probability, whatever they are called."""
    a, b = [0, 0, 2, 2, 1, 1] * 30, [2, 2, 1, 1, 0, 0] * 30
    ring = Comparisons.from_codes(["x", "y", "z"], a, b, [0, 1] * 90, np.arange(180) // 6)
    assert first(rate(ring), 1).chances == (pytest.approx(1 / 3, abs=1e-4),) * 3


def test_entrants_that_never_met_are_not_sure_by_their_own_group() -> None:
    """Over two groups nobody is surely in by beating a group, whoever has K above is out; there is no probability and no cut."""
    one, other = votes([2, 0, -2], 200, 10, seed=1), votes([1.5, -1.5], 200, 10, seed=2)
    both = Comparisons.from_codes(
        ["a", "b", "c", "d", "e", "unseen"],
        [*one.a, *(other.a + 3)],
        [*one.b, *(other.b + 3)],
        [*one.outcome, *other.outcome],
        np.arange(4000) // 10,
    )
    ratings = rate(both)
    assert first(ratings, 2).in_first == ("maybe", "maybe", "no", "maybe", "maybe", None)
    assert first(ratings, 4).in_first == ("surely", "maybe", "maybe", "maybe", "maybe", None)
    assert first(ratings, 2).chances == (None,) * 6
    assert first(ratings, 2).cut is None
    met = Comparisons.from_codes(["a", "b", "c", "unseen"], one.a, one.b, one.outcome, one.voter)
    assert first(rate(met), 1).in_first == ("maybe", "no", "no", None)


def test_order_sides_names_and_anchor_change_nothing() -> None:
    """The first K are the same for the votes in another order, with sides swapped, under other names in another order, and with an anchor."""
    field = votes(FIELD, 60, 8, seed=3, ties=0.1)
    assert field.voter is not None
    told = by_name(rate(field))
    mixed = np.random.default_rng(0).permutation(len(field))
    again = Comparisons.from_codes(
        field.models, field.a[mixed], field.b[mixed], field.outcome[mixed], field.voter[mixed]
    )
    assert by_name(rate(again)) == told
    swapped = Comparisons.from_codes(field.models, field.b, field.a, np.array([1, 0, 2, 3])[field.outcome], field.voter)
    assert by_name(rate(swapped)) == told
    place = np.array([3, 0, 4, 2, 1])
    names = [field.models[int(np.flatnonzero(place == n)[0])] for n in range(5)]
    assert (
        by_name(rate(Comparisons.from_codes(names, place[field.a], place[field.b], field.outcome, field.voter))) == told
    )
    assert by_name(rate(field, anchor="m3")) == told


def by_name(ratings: Ratings) -> dict[str, tuple[object, object]]:
    """What is told of each entrant for K = 2."""
    among = first(ratings, 2)
    return dict(zip(ratings.models, zip(among.in_first, among.chances, strict=True), strict=True))
