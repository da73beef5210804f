"""The public battle releases, translated into the field's columns: model_a, model_b, winner, voter (weight and style where given).

| release | recognised by | winner | voter |
|---|---|---|---|
| compar:IA votes | `model_a_name`, `model_b_name`, `chosen_model_name` | from the chosen name and `both_equal` | `visitor_id`, else `visitor_uuid`, else `session_hash`, row by row |
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

from ratings.comparison import OUTCOMES
from ratings.errors import ComparisonError, renumbered
from ratings.intake import asked, cells, moments
from ratings.intake.battles import Battles, Format, Reading
from ratings.intake.cells import Asked, Table
from ratings.intake.conversation_style import STYLE_COLUMNS
from ratings.listing import printable, quoted
from ratings.notices import Note

VISITORS = ("visitor_id", "visitor_uuid", "session_hash")
ONE_HOT = ("winner_model_a", "winner_model_b", "winner_tie")
READ = {
    *("model_a", "model_b", "winner", "voter", "judge", "weight", "anony", "question_id", "id"),
    *("evaluation_session_id", "conv_metadata", *STYLE_COLUMNS, *ONE_HOT, "left", "right"),
    *("model_a_name", "model_b_name", "chosen_model_name", "both_equal", "conversation_pair_id", "timestamp"),
    *VISITORS,
}
"""Every column that some release is read from; a reader may leave all others unread. Of what was asked (`asked.COLUMNS`) only keys are kept."""
_WORDS = {o.value: o.value for o in OUTCOMES} | dict.fromkeys(("tie (bothbad)", "bothbad"), "both_bad")
_SIDES = {"left": "model_a", "right": "model_b", "tie": "tie"}


def recognise(columns: Sequence[str]) -> Format:
    """Say which release a table is, by its columns.

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
    raise ComparisonError("no_battles", found=[printable(str(name)) for name in columns])


def translate(table: Table | pd.DataFrame, *, style: bool = True) -> Battles:
    """Bring a release into the columns that `Comparisons.from_frame` reads; rows keep their number.

    Args:
        table: the file's cells as they stand.
        style: also read the columns that style control needs.

    Raises:
        ComparisonError: the release is unknown, or a row cannot be read; names the row and the column.
    """
    if isinstance(table, pd.DataFrame):
        table = _of_frame(table)
    release = recognise(table.names)
    reading = Reading(table)
    readers: dict[Format, Callable[[Reading], None]] = {
        "comparia": _comparia,
        "lmarena-2025": _sessions,
        "lmarena-55k": _one_hot,
        "evalica": _evalica,
    }
    try:
        readers.get(release, _field)(reading)
        return reading.battles(release, style)
    except ComparisonError as error:
        with renumbered(reading.rows):  # as they are now: what was left out has shifted the others
            raise error from None


def _of_frame(frame: pd.DataFrame) -> Table:
    table = Table.of({str(name): column.tolist() for name, column in frame.items()})
    column = asked.found(asked.COLUMNS, frame.columns, frame.columns[frame.columns.duplicated()])
    twice = [str(name) for name in frame.columns[frame.columns.duplicated()]]
    return Table(
        table.columns,
        table.names,
        len(frame),
        {name: ComparisonError("column_twice", column=quoted(name)) for name in twice},
        None if column is None else Asked(column, asked.of_cells(column, frame[column])),
    )


def _field(reading: Reading) -> None:
    reading.sides = ("model_a", "model_b")
    reading.only_blind()
    reading.words("winner", _WORDS)
    reading.voted_by("voter", "judge")


def _sessions(reading: Reading) -> None:
    _field(reading)
    reading.voted_by("evaluation_session_id")


def _one_hot(reading: Reading) -> None:
    reading.sides = ("model_a", "model_b")
    marks = np.stack([cells.truths(reading.table[name], name) for name in ONE_HOT])
    wrong = marks.sum(axis=0) != 1
    if wrong.any():
        row = int(wrong.argmax())
        raise ComparisonError("not_one_hot", n=int(marks[:, row].sum()), columns=ONE_HOT, row=row)
    reading.winner = np.array(["model_a", "model_b", "tie"], dtype=object)[marks.argmax(axis=0)]
    reading.voted_by("voter", "judge")


def _evalica(reading: Reading) -> None:
    reading.sides = ("left", "right")
    reading.words("winner", {**_SIDES, "draw": "tie", "ignore": ""})
    reading.leave_out("no_choice", reading.winner == "")
    reading.voted_by("voter", "judge")


def _comparia(reading: Reading) -> None:
    reading.sides = ("model_a_name", "model_b_name")
    equal = _equal(reading)
    words = np.array([*cells.texts(reading.table["chosen_model_name"], "chosen_model_name"), ""], dtype=object)
    nobody = words[reading.table["chosen_model_name"].codes] == ""
    reading.leave_out("no_choice", nobody & ~equal)
    _only_last(reading)
    columns = (*reading.sides, "chosen_model_name")
    a, b, chosen = cells.identifiers({name: reading.table[name] for name in columns}).columns.values()
    equal = _equal(reading)
    stray = ~(equal | (chosen == a) | (chosen == b))
    if stray.any():
        row = int(stray.argmax())
        raise ComparisonError("chosen_neither", value=quoted(chosen[row]), row=row)
    reading.winner = np.select([equal, chosen == a], ["tie", "model_a"], "model_b").astype(object)
    both = int((equal & (chosen != "")).sum())
    if both:
        reading.notes.append(Note("both_and_one", both))
    reading.voter = tuple(name for name in VISITORS if name in reading.table)
    reading.lone_voters = True


def _equal(reading: Reading) -> NDArray[np.bool_]:
    if "both_equal" not in reading.table:
        return np.zeros(reading.table.rows, bool)
    return cells.truths(reading.table["both_equal"], "both_equal", empty=False)


def _only_last(reading: Reading) -> None:
    """Leave out all votes on one conversation but the last: the visitor's final word, as one conversation is one opinion.

    Times are compared as moments. Where one of a conversation's times is none, or they are of different kinds, the order
    of the file decides, and that is said; a vote without a time stands before those that have one.
    """
    key, moment = "conversation_pair_id", "timestamp"
    if key not in reading.table:
        return
    rows = pd.DataFrame({"key": reading.identifiers(key)})
    again = np.flatnonzero((rows["key"] != "").to_numpy() & rows["key"].duplicated(keep=False).to_numpy())
    rows = rows.loc[again].assign(place=0)
    if moment in reading.table and len(again):
        column = reading.table[moment].only(np.isin(np.arange(reading.table.rows), again))
        with renumbered(again):
            read = moments.read(column, moment)
        rows["kind"], rows["place"] = read.kind, read.place
        timed = rows[rows["kind"] != moments.NONE].groupby("key")["kind"].agg(["min", "max"])
        doubtful = timed.index[(timed["min"] != timed["max"]) | (timed["max"] == moments.UNREAD)]
        rows.loc[rows["key"].isin(doubtful), "place"] = 0
        untimed = rows.loc[(rows["kind"] == moments.NONE) & rows["key"].isin(timed.index.difference(doubtful)), "key"]
        reading.notes += [Note("times_unread", len(doubtful))] if len(doubtful) else []
        reading.notes += [Note("times_missing", len(untimed))] if len(untimed) else []
    rows = rows.sort_values("place", kind="stable")
    earlier = np.zeros(reading.table.rows, bool)
    earlier[rows.index.to_numpy()[rows.duplicated("key", keep="last").to_numpy()]] = True
    reading.leave_out("voted_again", earlier)
