"""Does one number per entrant explain the votes, pair by pair and period by period: told where it does not, and seldom where it does."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit
from scipy.stats import chi2

from ratings.comparison import Comparisons
from ratings.errors import SeparatedError
from ratings.misfit import by_version, drift, misfit
from tests.support.ratings_votes import votes

THETA = [0.4, 0.2, 0.0, -0.2, -0.4]


def circle(seed: int, voters: int = 200, each: int = 15, edge: float = 0.4) -> Comparisons:
    """Rock, paper, scissors among the first three of four: each beats the next."""
    rng, n = np.random.default_rng(seed), voters * each
    a = rng.integers(0, 4, n)
    b = (a + rng.integers(1, 4, n)) % 4
    gap = np.zeros((4, 4))
    for i in range(3):
        gap[i, (i + 1) % 3], gap[(i + 1) % 3, i] = edge, -edge
    outcome = np.where(rng.random(n) < expit(gap[a, b]), 0, 1)
    return Comparisons.from_codes(["rock", "paper", "scissors", "other"], a, b, outcome, np.repeat(range(voters), each))


def when(comparisons: Comparisons, periods: int, seed: int = 0) -> NDArray[np.int64]:
    """Each voter comes in one period."""
    voter = comparisons.voter
    assert voter is not None
    return np.random.default_rng(seed).integers(0, periods, int(voter.max()) + 1)[voter]


def test_the_pairs_of_a_circle_stand_out() -> None:
    """Teams that beat each other in a circle have equal strengths, which explain none of their pairs: each of the three is told."""
    found = misfit(circle(1))

    assert found is not None
    assert found.overall.p < 1e-6
    apart = {(pair.a, pair.b) for pair in found.pairs if (pair.adjusted or 1) < 0.01}
    assert apart == {("rock", "paper"), ("rock", "scissors"), ("paper", "scissors")}
    rock = found.pairs[0]
    assert rock.observed - rock.expected > 20
    assert rock.z is not None
    assert rock.z > 4


def test_independent_votes_give_the_likelihood_ratio() -> None:
    """Where every vote is another person's, the test agrees with twice what a number for each pair adds to the log-likelihood, of as many degrees of freedom."""
    comparisons = votes([0.5, 0.2, -0.1, -0.6], 6000, 1, 5)
    wins = np.zeros((4, 4))
    first = comparisons.outcome == 0
    np.add.at(wins, (np.where(first, comparisons.a, comparisons.b), np.where(first, comparisons.b, comparisons.a)), 1)
    fitted = -minimize(lambda x: -(wins * log_expit(x[:, None] - x[None, :])).sum() + x.sum() ** 2, np.zeros(4)).fun
    share = np.divide(wins, wins + wins.T, out=np.ones((4, 4)), where=wins + wins.T > 0)
    ratio = 2 * ((wins * np.log(share)).sum() - fitted)
    found = misfit(comparisons, prior=0.0)

    assert found is not None
    assert found.overall.df[0] == pytest.approx(3, abs=0.02)
    assert found.overall.f * 3 == pytest.approx(ratio, rel=0.03)
    assert found.overall.p == pytest.approx(chi2.sf(ratio, 3), abs=0.01)


def test_observed_and_expected_are_counts() -> None:
    """Observed wins are those of the votes, a tie as half, both_bad apart or as half as the fit has it; what one pair has more, others have less."""
    comparisons = votes(THETA, 30, 20, 6, ties=0.2, both_bad=0.1)
    for rule, kept in (("exclude", comparisons.outcome != 3), ("tie", comparisons.outcome >= 0)):
        found = misfit(comparisons, both_bad="tie" if rule == "tie" else "exclude")
        assert found is not None
        assert sum(pair.votes for pair in found.pairs) == kept.sum()
        points = np.array([1.0, 0.0, 0.5, 0.5])
        here = kept & (comparisons.a == 0) & (comparisons.b == 1)
        there = kept & (comparisons.a == 1) & (comparisons.b == 0)
        won = points[comparisons.outcome[here]].sum() + (1 - points[comparisons.outcome[there]]).sum()
        assert found.pairs[0].observed == pytest.approx(won)


def test_what_explains_itself_is_not_tested() -> None:
    """Two teams, a chain of pairs, one voter, no vote: nothing can contradict the strengths, and nothing is said. A tail on a circle has no z of its own."""
    n = np.arange(60)
    chain = Comparisons.from_codes("xyz", np.where(n % 2, 0, 2), np.ones(60, int), n % 2, n)
    alone = Comparisons.from_codes("xyz", n % 3, (n + 1) % 3, n % 2, np.zeros(60, int))
    tail = Comparisons.from_codes(
        "xyzt", np.where(n < 45, n % 3, 3), np.where(n < 45, (n + 1) % 3, 0), (n // 3) % 2, n // 4
    )

    assert misfit(votes([0.3, 0.0], 40, 10, 1)) is None
    assert misfit(chain) is None
    assert misfit(alone) is None
    assert misfit(Comparisons.from_codes("xyz", [], [], [], [])) is None
    found = misfit(tail, prior=0.0)
    assert found is not None
    assert {(pair.a, pair.b): pair.z is None for pair in found.pairs}["x", "t"]
    with pytest.raises(SeparatedError):
        misfit(Comparisons.from_codes("xyz", [0, 1, 0], [1, 2, 2], [0, 0, 0], [0, 1, 2]), prior=0.0)


def test_a_team_that_got_worse_is_told() -> None:
    """One team that loses half a logit after the second of four periods is named, its wins beyond its strength add up to about 0, and no other is named."""
    before, after = votes(THETA, 200, 20, 7, taste=0.5), votes([0.4, 0.2, -0.7, -0.2, -0.4], 200, 20, 8, taste=0.5)
    a, b, outcome = (
        np.concatenate(columns)
        for columns in ((before.a, after.a), (before.b, after.b), (before.outcome, after.outcome))
    )
    joined = Comparisons.from_codes(before.models, a, b, outcome, np.arange(400).repeat(20))
    period = np.concatenate([when(before, 2), 2 + when(after, 2)])
    found = drift(joined, period)

    assert found is not None
    assert found.overall.p < 0.001
    assert [each.model for each in found.entrants if (each.adjusted or 1) < 0.01] == ["m2"]
    excess = found.entrants[2].excess
    assert min(excess[:2]) > 0 > max(excess[2:])
    assert sum(excess) == pytest.approx(0, abs=1)


def test_a_version_that_is_worse_is_told() -> None:
    """Of two entrants that change in mid-stage the one whose later version loses half a logit is named, with about that difference; unknown versions are no version."""
    before, after = votes(THETA, 200, 20, 7, taste=0.5), votes([0.4, 0.2, -0.5, -0.2, -0.4], 200, 20, 8, taste=0.5)
    a, b, outcome = (
        np.concatenate(columns)
        for columns in ((before.a, after.a), (before.b, after.b), (before.outcome, after.outcome))
    )
    joined = Comparisons.from_codes(before.models, a, b, outcome, np.arange(400).repeat(20))
    late = np.arange(len(a)) >= len(before)
    sides = [np.where((side == 2) | (side == 4), late.astype(int), -1) for side in (a, b)]
    found = by_version(joined, *sides)

    assert [each.model for each in found] == ["m2", "m4"]
    worse, same = found
    assert worse.adjusted is not None
    assert same.adjusted is not None
    assert worse.adjusted < 0.001 < same.adjusted
    assert [shift.version for shift in worse.versions] == [0, 1]
    assert sum(shift.votes for shift in worse.versions) == int(((a == 2) | (b == 2)).sum())
    apart = worse.versions[0].shift - worse.versions[1].shift
    assert apart == pytest.approx(THETA[2] + 0.5, abs=0.2)
    assert by_version(joined, *(np.where(side == 0, 0, -1) for side in sides)) == ()
    flipped = Comparisons.from_codes(before.models, b, a, np.array([1, 0, 2, 3])[outcome], np.arange(400).repeat(20))
    assert by_version(flipped, *sides[::-1]) == found


def test_versions_that_are_days_are_drift() -> None:
    """Where every entrant's version is the day, the test of each entrant is that of drift."""
    comparisons = votes(THETA, 60, 20, 3, taste=0.3, ties=0.1)
    day = when(comparisons, 3)
    moved, found = drift(comparisons, day), by_version(comparisons, day, day)
    assert moved is not None
    for each, versions in zip(moved.entrants, found, strict=True):
        assert versions.test is not None
        assert each.test is not None
        assert versions.test.p == pytest.approx(each.test.p, rel=1e-9)
        assert [shift.excess for shift in versions.versions] == pytest.approx(each.excess)


def test_one_period_tells_no_drift() -> None:
    """One period, one voter, no vote: None. A team that came in one of two periods has no test of its own."""
    comparisons = votes(THETA, 40, 10, 2)
    assert drift(comparisons, np.zeros(len(comparisons), int)) is None
    assert drift(Comparisons.from_codes("xyz", [], [], [], []), np.empty(0, int)) is None
    n = np.arange(90)
    late = Comparisons.from_codes("xyz", np.where(n < 45, 0, 2), np.where(n < 45, 1, n % 2), (n // 2) % 2, n // 3)
    found = drift(late, (n >= 45).astype(int))
    assert found is not None
    assert [each.test is None for each in found.entrants] == [False, False, True]


@pytest.mark.parametrize(("voters", "each", "taste"), [(100, 15, 0.7), (49, 10, 0.7), (12, 30, 0.0)])
def test_chance_alone_is_seldom_told(voters: int, each: int, taste: float) -> None:
    """Where strengths explain all and none drifts, but people differ in taste, p is below 5 % in about 5 of 100 stages or fewer (200 here, ± 3)."""
    pairs, days = [], []
    for seed in range(200):
        comparisons = votes(THETA, voters, each, seed, taste=taste, ties=0.15)
        found, moved = misfit(comparisons), drift(comparisons, when(comparisons, 4, seed))
        assert found is not None
        assert moved is not None
        pairs.append(found.overall.p)
        days.append(moved.overall.p)
    assert np.mean(np.array(pairs) < 0.05) <= 0.085
    assert np.mean(np.array(days) < 0.05) <= 0.085


def test_order_sides_and_names_change_nothing() -> None:
    """Shuffled votes and swapped sides give the same digits; teams and voters by other names the same figures."""
    comparisons, rng = votes(THETA, 50, 20, 3, taste=0.7, ties=0.1, both_bad=0.1), np.random.default_rng(0)
    voter, period = comparisons.voter, when(comparisons, 3)
    assert voter is not None
    order, place, people = rng.permutation(len(voter)), rng.permutation(5), rng.permutation(50)
    a, b, outcome = comparisons.a[order], comparisons.b[order], comparisons.outcome[order]
    swapped = Comparisons.from_codes(comparisons.models, b, a, np.array([1, 0, 2, 3])[outcome], voter[order])
    names = [comparisons.models[i] for i in np.argsort(place)]
    renamed = Comparisons.from_codes(names, place[a], place[b], outcome, people[voter[order]])

    ours, days = misfit(comparisons), drift(comparisons, period)
    assert ours is not None
    assert days is not None
    assert misfit(swapped) == ours
    assert drift(swapped, period[order]) == days
    other, moved = misfit(renamed), drift(renamed, period[order])
    assert other is not None
    assert moved is not None
    assert other.overall.p == pytest.approx(ours.overall.p, rel=1e-6)
    assert moved.overall.p == pytest.approx(days.overall.p, rel=1e-6)
    z = {frozenset((pair.a, pair.b)): abs(pair.z or 0) for pair in other.pairs}
    assert [z[frozenset((pair.a, pair.b))] for pair in ours.pairs] == pytest.approx([abs(p.z or 0) for p in ours.pairs])
