"""What holds for every set of votes, and what brute force finds for small ones."""

from itertools import combinations, pairwise

import evalica
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ratings import bradley_terry, planning, robustness, weights
from ratings.anytime import Anytime
from ratings.comparison import Comparisons, Outcome
from ratings.connectivity import groups, separations
from ratings.errors import NothingToRateError, SeparatedError, TransformError
from ratings.fit import rate
from ratings.score import Transform
from tests.support.ratings_votes import frame, votes

NAMES: tuple[str, ...] = ("가람", "나래", "다솜", "마루")
VOTES = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from(list(Outcome)), st.integers(0, 5)).filter(
        lambda vote: vote[0] != vote[1]
    ),
    max_size=60,
)
CHAIN = [(a, b, Outcome.TIE, 7) for a, b in pairwise(NAMES)]
"""Joins all entrants, so that the votes drawn beside it can be rated together."""
TRANSFORMS = (
    Transform(),
    Transform("anchored", params={"panel": {"가람": 0.3}}),
    Transform("top_normalised"),
    Transform("min_max"),
)


def table_of(rows: list[tuple[str, str, Outcome, int]]) -> pd.DataFrame:
    """The drawn votes in the field's columns."""
    return pd.DataFrame(rows, columns=["model_a", "model_b", "winner", "voter"]).astype({"winner": str})


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(rows=VOTES, transform=st.sampled_from(TRANSFORMS), prior=st.sampled_from([0.0, 0.5]))
def test_any_votes_give_finite_ratings_or_a_named_refusal(
    rows: list[tuple[str, str, Outcome, int]], transform: Transform, prior: float
):
    """No votes, however few or lopsided, give an infinite or missing number in silence: a row is whole, or empty and explained."""
    try:
        ratings = rate(Comparisons.from_frame(table_of(rows), NAMES), transform=transform, prior=prior)
    except NothingToRateError:
        assert all(row[2] == "both_bad" for row in rows)
        return
    except SeparatedError:
        assert prior == 0
        return
    except TransformError:
        assert transform.params
        return
    for row in ratings.rows:
        if row.theta is None:
            assert (row.rating, row.points, row.rank_ci95, row.provisional) == (None, None, None, True)
            assert any(n.code == "no_votes" and n.entrants == (row.model,) for n in ratings.notices)
            continue
        assert row.rating is not None
        assert row.rating_ci95 is not None
        assert row.points is not None
        assert row.points_ci95 is not None
        assert row.rank is not None
        assert row.rank_ci95 is not None
        assert row.se is not None
        assert np.isfinite([row.theta, row.se, *row.rating_ci95]).all()
        assert row.rating_ci95[0] <= row.rating <= row.rating_ci95[1]
        assert 0 <= row.points_ci95[0] <= row.points <= row.points_ci95[1] <= 25
        assert 1 <= row.rank_ci95[0] <= row.rank <= row.rank_ci95[1] <= len(NAMES)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(rows=VOTES)
def test_plain_maximum_likelihood_is_evalicas_or_is_refused(rows: list[tuple[str, str, Outcome, int]]):
    """Without a prior: where the estimate exists evalica, an independent oracle, finds the same; where it does not, it is refused."""
    comparisons = Comparisons.from_frame(table_of(rows), NAMES)
    wins = comparisons.tally().wins
    met = groups(wins)
    assume(len(met) == 1)
    if separations(wins, met[0]):
        with pytest.raises(SeparatedError):
            rate(comparisons, prior=0)
        return
    kinds = {"model_a": evalica.Winner.X, "model_b": evalica.Winner.Y, "tie": evalica.Winner.Draw}
    counted = [row for row in rows if row[2] != "both_bad"]
    result = evalica.bradley_terry(
        [a for a, *_ in counted],
        [b for _, b, *_ in counted],
        [kinds[str(winner)] for *_, winner, _ in counted],
        tolerance=1e-13,
        limit=100_000,
    )
    theirs = np.log([result.scores[name] for name in NAMES])
    np.testing.assert_allclose(rate(comparisons, prior=0).theta, theirs - theirs.mean(), atol=1e-5)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(rows=VOTES, winner=st.sampled_from(NAMES), loser=st.sampled_from(NAMES))
def test_a_win_never_lowers_the_winner(rows: list[tuple[str, str, Outcome, int]], winner: str, loser: str):
    """One more win raises the winner's rating, and lowers the loser's."""
    assume(winner != loser)
    before = Comparisons.from_frame(table_of([*CHAIN, *rows]), NAMES)
    after = Comparisons.from_frame(table_of([*CHAIN, *rows, (winner, loser, Outcome.MODEL_A, 9)]), NAMES)
    change = dict(zip(NAMES, rate(after).theta - rate(before).theta, strict=True))
    assert change[winner] > 0 > change[loser]


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), order=st.permutations(range(5)))
def test_names_decide_nothing(seed: int, order: list[int]):
    """Other names in another order give the same ranks, points, intervals and separated pairs to the renamed."""
    first = votes([0.3, 0.15, 0.0, -0.15, -0.3], 40, 15, seed, taste=0.5, ties=0.1)
    rename = {f"m{n}": f"team-{order[n]}" for n in range(5)}
    one, other = rate(first), rate(Comparisons.from_frame(frame(first).replace(rename)))
    for row in one.rows:
        twin = other.row(rename[row.model])
        assert (row.rank, row.rank_ci95, row.points, row.points_ci95) == (
            twin.rank,
            twin.rank_ci95,
            twin.points,
            twin.points_ci95,
        )
    apart = {frozenset((rename[p.a], rename[p.b])): p.separated for p in one.pairwise}
    assert apart == {frozenset((p.a, p.b)): p.separated for p in other.pairwise}


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    traits=st.lists(st.tuples(st.sampled_from("fm"), st.sampled_from("xyz")), min_size=30, max_size=200),
    share=st.floats(0.3, 0.7),
    cap=st.floats(1.5, 8),
)
def test_raked_weights_are_bounded_and_honest(traits: list[tuple[str, str]], share: float, cap: float):
    """Weights have mean 1, stay within the cap on both sides, never make n_eff larger than n, and meet targets they can meet."""
    table = pd.DataFrame(traits, columns=["sex", "region"])
    assume(table["sex"].nunique() == 2)
    raked = weights.rake(table, {"sex": {"f": share, "m": 1 - share}}, cap=cap)
    assert raked.weights.mean() == pytest.approx(1, abs=1e-6)
    assert 1 / cap * (1 - 1e-6) <= raked.weights.min() <= raked.weights.max() <= cap * (1 + 1e-6)
    assert raked.n_eff <= len(table) * (1 + 1e-9)
    assert raked.design_effect == pytest.approx(len(table) / raked.n_eff)
    if not raked.capped:
        assert all(m.achieved == pytest.approx(m.target, abs=1e-8) for m in raked.margins)


# ---- brute force


def fewest(comparisons: Comparisons, units: list[np.ndarray], upper: str, lower: str, most: int) -> int | None:
    """The fewest units (votes, or all the votes of a voter) whose removal swaps two entrants, by trying every set of them."""
    i, j = comparisons.models.index(upper), comparisons.models.index(lower)
    for n in range(1, most + 1):
        for gone in combinations(units, n):
            kept = np.ones(len(comparisons), bool)
            kept[np.concatenate(gone)] = False
            left = Comparisons(
                comparisons.models, comparisons.a[kept], comparisons.b[kept], comparisons.outcome[kept]
            ).tally()
            theta = bradley_terry.fit(left.wins, 0.5)
            if theta[j] > theta[i]:
                return n
    return None


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_reported_removals_are_near_the_fewest(seed: int):
    """In small stages, trying every set of votes and of voters never needs more than reported, and of votes at most one less."""
    comparisons = votes([0.3, 0.0, -0.3], 7, 3, seed, ties=0.1)
    assert comparisons.voter is not None
    single = [np.array([n]) for n in range(len(comparisons))]
    whole = [np.flatnonzero(comparisons.voter == v) for v in range(7)]
    for pair in robustness.robustness(comparisons):
        small = fewest(comparisons, single, pair.upper, pair.lower, most=3)
        if pair.votes is not None and pair.votes <= 3:
            assert small in (pair.votes, pair.votes - 1)
        elif pair.votes is None or pair.votes > 4:
            assert small is None
        if pair.voters is not None:
            assert fewest(comparisons, whole, pair.upper, pair.lower, pair.voters) is not None


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), gap=st.floats(0.0, 0.6))
def test_the_plan_agrees_with_the_leaderboard(seed: int, gap: float):
    """A pair needs no more votes exactly when the leaderboard calls it separated, looked at once or all the time; a better chance takes more."""
    for looks in (None, Anytime(2000)):
        ratings = rate(votes([gap, 0.0, -gap, -0.7], 60, 12, seed, taste=0.5, ties=0.1), seed=seed, looks=looks)
        for pair in ratings.pairwise:
            found = planning.votes_to_separate(ratings, pair.a, pair.b).votes
            assert all((votes == 0) == bool(pair.separated) for votes in found.values())
            told = [planning.MOST + 1 if votes is None else votes for votes in found.values()]
            assert told == sorted(told)
    rows = ratings.by_rank()
    neighbours = [p.separated for p in ratings.pairwise for x, y in pairwise(rows) if {p.a, p.b} == {x.model, y.model}]
    assert (planning.votes_to_separate_all(ratings).votes[50] == 0) == all(neighbours)
