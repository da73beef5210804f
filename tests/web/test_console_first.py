"""The console's standings say who is among the first K, and whether the cut is told apart; never more than the votes do."""

from pathlib import Path

import pytest

from arena.i18n.catalogue import messages
from arena.results.live.leaderboard import Leaderboard
from arena.web.console.tabs import live
from ratings.first import first
from tests.support.stages import NOW, Room


@pytest.mark.parametrize("planned_advance", [1, 2, 4, 5])
def test_the_standings_say_who_is_among_the_first(tmp_path: Path, planned_advance: int) -> None:
    """Each row has its standing, with the probability where it is open; the sentence counts the sure and names the open."""
    strengths = {"hanbit": 1.5, "maru": 0.1, "dasom": 0.0, "narae": -0.1, "garam": -1.5}
    room = Room(tmp_path).vote(600, voters=60, strengths=strengths)
    seen = Leaderboard(room.store, room.stage, clock=lambda: NOW).snapshot()
    room.close()
    assert seen.ratings is not None
    among = first(seen.ratings, planned_advance)
    told = dict(zip(seen.ratings.models, among.in_first, strict=True))

    section = live.ratings(seen, planned_advance, messages("en"))

    column = section.table.columns.index(f"first {planned_advance}")
    shown = {row[2]: str(row[column]) for row in section.table.rows}
    assert {team.split(" (")[0] for team in shown.values()} <= {"surely", "maybe", "no"}
    for model, standing in told.items():
        cell = shown[live.team_of(seen, model, messages("en"))]
        assert cell.startswith(str(standing))
        assert ("%" in cell) == (standing == "maybe")
    maybe = [live.team_of(seen, model, messages("en")) for model, standing in told.items() if standing == "maybe"]
    assert (" may or may not be among them" in section.says) == bool(maybe)
    assert all(team in section.says for team in maybe)
    if planned_advance == 2:
        assert told["hanbit"] == "surely"
        assert told["garam"] == "no"
        assert "not told apart yet" in section.says
