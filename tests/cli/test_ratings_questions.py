"""`python -m arena rate` and what was asked: from files of every format, and what it says of its intervals."""

import csv
import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arena.cli.battle_file import read
from arena.i18n.catalogue import messages
from benchmarks.coverage import MODELS, Design, stage
from ratings.fit import rate
from tests.cli.test_ratings_command import run

CITY = "서울에서 뭐 먹지?"
LONG = "길게 " * 150_000
QUESTIONS = [
    CITY,
    unicodedata.normalize("NFD", CITY),
    None,
    f" {CITY.replace('?', '!')}",
    LONG,
    "?!",
    LONG,
    "Hello",
    "HELLO.",
]
CODES = [1, 1, -1, 1, 2, -1, 2, 0, 0]
"""Which of `QUESTIONS` are the same, in any order of the numbers."""


def conversations(questions: list[str | None], *, parts: bool = False) -> list[list[dict[str, Any]]]:
    """Messages as LMArena publishes them: the assistant may speak first, the content may be a list of parts."""
    told = []
    for n, question in enumerate(questions):
        content = [{"type": "text", "text": question, "image": None}] if parts else question
        hello = [{"type": "text", "text": "네?", "image": None}] if parts else "네?"
        first = [{"role": "assistant", "content": hello}] if n % 2 else []
        told.append([*first, {"role": "user", "content": content}, {"role": "assistant", "content": hello}])
    return told


def rows(column: str, cells: list[Any]) -> list[dict[str, Any]]:
    """Battles with these cells, a voter each."""
    sides = {"model_a": "가람", "model_b": "나래", "winner": "model_a"}
    return [{**sides, "judge": f"u{n}", column: cell, "note": ["…"]} for n, cell in enumerate(cells)]


def parquet(path: Path, given: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(given), path, row_group_size=4)
    return path


def comma(path: Path, given: list[dict[str, Any]], *, printed: bool = False) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writerow(given[0])
        for row in given:
            writer.writerow([_text(cell, printed) for cell in row.values()])
    return path


def _text(cell: Any, printed: bool) -> Any:
    return cell if isinstance(cell, str) or cell is None else str(cell) if printed else json.dumps(cell)


def lines(path: Path, given: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in given))
    return path


def whole(path: Path, given: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps(given))
    return path


def columns(path: Path, given: list[dict[str, Any]]) -> Path:
    labelled = {name: {str(n): row[name] for n, row in enumerate(given)} for name in given[0]}
    path.write_text(json.dumps(labelled))
    return path


WRITERS: dict[str, tuple[str, Callable[[Path, list[dict[str, Any]]], Path]]] = {
    "parquet": ("b.parquet", parquet),
    "csv": ("b.csv", comma),
    "tsv, as Python prints it": ("b.tsv", lambda path, given: comma(path, given, printed=True)),
    "jsonl": ("b.jsonl", lines),
    "json, rows": ("b.json", whole),
    "json, columns": ("b.json", columns),
}
CELLS: dict[str, tuple[str, list[Any]]] = {
    "prompt": ("prompt", QUESTIONS),
    "turns": ("prompt", [[question, "그리고?"] if question else None for question in QUESTIONS]),
    "opening_msg": ("opening_msg", QUESTIONS),
    "messages": ("conversation_a", conversations(QUESTIONS)),
    "parts": ("conversation_a", conversations(QUESTIONS, parts=True)),
}


@pytest.mark.parametrize("cells", CELLS)
@pytest.mark.parametrize("writer", WRITERS)
def test_the_same_questions_are_found_in_every_format(writer: str, cells: str, tmp_path: Path):
    """None, a megabyte, NFC and NFD, the assistant first, parts, in Parquet, CSV, TSV, JSON Lines and JSON: the same keys."""
    name, write = WRITERS[writer]
    column, given = CELLS[cells]
    found = read(write(tmp_path / name, rows(column, given))).table.asked
    assert found is not None
    assert found.column == column
    codes = found.codes()
    assert (codes == -1).tolist() == [code == -1 for code in CODES]
    assert pd.factorize(codes)[0].tolist() == pd.factorize(np.array(CODES))[0].tolist()
    assert read(tmp_path / name, questions=False).table.asked is None


def test_a_column_that_comes_late_in_json_lines_is_read(tmp_path: Path):
    """What an object does not name is unknown in its row, also where a more telling column comes later."""
    given = rows("conversation_a", conversations(["a", "b", "c"]))
    given[2] |= {"prompt": "z"}
    found = read(lines(tmp_path / "b.jsonl", given)).table.asked
    assert found is not None
    assert found.column == "prompt"
    assert found.codes().tolist() == [-1, -1, 0]


def test_question_columns_that_cannot_be_read_refuse_nothing(tmp_path: Path):
    """A prompt column that stands twice, that is shorter than the others, or that holds anything at all: the votes are read all the same."""
    twice = comma(tmp_path / "b.csv", rows("prompt", ["a", "b"]))
    twice.write_text(twice.read_text().replace("note", "prompt"))
    assert read(twice).table.asked is None
    uneven = {name: [row[name] for row in rows("prompt", ["a", "b"])] for name in rows("prompt", [""])[0]} | {
        "prompt": ["a"]
    }
    path = tmp_path / "b.json"
    path.write_text(json.dumps(uneven))
    assert read(path).table.asked is None
    odd = parquet(tmp_path / "b.parquet", rows("prompt", [{"x": 1}, {"x": 2}]))
    found = read(odd).table.asked
    assert found is not None
    assert found.codes().tolist() == [-1, -1]


DESIGN = Design(60, 8, shared=12)


def simulated(path: Path, **more: Any) -> Path:
    """A stage in which all votes are on twelve questions, with its prompts."""
    made = stage(DESIGN, 3)
    names = np.array(MODELS)
    assert made.question is not None
    table = {
        "model_a": names[made.a],
        "model_b": names[made.b],
        "winner": np.array(["model_a", "model_b", "tie"])[made.outcome],
    }
    table |= {"voter": made.voter, "prompt": [f"Question {n}?" for n in made.question]}
    pd.DataFrame(table | more).drop(columns=[name for name, cells in more.items() if cells is None]).to_parquet(path)
    return path


def rated(path: Path, *options: str) -> tuple[dict[str, Any], str]:
    """The JSON and what was printed, in lines of any length."""
    out = path.with_name("o.json")
    code, printed, refused = run(path, "--out", out, *options, columns=None)
    assert code == 0, refused
    return orjson.loads(out.read_bytes()), printed


def sentence(key: str, **params: Any) -> str:
    """What the catalogue of the terminal says."""
    return messages("en")(key, **params)


def test_intervals_know_the_questions_and_say_so(tmp_path: Path):
    """By voter and question where a file tells the questions, with the digits of the core; `--questions none` is by voter alone."""
    path = simulated(tmp_path / "b.parquet")
    document, printed = rated(path, "--variants")
    asked = document["source"]["questions"]
    assert asked == {"column": "prompt", "distinct": 12, "shared": 12, "unread": 0, "clustered": True, "why_not": None}
    assert sentence("rate_over_questions", **asked) in printed.splitlines()
    for two_way, found in ((True, document), (False, rated(path, "--questions", "none")[0])):
        fit = rate(stage(DESIGN, 3, by_question=two_way))
        assert [row["rating_ci95"] for row in found["scores"]] == [
            [round(x, 4) for x in row.rating_ci95 or ()] for row in fit.rows
        ]
        assert found["method"]["covariance"] == f"sandwich clustered by {'voter and question' if two_way else 'voter'}"
    plain = rated(path, "--questions", "none", "--variants")[0]
    kept = document["variants"]["voter_only"]["scores"]
    assert kept == [{name: row[name] for name in kept[0]} for row in plain["scores"]]
    assert plain["variants"]["voter_only"] is None
    assert plain["source"]["questions"] == dict.fromkeys(("column", "distinct", "shared", "unread")) | {
        "clustered": False,
        "why_not": "declined",
    }


def test_the_other_voice_stands_beside(tmp_path: Path):
    """`--voice citizen` and `vote` are each other's variant; the intervals of both know the questions."""
    path = simulated(tmp_path / "b.parquet", voter=np.repeat([0, *range(1, 25)], [240, *[10] * 24]))
    by_vote, by_citizen = (rated(path, "--voice", voice, "--variants")[0] for voice in ("vote", "citizen"))
    for one, voice, other in ((by_vote, "vote", by_citizen), (by_citizen, "citizen", by_vote)):
        assert one["method"]["voice"] == voice
        beside = one["variants"]["other_voice"]
        assert beside["voice"] == other["method"]["voice"]
        assert beside["scores"] == [{name: row[name] for name in beside["scores"][0]} for row in other["scores"]]
    assert by_vote["scores"] != by_citizen["scores"]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"prompt": None}, "absent"),
        ({"prompt": "?!"}, "unreadable"),
        ({"prompt": "The same?"}, "few"),
        ({"weight": 1.5}, "weighted"),
    ],
)
def test_where_the_interval_is_by_voter_alone_it_says_why(more: dict[str, Any], why: str, tmp_path: Path):
    """No column, none to read, too few, weighted votes: one sentence each, and in the JSON."""
    document, printed = rated(simulated(tmp_path / "b.parquet", **more))
    asked = document["source"]["questions"]
    assert (asked["clustered"], asked["why_not"]) == (False, why)
    assert sentence(f"rate_over_voters_{why}", **asked) in printed.splitlines()
    assert document["method"]["covariance"] == "sandwich clustered by voter"


def test_questions_that_cannot_be_read_beside_others_are_counted(tmp_path: Path):
    """A vote without a readable question is one that nobody else asked, and that is said in both languages."""
    prompts = [f"Question {n % 12}?" if n % 4 else None for n in range(480)]
    document, printed = rated(simulated(tmp_path / "b.parquet", prompt=prompts))
    assert document["source"]["questions"]["unread"] == 120
    note = next(note for note in document["source"]["notes"] if note["code"] == "questions_unread")
    assert note["count"] == 120
    assert note["en"] in printed


def test_without_voters_questions_still_count_and_a_citizen_has_no_voice(tmp_path: Path):
    """Prompts cluster the votes of a file that names nobody; `--voice citizen` is refused there in one sentence."""
    path = simulated(tmp_path / "b.parquet", voter=None)
    document, _ = rated(path, "--variants")
    assert document["method"]["covariance"] == "sandwich clustered by voter and question"
    assert document["source"]["questions"]["shared"] == 12
    assert document["variants"]["other_voice"] is None
    code, _, refused = run(path, "--out", tmp_path / "o.json", "--voice", "citizen", columns=None)
    assert code != 0
    assert sentence("error_voice_without_voters") in refused
    assert "Traceback" not in refused
