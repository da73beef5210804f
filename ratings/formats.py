"""The public battle releases, translated into the field's columns: model_a, model_b, winner, voter (weight and style where given).

| release | recognised by | winner | voter |
|---|---|---|---|
| compar:IA votes | `model_a_name`, `model_b_name`, `chosen_model_name` | from the chosen name and `both_equal` | `visitor_id`, `visitor_uuid`, `session_hash` |
| LMArena 2025 | the field's columns and `evaluation_session_id` | as it is | the evaluation session |
| the field's columns (ours, FastChat's clean battles, LMArena 100k) | `model_a`, `model_b`, `winner` | `tie (bothbad)` is `both_bad` | `voter`, `judge` |
| LMArena 55k (Kaggle) | `winner_model_a`, `winner_model_b`, `winner_tie` | the one of the three that is 1 | none |
| Evalica | `left`, `right`, `winner` | `left`, `right`, `tie` | `voter`, `judge` |

Left out, counted and said: battles whose models were shown (`anony` false), rows without a choice (compar:IA, Evalica), all
votes on a compar:IA conversation but the last, and rows that repeat an LMArena vote with its `id`.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratings import cells
from ratings.battles import Battles, Format, Reading, plain
from ratings.cells import Table
from ratings.comparison import OUTCOMES
from ratings.conversation_style import STYLE_COLUMNS
from ratings.errors import ComparisonError
from ratings.listing import listed, quoted
from ratings.notices import Note

VISITORS = ("visitor_id", "visitor_uuid", "session_hash")
ONE_HOT = ("winner_model_a", "winner_model_b", "winner_tie")
READ = {
    *("model_a", "model_b", "winner", "voter", "judge", "weight", "anony", "question_id", "id"),
    *("evaluation_session_id", "conv_metadata", *STYLE_COLUMNS, *ONE_HOT, "left", "right"),
    *("model_a_name", "model_b_name", "chosen_model_name", "both_equal", "conversation_pair_id", "timestamp"),
    *VISITORS,
}
"""Every column that some release is read from; a reader may leave all others, conversations above all, unread."""
_WORDS = {o.value: o.value for o in OUTCOMES} | dict.fromkeys(("tie (bothbad)", "bothbad"), "both_bad")
_SIDES = {"left": "model_a", "right": "model_b", "tie": "tie"}


def recognise(columns: Sequence[str]) -> Format:
    """Says which release a table is, by its columns.

    Raises:
        ComparisonError: none that is known here; the message lists what would be.
    """
    found = set(columns)
    if {"model_a_name", "model_b_name", "chosen_model_name"} <= found:
        return "comparia"
    if {"model_a", "model_b", "winner"} <= found:
        return "lmarena-2025" if "evaluation_session_id" in found else "field"
    if {"model_a", "model_b", *ONE_HOT} <= found:
        return "lmarena-55k"
    if {"left", "right", "winner"} <= found:
        return "evalica"
    raise ComparisonError(
        "these columns are no battles: model_a, model_b and winner must exist (FastChat, LMArena, this arena), "
        "or winner_model_a, winner_model_b and winner_tie in the place of winner (LMArena 55k), "
        "or left, right and winner (Evalica), or model_a_name, model_b_name and chosen_model_name (compar:IA). "
        f"Found: {listed([str(name) for name in columns], most=30) or 'none'}"
    )


def translate(table: Table | pd.DataFrame, *, style: bool = True) -> Battles:
    """Brings a release into the columns that `Comparisons.from_frame` reads; rows keep their number.

    Args:
        table: the file's cells as they stand.
        style: also read the columns that style control needs.

    Raises:
        ComparisonError: the release is unknown, or a row cannot be read; names the row and the column.
    """
    if isinstance(table, pd.DataFrame):
        twice = table.columns[table.columns.duplicated()]
        if len(twice):
            raise ComparisonError(f"column {quoted(twice[0])} stands twice: keep one of them")
        table = Table.of({str(name): column.tolist() for name, column in table.items()})
    release = recognise(table.names)
    readers: dict[Format, Callable[[], Reading]] = {
        "comparia": lambda: _comparia(table),
        "lmarena-55k": lambda: _one_hot(table),
        "evalica": lambda: _evalica(table),
    }
    reading = readers.get(release, lambda: _field(table, "judge"))()
    if release == "lmarena-2025":
        reading.voter = "evaluation_session_id"
    return reading.battles(release, style)


def _field(table: Table, *voters: str) -> Reading:
    reading = Reading(table, "model_a", "model_b")
    reading.only_blind()
    reading.words("winner", _WORDS)
    reading.voter = next((name for name in ("voter", *voters) if name in table), None)
    return reading


def _one_hot(table: Table) -> Reading:
    reading = Reading(table, "model_a", "model_b")
    marks = np.stack([cells.truths(table[name], name) for name in ONE_HOT])
    wrong = marks.sum(axis=0) != 1
    if wrong.any():
        row = int(wrong.argmax())
        raise ComparisonError(f"{int(marks[:, row].sum())} of {', '.join(ONE_HOT)} are 1; exactly one must be", row=row)
    reading.winner = np.array(["model_a", "model_b", "tie"], dtype=object)[marks.argmax(axis=0)]
    reading.voter = next((name for name in ("voter", "judge") if name in table), None)
    return reading


def _evalica(table: Table) -> Reading:
    reading = Reading(table, "left", "right")
    reading.words("winner", {**_SIDES, "draw": "tie", "ignore": ""})
    reading.leave_out("no_choice", reading.winner == "")
    reading.voter = next((name for name in ("voter", "judge") if name in table), None)
    return reading


def _comparia(table: Table) -> Reading:
    reading = Reading(table, "model_a_name", "model_b_name", ("chosen_model_name",))
    a, b, chosen = (reading.names.columns[n] for n in ("model_a_name", "model_b_name", "chosen_model_name"))
    equal = np.zeros(table.rows, bool)
    if "both_equal" in table:
        equal = cells.truths(table["both_equal"], "both_equal", empty=False)
    reading.leave_out("no_choice", (chosen == "") & ~equal)
    stray = ~(equal | (chosen == a) | (chosen == b)) & reading.kept
    if stray.any():
        row = int(stray.argmax())
        raise ComparisonError(
            f"chosen_model_name is {quoted(chosen[row])}, which is neither side, and both_equal is not true", row=row
        )
    reading.winner = np.select([equal, chosen == a], ["tie", "model_a"], "model_b").astype(object)
    _only_last(reading)
    both = int((equal & (chosen != "") & reading.kept).sum())
    if both:
        reading.notes.append(_both_and_one(both))
    reading.voter = next((name for name in VISITORS if name in table), None)
    reading.lone_voters = True
    return reading


def _only_last(reading: Reading) -> None:
    """Leaves out all votes on one conversation but the last: the visitor's final word, as one conversation is one opinion."""
    key, moment = "conversation_pair_id", "timestamp"
    if key not in reading.table:
        return
    rows = pd.DataFrame({"key": plain(reading.table, key)})
    rows["time"] = _moments(reading.table, moment) if moment in reading.table else 0
    rows = rows.loc[np.flatnonzero(reading.kept & (rows["key"] != "").to_numpy())].sort_values("time", kind="stable")
    earlier = np.zeros(reading.table.rows, bool)
    earlier[rows.index.to_numpy()[rows.duplicated("key", keep="last").to_numpy()]] = True
    reading.leave_out("voted_again", earlier)


def _moments(table: Table, name: str) -> NDArray:
    """A column of times that can be put in order: numbers as numbers, dates as ISO 8601 writes them."""
    try:
        return cells.numbers(table[name], name)
    except ComparisonError:
        return plain(table, name)


def _both_and_one(count: int) -> Note:
    return Note(
        "both_and_one",
        count,
        f"한 모델을 고르면서 both_equal도 참인 행: {count:,}. 무승부로 셉니다.",
        f"Rows that choose a model and say that both are equal, counted as ties: {count:,}.",
    )
