"""What the console shows, as values: sections of one figure with its table, tiles, and the document they stand in."""

import csv
import gzip
import hashlib
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import orjson

from arena.domain.clock import KST
from arena.results.export.document import safe_cell

Figure = Mapping[str, Any]
"""A plotly figure as its JSON: `{"data": […], "layout": {…}}`. The tests hold every one against plotly's own schema."""
Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Table:
    """The twin of a figure, for eyes, screen readers and spreadsheets."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def csv(self) -> bytes:
        """UTF-8 with BOM, no cell that a spreadsheet would run."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(self.columns)
        writer.writerows([safe_cell(cell) for cell in row] for row in self.rows)
        return b"\xef\xbb\xbf" + text.getvalue().encode()


@dataclass(frozen=True, slots=True)
class Section:
    """One question and its answer."""

    id: str
    title: str
    says: str
    """The answer in a sentence, for whoever reads no plot."""
    table: Table
    figure: Figure | None = None
    note: str = ""
    """How to read it, or what it must not be taken for."""
    wide: bool = False
    acts: tuple[Mapping[str, Any], ...] = ()
    """Buttons beside rows: `{"row", "act", "label", "body", "ask"}`."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure worth a glance."""

    label: str
    value: str
    hint: str = ""
    mood: str = ""
    """`good`, `warn` or `bad`; always said in words as well."""


@dataclass(frozen=True, slots=True)
class Document:
    """What one tab shows. Encoded once, whoever asks and however many do."""

    as_of: str
    tiles: tuple[Tile, ...] = ()
    sections: tuple[Section, ...] = ()
    forms: tuple[Mapping[str, Any], ...] = ()
    body: bytes = field(init=False, repr=False)
    packed: bytes = field(init=False, repr=False)
    etag: str = field(init=False)

    def __post_init__(self) -> None:
        """Encode. What has not changed keeps its tag, so that nothing is sent again."""
        told = {
            "tiles": [asdict(tile) for tile in self.tiles],
            "sections": [{**asdict(section), "csv": f"{section.id}.csv"} for section in self.sections],
            "forms": list(self.forms),
        }
        tag = hashlib.sha256(orjson.dumps(told)).hexdigest()[:24]
        body = orjson.dumps({"as_of": self.as_of, **told})
        object.__setattr__(self, "body", body)
        object.__setattr__(self, "packed", gzip.compress(body, 5, mtime=0))
        object.__setattr__(self, "etag", f'"{tag}"')

    def section(self, section_id: str) -> Section | None:
        """Find the section with this id."""
        return next((section for section in self.sections if section.id == section_id), None)


def number(value: float | None, digits: int = 0) -> str:
    """Write a number as both languages write it: thousands apart, a real minus."""
    return "–" if value is None else f"{value:,.{digits}f}".replace("-", "−")


def percent(share: float | None, digits: int = 1) -> str:
    """Write a share as a percentage."""
    return "–" if share is None else f"{100 * share:.{digits}f}%"


def span(low: float | None, high: float | None, digits: int = 0) -> str:
    """Write an interval; one number where both ends are the same."""
    if low is None or high is None:
        return "–"
    first, last = number(low, digits), number(high, digits)
    return first if first == last else f"{first} ~ {last}"


def clock(moment: datetime | None) -> str:
    """Write a moment in Korea's time."""
    return "–" if moment is None else moment.astimezone(KST).strftime("%Y-%m-%d %H:%M:%S")
