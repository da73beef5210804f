"""Battle files from the disk: Parquet, CSV, TSV, JSON and JSON Lines as tables of cells, nothing guessed about them."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from arena.cli.text_encoding import decode
from ratings import formats
from ratings.cells import Column, Gathered, Table, seen
from ratings.errors import ComparisonError
from ratings.listing import quoted
from ratings.notices import Note

ENDINGS = (".parquet", ".csv", ".tsv", ".jsonl", ".ndjson", ".json")
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_USUAL = {".csv": ",", ".tsv": "\t"}
_LONGEST_FIELD = 2**31 - 1


@dataclass(frozen=True, slots=True, eq=False)
class BattleFile:
    """A file's table, and how it was written."""

    table: Table
    encoding: str | None = None
    """None for Parquet, which says it itself."""
    delimiter: str | None = None
    notes: tuple[Note, ...] = ()


def read(path: Path) -> BattleFile:
    """A battle file as a table of the columns that some release is read from.

    Raises:
        ComparisonError: the ending is none of `ENDINGS`, or the content is not what the ending says.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise ComparisonError(
            f"{quoted(path.name)}: give a file that ends in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}"
        )
    try:
        return _parquet(path) if ending == ".parquet" else _text(path, ending)
    except ComparisonError as error:
        if error.row is not None:
            raise
        raise ComparisonError(f"{path.name} cannot be read as {ending[1:]}: {error}") from None
    except RecursionError:
        raise ComparisonError(f"{path.name} cannot be read as {ending[1:]}: it nests too deeply") from None
    except Exception as error:  # a reader meets any bytes, and each library has errors of its own
        said = " ".join(str(error).split())[:300] or type(error).__name__
        raise ComparisonError(f"{path.name} cannot be read as {ending[1:]}: {said}") from None


def _text(path: Path, ending: str) -> BattleFile:
    text, encoding = decode(path.read_bytes())
    if not text.strip():
        raise ComparisonError("the file is empty: give it a header and a row for each battle")
    delimiter, notes = None, [] if encoding == "utf-8" else [_encoded(encoding)]
    if ending in _USUAL:
        table, delimiter = _separated(text, _USUAL[ending])
        notes += [_separated_by(delimiter)] if delimiter != _USUAL[ending] else []
    else:
        table = _lines(text) if ending in (".jsonl", ".ndjson") else _json(text)
    return BattleFile(table, encoding, delimiter, tuple(notes))


def _separated(text: str, usual: str) -> tuple[Table, str]:
    """CSV as RFC 4180 has it, and the delimiter by which its header names the columns of a release."""
    csv.field_size_limit(_LONGEST_FIELD)  # a conversation is one field
    first, _, rest = text.partition("\n")
    if first.strip().lower() in ("sep=,", "sep=;", "sep=\\t"):  # Excel's own line
        text = rest
    headers = {d: _header(text, d) for d in sorted(_DELIMITERS, key=lambda d: d != usual)}
    delimiter = next((d for d, header in headers.items() if _known(header)), None)
    delimiter = delimiter or max(headers, key=lambda d: len(headers[d]))
    rows = _rows(text, delimiter)
    gathering = _Gathering([seen(name) for name in next(rows, [])])
    for row in rows:
        gathering.add(row)
    return gathering.table(), delimiter


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    """The rows that are not blank, the header first; all as long as it.

    Raises:
        ComparisonError: names the row in which the quotes or the number of cells are wrong.
    """
    # White space around a cell means nothing, so a quote after it is a quote.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True)
    cells, number = 0, -1
    try:
        for row in reader:
            if not row:
                continue
            cells = cells or len(row)
            if len(row) != cells:
                raise ComparisonError(
                    f"it has {len(row)} cells and the header {cells}: quote cells that hold a delimiter", row=number
                )
            yield row
            number += 1
    except csv.Error as error:
        place = f"the quotes do not match ({error}): quote a cell as a whole and double the quotes in it"
        raise ComparisonError(place, row=number if number >= 0 else None) from None


def _header(text: str, delimiter: str) -> list[str]:
    try:
        return [seen(name) for name in next(_rows(text, delimiter), [])]
    except ComparisonError:
        return []


def _known(header: list[str]) -> bool:
    try:
        formats.recognise(header)
    except ComparisonError:
        return False
    return True


class _Gathering:
    """Rows in the order of a header, of which only the columns that a release is read from are kept."""

    def __init__(self, header: list[str]) -> None:
        self.header = header
        self.places = [n for n, name in enumerate(header) if name in formats.READ]
        self.columns = [Gathered() for _ in self.places]
        self.rows = 0

    def add(self, row: list[Any]) -> None:
        self.rows += 1
        for place, column in zip(self.places, self.columns, strict=True):
            column.add(row[place])

    def table(self) -> Table:
        names = [self.header[place] for place in self.places]
        _refuse_twice(names)
        columns = {name: Column(*column.parts()) for name, column in zip(names, self.columns, strict=True)}
        return Table(columns, self.header, self.rows)


def _refuse_twice(names: list[str]) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ComparisonError(f"column {twice!r} stands twice: keep one of them")


class _Twice(dict[str, Any]):
    """A JSON object in which a name stands twice."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    return made if len(made) == len(pairs) else _Twice(made)


# Numbers stay as they are written: 1.10 is no 1.1, and nineteen digits stay nineteen. A bare NaN is how Python writes a missing value.
_decoder = json.JSONDecoder(
    object_pairs_hook=_pairs,
    parse_float=str,
    parse_int=str,
    parse_constant=lambda word: None if word == "NaN" else word,
)


def _json(text: str) -> Table:
    try:
        content = _decoder.decode(text)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise
        return _lines(text)  # one object a line, under another ending
    if isinstance(content, list):
        return _records(content)
    if isinstance(content, _Twice):
        raise ComparisonError("a column stands twice: keep one of them")
    if isinstance(content, dict):
        return _of_columns(content)
    raise ComparisonError("the content is one value: give a list of objects, one for each battle")


def _lines(text: str) -> Table:
    return _records(_parsed(text.split("\n")))


def _parsed(lines: Iterable[str]) -> Iterator[Any]:
    number = 0
    for line in lines:
        if not line.strip():
            continue
        try:
            yield _decoder.decode(line.strip().removeprefix("\ufeff"))
        except json.JSONDecodeError as error:
            raise ComparisonError(f"the line is no JSON: {error.msg} at character {error.pos}", row=number) from None
        except RecursionError:
            raise ComparisonError("the line nests too deeply", row=number) from None
        number += 1


def _records(records: Iterable[Any]) -> Table:
    """A table of objects; what an object does not name is empty in its row."""
    columns: dict[str, Gathered] = {}
    names: dict[str, None] = {}
    rows = 0
    for rows, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            raise ComparisonError(f"it is {quoted(record)}: give an object with the columns' names", row=rows - 1)
        found = {seen(name): cell for name, cell in record.items()}
        if isinstance(record, _Twice) or len(found) < len(record):
            raise ComparisonError("a column stands twice: keep one of them", row=rows - 1)
        names.update(dict.fromkeys(found))
        for name in found.keys() & formats.READ - columns.keys():
            columns[name] = _filled(rows - 1)
        for name, column in columns.items():
            column.add(found.get(name))
    return Table({name: Column(*column.parts()) for name, column in columns.items()}, list(names), rows)


def _filled(rows: int) -> Gathered:
    column = Gathered()
    for _ in range(rows):
        column.add(None)
    return column


def _of_columns(content: dict[str, Any]) -> Table:
    """An object of columns: lists of cells, or objects from row labels to cells, as pandas writes them."""
    columns: dict[str, Column] = {}
    names = [seen(name) for name in content]
    _refuse_twice([name for name in names if name in formats.READ])
    labels: list[str] | None = None
    for name, cells in zip(names, content.values(), strict=True):
        if name not in formats.READ:
            continue
        if isinstance(cells, dict):
            labels = list(cells) if labels is None else labels
            if cells.keys() != set(labels):
                raise ComparisonError(f"column {name!r} has other row labels than the one before it")
            cells = [cells[label] for label in labels]
        if not isinstance(cells, list):
            raise ComparisonError("the content is one object: give a list of objects, one for each battle")
        columns[name] = Column.of(cells)
    if len({len(column) for column in columns.values()}) > 1:
        raise ComparisonError("the columns are of different lengths: give each a cell for every row")
    return Table(columns, names, max(map(len, columns.values()), default=0))


def _parquet(path: Path) -> BattleFile:
    with pq.ParquetFile(path) as file:
        stored = [str(name) for name in file.schema_arrow.names]
        names = [seen(name) for name in stored]
        _refuse_twice([name for name in names if name in formats.READ])
        wanted = {s: name for s, name in zip(stored, names, strict=True) if name in formats.READ}
        read = file.read(columns=list(wanted))
        columns = {wanted[stored]: _column(wanted[stored], read.column(stored)) for stored in read.column_names}
        return BattleFile(Table(columns, names, file.metadata.num_rows))


def _column(name: str, chunks: pa.ChunkedArray) -> Column:
    """A Parquet column; a value that stands often is converted once."""
    cells = _plain(chunks)
    if pa.types.is_nested(cells.type) or pa.types.is_null(cells.type):
        return Column.of(cells.to_pylist())
    if pa.types.is_temporal(cells.type):
        cells = cells.cast(pa.string())
    encoded = pc.call_function("dictionary_encode", [cells], pc.DictionaryEncodeOptions("encode"))
    whole = encoded.unify_dictionaries().combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = pa.concat_arrays(whole.chunks) if whole.num_chunks else pa.array([], cells.type).dictionary_encode()
    values = whole.dictionary.to_pylist()
    if pa.types.is_floating(cells.type) and cells.type != pa.float64():
        # A narrow number keeps its width: 1.1 would be 1.100000023841858 as a wide one.
        width = cells.type.to_pandas_dtype()
        values = [None if value is None else width(value) for value in values]
    return Column(whole.indices.to_numpy(zero_copy_only=False), values)


def _plain(chunks: pa.ChunkedArray) -> pa.ChunkedArray:
    """The cells without a dictionary, an extension, or runs around them."""
    unwrapped: dict[Callable[[pa.DataType], bool], Callable[[pa.ChunkedArray], pa.ChunkedArray]] = {
        pa.types.is_dictionary: lambda c: c.cast(c.type.value_type),
        lambda t: isinstance(t, pa.BaseExtensionType): lambda c: c.cast(c.type.storage_type),
        pa.types.is_run_end_encoded: lambda c: pc.call_function("run_end_decode", [c]),
    }
    for is_wrapped, unwrap in unwrapped.items():
        if is_wrapped(chunks.type):
            return _plain(unwrap(chunks))
    return chunks


def _encoded(encoding: str) -> Note:
    name = encoding.upper()
    return Note("encoding", 1, f"파일을 {name} 인코딩으로 읽었습니다.", f"The file was read as {name}.")


def _separated_by(delimiter: str) -> Note:
    korean = {",": "쉼표", ";": "쌍반점(;)", "\t": "탭"}[delimiter]
    return Note(
        "delimiter", 1, f"칸을 {korean}로 나누어 읽었습니다.", f"The cells are separated by {_DELIMITERS[delimiter]}."
    )
