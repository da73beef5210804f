"""Questions as clusters: what one question happens to favour is shared by all votes on it, and widens the intervals by as much."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from ratings import bradley_terry
from ratings.clusters import whole_gram
from ratings.comparison import Comparisons
from ratings.errors import ComparisonError
from ratings.fit import rate
from ratings.live import LiveRatings
from ratings.questions import exact_squares
from tests.support.ratings_votes import frame, votes


def asked(
    seed: int, *, voters: int, each: int, share: float, questions: int, effect: float = 0.5, taste: float = 0.5
) -> Comparisons:
    """Five equal models, voters with a taste, and questions that favour some; this share of the votes is on so many shared ones."""
    rng = np.random.default_rng(seed)
    n = voters * each
    voter = np.repeat(np.arange(voters), each)
    question = np.where(rng.random(n) < share, rng.integers(0, questions, n), questions + np.arange(n))
    liking = taste * rng.standard_normal((voters, 5))
    favours = effect * rng.standard_normal((questions + n, 5))
    a = rng.integers(0, 5, n)
    b = (a + rng.integers(1, 5, n)) % 5
    p = expit(liking[voter, a] - liking[voter, b] + favours[question, a] - favours[question, b])
    outcome = np.where(rng.random(n) < 0.6 * p * (1 - p), 2, np.where(rng.random(n) < p, 0, 1))
    return Comparisons.from_codes([f"m{i}" for i in range(5)], a, b, outcome, voter, question=question)


def by_hand(of: Comparisons, cluster: np.ndarray) -> np.ndarray:
    """Σ s sᵀ over clusters, straight from the definition."""
    k = len(of.models)
    p = bradley_terry.probabilities(rate(of).theta)
    gram = np.zeros((k, k))
    for each in np.unique(cluster):
        score = np.zeros(k)
        for n in np.flatnonzero((cluster == each) & (of.outcome != 3)):
            surprise = (1, 0, 0.5)[of.outcome[n]] - p[of.a[n], of.b[n]]
            score[of.a[n]] += surprise
            score[of.b[n]] -= surprise
        gram += np.outer(score, score)
    return gram


def test_it_is_the_voters_and_the_questions_less_both():
    """The questions' part is Σ over questions less Σ over voter and question, as Cameron, Gelbach and Miller write it."""
    comparisons = asked(3, voters=20, each=6, share=0.6, questions=8)
    assert comparisons.voter is not None
    assert comparisons.question is not None
    both = comparisons.voter * 10_000 + comparisons.question
    tally = comparisons.tally()
    assert tally.questions is not None
    p = bradley_terry.probabilities(rate(comparisons).theta)
    wanted = by_hand(comparisons, comparisons.question) - by_hand(comparisons, both)
    np.testing.assert_allclose(tally.questions.excess(p), wanted, atol=2e-3)
    squares = np.bincount(comparisons.question) ** 2
    assert tally.questions.sum_of_squares(np.ones(5, bool)) == squares.sum()


def test_different_questions_cost_nothing():
    """Where everybody asks something else, by one's own count or by none, the intervals are those by voter, to the last digit."""
    comparisons = asked(4, voters=30, each=8, share=0, questions=1)
    alone = rate(replace(comparisons, question=None))
    for question in (comparisons.question, np.full(len(comparisons), -1)):
        found = rate(replace(comparisons, question=question))
        np.testing.assert_array_equal(found.covariance, alone.covariance)
        assert found.n_eff_questions == pytest.approx(len(comparisons))


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    cut=st.integers(0, 50),
    voice=st.sampled_from(["citizen", "vote"]),
    both_bad=st.sampled_from(["exclude", "tie"]),
)
def test_live_is_the_batch_fit(seed: int, cut: int, voice, both_bad):
    """Votes one by one, the rest in two batches, a third of them taken back and some cast again: `rate`'s answer, to the last digit."""
    comparisons = asked(seed, voters=15, each=10, share=0.7, questions=6)
    rng = np.random.default_rng(seed)
    assert comparisons.question is not None
    outcome = np.where(rng.random(len(comparisons)) < 0.1, 3, comparisons.outcome)
    question = np.where(rng.random(len(comparisons)) < 0.1, -1, comparisons.question)
    comparisons = replace(comparisons, outcome=outcome, question=question, voice=voice)
    table = frame(comparisons).assign(question=question)
    live = LiveRatings(comparisons.models, both_bad=both_bad, voice=voice, questions=True)
    for n in range(cut):
        row = table.iloc[n]
        live.add(row["voter"], row["model_a"], row["model_b"], row["winner"], question=int(row["question"]))
    middle = (cut + len(table)) // 2
    live.add_many(table.iloc[middle:].iloc[::-1])
    live.add_many(table.iloc[cut:middle])
    gone = rng.random(len(table)) < 0.4
    live.add_many(table[gone].assign(count=-1))
    back = gone & (rng.random(len(table)) < 0.3)
    live.add_many(table.loc[back])
    kept = np.flatnonzero(~gone | back)
    left = replace(
        comparisons,
        **{name: getattr(comparisons, name)[kept] for name in ("a", "b", "outcome", "voter", "question")},
    )
    snapshot, batch = live.snapshot(seed=7), rate(left, both_bad=both_bad, seed=7)
    assert snapshot.to_dict() == batch.to_dict()
    np.testing.assert_array_equal(snapshot.covariance, batch.covariance)


def test_a_vote_on_another_question_is_not_taken_back():
    """Votes that nobody cast on that question cannot be taken back, and nothing changes."""
    comparisons = asked(1, voters=5, each=6, share=1, questions=3)
    assert comparisons.question is not None
    table = frame(comparisons).assign(question=comparisons.question)
    live = LiveRatings(comparisons.models, questions=True)
    live.add_many(table)
    before = live.snapshot().to_dict()
    with pytest.raises(ComparisonError):
        live.add_many(table.iloc[:1].assign(question=99, count=-1))
    assert live.snapshot().to_dict() == before


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), voice=st.sampled_from(["citizen", "vote"]))
def test_order_sides_and_names_change_no_digit(seed: int, voice):
    """Shuffled votes, renamed voters and questions, swapped sides: the same covariance to the last digit."""
    comparisons = replace(asked(seed, voters=15, each=8, share=0.6, questions=6), voice=voice)
    rng = np.random.default_rng(seed)
    assert comparisons.voter is not None
    assert comparisons.question is not None
    order = rng.permutation(len(comparisons))
    names = rng.permutation(int(comparisons.question.max()) + 1)
    swapped = np.array([1, 0, 2, 3])
    other = replace(
        comparisons,
        a=comparisons.b[order],
        b=comparisons.a[order],
        outcome=swapped[comparisons.outcome[order]],
        voter=rng.permutation(15)[comparisons.voter[order]],
        question=names[comparisons.question[order]],
    )
    np.testing.assert_array_equal(rate(other).covariance, rate(comparisons).covariance)


@pytest.mark.parametrize("voice", ["citizen", "vote"])
@pytest.mark.parametrize(("each", "questions"), [(4, 12), (30, 5)])
def test_how_voters_are_numbered_changes_no_digit(voice, each: int, questions: int):
    """Voters' numbers far apart, so that no table holds all cells of voter and question: the same covariance, to the last digit."""
    comparisons = replace(asked(6, voters=20, each=each, share=0.8, questions=questions), voice=voice)
    assert comparisons.voter is not None
    apart = replace(comparisons, voter=comparisons.voter * 30_000)
    np.testing.assert_array_equal(rate(apart).covariance, rate(comparisons).covariance)


@pytest.mark.parametrize("voice", ["citizen", "vote"])
def test_who_asks_the_same_again_alone_shares_nothing(voice):
    """A question that one voter asks twice is that voter's: the digits are those of two questions that nobody else can have asked."""
    comparisons = replace(asked(8, voters=20, each=6, share=0.5, questions=6), voice=voice)
    assert comparisons.question is not None
    assert comparisons.voter is not None
    own = np.where(comparisons.question < 6, comparisons.question, 6 + comparisons.voter)
    twice, none = replace(comparisons, question=own), replace(comparisons, question=np.where(own < 6, own, -1))
    assert np.bincount(own).max(initial=0) > 1
    p = bradley_terry.probabilities(rate(twice).theta)
    found = [each.tally().questions for each in (twice, none)]
    np.testing.assert_array_equal(found[0].excess(p), found[1].excess(p))  # pyright: ignore[reportOptionalMemberAccess]


def test_few_questions_say_so():
    """Four questions tell nothing of the others: the intervals are by voter, and a warning says it."""
    comparisons = asked(2, voters=60, each=10, share=1, questions=4)
    found, alone = rate(comparisons), rate(replace(comparisons, question=None))
    np.testing.assert_array_equal(found.covariance, alone.covariance)
    assert "few_questions" in {notice.code for notice in found.notices}
    assert found.to_dict()["method"]["covariance"] == "sandwich clustered by voter"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("design", "by_voter"),
    [
        ({"voters": 300, "each": 20, "share": 0.6, "questions": 16}, (65, 85)),
        ({"voters": 300, "each": 20, "share": 1.0, "questions": 20}, (50, 70)),
        ({"voters": 49, "each": 10, "share": 1.0, "questions": 10}, (80, 94)),
    ],
)
def test_the_interval_covers(design: dict, by_voter: tuple[int, int]):
    """Of 150 simulated stages whose questions favour some, the points' 95 % intervals hold the truth in about 95 %; by voter alone they do not."""
    held = {"both": 0, "voter": 0}
    for seed in range(150):
        comparisons = asked(seed, **design)
        for name, each in (("both", comparisons), ("voter", replace(comparisons, question=None))):
            held[name] += sum(
                row.points_ci95 is not None and row.points_ci95[0] - 0.005 <= 12.5 <= row.points_ci95[1] + 0.005
                for row in rate(each).rows
            )
    assert 92 <= held["both"] / 7.5 <= 98.5
    assert by_voter[0] <= held["voter"] / 7.5 <= by_voter[1]


@given(rows=st.lists(st.lists(st.integers(-(2**50), 2**50), min_size=2, max_size=2), min_size=1, max_size=6))
def test_sums_are_exact(rows: list[list[int]]):
    """Products of whole numbers of any size add up as Python's integers do."""
    gram = whole_gram(np.array(rows, np.int64))
    assert gram.tolist() == [[sum(row[i] * row[j] for row in rows) for j in (0, 1)] for i in (0, 1)]
    flat = [abs(value) for row in rows for value in row]
    assert exact_squares(np.array(flat, np.int64)) == sum(value**2 for value in flat)


def test_votes_without_questions_are_as_before():
    """The tally of votes whose questions are not known has no such part."""
    assert votes([0.1, 0.0], 5, 3, 1).tally().questions is None
