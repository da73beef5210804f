"""What a citizen preferred: few votes are drawn towards what is expected, and a difference is called one only beyond chance."""

from datetime import UTC, datetime

import numpy as np
import pytest

from arena.domain.vote import Winner
from arena.record.votes import OwnDecision
from arena.results.votes.taste import Preference, preferences

NOW = datetime(2026, 12, 1, tzinfo=UTC)
TEAMS = ("garam", "narae", "dasom")


def decided(a: str, b: str, winner: Winner, times: int = 1) -> list[OwnDecision]:
    """The same decision so many times."""
    return [OwnDecision("test", a, b, winner, NOW)] * times


def of(found: list[Preference], entrant: str) -> Preference:
    """One row."""
    return next(each for each in found if each.entrant == entrant)


def test_shares_are_drawn_towards_what_is_expected() -> None:
    """One win of one is no 100 %: with ten votes' worth of expectation it is 55 %, and beside everybody's 20 % it is 27 %."""
    found = preferences(decided("garam", "narae", Winner.MODEL_A), TEAMS)
    assert [each.entrant for each in found] == ["garam", "narae"]
    assert of(found, "garam").share == pytest.approx(6 / 11)
    assert of(found, "narae").share == pytest.approx(5 / 11)
    assert of(found, "garam").everybody is None
    beside = preferences(decided("garam", "narae", Winner.MODEL_A), TEAMS, {"garam": 0.2, "narae": 0.5, "dasom": 0.5})
    assert of(beside, "garam").share == pytest.approx(3 / 11)
    assert of(beside, "garam").everybody == 0.2


def test_a_tie_counts_half_and_both_bad_nothing() -> None:
    """A tie is half a win for each; where neither answer would do, neither was preferred; what is no entrant is left out."""
    found = preferences(
        [
            *decided("garam", "narae", Winner.TIE, 2),
            *decided("garam", "dasom", Winner.BOTH_BAD, 5),
            *decided("garam", "control", Winner.MODEL_A, 5),
        ],
        TEAMS,
    )
    assert {(each.entrant, each.won, each.judged) for each in found} == {("garam", 1.0, 2), ("narae", 1.0, 2)}


def test_only_what_chance_does_not_explain_is_called_different() -> None:
    """Three wins of three are chance, twenty of twenty are not; who chooses by coin is told of a difference once in twenty times at most."""
    assert not any(each.beyond_chance for each in preferences(decided("garam", "narae", Winner.MODEL_A, 3), TEAMS))
    sure = preferences(decided("garam", "narae", Winner.MODEL_A, 20), TEAMS)
    assert all(each.beyond_chance for each in sure)
    coin = np.random.default_rng(7)
    told = 0
    for _ in range(300):
        decisions = []
        for winner in coin.choice([Winner.MODEL_A, Winner.MODEL_B], 30):
            a, b = coin.permutation(3)[:2]
            decisions += decided(TEAMS[a], TEAMS[b], Winner(winner))
        told += any(each.beyond_chance for each in preferences(decisions, TEAMS))
    assert told <= 0.07 * 300
