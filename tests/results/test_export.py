"""The signed export: made from the record alone, the same every time, put in place whole or not at all."""

import contextlib
import csv
import hashlib
import io
import json
import os
import resource
import runpy
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pandas as pd
import pytest
from typer.testing import CliRunner

from arena.cli import app as cli
from arena.domain.citizen import Citizen
from arena.domain.clock import KST
from arena.domain.errors import Conflict, NotFound
from arena.record.ledger import LedgerError
from arena.record.store import Store
from arena.results import lifecycle
from arena.results.export.atomic_write import write_file
from arena.results.export.bundle import LATEST, export, make, write
from arena.results.export.document import FILES, JSON, JWKS, SCORES, SUMS, VOTES, safe_cell
from arena.results.export.schema import UserScore
from arena.results.export.verify import verify, verify_files
from arena.settings import ROOT
from ratings.comparison import Comparisons
from ratings.fit import rate
from tests.support.stages import CLI, NOW, Room
from tests.support.words import refusing

SAME_BUT = {"export_id", "supersedes", "created_at", "integrity"}
PANEL = (ROOT / "stages" / "populations" / "panel-500.toml").read_text("utf-8")


def without_ids(data: bytes) -> dict[str, Any]:
    """The document but for what is new in every export."""
    return {key: value for key, value in orjson.loads(data).items() if key not in SAME_BUT}


def test_the_score_leaves_by_command(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """simulate → freeze → export → verify → publish, by the commands an organizer types, on both databases."""
    monkeypatch.setenv("ARENA_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ARENA_DATABASE_URL", database_url)

    def run(*args: str) -> str:
        done = CliRunner().invoke(cli, list(args))
        assert done.exit_code == 0, done.output
        return done.stdout

    run("keys", "new")
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    run("simulate", "--votes", "150", "--seed", "3", "--voters", "12")
    assert "150 votes" in run("stage", "freeze", "simulated")
    assert "PROVISIONAL" in run("export", "simulated")
    said = run("verify", str(tmp_path / "exports" / "simulated"))
    assert "numbers: all follow" in said
    assert "draws: each is what the seed gives" in said
    assert "NOT FINAL" in said
    run("review", "follow", "simulated")
    run("keys", "rotate")
    assert "simulated is published" in run("stage", "publish", "simulated")
    (tmp_path / "jwks.json").write_text(run("keys", "show"), "utf-8")
    (tmp_path / "exports.json").write_text(run("exports", "simulated"), "utf-8")
    trusted = ("--jwks", str(tmp_path / "jwks.json"), "--exports", str(tmp_path / "exports.json"))
    said = run("verify", str(tmp_path / "exports" / "simulated"), *trusted)
    assert "the last of 1 final export" in said
    assert "NOT FINAL" not in said
    assert "published" in run("stage", "show", "simulated")
    first, second = (
        json.loads(p.read_bytes()) for p in sorted((tmp_path / "exports").rglob("simulated-*/export.json"))
    )
    assert first["integrity"]["kid"] != second["integrity"]["kid"]
    assert (first["final"], second["final"], second["supersedes"]) == (False, True, None)
    for folder in (tmp_path / "again", tmp_path / "once more"):
        run("export", "simulated", "--out", str(folder))
    kept = {path.name: path.read_bytes() for path in (tmp_path / "exports" / "simulated" / "latest").iterdir()}
    for folder in (tmp_path / "again", tmp_path / "once more"):
        assert {path.name: path.read_bytes() for path in (folder / "latest").iterdir()} == kept
    again = CliRunner().invoke(cli, ["keys", "new"])
    assert (again.exit_code, "keys rotate" in again.stderr) == (1, True)


def test_two_exports_differ_in_id_and_time_alone(tmp_path: Path) -> None:
    """A frozen stage exports the same bytes for ever, whoever withdraws or is forgotten meanwhile: only id, time and signature are new."""
    room = Room(tmp_path, more=PANEL).vote(240, voters=60)
    voters = sorted({row.voter for row in room.store.votes.after(room.stage.id, 0)})
    for n, voter in enumerate(voters):
        room.store.strata.answer(voter, {"sex": "female" if n % 3 else "male", "age": "20s"}, NOW)
    room.freeze()
    first = make(room.store, room.keys, room.stage.id, NOW)
    room.store.erasure.withdraw(Citizen(voters[0]), "0" * 64, NOW)
    room.store.erasure.texts_before(room.stage.id, NOW.replace(year=2040), NOW, judged=True)
    second = make(room.store, room.keys, room.stage.id, NOW.replace(year=2028))
    room.close()

    assert {name for name in FILES if first.files[name] != second.files[name]} == {JSON}
    assert without_ids(first.files[JSON]) == without_ids(second.files[JSON])
    assert first.document.population.weighting is not None
    assert first.document.sensitivity.style_controlled is not None
    assert first.document.sensitivity.style_controlled.n_votes > 0


def test_the_schema_and_the_page_are_the_code_s(tmp_path: Path) -> None:
    """The committed JSON Schema and format page are what `make docs` writes today, and real exports, open and frozen, fit the schema."""
    for name, text in runpy.run_path(str(ROOT / "docs" / "make.py"))["files"]().items():
        assert (ROOT / name).read_text("utf-8") == text, f"{name} is stale: run make docs"
    schema = json.loads((ROOT / "docs" / "schemas" / "kai.user-score-2.schema.json").read_bytes())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    room = Room(tmp_path).vote(80)
    preliminary = make(room.store, room.keys, room.stage.id, NOW)
    final = make(room.freeze().store, room.keys, room.stage.id, NOW)
    room.close()
    for bundle in (preliminary, final):
        validator.validate(json.loads(bundle.files[JSON]))
        assert UserScore.model_validate_json(bundle.files[JSON]) == bundle.document
        verify_files(bundle.files)
    assert (preliminary.document.stage.status, preliminary.document.draws.seed) == ("open", None)
    assert (final.document.stage.status, len(final.document.draws.seed or "")) == ("frozen", 64)


def test_a_stage_without_votes_exports_nothing_invented(tmp_path: Path) -> None:
    """No vote, no score: the export of an empty stage verifies, has no number and says so; a draft and an unknown stage are refused."""
    room = Room(tmp_path).freeze()
    bundle = make(room.store, room.keys, room.stage.id, NOW)
    assert verify_files(bundle.files).document.scores == []
    assert bundle.document.method is None
    assert [(each.code, each.entrants) for each in bundle.document.warnings] == [
        ("no_votes", list(room.stage.entrant_ids))
    ]
    room.store.stages.register("draft", room.file.decode(), hashlib.sha256(room.file).hexdigest(), NOW)
    with refusing(Conflict, match="has not opened"):
        make(room.store, room.keys, "draft", NOW)
    with refusing(NotFound, match="Known stages: simulated, draft"):
        make(room.store, room.keys, "nowhere", NOW)
    room.close()


def test_tables_for_people_and_for_programmes(tmp_path: Path) -> None:
    """The CSV opens in a Korean spreadsheet and runs no formula; the Parquet has the field's columns and gives the scores again."""
    room = Room(tmp_path, teams={"garam": ("=1+1", "+Team"), "narae": ("나래팀", "@Team")}).vote(90).freeze()
    bundle = make(room.store, room.keys, room.stage.id, NOW)
    room.close()

    assert bundle.files[SCORES].startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(bundle.files[SCORES].decode("utf-8-sig"))))
    cells = {cell for row in rows for cell in row.values()}
    assert {"'=1+1", "'+Team", "'@Team"} <= cells
    assert not any(cell[:1] in "=+@" for cell in cells if cell)
    assert {row["synthetic"] for row in rows} == {"yes"}
    points = [score.points for score in bundle.document.scores]
    assert [float(row["points"]) for row in rows] == sorted(filter(None, points), reverse=True)
    assert [safe_cell(x) for x in ("=1", "-1", "\t", "+", "@", "가", None, -1.5, 25.0)] == [
        "'=1", "'-1", "'\t", "'+", "'@", "가", "", "-1.5", "25"]  # fmt: skip
    assert [safe_cell(x) for x in ("＝1+1", "＋1", "－1", "＠x", "\n=1", "가＝나")] == [
        "'＝1+1", "'＋1", "'－1", "'＠x", "'\n=1", "가＝나"]  # fmt: skip
    hidden = [
        "﹦1",
        "﹢1",
        "﹣1",
        "﹫x",
        "⁺1",
        "−1",
        "\v=1",
        " =1",
        "\u3000＝1",
        "\u200b=1",
        "\ufeff\u2060=1",
        "\u00ad \u200d@x",
        "\0=1",
    ]
    assert [safe_cell(x) for x in hidden] == [f"'{x}" for x in hidden]
    assert [safe_cell(x) for x in ("\u200b가=1", " 가", "①=1", "1-2")] == ["\u200b가=1", " 가", "①=1", "1-2"]
    votes: Any = pd.read_parquet(io.BytesIO(bundle.files[VOTES]))
    assert {"question_id", "model_a", "model_b", "winner", "judge", "turn", "anony", "tstamp"} <= set(votes.columns)
    again = rate(Comparisons.from_frame(votes[["model_a", "model_b", "winner", "judge"]], ["garam", "narae"]))
    assert [row.points for row in again.rows] == points


def test_sha256sum_agrees(tmp_path: Path) -> None:
    """The folder's own `sha256sum -c` passes, nothing else lies in it, and the public key in it has no private half."""
    room = Room(tmp_path).vote(60).freeze()
    folder = export(room.store, room.keys, room.stage.id, tmp_path / "out", NOW)
    room.close()

    checked = subprocess.run(["sha256sum", "-c", "--strict", SUMS], cwd=folder, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert {path.name for path in folder.iterdir()} == {*FILES, SUMS}
    assert (tmp_path / "out" / LATEST).resolve() == folder
    assert all("d" not in key for key in json.loads((folder / JWKS).read_bytes())["keys"])
    created = json.loads((folder / JSON).read_bytes())["created_at"]
    assert created.endswith("+09:00")
    assert created == NOW.astimezone(KST).isoformat(timespec="milliseconds")


KILLED = """
import os, random, signal, sys, time, uuid
from pathlib import Path
from arena.record.keys import Keys
from arena.results.export.bundle import seal, write
from arena.results.export.schema import UserScore
from arena.results.export.verify import verify

out, first = Path(sys.argv[1]), Path(sys.argv[2])
keys = Keys.open(Path(sys.argv[3]), {})
files = {p.name: p.read_bytes() for p in first.iterdir() if p.name not in ("export.json", "SHA256SUMS")}
document = UserScore.model_validate_json((first / "export.json").read_bytes())
latest, partial, n = set(), 0, 0
while n < 12 or (n < 60 and (len(latest) < 2 or not partial)):  # a busy machine writes less in the same time
    n += 1
    child = os.fork()
    if child == 0:
        while True:
            write(seal(document.model_copy(update={"export_id": str(uuid.uuid4())}), files, keys), out)
    time.sleep(random.Random(n).uniform(0.05, 0.35))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    verify(out)
    latest.add(str((out / "latest").resolve()))
    partial += any(out.glob(".*.partial"))
print(len(latest), partial)
"""


def test_kill_nine_leaves_the_last_good_export(tmp_path: Path) -> None:
    """A process killed at a dozen random moments or more of writing exports: each time `latest` is a whole export that verifies, and what was left
    half-written is in nobody's way and swept up later."""
    room = Room(tmp_path, teams={i: (i, i) for i in ("garam", "narae")}).vote(60).freeze()
    out = tmp_path / "out"
    first = export(room.store, room.keys, room.stage.id, out, NOW)
    room.close()

    run = [sys.executable, "-c", KILLED, str(out), str(first), str(tmp_path)]
    done = subprocess.run(run, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    seen, partial = map(int, done.stdout.split())
    assert seen > 1
    assert partial > 0
    verify(first)
    for left in out.glob(".*.partial"):
        long_ago = time.time() - 7200
        os.utime(left, (long_ago, long_ago))
    bundle = make(Store(f"sqlite:///{tmp_path / 'arena.db'}"), room.keys, room.stage.id, NOW.replace(year=2027))
    verify(write(bundle, out))
    assert not list(out.glob(".*.partial"))


def test_a_full_disk_leaves_the_last_good_export(tmp_path: Path) -> None:
    """When the operating system takes no more bytes, the export fails with its error, nothing half-written stays, `latest` is what it was."""
    room = Room(tmp_path).vote(60).freeze()
    first = export(room.store, room.keys, room.stage.id, tmp_path / "out", NOW)
    second = make(room.store, room.keys, room.stage.id, NOW.replace(year=2027))
    room.close()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for size in sorted({0, *(len(data) - 1 for data in second.files.values() if data)}):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        try:
            with pytest.raises(OSError, match="File too large"):
                write(second, tmp_path / "out")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert (tmp_path / "out" / LATEST).resolve() == first
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted([first.name, LATEST])
    verify(tmp_path / "out")
    assert write(second, tmp_path / "out") == (tmp_path / "out" / LATEST).resolve()


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    """A report or a state that cannot be written leaves the one that was there, and nothing beside it."""
    page = tmp_path / "report.html"
    write_file(b"first", page)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_file(b"second", page)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert page.read_bytes() == b"first"
    write_file(b"third", page)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("report.html", b"third")]


def test_a_broken_record_is_not_exported(tmp_path: Path) -> None:
    """A vote changed behind the arena's back stops the freeze and the export, and what was exported before stays."""
    room = Room(tmp_path).vote(60)
    with contextlib.closing(sqlite3.connect(tmp_path / "arena.db")) as connection:
        for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute("UPDATE votes SET winner = 'tie' WHERE seq = 5 AND winner <> 'tie'")
        connection.execute("UPDATE votes SET winner = 'model_a' WHERE seq = 6 AND winner <> 'model_a'")
        connection.commit()
    with refusing(LedgerError, match="The ledger refuses"):
        lifecycle.freeze(room.store, room.keys, room.stage.id, organizer=CLI, now=NOW)
    with refusing(LedgerError, match="The ledger refuses"):
        make(room.store, room.keys, room.stage.id, NOW)
    room.close()


def test_a_hundred_thousand_votes_leave_and_verify(tmp_path: Path) -> None:
    """A stage of 100,000 simulated votes freezes, exports and verifies, and the planted order is the exported one."""
    strengths = {"hanbit": 0.6, "maru": 0.3, "dasom": 0.0, "narae": -0.3, "garam": -0.6}
    room = Room(tmp_path).vote(100_000, voters=2500, strengths=strengths).freeze()
    folder = export(room.store, room.keys, room.stage.id, tmp_path / "out", NOW)
    room.close()

    document = json.loads((folder / JSON).read_bytes())
    assert document["population"]["n_votes_raw"] == document["provenance"]["checkpoint"]["size"] == 100_000
    ranked = sorted(document["scores"], key=lambda row: row["rank"])
    assert [row["team_id"] for row in ranked] == list(strengths)
    assert all(row["rank_ci95"] == [row["rank"]] * 2 for row in ranked)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 30_000_000


PROTOCOLS = {
    "balanced": '[protocol]\npairing = "balanced"\nreveal = "after_stage"\n',
    "adaptive": '[protocol]\npairing = "adaptive"\nuniform_share = 0.4\nboth_bad = "tie"\n',
    "plain": "[protocol]\nprior = 0\n[protocol.transform]\nid = 'min_max'\n",
    "top": "[protocol]\nprior = 2.5\n[protocol.transform]\nid = 'top_normalised'\n",
    "anchored": "[protocol.transform]\nid = 'anchored'\nparams = { anchor = 'narae' }\n",
}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_exports_and_verifies(tmp_path: Path, name: str) -> None:
    """Whatever the stage file declares of pairing, prior, ties and transform stands in the export, and the check makes the same numbers of it."""
    room = Room(tmp_path, more=PROTOCOLS[name]).vote(260, voters=40).freeze()
    bundle = make(room.store, room.keys, room.stage.id, NOW)
    room.close()

    document = verify_files(bundle.files).document
    assert document.protocol == json.loads(room.stage.protocol.model_dump_json())
    assert document.method is not None
    assert document.method.transform.id == room.stage.protocol.transform.id
    assert document.draws.rule == room.stage.protocol.pairing
    assert (document.sensitivity.robustness is None) == (name == "plain")
    assert (document.sensitivity.both_bad_exclude is not None) == (name == "adaptive")
