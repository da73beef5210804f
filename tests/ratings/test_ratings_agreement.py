"""Krippendorff's alpha: his own examples, another implementation, intervals that know their voters, and what is a unit."""

import krippendorff
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import t

from ratings.agreement import FEWEST_UNITS, agreement, alpha
from ratings.anytime import Anytime
from ratings.comparison import Comparisons

NAN = np.nan
# Krippendorff 2011, Computing Krippendorff's Alpha-Reliability, C: four observers, twelve units, missing data.
PUBLISHED = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
)


def long(table: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Unit, value and voter of each judgement in a table of voters by units."""
    voter, unit = np.nonzero(~np.isnan(table))
    return unit, table[voter, unit].astype(np.intp), voter


def test_it_is_krippendorffs() -> None:
    """His published example: nominal .743, ordinal .815; the twelfth unit, judged once, is none."""
    unit, value, voter = long(PUBLISHED - 1)
    nominal, ordinal = (alpha(unit, value, voter, level, 5) for level in ("nominal", "ordinal"))

    assert nominal is not None
    assert ordinal is not None
    assert (nominal.units, nominal.judgements) == (11, 40)
    assert (round(nominal.alpha, 3), round(ordinal.alpha, 3)) == (0.743, 0.815)


@pytest.mark.parametrize("seed", range(5))
def test_another_implementation_agrees(seed: int) -> None:
    """The package `krippendorff` gives the same coefficients, and the same without each voter in turn: the interval is the jackknife's."""
    rng = np.random.default_rng(seed)
    table = np.where(rng.random((9, 40)) < 0.4, rng.integers(0, 4, (9, 40)) // rng.integers(1, 3, 40), NAN)
    unit, value, voter = long(table)
    for level in ("nominal", "ordinal"):
        found = alpha(unit, value, voter, level, 4)
        theirs = krippendorff.alpha(table, level_of_measurement=level)
        without = np.array([krippendorff.alpha(np.delete(table, v, 0), level_of_measurement=level) for v in range(9)])

        assert found is not None
        assert found.interval is not None
        assert found.alpha == pytest.approx(theirs, abs=1e-12)
        low, high = found.interval
        spread = 8 / 9 * ((without - without.mean()) ** 2).sum()
        assert ((high - low) / 2) ** 2 / spread == pytest.approx(5.8, rel=0.2)  # the square of t at 5 to 8 degrees
        assert (low + high) / 2 == pytest.approx(theirs)


def asked(
    seed: int, members: int = 40, tasks: int = 30, apart: float = 1.5
) -> tuple[Comparisons, NDArray[np.intp], NDArray[np.intp]]:
    """A panel in which everybody judges most tasks, each by a pair of three entrants; sides are drawn. How likely the first wins, by task."""
    rng = np.random.default_rng(seed)
    voter, task = (each.ravel() for each in np.meshgrid(np.arange(members), np.arange(tasks), indexing="ij"))
    first = rng.random(len(task)) < expit(apart * rng.standard_normal(tasks))[task]
    low, high = np.array([(0, 1), (0, 2), (1, 2)])[task % 3].T
    swapped = rng.random(len(task)) < 0.5
    outcome = np.where(rng.random(len(task)) < 0.1, 2, np.where(first != swapped, 0, 1))
    a, b = np.where(swapped, high, low), np.where(swapped, low, high)
    return Comparisons.from_codes("xyz", a, b, outcome, voter), task, np.arange(len(task))


def test_a_unit_is_a_question_and_a_pair_whatever_the_sides() -> None:
    """Sides swapped change nothing; the same question to another pair is another unit; a question that nobody else can have asked is none."""
    comparisons, task, when = asked(1)
    flipped = Comparisons.from_codes(
        "xyz", comparisons.b, comparisons.a, np.array([1, 0, 2, 3])[comparisons.outcome], comparisons.voter
    )
    found = agreement(comparisons, task, when)

    assert found.ordinal is not None
    assert found.ordinal.units == 30
    assert agreement(flipped, task, when) == found
    of_three = agreement(comparisons, task // 3, when)  # ten questions, three pairs each
    assert of_three.ordinal is not None
    assert of_three.ordinal.alpha == found.ordinal.alpha
    assert agreement(comparisons, np.where(task < FEWEST_UNITS - 1, task, -1), when).nominal is None


def test_nobody_agrees_with_themselves() -> None:
    """Of one person's judgements of a unit the first counts, in whatever order they are read; both_bad has no place in the order."""
    comparisons, task, when = asked(2)
    columns = (comparisons.a, comparisons.b, comparisons.outcome, comparisons.voter)
    a, b, outcome, voter = (np.tile(np.asarray(column), 2) for column in columns)
    outcome[len(task) :] = 3
    late = Comparisons.from_codes("xyz", a, b, outcome, voter)
    found = agreement(comparisons, task, when)
    assert found.nominal is not None

    again, times = np.tile(task, 2), np.concatenate([when, when + 10_000])
    assert agreement(late, again, times) == found
    order = np.random.default_rng(3).permutation(len(again))
    shuffled = Comparisons.from_codes("xyz", a[order], b[order], outcome[order], voter[order])
    assert agreement(shuffled, again[order], times[order]) == found
    refused = Comparisons.from_codes("xyz", a, b, np.where(np.arange(len(a)) % 7, outcome, 3), voter)
    told = agreement(refused, again, times)
    assert told.nominal is not None
    assert told.ordinal is not None
    assert told.ordinal.judgements < told.nominal.judgements == found.nominal.judgements


def test_all_alike_and_all_by_chance() -> None:
    """Where all judgements are the same there is nothing to tell; where the units tell nothing the interval holds 0 in 19 of 20 stages or more."""
    comparisons, task, when = asked(4)
    nothing = np.zeros_like(task)
    same = Comparisons.from_codes("xyz", nothing, nothing + 1, nothing, comparisons.voter)
    assert agreement(same, task, when).ordinal is None
    assert agreement(Comparisons.from_codes("xyz", [], [], [], []), np.empty(0, int), np.empty(0, int)).nominal is None
    held = 0
    for seed in range(60):
        found = agreement(*asked(seed, apart=0.0)).nominal
        assert found is not None
        assert found.interval is not None
        held += found.interval[0] <= 0 <= found.interval[1]
    assert held >= 50


def test_looked_at_while_votes_come_in_its_interval_is_wider() -> None:
    """It reaches as many standard errors out as every interval of an open stage does, around the same alpha."""
    comparisons, task, when = asked(5)
    once, always = (agreement(comparisons, task, when, looks).nominal for looks in (None, Anytime(len(task))))
    assert once is not None
    assert always is not None
    assert once.interval is not None
    assert always.interval is not None
    assert always.alpha == once.alpha
    reaches = [Anytime(1).quantile(1, once.voters), float(t.ppf(0.975, once.voters - 1))]
    assert np.ptp(always.interval) / np.ptp(once.interval) == pytest.approx(reaches[0] / reaches[1], rel=1e-9)
