"""Battle files as they lie on a disk: encodings, delimiters, shapes of JSON, kinds of Parquet columns, and broken ones."""

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arena.cli.battle_file import read
from arena.i18n.catalogue import messages
from ratings.errors import ComparisonError
from ratings.intake import formats
from tests.support.words import refusing

ROWS = [
    {"model_a": "가람", "model_b": "나래", "winner": "model_a", "judge": "u1", "note": "많이, 좋아요"},
    {"model_a": "나래", "model_b": "가람", "winner": "model_b", "judge": "u2", "note": "둘\n다"},
    {"model_a": "나래", "model_b": "1.10", "winner": "tie", "judge": "u2", "note": '"네"'},
]
TABLE = pd.DataFrame(ROWS)
CSV = TABLE.to_csv(index=False)
JSON = json.dumps(ROWS, ensure_ascii=False)
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)


def translated(path: Path) -> pd.DataFrame:
    """The file's battles in the field's columns."""
    return formats.translate(read(path).table).frame


def laid(path: Path, content: str | bytes) -> Path:
    """The content in a file."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.fixture
def expected() -> pd.DataFrame:
    """What every way of writing `ROWS` must give."""
    return formats.translate(TABLE).frame


@pytest.mark.parametrize("ending", ["csv", "jsonl", "json"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_encodings_are_recognised_and_said(ending: str, encoding: str, tmp_path: Path, expected: pd.DataFrame):
    """UTF-8, UTF-16 and CP949, with or without a byte-order mark, give the same battles; all but UTF-8 are said."""
    text = {"csv": CSV, "jsonl": LINES, "json": JSON}[ending]
    path = laid(tmp_path / f"battles.{ending}", text.encode(encoding))
    pd.testing.assert_frame_equal(translated(path), expected)
    said = [messages("en").of(note) for note in read(path).notes]
    assert said == ([] if encoding.startswith("utf-8") else [f"The file was read as {read(path).encoding.upper()}."])  # type: ignore[union-attr]


@pytest.mark.parametrize(("ending", "delimiter"), [(e, d) for e in ("csv", "tsv") for d in ",;\t"])
def test_delimiters_are_recognised_and_said(ending: str, delimiter: str, tmp_path: Path, expected: pd.DataFrame):
    """Commas, semicolons and tabs are told apart by the header, also below Excel's own line; the unusual one is said."""
    text = TABLE.to_csv(index=False, sep=delimiter)
    path = laid(tmp_path / f"battles.{ending}", text)
    pd.testing.assert_frame_equal(translated(path), expected)
    assert bool(read(path).notes) == (delimiter != {"csv": ",", "tsv": "\t"}[ending])
    if delimiter == ";":
        pd.testing.assert_frame_equal(
            translated(laid(path, "sep=;\r\n" + text.replace("\n", "\r\n").replace("둘\r\n다", ""))), expected
        )


@pytest.mark.parametrize(
    ("ending", "content"),
    [
        ("json", TABLE.to_json(force_ascii=False)),
        ("json", json.dumps({name: list(TABLE[name]) for name in TABLE})),
        ("json", LINES),
        ("jsonl", "\n" + LINES.replace("\n", "\r\n\r\n")),
        ("csv", "\n" + CSV.replace("model_a,", " model_a ,", 1)),
        ("csv", TABLE.to_csv(index=False, quoting=1).replace('","', '", "')),
    ],
)
def test_shapes_of_a_table_are_read(ending: str, content: str, tmp_path: Path, expected: pd.DataFrame):
    """JSON as objects of columns or as lines, blank lines, and white space around a column's name are no other table."""
    pd.testing.assert_frame_equal(translated(laid(tmp_path / f"battles.{ending}", content)), expected)


def test_numbers_in_json_stay_as_they_are_written(tmp_path: Path):
    """1.10 is not 1.1, nineteen digits stay nineteen, and a bare NaN, as Python writes what is missing, is empty."""
    text = '[{"model_a": 1.10, "model_b": 1.1, "winner": "tie", "judge": 1234567890123456789, "weight": 0.5}]'
    frame = translated(laid(tmp_path / "b.json", text))
    assert frame.to_dict("records") == [
        {"model_a": "1.10", "model_b": "1.1", "winner": "tie", "voter": "1234567890123456789", "weight": 0.5}
    ]
    with refusing(ComparisonError, match="row 0: judge is empty"):
        translated(laid(tmp_path / "b.json", text.replace("1234567890123456789", "NaN")))


@pytest.mark.parametrize(
    ("column", "names"),
    [
        (pa.array([1234567890123456789, 1234567890123456788]), ["1234567890123456789", "1234567890123456788"]),
        (pa.array([Decimal("1.10"), Decimal("2.00")]), ["1.10", "2.00"]),
        (pa.array([1.1, 2.0]), ["1.1", "2.0"]),
        (pa.array([1.1, 2.0], pa.float32()), ["1.1", "2.0"]),
        (pa.array(["가", "nan"]).dictionary_encode(), ["가", "nan"]),
        (pa.array([7, 8]).dictionary_encode(), ["7", "8"]),
        (pa.array(["가", "나"], pa.string_view()), ["가", "나"]),
        (pa.array([b"x", b"y"]), ["x", "y"]),
        (pa.array([True, False]), ["true", "false"]),
        (pa.array([date(2026, 1, 2), date(2026, 1, 3)]), ["2026-01-02", "2026-01-03"]),
        (pa.array([0, 1], pa.timestamp("ms")), ["1970-01-01 00:00:00.000", "1970-01-01 00:00:00.001"]),
        (pa.array([timedelta(1), timedelta(2)], pa.duration("s")), ["86400", "172800"]),
    ],
)
def test_parquet_columns_of_any_kind_are_names(column: Any, names: list[str], tmp_path: Path):
    """Integers, decimals, floats, categories, bytes and dates in a Parquet file are names without loss."""
    pq.write_table(
        pa.table({"model_a": column, "model_b": ["p", "q"], "winner": ["tie", "tie"]}), tmp_path / "b.parquet"
    )
    assert translated(tmp_path / "b.parquet")["model_a"].tolist() == names


def test_missing_cells_merge_no_identifiers(tmp_path: Path):
    """compar:IA visitors with missing ones among 19-digit numbers stay apart: nothing passes through floating point."""
    table = {"model_a_name": ["x"] * 4, "model_b_name": ["y"] * 4, "chosen_model_name": ["x"] * 4}
    visitors = pa.array([1234567890123456789, None, 1234567890123456788, None])
    pq.write_table(pa.table({**table, "visitor_id": visitors}), tmp_path / "b.parquet")
    assert len(set(translated(tmp_path / "b.parquet")["voter"].tolist())) == 4


def test_only_what_a_rating_reads_is_read(tmp_path: Path):
    """Other columns, conversations above all, may hold anything, and stand twice, without being read."""
    path = tmp_path / "b.parquet"
    other = [pa.array([[{"role": "user"}], None]), pa.array([b"\xff", None]), pa.array([1, 2])]
    columns = [pa.array(["x", "y"]), pa.array(["y", "x"]), pa.array(["tie", "tie"]), *other]
    pq.write_table(pa.Table.from_arrays(columns, ["model_a", "model_b", "winner", "conversation_a", "z", "z"]), path)
    table = read(path).table
    assert set(table.columns) == {"model_a", "model_b", "winner"}
    assert list(table.names)[3:] == ["conversation_a", "z", "z"]


GOOD = b"model_a,model_b,winner\nx,y,tie\n"


@pytest.mark.parametrize(
    ("ending", "content", "words"),
    [
        ("csv", b"", "the file is empty"),
        ("csv", b"\xef\xbb\xbf\n\n", "the file is empty"),
        ("csv", b"sep=;\n", "these columns are no battles.* Found: none"),
        ("csv", GOOD + b'"x,y,tie\n', "row 1: the quotes do not match"),
        ("csv", GOOD + b'"x"y,z,tie\n', "row 1: the quotes do not match"),
        ("csv", b'"model_a,x', "these columns are no battles|the quotes do not match"),
        ("csv", GOOD + b"x,y\n", "row 1: it has 2 cells and the header 3"),
        ("csv", GOOD + b"x,y,tie,,\n", "row 1: it has 5 cells"),
        ("csv", GOOD + b"x,\0,tie\n", "NUL"),
        ("csv", GOOD.replace(b"model_b", b"model_c"), "these columns are no battles"),
        ("csv", b"model_a,model_b,winner,winner\nx,y,tie,tie\n", "column 'winner' stands twice"),
        ("csv", "model_a,model_b,winner\n가람,나래,tie\n".encode() + b"\xea\xb0,x,tie\n", "is no UTF-8"),
        ("csv", "model_a,model_b,winner\né,x,tie\n".encode("latin-1"), "save it as UTF-8"),
        ("csv", GOOD + b"x" * 200_000 + b",y,tie\n", "row 1: model_a holds 200,000 characters"),
        ("csv", b"\x1f\x8b\x08\x00\x00", "gzip"),
        ("csv", b"PK\x03\x04\x14\x00", "Excel"),
        ("csv", b"model_a,model_b,winner\n,,\n", "row 0: model_a is empty"),
        ("json", b"[" * 100_000, "nests too deeply"),
        ("jsonl", b'{"model_a":' * 100_000, "row 0: it nests too deeply"),
        ("json", b"3", "one value"),
        ("json", b"null", "one value"),
        ("json", b'[{"model_a"', "cannot be read as json"),
        ("json", b"[[1, 2]]", "row 0: it is"),
        ("json", b"[]", "these columns are no battles"),
        ("json", b'{"model_a": ["x"], "model_b": ["y", "z"], "winner": ["tie"]}', "different lengths"),
        ("json", b'{"model_a": {"0": "x"}, "model_b": {"1": "y"}, "winner": {"0": "tie"}}', "other row labels"),
        ("json", b'{"model_a": "x", "model_b": "y", "winner": "tie"}', "give a list of objects"),
        (
            "json",
            b'[{"model_a": "x", "model_a": "z", "model_b": "y", "winner": "tie"}]',
            "column 'model_a' stands twice in row 0",
        ),
        (
            "json",
            b'[{"model_a": "\\ud800", "model_b": "y", "winner": "tie"}]',
            "row 0: model_a: '\\\\ud800' holds half",
        ),
        ("json", b'[{"\\ud800": 1}]', "Found: .ud800"),
        ("json", b'[{"model_a": {"x": 1}, "model_b": "y", "winner": "tie"}]', "row 0: model_a: .* is no single value"),
        ("jsonl", b'{"model_a": "x"}\n\n{"model_a"\n', "row 1: the line is no JSON"),
        ("parquet", b"", "cannot be read as parquet"),
        ("parquet", b"PAR1" + b"\xff" * 100 + b"PAR1", "cannot be read as parquet"),
        ("xlsx", b"", "give a file that ends in"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_broken_files_are_refused_in_a_sentence(ending: str, content: bytes, words: str, tmp_path: Path):
    """Whatever is wrong with a file, the refusal says what, in which row, and no other error leaves the reader."""
    with refusing(ComparisonError, match=words):
        translated(laid(tmp_path / f"battles.{ending}", content))


def test_broken_parquet_is_refused_in_a_sentence(tmp_path: Path):
    """A Parquet file cut short, with damaged pages, or with nested names is refused, and so is a column that stands twice."""
    path, names = tmp_path / "b.parquet", ["model_a", "model_b", "winner"]
    pq.write_table(pa.Table.from_pandas(TABLE), path)
    whole = path.read_bytes()
    for broken in (whole[: len(whole) // 2], whole[:8] + b"\xff" * 40 + whole[48:]):
        with refusing(ComparisonError, match="cannot be read as parquet"):
            translated(laid(path, broken))
    for nested in (pa.array([["x"]]), pa.array([{"x": 1}]), pa.array([b"\xff"])):
        pq.write_table(pa.Table.from_arrays([nested, pa.array(["y"]), pa.array(["tie"])], names), path)
        with refusing(ComparisonError, match="row 0: model_a: "):
            translated(path)
    pq.write_table(pa.Table.from_arrays([pa.array(["x"])] * 4, [*names, "winner"]), path)
    with refusing(ComparisonError, match="column 'winner' stands twice"):
        translated(path)


@pytest.mark.parametrize("ending", ["csv", "json", "jsonl", "parquet"])
def test_only_a_column_that_is_needed_may_stand_twice_nowhere(ending: str, tmp_path: Path):
    """A column that this release's rating does not need may stand twice in every format; one that it needs is refused by name."""
    for extra, refused in (
        (["timestamp", " timestamp"], None),
        (["note", "note"], None),
        (["judge", "judge "], "judge"),
    ):
        names, cells = ["model_a", "model_b", "winner", *extra], ["x", "y", "tie", "1", "2"]
        path = tmp_path / f"b.{ending}"
        record = "{" + ", ".join(f'"{n}": "{c}"' for n, c in zip(names, cells, strict=True)) + "}"
        if ending == "parquet":
            pq.write_table(pa.Table.from_arrays([pa.array([cell]) for cell in cells], names), path)
        else:
            laid(
                path, {"csv": ",".join(names) + "\n" + ",".join(cells), "json": f"[{record}]", "jsonl": record}[ending]
            )
        if refused is None:
            assert len(translated(path)) == 1
        else:
            with refusing(ComparisonError, match=f"column '{refused}' stands twice"):
                translated(path)


def test_no_row_of_an_object_of_columns_is_lost(tmp_path: Path):
    """Row labels that stand twice in a column are refused with the column and the label; elsewhere they do not matter."""
    text = '{"model_a": {"0": "x", "0": "z"}, "model_b": {"0": "y"}, "winner": {"0": "tie"}}'
    with refusing(ComparisonError, match="column 'model_a' names the row '0' twice"):
        translated(laid(tmp_path / "b.json", text))
    text = '{"note": {"0": "x", "0": "z"}, "model_a": {"0": "x"}, "model_b": {"0": "y"}, "winner": {"0": "tie"}}'
    assert len(translated(laid(tmp_path / "b.json", text))) == 1


def test_a_nul_refuses_only_where_it_is_read(tmp_path: Path):
    """NUL in a column that is not read is not looked at; in a name it is refused with its row, in CSV as in JSON."""
    good = '{"model_a": "x", "model_b": "y", "winner": "tie", "note": "\\u0000"}'
    csv, line = "model_a,model_b,winner,note\nx,y,tie,\0\n", good
    for name, text in (("b.csv", csv), ("b.jsonl", line)):
        assert len(translated(laid(tmp_path / name, text))) == 1
    for name, text in (("b.csv", csv + "x\0,y,tie,\n"), ("b.jsonl", line + "\n" + line.replace('"x"', '"x\\u0000"'))):
        with refusing(ComparisonError, match=r"row 1: model_a: .*holds the character NUL"):
            translated(laid(tmp_path / name, text))


def test_blanks_before_a_cell_are_joined_and_said(tmp_path: Path):
    """A blank before a name in CSV is part of the cell, as in JSON: it makes no other name, and that is said; before a quote it is nothing."""
    battles = formats.translate(read(laid(tmp_path / "b.csv", "model_a,model_b,winner\nx,y,tie\n x, y,tie\n")).table)
    assert battles.joined == (("x", " x"), ("y", " y"))
    text = 'model_a, model_b, "winner", note\n"x",  "y, ""z", tie, "he said, ""no"", "\nx, "y, ""z", "tie", 5" screen\n'
    battles = formats.translate(read(laid(tmp_path / "b.csv", text)).table)
    assert battles.frame["model_b"].tolist() == ['y, "z'] * 2
    assert battles.joined == ()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"Battles of 2025\n\n" + GOOD, "the columns' names stand in line 3: delete what stands above them"),
        (b"a,b\n1,2\n" + GOOD, "the columns' names stand in line 3"),
        (GOOD + b"x\n", "row 1: it has 1 cell and the header 3"),
    ],
)
def test_what_is_wrong_with_a_csv_file_is_said_plainly(content: bytes, words: str, tmp_path: Path):
    """A title above the header is called one, and one cell is one cell."""
    with refusing(ComparisonError, match=words):
        translated(laid(tmp_path / "b.csv", content))


@pytest.mark.parametrize("end", [b"   \n", b"\x1a", b"\t", b"\r\n \r\n\x1a"])
def test_what_spreadsheets_add_is_no_row(end: bytes, tmp_path: Path):
    """A last line of blanks, the mark by which DOS ended a file, and Excel's own first line with a tab are not read as battles."""
    assert len(translated(laid(tmp_path / "b.csv", GOOD + end))) == 1
    tabs = b"sep=\t\r\n" + GOOD.replace(b",", b"\t")
    assert len(translated(laid(tmp_path / "b.csv", tabs))) == 1


def test_a_list_under_the_ending_of_json_lines_is_read(tmp_path: Path, expected: pd.DataFrame):
    """One JSON list in a .jsonl file, on one line or many, is the table that it is."""
    for text in (JSON, json.dumps(ROWS, indent=1)):
        pd.testing.assert_frame_equal(translated(laid(tmp_path / "b.jsonl", text)), expected)


def test_uuids_and_bytes_are_read_or_refused_in_words(tmp_path: Path):
    """A Parquet column of UUIDs holds voters as everybody writes them; bytes that are no text are refused without a codec's words."""
    ids = [UUID(int=2**127 + n).bytes for n in (1, 2)]
    table = {"model_a": ["x", "x"], "model_b": ["y", "y"], "winner": ["tie", "tie"]}
    pq.write_table(pa.table({**table, "voter": pa.array(ids, pa.uuid())}), tmp_path / "b.parquet")
    assert translated(tmp_path / "b.parquet")["voter"].tolist() == [str(UUID(bytes=value)) for value in ids]
    pq.write_table(pa.table({**table, "voter": pa.array(ids, pa.binary(16))}), tmp_path / "b.parquet")
    with refusing(ComparisonError, match=r"row 0: voter: .* is bytes that are no text: write the column as text"):
        translated(tmp_path / "b.parquet")
