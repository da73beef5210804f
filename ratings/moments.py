"""Second moments of pair counts: all that the sandwich needs of clusters of votes, at any θ, whatever their number."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ratings.clusters import fixed_point, fixed_point_bits


class PairMoments:
    """Σ over voters of products of their pair counts: all that the sandwich needs of them, at any θ."""

    def __init__(self, k: int) -> None:
        self._first, self._second = np.triu_indices(k, 1)
        pairs = len(self._first)
        self._k = k
        self.unit = 1.0
        """What one of what is counted weighs."""
        self.xx, self.xn, self.nn = (np.zeros((pairs, pairs), np.int64) for _ in range(3))

    def sum_of_squares(self, members: NDArray[np.bool_]) -> float:
        """Σ n² over voters, n being their votes between members, as they weigh."""
        inside = members[self._first] & members[self._second]
        return int(self.nn[np.ix_(inside, inside)].sum()) * self.unit**2

    def score_gram(self, p: NDArray[np.float64]) -> NDArray[np.float64]:
        """Σ s sᵀ over voters, exact in fixed point (see `ratings.clusters`); terms may wrap at 2^64, the sum does not."""
        bits = fixed_point_bits(int(self.nn.sum()))
        at = fixed_point(p, bits)[self._first, self._second]
        mixed = self.xn * at
        of_pairs = (self.xx << 2 * bits) - ((mixed + mixed.T) << bits) + at[:, None] * self.nn * at
        gram = self._of_models(self._of_models(of_pairs).T)
        return np.ldexp(gram.astype(np.float64), -2 * (bits + 1)) * self.unit**2

    def _of_models(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Multiply the contrasts by the rows of pairs: each goes to its first model, and from its second."""
        sums = np.zeros((self._k, rows.shape[1]), np.int64)
        np.add.at(sums, self._first, rows)
        np.subtract.at(sums, self._second, rows)
        return sums

    def move(self, cells: NDArray[np.int32], place: int, x: int, n: int) -> None:
        """One voter's cell `place` grows by (x, n): what that adds to the products with all of this voter's cells."""
        pairs, wins, votes = cells
        pair = pairs[place]
        for moments, row, column in (
            (self.xx, x * wins, x * wins),
            (self.xn, x * votes, n * wins),
            (self.nn, n * votes, n * votes),
        ):
            moments[pair, pairs] += row
            moments[pairs, pair] += column
        self.xx[pair, pair] += x * x
        self.xn[pair, pair] += x * n
        self.nn[pair, pair] += n * n

    def add(self, voter: NDArray, pair: NDArray, x: NDArray, n: NDArray, sign: int) -> None:
        """Add (or take away) whole voters, as a sparse product."""
        if len(voter) == 0:
            return
        shape = (int(voter.max()) + 1, len(self.nn))
        wins = sparse.csr_array((x.astype(np.int64), (voter, pair)), shape=shape)
        votes = sparse.csr_array((n.astype(np.int64), (voter, pair)), shape=shape)
        self.xx += sign * (wins.T @ wins).toarray()
        self.xn += sign * (wins.T @ votes).toarray()
        self.nn += sign * (votes.T @ votes).toarray()
