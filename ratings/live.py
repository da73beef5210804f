"""Ratings while votes come in: a refresh costs the same after ten votes or ten million.

Kept are the counts and, for the clustered covariance, the second moments of voters' pair counts: Σ x xᵀ, Σ x nᵀ, Σ n nᵀ
over voters, where x and n are a voter's doubled wins and votes per pair, in shares where each citizen has one voice. They
are whole numbers, so a snapshot equals `fit.rate` on the same votes to the last digit, whatever the order and however the
votes arrived. For m = k(k − 1)/2 pairs the moments take 24 m² bytes (0.9 MB at 20 entrants), and each voter's cells 12
bytes per pair voted on.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratings.anytime import Anytime
from ratings.clusters import FROM_LEFT
from ratings.comparison import A_WINS, BOTH_BAD, KNOWN, OUTCOMES, BothBad, Comparisons, Outcome, Tally, voters
from ratings.errors import ComparisonError
from ratings.fit import rate
from ratings.live_questions import Cells, LiveQuestions
from ratings.moments import PairMoments
from ratings.result import Ratings
from ratings.score import Transform
from ratings.voices import COUNT_BITS, SCORE_BITS, Voice, shares

_Cells = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Whole voters: for each pair that one voted on, the voter's code, the pair, x and n."""
MOST_ENTRANTS = 64
"""Beyond this the moments outgrow their use (98 MB); rate such a stage in batches."""


class LiveRatings:
    """Takes votes, gives `Ratings`."""

    def __init__(
        self, models: Sequence[str], *, both_bad: BothBad = "exclude", voice: Voice = "vote", questions: bool = False
    ) -> None:
        """Start without votes; with `questions` they are clusters too, and each vote says its own.

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
        self._voices = None if voice == "vote" else _Voices(len(self._moments.nn))
        self._questions = LiveQuestions(k) if questions else None
        self._codes: dict[str, int] = {}
        """Voters as the questions number them."""

    def __len__(self) -> int:
        return int(self._counts.sum())

    def add(self, voter: str, model_a: str, model_b: str, winner: str | Outcome, *, question: int = -1) -> None:
        """Count one vote; the question's number is -1 where nobody else can have asked it.

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
        if self._voices is None:
            self._moments.move(cells, place, x, 1)
            cells[1:, place] += (x, 1)
        else:
            self._count(_rows_of(cells), -1)
            cells[1:, place] += (x, 1)
            self._count(_rows_of(cells), 1)
        one = np.zeros(1, np.int64)
        self._ask([voter], (one, one + pair, one + x, one + 1), one + question, np.array([cells[2].sum()]))

    def _count(self, cells: _Cells, sign: int) -> None:
        """Add (or take away) the sums of whole voters."""
        if self._voices is not None:
            cells = self._voices.count(cells, sign)
        self._moments.add(*cells, sign=sign)

    def _ask(self, names: Sequence[str], change: _Cells, question: NDArray[np.int64], votes: NDArray) -> None:
        """Count what was asked by these voters, who now have so many votes in the fit."""
        if self._questions is None:
            return
        codes = np.array([self._codes.setdefault(str(name), len(self._codes)) for name in names], np.int64)
        each = np.ones(len(codes), np.int64)
        if self._voices is not None:
            each = shares(np.ones(len(codes)), votes, SCORE_BITS)
        voter, pair, x, n = change
        cells = Cells(codes[voter], question, pair, x, n)
        self._questions.count(cells, dict(zip(codes.tolist(), each.tolist(), strict=True)))

    def add_many(self, table: pd.DataFrame) -> None:
        """Count a batch in any order: the field's columns, and `count` where equal votes are grouped; a negative one takes votes back.

        Where questions are clusters, `question` holds their numbers, -1 for one that nobody else can have asked.

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
            rows.voter[fitted].astype(np.int64),
            self._pair[a, b].astype(np.int64),
            np.where(a < b, x, 2 - x) * count[fitted],
            count[fitted],
        )
        before = self._gathered(names)
        joined = [np.concatenate(both) for both in zip(before, change, strict=True)]
        after = _summed(joined[0], joined[1], joined[2], joined[3], len(self._moments.nn))
        if (after[3] < 0).any():
            wrong = names[after[0][int(after[3].argmin())]]
            raise ComparisonError("taken_back", voter=repr(wrong))
        if self._questions is not None:
            question = np.asarray(table["question"], np.int64)[fitted]
            self._ask(names.tolist(), change, question, np.bincount(after[0], after[3], minlength=len(names)))
        np.add.at(self._counts, (rows.a, rows.b, rows.outcome), count)
        self._count(before, -1)
        self._count(after, 1)
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
        looks: Anytime | None = None,
    ) -> Ratings:
        """Return the ratings of all votes so far: what `fit.rate` gives for them, to the last digit.

        Raises:
            NothingToRateError: no vote can be counted yet.
        """
        tally = Tally(self._models, self._counts, self._both_bad, self._moments, questions=self._questions)
        if self._voices is not None:
            counted, unit, self._moments.unit = self._voices.tallied(len(self._models))
            tally = replace(tally, shares=counted, unit=unit)
        if self._questions is not None:
            self._questions.unit = self._moments.unit
        return rate(
            tally,
            prior=prior,
            transform=transform,
            component_max=component_max,
            seed=seed,
            anchor=anchor,
            looks=looks,
        )

    def _gathered(self, names: NDArray) -> _Cells:
        """Gather what these voters' cells hold so far: voter (as a place in `names`), pair, x, n."""
        held = [(code, self._cells[name]) for code, name in enumerate(names.tolist()) if name in self._cells]
        if not held:
            none = np.empty(0, np.int64)
            return none, none, none, none
        voter = np.repeat([code for code, _ in held], [cells.shape[1] for _, cells in held])
        pair, x, n = np.concatenate([cells for _, cells in held], axis=1).astype(np.int64)
        return voter, pair, x, n


class _Voices:
    """What the votes weigh where each citizen has one voice: sums of shares per pair, exact."""

    def __init__(self, pairs: int) -> None:
        self._x, self._n = np.zeros(pairs, np.int64), np.zeros(pairs, np.int64)
        self._votes = self._in_scores = 0

    def count(self, cells: _Cells, sign: int) -> _Cells:
        """Add (or take away) whole voters; gives their cells in the shares that scores are made of."""
        voter, pair, x, n = cells
        size = int(voter.max()) + 1 if len(voter) else 0
        votes = np.bincount(voter, n, minlength=size).astype(np.int64)
        worth, in_scores = (shares(np.ones(size), votes, bits)[voter] for bits in (COUNT_BITS, SCORE_BITS))
        np.add.at(self._x, pair, sign * worth * x)
        np.add.at(self._n, pair, sign * worth * n)
        self._votes += sign * int(votes.sum())
        self._in_scores += sign * int(in_scores @ n)
        return voter, pair, in_scores * x, in_scores * n

    def tallied(self, k: int) -> tuple[NDArray[np.float64], float, float]:
        """Give the counts as `Tally.shares` has them, and what a share weighs there and in the scores."""
        first, second = np.triu_indices(k, 1)
        counts = np.zeros((k, k, len(OUTCOMES)))
        counts[first, second, A_WINS] = self._x / 2
        counts[second, first, A_WINS] = (2 * self._n - self._x) / 2
        return counts, self._votes / max(int(self._n.sum()), 1), self._votes / max(self._in_scores, 1)


def _rows_of(cells: NDArray[np.int32]) -> _Cells:
    pair, x, n = cells.astype(np.int64)
    return np.zeros(len(pair), np.int64), pair, x, n


def _summed(voter: NDArray, pair: NDArray, x: NDArray, n: NDArray, pairs: int) -> _Cells:
    """One cell for each voter and pair, sorted by voter."""
    cell, place = np.unique(voter.astype(np.int64) * pairs + pair, return_inverse=True)
    sums = [np.rint(np.bincount(place, weights, minlength=len(cell))).astype(np.int64) for weights in (x, n)]
    return cell // pairs, cell % pairs, sums[0], sums[1]
