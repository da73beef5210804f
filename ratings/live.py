"""Ratings while votes come in: a refresh costs the same after ten votes or ten million.

Kept are the counts and, for the clustered covariance, the second moments of voters' pair counts: Σ x xᵀ, Σ x nᵀ, Σ n nᵀ
over voters, where x and n are a voter's doubled wins and votes per pair. They are whole numbers, so a snapshot equals
`fit.rate` on the same votes to the last digit, whatever the order and however the votes arrived. For m = k(k − 1)/2
pairs the moments take 24 m² bytes (0.9 MB at 20 entrants), and each voter's cells 12 bytes per pair voted on.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from ratings.clusters import FROM_LEFT, fixed_point, fixed_point_bits
from ratings.comparison import BOTH_BAD, KNOWN, OUTCOMES, BothBad, Comparisons, Outcome, Tally, voters
from ratings.errors import ComparisonError
from ratings.fit import rate
from ratings.result import Ratings
from ratings.score import Transform

MOST_ENTRANTS = 64
"""Beyond this the moments outgrow their use (98 MB); rate such a stage in batches."""


class PairMoments:
    """Σ over voters of products of their pair counts: all that the sandwich needs of them, at any θ."""

    def __init__(self, k: int) -> None:
        self._first, self._second = np.triu_indices(k, 1)
        pairs = len(self._first)
        self._k = k
        self.xx, self.xn, self.nn = (np.zeros((pairs, pairs), np.int64) for _ in range(3))

    def sum_of_squares(self, members: NDArray[np.bool_]) -> int:
        """Σ n² over voters, n being their votes between members."""
        inside = members[self._first] & members[self._second]
        return int(self.nn[np.ix_(inside, inside)].sum())

    def score_gram(self, p: NDArray[np.float64]) -> NDArray[np.float64]:
        """Σ s sᵀ over voters, exact in fixed point (see `ratings.clusters`); terms may wrap at 2^64, the sum does not."""
        bits = fixed_point_bits(int(self.nn.sum()))
        at = fixed_point(p, bits)[self._first, self._second]
        mixed = self.xn * at
        of_pairs = (self.xx << 2 * bits) - ((mixed + mixed.T) << bits) + at[:, None] * self.nn * at
        gram = self._of_models(self._of_models(of_pairs).T)
        return np.ldexp(gram.astype(np.float64), -2 * (bits + 1))

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


class LiveRatings:
    """Takes votes, gives `Ratings`."""

    def __init__(self, models: Sequence[str], *, both_bad: BothBad = "exclude") -> None:
        """Start without votes.

        Raises:
            ComparisonError: an entrant is named twice, or there are more than 64.
        """
        if len(set(models)) != len(models) or len(models) > MOST_ENTRANTS:
            raise ComparisonError("live_entrants", most=MOST_ENTRANTS)
        k = len(models)
        self._models = tuple(models)
        self._both_bad: BothBad = both_bad
        self._place = {name: code for code, name in enumerate(self._models)}
        self._outcome = {outcome.value: code for code, outcome in enumerate(OUTCOMES)}
        pair = np.zeros((k, k), np.int32)
        pair[np.triu_indices(k, 1)] = np.arange(k * (k - 1) // 2)
        self._pair = pair + pair.T
        self._counts = np.zeros((k, k, len(OUTCOMES)), np.int64)
        self._moments = PairMoments(k)
        self._cells: dict[str, NDArray[np.int32]] = {}
        """Per voter, rows (pair, x, n) over the pairs voted on."""

    def __len__(self) -> int:
        return int(self._counts.sum())

    def add(self, voter: str, model_a: str, model_b: str, winner: str | Outcome) -> None:
        """Count one vote.

        Raises:
            ComparisonError: an unknown entrant or outcome, or a model against itself; nothing is counted.
        """
        for name in (model_a, model_b):
            if name not in self._place:
                raise ComparisonError("entrant_undeclared", value=repr(name))
        if model_a == model_b:
            raise ComparisonError("compared_with_itself", model=repr(model_a))
        if winner not in self._outcome:
            raise ComparisonError("outcome_unknown", column="winner", value=repr(winner), known=KNOWN)
        a, b, outcome = self._place[model_a], self._place[model_b], self._outcome[winner]
        self._counts[a, b, outcome] += 1
        if outcome == BOTH_BAD and self._both_bad == "exclude":
            return
        x = int(FROM_LEFT[outcome])
        x, pair = (x if a < b else 2 - x), self._pair[a, b]
        cells = self._cells.get(voter, np.empty((3, 0), np.int32))
        found = np.flatnonzero(cells[0] == pair)
        if len(found) == 0:
            cells = np.append(cells, np.array([[pair], [0], [0]], np.int32), axis=1)
            self._cells[voter] = cells
        place = int(found[0]) if len(found) else cells.shape[1] - 1
        self._moments.move(cells, place, x, 1)
        cells[1:, place] += (x, 1)

    def add_many(self, table: pd.DataFrame) -> None:
        """Count a batch in any order: the field's columns, and `count` where equal votes are grouped; a negative one takes votes back.

        Raises:
            ComparisonError: names a row that cannot be counted; nothing of the batch is.
        """
        if table.empty:
            return
        rows = Comparisons.from_frame(table.drop(columns="weight", errors="ignore"), self._models)
        if rows.voter is None:
            raise ComparisonError("voter_column_missing")
        names = voters(table)[1]
        count = np.asarray(table["count"], np.int64) if "count" in table.columns else np.ones(len(rows), np.int64)
        fitted = np.ones(len(rows), bool) if self._both_bad == "tie" else rows.outcome != BOTH_BAD
        a, b = rows.a[fitted], rows.b[fitted]
        x = FROM_LEFT[rows.outcome[fitted]]
        change = (
            rows.voter[fitted],
            self._pair[a, b],
            np.where(a < b, x, 2 - x) * count[fitted],
            count[fitted],
        )
        before = self._gathered(names)
        joined = [np.concatenate(both) for both in zip(before, change, strict=True)]
        after = _summed(joined[0], joined[1], joined[2], joined[3], len(self._moments.nn))
        if (after[3] < 0).any():
            wrong = names[after[0][int(after[3].argmin())]]
            raise ComparisonError("taken_back", voter=repr(wrong))
        np.add.at(self._counts, (rows.a, rows.b, rows.outcome), count)
        self._moments.add(*before, sign=-1)
        self._moments.add(*after, sign=1)
        ends = np.searchsorted(after[0], np.arange(1, len(names)))
        for name, cells in zip(names, np.split(np.stack(after[1:]).astype(np.int32), ends, axis=1), strict=True):
            self._cells[str(name)] = cells.copy()

    def snapshot(
        self,
        *,
        prior: float = 0.5,
        transform: Transform | None = None,
        component_max: float = 25.0,
        seed: int = 0,
        anchor: str | None = None,
    ) -> Ratings:
        """Return the ratings of all votes so far: what `fit.rate` gives for them, to the last digit.

        Raises:
            NothingToRateError: no vote can be counted yet.
        """
        tally = Tally(self._models, self._counts, self._both_bad, self._moments)
        return rate(tally, prior=prior, transform=transform, component_max=component_max, seed=seed, anchor=anchor)

    def _gathered(self, names: NDArray) -> tuple[NDArray, NDArray, NDArray, NDArray]:
        """Gather what these voters' cells hold so far: voter (as a place in `names`), pair, x, n."""
        held = [(code, self._cells[name]) for code, name in enumerate(names.tolist()) if name in self._cells]
        if not held:
            none = np.empty(0, np.int64)
            return none, none, none, none
        voter = np.repeat([code for code, _ in held], [cells.shape[1] for _, cells in held])
        pair, x, n = np.concatenate([cells for _, cells in held], axis=1).astype(np.int64)
        return voter, pair, x, n


def _summed(
    voter: NDArray, pair: NDArray, x: NDArray, n: NDArray, pairs: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """One cell for each voter and pair, sorted by voter."""
    cell, place = np.unique(voter.astype(np.int64) * pairs + pair, return_inverse=True)
    sums = [np.rint(np.bincount(place, weights, minlength=len(cell))).astype(np.int64) for weights in (x, n)]
    return cell // pairs, cell % pairs, sums[0], sums[1]
