"""How few entrants are drawn from: never so few that a citizen knows the pair, and no team can stop a stage for good."""

from datetime import UTC, datetime, timedelta

import pytest

from arena.battles.draw_floor import DrawFloor
from arena.domain.errors import StageError
from arena.domain.stage import Stage
from tests.support.serving import stage_toml
from tests.support.stages import stage_of

START = datetime(2026, 12, 1, tzinfo=UTC)
SCRIPT = 'backend = "scripted"\nanswers = ["답"]\n'


def floor(n: int, protocol: str = "") -> tuple[DrawFloor, list[datetime]]:
    """Of a stage of n entrants, e0, e1 …, and its clock."""
    entrants = "".join(
        f'\n[[entrants]]\nid = "e{i}"\nteam = {{ ko = "팀{i}", en = "T{i}" }}\n{SCRIPT}' for i in range(n)
    )
    now = [START]
    text = stage_toml(protocol=protocol).partition("\n[[entrants]]")[0] + entrants
    return DrawFloor(stage_of(text), clock=lambda: now[0]), now


def ids(*numbers: int) -> frozenset[str]:
    """Those entrants."""
    return frozenset(f"e{n}" for n in numbers)


@pytest.mark.parametrize(("n", "protocol", "fewest"), [(2, "", 2), (4, "", 3), (6, "", 5), (6, "min_in_draw = 3", 3)])
def test_battles_are_drawn_while_enough_entrants_can_be(n: int, protocol: str, fewest: int) -> None:
    """All but one, or as many as the stage declares; below that nobody is drawn, however long it lasts, and a check is no entrant."""
    held, now = floor(n, protocol)
    for left in range(n + 1):
        assert held.holds(ids(*range(left)) | {"check"}, frozenset()) == (left >= fewest), left
    now[0] += timedelta(days=1)
    assert held.holds(ids(*range(fewest - 1)), frozenset()) is False


def test_of_three_two_are_drawn_only_after_a_pause() -> None:
    """One team that is out leaves a pair that is known: it waits ten minutes, then goes on; once all have been back for an hour, the next outage waits anew."""
    held, now = floor(3)
    two = ids(0, 2)
    assert held.holds(ids(0, 1, 2), frozenset())
    for minutes, drawn in ((0, False), (9.9, False), (10, True), (60, True)):
        now[0] = START + timedelta(minutes=minutes)
        assert held.holds(two, frozenset()) is drawn, minutes
    assert held.holds(ids(0), frozenset()) is False
    assert held.holds(ids(0, 1, 2), frozenset())
    assert held.holds(two, frozenset())
    assert held.holds(ids(0, 1, 2), frozenset())
    now[0] += timedelta(minutes=61)
    assert held.holds(two, frozenset()) is False
    now[0] += timedelta(minutes=10)
    assert held.holds(two, frozenset())


@pytest.mark.parametrize(("away_s", "back_s"), [(540, 1), (60, 1), (20, 5), (300, 60)])
def test_who_comes_and_goes_pauses_the_draw_no_longer_than_who_stays_away(away_s: int, back_s: int) -> None:
    """Of three one is away and back for a moment, for five hours: in no hour is the draw paused for more than ten minutes, whoever asks how often."""
    held, now = floor(3)
    paused: list[float] = []
    for second in range(5 * 3600):
        now[0] = START + timedelta(seconds=second)
        back = second % (away_s + back_s) >= away_s
        if not held.holds(ids(0, 1, 2) if back else ids(0, 2), frozenset()):
            paused.append(second)
    assert paused
    worst = max(sum(begin <= second < begin + 3600 for second in paused) for begin in range(0, 4 * 3600, 60))
    assert worst <= 10 * 60 + 3600 / (away_s + back_s) + 1  # each absence is noticed at its first second


def test_an_absence_that_nobody_watched_is_not_counted() -> None:
    """Two were seen at night and all in the morning: when they came back nobody knows, so the next outage waits as the first would."""
    held, now = floor(3)
    assert not held.holds(ids(0, 1), frozenset())
    now[0] += timedelta(minutes=50)
    assert held.holds(ids(0, 1, 2), frozenset())
    assert not held.holds(ids(0, 1), frozenset())


@pytest.mark.parametrize("minutes", [0, 1, 1440])
def test_the_pause_is_as_long_as_declared(minutes: int) -> None:
    """None at all, a minute or a day."""
    held, now = floor(3, f"pause_minutes = {minutes}")
    assert held.holds(ids(0, 1), frozenset()) is (minutes == 0)
    now[0] += timedelta(minutes=minutes) - timedelta(seconds=1)
    assert held.holds(ids(0, 1), frozenset()) is (minutes == 0)
    now[0] += timedelta(seconds=1)
    assert held.holds(ids(0, 1), frozenset())


def test_who_was_removed_is_no_part_of_the_whole() -> None:
    """Of five with one removed three may be drawn from; of three with one removed, the two that are left, at once."""
    held, _ = floor(5)
    assert held.holds(ids(0, 1, 2), ids(4))
    assert not held.holds(ids(0, 1, 4), ids(4))
    held, _ = floor(3)
    assert held.holds(ids(0, 1), ids(2))


def test_a_stage_cannot_ask_for_more_than_it_has() -> None:
    """`min_in_draw` above the number of entrants would draw nobody, ever: refused when the file is read."""
    with pytest.raises(StageError):
        Stage.from_toml(stage_toml(protocol="min_in_draw = 4").encode(), "stage.toml")
