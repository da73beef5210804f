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

from ratings.clusters import FROM_LEFT, WholeVotes, fixed_point, whole_gram

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
    """Votes in the fit as columns of equal length; `question` is -1 for one that nobody else can have asked."""

    a: NDArray[np.integer]
    b: NDArray[np.integer]
    outcome: NDArray[np.integer]
    voter: NDArray[np.integer]
    question: NDArray[np.integer]
    share: NDArray[np.int64]
    """What each vote counts."""

    def taken(self, rows: NDArray[np.bool_]) -> "Columns":
        """Take these votes."""
        return Columns(*(getattr(self, name)[rows] for name in self.__slots__))


class AskedQuestions:
    """The questions of raw votes."""

    def __init__(self, k: int, votes: Columns, unit: float) -> None:
        self._k, self._votes, self._unit = k, votes, unit

    def sum_of_squares(self, members: NDArray[np.bool_]) -> float:
        """Σ n² over questions, as the votes weigh."""
        votes = self._votes if members.all() else self._votes.taken(members[self._votes.a])
        known = votes.question >= 0
        totals = np.bincount(votes.question[known], votes.share[known], minlength=1).astype(np.int64)
        return exact_squares(np.concatenate([totals, votes.share[~known]])) * self._unit**2

    def excess(self, p: NDArray[np.float64]) -> NDArray[np.float64]:
        """Σ s sᵀ over questions less Σ s sᵀ over each voter's votes on each, exact in fixed point."""
        shared, k = self._shared, self._k
        if not len(shared.a):
            return np.zeros((k, k))
        surprise = ((FROM_LEFT << BITS) - fixed_point(p, BITS)[:, :, None]).ravel()
        found = surprise[(shared.a.astype(np.intp) * k + shared.b) * 4 + shared.outcome] * shared.share
        scores = np.zeros((int(shared.question.max()) + 1) * k, np.int64)
        row = shared.question.astype(np.intp) * k
        np.add.at(scores, row + shared.a, found)
        np.subtract.at(scores, row + shared.b, found)
        return of_questions(scores.reshape(-1, k), self._unit) - self._cells.score_gram(p)

    @cached_property
    def _shared(self) -> Columns:
        """The votes on questions of two voters or more, which are numbered anew."""
        votes = self._votes.taken(self._votes.question >= 0)
        size = int(votes.question.max()) + 1 if len(votes.a) else 0
        first, last = np.full(size, np.iinfo(np.int64).max), np.full(size, -1)
        np.minimum.at(first, votes.question, votes.voter)
        np.maximum.at(last, votes.question, votes.voter)
        shared = votes.taken(first[votes.question] < last[votes.question])
        question = np.unique(shared.question, return_inverse=True)[1] if len(shared.a) else shared.question
        return Columns(shared.a, shared.b, shared.outcome, shared.voter, question, shared.share)

    @cached_property
    def _cells(self) -> WholeVotes:
        """The same votes by question and voter."""
        shared = self._shared
        cell = shared.question.astype(np.int64) * (int(shared.voter.max()) + 1) + shared.voter
        _, first, cell = np.unique(cell, return_index=True, return_inverse=True)
        return WholeVotes(self._k, shared.a, shared.b, shared.outcome, cell, True, shared.share[first], self._unit)


def exact_squares(totals: NDArray[np.int64]) -> int:
    """Σ n² of whole numbers, exact, however large the few large ones are."""
    small = totals < 1 << 20
    return int((totals[small] ** 2).sum()) + sum(total**2 for total in totals[~small].tolist())


def question_text(text: str) -> str:
    """Give the letters and digits of a question, composed and in one case (NFKC): what makes two questions the same."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def of_questions(scores: NDArray[np.int64], unit: float) -> NDArray[np.float64]:
    """Σ s sᵀ over questions, (k, k), of their scores in units of 2^-(`BITS` + 1) shares, (questions, k)."""
    exact = whole_gram(scores)
    return np.ldexp(exact.astype(np.float64), -2 * (BITS + 1)) * unit**2
