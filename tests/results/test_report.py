"""The transparency report: one page with everything a fairness-first institution publishes, and nothing else needed to read it."""

from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from typer.testing import CliRunner

from arena.cli import app
from arena.domain import draw as pairing
from arena.domain.battle import Answer, new_battle_id
from arena.domain.citizen import Citizen
from arena.domain.declared import Bilingual
from arena.domain.errors import ArenaError
from arena.domain.outage import Cause
from arena.results.integrity import review
from arena.results.live.access_log import LiveViews
from arena.results.publish import charts
from arena.results.publish.charts import Mark
from arena.results.publish.report import report, report_page
from arena.results.votes.exclusions import ExclusionReason
from arena.results.votes.removals import remove_entrant
from tests.support.browser import PHONE, chromium
from tests.support.stages import CLI, NOW, Room
from tests.support.words import refusing


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """A frozen stage in which something of everything happened."""
    opened = Room(tmp_path_factory.mktemp("report")).vote(700)
    void(opened)
    opened.store.outages.left(
        NOW - timedelta(minutes=50), opened.stage.id, "maru", "p1", Cause(kind="answers_failed", failure="timeout")
    )
    opened.store.outages.back(NOW - timedelta(minutes=20), opened.stage.id, "maru", "p1", Cause(kind="answers_again"))
    opened.store.outages.left(
        NOW - timedelta(minutes=10), opened.stage.id, "maru", "p1", Cause(kind="text", text="server_error")
    )
    opened.store.outages.back(NOW + timedelta(days=2), opened.stage.id, "maru", "p1", Cause(kind="answers_again"))
    LiveViews(opened.store, opened.stage.id, clock=lambda: NOW).note("평가실")
    remove_entrant(opened.store, opened.stage, "hanbit", reason="모델을 스스로 거두어들임", organizer=CLI, now=NOW)
    grounds = "<script>alert(1)</script> q <= 0.05"
    fast = opened.propose(ExclusionReason.SPEED, opened.battles()[:30], grounds)
    sided = opened.propose(ExclusionReason.SIDE, opened.battles()[30:42], "always the left")
    opened.freeze(fast, sided)
    review.decline(opened.store, opened.stage.id, sided.key, why="한 손으로 쓰는 분입니다", organizer=CLI, now=NOW)
    opened.publish()
    yield opened
    opened.close()


def void(room: Room) -> None:
    """A battle in which side a's answer failed."""
    citizen = Citizen("v" * 32)
    room.store.citizens.enrol(citizen, {"service": (1, True)}, NOW)
    rule = pairing.rule_of(room.stage)
    battle = room.store.battles.open(
        new_battle_id(), room.stage.id, citizen.id,
        lambda seed, number, _: pairing.draw(seed, number, room.stage.entrant_ids, rule, {}), NOW,
    )  # fmt: skip
    room.store.battles.begin_turn(battle.id, citizen.id, "안녕?", max_turns=1, lease=("t", NOW), now=NOW)
    given = [Answer("a", "failed", error_kind="timeout"), Answer("b", "complete", "안녕하세요")]
    room.store.battles.finish_turn(battle.id, 1, given, owner="t", void_reason="answer_failed", now=NOW)


@pytest.fixture(scope="module")
def page(room: Room) -> str:
    """Its report."""
    return report_page(report(room.store, room.stage.id, NOW))


def test_the_page_tells_everything(room: Room, page: str) -> None:
    """Exposure, void battles, exclusions with rule and both rankings, robustness, removals, who looked, seed and commitment: all are there."""
    record = room.store.stages.find(room.stage.id)
    assert record is not None
    text = unescape(page)
    for told in (
        "SYNTHETIC",
        "시민 35명이 700표를 던졌고",
        "35 people cast 700 votes",
        record.draw_seed,
        pairing.commitment(record.draw_seed),
        record.file_sha256,
        "timeout 1",
        "answers failed, the last one: timeout",
        "40.0",
        "answer_failed",
        "모델을 스스로 거두어들임",
        "평가실",
        "q <= 0.05",
        "마감할 때 제안된 것 2건 가운데 1건은 받아들이지 않았습니다",
        "한 손으로 쓰는 분입니다",
        "제외한 뒤(원)와 아무것도 제외하지 않았을 때",
        "nothing excluded",
        "“both bad” as a tie",
        "length, format and side held equal",
        "The fewest votes found whose removal swaps two neighbours",
        "Tests against it",
        "python -m arena verify .",
    ):
        assert told in text, told
    assert "near ties they are biased" not in text


def test_the_page_runs_nothing_that_somebody_typed(page: str) -> None:
    """Reasons, rules and names are text: a script in one of them is shown, not run."""
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_page_shows_the_numbers_of_the_export(room: Room) -> None:
    """Nothing is computed for the page that the export does not say."""
    told = report(room.store, room.stage.id, NOW)

    best, _ = told.ranked[0]
    assert best.team_id == next(row.team_id for row in told.export.scores if row.rank == 1)
    assert sum(row.void for row in told.serving) == 2  # both entrants of the one void battle
    text = report_page(told)
    among = {"surely": "확실", "maybe": "미정", "no": "아님"}
    assert all(among[row.in_first_k or "no"] in text for row in told.export.scores)
    assert told.export.cut is None  # one of five was removed, and four are planned to advance
    assert "통계적으로 동점" not in text
    [maru] = [row.out_minutes for row in told.serving if row.team_id == "maru"]
    assert maru == pytest.approx(40)  # what went on after the freeze is nobody's outage
    assert sum(n for row in told.serving for n in row.failed.values()) == 1
    beside = told.export.sensitivity
    style = beside.style_controlled and beside.style_controlled.scores
    plain = [beside.nothing_excluded, beside.leaks_included, beside.leaks_excluded]
    shown = [*plain, beside.both_bad_tie, beside.other_voice, style]
    assert [list(variant.rows.values()) for variant in told.variants] == shown


def test_the_page_stands_alone_and_fits(page: str, tmp_path: Path) -> None:
    """No request to anywhere, one language at a time, nothing wider than a phone or an A4 page."""
    path = tmp_path / "report.html"
    path.write_text(page, "utf-8")

    with chromium() as browser:
        visit = browser.new_page(viewport=PHONE)  # type: ignore[arg-type]
        asked: list[str] = []
        wrong: list[str] = []
        visit.on("request", lambda request: asked.append(request.url))
        visit.on("console", lambda message: wrong.append(message.text))
        visit.goto(path.as_uri())
        assert visit.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert visit.is_visible("text=누가 실시간 레이팅을 보았나")
        visit.check("#lang-en")
        assert visit.is_visible("text=Who saw live ratings")
        assert not visit.is_visible("text=누가 실시간 레이팅을 보았나")
        visit.set_viewport_size({"width": 703, "height": 1032})  # A4 less its margins
        visit.emulate_media(media="print")
        assert visit.evaluate("document.documentElement.scrollWidth") <= 703
        assert not visit.is_visible(".languages")

    assert asked == [path.as_uri()]
    assert wrong == []


def test_the_command_writes_one_file(room: Room, tmp_path: Path) -> None:
    """`report STAGE --out FILE` writes the page, and refuses a stage without a published result."""
    out = tmp_path / "report.html"
    other = Room(tmp_path, stage_id="open-still").vote(20)
    other.close()

    ran = CliRunner().invoke(
        app, ["report", room.stage.id, "--out", str(out)], env={"ARENA_DATA_DIR": str(room.folder)}
    )
    early = CliRunner().invoke(
        app, ["report", "open-still", "--out", str(tmp_path / "no.html")], env={"ARENA_DATA_DIR": str(tmp_path)}
    )

    assert ran.exit_code == 0, ran.output
    assert out.read_text("utf-8").startswith("<!doctype html>")
    assert (early.exit_code, "has no published result" in early.output) == (1, True)
    assert [path.name for path in tmp_path.glob("*.html")] == ["report.html"]


def test_a_stage_that_is_not_disclosed_says_so(tmp_path: Path) -> None:
    """A report of a stage whose scores are not all public is marked as the programme's own."""
    room = Room(tmp_path, more='disclosure = "sealed"').vote(40).freeze()
    room.publish()

    page = report_page(report(room.store, room.stage.id, NOW))

    assert "this page is for the programme only" in page
    with refusing(ArenaError, match="no stage nowhere"):
        report(room.store, "nowhere", NOW)
    room.close()


def test_a_transform_that_is_biased_near_ties_says_by_how_much(tmp_path: Path) -> None:
    """Points between the last and the first come with the bias that the export tells, the default without any."""
    room = Room(tmp_path, more="[protocol]\ntransform = { id = 'min_max', version = 1 }").vote(400).freeze()
    room.publish()

    told = report(room.store, room.stage.id, NOW)
    page = unescape(report_page(told))

    leader = told.ranked[0][0]
    assert leader.points_bias is not None
    assert f"{leader.points_bias:.2f}".replace("-", "−") in page
    assert "near ties they are biased" in page
    assert "실력이 비슷하면 치우칩니다" in page
    room.close()


def test_plots_escape_and_survive_gaps() -> None:
    """A name is text in a plot too; an entrant without a rating leaves a gap and breaks nothing."""
    hostile = Bilingual(ko="<b>가람</b>", en="A&B")

    drawn = charts.ranges([(hostile, [Mark(1000.0, 990.0, 1010.0)]), (hostile, [Mark(None)])], [hostile])
    square = charts.matrix([hostile, hostile], [[None, 0.7], [0.3, None]], middle=0.5, reach=0.3, form="{:.0%}")

    assert "<b>" not in drawn + square
    assert "A&amp;B" in drawn
    assert drawn.count("<circle") == 1
    assert "70%" in square
    assert charts.ranges([(hostile, [Mark(None)])], [hostile]) == ""
