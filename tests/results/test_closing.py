"""The closing rule: what ends a stage is sealed, a freeze that does not follow it says why, and the intervals know whether anybody could choose the moment."""

from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from arena.cli import app as cli
from arena.domain.errors import StageError, Unusable
from arena.domain.stage import VOTES_PER_ENTRANT
from arena.results import lifecycle
from arena.results.export.bundle import make, seal
from arena.results.export.document import STAGE
from arena.results.export.proofs import VerificationError
from arena.results.export.verify import verify_files
from arena.results.live.leaderboard import Leaderboard
from tests.support.stages import CLI, NOW, Room, stage_of
from tests.support.words import refusing

LATER = NOW + timedelta(days=1)
SEPARATION = 'closing = { rule = "separation" }'


def votes_rule(number: int) -> str:
    """The rule that ends a stage at so many votes."""
    return f'closing = {{ rule = "votes", number = {number} }}'


@pytest.mark.parametrize(
    ("more", "kind", "followed"),
    [
        (votes_rule(120), "fixed", True),
        (votes_rule(110), "fixed", True),
        (votes_rule(109), "anytime", False),
        (votes_rule(121), "anytime", False),
        ('closing = { rule = "panelists", number = 20 }', "fixed", True),
        ('closing = { rule = "panelists", number = 21 }', "anytime", False),
        (f"closes = {NOW.isoformat()}", "fixed", True),
        (f"closes = {LATER.isoformat()}", "anytime", False),
        ("", "fixed", None),
    ],
)
def test_intervals_follow_from_the_rule(tmp_path: Path, more: str, kind: str, followed: bool | None) -> None:
    """A rule met, by up to a tenth more, keeps intervals of one look; one that is not needs a reason, and keeps those of all looks. Nothing declared for
    invented votes is one look. Before the freeze they are always those of all. The stranger's check agrees with each."""
    room = Room(tmp_path, more=more).vote(120, voters=20)
    early = make(room.store, room.keys, room.stage.id, NOW).document
    assert early.closing.intervals == "anytime"
    assert early.closing.followed is None
    if followed is False:
        with refusing(Unusable, match="closing rule"):
            room.freeze()
    reason = "a flood in the machine room" if followed is False else ""
    lifecycle.freeze(room.store, room.keys, room.stage.id, organizer=CLI, now=NOW, reason=reason)

    bundle = make(room.store, room.keys, room.stage.id, NOW)
    told = bundle.document.closing
    assert (told.intervals, told.followed, told.reason) == (kind, followed, reason or None)
    assert bundle.document.method is not None
    assert bundle.document.method.intervals == kind
    verify_files(bundle.files, room.keys.jwks())
    [event] = room.store.events.of_stage(room.stage.id, "stage.frozen")
    assert event.data.get("reason", "") == reason
    ratings = Leaderboard(room.store, room.stage).snapshot().ratings
    assert ratings is not None
    assert (ratings.looks is not None) == (kind == "anytime")
    room.close()


def test_an_end_at_separation_has_looked(tmp_path: Path) -> None:
    """It follows its rule only once the cut is apart at all looks together, and its intervals stay wide even then."""
    early = Room(tmp_path, stage_id="early", more=SEPARATION).vote(40)
    with refusing(Unusable, match="separation"):
        early.freeze()
    early.close()
    room = Room(tmp_path, stage_id="late", more=SEPARATION)
    strengths = dict(zip(room.stage.entrant_ids, (1.0, 1.0, 1.0, 1.0, -2.0), strict=True))
    room.vote(600, voters=120, strengths=strengths).freeze()
    told = make(room.store, room.keys, room.stage.id, NOW).document
    assert told.cut is not None
    assert told.cut.separated
    assert (told.closing.followed, told.closing.intervals) == (True, "anytime")
    room.close()


def test_a_view_that_stays_open_over_the_freeze_narrows(tmp_path: Path) -> None:
    """The live view says intervals for all looks until the freeze and those of one look after it, without another vote."""
    room = Room(tmp_path, more=votes_rule(120)).vote(120)
    board = Leaderboard(room.store, room.stage)
    before = board.snapshot()
    room.freeze()
    after = board.snapshot()
    assert before.ratings is not None
    assert after.ratings is not None
    for wide, narrow in zip(before.ratings.rows, after.ratings.rows, strict=True):
        (low, high), (inner_low, inner_high) = wide.points_ci95 or (0, 0), narrow.points_ci95 or (0, 0)
        assert low < inner_low < inner_high < high
    assert before.to_json()["method"]["intervals"] == "anytime"
    assert (before.side_bias.interval or (1, 1))[0] < (after.side_bias.interval or (0, 0))[0]
    room.close()


def test_verify_refuses_a_closing_that_the_file_does_not_say(tmp_path: Path) -> None:
    """An early end that is signed as one that followed its rule, and one with intervals of one look, are found."""
    room = Room(tmp_path, more=votes_rule(500)).vote(120)
    lifecycle.freeze(room.store, room.keys, room.stage.id, organizer=CLI, now=NOW, reason="early")
    bundle = make(room.store, room.keys, room.stage.id, NOW)
    for forged in ({"followed": True}, {"intervals": "fixed"}, {"number": 120}):
        closing = bundle.document.closing.model_copy(update=forged)
        document = bundle.document.model_copy(update={"closing": closing})
        files = {name: data for name, data in bundle.files.items() if name != "SHA256SUMS"}
        with pytest.raises(VerificationError, match="number"):
            verify_files(seal(document, files, room.keys).files)
    assert b"number = 500" in bundle.files[STAGE]
    room.close()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('closing = { rule = "votes" }', "number"),
        ('closing = { rule = "separation", number = 3 }', "number"),
        ('closing = { rule = "time" }', "closes"),
        ('planned_advance = 5\nclosing = { rule = "separation" }', "5 entrants"),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused(tmp_path: Path, more: str, said: str) -> None:
    """A number where one is counted and nowhere else, a time that there is, and a cut that leaves somebody out."""
    text = Room(tmp_path).file.decode()
    if "planned_advance" in more:
        text = text.replace("planned_advance = 4\n", "")
    with refusing(StageError, match=said):
        stage_of(f"{more}\n{text}")


def test_the_plan_is_what_is_declared(tmp_path: Path) -> None:
    """Planned votes, else those of the closing rule, else so many for each entrant."""
    text = Room(tmp_path).file.decode()
    assert stage_of(text).planned_votes == VOTES_PER_ENTRANT * 5
    assert stage_of(f"{votes_rule(700)}\n{text}").planned_votes == 700
    assert stage_of(f"{votes_rule(700)}\n{text}\n[population]\nplanned_votes = 900\n").planned_votes == 900


def test_the_command_line_asks_for_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`stage freeze` before its time is refused with the next step, and takes `--reason`."""
    monkeypatch.setenv("ARENA_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    Room(tmp_path, more=votes_rule(500)).vote(60).close()
    refused = CliRunner().invoke(cli, ["stage", "freeze", "simulated"])
    assert refused.exit_code == 1
    assert "reason" in refused.stderr
    assert CliRunner().invoke(cli, ["stage", "freeze", "simulated", "--reason", "a flood"]).exit_code == 0
