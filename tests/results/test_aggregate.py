"""The programme's total: components added up, the cut, the gate after it, and every doubt refused by name."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import jsonschema
import numpy as np
import orjson
import pytest
from typer.testing import CliRunner

from arena.cli import app
from arena.domain.errors import StageError
from arena.domain.stage import Component, Stage, TieAtCut
from arena.record.keys import Keys
from arena.results import lifecycle
from arena.results.export import verify
from arena.results.export.proofs import VerificationError
from arena.results.export.schema import UserScore
from arena.results.export.signed import Signed
from arena.results.programme import monte_carlo, schema, selection
from arena.results.programme.aggregate import Handed, aggregate
from arena.results.programme.components import gate, gates, scores
from arena.results.programme.schema import Total
from arena.results.programme.selection import AggregateError, Decision, Gate, decide
from arena.results.publish import html
from ratings.first import InFirst
from ratings.score import Transform, applied, shares
from tests.support.browser import PHONE, chromium
from tests.support.stages import CLI, NOW, Room
from tests.support.words import refusing, sentence

D = TypeVar("D", bound=Signed)
ROOT = Path(__file__).resolve().parents[2]
KNOWN = json.loads((ROOT / "tests" / "data" / "round-1-outcome.json").read_text("utf-8"))
DECLARED = """
ties = ["user", "expert"]
components = [
  { id = "benchmark", title = { ko = "벤치마크", en = "Benchmark" }, max = 40 },
  { id = "expert", title = { ko = "전문가", en = "Experts" }, max = 35 },
  { id = "user", title = { ko = "사용자", en = "Users" }, max = 25 },
]
"""
TEAMS = ("garam", "narae", "dasom", "maru", "hanbit")
BENCHMARK = "team_id,artifact_sha256,score,max\n" + "".join(
    f"{team},,{score},40\n" for team, score in zip(TEAMS, ("33.6", "29.6", "31.0", "31.2", "20.0"), strict=True)
)
EXPERT = "team_id,artifact_sha256,score,max,se\n" + "".join(
    f"{team},,{score},35,0.5\n" for team, score in zip(TEAMS, ("31.6", "28.9", "29.0", "28.4", "18.0"), strict=True)
)
GATES = "team_id,artifact_sha256,face,status,evidence,decided_by,decided_at\n" + "".join(
    f"{team},,{face},{'ineligible' if (team, face) == ('narae', 'technical') else 'eligible'},E-{team}-{face};E-2,위원회,2026-12-20T15:00:00+09:00\n"
    for team in TEAMS
    for face in ("technical", "policy", "ethical")
)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """One frozen simulated stage that declares its components."""
    opened = Room(tmp_path_factory.mktemp("round"), more=DECLARED).vote(800).freeze()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def folder(room: Room) -> Path:
    """Its export."""
    return room.publish()


@pytest.fixture(scope="module")
def user(folder: Path) -> UserScore:
    """Its user score, verified."""
    return verify.verify(folder).document


def known_scores() -> dict[str, dict[str, Decimal | None]]:
    """The fixture's table."""
    return {team: {c: Decimal(s) for c, s in row["scores"].items()} for team, row in KNOWN["teams"].items()}


def totalled(room: Room, user: UserScore, **changed: str | bytes) -> Total:
    """Aggregates the example, with some of its files changed."""

    def handed(name: str, text: str) -> Handed:
        given = changed.get(name, text)
        return Handed(f"{name}.csv", given if isinstance(given, bytes) else given.encode())

    stage_file = changed.get("stage", room.file)
    assert isinstance(stage_file, bytes)
    return aggregate(
        Handed("stage.toml", stage_file),
        user,
        {"benchmark": handed("benchmark", BENCHMARK), "expert": handed("expert", EXPERT)},
        handed("eligibility", GATES),
        room.keys,
        NOW,
        trusted=True,
    )


# --- the rule -----------------------------------------------------------------------------------------------------------


def test_the_known_outcome_of_the_first_round() -> None:
    """Three advance, one place stays vacant, NC is below the cut and not moved up, NAVER is in the cut and not eligible."""
    made = decide(known_scores(), {t: Gate(r["gate"]) for t, r in KNOWN["teams"].items()}, KNOWN["places"])

    assert {s.team: (str(s.total), s.reason.value) for s in made.standings} == {
        team: (row["total"], row["reason"]) for team, row in KNOWN["teams"].items()
    }
    assert made.advance == ("LG", "SKT", "UPSTAGE")
    assert made.cut == ("LG", "NAVER", "SKT", "UPSTAGE")
    assert made.vacancy == 1
    assert made.margin == Decimal("11.2")


def test_the_fixture_says_what_of_it_is_real() -> None:
    """The fixture is labelled synthetic, and has the published row and means."""
    assert KNOWN["synthetic"] is True
    assert "SYNTHETIC" in KNOWN["desc"]
    for component, mean in KNOWN["published"]["means"].items():
        given = [Decimal(row["scores"][component]) for row in KNOWN["teams"].values()]
        assert sum(given) / 5 == Decimal(str(mean))


def test_a_gate_before_the_cut_would_decide_otherwise() -> None:
    """Leaving ineligible teams out first would move NC AI up and fill the place: that is not what is done."""
    gates_by_team = {t: Gate(r["gate"]) for t, r in KNOWN["teams"].items()}
    eligible = {team: given for team, given in known_scores().items() if gates_by_team[team] is Gate.ELIGIBLE}

    other = decide(eligible, gates_by_team, KNOWN["places"])

    assert other.advance == ("LG", "SKT", "UPSTAGE", "NC")
    assert other.vacancy == 0
    assert other.advance != decide(known_scores(), gates_by_team, KNOWN["places"]).advance


def test_ties_at_the_cut_follow_the_declared_rule_or_are_refused() -> None:
    """Equal totals are told apart by the declared components; what that leaves equal is refused with the teams' names, but only at the cut."""
    table: dict[str, dict[str, Decimal | None]] = {
        "가람": {"user": Decimal(20), "expert": Decimal(20)},
        "나래": {"user": Decimal(15), "expert": Decimal(25)},
        "다솜": {"user": Decimal(10), "expert": Decimal(30)},
    }
    passes = dict.fromkeys(table, Gate.ELIGIBLE)

    assert decide(table, passes, 2, ["user"]).cut == ("가람", "나래")
    assert decide(table, passes, 2, ["expert"]).cut == ("다솜", "나래")
    with refusing(AggregateError, match="tie_at_cut: 가람, 나래, 다솜 have the same total 40 at the cut of 2"):
        decide(table, passes, 2)
    alike = {**table, "나래": table["가람"]}
    assert decide(alike, passes, 2, ["user"]).standings[1].rank == 1
    with refusing(AggregateError, match="equal in user too"):
        decide(alike, passes, 1, ["user"])


CLOSE: dict[str, dict[str, Decimal | None]] = {
    "가람": {"user": Decimal(20), "expert": Decimal(30)},
    "나래": {"user": Decimal(14), "expert": Decimal("25.2")},
    "다솜": {"user": Decimal(15), "expert": Decimal("24.1")},
    "마루": {"user": Decimal(5), "expert": Decimal(10)},
}
CLOSE_SURE: dict[str, InFirst] = {"가람": "surely", "나래": "maybe", "다솜": "maybe", "마루": "no"}


def test_a_statistical_tie_at_the_cut_follows_the_declared_rule() -> None:
    """The totals' order decides all the same, or the components do among who may be in, or their places stay open."""
    passes = dict.fromkeys(CLOSE, Gate.ELIGIBLE)

    def made(rule: TieAtCut, ties: tuple[str, ...] = ("user",), sure: dict[str, InFirst] = CLOSE_SURE) -> Decision:
        return decide(CLOSE, passes, 2, ties, rule=rule, sure=sure)

    assert made("points").cut == ("가람", "나래")
    assert made("components").cut == ("가람", "다솜")
    assert made("components", ("expert",)).cut == ("가람", "나래")
    held = made("hold")
    assert (held.cut, held.advance, held.vacancy) == (("가람",), ("가람",), 1)
    assert [s.reason.value for s in held.standings] == ["ADVANCE", "HELD", "HELD", "BELOW_CUT"]
    assert {rule_made.margin for rule_made in (made("points"), made("components"), held)} == {Decimal("0.1")}
    decided: dict[str, InFirst] = {"가람": "surely", "나래": "surely", "다솜": "no", "마루": "no"}
    rules: list[TieAtCut] = ["points", "components", "hold"]
    assert {made(rule, sure=decided).cut for rule in rules} == {("가람", "나래")}


def test_equal_totals_are_held_or_told_apart_by_the_components() -> None:
    """An exact tie is a statistical one: `hold` needs no component, `components` refuses what they leave equal."""
    table = {**CLOSE, "다솜": {"user": Decimal(14), "expert": Decimal("25.2")}}
    passes = dict.fromkeys(table, Gate.ELIGIBLE)

    assert decide(table, passes, 2, rule="hold", sure=CLOSE_SURE).cut == ("가람",)
    with refusing(AggregateError, match="나래, 다솜"):
        decide(table, passes, 2, ["user"], rule="components", sure=CLOSE_SURE)


def test_a_rule_without_its_components_is_refused() -> None:
    """A stage that lets the components decide has to name them."""
    file = (ROOT / "stages" / "round-1.toml").read_bytes()
    assert Stage.from_toml(file, "a.toml").tie_at_cut == "points"
    assert Stage.from_toml(b'tie_at_cut = "hold"\n' + file, "a.toml").tie_at_cut == "hold"
    with refusing(StageError, match="needs the components that decide"):
        Stage.from_toml(b'tie_at_cut = "components"\n' + file.replace(b"ties =", b"#"), "a.toml")


def test_a_missing_component_gives_no_total() -> None:
    """A team without one of its scores has no total, and no decision is made over its head."""
    table = known_scores()
    table["SKT"]["expert"] = None

    assert selection.total(table["SKT"]) is None
    with refusing(AggregateError, match="SKT has no expert score"):
        decide(table, dict.fromkeys(table, Gate.ELIGIBLE), 4)
    with refusing(AggregateError, match="NC has no eligibility decision"):
        decide(known_scores(), {t: Gate.ELIGIBLE for t in table if t != "NC"}, 4)


def test_a_pending_team_holds_its_place() -> None:
    """Pending is neither yes nor no: the place is kept open, the reason says why."""
    made: Decision = decide(known_scores(), dict.fromkeys(KNOWN["teams"], Gate.PENDING), 4)

    assert made.advance == ()
    assert made.vacancy == 4
    assert [s.reason.value for s in made.standings] == ["PENDING"] * 4 + ["BELOW_CUT"]


# --- how sure -----------------------------------------------------------------------------------------------------------


def test_probabilities_agree_with_the_textbook() -> None:
    """Two teams a point apart, each with a standard error of one: the better is ahead with Φ(1/√2)."""
    drawn = {"x": monte_carlo.judged_points(np.array([11.0, 10.0]), np.array([1.0, 1.0]), 40, seed=3)}

    sure = monte_carlo.chances(["가람", "나래"], drawn, 1, [], ["가람"])

    assert sure.in_cut == pytest.approx([0.7602, 0.2398], abs=0.01)
    assert sure.same_cut == pytest.approx(0.7602, abs=0.01)
    assert sure.totals[:, 0] == pytest.approx([11 - 1.96, 11 + 1.96], abs=0.06)


def test_totals_are_compared_all_at_once() -> None:
    """Four totals with a standard error of one: what is far off is sure, what is a point apart is not, and what is exact always is."""
    totals = np.array([50.0, 40.0, 39.0, 20.0])
    drawn = totals + np.random.default_rng(2).standard_normal((20_000, 4))
    names = ["가람", "나래", "다솜", "마루"]

    two = monte_carlo.sure(names, totals, drawn, 2)
    three = monte_carlo.sure(names, totals, drawn, 3)
    all_of_them = monte_carlo.sure(names, totals, drawn, 4)
    exact = monte_carlo.sure(names, totals, np.tile(totals, (20_000, 1)), 2)

    assert two.in_first == dict(zip(names, ("surely", "maybe", "maybe", "no"), strict=True))
    assert two.separated is False
    assert (set(three.in_first.values()), three.separated) == ({"surely", "no"}, True)
    assert (set(all_of_them.in_first.values()), all_of_them.separated) == ({"surely"}, None)
    assert (list(exact.in_first.values()), exact.separated) == (["surely", "surely", "no", "no"], True)


def test_ties_in_the_draws_follow_the_rule_too() -> None:
    """Exact equals share the places that are left; a component that decides ties decides them in every draw."""
    drawn = {"x": np.full((50, 3), 10.0), "y": np.tile([3.0, 2.0, 1.0], (50, 1)) * 0}
    split = monte_carlo.chances(["a", "b", "c"], drawn, 2, [], ["a", "b"])
    decided = monte_carlo.chances(
        ["a", "b", "c"],
        {"x": np.tile([7.0, 8.0, 9.0], (50, 1)), "y": np.tile([3.0, 2.0, 1.0], (50, 1))},
        2,
        ["y"],
        ["a", "b"],
    )

    assert split.in_cut == pytest.approx([2 / 3] * 3)
    assert list(decided.in_cut) == [1, 1, 0]
    assert decided.same_cut == 1


def test_the_user_score_is_drawn_from_its_export(user: UserScore) -> None:
    """Draws of the user score have the export's points and intervals, and the same seed gives the same draws."""
    drawn = monte_carlo.user_points(user, TEAMS)

    rows = {row.team_id: row for row in user.scores}
    for n, team in enumerate(TEAMS):
        low, high = np.quantile(drawn[:, n], [0.025, 0.975])
        assert drawn[:, n].mean() == pytest.approx(rows[team].points, abs=0.05)
        assert [low, high] == pytest.approx(rows[team].points_ci95, abs=0.25)
    assert np.array_equal(drawn, monte_carlo.user_points(user, TEAMS))


@pytest.mark.parametrize(
    ("declared", "transform", "kind"),
    [
        ('closing = { rule = "votes", number = 900 }', "win_probability", "anytime"),
        ("", "top_normalised", "fixed"),
        ("", "min_max", "fixed"),
        ('closing = { rule = "votes", number = 900 }', "min_max", "anytime"),
    ],
)
def test_the_draws_have_the_interval_that_the_export_gives(
    tmp_path: Path, declared: str, transform: str, kind: str
) -> None:
    """Where results were looked at, or the transform is biased near ties, 95 % of the draws lie in the export's own intervals; the total says which they are."""
    protocol = f'[protocol]\ntransform = {{ id = "{transform}", version = 1 }}'
    room = Room(tmp_path, more=f"{declared}\n{DECLARED}\n{protocol}").vote(800)
    reason = "a flood in the machine room" if declared else ""
    lifecycle.freeze(room.store, room.keys, room.stage.id, organizer=CLI, now=NOW, reason=reason)
    room.publish()
    told = room.bundle().document

    drawn = monte_carlo.user_points(told, TEAMS)
    made = totalled(room, told)
    room.close()

    rows = {row.team_id: row for row in told.scores}
    for n, team in enumerate(TEAMS):
        assert list(np.quantile(drawn[:, n], [0.025, 0.975])) == pytest.approx(rows[team].points_ci95, abs=0.02)
    assert made.uncertainty.user_intervals == told.closing.intervals == kind


@pytest.mark.parametrize(
    "transform",
    [
        Transform(),
        Transform("top_normalised"),
        Transform("min_max"),
        Transform("anchored", params={"anchor": "b"}),
        Transform("anchored", params={"panel": {"a": 0.2, "c": -0.1}}),
    ],
    ids=lambda t: f"{t.id} {list(t.params)}",
)
def test_draws_go_through_the_declared_transform(transform: Transform) -> None:
    """Whatever the stage declares, a row of strengths gives the same shares as the rating itself."""
    theta = np.array([0.35, 0.1, -0.02, -0.43])
    still = np.zeros((2, 4))

    expected = shares(transform, list("abcd"), theta, np.zeros((4, 4)), 1.96, still).share

    assert applied(transform, list("abcd"), np.stack([theta, theta])) == pytest.approx(np.stack([expected, expected]))


# --- the document -------------------------------------------------------------------------------------------------------


def test_the_total_of_a_simulated_round(room: Room, user: UserScore) -> None:
    """The document holds what the rule gives, is signed, and says that it is synthetic; the same files give the same decision."""
    made = totalled(room, user)

    assert made.synthetic is True
    assert made.advance == [team for team in made.cut if team != "narae"]
    assert made.vacancy == 1
    assert {team.team_id: team.reason for team in made.teams}["narae"] == "INELIGIBLE"
    assert made.teams[-1].reason == "BELOW_CUT"
    points = {row.team_id: row.points for row in user.scores}
    for team in made.teams:
        assert team.components["user"] == points[team.team_id]
        assert team.total == pytest.approx(sum(team.components.values()))
        assert team.total_ci95[0] < team.total < team.total_ci95[1]
        assert team.p_advance == (0 if team.team_id == "narae" else team.p_in_cut)
    assert made.uncertainty.carried == ["expert", "user"]
    verify.signature(made, room.keys.jwks())
    for path in (("teams", 0, "total"), ("vacancy",), ("teams", 1, "gate", "status")):
        forged = _forged(made, *path, value="eligible" if path[-1] == "status" else 99)
        if forged != made:
            with pytest.raises(VerificationError):
                verify.signature(forged, room.keys.jwks())
    again = totalled(room, user)
    assert again.model_copy(update={"total_id": made.total_id, "integrity": made.integrity}) == made
    assert Total.model_validate_json(made.canonical()) == made


@pytest.mark.parametrize("rule", ["points", "components", "hold"])
def test_the_document_says_when_its_cut_is_a_statistical_tie(rule: str, tmp_path: Path) -> None:
    """Two teams whose totals and user scores are not apart are named, on the total and on the user component, with what follows."""
    room = Room(tmp_path, more=f'tie_at_cut = "{rule}"\n{DECLARED}').vote(300).freeze()
    export = verify.verify(room.publish()).document
    room.close()
    order = sorted(export.scores, key=lambda row: -(row.points or 0))
    level = "".join(f"{row.team_id},,{20 - 10 * (n == 0)},40\n" for n, row in enumerate(order))
    made = totalled(
        room, export, benchmark="team_id,artifact_sha256,score,max\n" + level, expert=EXPERT.replace("0.5\n", "4\n")
    )
    maybe = [team.team_id for team in made.teams if team.in_first_k == "maybe"]

    assert made.at_cut is not None
    assert made.at_cut.separated is False
    assert {made.at_cut.last_in, made.at_cut.first_out} <= set(maybe)
    assert (made.at_cut.k, made.at_cut.rule) == (4, rule)
    assert made.user_component.at_cut == export.cut
    held = [team.team_id for team in made.teams if team.reason == "HELD"]
    assert held == (maybe if rule == "hold" else [])
    assert len(made.cut) == (4 if rule != "hold" else 5 - len(maybe) - sum(t.in_first_k == "no" for t in made.teams))
    assert all(
        team.p_advance is None for team in made.teams if team.reason == "HELD" and team.gate.status == "eligible"
    )
    page = html.total_page(made)
    words = {
        "points": "the order of the totals decides all the same",
        "components": "as between equal totals",
        "hold": "stay open",
    }
    assert words[rule] in page
    assert "통계적 동점" in page


def test_the_document_fits_its_published_schema(room: Room, user: UserScore) -> None:
    """The JSON Schema in the documentation is the code's, and the document fits it."""
    published = json.loads((ROOT / "docs" / "schemas" / "kai.total-1.schema.json").read_text("utf-8"))

    assert published == schema.json_schema()
    jsonschema.Draft202012Validator(published).validate(orjson.loads(totalled(room, user).canonical()))


def test_whether_the_users_alone_decide(room: Room, user: UserScore) -> None:
    """The document says when the cut would be another one without the user component, and which teams it moved."""
    points = {row.team_id: row.points or 0.0 for row in user.scores}
    weakest = min(points, key=lambda team: points[team])
    strongest = max(points, key=lambda team: points[team])

    def table(last: str) -> str:
        rows = [f"{team},,{20 - (0.5 if team == last else 0)},40\n" for team in TEAMS]
        return "team_id,artifact_sha256,score,max\n" + "".join(rows)

    level = EXPERT.splitlines()[0] + "\n" + "".join(f"{team},,{20 + n / 100},35,\n" for n, team in enumerate(TEAMS))
    swung = totalled(room, user, benchmark=table(strongest), expert=level).user_component
    agreed = totalled(room, user, benchmark=table(weakest).replace("19.5", "2.5"), expert=level).user_component

    assert swung.decides is True
    assert swung.moved_in == [strongest]
    assert swung.moved_out == [weakest]
    assert agreed.decides is False
    assert set(agreed.cut_alone or ()) == set(TEAMS) - {weakest}


# --- what is refused ----------------------------------------------------------------------------------------------------

REFUSED = [
    ("benchmark", "dasom,,31.0,40", "dasom,,NaN,40", "not_a_number", "benchmark.csv, row 4, score 'NaN'"),
    ("benchmark", "dasom,,31.0,40", "dasom,,inf,40", "not_a_number", "score 'inf'"),
    ("benchmark", "dasom,,31.0,40", 'dasom,,"31,0",40', "not_a_number", "score '31,0'"),
    ("benchmark", "dasom,,31.0,40", "dasom,,40.1,40", "out_of_range", "score '40.1': goes from 0 to 40"),
    ("benchmark", "dasom,,31.0,40", "dasom,,-1,40", "out_of_range", "score '-1'"),
    ("benchmark", "dasom,,31.0,40", "dasom,,,40", "score_missing", "row 4, score ''"),
    ("benchmark", "dasom,,31.0,40", "dasom,,31.0,50", "other_maximum", "row 4, max '50': the stage declares benchmark out of 40"),
    ("benchmark", "dasom,,31.0,40\n", "", "team_missing", "benchmark.csv: dasom has no row"),
    ("benchmark", "dasom,,31.0,40", "dasom,,31.0,40\ngaram,,1,40", "team_twice", "row 5, team_id 'garam'"),
    ("benchmark", "dasom,,31.0,40", "dasom,,31.0,40\nsolar,,1,40", "team_unknown", "row 5, team_id 'solar'"),
    ("benchmark", "dasom,,31.0,40", "dasom,abc,31.0,40", "stale_artifact", "row 4, artifact_sha256 'abc'"),
    ("benchmark", "score,max", "points,max", "column_missing", "'score' is missing"),
    ("benchmark", "dasom,,31.0,40", "dasom,,31.0", "cells_uneven", "row 4: 3 cells under 4 columns"),
    ("benchmark", "dasom,,31.0,40", "dasom,,31.0,\ud800".encode("utf-8", "surrogatepass"), "not_csv", "not a CSV file in UTF-8"),
    ("expert", "dasom,,29.0,35,0.5", "dasom,,29.0,35,-2", "out_of_range", "se '-2'"),
    ("eligibility", "garam,,policy,eligible", "garam,,policy,maybe", "unknown_status", "status 'maybe'"),
    ("eligibility", "garam,,policy,eligible", "garam,,legal,eligible", "unknown_face", "face 'legal'"),
    ("eligibility", "garam,,policy,", "garam,,ethical,", "face_twice", "face 'ethical'"),
    ("eligibility", "E-garam-policy;E-2", "", "undocumented", "row 3, evidence ''"),
    ("eligibility", "2026-12-20T15:00:00+09:00", "2026-12-20T15:00:00", "time_without_offset", "lacks its offset"),
    ("eligibility", "2026-12-20T15:00:00+09:00", "20일", "not_a_time", "decided_at '20일'"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "code", "says"), REFUSED, ids=[f"{r[0]}-{r[3]}-{n}" for n, r in enumerate(REFUSED)])  # fmt: skip
def test_what_is_handed_in_is_refused_by_name(
    room: Room, user: UserScore, file: str, old: str, new: str | bytes, code: str, says: str
) -> None:
    """Every doubtful row is refused with its file, row and value; nothing is guessed or skipped."""
    text = {"benchmark": BENCHMARK, "expert": EXPERT, "eligibility": GATES}[file].encode()
    assert old.encode() in text
    changed = text.replace(old.encode(), new if isinstance(new, bytes) else new.encode(), 1)

    with pytest.raises(AggregateError) as refused:
        totalled(room, user, **{file: changed})

    assert refused.value.code == code
    assert says in sentence(refused.value)


def test_a_face_without_a_row_is_refused() -> None:
    """All three faces are decided or pending; silence is neither."""
    without = "".join(line for line in GATES.splitlines(keepends=True) if not line.startswith("maru,,ethical"))

    with refusing(AggregateError, match="maru has no row for ethical"):
        gates(without.encode(), "eligibility.csv", dict.fromkeys(TEAMS))


def test_what_people_save_from_a_spreadsheet_is_read() -> None:
    """A BOM, blank lines, spaces around cells and Windows line ends change nothing."""
    plain = scores(BENCHMARK.encode(), "b.csv", _component("benchmark", 40), dict.fromkeys(TEAMS))
    dressed = "\ufeff" + BENCHMARK.replace(",", " , ").replace("\n", "\r\n") + "\r\n\r\n"

    assert scores(dressed.encode(), "b.csv", _component("benchmark", 40), dict.fromkeys(TEAMS)) == plain
    faces = gates(GATES.encode(), "g.csv", dict.fromkeys(TEAMS))
    assert faces["garam"][0].evidence == ["E-garam-technical", "E-2"]
    assert gate(faces["narae"]) is Gate.INELIGIBLE


def _component(name: str, maximum: float) -> Component:
    return Component.model_validate({"id": name, "title": {"ko": name, "en": name}, "max": maximum})


def _forged(document: D, *path: Any, value: Any) -> D:
    """The document as its signer would have made it with one field otherwise, under the signature of the old one."""
    changed = orjson.loads(document.canonical())
    at: Any = changed
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return type(document).model_validate(changed)


def test_another_export_is_refused_by_name(room: Room, user: UserScore) -> None:
    """Another stage, maximum, number of places or model, an open stage, an unrated or unknown team: each is refused, and says what differs."""
    cases = [
        (("stage", "id"), "other", "other_stage", "the export is of other"),
        (("stage", "round"), 2, "other_stage", "round 2"),
        (("stage", "component_max"), 30.0, "exported_maximum", "out of 30"),
        (("stage", "planned_advance"), 3, "other_places", "3 places"),
        (("entrants", 1, "artifact_sha256"), "f" * 64, "exported_artifact", "narae"),
        (("entrants", 1, "team_id"), "solar", "team_not_exported", "narae"),
        (("stage", "file_sha256"), "0" * 64, "other_stage_file", "0" * 64),
        (("stage", "status"), "open", "not_final", "still open"),
        (("scores", 2, "points"), None, "user_score_missing", "dasom"),
        (("scores", 2, "group"), 1, "not_comparable", "never met"),
    ]
    for path, value, code, says in cases:
        with pytest.raises(AggregateError) as refused:
            totalled(room, _forged(user, *path, value=value))
        assert (refused.value.code, says in sentence(refused.value)) == (code, True), path


def test_components_are_those_of_the_stage(room: Room, user: UserScore) -> None:
    """A component that the stage does not declare, or one that is not handed in, is refused."""
    files = {"benchmark": Handed("b.csv", BENCHMARK.encode()), "expert": Handed("e.csv", EXPERT.encode())}
    stage, eligibility = Handed("stage.toml", room.file), Handed("g.csv", GATES.encode())

    with refusing(AggregateError, match="expert is a component of simulated"):
        aggregate(stage, user, {"benchmark": files["benchmark"]}, eligibility, room.keys, NOW, trusted=False)
    with refusing(AggregateError, match="charm is no component"):
        aggregate(stage, user, {**files, "charm": files["expert"]}, eligibility, room.keys, NOW, trusted=False)


# --- the command --------------------------------------------------------------------------------------------------------


def command(tmp_path: Path, *more: str, files: dict[str, str] | None = None) -> list[str]:
    """The command's arguments, its CSVs written."""
    arguments = ["aggregate", *more]
    given = files or {"benchmark": BENCHMARK, "expert": EXPERT, "eligibility": GATES}
    for name, text in given.items():
        path = tmp_path / f"{name}.csv"
        path.write_text(text, "utf-8")
        known = name in ("benchmark", "expert", "eligibility")
        arguments += [f"--{name}", str(path)] if known else ["--component", f"{name}={path}"]
    return arguments


def test_the_command_writes_a_signed_total_and_a_page(room: Room, folder: Path, tmp_path: Path) -> None:
    """One command verifies, decides, prints, and writes a folder that appears whole; a second run never overwrites it."""
    stage = tmp_path / "stage.toml"
    stage.write_bytes(room.file)
    jwks = tmp_path / "pinned.json"
    jwks.write_bytes(orjson.dumps(room.keys.jwks()))
    out = tmp_path / "total"
    arguments = command(
        tmp_path, "--stage", str(stage), "--user", str(folder.parent), "--out", str(out), "--jwks", str(jwks)
    )
    environment = {"ARENA_DATA_DIR": str(tmp_path / "programme"), "COLUMNS": "200"}

    ran = CliRunner().invoke(app, arguments, env=environment)
    twice = CliRunner().invoke(app, arguments, env=environment)

    assert ran.exit_code == 0, ran.output
    assert "SYNTHETIC" in ran.output
    assert "INELIGIBLE" in ran.output
    assert "vacant: 1 of 4" in ran.output
    assert "by the totals the first 4 are established beyond chance" in ran.output
    made = Total.model_validate_json((out / "total.json").read_bytes())
    verify.signature(made, orjson.loads((out / "jwks.json").read_bytes()))
    assert made.user_score.key == "trusted"
    assert (twice.exit_code, "nothing is overwritten" in twice.output) == (1, True)
    assert sorted(path.name for path in out.parent.iterdir() if "partial" in path.name) == []


def test_the_command_refuses_a_changed_export_and_an_unknown_key(room: Room, folder: Path, tmp_path: Path) -> None:
    """A user score that does not verify, or that another key signed, gives no total."""
    stage = tmp_path / "stage.toml"
    stage.write_bytes(room.file)
    changed = tmp_path / "changed"
    changed.mkdir()
    for path in folder.iterdir():
        (changed / path.name).write_bytes(path.read_bytes())
    (changed / "export.json").write_bytes((folder / "export.json").read_bytes().replace(b'"round":1', b'"round":2'))
    stranger = tmp_path / "stranger.json"
    stranger.write_bytes(orjson.dumps(Keys.open(tmp_path / "stranger", {}).jwks()))

    for user_folder, more, says in (
        (changed, [], "export.json does not have the hash"),
        (folder, ["--jwks", str(stranger)], "is not among the given public keys"),
    ):
        out = tmp_path / "never"
        ran = CliRunner().invoke(
            app,
            command(tmp_path, "--stage", str(stage), "--user", str(user_folder), "--out", str(out), *more),
            env={"ARENA_DATA_DIR": str(tmp_path / "programme")},
        )
        assert ran.exit_code == 1
        assert says in " ".join(ran.output.split())
        assert not out.exists()


@pytest.mark.slow
def test_a_second_round_adds_criteria_as_data(tmp_path: Path) -> None:
    """Round 2 has five components, three places and a pending team: the same command, other files."""
    examples = ROOT / "examples" / "round-2"
    file = (ROOT / "stages" / "round-2.toml").read_bytes()
    stage = Stage.from_toml(file, "round-2.toml")
    data = {"ARENA_DATA_DIR": str(tmp_path)}
    run = CliRunner()
    simulate = ["simulate", "--stage", str(ROOT / "stages" / "round-2.toml"), "--votes", "400"]
    decide = ["review", "follow", stage.id]
    for arguments in (simulate, ["stage", "freeze", stage.id], decide, ["stage", "publish", stage.id]):
        ran = run.invoke(app, arguments, env=data)
        assert ran.exit_code == 0, ran.output

    extra = [f"--component={name}={examples / name}.csv" for name in ("originality", "contribution")]
    ran = run.invoke(
        app,
        ["aggregate", "--stage", str(ROOT / "stages" / "round-2.toml"), "--user", str(tmp_path / "exports" / stage.id),
         "--benchmark", str(examples / "benchmark.csv"), "--expert", str(examples / "expert.csv"), *extra,
         "--eligibility", str(examples / "eligibility.csv"), "--out", str(tmp_path / "total")],
        env=data | {"COLUMNS": "220"},
    )  # fmt: skip

    assert ran.exit_code == 0, ran.output
    made = orjson.loads((tmp_path / "total" / "total.json").read_bytes())
    assert [c["id"] for c in made["components"]] == ["benchmark", "expert", "originality", "contribution", "user"]
    assert len(made["cut"]) == 3
    assert next(t for t in made["teams"] if t["team_id"] == "maru")["p_advance"] is None


# --- the page -----------------------------------------------------------------------------------------------------------


def test_the_page_stands_alone_in_both_languages(room: Room, user: UserScore, tmp_path: Path) -> None:
    """The page needs no other host and no script, fits a phone, says SYNTHETIC, and shows one language at a time."""
    hostile = totalled(room, user, eligibility=GATES.replace("위원회", "<script>alert(1)</script>"))
    page = tmp_path / "total.html"
    page.write_text(html.total_page(hostile), "utf-8")

    with chromium() as browser:
        visit = browser.new_page(viewport=PHONE)  # type: ignore[arg-type]
        asked: list[str] = []
        visit.on("request", lambda request: asked.append(request.url))
        visit.goto(page.as_uri())
        assert visit.is_visible("text=모의 자료(SYNTHETIC)")
        assert not visit.is_visible("text=made up, nothing here")
        assert visit.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        visit.check("#lang-en")
        assert visit.is_visible("text=made up, nothing here")
        assert not visit.is_visible("text=모의 자료(SYNTHETIC)")
        assert visit.locator("figure svg").count() == 1
        assert visit.locator("script").count() == 0

    assert asked == [page.as_uri()]


def test_times_are_korean() -> None:
    """A moment is shown in Korean time and says so; a probability that was drawn is never quite certain."""
    assert html.kst(datetime(2026, 12, 1, 9, tzinfo=UTC)) == "2026-12-01 18:00 (KST)"
    assert [html.chance(p) for p in (1.0, 0.0, 0.25, None)] == ["> 99.9 %", "< 0.1 %", "25.0 %", "–"]
