"""Times as moments: which of two votes came later, never by comparing texts.

A cell is a number (of whatever unit), a moment with an offset from UTC, or a time of a clock without one. Two cells of
one kind can be put in order; cells of different kinds, and words that are no time, cannot.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ratings.intake import cells
from ratings.intake.cells import Column

NONE, NUMBER, MOMENT, CLOCK, UNREAD = range(5)
"""What a cell is: empty, a number, a moment in UTC, a time of an unnamed clock, or nothing that can be put in order."""
_ISO = re.compile(
    r"(?P<date>(?P<y>\d{4})(?P<dash>[-/.])(?P<m>\d{1,2})(?P=dash)(?P<d>\d{1,2}))"
    r"(?:[Tt ] *(?P<h>\d{1,2}):(?P<min>\d{2})(?::(?P<s>\d{2})(?:[.,](?P<part>\d{1,30}))?)?"
    r" *(?P<zone>[Zz]|UTC|GMT|(?P<sign>[+-\u2212])(?P<oh>\d{2})(?::?(?P<om>\d{2})(?::?(?P<os>\d{2}))?)?)?)?",
    re.ASCII,
)
_DAY = 86_400


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """A column of times."""

    kind: NDArray[np.int8]
    """Of each row: NONE, NUMBER, MOMENT, CLOCK or UNREAD."""
    place: NDArray[np.int64]
    """Among the cells of the same kind the earliest has the smallest; 0 where there is no order."""


def read(column: Column, name: str) -> Moments:
    """Put a column of times in order, exactly as they are written.

    Raises:
        ComparisonError: a cell is no single value; names the row and the column.
    """
    found = [_read(word) for word in cells.texts(column, name)]
    kinds = np.array([kind for kind, _ in found] or [NONE], dtype=np.int8)
    places = np.zeros(len(kinds), dtype=np.int64)
    for kind in (NUMBER, MOMENT, CLOCK):
        values = {value for its, value in found if its == kind}
        order = {value: n for n, value in enumerate(sorted(values), start=1)}
        for code, (its, value) in enumerate(found):
            if its == kind:
                places[code] = order[value]
    return Moments(kinds[column.codes], places[column.codes])


def _read(word: str) -> tuple[int, Decimal | Fraction]:
    """Read a cell's kind, and its number or its seconds since the beginning of the calendar."""
    if not word:
        return NONE, Fraction(0)
    plain = cells.number(word)
    if plain is not None:
        try:
            return NUMBER, Decimal(plain)
        except ArithmeticError:
            return UNREAD, Fraction(0)
    plain = cells.seen(word)
    try:
        return _dated(plain) or _iso(plain)
    except (ValueError, OverflowError):
        return UNREAD, Fraction(0)


def _dated(word: str) -> tuple[int, Fraction] | None:
    """Read a date as people and programs write it, year first; with the time of day, parts of a second, and an offset where given."""
    match = _ISO.fullmatch(word)
    if match is None:
        return None
    group = {key: int(match[key] or 0) for key in ("y", "m", "d", "h", "min", "s", "oh", "om", "os")}
    if group["h"] > 23 or group["min"] > 59 or group["s"] > 60 or group["om"] > 59 or group["os"] > 59:
        raise ValueError(word)
    seconds = Fraction(date(group["y"], group["m"], group["d"]).toordinal() * _DAY)
    seconds += 3600 * group["h"] + 60 * group["min"] + group["s"] + Fraction(f"0.{match['part'] or 0}")
    if not match["zone"]:
        return CLOCK, seconds
    offset = 3600 * group["oh"] + 60 * group["om"] + group["os"]
    return MOMENT, seconds + offset if match["sign"] in ("-", "\u2212") else seconds - offset


def _iso(word: str) -> tuple[int, Fraction]:
    """ISO 8601's other ways: 20250101T100000Z, weeks."""
    told = datetime.fromisoformat(word)
    offset = told.utcoffset()
    seconds = Fraction(told.toordinal() * _DAY + told.hour * 3600 + told.minute * 60 + told.second)
    seconds += Fraction(told.microsecond, 1_000_000)
    if offset is None:
        return CLOCK, seconds
    return MOMENT, seconds - Fraction(offset // timedelta(microseconds=1), 1_000_000)
