"""Agreement with oneself: sides swapped back, ties left out where asked, chance beside it, and an interval that knows its voters."""

import numpy as np
import pytest

from ratings.anytime import Anytime
from ratings.comparison import A_WINS, B_WINS, BOTH_BAD, TIE
from ratings.retest import retest


def test_sides_are_swapped_back() -> None:
    """Who chose the left answer and then the right one has said the same; a tie is a tie on either side."""
    first = np.array([A_WINS, B_WINS, A_WINS, TIE, BOTH_BAD, TIE, A_WINS])
    again = np.array([B_WINS, A_WINS, A_WINS, TIE, BOTH_BAD, A_WINS, TIE])
    found = retest(first, again, np.array([0, 1, 2, 3, 4, 5, 6]))

    assert (found.exact.times, found.exact.of, found.voters) == (4, 7, 7)
    assert (found.decided.times, found.decided.of) == (2, 3)
    # Said first: 3 × a, 1 × b, 2 × tie, 1 × neither; again, turned back: 1 × a, 3 × b, 2 × tie, 1 × neither.
    assert found.exact.chance == pytest.approx((3 * 1 + 1 * 3 + 2 * 2 + 1 * 1) / 49)
    assert found.decided.chance == pytest.approx((2 * 1 + 1 * 2) / 9)


def test_chance_is_what_strangers_would_agree() -> None:
    """Where the second judgement has nothing to do with the first, the share is the chance; where it is the same, it is 1."""
    rng = np.random.default_rng(1)
    first, voter = rng.choice(4, 40_000, p=[0.5, 0.2, 0.2, 0.1]), np.arange(40_000)
    found = retest(first, rng.choice(4, 40_000, p=[0.2, 0.5, 0.2, 0.1]), voter)
    same = retest(first, np.array([B_WINS, A_WINS, TIE, BOTH_BAD])[first], voter)

    assert found.exact.share == pytest.approx(0.25 + 0.04 + 0.04 + 0.01, abs=0.01)
    assert found.exact.share == pytest.approx(found.exact.chance, abs=0.01)
    assert (same.exact.share, same.decided.share) == (1.0, 1.0)


def test_its_interval_knows_the_voters() -> None:
    """Ten people of ten pairs each, five of them steady and five not, say little more than ten votes; without a pair nothing is said."""
    voter = np.repeat(np.arange(10), 10)
    first = np.zeros(100, np.int64)
    again = np.where(voter < 5, B_WINS, A_WINS)
    found, single = retest(first, again, voter), retest(first, again, np.arange(100))

    assert found.exact.interval is not None
    assert single.exact.interval is not None
    assert np.ptp(found.exact.interval) > 2 * np.ptp(single.exact.interval)
    nothing = retest(np.array([TIE]), np.array([TIE]), np.array([0]))
    assert (nothing.exact.of, nothing.decided.of, nothing.decided.share, nothing.decided.chance) == (1, 0, None, None)


def test_looked_at_while_they_come_its_interval_is_as_much_wider_as_a_side_s() -> None:
    """At the planned number of repeats it reaches 1.55 times as far as at one look, with many people."""
    voter = np.arange(4000)
    first = np.zeros(4000, np.int64)
    again = np.where(voter % 4 > 0, B_WINS, A_WINS)
    once, always = (retest(first, again, voter, looks).exact for looks in (None, Anytime(4000)))
    assert once.interval is not None
    assert always.interval is not None
    assert always.share == once.share == 0.75
    assert np.ptp(always.interval) == pytest.approx(1.55 * np.ptp(once.interval), rel=0.01)
