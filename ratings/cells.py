"""Each voter's votes on each question: Σ s sᵀ over these cells, which are many and small.

Most hold one vote or two. A vote's score is its surprise times e_a − e_b, so such cells need no score by entrant: squares are counted by
the kind of vote, and of two votes the other one's kind is what the sum of both leaves. Only larger cells are clusters like any others.
Nothing is sorted where a table of all cells is not much longer than the votes; all sums are exact, in fixed point.
"""

import numpy as np
from numpy.typing import NDArray

from ratings.clusters import WholeVotes, fixed_point_bits, parts, surprises

_TABLE = 1 << 21
"""So many cells are counted in a table at least: 16 MB."""


class Cells:
    """Votes, each with its kind, left · 4k + right · 4 + outcome, its cell, and what it counts where that is not 1."""

    def __init__(
        self, k: int, kind: NDArray[np.int32], cell: NDArray[np.int32], share: NDArray[np.int64] | None
    ) -> None:
        self._k, self._kind, self._cell, self._share = k, kind, cell, share
        votes = np.zeros(int(cell.max(initial=0)) + 1, np.int32)
        for part in parts(len(cell)):
            np.add.at(votes, cell[part].astype(np.intp), np.int32(1))
        votes[ALONE] = 1
        self.size: NDArray[np.int32] = votes.take(cell)
        """How many votes each vote's cell has."""

    def score_gram(self, p: NDArray[np.float64]) -> NDArray[np.float64]:
        """Σ s sᵀ over cells, in shares, exact in fixed point."""
        squares = self.size if self._share is None else self.size * self._share**2
        bits = fixed_point_bits(int(squares.sum(dtype=np.int64)))
        gram = self._squares(surprises(p, bits)) + self._of_two(surprises(p, bits))
        gram += self._of_many(p, bits)
        return np.ldexp(gram.astype(np.float64), -2 * (bits + 1))

    def _squares(self, surprise: NDArray[np.int64]) -> NDArray[np.int64]:
        """Σ over the votes of cells of one or two of each vote's square."""
        k = self._k
        counts = np.zeros(4 * k * k, np.int64)
        for part in parts(len(self._kind), at_least=len(counts)):
            few = np.flatnonzero(self.size[part] < 3)
            share = None if self._share is None else self._share[part].take(few) ** 2
            counts += np.bincount(self._kind[part].take(few), share, minlength=len(counts)).astype(np.int64)
        of_left = (counts * surprise**2).reshape(k, k, 4).sum(axis=2)
        of_pair = of_left + of_left.T
        return np.diag(of_pair.sum(axis=1)) - of_pair

    def _of_two(self, surprise: NDArray[np.int64]) -> NDArray[np.int64]:
        """Σ over cells of two of the votes' products, each vote with the other."""
        k = self._k
        products = np.zeros(k * k, np.int64)
        two = np.flatnonzero(self.size == 2).astype(np.int32)
        cell = self._cell.take(two)
        last = np.empty(int(cell.max(initial=0)) + 1, np.int32)
        last[cell] = two
        last = last.take(cell)
        one = two != last
        first, last = two[one], last[one]
        for part in parts(len(first)):
            kind, other = self._kind.take(first[part]).astype(np.intp), self._kind.take(last[part]).astype(np.intp)
            product = surprise.take(kind) * surprise.take(other)
            if self._share is not None:
                product *= self._share.take(first[part]) ** 2
            (left, right), (their_left, their_right) = sides(kind, k), sides(other, k)
            left *= k
            right *= k
            np.add.at(products, left + their_left, product)
            np.add.at(products, right + their_right, product)
            np.subtract.at(products, left + their_right, product)
            np.subtract.at(products, right + their_left, product)
        products = products.reshape(k, k)
        return products + products.T

    def _of_many(self, p: NDArray[np.float64], bits: int) -> NDArray[np.int64]:
        """Σ s sᵀ over cells of three votes or more."""
        many = np.flatnonzero(self.size > 2)
        cell, kind = self._cell.take(many), self._kind.take(many)
        number = np.zeros(int(cell.max(initial=0)) + 1, np.int32)
        number[cell] = 1
        np.cumsum(number, out=number)
        cell = number.take(cell) - 1
        share = None
        if self._share is not None:
            share = np.zeros(int(cell.max(initial=-1)) + 1, np.int64)
            share[cell] = self._share.take(many)
        left, right = sides(kind, self._k)
        return WholeVotes(self._k, left, right, kind & 3, cell, True, share).exact_gram(p, bits)


ALONE = 0
"""The cell of every vote that is known to be its cell's only one."""


def numbered(question: NDArray[np.integer], voter: NDArray[np.integer]) -> NDArray[np.int32]:
    """Give each vote the number of its cell, above 0, or `ALONE`."""
    voters = int(voter.max(initial=0)) + 1
    cells, room = (int(question.max(initial=0)) + 1) * voters, max(_TABLE, 2 * len(voter))
    if cells < room:
        return (question * np.int32(voters) + voter + 1).astype(np.int32)
    # A table of remainders: what stands alone in it is alone, and few votes are left to sort.
    cell = question.astype(np.int64) * voters + voter
    place = cell % room
    doubtful = np.flatnonzero(np.bincount(place, minlength=1).take(place) > 1)
    number = np.full(len(cell), ALONE, np.int32)
    number[doubtful] = np.unique(cell.take(doubtful), return_inverse=True)[1] + 1
    return number


def sides(kind: NDArray[np.integer], k: int) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Read the left and the right entrant from the kind of a vote."""
    left = kind // (4 * k)
    return left, (kind >> 2) - left * k
