"""Live ratings equal batch ratings."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratings.comparison import Comparisons
from ratings.errors import ComparisonError, NothingToRateError
from ratings.fit import rate
from ratings.live import LiveRatings
from tests.support.ratings_votes import frame, votes
from tests.support.words import refusing


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(0, 180), both_bad=st.sampled_from(["exclude", "tie"]))
def test_one_by_one_or_in_batches_is_the_batch_fit(seed: int, cut: int, both_bad):
    """Votes one at a time, then the rest in one batch in reverse, give `rate`'s answer to the last digit."""
    comparisons = votes([0.6, 0.1, -0.2, -0.5], 20, 9, seed, taste=1, ties=0.2, both_bad=0.1)
    live = LiveRatings(comparisons.models, both_bad=both_bad)
    table = frame(comparisons)
    for n in range(cut):
        live.add(*(str(table[column].iloc[n]) for column in ("voter", "model_a", "model_b", "winner")))
    live.add_many(table.iloc[cut:].iloc[::-1])
    snapshot, batch = live.snapshot(seed=7), rate(comparisons, both_bad=both_bad, seed=7)
    assert snapshot.to_dict() == batch.to_dict()
    assert snapshot.rows == batch.rows
    np.testing.assert_array_equal(snapshot.covariance, batch.covariance)
    assert len(live) == len(comparisons)


def test_grouped_counts_are_single_votes():
    """A database's GROUP BY rows count as the votes they stand for, and a negative count takes them back."""
    table = frame(votes([0.4, 0.0, -0.4], 25, 12, seed=2, ties=0.2))
    grouped = table.value_counts(["voter", "model_a", "model_b", "winner"]).reset_index(name="count")
    live = LiveRatings(["m0", "m1", "m2"])
    live.add_many(grouped)
    batch = rate(Comparisons.from_frame(table))
    assert live.snapshot().to_dict() == batch.to_dict()
    stuffed = grouped.iloc[:1].assign(voter="stuffer", model_a="m0", model_b="m1", winner="model_a", count=500)
    live.add_many(stuffed)
    assert live.snapshot().to_dict() != batch.to_dict()
    live.add_many(stuffed.assign(count=-500))
    live.add_many(grouped.iloc[:0])
    assert live.snapshot().to_dict() == batch.to_dict()


def test_a_wrong_vote_changes_nothing():
    """A batch with one bad row counts none of its rows, and names the bad one."""
    live = LiveRatings(["m0", "m1"])
    good = {"voter": "u", "model_a": "m0", "model_b": "m1", "winner": "tie"}
    with refusing(ComparisonError, match="row 1: model_b is 'm9'"):
        live.add_many(pd.DataFrame([good, {**good, "model_b": "m9"}]))
    with refusing(ComparisonError, match="taken back"):
        live.add_many(pd.DataFrame([{**good, "count": -1}]))
    for wrong in ({"model_a": "m9"}, {"model_b": "m0"}, {"winner": "left"}):
        vote = {**good, **wrong}
        with pytest.raises(ComparisonError):
            live.add(vote["voter"], vote["model_a"], vote["model_b"], vote["winner"])
    assert len(live) == 0
    with pytest.raises(NothingToRateError):
        live.snapshot()
