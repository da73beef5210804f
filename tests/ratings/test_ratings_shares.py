"""Shares that know their voters: which side wins, whose battles end without a winner, and how many such questions are asked at once."""

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import binomtest, fisher_exact

from ratings.comparison import Comparisons
from ratings.shares import both_bad, holm, side_bias, unvoted, wilson

MODELS = ("m0", "m1", "m2", "m3")


def asked(
    seed: int, voters: int = 60, each: int = 30, *, rate: float = 0.1, habit: float = 0.0, loyal: float = 0.0
) -> Comparisons:
    """Votes without any strength; a share of the voters says "neither" of every battle that m0 would have lost."""
    rng, n = np.random.default_rng(seed), voters * each
    voter = np.repeat(np.arange(voters), each)
    a = rng.integers(0, 4, n)
    b = (a + rng.integers(1, 4, n)) % 4
    outcome = np.where(rng.random(n) < expit(habit * rng.standard_normal(voters))[voter], 0, 1)
    outcome = np.where(rng.random(n) < rate, 3, outcome)
    lost = ((a == 0) & (outcome == 1)) | ((b == 0) & (outcome == 0))
    return Comparisons.from_codes(MODELS, a, b, np.where(lost & (voter < loyal * voters), 3, outcome), voter)


def test_one_vote_each_is_the_textbook_interval() -> None:
    """Where every vote is another person's and there are many, share, interval and p are Wilson's."""
    found = side_bias(np.repeat([1, 0], [5300, 4700]), np.repeat([0, 1], [5300, 4700]))

    book = binomtest(5300, 10_000).proportion_ci(method="wilson")
    assert (found.wins_a, found.wins_b, found.share, found.voters) == (5300, 4700, 0.53, 10_000)
    assert found.interval == pytest.approx((book.low, book.high), abs=1e-5)
    assert found.p == pytest.approx(2e-9, abs=1e-9)


def test_votes_of_one_habit_count_once() -> None:
    """Twenty people who each keep to their side say as much as twenty votes, whether they vote once or fifty times."""
    once, often = (side_bias(n * np.repeat([1, 0], [13, 7]), n * np.repeat([0, 1], [13, 7])) for n in (1, 50))

    assert often.share == once.share == 0.65
    assert once.interval == pytest.approx(often.interval, abs=0.02)
    assert often.p is not None
    assert often.p > 0.1


@pytest.mark.parametrize(
    ("a", "b", "interval", "p"), [([], [], None, None), ([0], [0], None, None), ([40], [20], (0, 1), None)]
)
def test_nobody_and_one_voter_tell_nothing(
    a: list[int], b: list[int], interval: tuple[int, int] | None, p: float | None
) -> None:
    """Without a decided vote there is no share; of one voter nobody knows how alike its votes are."""
    found = side_bias(np.array(a, int), np.array(b, int))
    assert (found.interval, found.p) == (interval, p)


def test_all_for_one_side_is_no_certainty() -> None:
    """Ten voters who all chose side a leave it possible that some would not."""
    low, high = side_bias(np.full(10, 30), np.zeros(10, int)).interval or (0, 0)
    assert 0.6 < low < 0.8
    assert high == pytest.approx(1)


@pytest.mark.parametrize("habit", [0.0, 0.5, 1.0, 2.0])
def test_the_interval_of_the_side_holds_the_truth(habit: float) -> None:
    """60 voters × 30 votes with habits of this standard deviation (logits): 95 % intervals hold the truth in 93 to 97 of 100 (600 here, ± 1.8)."""
    rng, held = np.random.default_rng(9), 0
    for _ in range(600):
        won = rng.binomial(30, expit(habit * rng.standard_normal(60)))
        low, high = side_bias(won, 30 - won).interval or (1, 0)
        held += low <= 0.5 <= high
    assert 0.93 <= held / 600 <= 0.975


def test_swapped_sides_turn_the_side_and_nothing_else() -> None:
    """The share of the other side is what is left, with the same p; of both_bad only the sides' names change."""
    votes = asked(3, habit=1.0)
    voters, wins = 60, [np.bincount(votes.voter[votes.outcome == o], minlength=60) for o in (0, 1)]  # type: ignore[index]
    one, other = side_bias(wins[0], wins[1]), side_bias(wins[1], wins[0])
    turned = np.array([1, 0, 2, 3])[votes.outcome]
    swapped = both_bad(Comparisons.from_codes(MODELS, votes.b, votes.a, turned, votes.voter))

    assert one.voters == other.voters <= voters
    assert other.share == pytest.approx(1 - (one.share or 0))
    assert other.p == pytest.approx(one.p)
    assert other.interval == pytest.approx([1 - end for end in reversed(one.interval or ())])
    turn = {None: None, "a": "b", "b": "a"}
    ours = {(test.model, test.side): test for test in both_bad(votes)}
    for test in swapped:
        same = ours[test.model, turn[test.side]]
        assert (test.times, test.of, test.p, test.adjusted) == (same.times, same.of, same.p, same.adjusted)


def test_the_order_of_votes_and_names_of_voters_change_no_digit() -> None:
    """Whole numbers are summed: shuffled votes give the same; other voters' codes move nothing that is shown."""
    votes, rng = asked(4), np.random.default_rng(1)
    order, names = rng.permutation(len(votes)), rng.permutation(60)
    voter = votes.voter
    assert voter is not None
    columns = (votes.a[order], votes.b[order], votes.outcome[order])

    assert both_bad(Comparisons.from_codes(MODELS, *columns, voter[order])) == both_bad(votes)
    renamed = both_bad(Comparisons.from_codes(MODELS, *columns, names[voter[order]]))
    assert [test.p for test in renamed] == pytest.approx([test.p for test in both_bad(votes)])


def test_refusing_to_say_shows() -> None:
    """A fifth of the voters calling m0's losses "neither" lifts its share, and the test says so; of the others only that theirs is smaller."""
    found = {(test.model, test.side): test for test in both_bad(asked(5, 200, 20, loyal=0.2))}

    whole = found["m0", None]
    assert whole.share is not None
    assert whole.others is not None
    assert whole.share > whole.others
    assert (whole.adjusted or 1) < 0.01
    assert all((found[model, None].share or 0) < (found[model, None].others or 0) for model in MODELS[1:])


def test_chance_alone_is_seldom_told() -> None:
    """Where nothing differs, some p of the family is below 5 % in at most 5 of 100 stages, also where people differ in how often they refuse."""
    told = [min(test.adjusted or 1 for test in both_bad(asked(seed, 40, 15))) < 0.05 for seed in range(150)]
    assert np.mean(told) <= 0.07


def test_a_rare_event_that_missed_a_team_is_no_finding() -> None:
    """Sixty-eight battles without an event that happens in 5 of 100 are no wonder: no variance is taken from their silence."""
    a = np.repeat([0, 1, 2, 3], [68, 100, 96, 96])
    outcome = np.zeros(360, int)
    outcome[[70 + 16 * n for n in range(18)]] = 3
    test = next(
        t
        for t in both_bad(Comparisons.from_codes(MODELS, a, (a + 1) % 4, outcome, np.arange(360) % 45))
        if (t.model, t.side) == ("m0", "a")
    )
    assert (test.times, test.of) == (0, 68)
    assert (test.p or 0) > 0.02


def test_two_teams_are_not_compared_with_others() -> None:
    """With two teams every battle is both's: only the sides can be told apart, and without any event nothing."""
    a = np.arange(40) % 2
    some = both_bad(Comparisons.from_codes("xy", a, 1 - a, np.where(np.arange(40) % 3, 0, 3), np.arange(40)))
    none = both_bad(Comparisons.from_codes("xy", a, 1 - a, np.zeros(40, int), np.arange(40)))

    assert [test.p is None for test in some] == [True, False, False] * 2
    assert {(test.p, test.adjusted) for test in none} == {(None, None)}
    empty: list[int] = []
    assert {test.share for test in both_bad(Comparisons.from_codes("xy", empty, empty, empty, empty))} == {None}


def test_battles_left_are_fishers_test() -> None:
    """Each team's against all others', by draw, exactly; a team that people leave when it loses is told."""
    shown = np.array([[0, 200, 200], [200, 0, 200], [200, 200, 0]])
    left = np.array([[0, 50, 45], [55, 0, 20], [48, 20, 0]])
    found = {(test.model, test.side): test for test in unvoted(("x", "y", "z"), left, shown)}

    both, on_a = found["x", None], found["x", "a"]
    assert (both.times, both.of, both.share, both.others) == (198, 800, 198 / 800, 40 / 400)
    assert both.p == pytest.approx(fisher_exact([[198, 602], [40, 360]])[1])
    assert (on_a.times, on_a.of) == (95, 400)
    assert (both.adjusted or 1) < 1e-6
    assert {test.p for test in unvoted(("x", "y", "z"), 0 * left, shown)} == {None}


def test_holm_by_hand() -> None:
    """The smallest times their number, and so on, never falling, at most 1; what cannot be told stays so and counts for nothing."""
    assert holm([0.01, None, 0.04, 0.03, 0.9]) == pytest.approx([0.04, None, 0.09, 0.09, 0.9])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


def test_wilson_stays_within_its_bounds() -> None:
    """From 0 to 1, around the share, narrower with more votes."""
    for share in (0.0, 0.01, 0.5, 1.0):
        (low, high), (nearer, further) = (wilson(share, n, 1.96) for n in (10, 1000))
        assert 0 <= low <= nearer <= share + 1e-12
        assert share - 1e-12 <= further <= high <= 1
