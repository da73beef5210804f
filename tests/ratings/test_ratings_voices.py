"""Whose voice a vote is: with one for each citizen, how often somebody votes moves nothing but how well their opinion is known."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratings import davidson, style
from ratings.comparison import Comparisons
from ratings.errors import ComparisonError
from ratings.fit import rate
from ratings.live import LiveRatings
from ratings.robustness import robustness
from ratings.voices import COUNT_BITS, shares
from tests.support.ratings_votes import frame, votes
from tests.support.words import refusing


def uneven(seed: int, *, voters: int = 24, both_bad: float = 0.1) -> Comparisons:
    """Citizens with a taste; the first casts a few votes, the last dozens; one voice each."""
    all_of_them = votes([0.6, 0.1, -0.2, -0.5], voters, 24, seed, taste=1, ties=0.2, both_bad=both_bad)
    assert all_of_them.voter is not None
    kept = np.random.default_rng(seed).random(len(all_of_them)) < np.geomspace(0.1, 1, len(all_of_them))
    return taken(all_of_them, np.flatnonzero(kept))


def taken(of: Comparisons, rows: np.ndarray) -> Comparisons:
    """Some of the votes, one voice for each citizen."""
    assert of.voter is not None
    weight = None if of.weight is None else of.weight[rows]
    return Comparisons.from_codes(
        of.models, of.a[rows], of.b[rows], of.outcome[rows], of.voter[rows], weight, voice="citizen"
    )


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(0, 60), both_bad=st.sampled_from(["exclude", "tie"]))
def test_live_is_the_batch_fit(seed: int, cut: int, both_bad):
    """Votes one at a time, then the rest at once in reverse, then some taken back: `rate`'s answer for what is left, to the last digit."""
    comparisons = uneven(seed)
    table = frame(comparisons)
    live = LiveRatings(comparisons.models, both_bad=both_bad, voice="citizen")
    for n in range(cut):
        voter, a, b, winner = (str(table[column].iloc[n]) for column in ("voter", "model_a", "model_b", "winner"))
        live.add(voter, a, b, winner)
    live.add_many(table.iloc[cut:].iloc[::-1])
    gone = np.random.default_rng(seed).random(len(table)) < 0.3
    live.add_many(table[gone].assign(count=-1))
    snapshot = live.snapshot(seed=7)
    batch = rate(taken(comparisons, np.flatnonzero(~gone)), both_bad=both_bad, seed=7)
    assert snapshot.to_dict() == batch.to_dict()
    np.testing.assert_array_equal(snapshot.covariance, batch.covariance)
    assert snapshot.voice == "citizen"


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_order_and_names_change_no_digit(seed: int):
    """Shuffled votes, and voters with other codes: the same ratings to the last digit, weighted citizens too."""
    comparisons = uneven(seed)
    assert comparisons.voter is not None
    rng = np.random.default_rng(seed)
    voter = comparisons.voter
    weight = np.round(rng.uniform(0.2, 5, int(voter.max()) + 1), 9)[voter]
    comparisons = replace(comparisons, weight=weight)
    order = rng.permutation(len(comparisons))
    renamed = rng.permutation(int(voter.max()) + 1)
    shuffled = replace(taken(comparisons, order), voter=renamed[voter[order]])
    once, again = rate(comparisons, seed=1), rate(shuffled, seed=1)
    assert once.to_dict() == again.to_dict()
    np.testing.assert_array_equal(once.covariance, again.covariance)


def test_whoever_repeats_every_vote_is_one_citizen_still():
    """A citizen whose votes all stand ten times counts as before; counted by vote, the same citizen decides."""
    comparisons = uneven(5)
    assert comparisons.voter is not None
    rows = np.arange(len(comparisons))
    busy = rows[comparisons.voter == 2]
    stuffed = taken(comparisons, np.concatenate([rows, *[busy] * 9]))
    np.testing.assert_allclose(rate(stuffed).theta, rate(comparisons).theta, atol=0.02)
    by_vote = replace(stuffed, voice="vote"), replace(comparisons, voice="vote")
    assert np.abs(rate(by_vote[0]).theta - rate(by_vote[1]).theta).max() > 0.1


def test_it_is_the_fit_of_those_weights():
    """Theta is what votes with the weights w/n of mean 1 give as they come, its covariance to one part in a thousand; counts stay votes."""
    comparisons = uneven(8, voters=60)
    weight = comparisons.weights("exclude")
    fitted = comparisons.in_fit("exclude")
    assert weight[fitted].mean() == pytest.approx(1, abs=1e-12)
    assert not weight[~fitted].any()
    ours, plain = rate(comparisons), rate(replace(comparisons, voice="vote", weight=weight))
    np.testing.assert_allclose(ours.theta, plain.theta, atol=1e-9)
    np.testing.assert_allclose(ours.covariance, plain.covariance, rtol=1e-3, atol=1e-6)
    by_vote = rate(replace(comparisons, voice="vote"))
    assert [row.n_votes for row in ours.rows] == [row.n_votes for row in by_vote.rows]
    assert (ours.n_votes, ours.n_used) == (by_vote.n_votes, by_vote.n_used)
    assert comparisons.voter is not None
    assert ours.n_eff_voters == pytest.approx(len(np.unique(comparisons.voter[fitted])), rel=1e-3)


def test_the_other_readings_share_the_voice():
    """Style, the tie model and robustness see what the fit sees: repeated votes of one citizen do not move them, or hardly."""
    comparisons = uneven(3)
    assert comparisons.voter is not None
    rows = np.arange(len(comparisons))
    stuffed = taken(comparisons, np.concatenate([rows, *[rows[comparisons.voter == 4]] * 9]))
    for reading in (lambda c: style.controlled(c).theta, lambda c: davidson.fit(c.tally()).theta):
        np.testing.assert_allclose(reading(stuffed), reading(comparisons), atol=0.02)
    voters = [[swap.voters for swap in robustness(each)] for each in (comparisons, stuffed)]
    assert voters[0] == voters[1]


def test_shares_are_whole_and_never_lost():
    """A citizen with more votes than there are units still counts; one without a weight, or without a vote in the fit, does not."""
    held = shares(np.array([1.0, 5.0, 0.0, 1.0, 1.0]), np.array([1, 1, 3, 0, 2**40]), COUNT_BITS)
    assert held.tolist() == [round(2**COUNT_BITS / 5), 2**COUNT_BITS, 0, 0, 1]


def test_a_citizen_has_one_weight():
    """Two weights of one voter are refused with the row."""
    with refusing(ComparisonError, match="row 2: weight is 3"):
        Comparisons.from_codes("xy", [0, 0, 0], [1, 1, 1], [0, 0, 1], [0, 1, 0], [2.0, 1.0, 3.0], voice="citizen")
