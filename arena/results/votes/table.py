"""The votes of a stage as one columnar, immutable snapshot: every number of a stage is a function of it and of the stage."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from arena.domain.vote import Winner
from ratings.comparison import OUTCOMES, Comparisons
from ratings.style import MARKS

LANGUAGES = ("ko", "en", "mixed", "other", "erased")
IDENTITY = ("anonymous", "email", "verified")
OUTCOME_OF = {Winner(outcome.value): code for code, outcome in enumerate(OUTCOMES)}
"""What a citizen decided, as the code that ratings see."""
STYLE_COLUMNS = 2 * len(MARKS)


@dataclass(frozen=True, slots=True, eq=False)
class Circumstances:
    """How each vote came about, measured from its conversation; columns of the table's length, private but for style, language and turns.

    No text is kept: of a conversation, its language, its number of prompts, its marks of style, and a hash of its first prompt.
    """

    turns: NDArray[np.int16]
    """Prompts in the conversation."""
    language: NDArray[np.int8]
    """Of the first prompt: an index into `LANGUAGES`."""
    style: NDArray[np.int32]
    """Shape (votes, 8): length, headers, bold, lists of side a, then of side b, over all turns; zeros where erased."""
    judged_s: NDArray[np.float64]
    """From the moment both last answers were shown to the vote; not a number where unknown."""
    question: NDArray[np.int32]
    """The first prompt, equal ones alike; -1 where erased."""


@dataclass(frozen=True, slots=True, eq=False)
class VoteTable:
    """Votes as columns of equal length, in the order in which they were read; at most 64 bytes a vote without its circumstances.

    Battles, receipts and digests are not held: `seq` finds them in the record.
    """

    entrants: tuple[str, ...]
    """Declared ones, then controls; `a` and `b` are indices into them."""
    voters: tuple[str, ...]
    """Pseudonyms; `voter` holds indices into them."""
    networks: tuple[str, ...]
    """The days' digests; `network` holds indices into them. Private."""
    seq: NDArray[np.int64]
    """The vote's number in the record."""
    voter: NDArray[np.int32]
    a: NDArray[np.int16]
    b: NDArray[np.int16]
    outcome: NDArray[np.int8]
    """As in `ratings.comparison`."""
    cast_at: NDArray[np.int64]
    """In microseconds since 1970 UTC."""
    identity: NDArray[np.int8]
    """An index into `IDENTITY`."""
    network: NDArray[np.int32]
    """Where it came from; -1 where unknown. Private."""
    leaks: NDArray[np.bool_]
    """The battle may not have been blind."""
    excluded_by: NDArray[np.int8]
    """Why the vote stays out of the fit: an index into `inclusion.REASONS`; 0 where it counts."""
    circumstances: Circumstances | None = None
    """Measured only for whoever asks: it takes the texts."""

    def __len__(self) -> int:
        return len(self.seq)

    @property
    def at(self) -> NDArray[np.float64]:
        """When each vote was cast, in seconds since 1970 UTC."""
        return self.cast_at / 1e6

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Which votes are in the fit."""
        return self.excluded_by == 0

    @property
    def measured(self) -> Circumstances:
        """The circumstances of a table that was asked for with them."""
        assert self.circumstances is not None  # noqa: S101 - a fault of ours, not of the data
        return self.circumstances

    def among(self, seqs: Sequence[int] | NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the votes have one of these numbers."""
        return np.isin(self.seq, np.asarray(seqs, np.int64))

    def by_time(self) -> Self:
        """Order the votes by when they were cast, equal moments by their number in the record."""
        order = np.lexsort((self.seq, self.cast_at))
        return replace(self, **_taken(self, order, ("entrants", "voters", "networks")))

    def comparisons(
        self, rows: NDArray[np.bool_], entrants: Sequence[str], weights: NDArray[np.float64] | None = None
    ) -> Comparisons:
        """Take these votes for a fit of these entrants; all of the rows have to be between two of them.

        Args:
            rows: which votes.
            entrants: in the order of the answer.
            weights: one for each of `voters`.
        """
        place = np.array([entrants.index(e) if e in entrants else -1 for e in self.entrants], np.int64)
        chosen = (place[self.a[rows]], place[self.b[rows]], self.outcome[rows], self.voter[rows])
        return Comparisons.from_codes(tuple(entrants), *chosen, None if weights is None else weights[self.voter[rows]])


def _taken(columns: VoteTable | Circumstances, order: NDArray[np.intp], but: Sequence[str] = ()) -> dict[str, object]:
    """The columns in another order, by name."""
    taken: dict[str, object] = {}
    for name in (field.name for field in fields(columns) if field.name not in but):
        column = getattr(columns, name)
        taken[name] = (
            replace(column, **_taken(column, order))
            if isinstance(column, Circumstances)
            else (None if column is None else column[order])
        )
    return taken
