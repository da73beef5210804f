"""Who may see what of a published stage: everything that anybody can fetch, walked for each step of disclosure."""

import hashlib
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from typer.testing import CliRunner

from arena.cli import app as cli
from arena.domain.errors import StageError
from arena.domain.stage import Disclosure
from arena.results import lifecycle
from arena.results.export.document import FILES, JWKS
from arena.results.export.result import Result
from arena.settings import ROOT
from arena.web.core.static import MOUNTED
from tests.support.serving import serving, stage_toml
from tests.support.stages import CLI, NOW, Room, stage_of

TEAMS = {"garam": ("가람팀", "Team Garam"), "narae": ("나래팀", "Team Narae"), "maru": ("마루팀", "Team Maru")}
STRENGTHS = {"garam": -0.9, "narae": 1.1, "maru": 0.1}
"""So that the order of the points is not the order of the stage file."""
BEGINNINGS = (
    "/",
    "/results",
    "/my",
    "/how",
    "/rules",
    "/privacy",
    "/accessibility",
    "/receipts",
    "/checkpoints",
    "/config",
    "/gradio_api/info",
)


def surface(http: httpx.Client) -> dict[str, str]:
    """Everything that somebody without a key or a login can fetch, in both languages, by address."""
    waiting = [*BEGINNINGS, "/results/s", "/results/s/report", "/results/s/dataset"]
    waiting += [f"/api/v1/stages/s/export?format={form}" for form in ("json", "csv", "parquet", "zip")]
    known = http.get("/openapi.json").json()["paths"]
    waiting += [path.replace("{stage_id}", "s") for path, acts in known.items() if "get" in acts]
    found: dict[str, str] = {}
    while waiting:
        path = waiting.pop()
        if path in found or "{" in path:
            continue
        answer = http.get(path, headers={"accept-language": "ko"})
        found[path] = answer.content.decode("utf-8", "replace")
        if "html" in answer.headers.get("content-type", ""):
            found[f"{path} (en)"] = http.get(path, headers={"accept-language": "en"}).text
            waiting += [
                link for link in re.findall(r'href="(/[^"#]*)"', answer.text) if not link.startswith(f"{MOUNTED}/")
            ]
    return found


class Stage:
    """A published stage, served, and what is in its export."""

    def __init__(self, base: str, disclosure: Disclosure, folder: Path, innocent: set[str]) -> None:
        self.base = base
        self.innocent = innocent
        """Numbers that could be read before anybody had voted."""
        self.disclosure = disclosure
        self.folder = folder
        """Of the export."""
        self.export: dict[str, Any] = json.loads((folder / "export.json").read_bytes())
        self.ranked = sorted(self.export["scores"], key=lambda row: -row["points"])
        self.http = httpx.Client(base_url=base, timeout=60)

    def result(self) -> dict[str, Any]:
        """The public result."""
        return self.http.get("/api/v1/stages/s/result").raise_for_status().json()

    def surface(self) -> dict[str, str]:
        """Everything that somebody without a key or a login can fetch of it."""
        return surface(self.http)


def numbers(value: float) -> set[str]:
    """How a page or a document might write it."""
    return {f"{value:.2f}", f"{value:.3f}", f"{value:.4f}", repr(value)}


@pytest.fixture(scope="module", params=get_args(Disclosure))
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A published stage for each disclosure, behind a server."""
    folder = tmp_path_factory.mktemp("disclosure")
    room = Room(folder, draw_seed="5a" * 32, stage_id="s", more=f'disclosure = "{request.param}"', teams=TEAMS)
    (folder / "stage.toml").write_bytes(room.file)
    with serving(folder, folder / "stage.toml") as base, httpx.Client(base_url=base, timeout=60) as http:
        innocent = set(re.findall(r"\d+\.\d+", "\n".join(surface(http).values())))
    room.vote(400, strengths=STRENGTHS).freeze()
    out, _ = lifecycle.publish(room.store, room.keys, "s", folder / "exports" / "s", ROOT, organizer=CLI, now=NOW)
    room.close()
    with serving(folder, folder / "stage.toml") as base:
        yield Stage(base, request.param, out, innocent)


def test_nothing_above_the_step_is_anywhere(stage: Stage) -> None:
    """No page and no answer, in either language, has a number, a name beside one, an order or a hash that the stage's disclosure keeps closed."""
    if stage.disclosure == "full":
        assert set(stage.result()["disclosed"]) == {"mean_points", "gaps", "winners", "scores"}
        assert None not in stage.result()["disclosed"].values()
        return
    best, *others = stage.ranked
    closed = others if stage.disclosure == "winners_and_means" else stage.ranked
    secret = set[str]()
    for row in closed:
        ends = [*row["points_ci95"], *row["rating_ci95"], *row["win_probability_ci95"]]
        for value in (row["points"], row["rating"], row["theta"], row["se"], row["win_probability"], *ends):
            secret |= numbers(value)
    gaps = [above["points"] - below["points"] for above, below in zip(stage.ranked, others, strict=False)]
    if stage.disclosure != "means_and_gaps":
        secret |= {text for gap in gaps for text in numbers(round(gap, 2))}
    disclosed = json.dumps(stage.result()["disclosed"])
    secret -= {text for value in re.findall(r"\d+\.\d+", disclosed) for text in numbers(float(value))}
    secret = {each for each in secret if len(each) > 3}  # a shorter one may be any number
    secret -= stage.innocent  # the rules' numbers, a version's
    told = {
        JWKS,
        "checkpoints.jsonl",
        "cosignatures.jsonl",
        "timestamps.jsonl",
        "stage.toml",
        "export.json",
        "votes.parquet",
    }
    for name in set(FILES) - told:
        secret.add(hashlib.sha256((stage.folder / name).read_bytes()).hexdigest())
    surface = stage.surface()
    # The mean of win probabilities is always half of the maximum: no secret, but not told either.
    assert ("평균은" in surface["/results/s"]) == (stage.disclosure != "sealed")
    assert {"/results", "/results/s", "/api/v1/stages/s/result", "/api/v1/stage", "/api/v1/leaderboard"} <= set(surface)
    named = {best["team_id"]} if stage.disclosure == "winners_and_means" else set[str]()
    for path, text in surface.items():
        found = {each for each in secret if re.search(rf"(?<![\d.]){re.escape(each)}(?!\.?\d)", text)}
        assert found == set(), path
        assert '"pairwise"' not in text, path
        assert '"wins_a"' not in text, path
        told = {team for team, names in TEAMS.items() if any(word in text for word in (*names, f'"{team}"'))}
        if path.removesuffix(" (en)") in ("/results", "/results/s", "/api/v1/stages/s/result"):
            assert told == named, path
        elif len(told) > 1:  # the consents and the law name whom a question goes to
            places = [min(text.find(word) for word in TEAMS[team] if word in text) for team in TEAMS if team in told]
            assert places == sorted(places), path
    for path in ("/results/s/report", "/results/s/dataset", "/api/v1/stages/s/export?format=json"):
        assert stage.http.get(path).status_code == 403, path


def test_what_the_step_opens_is_there(stage: Stage) -> None:
    """The result says what its step opens, exactly, signed, the same bytes each time, and the page says the same in words."""
    told, text = stage.result(), stage.http.get("/results/s", headers={"accept-language": "ko"}).text
    points = [row["points"] for row in stage.ranked]
    opened = {name for name, value in told["disclosed"].items() if value is not None}
    assert (
        opened
        == {
            "full": {"mean_points", "gaps", "winners", "scores"},
            "winners_and_means": {"mean_points", "winners"},
            "means_and_gaps": {"mean_points", "gaps"},
            "sealed": set(),
        }[stage.disclosure]
    )
    if told["disclosed"]["winners"]:
        [winner] = told["disclosed"]["winners"]
        assert (winner["team_id"], winner["points"], winner["surely"]) == ("narae", points[0], True)
        assert "나래팀" in text
    if told["disclosed"]["gaps"]:
        gaps = told["disclosed"]["gaps"]
        assert [gap["points"] for gap in gaps] == [round(a - b, 2) for a, b in pairwise(points)]
        apart = {frozenset((pair["a"], pair["b"])): pair["separated"] for pair in stage.export["pairwise"]}
        ids = [row["team_id"] for row in stage.ranked]
        assert [g["separated"] for g in gaps] == [apart[frozenset(p)] for p in pairwise(ids)]
        assert stage.disclosure == "full" or f"{gaps[0]['points']:.2f}점" in text
    if told["disclosed"]["mean_points"]:
        assert told["disclosed"]["mean_points"] == pytest.approx(sum(points) / 3, abs=0.005)
    assert "400표" in text
    answer = stage.http.get("/api/v1/stages/s/result")
    assert answer.headers["cache-control"] == "public, max-age=60"
    assert stage.http.get("/api/v1/stages/s/result").content == answer.content
    assert (
        stage.http.get("/api/v1/stages/s/result", headers={"if-none-match": answer.headers["etag"]}).status_code == 304
    )
    signed = Result.model_validate_json(answer.content)
    assert signed.canonical() == answer.content
    assert signed.is_signed_by(stage.http.get("/.well-known/jwks.json").json())


def test_closed_files_are_committed_to(stage: Stage, tmp_path: Path) -> None:
    """The published hashes are those of the export's files; only ones that nobody can guess are told, and the command holds one opened file, or all, against them."""
    told = {each["name"]: each for each in stage.result()["files"]}
    assert set(told) == set(FILES) - {JWKS}
    assert {name for name, each in told.items() if each["open"]} == (
        {"export.json", "scores.csv"} if stage.disclosure == "full" else set()
    )
    for name, each in told.items():
        hashed = hashlib.sha256((stage.folder / name).read_bytes()).hexdigest()
        assert each["sha256"] == (hashed if name in ("export.json", "votes.parquet") else None)
    (tmp_path / "result.json").write_bytes(stage.http.get("/api/v1/stages/s/result").content)
    (tmp_path / "jwks.json").write_bytes(stage.http.get("/.well-known/jwks.json").content)
    keys = ["--published", str(tmp_path / "result.json"), "--jwks", str(tmp_path / "jwks.json")]

    def checked(folder: Path, *more: str) -> Any:
        return CliRunner().invoke(cli, ["verify", str(folder), *(more or keys)])

    whole = checked(stage.folder)
    assert whole.exit_code == 0, whole.output
    assert "what was disclosed is what export.json says" in whole.output
    assert "all follow from the votes" in whole.output
    one = tmp_path / "one"
    one.mkdir()
    assert "none of the export's files" in checked(one).stderr
    (one / "votes.parquet").write_bytes((stage.folder / "votes.parquet").read_bytes())
    alone = checked(one)
    assert (alone.exit_code, "these files alone" in alone.output) == (0, True)
    assert "--jwks" in checked(one, *keys[:2]).stderr
    (one / "scores.csv").write_bytes((stage.folder / "scores.csv").read_bytes())
    assert "hash of scores.csv stands in export.json" in checked(one).stderr
    (one / "export.json").write_bytes((stage.folder / "export.json").read_bytes())
    assert checked(one).exit_code == 0
    for name in ("scores.csv", "votes.parquet", "export.json"):
        kept = (one / name).read_bytes()
        (one / name).write_bytes(kept + b" ")
        assert f"{name} is not the file that the published result commits to" in checked(one).stderr
        (one / name).write_bytes(kept)
    changed = (tmp_path / "result.json").read_bytes().replace(b'"n_votes":400', b'"n_votes":401')
    (tmp_path / "result.json").write_bytes(changed)
    assert "something was changed after the signing" in checked(one).stderr
    (tmp_path / "result.json").write_bytes(b"{}")
    assert "not a published result" in checked(one).stderr


def test_a_result_of_another_export_is_told(tmp_path: Path) -> None:
    """An operator who publishes other numbers than the export has, or opens another export than was published, is caught by the command, key or no key."""
    room = Room(tmp_path, stage_id="s", more='disclosure = "means_and_gaps"', teams=TEAMS).vote(60).freeze()
    out, _ = lifecycle.publish(room.store, room.keys, "s", tmp_path / "exports", ROOT, organizer=CLI, now=NOW)
    [final] = room.store.finals.of_stage("s")
    told = Result.model_validate_json(final.result)
    assert told.disclosed.mean_points is not None
    better = told.disclosed.model_copy(update={"mean_points": told.disclosed.mean_points + 1})
    (tmp_path / "result.json").write_bytes(told.model_copy(update={"disclosed": better}).signed(room.keys).canonical())
    run = CliRunner().invoke(cli, ["verify", str(out), "--published", str(tmp_path / "result.json")])
    assert "mean_points of the published result is not what the export says" in run.stderr
    room.close()


def test_a_live_board_needs_full_disclosure() -> None:
    """A stage file that shows every team's points while votes come in and closes them afterwards is refused."""
    text = stage_toml(top='disclosure = "sealed"', protocol="public_leaderboard = true")
    with pytest.raises(StageError) as refused:
        stage_of(text)
    assert refused.value.params["cause"].code == "stage_board_discloses"
