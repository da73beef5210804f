"""Lengths and marks of the two answers, from a release's own counts: what style control holds equal."""

import ast
import json
import re
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratings.intake import cells
from ratings.intake.cells import Table
from ratings.notices import Note

STYLE_COLUMNS = tuple(f"{name}_{side}" for name in ("length", "headers", "bold", "lists") for side in "ab")
_SOURCES = {"length": "sum_assistant_{}_tokens", "headers": "header_count_{}", "bold": "bold_count_{}"}
_SOURCES["lists"] = "list_count_{}"
_LONGEST = 20_000
"""Characters of metadata written as text; more is no count of marks."""


def read(table: Table) -> tuple[dict[str, NDArray[np.float64]], Note | None]:
    """Read the columns of `STYLE_COLUMNS`, from the table's own ones or from `conv_metadata`; none, and a note, where a row has no counts.

    Raises:
        ComparisonError: a style column holds something that is no number; names the row.
    """
    if all(name in table for name in STYLE_COLUMNS):
        return {name: cells.numbers(table[name], name) for name in STYLE_COLUMNS}, None
    if "conv_metadata" not in table:
        return {}, None
    column = table["conv_metadata"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a backslash in somebody's metadata is not ours to warn of
        counted = [_counts(value) for value in column.values]
    unread = int(np.array([row is None for row in counted] or [False])[column.codes].sum())
    if unread:
        return {}, Note("no_style", unread)
    found = np.array(counted or [[0.0] * len(STYLE_COLUMNS)], dtype=np.float64)[column.codes]
    return dict(zip(STYLE_COLUMNS, found.T, strict=True)), None


def _counts(metadata: Any) -> list[float] | None:
    """Read the counts in the order of `STYLE_COLUMNS`; None where the metadata are missing or cannot be read."""
    parsed = _parsed(metadata) if isinstance(metadata, str) else metadata
    if not isinstance(parsed, dict):
        return None
    try:
        found = [_total(parsed[_SOURCES[name[:-2]].format(name[-1])]) for name in STYLE_COLUMNS]
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return found if all(0 <= value < float("inf") for value in found) else None


def _parsed(text: str) -> Any:
    """Metadata that went through a CSV file: JSON, or a dictionary as Python prints it; None for anything else."""
    if len(text) > _LONGEST:
        return None
    for parse in (json.loads, lambda t: ast.literal_eval(re.sub(r"\bnan\b", "None", t))):
        try:
            return parse(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
    return None


def _total(counts: Any) -> float:
    """Read a count, or the sum of the counts of each kind; what is not there was not counted."""
    if isinstance(counts, dict):
        return float(sum(_total(value) for value in counts.values()))
    return 0.0 if counts is None or counts != counts else float(counts)
