"""The data before the functions: outcomes, comparisons, and the counts that decide a fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ratings.clusters import Clusters, IndependentVotes, WeightedVotes, WholeVotes, parts
from ratings.errors import ComparisonError
from ratings.questions import AskedQuestions, Columns, Questions
from ratings.voices import COUNT_BITS, SCORE_BITS, Voice, shares

BothBad = Literal["exclude", "tie"]
"""What a `both_bad` vote does to the fit: nothing (the default), or half a win each way."""


class Outcome(StrEnum):
    """What a voter decided between the answer on side a and the one on side b."""

    MODEL_A = "model_a"
    MODEL_B = "model_b"
    TIE = "tie"
    BOTH_BAD = "both_bad"


OUTCOMES: tuple[Outcome, ...] = tuple(Outcome)
KNOWN = tuple(outcome.value for outcome in OUTCOMES)
"""The order of the outcome codes 0…3."""
A_WINS, B_WINS, TIE, BOTH_BAD = range(4)


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """All that a fit needs to know of the comparisons: `counts[left, right, outcome]` and who voted how often."""

    models: tuple[str, ...]
    counts: NDArray[np.int64] | NDArray[np.float64]
    """Shape (k, k, 4): votes, or sums of weights where votes are weighted."""
    both_bad: BothBad
    clusters: Clusters
    shares: NDArray[np.float64] | None = None
    """The same counts where each citizen has one voice, whole numbers of shares, ties of live votes folded into half wins; None otherwise."""
    unit: float = 1.0
    """What a share weighs: the mean over the votes in the fit is 1."""
    questions: Questions | None = None
    """The second dimension of the clusters; None where only voters are known."""

    @property
    def fitted(self) -> NDArray[np.int64] | NDArray[np.float64]:
        """The counts that enter the fit, as they weigh."""
        return self.counts if self.shares is None else self.shares * self.unit

    @property
    def wins(self) -> NDArray[np.float64]:
        """The (k, k) win matrix: `wins[i, j]` counts i's wins over j, a tie as half a win each way."""
        if self.shares is None:
            return win_matrix(self.counts, self.both_bad)
        return win_matrix(self.shares, self.both_bad) * self.unit  # folded while the numbers are whole

    @property
    def played(self) -> NDArray[np.float64]:
        """Votes in the fit that each entrant took part in, (k,), whatever they weigh."""
        wins = win_matrix(self.counts, self.both_bad)
        return wins.sum(axis=0) + wins.sum(axis=1)


def win_matrix(counts: NDArray, both_bad: BothBad = "exclude") -> NDArray[np.float64]:
    """Fold counts[left, right, outcome] into wins[i, j]; a tie is half a win each way, exact in binary."""
    halves = counts[:, :, TIE] + counts[:, :, BOTH_BAD] if both_bad == "tie" else counts[:, :, TIE]
    return counts[:, :, A_WINS] + counts[:, :, B_WINS].T + (halves + halves.T) / 2


@dataclass(frozen=True, slots=True, eq=False)
class Comparisons:
    """Comparisons as codes: vote n showed `models[a[n]]` on side a against `models[b[n]]` on side b.

    `outcome` holds indices into `OUTCOMES`, `voter` any small whole numbers (None: every vote is its own voter),
    `weight` non-negative numbers (None: every vote, or every citizen, counts once). Made by `from_frame` or `from_codes`,
    which check.
    """

    models: tuple[str, ...]
    a: NDArray[np.integer]
    b: NDArray[np.integer]
    outcome: NDArray[np.integer]
    voter: NDArray[np.integer] | None = None
    weight: NDArray[np.float64] | None = None
    voice: Voice = "vote"
    """Whether each vote counts its weight, or each citizen does, in equal parts over the votes that enter the fit."""
    question: NDArray[np.integer] | None = None
    """What was asked, any small whole numbers, -1 where nobody else can have asked it; None where it is not known."""

    def __len__(self) -> int:
        return len(self.a)

    @classmethod
    def from_codes(
        cls,
        models: Sequence[str],
        a: ArrayLike,
        b: ArrayLike,
        outcome: ArrayLike,
        voter: ArrayLike | None = None,
        weight: ArrayLike | None = None,
        voice: Voice = "vote",
        question: ArrayLike | None = None,
    ) -> Self:
        """Take arrays of codes as they are, without a copy where the types already fit.

        Raises:
            ComparisonError: names a row that cannot be a comparison, or that gives a citizen with one voice a second weight.
        """
        names = tuple(models)
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ComparisonError("model_named_twice", model=repr(twice))
        columns = {"a": np.asarray(a), "b": np.asarray(b), "outcome": np.asarray(outcome)}
        if voter is not None:
            columns["voter"] = np.asarray(voter)
        if question is not None:
            columns["question"] = np.asarray(question)
        for name, column in columns.items():
            if column.size == 0:
                columns[name] = column.astype(np.int32)
            elif column.dtype.kind not in "iu":
                raise ComparisonError("codes_not_whole", column=name, dtype=str(column.dtype))
            if column.shape != columns["a"].shape or column.ndim != 1:
                raise ComparisonError("shapes_differ", column=name, shape=column.shape, other=columns["a"].shape)
        for name, top in (("a", len(names)), ("b", len(names)), ("outcome", len(OUTCOMES))):
            column = columns[name]
            if column.size and (column.min() < 0 or column.max() >= top):
                row = int(np.flatnonzero((column < 0) | (column >= top))[0])
                raise ComparisonError("code_out_of_range", column=name, value=int(column[row]), top=top - 1, row=row)
        same = columns["a"] == columns["b"]
        if same.any():
            row = int(same.argmax())
            raise ComparisonError("compared_with_itself", model=repr(names[columns["a"][row]]), row=row)
        if "voter" in columns and columns["voter"].size and columns["voter"].min() < 0:
            row = int((columns["voter"] < 0).argmax())
            raise ComparisonError("voter_missing", row=row)
        weights = None if weight is None else _checked_weights(np.asarray(weight, dtype=np.float64), columns["a"].shape)
        voter = columns.get("voter")
        if voice == "citizen" and weights is not None and voter is not None:
            _refuse_two_weights(voter, weights)
        sides = columns["a"], columns["b"], columns["outcome"]
        return cls(names, *sides, voter, weights, voice, columns.get("question"))

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, models: Sequence[str] | None = None, *, voice: Voice = "vote") -> Self:
        """Read a frame with the field's columns: model_a, model_b, winner, and where there are any voter (or judge), weight.

        Without a voter column every vote is its own voter. `models` names the declared entrants, in the order of the
        answer; without it they are the names found, sorted. Voters are coded in the order of their sorted keys, so
        that nothing depends on the order of the rows.

        Raises:
            ComparisonError: names a row that cannot be a comparison, counted from 0.
        """
        missing = [name for name in ("model_a", "model_b", "winner") if name not in frame.columns]
        if missing:
            raise ComparisonError("frame_column_missing", column=missing[0], found=tuple(map(str, frame.columns)))
        sides = [_filled(frame, "model_a"), _filled(frame, "model_b")]
        names = tuple(sorted({str(n) for s in sides for n in s.unique()})) if models is None else tuple(models)
        place = {name: code for code, name in enumerate(names)}
        codes = []
        for column, side in zip(("model_a", "model_b"), sides, strict=True):
            found, uniques = pd.factorize(side)
            lookup = np.array([place.get(str(name), -1) for name in uniques], dtype=np.int32)
            coded = lookup[found] if len(lookup) else np.empty(0, np.int32)
            if len(coded) and coded.min() < 0:
                row = int((coded < 0).argmax())
                raise ComparisonError("model_undeclared", column=column, value=repr(side.iloc[row]), row=row)
            codes.append(coded)
        voter = voters(frame)[0] if {"voter", "judge"} & set(frame.columns) else None
        weight = None
        if "weight" in frame.columns:
            weight = np.asarray(pd.to_numeric(_column(frame, "weight"), errors="coerce"), dtype=np.float64)
        outcome = _outcome_codes(_filled(frame, "winner"))
        return cls.from_codes(names, codes[0], codes[1], outcome, voter, weight, voice)

    def tally(self, both_bad: BothBad = "exclude") -> Tally:
        """Count the comparisons; from here on neither their order nor their number costs anything."""
        k = len(self.models)
        shape = (k, k, len(OUTCOMES))
        if self.voice == "citizen" and self.voter is not None:
            return self._by_citizen(both_bad, self.voter)
        if self.weight is not None:
            # Floating sums depend on their order, so weighted votes are summed in one canonical order.
            key = self._keys(slice(None))
            voter = np.arange(len(self)) if self.voter is None else self.voter
            order = np.lexsort((self.weight, key) if self.voter is None else (self.weight, key, voter))
            key, weight = key[order], self.weight[order]
            voter = np.arange(len(self)) if self.voter is None else voter[order]
            counts = np.bincount(key, weight, minlength=4 * k * k).reshape(shape)
            return Tally(self.models, counts, both_bad, WeightedVotes(k, key, voter, weight, both_bad == "tie"))
        counts = self._counts().reshape(shape)
        if self.voter is None and self.question is None:
            return Tally(self.models, counts, both_bad, IndependentVotes(counts, both_bad == "tie"))
        voter = np.arange(len(self)) if self.voter is None else self.voter
        votes = WholeVotes(k, self.a, self.b, self.outcome, voter, both_bad == "tie")
        asked = self._asked(both_bad, voter, None, 1.0)
        return Tally(self.models, counts, both_bad, votes, questions=asked)

    def in_fit(self, both_bad: BothBad) -> NDArray[np.bool_]:
        """Tell which comparisons enter the fit."""
        return np.ones(len(self), bool) if both_bad == "tie" else self.outcome != BOTH_BAD

    def weights(self, both_bad: BothBad) -> NDArray[np.float64]:
        """Give what each vote weighs in the fit, (votes,): 0 for those that stay out of it."""
        fitted = self.in_fit(both_bad)
        if self.voice == "vote" or self.voter is None:
            return (
                fitted.astype(np.float64) if self.weight is None else np.where(fitted, self.weight, np.zeros(len(self)))
            )
        share = self._shares(both_bad, self.voter, COUNT_BITS)[self.voter] * fitted
        return share.astype(np.float64) * (int(fitted.sum()) / max(int(share.sum()), 1))

    def _by_citizen(self, both_bad: BothBad, voter: NDArray[np.integer]) -> Tally:
        """Count in shares: whole numbers, so that no order of the votes shows in a digit."""
        k = len(self.models)
        fitted, shape = self.in_fit(both_bad), (k, k, len(OUTCOMES))
        counts, used = self._counts(), int(fitted.sum())
        worth = self._shares(both_bad, voter, COUNT_BITS)
        weighed = np.zeros(len(counts))
        for part in parts(len(self), at_least=len(counts)):
            # Whole numbers below 2^53 in all: a float holds their sums exactly.
            weighed += np.bincount(self._keys(part), worth[voter[part]] * fitted[part], minlength=len(counts))
        in_scores = self._shares(both_bad, voter, SCORE_BITS)
        total = int(in_scores @ np.bincount(voter[fitted], minlength=len(in_scores)))
        worth_of_one = used / max(total, 1)
        votes = WholeVotes(k, self.a, self.b, self.outcome, voter, both_bad == "tie", in_scores, worth_of_one)
        asked = self._asked(both_bad, voter, in_scores, worth_of_one)
        unit = used / max(int(weighed.sum()), 1)
        return Tally(self.models, counts.reshape(shape), both_bad, votes, weighed.reshape(shape), unit, asked)

    def _asked(
        self, both_bad: BothBad, voter: NDArray[np.integer], in_scores: NDArray[np.int64] | None, unit: float
    ) -> AskedQuestions | None:
        """Read the questions of the votes in the fit; `in_scores` is what each vote of a voter counts, None where all count once."""
        if self.question is None:
            return None
        columns = Columns(self.a, self.b, self.outcome, voter, self.question)
        return AskedQuestions(len(self.models), columns.taken(self.in_fit(both_bad)), in_scores, unit)

    def _shares(self, both_bad: BothBad, voter: NDArray[np.integer], bits: int) -> NDArray[np.int64]:
        """Give what each vote of each voter counts, by the voter's code; 0 for one without a vote in the fit."""
        size = int(voter.max()) + 1 if voter.size else 0
        weight = np.ones(size)
        if self.weight is not None:
            weight[voter] = self.weight
        return shares(weight, np.bincount(voter[self.in_fit(both_bad)], minlength=size), bits)

    def _counts(self) -> NDArray[np.int64]:
        """Votes by left · 4k + right · 4 + outcome."""
        counts = np.zeros(4 * len(self.models) ** 2, np.int64)
        for part in parts(len(self), at_least=len(counts)):
            counts += np.bincount(self._keys(part), minlength=len(counts))
        return counts

    def _keys(self, part: slice) -> NDArray[np.intp]:
        """left · 4k + right · 4 + outcome of these votes."""
        key = self.a[part].astype(np.intp)
        key *= len(self.models)
        key += self.b[part]
        key *= len(OUTCOMES)
        key += self.outcome[part]
        return key


def voters(frame: pd.DataFrame) -> tuple[NDArray[np.int32], NDArray]:
    """Each row's voter as a code, and the sorted voters that the codes stand for.

    Raises:
        ComparisonError: a voter is missing.
    """
    column = next(name for name in ("voter", "judge") if name in frame.columns)
    codes, names = pd.factorize(_filled(frame, column).astype(str), sort=True)
    return codes.astype(np.int32), np.asarray(names)


def _filled(frame: pd.DataFrame, column: str) -> pd.Series:
    """Return the column, once no cell of it is empty."""
    values = _column(frame, column)
    empty = values.isna().to_numpy() | (values.to_numpy() == "")
    if empty.any():
        raise ComparisonError("cell_empty", column=column, row=int(empty.argmax()))
    return values


def _column(frame: pd.DataFrame, column: str) -> pd.Series:
    values = frame[column]
    if not isinstance(values, pd.Series):
        raise ComparisonError("column_twice", column=repr(column))
    return values


def _outcome_codes(winner: pd.Series) -> NDArray[np.int8]:
    found, uniques = pd.factorize(winner)
    known = {outcome.value: code for code, outcome in enumerate(OUTCOMES)}
    lookup = np.array([known.get(str(value), -1) for value in uniques], dtype=np.int8)
    codes = lookup[found] if len(lookup) else np.empty(0, np.int8)
    if len(codes) and codes.min() < 0:
        row = int((codes < 0).argmax())
        raise ComparisonError("outcome_unknown", column="winner", value=repr(winner.iloc[row]), known=KNOWN, row=row)
    return codes


def _refuse_two_weights(voter: NDArray[np.integer], weights: NDArray[np.float64]) -> None:
    held = np.zeros(int(voter.max()) + 1 if voter.size else 0)
    held[voter[::-1]] = weights[::-1]  # each voter's first
    other = held[voter] != weights
    if other.any():
        row = int(other.argmax())
        raise ComparisonError("weight_changes", value=float(weights[row]), other=float(held[voter[row]]), row=row)


def _checked_weights(weight: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    if weight.shape != shape:
        raise ComparisonError("shapes_differ", column="weight", shape=weight.shape, other=shape)
    wrong = ~(np.isfinite(weight) & (weight >= 0))
    if wrong.any():
        row = int(wrong.argmax())
        raise ComparisonError("weight_negative", value=float(weight[row]), row=row)
    return weight
