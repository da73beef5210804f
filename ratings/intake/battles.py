"""Battles on their way from a file's table to the field's columns: which rows count, who voted, and what must be said."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratings.comparison import Comparisons
from ratings.errors import ComparisonError, RatingsError, renumbered
from ratings.intake import cells, conversation_style
from ratings.intake.cells import Asked, Table
from ratings.listing import quoted
from ratings.notices import Note
from ratings.voices import Voice

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
    asked: Asked | None = None
    """The question of each row that counts; None where the file has none, or they were not read."""

    def comparisons(self, voice: Voice = "vote") -> Comparisons:
        """Return the rows as comparisons, clustered by question too where questions are known.

        Raises:
            RatingsError: each citizen is to count the same, and the file names none.
            ComparisonError: names a row of the file that cannot be a comparison.
        """
        if voice == "citizen" and "voter" not in self.frame.columns:
            raise RatingsError("voice_without_voters")
        with renumbered(self.frame.index):
            read = Comparisons.from_frame(self.frame, voice=voice)
        question = None if self.asked is None else self.asked.codes()
        return read if question is None or question.max(initial=-1) < 0 else replace(read, question=question)


class Reading:
    """A table on its way: which of its rows count, and why the others do not.

    What does not count is left out first, and then is as if it had never stood in the file: it refuses nothing, names
    nobody and decides no spelling.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.rows = np.arange(table.rows)
        """The number in the file of each row that still counts."""
        self.sides: tuple[str, str] = ("", "")
        self.voter: tuple[str, ...] = ()
        """Columns that name the voter; where one is empty the next is asked."""
        self.lone_voters = False
        self.winner: NDArray[np.object_] = np.full(table.rows, "", dtype=object)
        self.left_out: dict[str, int] = {}
        self.notes: list[Note] = []

    def leave_out(self, why: str, out: NDArray[np.bool_]) -> None:
        """Leave out these of the rows that still count."""
        self.left_out[why] = self.left_out.get(why, 0) + int(out.sum())
        if out.any():
            self.table, self.rows, self.winner = self.table.only(~out), self.rows[~out], self.winner[~out]

    def only_blind(self) -> None:
        """Leave out the battles that showed the models' names."""
        if "anony" in self.table:
            self.leave_out("not_blind", ~cells.truths(self.table["anony"], "anony"))

    def voted_by(self, *columns: str) -> None:
        """Take the voter from the first of these columns that the file has."""
        self.voter = tuple(name for name in columns if name in self.table)[:1]

    def words(self, column: str, known: Mapping[str, str]) -> None:
        """Take the winner from a column of words; "" where the cell is empty."""
        found = []
        for code, word in enumerate(cells.texts(self.table[column], column)):
            outcome = known.get(cells.seen(word).lower()) if word else ""
            if outcome is None:
                raise ComparisonError(
                    "outcome_unknown",
                    column=column,
                    value=quoted(word),
                    known=tuple(known),
                    row=self.table[column].row(code),
                )
            found.append(outcome)
        self.winner = np.array(found or [""], dtype=object)[self.table[column].codes]

    def battles(self, release: Format, style: bool) -> Battles:
        """Return the rows that count, in the field's columns."""
        rows = self.table.rows + sum(self.left_out.values())
        key = _VOTE_ID.get(release)
        if key == "id" and key in self.table:
            self.leave_out("copies", self._copies(key))
        names = cells.identifiers({name: self.table[name] for name in self.sides})
        read: dict[str, NDArray] = {"model_a": names.columns[self.sides[0]], "model_b": names.columns[self.sides[1]]}
        read["winner"] = self.winner
        for source, column in zip((*self.sides, "winner"), read.values(), strict=True):
            _refuse_empty(source, column)
        voters, notes = self._voters()
        if voters is not None:
            read["voter"] = voters
        self.notes += notes
        if key is not None and key in self.table:
            self.notes += _repeats(key, self.identifiers(key))
        if "weight" in self.table:
            read["weight"] = self._weights()
        if style:
            counts, note = conversation_style.read(self.table)
            read |= counts
            self.notes += [note] if note else []
        self.notes += (
            [Note("names_joined", len(names.joined), names=tuple(same[0] for same in names.joined))]
            if names.joined
            else []
        )
        self.notes += (
            [Note("names_are_floating_point", len(names.floating), columns=names.floating)] if names.floating else []
        )
        return Battles(
            release,
            pd.DataFrame(read, index=self.rows),
            rows=rows,
            joined=names.joined,
            notes=tuple(self.notes),
            asked=self.table.asked,
            **self.left_out,
        )

    def identifiers(self, name: str) -> NDArray[np.object_]:
        """Read a column of identifiers that are no model's and no voter's; spellings that are joined are said."""
        read = cells.identifiers({name: self.table[name]})
        if read.joined:
            self.notes.append(Note("ids_joined", len(read.joined), column=name))
        return read.columns[name]

    def _copies(self, key: str) -> NDArray[np.bool_]:
        """Find the rows that repeat a row before them: its `id` and all else of the vote."""
        names = cells.identifiers({name: self.table[name] for name in self.sides}).columns
        vote = {"key": cells.identifiers({key: self.table[key]}).columns[key], **names, "winner": self.winner}
        voters, _ = self._voters()
        if voters is not None:
            vote["voter"] = voters
        found = pd.DataFrame(vote)
        return (found.duplicated() & (found["key"] != "")).to_numpy()

    def _weights(self) -> NDArray[np.float64]:
        """Each row's weight; what cannot be added up with others in floating point is refused."""
        weight = cells.numbers(self.table["weight"], "weight")
        least, most = _WEIGHTS
        unfit = np.isfinite(weight) & (weight > 0) & ((weight < least) | (weight > most))
        if unfit.any():
            row = int(unfit.argmax())
            raise ComparisonError("weight_out_of_range", value=float(weight[row]), least=least, most=most, row=row)
        return weight

    def _voters(self) -> tuple[NDArray[np.object_] | None, list[Note]]:
        """Each row's voter, None where the file names none, and what must be said of them."""
        voters, joined = np.full(self.table.rows, "", dtype=object), 0
        for column in self.voter:
            asked = np.flatnonzero(voters == "")
            with renumbered(asked):
                read = cells.identifiers({column: self.table[column].only(voters == "")})
            joined += len(read.joined)
            # The same text in two columns is not the same person; no identifier begins with a space.
            before = "" if column == self.voter[0] else f" {column} "
            for row, found in zip(asked.tolist(), read.columns[column], strict=True):
                voters[row] = found and before + found
        if not self.lone_voters and self.voter:
            _refuse_empty(self.voter[0], voters)
        unknown = np.flatnonzero(voters == "")
        if len(unknown) == len(voters):
            return None, []
        # Somebody without an identifier is unknown, not the same person as every other one.
        for row in unknown:
            voters[row] = f" row {self.rows[row]}"
        notes = [Note("voters_joined", joined)] if joined else []
        return voters, [*notes, Note("votes_without_voter", len(unknown))] if len(unknown) else notes


def _refuse_empty(name: str, column: NDArray[np.object_]) -> None:
    """Raise for the first row that has an empty cell here."""
    empty = column == ""
    if empty.any():
        raise ComparisonError("cell_empty", column=name, row=int(empty.argmax()))


def _repeats(key: str, ids: NDArray[np.object_]) -> list[Note]:
    """Count the rows that carry the identifier of a row before them, and are other votes all the same."""
    named = ids[ids != ""]
    repeated = len(named) - len(set(named.tolist()))
    if not repeated:
        return []
    return [Note("repeated_ids", repeated, form="votes" if key == "id" else "questions", column=key)]
