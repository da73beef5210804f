"""Results by group: shrunken, all sets at once, small groups told nowhere, and one number for how different the groups are."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from benchmarks.multilevel import GROUPS, grouped
from ratings.anytime import Anytime
from ratings.comparison import Comparisons
from ratings.errors import ComparisonError, NothingToRateError
from ratings.fit import rate
from ratings.groups import Groups, by_group
from ratings.score import Transform
from tests.support.ratings_votes import votes

NAMES = ("north", "south", "east", "west")


def regions(effect: float, people: tuple[int, ...], seed: int, each: int = 15) -> tuple[Comparisons, np.ndarray]:
    """Four entrants; in each region its own is liked by so much more."""
    rng, voters = np.random.default_rng(seed), sum(people)
    region = np.repeat(np.arange(len(people)), people)
    liking = 0.4 * rng.standard_normal((voters, 4)) + effect * np.eye(4)[region]
    voter = np.repeat(np.arange(voters), each)
    a = rng.integers(0, 4, len(voter))
    b = (a + rng.integers(1, 4, len(voter))) % 4
    won = rng.random(len(voter)) < expit(liking[voter, a] - liking[voter, b])
    comparisons = Comparisons.from_codes([f"m{i}" for i in range(4)], a, b, np.where(won, 0, 1), voter)
    return comparisons, region[voter]


def ratings(found: Groups) -> np.ndarray:
    """(groups with a result, k)."""
    return np.array([[row.rating for row in group.ratings] for group in found.groups if group.ratings])


def test_each_region_has_its_favourite():
    """Where regions differ the right entrant leads in each, the number says how far they are apart, and chance is ruled out."""
    found = by_group(*_named(regions(1.0, (50, 50, 50, 50), 1)))
    assert ratings(found).argmax(axis=1).tolist() == [0, 1, 2, 3]
    assert [(group.voters, group.votes) for group in found.groups] == [(50, 750)] * 4
    assert found.difference is not None
    assert found.difference.p is not None
    assert found.difference.p < 1e-6
    assert found.difference.sd_ci95[0] < 75 < found.difference.sd_ci95[1]  # 1 logit in one of four, in rating points


def _named(of: tuple[Comparisons, np.ndarray]) -> tuple[Comparisons, str, tuple[str, ...], np.ndarray]:
    return of[0], "region", NAMES, of[1]


def test_where_none_differ_they_are_drawn_together():
    """Without differences the groups lie closer together than their own fits, and chance explains them."""
    comparisons, region = regions(0.0, (60, 60, 30, 12), 2)
    found = by_group(comparisons, "region", NAMES, region)
    own = [rate(_taken(comparisons, region == n)) for n in range(4)]
    alone = np.array([[row.rating for row in fit.rows] for fit in own], np.float64)
    assert ratings(found).std(axis=0).max() < 0.7 * alone.std(axis=0).max()
    assert found.difference is not None
    assert (found.difference.p or 0) > 0.01


def test_looking_early_costs_width():
    """Intervals for all looks are wider, about the same ratings; how different the groups are and the chance of it stay what they are."""
    comparisons, region = regions(0.5, (40, 40, 30, 20), 4)
    once = by_group(comparisons, "region", NAMES, region)
    always = by_group(comparisons, "region", NAMES, region, looks=Anytime(len(comparisons)))
    np.testing.assert_array_equal(ratings(always), ratings(once))
    for one, more in zip(once.groups, always.groups, strict=True):
        for at_once, at_all in zip(one.ratings, more.ratings, strict=True):
            assert 1.1 < np.ptp(at_all.rating_ci95) / np.ptp(at_once.rating_ci95) < 1.7
            assert np.ptp(at_all.points_ci95) > np.ptp(at_once.points_ci95)
    assert once.difference is not None
    assert always.difference is not None
    assert (always.difference.sd, always.difference.p) == (once.difference.sd, once.difference.p)
    assert (
        always.difference.sd_ci95[0]
        < once.difference.sd_ci95[0]
        < once.difference.sd_ci95[1]
        < always.difference.sd_ci95[1]
    )


def _taken(comparisons: Comparisons, rows: np.ndarray) -> Comparisons:
    return replace(comparisons, **{name: getattr(comparisons, name)[rows] for name in ("a", "b", "outcome", "voter")})


def test_fewer_than_ten_people_are_told_nowhere():
    """A group of nine has neither a result nor a count, wherever its votes are; of ten it has both. Unknown ones join the untold."""
    comparisons, region = regions(0.5, (40, 40, 10, 9), 3)
    found = by_group(comparisons, "region", NAMES, region)
    assert [group.voters for group in found.groups] == [40, 40, 10, None]
    assert found.groups[3].votes is None
    assert not found.groups[3].ratings
    assert "9" not in str(found.to_dict()["groups"][3])
    unknown = by_group(comparisons, "region", NAMES, np.where(region == 3, -1, region))
    assert unknown.groups[:3] == found.groups[:3]


def test_one_group_alone_is_rated_and_compared_with_nothing():
    """With one group to show there is no difference; it is rated like all votes."""
    comparisons, region = regions(0.0, (60, 5), 4)
    found = by_group(comparisons, "region", NAMES[:2], region)
    assert found.difference is None
    plain = np.array([row.rating for row in rate(comparisons).rows], np.float64)
    np.testing.assert_allclose(ratings(found)[0], plain, atol=8)


def test_groups_of_votes_divide_a_person():
    """Topics cut across people: everybody votes in all of them, and all of them are rated."""
    comparisons, _ = regions(0.0, (60,), 5)
    found = by_group(comparisons, "topic", NAMES, np.arange(len(comparisons)) % 4)
    assert [group.voters for group in found.groups] == [60] * 4
    assert len(ratings(found)) == 4


def test_more_groups_than_people_can_tell_of_have_no_test():
    """Twelve people, everybody voting in four groups on ten entrants: 27 differences cannot be tested, and are not."""
    comparisons = votes(np.zeros(10), 12, 60, 1)
    found = by_group(comparisons, "topic", NAMES, np.arange(len(comparisons)) % 4)
    assert found.difference is not None
    assert found.difference.p is None
    assert found.difference.sd > 0


def test_order_sides_and_names_change_nothing():
    """Votes in another order give the same; groups and entrants renamed give the same numbers, in their order."""
    comparisons, region = regions(0.5, (30, 30, 30, 9), 6, each=10)
    first, order = (
        by_group(comparisons, "region", NAMES, region),
        np.random.default_rng(0).permutation(len(comparisons)),
    )
    assert first.to_dict() == by_group(_taken(comparisons, order), "region", NAMES, region[order]).to_dict()
    swapped = replace(comparisons, a=comparisons.b, b=comparisons.a, outcome=1 - comparisons.outcome)
    assert first.to_dict() == by_group(swapped, "region", NAMES, region).to_dict()
    renamed = replace(comparisons, models=comparisons.models[::-1], a=3 - comparisons.a, b=3 - comparisons.b)
    second = by_group(renamed, "region", NAMES[::-1], 3 - region)
    np.testing.assert_allclose(ratings(second)[::-1, ::-1], ratings(first), atol=1e-4)
    assert first.difference is not None
    assert second.difference is not None
    assert second.difference.p == pytest.approx(first.difference.p, rel=1e-4)
    ends = [[row.rating_ci95[0] for row in group.ratings] for group in (first.groups[0], second.groups[3])]
    np.testing.assert_allclose(ends[0], ends[1][::-1], atol=1e-4)


@pytest.mark.slow
def test_all_groups_hold_at_once_and_chance_is_seldom_called_a_difference():
    """Of 25 stages where age makes no difference, all sets hold in 22 or more, and at most three have p below 5 %."""
    found = np.mean([grouped(GROUPS["age, no difference"], seed) for seed in range(25)], axis=0)
    assert found[0] >= 22 / 25
    assert found[1] <= 3 / 25


def test_what_cannot_be_rated_is_refused():
    """No votes, codes of another length and codes without a name are refused."""
    comparisons, region = regions(0.0, (10, 10), 7)
    with pytest.raises(NothingToRateError):
        by_group(_taken(comparisons, region < 0), "region", NAMES, region[:0])
    with pytest.raises(ComparisonError):
        by_group(comparisons, "region", NAMES, region[1:])
    with pytest.raises(ComparisonError):
        by_group(comparisons, "region", NAMES[:1], region)


def test_nobody_to_show_leaves_an_empty_table():
    """Groups that are all too small leave no result and no error; entrants that never met are told."""
    comparisons, region = regions(0.0, (5, 5), 8)
    found = by_group(replace(comparisons, models=(*comparisons.models, "alone")), "region", NAMES, region)
    assert not any(group.ratings for group in found.groups)
    assert found.difference is None
    assert {"no_votes", "few_voters"} <= {notice.code for notice in found.notices}


def test_any_transform_turns_ratings_into_points():
    """The leader of each group has the maximum by those that say so."""
    comparisons, region = regions(0.5, (30, 30), 9)
    found = by_group(comparisons, "region", NAMES[:2], region, transform=Transform("top_normalised"))
    assert [max(row.points for row in group.ratings) for group in found.groups] == [25, 25]
