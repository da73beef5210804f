"""Ratings while votes come in: a refresh costs the same after ten votes or ten million.

Kept are the counts and, for the clustered covariance, the second moments of voters' pair counts: Σ x xᵀ, Σ x nᵀ, Σ n nᵀ
over voters, where x and n are a voter's doubled wins and votes per pair. They are whole numbers, so a snapshot equals
`fit.rate` on the same votes to the last digit, whatever the order and however the votes arrived. For m = k(k − 1)/2
pairs the moments take 24 m² bytes (0.9 MB at 20 entrants).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ratings.clusters import fixed_point, fixed_point_bits
from ratings.comparison import BOTH_BAD, OUTCOMES, BothBad, Outcome, Tally
from ratings.errors import ComparisonError
from ratings.fit import rate
from ratings.result import Ratings
from ratings.score import Transform

MOST_ENTRANTS = 64
"""Beyond this the moments outgrow their use (98 MB); rate such a stage in batches."""
_TO_LOWER = np.array([2, 0, 1, 1])
"""Twice the share of the win that an outcome gives to the left side."""


class PairMoments:
    """Σ over voters of products of their pair counts: all that the sandwich needs of them at any θ."""

    def __init__(self, k: int) -> None:
        self._k = k
        self._first, self._second = np.triu_indices(k, 1)
        pairs = len(self._first)
        self.xx = np.zeros((pairs, pairs), np.int64)
        self.xn = np.zeros((pairs, pairs), np.int64)
        self.nn = np.zeros((pairs, pairs), np.int64)

    def copy(self) -> "PairMoments":
        """A copy that later votes do not touch."""
        twin = PairMoments(self._k)
        twin.xx, twin.xn, twin.nn = self.xx.copy(), self.xn.copy(), self.nn.copy()
        return twin

    def sum_of_squares(self, members: NDArray[np.bool_]) -> int:
        """Σ n² over voters, n being their votes between members."""
        inside = members[self._first] & members[self._second]
        return int(self.nn[np.ix_(inside, inside)].sum())

    def score_gram(self, p: NDArray[np.float64]) -> NDArray[np.float64]:
        """Σ s sᵀ over voters, exact in fixed point (see `ratings.clusters`); sums wrap at 2^64, the result does not."""
        bits = fixed_point_bits(int(self.nn.sum()))
        at = fixed_point(p, bits)[self._first, self._second]
        mixed = self.xn * at
        of_pairs = (self.xx << 2 * bits) - ((mixed + mixed.T) << bits) + at[:, None] * self.nn * at
        gram = np.zeros((self._k, self._k), np.int64)
        for row, row_sign in ((self._first, 1), (self._second, -1)):
            for column, sign in ((self._first, 1), (self._second, -1)):
                np.add.at(gram, (row[:, None], column[None, :]), row_sign * sign * of_pairs)
        return np.ldexp(gram.astype(np.float64), -2 * (bits + 1))


@dataclass(frozen=True, slots=True)
class GroupedVotes:
    """`count` equal votes of one voter, as a database groups them; a negative count takes votes back."""

    voter: str
    model_a: str
    model_b: str
    winner: str
    count: int = 1


class LiveRatings:
    """Takes votes, gives `Ratings`."""

    def __init__(self, models: Sequence[str], *, both_bad: BothBad = "exclude") -> None:
        """Starts without votes.

        Raises:
            ComparisonError: an entrant is named twice, or there are more than 64.
        """
        if len(set(models)) != len(models) or len(models) > MOST_ENTRANTS:
            raise ComparisonError(f"live ratings take up to {MOST_ENTRANTS} entrants, each named once")
        self._models = tuple(models)
        self._both_bad: BothBad = both_bad
        k = len(self._models)
        self._place = {name: code for code, name in enumerate(self._models)}
        self._outcome = {outcome.value: code for code, outcome in enumerate(OUTCOMES)}
        self._pair = np.full((k, k), -1)
        self._pair[np.triu_indices(k, 1)] = np.arange(k * (k - 1) // 2)
        self._pair = np.maximum(self._pair, self._pair.T)
        self._counts = np.zeros((k, k, len(OUTCOMES)), np.int64)
        self._moments = PairMoments(k)
        self._cells: dict[str, NDArray[np.int64]] = {}
        """Per voter, columns (pair, x, n) of the pairs voted on."""

    def __len__(self) -> int:
        return int(self._counts.sum())

    def add(self, voter: str, model_a: str, model_b: str, winner: str | Outcome) -> None:
        """Counts one vote.

        Raises:
            ComparisonError: an unknown entrant or outcome, or a model against itself; nothing is counted.
        """
        self.add_many([GroupedVotes(voter, model_a, model_b, winner)])

    def add_many(self, votes: Iterable[GroupedVotes]) -> None:
        """Counts a batch of votes, grouped or not, in any order.

        Raises:
            ComparisonError: names the first row that cannot be counted; nothing of the batch is.
        """
        rows = list(votes)
        coded = [self._coded(vote, row) for row, vote in enumerate(rows)]
        changed: dict[str, dict[int, list[int]]] = {}
        for vote, (a, b, outcome) in zip(rows, coded, strict=True):
            if outcome == BOTH_BAD and self._both_bad == "exclude":
                continue
            left = int(_TO_LOWER[outcome])
            cell = changed.setdefault(vote.voter, {}).setdefault(int(self._pair[a, b]), [0, 0])
            cell[0] += (left if a < b else 2 - left) * vote.count
            cell[1] += vote.count
        merged = {voter: _merge(self._cells.get(voter), change) for voter, change in changed.items()}
        wrong = next((voter for voter, cells in merged.items() if (cells[2] < 0).any()), None)
        if wrong is not None:
            raise ComparisonError(f"more votes of {wrong!r} are taken back than were given")
        for vote, (a, b, outcome) in zip(rows, coded, strict=True):
            self._counts[a, b, outcome] += vote.count
        if len(merged) == 1:
            [(voter, cells)] = merged.items()
            self._replace_one(self._cells.get(voter), cells)
        elif merged:
            self._replace_many([self._cells[voter] for voter in merged if voter in self._cells], -1)
            self._replace_many(list(merged.values()), 1)
        self._cells.update(merged)

    def tally(self) -> Tally:
        """The counts so far, as `fit.rate` takes them; later votes do not touch it."""
        return Tally(self._models, self._counts.copy(), self._both_bad, self._moments.copy())

    def snapshot(
        self,
        *,
        prior: float = 0.5,
        transform: Transform | None = None,
        component_max: float = 25.0,
        seed: int = 0,
        anchor: str | None = None,
    ) -> Ratings:
        """The ratings of all votes so far: what `fit.rate` gives for them, to the last digit.

        Raises:
            NothingToRateError: no vote can be counted yet.
        """
        tally = Tally(self._models, self._counts, self._both_bad, self._moments)
        return rate(tally, prior=prior, transform=transform, component_max=component_max, seed=seed, anchor=anchor)

    def _coded(self, vote: GroupedVotes, row: int) -> tuple[int, int, int]:
        for name in (vote.model_a, vote.model_b):
            if name not in self._place:
                raise ComparisonError(f"{name!r} is not a declared entrant", row=row)
        if vote.model_a == vote.model_b:
            raise ComparisonError(f"{vote.model_a!r} is compared with itself", row=row)
        if vote.winner not in self._outcome:
            raise ComparisonError(f"winner is {vote.winner!r}; it must be one of {', '.join(OUTCOMES)}", row=row)
        return self._place[vote.model_a], self._place[vote.model_b], self._outcome[vote.winner]

    def _replace_one(self, old: NDArray[np.int64] | None, new: NDArray[np.int64]) -> None:
        """One voter's moments, old for new: an outer product over the pairs that the voter has met."""
        for cells, sign in ((old, -1), (new, 1)):
            if cells is not None:
                pair, x, n = cells
                where = np.ix_(pair, pair)
                self._moments.xx[where] += sign * np.outer(x, x)
                self._moments.xn[where] += sign * np.outer(x, n)
                self._moments.nn[where] += sign * np.outer(n, n)

    def _replace_many(self, cells: list[NDArray[np.int64]], sign: int) -> None:
        """Many voters' moments at once, as a sparse product."""
        if not cells:
            return
        voter = np.repeat(np.arange(len(cells)), [c.shape[1] for c in cells])
        pair, x, n = np.concatenate(cells, axis=1)
        shape = (len(cells), len(self._moments.nn))
        wins = sparse.csr_array((x, (voter, pair)), shape=shape)
        votes = sparse.csr_array((n, (voter, pair)), shape=shape)
        self._moments.xx += sign * (wins.T @ wins).toarray()
        self._moments.xn += sign * (wins.T @ votes).toarray()
        self._moments.nn += sign * (votes.T @ votes).toarray()


def _merge(old: NDArray[np.int64] | None, change: dict[int, list[int]]) -> NDArray[np.int64]:
    """A voter's cells with the change in them."""
    cells = {} if old is None else {int(pair): [int(x), int(n)] for pair, x, n in old.T}
    for pair, (x, n) in change.items():
        cell = cells.setdefault(pair, [0, 0])
        cell[0] += x
        cell[1] += n
    return np.array([[pair, x, n] for pair, (x, n) in cells.items()], dtype=np.int64).reshape(-1, 3).T.copy()
