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
from ratings.errors import ComparisonError, renumbered
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
        with renumbered(self.frame.index):
            return Comparisons.from_frame(self.frame)


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
        """Leaves out these of the rows that still count."""
        self.left_out[why] = self.left_out.get(why, 0) + int(out.sum())
        if out.any():
            self.table, self.rows, self.winner = self.table.only(~out), self.rows[~out], self.winner[~out]

    def only_blind(self) -> None:
        """Leaves out the battles that showed the models' names."""
        if "anony" in self.table:
            self.leave_out("not_blind", ~cells.truths(self.table["anony"], "anony"))

    def voted_by(self, *columns: str) -> None:
        """The first of these columns that the file has names the voter."""
        self.voter = tuple(name for name in columns if name in self.table)[:1]

    def words(self, column: str, known: Mapping[str, str]) -> None:
        """Takes the winner from a column of words; "" where the cell is empty."""
        found = []
        for code, word in enumerate(cells.texts(self.table[column], column)):
            outcome = known.get(cells.seen(word).lower()) if word else ""
            if outcome is None:
                raise ComparisonError(
                    f"{column} is {quoted(word)}; it must be one of {', '.join(dict.fromkeys(known))}",
                    row=self.table[column].row(code),
                )
            found.append(outcome)
        self.winner = np.array(found or [""], dtype=object)[self.table[column].codes]

    def battles(self, release: Format, style: bool) -> Battles:
        """The rows that count, in the field's columns."""
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
        self.notes += [_joined([names[0] for names in names.joined])] if names.joined else []
        self.notes += [_floating(names.floating)] if names.floating else []
        return Battles(
            release,
            pd.DataFrame(read, index=self.rows),
            rows=rows,
            joined=names.joined,
            notes=tuple(self.notes),
            **self.left_out,
        )

    def identifiers(self, name: str) -> NDArray[np.object_]:
        """A column of identifiers that are no model's and no voter's; spellings that are joined are said."""
        read = cells.identifiers({name: self.table[name]})
        if read.joined:
            self.notes.append(_ids_joined(name, len(read.joined)))
        return read.columns[name]

    def _copies(self, key: str) -> NDArray[np.bool_]:
        """The rows that repeat a row before them: its `id` and all else of the vote."""
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
            raise ComparisonError(f"weight is {weight[row]}; a weight is 0, or from {least:g} to {most:g}", row=row)
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
        notes = [_voters_joined(joined)] if joined else []
        return voters, [*notes, _without_voter(len(unknown))] if len(unknown) else notes


def _refuse_empty(name: str, column: NDArray[np.object_]) -> None:
    """Raises for the first row that has an empty cell here."""
    empty = column == ""
    if empty.any():
        raise ComparisonError(f"{name} is empty", row=int(empty.argmax()))


def _repeats(key: str, ids: NDArray[np.object_]) -> list[Note]:
    """Counts the rows that carry the identifier of a row before them, and are other votes all the same."""
    named = ids[ids != ""]
    repeated = len(named) - len(set(named.tolist()))
    return [_repeated(key, repeated)] if repeated else []


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


def _ids_joined(column: str, count: int) -> Note:
    return Note(
        "ids_joined",
        count,
        f"눈으로는 같아 보이지만 다르게 적힌 {column}을(를) 하나로 보았습니다({count:,}개).",
        f"Spelled in several ways that look the same in {column}, each taken as one: {count:,}.",
    )


def _without_voter(count: int) -> Note:
    return Note(
        "votes_without_voter",
        count,
        f"투표자가 적히지 않아 표마다 다른 사람으로 본 표: {count:,}. 구간이 너무 좁을 수 있습니다.",
        f"Votes without a voter, each taken as its own voter: {count:,}. Intervals may be too narrow.",
    )


def _repeated(key: str, count: int) -> Note:
    if key == "id":
        ko = "그 밖의 내용이 다르므로 모두 셉니다."
        en = "They say something else, so each counts."
    else:
        ko = "한 질문에 여러 표가 있을 수 있으므로 모두 셉니다."
        en = "One question may have many votes, so each counts."
    return Note(
        "repeated_ids",
        count,
        f"{key}가 앞선 행과 같은 행: {count:,}. {ko}",
        f"Rows with the {key} of a row before them: {count:,}. {en}",
    )
