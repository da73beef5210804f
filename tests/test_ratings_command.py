"""`python -m arena rate`, on files as they come."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import orjson
import pandas as pd
import pytest
from typer.testing import CliRunner

from arena.cli import app
from arena.cli.battle_file import read
from ratings.comparison import Comparisons
from ratings.fit import rate
from tests.ratings_votes import frame, optimum, votes
from tests.test_ratings_formats import COMPARIA, FASTCHAT, LMARENA


def run(*arguments: str | Path) -> tuple[int, str, str]:
    """The command in this process: exit code, what it printed, and what it refused with."""
    done = CliRunner().invoke(app, ["rate", *map(str, arguments)], env={"COLUMNS": "120"})
    return done.exit_code, done.stdout, done.stderr


def write(table: pd.DataFrame, path: Path) -> Path:
    """The table in the format that the ending names."""
    match path.suffix:
        case ".csv":
            table.to_csv(path, index=False, encoding="utf-8-sig")
        case ".jsonl":
            table.to_json(path, orient="records", lines=True, force_ascii=False)
        case ".json":
            path.write_bytes(orjson.dumps(table.to_dict(orient="records")))
        case _:
            table.to_parquet(path)
    return path


def test_the_command_finds_the_converged_estimate(tmp_path: Path):
    """In a process of its own, `rate --prior 0` writes the maximum-likelihood log-strengths to 1e-6, as another optimiser finds them."""
    comparisons = votes([0.9, 0.3, 0.0, -0.2, -1.0], voters=60, each=10, seed=3, ties=0.2, both_bad=0.1)
    source, out = write(frame(comparisons), tmp_path / "battles.parquet"), tmp_path / "out.json"

    done = subprocess.run(
        [sys.executable, "-m", "arena", "rate", str(source), "--out", str(out), "--prior", "0"],
        capture_output=True,
        text=True,
        check=True,
    )

    scores = orjson.loads(out.read_bytes())["scores"]
    assert [row["model"] for row in scores] == list(comparisons.models)
    np.testing.assert_allclose([row["theta"] for row in scores], optimum(comparisons.tally().wins, 0), atol=1e-6)
    assert all(name in done.stdout for name in comparisons.models)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "json", "parquet"])
def test_rate_writes_the_same_from_any_file(ending: str, tmp_path: Path):
    """`rate` gives the numbers of the fit from CSV, JSON Lines, JSON and Parquet alike, and prints every model."""
    table = frame(votes([0.5, 0.0, -0.5], 40, 10, seed=3, ties=0.1, both_bad=0.05))
    source, out = write(table, tmp_path / f"battles.{ending}"), tmp_path / "ratings.json"
    code, printed, _ = run(source, "--out", out, "--both-bad", "tie")
    assert code == 0
    document = orjson.loads(out.read_bytes())
    expected = rate(Comparisons.from_frame(table), both_bad="tie").to_dict("model")
    assert {key: document[key] for key in expected} == orjson.loads(orjson.dumps(expected))
    assert document["source"]["rows"] == 400
    assert all(name in printed for name in ("m0", "m1", "m2", "points of 25"))


@pytest.mark.parametrize(
    ("column", "row", "value", "words"),
    [
        ("winner", 1, "draw", "row 1: winner is 'draw'"),
        ("model_b", 2, "x", "row 2: 'x' is compared with itself"),
        ("model_a", 0, None, "row 0: model_a is empty"),
        ("weight", 2, -1.0, "row 2: weight is -1.0"),
        ("voter", 1, None, "row 1: voter is empty"),
    ],
)
def test_rate_names_the_row_and_leaves_the_last_file(column: str, row: int, value: object, words: str, tmp_path: Path):
    """A file that cannot be rated ends with exit code 1 and a sentence that names the row; the last good output stays."""
    table = pd.DataFrame({"model_a": ["x"] * 3, "model_b": ["y"] * 3, "winner": ["tie"] * 3, "voter": ["u", "v", "w"]})
    table = table.assign(weight=1.0).astype({"model_a": object, "model_b": object, "winner": object, "voter": object})
    table.loc[row, column] = value
    source, out = write(table, tmp_path / "battles.csv"), tmp_path / "ratings.json"
    out.write_text("the last good one")
    code, _, refusal = run(source, "--out", out)
    assert code == 1
    assert words in refusal
    assert out.read_text() == "the last good one"


def test_rate_refuses_what_is_no_table_of_battles(tmp_path: Path):
    """Another ending, a broken file, and separated entrants without a prior are refused with the next step."""
    (tmp_path / "battles.xlsx").touch()
    assert "ends in .parquet" in run(tmp_path / "battles.xlsx")[2]
    (tmp_path / "broken.parquet").write_text("not parquet")
    assert "cannot be read as parquet" in run(tmp_path / "broken.parquet")[2]
    lopsided = pd.DataFrame({"model_a": ["x"] * 9, "model_b": ["y"] * 9, "winner": ["model_a"] * 9})
    code, _, refusal = run(write(lopsided, tmp_path / "lopsided.csv"), "--prior", "0", "--out", tmp_path / "o.json")
    assert (code, (tmp_path / "o.json").exists()) == (1, False)
    assert "x never lost to y" in refusal


@pytest.mark.parametrize(
    ("rows", "ending", "voters"), [(FASTCHAT, "json", 2), (LMARENA, "parquet", 2), (COMPARIA, "jsonl", 3)]
)
def test_rate_reads_the_public_releases(rows: list[dict], ending: str, voters: int, tmp_path: Path):
    """FastChat's, LMArena's and compar:IA's files are rated as they are released, conversations left unread."""
    source, out = write(pd.DataFrame(rows), tmp_path / f"release.{ending}"), tmp_path / "o.json"
    code, printed, _ = run(source, "--out", out)
    assert code == 0
    document = orjson.loads(out.read_bytes())
    assert document["source"]["rows"] == len(rows)
    assert document["method"]["n_eff_voters"] <= voters
    assert ("not blind" in printed) == (rows is FASTCHAT)
    if ending == "parquet":
        assert not any(column.startswith("conversation") for column in read(source).table.columns)


def test_variants_stand_beside_the_fit(tmp_path: Path):
    """With --variants the other readings of the same votes are written and said: both_bad, ties, style, side, robustness, votes needed."""
    comparisons = votes([0.5, 0.1, -0.5], 60, 20, seed=3, taste=0.3, ties=0.1, both_bad=0.05)
    rng, table = np.random.default_rng(0), frame(comparisons)
    for name in ("length", "headers", "bold", "lists"):
        for side in "ab":
            table[f"{name}_{side}"] = rng.poisson(5, len(table))
    source, out = write(table, tmp_path / "battles.parquet"), tmp_path / "o.json"
    code, printed, _ = run(source, "--out", out, "--variants")
    assert code == 0
    found = orjson.loads(out.read_bytes())["variants"]
    raw = rate(comparisons)
    assert [row["rating_raw"] for row in found["style_controlled"]["scores"]] == [round(r.rating, 4) for r in raw.rows]  # type: ignore[arg-type]
    assert [c["name"] for c in found["style_controlled"]["coefficients"]] == [
        *("length", "headers", "bold", "lists"),
        "side_a",
    ]
    assert found["position_bias"]["ci95"][0] < 0.5 < found["position_bias"]["ci95"][1]
    assert {"both_bad_tie", "both_bad_share", "davidson", "robustness", "votes_needed"} <= found.keys()
    assert "would swap without" in printed
    assert "style held equal" in printed
