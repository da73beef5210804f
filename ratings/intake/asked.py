"""What was asked, as a file tells it: of a text or a conversation of any length eight bytes stay, the key of its first question.

| column | release | what stands in it |
|---|---|---|
| `prompt` | LMArena 55k (Kaggle), any file | a text, or the user's turns as a list |
| `question` | this arena's votes, any file | a key or a text |
| `opening_msg` | compar:IA | the first question as a text |
| `conversation_a` | LMArena 33k, 100k, 140k, FastChat's battles with conversations, compar:IA | messages with `role` and `content`; in LMArena 140k the content is a list of parts |

Each also as text: JSON, or as Python prints it. The first of these columns that a file has is read. A question is its first
one by the user, its letters and digits only (`ratings.questions.question_text`); two with the same 64-bit hash would be
taken for one, a chance of n²/2⁶⁵ (3 · 10⁻⁸ for a million questions) that the interval is wrong by one pair of questions.
"""

import ast
import json
import re
import warnings
from array import array
from collections.abc import Collection, Iterable
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratings.errors import ComparisonError
from ratings.intake import cells
from ratings.intake.cells import UNKNOWN, Asked
from ratings.questions import question_text

CONVERSATION = "conversation_a"
COLUMNS = ("prompt", "question", "opening_msg", CONVERSATION)
"""Where questions stand, the most telling first."""
_NESTED = re.compile(r"\s*[\[{]\s*[\[{\"']")
"""How a list or an object begins that can hold a message."""
_PRINTED = re.compile(r"\}\s*\n\s*\{")
"""What numpy prints between two messages; within one a line break is written as two characters."""


class Asking:
    """The questions of a file's objects, in the making, whose columns are known only at the end."""

    def __init__(self) -> None:
        self._column: str | None = None
        self._keys = array("q")

    def add(self, row: int, record: dict[str, Any]) -> None:
        """Take a row's object; a more telling column than those before begins anew."""
        before = COLUMNS if self._column is None else COLUMNS[: COLUMNS.index(self._column)]
        if column := found(before, record):
            self._column, self._keys = column, array("q", bytes(8 * row))
        if self._column is not None:
            self._keys.append(key(self._column, record.get(self._column)))

    def asked(self, unfit: Collection[str]) -> Asked | None:
        """Give what was gathered, None where nothing was, or its column cannot be read."""
        if self._column is None or self._column in unfit:
            return None
        return Asked(self._column, np.array(self._keys, dtype=np.int64))


def found(columns: Iterable[str], there: Collection[str], unfit: Collection[str] = ()) -> str | None:
    """Find the first of these columns that is there and can be read."""
    return next((name for name in columns if name in there and name not in unfit), None)


def of_cells(column: str, column_cells: Iterable[Any]) -> NDArray[np.int64]:
    """Read the keys of cells one by one, keeping nothing else of them."""
    return np.fromiter((key(column, cell) for cell in column_cells), dtype=np.int64)


def key(column: str, cell: Any) -> int:
    """Give the key of a cell's first question, 64 bits, `UNKNOWN` where there is none; no cell is refused."""
    text = question_text(first_question(cell, conversation=column == CONVERSATION))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big", signed=True) if text else UNKNOWN


def first_question(cell: Any, *, conversation: bool) -> str:
    """Read the first thing that the user said; "" where there is none.

    Args:
        cell: a text, a list of turns or messages, one message, or any of these written as JSON or as Python prints it.
        conversation: whether a text that is none of these holds answers too, and is no question.
    """
    if isinstance(cell, bytes):
        cell = cell.decode(errors="replace")
    if isinstance(cell, str):
        said = _first(_parsed(cell))
        return said if said or conversation else cell
    if isinstance(cell, list | tuple | dict | np.ndarray):
        return _first(cell)
    try:
        return cells.text(cell)
    except ComparisonError:
        return ""


def shared(question: NDArray[np.integer], voter: NDArray[np.integer] | None) -> int:
    """Count the questions that several voters asked, or that stand in several votes where no voter is known."""
    known = question >= 0
    if not known.any():
        return 0
    question = question[known]
    voter = np.arange(len(question)) if voter is None else voter[known]
    first, last = np.full(question.max() + 1, np.iinfo(np.int64).max), np.full(question.max() + 1, -1)
    np.minimum.at(first, question, voter)
    np.maximum.at(last, question, voter)
    return int((first < last).sum())


def _first(nested: Any) -> str:
    """Find the first message that is the user's, or the first turn where there are no roles."""
    for message in [nested] if isinstance(nested, dict) else _listed(nested):
        if isinstance(message, str):
            return message
        if isinstance(message, dict) and str(message.get("role", "user")).strip().lower() == "user":
            return _content(message.get("content"))
    return ""


def _content(content: Any) -> str:
    """Put a message's text together; its pictures have none."""
    if isinstance(content, str):
        return content
    parts = [content] if isinstance(content, dict) else _listed(content)
    texts = (part.get("text") if isinstance(part, dict) else part for part in parts)
    return "\n".join(text for text in texts if isinstance(text, str))


def _listed(nested: Any) -> list[Any]:
    if isinstance(nested, np.ndarray):
        return list(nested.ravel())
    return list(nested) if isinstance(nested, list | tuple) else []


def _parsed(text: str) -> Any:
    """Read a text that is a list or an object; None for anything else."""
    if not _NESTED.match(text):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a backslash in somebody's question is not ours to warn of
            return ast.literal_eval(_PRINTED.sub("}, {", text.strip()))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None
