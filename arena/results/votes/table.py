"""The votes of a stage as one columnar, immutable snapshot: every number of a stage is a function of it and of the stage.

The feed makes one from the record, `results.export.table_reader` from a published `votes.parquet`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from arena.domain.vote import Winner
from arena.results.votes.inclusion import CHECK, REMOVED, REPEAT
from ratings.comparison import BOTH_BAD, OUTCOMES, BothBad, Comparisons
from ratings.style import MARKS
from ratings.voices import Voice

ERASED = "erased"
LANGUAGES = ("ko", "en", "mixed", "other", ERASED)
IDENTITY = ("anonymous", "email", "verified", "invited")
OUTCOME_OF = {Winner(outcome.value): code for code, outcome in enumerate(OUTCOMES)}
"""What a citizen decided, as the code that ratings see."""
STYLE_COLUMNS = 2 * len(MARKS)


@dataclass(frozen=True, slots=True, eq=False)
class Circumstances:
    """How each vote came about, measured from its conversation; columns of the table's length, private but for style and turns.

    No text is kept: of a conversation, its language, its number of prompts, its marks of style, and a hash of its first prompt.
    """

    turns: NDArray[np.int16]
    """Prompts in the conversation."""
    language: NDArray[np.int8]
    """Of the first prompt: an index into `LANGUAGES`; -1 where it is not told."""
    style: NDArray[np.int32]
    """Shape (votes, 8): length, headers, bold, lists of side a, then of side b, over all turns; -1 where the texts were erased."""
    judged_s: NDArray[np.float64]
    """From the moment both last answers were shown to the vote; not a number where unknown."""
    prompt: NDArray[np.int32]
    """The first prompt, equal ones alike; -1 where it was erased or is not told."""
    version: NDArray[np.int16]
    """Shape (votes, 2): what gave every answer on side a, and on side b, as a code of that entrant's; -1 where it is not known, or was not one."""

    @property
    def styled(self) -> NDArray[np.bool_]:
        """Which votes' answers could be counted before their texts were erased."""
        return self.style.min(axis=1) >= 0


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
    reasons: tuple[str, ...]
    """Why votes may stay out of the fit; `excluded_by` holds indices into them. The first is empty: the vote counts.

    Those of `inclusion.REASONS`, and behind them what a file tells besides.
    """
    seq: NDArray[np.int64]
    """The vote's number in the record; in a table that was read from a file, the number of its draw."""
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
    leaks: NDArray[np.int32]
    """What in the battle may have told who is who: bits of `arena.domain.leaks`."""
    unread: NDArray[np.bool_]
    """It was cast below the stage's minimum of exposure."""
    draw: NDArray[np.int32]
    """The number of its battle's draw."""
    repeat_of: NDArray[np.int32]
    """The number of the draw that it shows again; 0 where it is no repeat."""
    excluded_by: NDArray[np.int8]
    """Why the vote stays out of the fit: an index into `reasons`; 0 where it counts."""
    topics: tuple[str, ...]
    """What citizens said their first questions are about; `topic` holds indices into them."""
    topic: NDArray[np.int16]
    """-1 where the citizen said nothing."""
    questions: tuple[str, ...]
    """The keys of first questions; `question` holds indices into them."""
    question: NDArray[np.int32]
    """-1 where nobody else can have asked it."""
    weight: NDArray[np.float64] | None = None
    """Of the voter, mean 1 over the voters in the fit; not a number for those without a vote in it, None where nobody has one."""
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
    def in_scope(self) -> NDArray[np.bool_]:
        """Which votes are between two rated entrants: all but repeats, those on checks, and those of an entrant that was removed."""
        return ~np.isin(self.excluded_by, [self.reasons.index(reason) for reason in (CHECK, REMOVED, REPEAT)])

    def winners(self) -> dict[str, int]:
        """Count all votes by what was decided, those too that stay out of the fit."""
        counts = np.bincount(self.outcome, minlength=len(OUTCOMES)).tolist()
        return {winner.value: counts[code] for winner, code in OUTCOME_OF.items()}

    def left_out(self) -> dict[str, int]:
        """Count the votes that stay out of the fit by their reason, reasons without any left out."""
        counts = np.bincount(self.excluded_by, minlength=len(self.reasons)).tolist()
        return {reason: count for reason, count in zip(self.reasons, counts, strict=True) if reason and count}

    @property
    def measured(self) -> Circumstances:
        """The circumstances of a table that was asked for with them."""
        assert self.circumstances is not None  # noqa: S101 - a fault of ours, not of the data
        return self.circumstances

    def among(self, seqs: Sequence[int] | NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which of the votes have one of these numbers."""
        return np.isin(self.seq, np.asarray(seqs, np.int64))

    def by_time(self) -> Self:
        """Order the votes by when they were cast, equal moments by their number in the record."""
        order = np.lexsort((self.seq, self.cast_at))
        return replace(self, **_taken(self, order))

    def in_fit(self, both_bad: BothBad) -> NDArray[np.bool_]:
        """Tell which counted votes decide the score, where `both_bad` does this."""
        return self.counted if both_bad == "tie" else self.counted & (self.outcome != BOTH_BAD)

    def asked(self, questions: Literal["drawn", "fixed", "topic"]) -> NDArray[np.integer] | None:
        """Give each vote's cluster besides its voter's: its question, its topic, or none where the score is for these very questions."""
        return {"drawn": self.question, "topic": self.topic, "fixed": None}[questions]

    def comparisons(
        self,
        rows: NDArray[np.bool_],
        entrants: Sequence[str],
        *,
        voice: Voice,
        asked: NDArray[np.integer] | None = None,
        weighted: bool = False,
    ) -> Comparisons:
        """Take these votes for a fit of these entrants; all of the rows have to be between two of them.

        Args:
            rows: which votes.
            entrants: in the order of the answer.
            voice: whether each vote counts the same, or each citizen.
            asked: what all the table's votes are clustered by besides their voters.
            weighted: each citizen by their weight; those without one count nothing.
        """
        place = np.array([entrants.index(e) if e in entrants else -1 for e in self.entrants], np.int64)
        chosen = (place[self.a[rows]], place[self.b[rows]], self.outcome[rows], self.voter[rows])
        weight = np.nan_to_num(self.weight[rows]) if weighted and self.weight is not None else None
        return Comparisons.from_codes(tuple(entrants), *chosen, weight, voice, None if asked is None else asked[rows])


def _taken(columns: VoteTable | Circumstances, order: NDArray[np.intp]) -> dict[str, object]:
    """Put the columns in another order, by name."""
    taken: dict[str, object] = {}
    for field in fields(columns):
        column = getattr(columns, field.name)
        if isinstance(column, np.ndarray):
            taken[field.name] = column[order]
        elif isinstance(column, Circumstances):
            taken[field.name] = replace(column, **_taken(column, order))
    return taken
