"""Questions as clusters: votes on one question share what that question happens to favour, whoever asked it.

The sandwich clustered by voter *and* question is the voters' plus the questions' less that of the votes that share both
(Cameron, Gelbach & Miller 2011). A question that one voter alone asked is in the last two alike, so only questions of two
voters or more are looked at: where everybody asks something else, nothing is added and nothing is lost. Sums are exact, in
fixed point, as those of `ratings.clusters`.
"""

import unicodedata
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ratings.cells import Cells, numbered, sides
from ratings.clusters import parts, surprises, whole_gram

BITS = 16
"""Digits of the probabilities in the questions' sums: a popular question's score then stays below 2^53."""


class Questions(Protocol):
    """What the sandwich asks of the questions."""

    def sum_of_squares(self, members: NDArray[np.bool_]) -> float:
        """Σ n² over questions, n being a question's fitted votes (or their weight) between the entrants in the mask."""
        ...

    def excess(self, p: NDArray[np.float64]) -> NDArray[np.float64]:
        """Σ s sᵀ over questions less Σ s sᵀ over each voter's votes on each, (k, k), at `p[i, j]`, the probability that i beats j."""
        ...


@dataclass(frozen=True, slots=True)
class Columns:
    """Votes as columns of equal length; `question` is -1 for one that nobody else can have asked."""

    a: NDArray[np.integer]
    b: NDArray[np.integer]
    outcome: NDArray[np.integer]
    voter: NDArray[np.integer]
    question: NDArray[np.integer]

    def taken(self, rows: NDArray[np.bool_]) -> "Columns":
        """Take these votes; all of them as they are, without a copy."""
        if rows.all():
            return self
        place = np.flatnonzero(rows)
        return Columns(*(getattr(self, name).take(place) for name in self.__slots__))


@dataclass(frozen=True, slots=True, eq=False)
class _Shared:
    """Votes on questions of two voters or more."""

    kind: NDArray[np.int32]
    """left · 4k + right · 4 + outcome."""
    question: NDArray[np.int32]
    """Numbered anew."""
    share: NDArray[np.int64] | None
    cells: Cells


class AskedQuestions:
    """The questions of the votes in a fit, each of which counts once, or as many shares as its voter's votes have."""

    def __init__(self, k: int, votes: Columns, shares: NDArray[np.int64] | None, unit: float) -> None:
        self._k, self._votes, self._shares, self._unit = k, votes, shares, unit

    def sum_of_squares(self, members: NDArray[np.bool_]) -> float:
        """Σ n² over questions, as the votes weigh."""
        votes = self._votes if members.all() else self._votes.taken(members.take(self._votes.a))
        place = votes.question + 1
        if self._shares is None:
            totals = self._times if votes is self._votes else np.bincount(place, minlength=1)
            alone = int(totals[0])
        else:
            share = self._shares.take(votes.voter)
            totals = np.bincount(place, share, minlength=1).astype(np.int64)
            alone = exact_squares(share[place == 0])
        return (alone + exact_squares(totals[1:])) * self._unit**2

    def excess(self, p: NDArray[np.float64]) -> NDArray[np.float64]:
        """Σ s sᵀ over questions less Σ s sᵀ over each voter's votes on each, exact in fixed point."""
        shared, k = self._shared, self._k
        if not len(shared.kind):
            return np.zeros((k, k))
        surprise = surprises(p, BITS)
        scores = np.zeros((int(shared.question.max()) + 1) * k, np.int64)
        for part in parts(len(shared.kind)):
            kind = shared.kind[part].astype(np.intp)
            found = surprise.take(kind)
            if shared.share is not None:
                found *= shared.share[part]
            left, right = sides(kind, k)
            row = shared.question[part].astype(np.intp) * k
            left += row
            right += row
            np.add.at(scores, left, found)
            np.subtract.at(scores, right, found)
        return of_questions(scores.reshape(-1, k), self._unit) - shared.cells.score_gram(p) * self._unit**2

    @cached_property
    def _times(self) -> NDArray[np.intp]:
        """Votes on each question, by its number and 1; those on one that nobody else can have asked first."""
        return np.bincount(self._votes.question + 1, minlength=1)

    @cached_property
    def _shared(self) -> _Shared:
        votes, k = self._votes, self._k
        often = self._times > 1
        often[0] = False
        times = self._times[often].astype(np.int32)
        number = np.cumsum(often, dtype=np.int32) - 1
        kind, question, voter = (np.empty(int(times.sum()), np.int32) for _ in range(3))
        filled = 0
        for part in parts(len(votes.a)):
            place = votes.question[part] + 1
            rows = np.flatnonzero(often.take(place))
            here = slice(filled, filled := filled + len(rows))
            left, right, outcome, voter[here] = (
                column[part].take(rows) for column in (votes.a, votes.b, votes.outcome, votes.voter)
            )
            kind[here] = (left.astype(np.int32) * k + right) * 4 + outcome
            question[here] = number.take(place.take(rows))
        share = None if self._shares is None else self._shares.take(voter)
        cell = numbered(question, voter)
        cells = Cells(k, kind, cell, share)
        # Where as many votes as a question has stand together in one cell, one voter asked it alone.
        kept = np.flatnonzero(cells.size < times.take(question))
        if len(kept) == len(kind):
            return _Shared(kind, question, share, cells)
        kind, question, cell = (column.take(kept) for column in (kind, question, cell))
        share = None if share is None else share.take(kept)
        return _Shared(kind, question, share, Cells(k, kind, cell, share))


def exact_squares(totals: NDArray[np.int64]) -> int:
    """Σ n² of whole numbers, exact, however large the few large ones are."""
    small = totals < 1 << 20
    if small.all():
        return int(totals @ totals)
    return int((totals[small] ** 2).sum()) + sum(total**2 for total in totals[~small].tolist())


def question_text(text: str) -> str:
    """Give the letters and digits of a question, composed and in one case (NFKC): what makes two questions the same."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def of_questions(scores: NDArray[np.int64], unit: float) -> NDArray[np.float64]:
    """Σ s sᵀ over questions, (k, k), of their scores in units of 2^-(`BITS` + 1) shares, (questions, k)."""
    exact = whole_gram(scores)
    return np.ldexp(exact.astype(np.float64), -2 * (BITS + 1)) * unit**2
