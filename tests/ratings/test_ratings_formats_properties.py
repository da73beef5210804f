"""One table, four files: what a file of battles says does not depend on how it was written down."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arena.cli.battle_file import read
from ratings.errors import RatingsError
from ratings.fit import rate
from ratings.intake import formats

NASTY = [
    *("nan", "NaN", "NA", "None", "null", "", " ", "\u200b", "007", "7", "7.0", "1.1", "1.10", "1e3", "true", "-0"),
    *(
        "가람",
        "\u1100\u1161\u1105\u1161\u11b7",
        "가람 ",
        " 가람",
        "가\u200b람",
        "ＧＰＴ",
        "GPT",
        "a\u00a0b",
        "a b",
        "👩\u200d💻",
        "👩💻",
    ),
    *("a,b", "a;b", "a\tb", 'a"b', "a\nb", "a\r\nb", "a\rb", "'", "=1+1", "[red]x[/]", "\ufeffx", "x", "\u2028"),
    *("1234567890123456789", "1234567890123456790", "Ⅷ", "VIII", "\x1b[31m", "e\u0301", "é", "\\", "\u3164"),
]
NAMES = st.sampled_from(NASTY) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "model_a": NAMES | st.none(),
            "model_b": NAMES,
            "winner": st.sampled_from(["model_a", "model_b", "tie", "tie (bothbad)", "both_bad"]),
            "judge": NAMES,
            "anony": st.sampled_from(["t", "True", "true", "1", "yes", "t", "T", "f", "False", "maybe", ""]),
        }
    ),
    min_size=1,
    max_size=12,
)
CLEAN = st.lists(
    st.fixed_dictionaries(
        {
            "model_a": st.sampled_from(["nan", "1.1", "007", "가람", "\u1100\u1161\u1105\u1161\u11b7", "[b]"]),
            "model_b": st.sampled_from(["None", "1.10", "7", "ＧＰＴ", "a,b\n"]),
            "winner": st.sampled_from(["model_a", "model_b", "tie", "tie (bothbad)"]),
            "judge": st.sampled_from([name for name in NASTY if name.strip("\u200b\u3164 \u2028")]),
            "anony": st.sampled_from(["t", "true", "1", "no"]),
        }
    ),
    min_size=1,
    max_size=20,
)


def write(rows: list[dict[str, Any]], path: Path) -> Path:
    """The rows as text in the format that the ending names; what is missing is empty in CSV."""
    match path.suffix:
        case ".csv" | ".tsv":
            with path.open("w", encoding="utf-8", newline="") as file:
                delimiter = "," if path.suffix == ".csv" else "\t"
                writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter, quoting=csv.QUOTE_ALL)
                writer.writeheader()
                writer.writerows(rows)
        case ".json":
            path.write_text(json.dumps(rows, ensure_ascii=False), "utf-8")
        case ".jsonl":
            path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
        case _:
            pq.write_table(
                pa.table({name: pa.array([row[name] for row in rows], pa.string()) for name in rows[0]}), path
            )
    return path


def answer(path: Path) -> Any:
    """The ratings as they would be written and what was said of the file, or the sentence of the refusal."""
    try:
        battles = formats.translate(read(path).table)
        return rate(battles.comparisons()).to_dict(), battles.notes, battles.joined
    except RatingsError as refusal:
        return str(refusal).replace(path.name, "FILE")


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS | CLEAN)
def test_every_format_gives_the_same_answer(rows: list[dict[str, Any]], tmp_path: Path):
    """CSV, TSV, JSON, JSON Lines and Parquet of the same rows give the same ratings to the last digit, or the same refusal."""
    first, *others = [answer(write(rows, tmp_path / f"b.{e}")) for e in ("csv", "tsv", "json", "jsonl", "parquet")]
    assert all(other == first for other in others)


@settings(max_examples=60, deadline=None)
@given(
    content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode),
    ending=st.sampled_from(["csv", "tsv", "json", "jsonl", "parquet"]),
)
def test_no_bytes_end_in_a_traceback(content: bytes, ending: str, tmp_path_factory: pytest.TempPathFactory):
    """Whatever a file holds, it is read or refused in a sentence."""
    path = tmp_path_factory.mktemp("bytes") / f"b.{ending}"
    path.write_bytes(content)
    answer(path)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_json_ends_in_a_traceback(data: st.DataObject, tmp_path: Path):
    """Whatever cells a record holds, the file is rated or refused in a sentence."""
    cell = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just("x"),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
        max_leaves=4,
    )
    names = st.sampled_from(
        ["model_a", "model_b", "winner", "judge", "anony", "weight", "conv_metadata", "question_id"]
    )
    rows = data.draw(st.lists(st.dictionaries(names, cell, max_size=8), max_size=4))
    path = tmp_path / "b.json"
    path.write_text(json.dumps(rows), "utf-8")
    answer(path)
