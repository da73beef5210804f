"""Battle files from the disk: Parquet, CSV, TSV, JSON and JSON Lines as tables of cells, nothing guessed about them."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from arena.cli.delimited import DELIMITERS, USUAL, separated, stand_twice
from arena.cli.text_encoding import decode
from ratings.errors import ComparisonError
from ratings.intake import asked, formats
from ratings.intake.asked import Asking
from ratings.intake.cells import Asked, Column, Gathered, Table, seen
from ratings.listing import printable, quoted
from ratings.notices import Note

_AT_ONCE, _MOST_ROWS = 1 << 22, 4096
"""Bytes and rows of questions or conversations that are read at a time."""
ENDINGS = (".parquet", ".csv", ".tsv", ".jsonl", ".ndjson", ".json")


@dataclass(frozen=True, slots=True, eq=False)
class BattleFile:
    """A file's table, and how it was written."""

    table: Table
    encoding: str | None = None
    """None for Parquet, which says it itself."""
    delimiter: str | None = None
    notes: tuple[Note, ...] = ()


def read(path: Path, *, questions: bool = True) -> BattleFile:
    """Read a battle file as a table of the columns that some release is read from.

    Args:
        path: the file.
        questions: whether to read what was asked, too, of which a key of 64 bits is kept for each row.

    Raises:
        ComparisonError: the ending is none of `ENDINGS`, or the content is not what the ending says.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise ComparisonError("ending_unknown", file=quoted(path.name), known=ENDINGS)
    try:
        return _parquet(path, questions) if ending == ".parquet" else _text(path, ending, questions)
    except ComparisonError as error:
        if error.row is not None:
            raise
        raise _unreadable(path, ending, error) from None
    except RecursionError:
        raise _unreadable(path, ending, ComparisonError("nests_too_deeply")) from None
    except Exception as error:  # a reader meets any bytes, and each library has errors of its own
        raise _unreadable(path, ending, " ".join(str(error).split())[:300] or type(error).__name__) from None


def _unreadable(path: Path, ending: str, cause: ComparisonError | str) -> ComparisonError:
    return ComparisonError("file_unreadable", file=printable(path.name), format=ending[1:], cause=cause)


def _text(path: Path, ending: str, questions: bool) -> BattleFile:
    text, encoding = decode(path.read_bytes())
    if not text.strip():
        raise ComparisonError("file_empty")
    delimiter, notes = None, [] if encoding == "utf-8" else [Note("encoding", 1, name=encoding.upper())]
    if ending in USUAL:
        table, delimiter = separated(text, USUAL[ending], questions)
        notes += [Note("delimiter", 1, delimiter=DELIMITERS[delimiter])] if delimiter != USUAL[ending] else []
    else:
        # A list under the other ending is read all the same: no line of JSON Lines begins with a bracket.
        as_lines = ending in (".jsonl", ".ndjson") and not text.lstrip().startswith("[")
        table = _lines(text, questions) if as_lines else _json(text, questions)
    return BattleFile(table, encoding, delimiter, tuple(notes))


class _Twice(dict[str, Any]):
    """A JSON object in which names stand twice."""

    names: tuple[str, ...]
    """As they stand, each as often as it does."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        made = _Twice(made)
        made.names = tuple(name for name, _ in pairs)
    return made


def _names(record: dict[str, Any]) -> list[str]:
    """List the names in an object, as often as they stand in it, as they are seen."""
    return [seen(name) for name in (record.names if isinstance(record, _Twice) else record)]


# Numbers stay as they are written: 1.10 is no 1.1, and nineteen digits stay nineteen. A bare NaN is how Python writes a missing value.
_decoder = json.JSONDecoder(
    object_pairs_hook=_pairs,
    parse_float=str,
    parse_int=str,
    parse_constant=lambda word: None if word == "NaN" else word,
)


def _json(text: str, questions: bool) -> Table:
    try:
        content = _decoder.decode(text)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise
        return _lines(text, questions)  # one object a line, under another ending
    if isinstance(content, list):
        return _records(content, questions)
    if isinstance(content, dict):
        return _of_columns(content, questions)
    raise ComparisonError("json_one_value")


def _lines(text: str, questions: bool) -> Table:
    return _records(_parsed(text.split("\n")), questions)


def _parsed(lines: Iterable[str]) -> Iterator[Any]:
    number = 0
    for line in lines:
        if not line.strip():
            continue
        try:
            yield _decoder.decode(line.strip().removeprefix("\ufeff"))
        except json.JSONDecodeError as error:
            problem = error.msg.removesuffix(" at")
            raise ComparisonError("line_no_json", problem=problem, place=error.pos, row=number) from None
        except RecursionError:
            raise ComparisonError("nests_too_deeply", row=number) from None
        number += 1


def _records(records: Iterable[Any], questions: bool) -> Table:
    """Make a table of objects; what an object does not name is empty in its row."""
    columns: dict[str, Gathered] = {}
    names: dict[str, None] = {}
    unfit: dict[str, ComparisonError] = {}
    rows, asking = 0, Asking()
    for rows, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            raise ComparisonError("row_no_object", value=quoted(record), row=rows - 1)
        found = {seen(name): cell for name, cell in record.items()}
        if isinstance(record, _Twice) or len(found) < len(record):
            for name in stand_twice(_names(record)).keys() - unfit.keys():
                unfit[name] = ComparisonError("column_twice_in_row", column=quoted(name), at=rows - 1)
        names.update(dict.fromkeys(found))
        for name in found.keys() & formats.READ - columns.keys():
            columns[name] = _filled(rows - 1)
        for name, column in columns.items():
            column.add(found.get(name))
        if questions:
            asking.add(rows - 1, found)
    read = {name: Column(*column.parts()) for name, column in columns.items()}
    return Table(read, list(names), rows, unfit, asking.asked(unfit))


def _filled(rows: int) -> Gathered:
    column = Gathered()
    for _ in range(rows):
        column.add(None)
    return column


def _of_columns(content: dict[str, Any], questions: bool) -> Table:
    """Read an object of columns: lists of cells, or objects from row labels to cells, as pandas writes them."""
    columns: dict[str, Column] = {}
    names = _names(content)
    unfit = stand_twice(names)
    labels: list[str] | None = None
    for name, cells in ((seen(name), cells) for name, cells in content.items()):
        if name not in formats.READ:
            continue
        if isinstance(cells, _Twice):
            label = next(iter(stand_twice(cells.names)))
            unfit[name] = ComparisonError("label_twice", column=quoted(name), label=quoted(label))
        if isinstance(cells, dict):
            labels = list(cells) if labels is None else labels
            if cells.keys() != set(labels):
                raise ComparisonError("labels_differ", column=name)
            cells = [cells[label] for label in labels]
        if not isinstance(cells, list):
            raise ComparisonError("json_one_object")
        columns[name] = Column.of(cells)
    if len({len(column) for column in columns.values()}) > 1:
        raise ComparisonError("columns_uneven")
    rows = max(map(len, columns.values()), default=0)
    return Table(columns, names, rows, unfit, _asked_of(content, unfit, labels, rows) if questions else None)


def _asked_of(content: dict[str, Any], unfit: Collection[str], labels: list[str] | None, rows: int) -> Asked | None:
    """Read the questions of an object of columns; a column that does not fit the others is left alone."""
    by_name = {seen(name): cells for name, cells in content.items()}
    column = asked.found(asked.COLUMNS, by_name, unfit)
    cells = by_name[column] if column else None
    if isinstance(cells, dict):
        cells = [cells.get(label) for label in labels or cells]
    if column is None or not isinstance(cells, list) or len(cells) != rows:
        return None
    return Asked(column, asked.of_cells(column, cells))


def _parquet(path: Path, questions: bool) -> BattleFile:
    with pq.ParquetFile(path, buffer_size=_AT_ONCE) as file:
        stored = [str(name) for name in file.schema_arrow.names]
        names = [seen(name) for name in stored]
        unfit = stand_twice(names)
        wanted = {s: name for s, name in zip(stored, names, strict=True) if name in formats.READ - unfit.keys()}
        read = file.read(columns=list(wanted))
        columns = {wanted[stored]: _column(wanted[stored], read.column(stored)) for stored in read.column_names}
        where = dict(zip(names, stored, strict=True))
        column = asked.found(asked.COLUMNS, where, unfit) if questions else None
        told = None if column is None else Asked(column, _keys(file, where[column], column))
        return BattleFile(Table(columns, names, file.metadata.num_rows, unfit, told))


def _keys(file: pq.ParquetFile, stored: str, column: str) -> NDArray[np.int64]:
    """Read the questions of a Parquet column, few rows at a time, since each may be a conversation."""
    keys, done = np.zeros(file.metadata.num_rows, np.int64), 0
    for batch in file.iter_batches(_rows_at_once(file.metadata, stored), columns=[stored]):
        cells = _column(column, pa.chunked_array([batch.column(batch.schema.get_field_index(stored))]))
        found = asked.of_cells(column, cells.values)
        keys[done : done + len(cells)] = found[cells.codes] if len(found) else asked.UNKNOWN
        done += len(cells)
    return keys


def _rows_at_once(metadata: pq.FileMetaData, stored: str) -> int:
    groups = [metadata.row_group(n) for n in range(metadata.num_row_groups)]
    parts = [group.column(n) for group in groups for n in range(group.num_columns)]
    size = sum(part.total_uncompressed_size for part in parts if part.path_in_schema.partition(".")[0] == stored)
    return max(1, min(_MOST_ROWS, _AT_ONCE * metadata.num_rows // max(size, 1)))


def _column(name: str, chunks: pa.ChunkedArray) -> Column:
    """Read a Parquet column; a value that stands often is converted once."""
    is_uuid = getattr(chunks.type, "extension_name", "") == "arrow.uuid"
    cells = _plain(chunks)
    if pa.types.is_nested(cells.type) or pa.types.is_null(cells.type):
        return Column.of(cells.to_pylist())
    if pa.types.is_timestamp(cells.type) and cells.type.tz is not None:
        cells = cells.cast(
            pa.timestamp(cells.type.unit, "UTC")
        )  # one writing for one moment, and no clock that goes back
    if pa.types.is_temporal(cells.type):
        cells = cells.cast(pa.string())
    encoded = pc.call_function("dictionary_encode", [cells], pc.DictionaryEncodeOptions("encode"))
    whole = encoded.unify_dictionaries().combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = pa.concat_arrays(whole.chunks) if whole.num_chunks else pa.array([], cells.type).dictionary_encode()
    values = whole.dictionary.to_pylist()
    if is_uuid:
        values = [None if value is None else str(UUID(bytes=value)) for value in values]
    if pa.types.is_floating(cells.type) and cells.type != pa.float64():
        # A narrow number keeps its width: 1.1 would be 1.100000023841858 as a wide one.
        width = cells.type.to_pandas_dtype()
        values = [None if value is None else width(value) for value in values]
    return Column(whole.indices.to_numpy(zero_copy_only=False), values)


def _plain(chunks: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the cells without a dictionary, an extension, or runs around them."""
    unwrapped: dict[Callable[[pa.DataType], bool], Callable[[pa.ChunkedArray], pa.ChunkedArray]] = {
        pa.types.is_dictionary: lambda c: c.cast(c.type.value_type),
        lambda t: isinstance(t, pa.BaseExtensionType): lambda c: c.cast(c.type.storage_type),
        pa.types.is_run_end_encoded: lambda c: pc.call_function("run_end_decode", [c]),
    }
    for is_wrapped, unwrap in unwrapped.items():
        if is_wrapped(chunks.type):
            return _plain(unwrap(chunks))
    return chunks
