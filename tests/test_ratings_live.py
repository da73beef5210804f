"""Live ratings equal batch ratings."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratings.comparison import Comparisons
from ratings.errors import ComparisonError, NothingToRateError
from ratings.fit import rate
from ratings.live import GroupedVotes, LiveRatings
from tests.ratings_votes import frame, votes


def rows(comparisons: Comparisons) -> list[GroupedVotes]:
    table = frame(comparisons)
    return [GroupedVotes(r.voter, r.model_a, r.model_b, r.winner) for r in table.itertuples()]  # type: ignore[arg-type]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(0, 180), both_bad=st.sampled_from(["exclude", "tie"]))
def test_one_by_one_or_in_batches_is_the_batch_fit(seed: int, cut: int, both_bad):
    """Votes one at a time, then the rest in one batch in reverse, give `rate`'s answer to the last digit."""
    comparisons = votes([0.6, 0.1, -0.2, -0.5], 20, 9, seed, taste=1, ties=0.2, both_bad=0.1)
    live = LiveRatings(comparisons.models, both_bad=both_bad)
    given_votes = rows(comparisons)
    for vote in given_votes[:cut]:
        live.add(vote.voter, vote.model_a, vote.model_b, vote.winner)
    live.add_many(reversed(given_votes[cut:]))
    snapshot, batch = live.snapshot(seed=7), rate(comparisons, both_bad=both_bad, seed=7)
    assert snapshot.to_dict() == batch.to_dict()
    assert snapshot.rows == batch.rows
    np.testing.assert_array_equal(snapshot.covariance, batch.covariance)
    assert len(live) == len(comparisons)


def test_grouped_counts_are_single_votes():
    """A database's GROUP BY rows count as the votes they stand for, and a negative count takes them back."""
    table = frame(votes([0.4, 0.0, -0.4], 25, 12, seed=2, ties=0.2))
    grouped = table.value_counts(["voter", "model_a", "model_b", "winner"])
    live = LiveRatings(["m0", "m1", "m2"])
    live.add_many(GroupedVotes(*key, count=int(n)) for key, n in grouped.items())  # type: ignore[misc]
    batch = rate(Comparisons.from_frame(table))
    assert live.snapshot().to_dict() == batch.to_dict()
    live.add_many([GroupedVotes("stuffer", "m0", "m1", "model_a", 500)])
    assert live.snapshot().to_dict() != batch.to_dict()
    live.add_many([GroupedVotes("stuffer", "m0", "m1", "model_a", -500)])
    assert live.snapshot().to_dict() == batch.to_dict()


def test_a_wrong_vote_changes_nothing():
    """A batch with one bad row counts none of its rows, and names the bad one."""
    live = LiveRatings(["m0", "m1"])
    with pytest.raises(ComparisonError, match="row 1: 'm9'"):
        live.add_many([GroupedVotes("u", "m0", "m1", "tie"), GroupedVotes("u", "m0", "m9", "tie")])
    with pytest.raises(ComparisonError, match="taken back"):
        live.add_many([GroupedVotes("u", "m0", "m1", "tie", -1)])
    assert len(live) == 0
    with pytest.raises(NothingToRateError):
        live.snapshot()
