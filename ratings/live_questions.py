"""The questions of live votes: what `ratings.questions` adds to the sandwich, kept up to date vote by vote.

A question that one voter alone asked adds nothing, so of it only who asked is kept; from its second voter on its sums are.
For m pairs of entrants and q shared questions they take 16 q m bytes, and 48 m² the moments of what each voter asked.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ratings.clusters import fixed_point
from ratings.errors import ComparisonError
from ratings.moments import PairMoments
from ratings.questions import BITS, exact_squares, of_questions


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Votes counted by voter, question (-1: nobody else can have asked it) and pair, columns of equal length."""

    voter: NDArray[np.int64]
    question: NDArray[np.int64]
    pair: NDArray[np.int64]
    x: NDArray[np.int64]
    """Twice the wins of the pair's first entrant."""
    n: NDArray[np.int64]
    """Votes; negative where some are taken back."""

    @classmethod
    def summed(cls, parts: "list[Cells]") -> "Cells":
        """One cell for each voter, question and pair, in their order, those without votes left out."""
        columns = [np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__]
        keys, x, n = columns[:3], columns[3], columns[4]
        order = np.lexsort(keys[::-1])
        keys = [key[order] for key in keys]
        new = np.ones(len(order), bool)
        if len(order):
            new[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
        starts = np.flatnonzero(new)
        x, n = (np.add.reduceat(column[order], starts) if len(starts) else column for column in (x, n))
        kept = n != 0
        voter, question, pair = (key[starts][kept] for key in keys)
        return cls(voter, question, pair, x[kept], n[kept])

    def taken(self, rows: NDArray | slice) -> "Cells":
        """Take these cells."""
        return Cells(*(getattr(self, name)[rows] for name in self.__slots__))

    @classmethod
    def none(cls) -> "Cells":
        """No votes."""
        return cls(*(np.empty(0, np.int64) for _ in range(5)))


class LiveQuestions:
    """Follows whole voters: what they asked is taken away and given anew, each vote counting its voter's shares."""

    def __init__(self, k: int) -> None:
        """Start without votes."""
        self._first, self._second = np.triu_indices(k, 1)
        self._k, pairs = k, len(self._first)
        self.unit = 1.0
        """What one of what is counted weighs."""
        self._held: dict[int, Cells] = {}
        self._share: dict[int, int] = {}
        """By voter: the cells, and what each vote counts."""
        self._shared = PairMoments(k)
        """Of each voter's votes on each shared question."""
        self._alone = np.zeros((pairs, pairs), np.int64)
        """Σ n nᵀ of the other questions."""
        self._askers, self._which = np.zeros(0, np.int64), np.zeros(0, np.int64)
        """Of each question how many voters asked it, and their numbers, XORed: who it is, where one is left."""
        self._row: dict[int, int] = {}
        """Of each question that is or was shared, its row in the sums."""
        self._x, self._n = np.zeros((0, pairs), np.int64), np.zeros((0, pairs), np.int64)

    def sum_of_squares(self, members: NDArray[np.bool_]) -> float:
        """Σ n² over questions, as the votes weigh."""
        inside = members[self._first] & members[self._second]
        shared = exact_squares(self._n[: len(self._row)][:, inside].sum(axis=1))
        return (shared + int(self._alone[np.ix_(inside, inside)].sum())) * self.unit**2

    def excess(self, p: NDArray[np.float64]) -> NDArray[np.float64]:
        """Σ s sᵀ over questions less Σ s sᵀ over each voter's votes on each, exact in fixed point."""
        rows = len(self._row)
        surprise = (self._x[:rows] << BITS) - self._n[:rows] * fixed_point(p, BITS)[self._first, self._second]
        scores = np.zeros((self._k, rows), np.int64)
        np.add.at(scores, self._first, surprise.T)
        np.subtract.at(scores, self._second, surprise.T)
        self._shared.unit = self.unit
        return of_questions(scores.T, self.unit) - self._shared.score_gram(p)

    def count(self, change: Cells, shares: Mapping[int, int]) -> None:
        """Count these votes, or take them back.

        Args:
            change: what is added to the voters' cells.
            shares: what each vote of these voters counts from now on.

        Raises:
            ComparisonError: votes are taken back that nobody cast on that question; nothing is counted.
        """
        before = Cells.summed([Cells.none(), *(self._held[voter] for voter in shares if voter in self._held)])
        after = Cells.summed([before, change])
        if len(after.n) and after.n.min() < 0:
            raise ComparisonError("taken_back", voter=repr(int(after.voter[int(after.n.argmin())])))
        self._add(before, self._shares_of(before), -1)
        self._note(before, after, shares)
        self._share |= shares
        self._add(after, self._shares_of(after), 1)
        for voter in shares:
            self._held.pop(voter, None)
        starts = np.flatnonzero(np.diff(after.voter, prepend=-1)).tolist()
        for start, end in pairwise([*starts, len(after.voter)]):
            self._held[int(after.voter[start])] = after.taken(slice(start, end))

    def _shares_of(self, cells: Cells) -> NDArray[np.int64]:
        return np.array([self._share[voter] for voter in cells.voter.tolist()], np.int64)

    def _note(self, before: Cells, after: Cells, voters: Collection[int]) -> None:
        """Note who has come to a question and who has left it; where that makes it shared, or no longer, the other's votes move."""
        asked = [np.unique(np.stack([c.question, c.voter])[:, c.question >= 0], axis=1) for c in (before, after)]
        top = max((int(each[0].max()) + 1 for each in asked if each.size), default=0)
        if top > len(self._askers):
            more = np.zeros(max(top, 2 * len(self._askers)) - len(self._askers), np.int64)
            self._askers, self._which = (np.concatenate([old, more]) for old in (self._askers, self._which))
        touched = np.unique(np.concatenate([each[0] for each in asked]))
        was, who_was = self._askers[touched].copy(), self._which[touched].copy()
        for (question, voter), sign in zip(asked, (-1, 1), strict=True):
            np.add.at(self._askers, question, sign)
            np.bitwise_xor.at(self._which, question, voter)
        now, who_is = self._askers[touched], self._which[touched]
        for moved, single, sign in (
            ((was < 2) & (now >= 2), (was, who_was), 1),
            ((was >= 2) & (now < 2), (now, who_is), -1),
        ):
            for question, count, voter in zip(touched[moved], *(column[moved] for column in single), strict=True):
                if sign > 0:
                    self._row.setdefault(int(question), len(self._row))
                if count == 1 and int(voter) not in voters:
                    held = self._held[int(voter)]
                    self._move(held.taken(held.question == question), self._share[int(voter)], sign)

    def _move(self, cells: Cells, share: int, sign: int) -> None:
        """Let one voter's votes on a question count as shared (or no longer)."""
        shares = np.full(len(cells.n), share)
        self._add_alone(cells, shares, -sign)
        self._add_shared(cells, shares, sign)

    def _add(self, cells: Cells, shares: NDArray[np.int64], sign: int) -> None:
        shared = np.zeros(len(cells.n), bool)
        known = cells.question >= 0
        shared[known] = self._askers[cells.question[known]] >= 2
        self._add_shared(cells.taken(shared), shares[shared], sign)
        self._add_alone(cells.taken(~shared), shares[~shared], sign)

    def _add_shared(self, cells: Cells, shares: NDArray[np.int64], sign: int) -> None:
        if not len(cells.n):
            return
        x, n = shares * cells.x, shares * cells.n
        self._shared.add(_numbered(cells), cells.pair, x, n, sign)
        row = np.array([self._row[question] for question in cells.question.tolist()])
        if len(self._row) > len(self._n):
            more = np.zeros((max(16, len(self._row), 2 * len(self._n)) - len(self._n), self._n.shape[1]), np.int64)
            self._x, self._n = np.concatenate([self._x, more]), np.concatenate([self._n, more])
        np.add.at(self._x, (row, cells.pair), sign * x)
        np.add.at(self._n, (row, cells.pair), sign * n)

    def _add_alone(self, cells: Cells, shares: NDArray[np.int64], sign: int) -> None:
        known, own = cells.question >= 0, cells.question < 0
        pair = cells.pair[own]
        np.add.at(self._alone, (pair, pair), sign * shares[own] ** 2 * cells.n[own])
        if known.any():
            asked = cells.taken(known)
            key, weight = _numbered(asked), shares[known] * asked.n
            votes = sparse.csr_array((weight, (key, asked.pair)), shape=(int(key.max()) + 1, len(self._alone)))
            self._alone += sign * (votes.T @ votes).toarray()


def _numbered(cells: Cells) -> NDArray[np.int64]:
    """Give each voter's votes on each question a number; the cells stand in the order of both."""
    change = (np.diff(cells.voter, prepend=-1) != 0) | (np.diff(cells.question, prepend=-2) != 0)
    return np.cumsum(change) - 1
