"""Cells are read, not guessed: what is an identifier, a yes or no, a number, and when a cell is empty.

One rule for every file format: a cell is empty when it is missing (null, NaN) or shows nothing (no characters, white
space, or characters that are invisible by definition). Identifiers are text exactly as it stands; two texts are the
same identifier when they differ only in what cannot be seen: the white space around them, the kind of a space,
Unicode's composed and decomposed forms, full width, and default-ignorable characters.
"""

import re
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ratings.errors import ComparisonError
from ratings.listing import quoted

TRUTHS = {
    **dict.fromkeys(("t", "true", "1", "1.0", "yes", "y"), True),
    **dict.fromkeys(("f", "false", "0", "0.0", "no", "n"), False),
}
"""The words of a yes or no, in any case."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity)", re.ASCII | re.IGNORECASE)
UNKNOWN = 0
"""The key of a question that cannot be read, or has no letter or digit."""
_LONGEST = 1000
"""Characters of an identifier; more is an answer or a conversation."""
_IGNORED = (
    *(0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFEFF, 0xFFA0),
    *(*range(0x180B, 0x1810), *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070)),
    *(*range(0xFE00, 0xFE10), *range(0xFFF0, 0xFFF9), *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B)),
    *range(0xE0000, 0xE1000),
)
"""Unicode's Default_Ignorable_Code_Point: nothing is shown for them."""
_SPACES = (0x00A0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)
_SEEN: dict[int, str | None] = {
    **dict.fromkeys(_IGNORED),
    **dict.fromkeys(_SPACES, " "),
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
}
_EMOJI = "\u2190-\u2bff\U0001f000-\U0001faff"
_MEANT = re.compile(
    f"((?<=[{_EMOJI}\ufe0f])\u200d(?=[{_EMOJI}])|(?<=\U0001f3f4)[\U000e0020-\U000e007f]+)",
)
"""Ignorable characters that make another picture: what joins two emoji into one, and what names the region of a flag."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A column of cells, each different one kept once: cell n is `values[codes[n]]`."""

    codes: NDArray[np.integer]
    values: Sequence[Any]

    def __len__(self) -> int:
        return len(self.codes)

    @classmethod
    def of(cls, cells: Iterable[Any]) -> Self:
        """Gather cells one by one."""
        gathered = Gathered()
        for cell in cells:
            gathered.add(cell)
        return cls(*gathered.parts())

    def row(self, code: int) -> int:
        """Find the first row that holds this value."""
        return int((self.codes == code).argmax())

    def only(self, rows: NDArray[np.bool_]) -> "Column":
        """Keep the cells of these rows, and no value that stands in none of them."""
        used, codes = np.unique(self.codes[rows], return_inverse=True)
        return Column(codes, [self.values[code] for code in used.tolist()])


class Gathered:
    """A column in the making."""

    def __init__(self) -> None:
        self._codes = array("i")
        self._values: list[Any] = []
        self._place: dict[Any, int] = {}

    def __len__(self) -> int:
        return len(self._codes)

    def add(self, cell: Any) -> None:
        """Take the next row's cell."""
        try:
            # 1, 1.0 and True are equal in Python and three cells in a file.
            code = self._place.setdefault((type(cell), cell), len(self._values))
        except TypeError:
            code = len(self._values)
        if code == len(self._values):
            self._values.append(cell)
        self._codes.append(code)

    def parts(self) -> tuple[NDArray[np.int32], list[Any]]:
        """Return the codes and the values they stand for."""
        return np.array(self._codes, dtype=np.int32), self._values


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """The question of each row of a file."""

    column: str
    """Where it was read."""
    keys: NDArray[np.int64]
    """Equal for equal questions, `UNKNOWN` where there is none to read."""

    def only(self, rows: NDArray[np.bool_]) -> Self:
        """Keep these rows."""
        return type(self)(self.column, self.keys[rows])

    def codes(self) -> NDArray[np.int64]:
        """Give each question a number, whatever the order of the rows; -1 where there is none to read."""
        known, codes = self.keys != UNKNOWN, np.full(len(self.keys), -1, np.int64)
        codes[known] = np.unique(self.keys[known], return_inverse=True)[1]
        return codes


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A file's rows: the columns that were read, and the names of all that stand in it."""

    columns: Mapping[str, Column]
    names: Sequence[str]
    rows: int
    unfit: Mapping[str, ComparisonError] = field(default_factory=dict)
    """Columns that cannot be read, and why; that is raised for whoever asks for one of them."""
    asked: Asked | None = None
    """What each row's question was; None where the file has none, or it was not to be read."""

    @classmethod
    def of(cls, cells: Mapping[str, Iterable[Any]]) -> Self:
        """Make a table from lists of cells."""
        columns = {str(name): Column.of(column) for name, column in cells.items()}
        return cls(columns, list(columns), max(map(len, columns.values()), default=0))

    def __getitem__(self, name: str) -> Column:
        if name in self.unfit:
            raise self.unfit[name]
        return self.columns[name]

    def __contains__(self, name: str) -> bool:
        return name in self.columns or name in self.unfit

    def only(self, rows: NDArray[np.bool_]) -> Self:
        """Keep these rows, as if the others had never stood in the file."""
        columns = {name: column.only(rows) for name, column in self.columns.items()}
        asked = None if self.asked is None else self.asked.only(rows)
        return type(self)(columns, self.names, int(np.count_nonzero(rows)), self.unfit, asked)


@dataclass(frozen=True, slots=True, eq=False)
class Identifiers:
    """Columns of identifiers, spelled alike throughout; "" where a cell is empty."""

    columns: Mapping[str, NDArray[np.object_]]
    joined: tuple[tuple[str, ...], ...]
    """The different spellings of one identifier, the one that is used first."""
    floating: tuple[str, ...]
    """Columns that hold floating-point numbers, in which 1.1 and 1.10 are one."""


def text(cell: Any) -> str:
    """Read a cell as text without loss; "" for an empty one. 1.10 as a decimal stays "1.10"; a float is written shortest.

    Raises:
        ComparisonError: the cell is no single value, or holds half a character.
    """
    match cell:
        case str():
            if not cell.isascii() and any("\ud800" <= c <= "\udfff" for c in cell):
                raise ComparisonError("half_character", cell=quoted(cell))
            if "\0" in cell:
                raise ComparisonError("nul_character", cell=quoted(cell))
            return cell
        case None:
            return ""
        case bool():
            return "true" if cell else "false"
        case int():
            return str(cell)
        case float() | np.floating():
            return "" if cell != cell else str(cell)
        case Decimal():
            return "" if cell.is_nan() else f"{cell:f}"
        case bytes():
            try:
                return text(cell.decode())
            except UnicodeDecodeError:
                raise ComparisonError("bytes_no_text", cell=quoted(cell)) from None
        case date() | time():
            return "" if cell != cell else cell.isoformat()
        case timedelta():
            return str(cell)
    if type(cell).__name__ in ("NAType", "NaTType"):
        return ""
    raise ComparisonError("no_single_value", cell=quoted(cell))


def seen(spelling: str) -> str:
    """Return what a reader sees of an identifier; two spellings that are seen alike are one identifier."""
    if spelling.isascii():
        return spelling.strip()
    # Every second part is one that is meant; the parts between are what there is to see.
    parts = _MEANT.split(spelling)
    parts[::2] = [part.translate(_SEEN) for part in parts[::2]]
    return unicodedata.normalize("NFC", "".join(parts)).strip()


def _is_number(value: Any) -> bool:
    return isinstance(value, float | np.floating) and bool(value == value)


def texts(column: Column, name: str) -> list[str]:
    """Read the column's values as text, "" where there is nothing to see.

    Raises:
        ComparisonError: names the row and the column.
    """
    found = []
    for code, value in enumerate(column.values):
        try:
            spelling = text(value)
        except ComparisonError as error:
            raise ComparisonError("in_column", column=name, cause=error, row=column.row(code)) from None
        found.append(spelling if seen(spelling) else "")
    return found


def identifiers(columns: Mapping[str, Column]) -> Identifiers:
    """Read columns that name the same kind of thing; spellings that are seen alike become the most frequent of them.

    Raises:
        ComparisonError: a cell is no text, or a number too large to be told from its neighbours.
    """
    spelled: dict[str, Counter[str]] = {}
    raw: dict[str, set[str]] = {}
    keys: dict[str, list[str]] = {}
    for name, column in columns.items():
        _refuse_unfit(column, name)
        used = np.bincount(column.codes, minlength=len(column.values)).tolist()
        keys[name] = []
        for spelling, count in zip(texts(column, name), used, strict=True):
            key = seen(spelling)
            keys[name].append(key)
            if key:
                spelled.setdefault(key, Counter())[spelling.strip()] += count
                raw.setdefault(key, set()).add(spelling)
    # Equally frequent spellings: the first in code-point order, so that the order of the rows decides nothing.
    chosen = {key: min(counts, key=lambda s, of=counts: (-of[s], s)) for key, counts in spelled.items()}
    joined = [(chosen[key], *sorted(found - {chosen[key]})) for key, found in raw.items() if len(found) > 1]
    read = {}
    for name, column in columns.items():
        names = np.array([chosen.get(key, "") for key in keys[name]] or [""], dtype=object)
        read[name] = names[column.codes]
    floating = tuple(n for n, column in columns.items() if any(_is_number(v) for v in column.values))
    return Identifiers(read, tuple(sorted(joined)), floating)


def _refuse_unfit(column: Column, name: str) -> None:
    """Raise for a cell that cannot be an identifier: a rounded number, or a whole text."""
    for code, value in enumerate(column.values):
        if isinstance(value, str) and len(value) > _LONGEST:
            raise ComparisonError(
                "identifier_too_long", column=name, length=len(value), most=_LONGEST, row=column.row(code)
            )
        # From here on a floating-point number no longer tells neighbouring whole numbers apart.
        if isinstance(value, float | np.floating) and abs(value) >= 2.0 ** (np.finfo(type(value)).nmant + 1):
            raise ComparisonError("identifier_floating", column=name, value=str(value), row=column.row(code))


def truths(column: Column, name: str, empty: bool | None = None) -> NDArray[np.bool_]:
    """Read a column of yes and no; an empty cell is `empty`, or refused where that is None.

    Raises:
        ComparisonError: names the first row whose word is none of `TRUTHS`.
    """
    found = []
    for code, word in enumerate(texts(column, name)):
        truth = _truth(seen(word).lower()) if word else empty
        if truth is None:
            if word:
                raise ComparisonError("truth_unknown", column=name, value=quoted(word), row=column.row(code))
            raise ComparisonError("truth_empty", column=name, row=column.row(code))
        found.append(truth)
    return np.array(found or [False], dtype=bool)[column.codes]


def _truth(word: str) -> bool | None:
    """None where the word is none: a decimal says 1.00 where others say 1."""
    if word not in TRUTHS and _NUMBER.fullmatch(word) and float(word) in (0, 1):
        return float(word) == 1
    return TRUTHS.get(word)


def number(word: str) -> str | None:
    """Write a number as everybody writes it, full width made plain; None where the word is none."""
    plain = seen(word)
    return plain if _NUMBER.fullmatch(plain) else None


def numbers(column: Column, name: str) -> NDArray[np.float64]:
    """Read a column of numbers.

    Raises:
        ComparisonError: names the first row that is empty or no number.
    """
    found = []
    for code, (value, word) in enumerate(zip(column.values, texts(column, name), strict=True)):
        plain = None if isinstance(value, bool) else number(word)
        if plain is None:
            if word:
                raise ComparisonError("number_unknown", column=name, value=quoted(word), row=column.row(code))
            raise ComparisonError("number_empty", column=name, row=column.row(code))
        found.append(float(plain))
    return np.array(found or [0.0], dtype=np.float64)[column.codes]
