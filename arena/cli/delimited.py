"""Delimited text, as RFC 4180 has it and as spreadsheets write it, as a table of cells exactly as they stand."""

import csv
import io
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ratings.errors import ComparisonError
from ratings.intake import asked, formats
from ratings.intake.cells import Asked, Column, Gathered, Table, seen
from ratings.listing import quoted

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
"""What separates cells, and its name."""
USUAL = {".csv": ",", ".tsv": "\t"}
_LONGEST_FIELD = 2**31 - 1
_EXCEL = re.compile(r'"?sep=(.|\\t)"?[,;\t ]*\r?', re.IGNORECASE)
"""A line of Excel's own above the header."""
_TITLES = 20
"""Lines that are searched for the header where the first is none."""


def separated(text: str, usual: str, questions: bool) -> tuple[Table, str]:
    """Read the table, and the delimiter by which its header names the columns of a release; with the questions of its rows where asked for.

    Raises:
        ComparisonError: the quotes or the number of cells are wrong in a row, or the header does not come first.
    """
    csv.field_size_limit(_LONGEST_FIELD)  # a conversation is one field
    first, _, rest = text.partition("\n")
    text = rest if _EXCEL.fullmatch(first) else text
    headers = {d: _header(text, d) for d in sorted(DELIMITERS, key=lambda d: d != usual)}
    delimiter = next((d for d, header in headers.items() if _known(header)), None)
    if delimiter is None:
        _refuse_title(text)
        delimiter = max(headers, key=lambda d: len(headers[d]))
    rows = _rows(text, delimiter)
    gathering = _Gathering([seen(name) for name in next(rows, [])], questions)
    for row in rows:
        gathering.add(row)
    return gathering.table(), delimiter


def stand_twice(names: Iterable[str]) -> dict[str, ComparisonError]:
    """Find the names that stand twice, and what is raised for whoever asks for one of them."""
    return {
        name: ComparisonError("column_twice", column=quoted(name))
        for name, count in Counter(names).items()
        if count > 1
    }


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    """Read the rows that are not blank, the header first; all as long as it.

    Raises:
        ComparisonError: names the row in which the quotes or the number of cells are wrong.
    """
    text = _unspaced(text, delimiter)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    cells, number = 0, -1
    try:
        for row in reader:
            if _is_blank(row, cells):
                continue
            cells = cells or len(row)
            if len(row) != cells:
                place = number if number >= 0 else None
                raise ComparisonError("row_length", cells=len(row), header=cells, row=place)
            yield row
            number += 1
    except csv.Error as error:
        raise ComparisonError("quotes_do_not_match", problem=str(error), row=number if number >= 0 else None) from None


def _is_blank(row: list[str], cells: int) -> bool:
    """Tell whether a line holds nothing: no character, only blanks, or the mark by which DOS ended a file."""
    return not row or (cells != 1 and len(row) == 1 and not row[0].strip(" \t\x1a"))


def _unspaced(text: str, delimiter: str) -> str:
    """Drop the blanks before an opening quote, which make it none for a strict reader; others belong to the cell."""
    before, quoted = f"(^|[{delimiter}\n\r])", r'"[^"]*+(?:""[^"]*+)*+"'
    if not re.search(f'{before} ++"', text):
        return text
    # A quoted cell is passed whole, so that what looks like one within it is left alone.
    return re.sub(f"{before} *+({quoted})", r"\1\2", text)


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


def _refuse_title(text: str) -> None:
    """Raise where a line further down is the header."""
    for number, line in enumerate(text.split("\n", _TITLES)[:_TITLES], start=1):
        if any(_known(_header(line, delimiter)) for delimiter in DELIMITERS):
            raise ComparisonError("header_further_down", line=number)


class _Gathering:
    """Rows in the order of a header, of which only the columns that a release is read from are kept."""

    def __init__(self, header: list[str], questions: bool) -> None:
        self.header = header
        self.places = {name: n for n, name in enumerate(header) if name in formats.READ}
        self.columns = {name: Gathered() for name in self.places}
        self.unfit = stand_twice(header)
        self.asked = asked.found(asked.COLUMNS, header, self.unfit) if questions else None
        self.keys = array("q")
        self.rows = 0

    def add(self, row: list[Any]) -> None:
        self.rows += 1
        for name, place in self.places.items():
            self.columns[name].add(row[place])
        if self.asked is not None:
            self.keys.append(asked.key(self.asked, row[self.header.index(self.asked)]))

    def table(self) -> Table:
        columns = {name: Column(*column.parts()) for name, column in self.columns.items()}
        told = None if self.asked is None else Asked(self.asked, np.array(self.keys, dtype=np.int64))
        return Table(columns, self.header, self.rows, self.unfit, told)
