"""The score as the whole population would give it: covers where raking cannot, follows known answers, and hangs on no order and no name."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from benchmarks.multilevel import CELLS, COVERAGE, covered, stage, strata
from ratings.anytime import Anytime
from ratings.comparison import Comparisons
from ratings.errors import ComparisonError, NothingToRateError, RatingsError, SeparatedError
from ratings.fit import rate
from ratings.multilevel import Cells, Representative, Stratum, representative
from ratings.score import Transform
from tests.support.ratings_votes import votes

TINY = Path(__file__).parents[1] / "data" / "multilevel_tiny.json"
"""Made by the script beside it, which sums over grids and imports nothing of ours."""
HALVES = Cells.of_margins([[0.5, 0.5]])
THETA = [0.5, 0.2, 0.0, -0.3]


def two_groups(
    effect: float, people: tuple[int, int], each: int, seed: int, taste: float = 0.3
) -> tuple[Comparisons, Stratum]:
    """Two groups, of which the second likes the first of four entrants by so much more and the last by as much less."""
    rng, voters = np.random.default_rng(seed), sum(people)
    group = np.repeat([0, 1], people)
    liking = np.array(THETA) + taste * rng.standard_normal((voters, 4)) + np.outer(group, [effect, 0, 0, -effect])
    voter = np.repeat(np.arange(voters), each)
    a = rng.integers(0, 4, len(voter))
    b = (a + rng.integers(1, 4, len(voter))) % 4
    won = rng.random(len(voter)) < expit(liking[voter, a] - liking[voter, b])
    comparisons = Comparisons.from_codes([f"m{i}" for i in range(4)], a, b, np.where(won, 0, 1), voter)
    return comparisons, Stratum("sex", ("f", "m"), group)


def thetas(found: Representative) -> np.ndarray:
    return np.array([row.theta for row in found.rows], np.float64)


def widths(found: Representative) -> np.ndarray:
    ends = np.array([row.points_ci95 for row in found.rows], np.float64)
    return ends[:, 1] - ends[:, 0]


def test_a_tiny_stage_has_the_answer_of_brute_force():
    """Two entrants, two groups, 40 voters: the population's chance, its uncertainty and both σ are those that sums over grids give."""
    tiny = json.loads(TINY.read_text())
    wins = np.array(tiny["wins"])
    outcome = np.concatenate([[0] * won + [1] * (12 - won) for won in tiny["wins"]])
    n = 12 * len(wins)
    comparisons = Comparisons.from_codes("ab", np.zeros(n, int), np.ones(n, int), outcome, np.arange(n) // 12)
    found = representative(comparisons, [Stratum("group", ("x", "y"), np.array(tiny["group"]))], HALVES)
    theta, error = thetas(found)[0], found.rows[0].se
    assert error is not None
    chance, answer = float(expit(2 * theta)), tiny["answer"]
    assert chance == pytest.approx(answer["chance"], abs=0.25 * answer["chance_sd"])
    assert chance * (1 - chance) * 2 * error == pytest.approx(answer["chance_sd"], rel=0.1)
    group, taste = found.kinds[0]
    assert group.sd == pytest.approx(answer["group"], rel=0.1)  # the grid's steps are 9 %
    assert taste.sd == pytest.approx(answer["taste"], rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("design", ["185 x 20, groups differ by 0.3", "49 x 10"])
def test_95_percent_intervals_hold_the_population(design: str):
    """Where hardly any of the oldest come, which raking has to leave out: of 25 stages × 5 intervals 90 % or more hold, and raw ones fewer."""
    found = np.mean([covered(COVERAGE[design], seed) for seed in range(25)], axis=0)
    assert found[0, 0] >= 0.9
    assert found[1, 0] < found[0, 0]
    assert found[0, 2] < found[1, 2]


def test_order_sides_and_names_change_nothing():
    """Votes in another order give the same bytes; with sides swapped, entrants, voters, questions and levels renamed they give the same numbers."""
    of = stage(COVERAGE["49 x 10, all votes on 10 questions"], 5)
    told, groups, rng = of.comparisons, strata(of), np.random.default_rng(0)
    assert told.voter is not None
    assert told.question is not None
    first = representative(told, groups, CELLS)
    assert first.to_dict() == representative(told, groups, CELLS).to_dict()
    order = rng.permutation(len(told))
    columns = {name: getattr(told, name)[order] for name in ("a", "b", "outcome", "voter", "question")}
    assert representative(replace(told, **columns), groups, CELLS).to_dict() == first.to_dict()
    assert (representative(replace(told, **columns), groups, CELLS).covariance == first.covariance).all()
    swapped = replace(told, a=told.b, b=told.a, outcome=np.array([1, 0, 2, 3])[told.outcome])
    assert representative(swapped, groups, CELLS).to_dict() == first.to_dict()

    people, asked, entrants = rng.permutation(49), rng.permutation(10), rng.permutation(5)
    models = tuple(np.array(told.models)[np.argsort(entrants)])
    renamed = Comparisons(models, entrants[told.a], entrants[told.b], told.outcome, people[told.voter])
    renamed = replace(renamed, question=asked[told.question])
    sexes, ages = groups
    others = [
        Stratum("age", ages.levels[::-1], 4 - ages.codes[np.argsort(people)]),
        Stratum("sex", sexes.levels[::-1], 1 - sexes.codes[np.argsort(people)]),
    ]
    cells = Cells(np.column_stack([4 - CELLS.level[:, 1], 1 - CELLS.level[:, 0]]), CELLS.share)
    second = representative(renamed, others, cells)
    np.testing.assert_allclose(thetas(second), thetas(first)[np.argsort(entrants)], atol=1e-7)
    np.testing.assert_allclose(widths(second), widths(first)[np.argsort(entrants)], atol=0.0101)


def test_without_differences_it_is_nearly_the_plain_fit():
    """Where groups do not differ the points are within a fifth of their intervals of the plain ones, and the intervals about as wide."""
    comparisons, sex = two_groups(0, (80, 80), 15, 3)
    plain, found = rate(comparisons), representative(comparisons, [sex], HALVES)
    points = np.array([[a.points, b.points] for a, b in zip(found.rows, plain.rows, strict=True)], np.float64)
    ends = np.array([row.points_ci95 for row in plain.rows], np.float64)
    assert np.abs(points[:, 0] - points[:, 1]).max() < 0.1 * (ends[:, 1] - ends[:, 0]).max()
    assert (widths(found) / (ends[:, 1] - ends[:, 0])).min() > 0.85
    assert (widths(found) / (ends[:, 1] - ends[:, 0])).max() < 1.25
    assert [kind.name for kind in found.kinds[0]] == ["sex", "voter"]


def test_looking_early_costs_width():
    """Intervals for all looks are wider about the same points, by what the boundary of one interval costs."""
    comparisons, sex = two_groups(0.5, (80, 80), 15, 3)
    once = representative(comparisons, [sex], HALVES)
    always = representative(comparisons, [sex], HALVES, looks=Anytime(len(comparisons)))
    np.testing.assert_array_equal(thetas(always), thetas(once))
    wider = widths(always) / widths(once)
    assert (wider.min() > 1.4, wider.max() < 1.66) == (True, True)


def test_without_strata_it_is_the_plain_fit_of_people():
    """One cell holds all: the same points as the plain fit of equally busy people, but for what the model draws together."""
    comparisons, _ = two_groups(0, (80, 80), 15, 4)
    found = representative(comparisons, [], Cells.of_margins([]))
    np.testing.assert_allclose(thetas(found), rate(comparisons).theta, atol=0.02)
    assert found.cells == 1


def test_the_population_counts_not_who_came():
    """Nine in ten voters are of the first group: the score goes to the middle between the groups, and more so the more voters the second has."""
    comparisons, sex = two_groups(1.5, (180, 20), 20, 1)
    of_first = representative(comparisons, [sex], Cells(np.array([[0]]), np.ones(1)))
    of_second = representative(comparisons, [sex], Cells(np.array([[1]]), np.ones(1)))
    half = representative(comparisons, [sex], HALVES)
    first, second, between = (thetas(f)[0] for f in (of_first, of_second, half))
    plain = rate(comparisons).theta[0]
    assert first < plain < between < second
    assert between - plain > 0.3


def test_few_voters_are_drawn_to_the_mean():
    """The same difference seen in 5 people of the second group is told smaller, and less surely, than seen in 80."""
    apart = []
    for people in (5, 80):
        comparisons, sex = two_groups(1.0, (120, people), 20, 8)
        here = [representative(comparisons, [sex], Cells(np.array([[g]]), np.ones(1))) for g in (0, 1)]
        plain = [rate(_only(comparisons, sex, g)).theta[0] for g in (0, 1)]
        apart.append(((thetas(here[1])[0] - thetas(here[0])[0]) / (plain[1] - plain[0]), here[1].rows[0].se or 0))
    assert 0 < apart[0][0] < apart[1][0] < 1.1
    assert apart[0][1] > 1.5 * apart[1][1]


def _only(comparisons: Comparisons, stratum: Stratum, group: int) -> Comparisons:
    assert comparisons.voter is not None
    rows = stratum.codes[comparisons.voter] == group
    return replace(comparisons, **{name: getattr(comparisons, name)[rows] for name in ("a", "b", "outcome", "voter")})


def test_a_category_without_voters_is_taken_for_the_mean_and_widens_the_interval():
    """Nobody of the third category came: alone it has the mean's ratings, with wider intervals; a category that all are of is as before."""
    comparisons, sex = two_groups(0.8, (60, 60), 15, 2)
    third = Stratum("sex", ("f", "m", "x"), sex.codes)
    alone = representative(comparisons, [third], Cells(np.array([[2]]), np.ones(1)))
    known = representative(comparisons, [third], Cells(np.array([[0], [1]]), np.full(2, 0.5)))
    np.testing.assert_allclose(thetas(alone), thetas(known), atol=0.05)
    assert (widths(alone) > 1.5 * widths(known)).all()


def test_who_does_not_say_is_nobody_of_the_population():
    """Voters of an unknown category tell of the entrants and of no category."""
    comparisons, sex = two_groups(1.0, (60, 60), 15, 6)
    codes = sex.codes.copy()
    codes[::4] = -1
    found = representative(comparisons, [replace(sex, codes=codes)], HALVES)
    np.testing.assert_allclose(thetas(found), thetas(representative(comparisons, [sex], HALVES)), atol=0.12)


@pytest.mark.parametrize("each", [1, 12])
def test_a_single_voter_gets_an_answer_that_says_little(each: int):
    """One voter is rated with a warning and an interval over most of the scale."""
    comparisons = votes([0.5, 0.0], 1, each, 3)
    found = representative(comparisons, [Stratum("sex", ("f", "m"), np.array([0]))], HALVES)
    assert "few_voters" in {notice.code for notice in found.notices}
    assert widths(found).min() > 12


def test_ties_only_leave_all_equal():
    """Where every vote is a tie all entrants have the same points."""
    comparisons = votes([0.5, 0.0, -0.5], 30, 10, 3, ties=1.0)
    found = representative(comparisons, [Stratum("sex", ("f", "m"), np.arange(30) % 2)], HALVES)
    assert {row.points for row in found.rows} == {12.5}
    assert {row.rank for row in found.rows} == {1}


def test_nothing_to_rate_is_refused():
    """Neither no votes nor `both_bad` alone can be rated."""
    empty = Comparisons.from_codes("ab", [], [], [], [])
    bad = votes([0.5, 0.0], 5, 4, 1, both_bad=1.0)
    for comparisons in (empty, bad):
        with pytest.raises(NothingToRateError):
            representative(comparisons, [Stratum("sex", ("f", "m"), np.zeros(5, int))], HALVES)
    assert (
        representative(bad, [Stratum("sex", ("f", "m"), np.zeros(5, int))], HALVES, both_bad="tie").rows[0].points
        == 12.5
    )


def test_groups_that_never_met_are_rated_apart_and_told():
    """As in the plain fit: each group by itself, a notice, and an entrant without votes has no row of numbers."""
    comparisons = votes([0.5, 0.0, 0.3, -0.3], 40, 10, 1)
    met = comparisons.a // 2 == comparisons.b // 2
    columns = {name: getattr(comparisons, name)[met] for name in ("a", "b", "outcome", "voter")}
    comparisons = replace(comparisons, models=("a", "b", "c", "d", "alone"), **columns)
    found = representative(comparisons, [Stratum("sex", ("f", "m"), np.arange(40) % 2)], HALVES)
    assert [row.group for row in found.rows] == [0, 0, 1, 1, None]
    assert [notice.code for notice in found.notices][:2] == ["no_votes", "never_compared"]
    assert found.rows[4].points is None
    assert np.isnan(found.covariance[0, 2])


def test_who_never_lost_needs_the_prior():
    """Without a prior an undefeated entrant is refused, as in the plain fit; with one it is told of."""
    comparisons = votes([9.0, -9.0], 20, 5, 1)
    sex = [Stratum("sex", ("f", "m"), np.arange(20) % 2)]
    with pytest.raises(SeparatedError):
        representative(comparisons, sex, HALVES, prior=0)
    found = representative(comparisons, sex, HALVES)
    assert found.notices[0].code == "separated"
    assert (found.rows[0].points or 0) > 20


def test_few_questions_are_not_generalised_over():
    """Fewer than five questions leave the answer for these very ones, and that is told; with more, they widen the intervals."""
    comparisons = votes([0.3, 0.0, -0.3], 60, 10, 5)
    sex = [Stratum("sex", ("f", "m"), np.arange(60) % 2)]
    alone = representative(comparisons, sex, HALVES)
    few = representative(replace(comparisons, question=np.arange(600) % 3), sex, HALVES)
    assert few.rows == alone.rows
    assert few.notices[-1].code == "few_questions"
    many = representative(replace(comparisons, question=np.arange(600) % 11), sex, HALVES)
    assert [kind.name for kind in many.kinds[0]] == ["sex", "voter", "question"]
    assert (widths(many) > widths(alone)).all()


def test_what_does_not_fit_together_is_refused():
    """Strata need voters, codes their levels, cells their strata, shares a sum of 1."""
    comparisons, sex = two_groups(0, (10, 10), 5, 1)
    wrong = [
        (replace(comparisons, voter=None), sex, HALVES),
        (comparisons, replace(sex, codes=sex.codes[:5]), HALVES),
        (comparisons, replace(sex, codes=sex.codes + 1), HALVES),
        (comparisons, sex, Cells(np.array([[0], [2]]), np.full(2, 0.5))),
        (comparisons, sex, Cells(np.array([[0], [1]]), np.full(2, 0.6))),
        (comparisons, sex, Cells(np.zeros((1, 2), int), np.ones(1))),
    ]
    for votes_, stratum, cells in wrong:
        with pytest.raises(RatingsError):
            representative(votes_, [stratum], cells)
    with pytest.raises(ComparisonError):
        representative(comparisons, [replace(sex, codes=sex.codes + 1)], HALVES)
    with pytest.raises(RatingsError):
        Cells.of_margins([[0.5, 0.4]])


@pytest.mark.parametrize("transform", ["top_normalised", "min_max"])
def test_any_transform_turns_the_strengths_into_points(transform: str):
    """The leader has the maximum by those that say so."""
    comparisons, sex = two_groups(0, (30, 30), 20, 1)
    found = representative(comparisons, [sex], HALVES, transform=Transform(transform))
    assert max(row.points or 0 for row in found.rows) == 25
