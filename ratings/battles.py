"""Battles on their way from a file's table to the field's columns: which rows count, who voted, and what must be said."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratings import cells, conversation_style
from ratings.cells import Table
from ratings.comparison import Comparisons
from ratings.errors import ComparisonError
from ratings.listing import listed, quoted
from ratings.notices import Note

Format = Literal["field", "lmarena-2025", "comparia", "lmarena-55k", "evalica"]
_WEIGHTS = (1e-9, 1e9)
"""The smallest and the largest weight of a vote."""
_VOTE_ID: Mapping[Format, str] = {"field": "question_id", "lmarena-2025": "id", "lmarena-55k": "id"}


@dataclass(frozen=True, slots=True, eq=False)
class Battles:
    """A release in the field's columns, and what was left out of it."""

    format: Format
    frame: pd.DataFrame
    """The rows that count, each under its number in the file; model_a, model_b, winner, and voter, weight, style where given."""
    rows: int
    """Rows of the file."""
    not_blind: int = 0
    """Rows left out because the models' names were shown."""
    no_choice: int = 0
    """Rows left out because nobody chose."""
    voted_again: int = 0
    """Votes left out because the same conversation was voted on again later."""
    copies: int = 0
    """Rows left out because they repeat another row's vote with its `id`."""
    joined: tuple[tuple[str, ...], ...] = ()
    """Spellings of one model that look the same, the one that is used first."""
    notes: tuple[Note, ...] = ()

    def comparisons(self) -> Comparisons:
        """The rows as comparisons.

        Raises:
            ComparisonError: names a row of the file that cannot be a comparison.
        """
        try:
            return Comparisons.from_frame(self.frame)
        except ComparisonError as error:
            if error.row is None:
                raise
            raise ComparisonError(error.reason, row=int(self.frame.index[error.row])) from None


class Reading:
    """A table on its way: which of its rows count, and why the others do not."""

    def __init__(self, table: Table, model_a: str, model_b: str, also: tuple[str, ...] = ()) -> None:
        self.table = table
        self.sides = (model_a, model_b)
        self.kept = np.ones(table.rows, bool)
        self.names = cells.identifiers({name: table[name] for name in (*self.sides, *also)})
        self.voter: str | None = None
        self.lone_voters = False
        self.winner: NDArray[np.object_] = np.full(table.rows, "", dtype=object)
        self.left_out: dict[str, int] = {}
        self.notes: list[Note] = []

    def leave_out(self, why: str, rows: NDArray[np.bool_]) -> None:
        """Leaves out the rows in this mask that still counted."""
        out = rows & self.kept
        self.left_out[why] = int(out.sum())
        self.kept &= ~out

    def only_blind(self) -> None:
        """Leaves out the battles that showed the models' names."""
        if "anony" in self.table:
            self.leave_out("not_blind", ~cells.truths(self.table["anony"], "anony"))

    def words(self, column: str, known: Mapping[str, str]) -> None:
        """Takes the winner from a column of words; "" where the cell is empty."""
        found = []
        for code, word in enumerate(cells.texts(self.table[column], column)):
            outcome = known.get(cells.seen(word).lower()) if word else ""
            if outcome is None:
                wrong = np.flatnonzero((self.table[column].codes == code) & self.kept)
                if len(wrong):
                    raise ComparisonError(
                        f"{column} is {quoted(word)}; it must be one of {', '.join(dict.fromkeys(known))}",
                        row=int(wrong[0]),
                    )
            found.append(outcome or "")
        self.winner = np.array(found or [""], dtype=object)[self.table[column].codes]

    def battles(self, release: Format, style: bool) -> Battles:
        """The rows that count, in the field's columns."""
        frame = {"model_a": self.names.columns[self.sides[0]], "model_b": self.names.columns[self.sides[1]]}
        frame["winner"] = self.winner
        for source, column in zip((*self.sides, "winner"), frame.values(), strict=True):
            self.refuse_empty(source, column)
        voters = self.voters()
        if voters is not None:
            frame["voter"] = voters
        self.repeats(_VOTE_ID.get(release), frame)
        read: dict[str, NDArray] = dict(frame)
        if "weight" in self.table:
            read["weight"] = self.weights()
        if style:
            counts, note = conversation_style.read(self.table)
            read |= counts
            self.notes += [note] if note else []
        kept = np.flatnonzero(self.kept)
        self.say_names()
        return Battles(
            release,
            pd.DataFrame({name: column[kept] for name, column in read.items()}, index=kept),
            rows=self.table.rows,
            joined=self.names.joined,
            notes=tuple(self.notes),
            **self.left_out,
        )

    def weights(self) -> NDArray[np.float64]:
        """Each row's weight; what cannot be added up with others in floating point is refused."""
        weight = cells.numbers(self.table["weight"], "weight")
        least, most = _WEIGHTS
        unfit = self.kept & np.isfinite(weight) & (weight > 0) & ((weight < least) | (weight > most))
        if unfit.any():
            row = int(unfit.argmax())
            raise ComparisonError(f"weight is {weight[row]}; a weight is 0, or from {least:g} to {most:g}", row=row)
        return weight

    def refuse_empty(self, name: str, column: NDArray[np.object_]) -> None:
        """Raises for the first row that counts and has an empty cell here."""
        empty = (column == "") & self.kept
        if empty.any():
            raise ComparisonError(f"{name} is empty", row=int(empty.argmax()))

    def voters(self) -> NDArray[np.object_] | None:
        """Each row's voter; None where the file names none."""
        if self.voter is None:
            return None
        read = cells.identifiers({self.voter: self.table[self.voter]})
        if read.joined:
            self.notes.append(_voters_joined(len(read.joined)))
        voters = read.columns[self.voter].copy()
        if not self.lone_voters:
            self.refuse_empty(self.voter, voters)
        # Somebody without an identifier is unknown, not the same person as every other one; no identifier begins with a space.
        for row in np.flatnonzero(voters == ""):
            voters[row] = f" row {row}"
        return voters

    def repeats(self, key: str | None, frame: Mapping[str, NDArray[np.object_]]) -> None:
        """Counts the rows that carry the identifier of a row before them.

        A question may be asked in many battles, so `question_id` decides nothing. `id` is the vote's own: rows that agree
        in it and in all else are one vote, written twice.
        """
        if key is None or key not in self.table:
            return
        rows = pd.DataFrame({"key": plain(self.table, key), **frame})
        rows = rows.loc[np.flatnonzero(self.kept & (rows["key"] != "").to_numpy())]
        if key == "id":
            again = rows.duplicated().to_numpy()
            copies = np.zeros(self.table.rows, bool)
            copies[rows.index.to_numpy()[again]] = True
            self.leave_out("copies", copies)
            rows = rows.loc[~again]
        repeated = int(rows.duplicated("key").sum())
        if repeated:
            self.notes.append(_repeated(key, repeated))

    def say_names(self) -> None:
        """Adds what must be said of the models' names."""
        if self.names.joined:
            self.notes.append(_joined([names[0] for names in self.names.joined]))
        if self.names.floating:
            self.notes.append(_floating(self.names.floating))


def plain(table: Table, name: str) -> NDArray[np.object_]:
    """A column as text, "" where it is empty."""
    return np.array([*cells.texts(table[name], name), ""], dtype=object)[table[name].codes]


def _joined(names: list[str]) -> Note:
    return Note(
        "names_joined",
        len(names),
        f"눈으로는 같아 보이지만 다르게 적힌 이름을 하나로 합쳤습니다({len(names):,}개): {listed(names, 'ko')}.",
        f"Names spelled in several ways that look the same, each joined into one ({len(names):,}): {listed(names)}.",
    )


def _voters_joined(count: int) -> Note:
    return Note(
        "voters_joined",
        count,
        f"눈으로는 같아 보이지만 다르게 적힌 투표자를 한 사람으로 합쳤습니다({count:,}명).",
        f"Voters spelled in several ways that look the same, each taken as one person: {count:,}.",
    )


def _floating(columns: tuple[str, ...]) -> Note:
    return Note(
        "names_are_floating_point",
        len(columns),
        f"{', '.join(columns)} 열은 이름을 부동소수점 수로 담고 있습니다. 1.1과 1.10은 파일 안에서 이미 구별되지 않고, 정수는 1.0으로 적힙니다.",
        f"The names in {', '.join(columns)} are floating-point numbers: the file itself no longer tells 1.1 from 1.10, and a whole number is written 1.0.",
    )


def _repeated(key: str, count: int) -> Note:
    return Note(
        "repeated_ids",
        count,
        f"{key}가 앞선 행과 같은 행: {count:,}. 한 질문에 여러 표가 있을 수 있으므로 모두 셉니다.",
        f"Rows with the {key} of a row before them: {count:,}. One question may have many votes, so each counts.",
    )
