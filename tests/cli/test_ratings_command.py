"""`python -m arena rate`, on files as they come."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import orjson
import pandas as pd
import pytest
from typer.testing import CliRunner

from arena.cli import app
from arena.cli.battle_file import read
from arena.results.votes.warnings import warnings
from ratings.comparison import Comparisons
from ratings.first import first
from ratings.fit import rate
from ratings.notices import by_kind
from tests.ratings.test_ratings_formats import COMPARIA, FASTCHAT, LMARENA
from tests.support.ratings_votes import frame, optimum, votes


def run(*arguments: str | Path, columns: int | None = 120) -> tuple[int, str, str]:
    """The command in this process: exit code, what it printed, and what it refused with; without columns, into a pipe."""
    width = None if columns is None else str(columns)
    done = CliRunner().invoke(app, ["rate", *map(str, arguments)], env={"COLUMNS": width})
    assert done.exception is None or isinstance(done.exception, SystemExit)
    refused = "".join(line for line in done.stderr.splitlines(keepends=True) if not line.endswith(" …\n"))
    return done.exit_code, done.stdout, refused


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


@pytest.mark.slow
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
    fit = rate(Comparisons.from_frame(table), both_bad="tie")
    expected = {**fit.to_dict("model"), "warnings": warnings(by_kind(fit.notices)), "cut": None}
    expected["scores"] = [row | {"in_first_k": None, "p_first_k": None} for row in expected["scores"]]
    assert {key: document[key] for key in expected} == orjson.loads(orjson.dumps(expected))
    assert document["source"]["rows"] == 400
    assert all(name in printed for name in ("m0", "m1", "m2", "points of 25"))


def test_rate_says_who_is_among_the_first(tmp_path: Path):
    """With `--first 2` the file has each model's standing, its probability and the cut, and the screen says it in a line."""
    table = frame(votes([2.0, 0.05, 0.0, -2.0], 60, 10, seed=3))
    out = tmp_path / "ratings.json"
    code, printed, _ = run(write(table, tmp_path / "battles.csv"), "--out", out, "--first", "2")
    assert code == 0
    document, among = orjson.loads(out.read_bytes()), first(rate(Comparisons.from_frame(table)), 2)
    assert [row["in_first_k"] for row in document["scores"]] == ["surely", "maybe", "maybe", "no"]
    assert [row["p_first_k"] for row in document["scores"]] == list(among.chances)
    assert {document["cut"][key] for key in ("last_in", "first_out")} == {"m1", "m2"}
    assert (document["cut"]["k"], document["cut"]["separated"]) == (2, False)
    assert "surely among the first 2: m0" in printed
    assert "may or may not be among the first 2: " in printed
    assert run(tmp_path / "battles.csv", "--out", out, "--first", "0")[0] == 2
    run(tmp_path / "battles.csv", "--out", out, "--first", "4")
    assert orjson.loads(out.read_bytes())["cut"] is None


@pytest.mark.parametrize(
    ("column", "row", "value", "words"),
    [
        ("winner", 1, "draw", "row 1: winner is 'draw'"),
        ("model_b", 2, "x", "row 2: 'x' is compared with itself"),
        ("model_a", 0, None, "row 0: model_a is empty"),
        ("weight", 2, -1.0, "row 2: weight is -1.0"),
        ("weight", 2, 1e-320, "row 2: weight is 1e-320; a weight is 0, or from 1e-09 to 1e+09"),
        ("weight", 1, 1e308, "row 1: weight is 1e+308"),
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


LONG = [f"organisation-{n}/a-model-with-a-name-of-fifty-letters-{n:07d}" for n in range(8)]


def battles(names: list[str], each: int, seed: int = 0) -> pd.DataFrame:
    """Battles between neighbours in a ring, so that all have met; the outcomes are tossed."""
    rng, k = np.random.default_rng(seed), len(names)
    a = np.repeat(np.arange(k), each)
    return pd.DataFrame(
        {
            "model_a": [names[i] for i in a],
            "model_b": [names[(i + 1) % k] for i in a],
            "winner": rng.choice(["model_a", "model_b"], len(a)),
            "judge": [f"u{n}" for n in rng.integers(0, 200, len(a))],
        }
    )


@pytest.mark.parametrize("columns", [None, 200, 100, 80, 40])
def test_a_name_is_never_cut(columns: int | None, tmp_path: Path):
    """Every name stands whole on one line at any width, and in a pipe nothing is left out; every rating has its interval."""
    source = write(battles(LONG, 40), tmp_path / "battles.csv")
    code, printed, _ = run(source, "--out", tmp_path / "o.json", columns=columns)
    assert code == 0
    assert all(any(name in line for line in printed.splitlines()) for name in LONG)
    rows = orjson.loads((tmp_path / "o.json").read_bytes())["scores"]
    for row in rows:
        low, high = row["rating_ci95"]
        assert f"{row['rating']:.1f}" in printed
        assert f"{low:.1f}–{high:.1f}" in printed
    if columns in (None, 200):
        assert "points of 25" in printed
    table = [line for line in printed.splitlines() if line and line[0] != "-"]
    assert columns is None or columns == 40 or max(map(len, table)) <= columns


def test_five_names_of_usual_length_fit_into_eighty_columns(tmp_path: Path):
    """At 80 columns short names stand beside rating, points and both intervals."""
    source = write(battles(["alpha", "beta", "gamma", "delta", "epsilon"], 60), tmp_path / "battles.csv")
    _, printed, _ = run(source, "--out", tmp_path / "o.json", columns=80)
    assert "points of 25" in printed
    assert max(map(len, printed.splitlines()[:9])) <= 80


def test_nothing_in_a_name_reaches_the_terminal_as_a_command(tmp_path: Path):
    """Escape sequences are shown as escapes, and brackets and emoji codes as they stand."""
    names = ["\x1b[31mred", "[bold]y[/bold]", ":smile:", "two\nlines"]
    code, printed, _ = run(write(battles(names, 9), tmp_path / "b.json"), "--out", tmp_path / "o.json", columns=None)
    assert code == 0
    assert "\x1b" not in printed
    assert all(shown in printed for shown in (r"\x1b[31mred", "[bold]y[/bold]", ":smile:", r"two\nlines"))
    assert {row["model"] for row in orjson.loads((tmp_path / "o.json").read_bytes())["scores"]} == set(names)


def hundreds(k: int) -> pd.DataFrame:
    """Battles of `k` entrants: half of them in one ring, the rest in fives that never met another five, a tenth without a vote."""
    names = [f"lab-{n % 37}/model-{n:04d}" for n in range(k)]
    parts = [battles(names[: k // 2], 20)]
    parts += [battles(names[start : start + 5], 4, seed=start) for start in range(k // 2, k - k // 10, 5)]
    bad = battles(names[-(k // 10) :], 1).assign(winner="both_bad")
    return pd.concat([*parts, bad])


@pytest.mark.slow
def test_hundreds_of_entrants_give_one_page_and_a_small_file(tmp_path: Path):
    """With 300 entrants each kind of notice is one line that names a handful, and twice the entrants are twice the file."""
    sizes = []
    for k in (300, 600):
        source, out = write(hundreds(k), tmp_path / f"b{k}.parquet"), tmp_path / f"o{k}.json"
        code, printed, _ = run(source, "--out", out, columns=None)
        assert code == 0
        told = [line for line in printed.splitlines() if line.startswith("- ")]
        document = orjson.loads(out.read_bytes())
        assert len(told) == len(document["warnings"]) == len({w["code"] for w in document["warnings"]})
        assert {w["code"] for w in document["warnings"]} >= {"no_votes", "never_compared", "few_votes", "few_voters"}
        assert max(map(len, told)) < 700
        assert max(len(w[language]) for w in document["warnings"] for language in ("ko", "en")) < 700
        assert all(line.count("lab-") <= 12 for line in told)
        assert len(printed.splitlines()) < k + 20
        assert len(document["scores"]) == k
        assert document["covariance"] is None
        sizes.append(out.stat().st_size)
    assert sizes[1] < 2.2 * sizes[0]


def test_pairs_that_met_are_written_and_no_others(tmp_path: Path):
    """`pairwise` holds the pairs with a vote, both_bad included, and the covariance is whole while it is small."""
    table = battles(["a", "b", "c", "d"], 10).query("model_a != 'd'")
    bad = pd.DataFrame({"model_a": ["a"], "model_b": ["d"], "winner": ["both_bad"], "judge": ["u1"]})
    run(write(pd.concat([table, bad]), tmp_path / "b.csv"), "--out", tmp_path / "o.json")
    document = orjson.loads((tmp_path / "o.json").read_bytes())
    assert document["schema"] == "kai.ratings/2"
    assert [(p["a"], p["b"]) for p in document["pairwise"]] == [("a", "b"), ("a", "d"), ("b", "c"), ("c", "d")]
    assert np.array(document["covariance"]).shape == (4, 4)


def test_too_many_names_are_refused(tmp_path: Path):
    """A column of something else than models, and --variants for more entrants than it can refit, are refused with the next step."""
    answers = pd.DataFrame({"model_a": [f"a{n}" for n in range(1500)], "model_b": [f"b{n}" for n in range(1500)]})
    source = write(answers.assign(winner="tie"), tmp_path / "b.csv")
    assert "names 3,000 models" in run(source)[2]
    assert (
        "rate it without --variants"
        in run(write(battles([f"m{n}" for n in range(60)], 1), tmp_path / "c.csv"), "--variants")[2]
    )


@pytest.mark.parametrize(
    ("rows", "words", "field", "count"),
    [
        ([*FASTCHAT, FASTCHAT[0]], "Rows with the question_id of a row before them: 1", "not_blind", 1),
        (
            [*COMPARIA, {**COMPARIA[0], "chosen_model_name": None}],
            "Rows without a choice, left out: 1.",
            "no_choice",
            1,
        ),
        (
            [{**row, "conversation_pair_id": "c"} for row in COMPARIA],
            "Votes followed by another on the same conversation, left out: 2.",
            "voted_again",
            2,
        ),
        ([*LMARENA, LMARENA[0]], "Rows that repeat another row's vote with its id, left out: 1.", "copies", 1),
        (
            [{**FASTCHAT[0], "model_a": "x\u200b"}, *FASTCHAT],
            "spelled in several ways that look the same",
            "not_blind",
            1,
        ),
    ],
)
def test_what_was_left_out_or_joined_is_said(rows: list[dict], words: str, field: str, count: int, tmp_path: Path):
    """What a file's reading decided stands on the screen and, with its count and in two languages, in the JSON."""
    code, printed, _ = run(write(pd.DataFrame(rows), tmp_path / "b.json"), "--out", tmp_path / "o.json")
    assert code == 0
    assert words in printed
    source = orjson.loads((tmp_path / "o.json").read_bytes())["source"]
    assert source[field] == count
    assert source["rows"] == len(rows)
    assert any(words in note["en"] and note["ko"] for note in source["notes"])


def test_style_columns_that_are_no_numbers_are_refused(tmp_path: Path):
    """With --variants a count that is no number, or below 0, is refused with its row in the file; without it is not read."""
    counts = {f"{name}_{side}": ["1", "1", "1"] for name in ("length", "headers", "bold", "lists") for side in "ab"}
    table = pd.DataFrame(
        {"model_a": ["x"] * 3, "model_b": ["y"] * 3, "winner": ["tie"] * 3, "anony": ["f", "t", "t"]} | counts
    )
    for value, words in (("many", "row 2: bold_a is 'many'"), ("-1", "row 2: bold is no count")):
        table.loc[2, "bold_a"] = value
        source = write(table, tmp_path / "b.csv")
        assert words in run(source, "--variants", "--out", tmp_path / "o.json")[2]
        assert run(source, "--out", tmp_path / "o.json")[0] == 0


def told(table: pd.DataFrame, tmp_path: Path, *options: str, columns: int | None = None) -> tuple[str, dict]:
    """What the command prints of this table, and what it writes."""
    code, printed, refusal = run(
        write(table, tmp_path / "b.json"), "--out", tmp_path / "o.json", *options, columns=columns
    )
    assert (code, refusal) == (0, "")
    return printed, orjson.loads((tmp_path / "o.json").read_bytes())


def test_a_reading_that_does_not_apply_is_null(tmp_path: Path):
    """--variants rates whatever rates without it: the reading under which no vote counts is null, and nothing is said of it."""
    table = pd.DataFrame({"model_a": ["x", "y"], "model_b": ["y", "x"], "winner": ["both_bad"] * 2})
    printed, document = told(table, tmp_path, "--variants", "--both-bad", "tie")
    assert document["variants"]["both_bad_exclude"] is None
    assert "both_bad as" not in printed


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame(
            {"model_a": "x", "model_b": "y", "winner": ["model_a", "model_b"] * 6, "judge": ["u", "v", "w"] * 4}
        ),
        pd.DataFrame(
            {
                "model_a": ["x", "y"] * 6,
                "model_b": ["y", "x"] * 6,
                "winner": ["model_a"] * 7 + ["model_b"] * 5,
                "judge": "u",
            }
        ),
        pd.DataFrame({"model_a": ["x", "y"] * 6, "model_b": ["y", "x"] * 6, "winner": "tie"}),
        pd.DataFrame(
            {"model_a": ["x", "x", "y"] * 4, "model_b": ["z", "y", "z"] * 4, "winner": ["model_a", "model_b"] * 6}
        ).query("model_b != 'z' or model_a == 'y'"),
    ],
    ids=["never swapped", "one voter", "only ties", "a ladder"],
)
def test_position_bias_is_not_said_where_it_cannot_be_known(table: pd.DataFrame, tmp_path: Path):
    """Where no pair changed sides, one voter decided all, or nobody decided, the side that is favoured is null."""
    printed, document = told(table, tmp_path, "--variants")
    assert document["variants"]["position_bias"] is None
    assert "the left one wins" not in printed


def test_weights_are_added_up_without_noise(tmp_path: Path):
    """Sums of weights are printed and written as people add them, in every place the same; missing votes are told in units of weight."""
    printed, document = told(battles(["x", "y", "z"], 67).assign(weight=0.1), tmp_path, "--variants")
    assert "20.1 of 20.1 votes, " in printed
    assert document["method"]["n_votes"] == document["method"]["n_used"] == 20.1
    assert "more votes of weight 1, every pair" in printed
    assert document["variants"]["votes_needed"]["unit"] == "weight"
    printed, document = told(battles(["x", "y"], 100).assign(weight=0.1), tmp_path)
    assert "20 of 20 votes, " in printed
    assert {row["n_votes"] for row in document["scores"]} == {document["method"]["n_used"]} == {20}
    assert not any(
        "too few votes" in w["en"] for w in told(battles(["x", "y"], 150).assign(weight=0.1), tmp_path)[1]["warnings"]
    )
    _, document = told(battles(["x", "y"], 4).assign(weight=1e-9), tmp_path)
    assert document["method"]["n_used"] == pytest.approx(8e-9)


def test_groups_that_never_met_stay_apart_in_every_reading(tmp_path: Path):
    """With --variants no line puts groups that never met into one order, or plans votes to tell them apart."""
    table = pd.concat([battles(["a", "b", "c"], 9), battles(["p", "q", "r"], 9)])
    printed, document = told(table, tmp_path, "--variants")
    [line] = [line for line in printed.splitlines() if line.startswith("- both_bad as tie: ")]
    first, second = line.removeprefix("- both_bad as tie: ").split(" | ")
    assert first[:2] == "A "
    assert second[:2] == "B "
    assert {row["group"] for row in document["variants"]["both_bad_tie"]} == {0, 1}
    assert document["variants"]["votes_needed"] is None


def test_the_other_pairs_need_at_least_as_many(tmp_path: Path):
    """The pairs of neighbours that are not named need at least as many votes as each that is."""
    printed, document = told(
        frame(votes([0.7, 0.5, 0.3, 0.1, -0.1, -0.3, -0.5, -0.7], 60, 30, seed=1)), tmp_path, "--variants"
    )
    needed = sorted(pair["votes"] for pair in document["variants"]["robustness"] if pair["votes"] is not None)
    assert len(needed) > 5
    assert f"would swap without {needed[4]:,} votes" in printed
    assert (
        f"- {len(needed) - 5} more pair{'s' * (len(needed) > 6)} of neighbours need{'s' * (len(needed) == 6)} at least as many"
        in printed
    )


@pytest.mark.parametrize("columns", ["0", "", "-1", "x"])
def test_a_width_that_is_none_folds_nothing(columns: str, tmp_path: Path):
    """COLUMNS=0, as some shells export it, prints as into a pipe."""
    source = write(battles(["x", "y"], 9), tmp_path / "b.csv")
    done = CliRunner().invoke(app, ["rate", str(source), "--out", str(tmp_path / "o.json")], env={"COLUMNS": columns})
    assert "points of 25" in done.stdout


def test_stacked_figures_say_what_they_are(tmp_path: Path):
    """At 40 columns each figure stands on a line of its own, with its name, none wider than the screen."""
    source = write(battles(LONG, 40), tmp_path / "b.csv")
    _, printed, _ = run(source, "--out", tmp_path / "o.json", columns=40)
    lines = [line for line in printed.splitlines() if line.startswith("  ") and "organisation" not in line]
    assert len(lines) == 3 * len(LONG)
    assert {line.split()[0] for line in lines} == {"rating", "points", "votes:"}
    assert max(map(len, lines)) <= 40


def test_no_file_name_commands_the_terminal(tmp_path: Path):
    """An escape sequence in the name of a broken file is shown as an escape."""
    (tmp_path / "\x1b[31mred.json").write_text("{")
    (tmp_path / "\x1b[31mred.txt").write_text("{")
    for path in tmp_path.iterdir():
        _, _, refusal = run(path, "--out", tmp_path / "o.json")
        assert "\x1b" not in refusal
        assert r"\x1b[31mred" in refusal


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"winner": "tie", "anony": "f"}, "Battles that were not blind, left out: 2."),
        (
            {"winner": "both_bad"},
            "Votes that found both answers bad, left out of the fit: 2; --both-bad tie counts them as ties.",
        ),
        ({"winner": "tie", "weight": 0}, "All weights are 0."),
    ],
)
def test_a_file_without_a_vote_says_what_became_of_its_rows(columns: dict, words: str, tmp_path: Path):
    """Where nothing is left to rate, the refusal says what was left out and why."""
    source = write(pd.DataFrame({"model_a": ["x"] * 2, "model_b": ["y"] * 2}).assign(**columns), tmp_path / "b.csv")
    code, _, refusal = run(source, "--out", tmp_path / "o.json")
    assert code == 1
    assert "no comparison can be counted" in refusal
    assert words in refusal


def test_the_place_of_the_answer_is_looked_at_first(tmp_path: Path):
    """The file of battles is never written over, and a folder that is missing is said before any work."""
    source = write(battles(["x", "y"], 3), tmp_path / "b.json")
    before = source.read_bytes()
    (tmp_path / "link.json").symlink_to(source)
    for out in (source, tmp_path / "link.json"):
        assert "is the file of battles itself" in run(source, "--out", out)[2]
    assert source.read_bytes() == before
    (tmp_path / "broken.json").write_text("{")
    assert "does not exist: make it first" in run(tmp_path / "broken.json", "--out", tmp_path / "none" / "o.json")[2]


@pytest.mark.parametrize("prior", ["1e-300", "1e-9", "1e-6"])
def test_a_prior_that_is_too_small_is_called_so(prior: str, tmp_path: Path):
    """A prior out of rounding's reach is refused, whatever the votes; one that cannot hold undefeated entrants names them."""
    table = battles(["x", "y"], 9).assign(winner="model_a").query("model_a == 'x'")
    refusal = run(write(table, tmp_path / "b.csv"), "--prior", prior, "--out", tmp_path / "o.json")[2]
    least = "or at least 1e-06" in refusal
    assert least if float(prior) < 1e-6 else "x never lost to y, so a prior of 1e-06 is too small" in refusal
    assert "check the weights" not in refusal


@pytest.mark.slow
def test_metadata_warn_of_nothing(tmp_path: Path):
    """Backslashes in metadata as Python prints them reach no screen as a warning."""
    source = write(pd.DataFrame([{**row, "conv_metadata": r"{'x': '\d'}"} for row in LMARENA]), tmp_path / "b.json")
    command = [sys.executable, "-m", "arena", "rate", str(source), "--out", str(tmp_path / "o.json"), "--variants"]
    assert "Warning" not in subprocess.run(command, capture_output=True, text=True, check=True).stderr


def test_one_notice_names_a_handful(tmp_path: Path):
    """However many groups and undefeated entrants there are, a line names about six and counts the others."""
    ladder = [f"lab-{n:02d}" for n in range(20)]
    parts = [
        pd.DataFrame({"model_a": [a], "model_b": [b], "winner": "model_a", "judge": "u"}) for a, b in pairwise(ladder)
    ]
    printed, _ = told(
        pd.concat([*parts, *(battles([f"lab-p{n}", f"lab-q{n}", f"lab-r{n}"], 9) for n in range(5))]), tmp_path
    )
    lines = [line for line in printed.splitlines() if line.startswith("- ")]
    assert max(line.count("lab-") for line in lines) <= 6
    assert any("The field splits like this in" in line for line in lines)
