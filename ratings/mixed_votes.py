"""The votes that a mixed model sees: those of one group of compared entrants, with whoever and whatever else they hang on, in one order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ratings.comparison import BothBad, Comparisons, win_matrix
from ratings.connectivity import groups
from ratings.errors import NothingToRateError
from ratings.intervals import FEWEST_QUESTIONS

MOST_QUESTION_EFFECTS = 600
"""Questions times entrants that have effects of their own: the busiest questions come first, the others count as asked once."""

Codes = NDArray[np.integer]


@dataclass(frozen=True, slots=True, eq=False)
class Votes:
    """Votes between entrants that were all compared with each other, as columns of equal length, in the one order that no file and no feed decides."""

    k: int
    low: Codes
    """The entrant with the lower code."""
    high: Codes
    won: NDArray[np.float64]
    """By `low`: 1, 0 or ½."""
    voter: Codes
    """0 … V − 1, all of them there."""
    question: Codes
    """0 … Q − 1, all of them there; −1 for one that has no effect of its own."""
    level: Codes
    """(votes, variables)."""
    levels: tuple[int, ...]
    """How many levels each variable has, with or without votes."""

    @property
    def voters(self) -> int:
        """How many voters."""
        return int(self.voter.max()) + 1

    @property
    def questions(self) -> int:
        """How many questions have an effect."""
        return int(self.question.max(initial=-1)) + 1

    @property
    def wins(self) -> NDArray[np.float64]:
        """(k, k): `wins[i, j]` counts i's wins over j."""
        wins = np.zeros((self.k, self.k))
        np.add.at(wins, (self.low, self.high), self.won)
        np.add.at(wins, (self.high, self.low), 1 - self.won)
        return wins


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """A group of compared entrants and its votes."""

    place: tuple[int, ...]
    """The entrants' codes among all."""
    votes: Votes
    rows: NDArray[np.intp]
    """Where each vote stands among all."""
    voters: float
    """The effective number of voters (Σn)²/Σn² (Kish 1965)."""
    questions: float | None
    """The same of questions; None where they are not known."""

    @property
    def by_question(self) -> bool:
        """Whether there are questions enough to tell of others."""
        return self.questions is not None and self.questions >= FEWEST_QUESTIONS

    @property
    def clusters(self) -> float:
        """The smaller of the numbers that the answer rests on."""
        return min(self.voters, self.questions) if self.questions is not None and self.by_question else self.voters


def compared(
    comparisons: Comparisons, both_bad: BothBad, level: Codes, levels: Sequence[int]
) -> tuple[list[Compared], list[int]]:
    """Take the votes in the fit apart by the groups of entrants that met. Weights and voices are not looked at.

    Args:
        comparisons: the votes.
        both_bad: leave these votes out of the fit, or count them as ties.
        level: (votes, variables) codes, none below 0.
        levels: how many levels each variable has.

    Returns:
        The groups, and the entrants that were never compared.

    Raises:
        NothingToRateError: no two entrants were ever compared.
    """
    kept = np.flatnonzero(comparisons.in_fit(both_bad))
    k = len(comparisons.models)
    counts = np.zeros((k, k, 4))
    np.add.at(counts, (comparisons.a[kept], comparisons.b[kept], comparisons.outcome[kept]), 1)
    found = groups(win_matrix(counts, both_bad))
    if all(len(group) == 1 for group in found):
        raise NothingToRateError
    return list(_taken(comparisons, kept, found, level, tuple(levels))), [g[0] for g in found if len(g) == 1]


def _taken(
    comparisons: Comparisons,
    kept: NDArray[np.intp],
    found: list[tuple[int, ...]],
    level: Codes,
    levels: tuple[int, ...],
) -> Iterator[Compared]:
    voters = np.arange(len(comparisons)) if comparisons.voter is None else comparisons.voter
    for group in found:
        if len(group) == 1:
            continue
        place = np.full(len(comparisons.models), -1)
        place[list(group)] = np.arange(len(group))
        rows = kept[place[comparisons.a[kept]] >= 0]
        a, b = place[comparisons.a[rows]], place[comparisons.b[rows]]
        won = np.array([1.0, 0.0, 0.5, 0.5])[comparisons.outcome[rows]]
        voter = np.unique(voters[rows], return_inverse=True)[1]
        questions, question = None, np.full(len(rows), -1)
        if comparisons.question is not None:
            asked = comparisons.question[rows]
            questions = _effective(asked)
            if questions >= FEWEST_QUESTIONS:
                question = _with_effects(asked, voter, MOST_QUESTION_EFFECTS // len(group))
        low, high, won = np.minimum(a, b), np.maximum(a, b), np.where(a < b, won, 1 - won)
        order = np.lexsort((won, high, low, question, *level[rows].T, voter))
        votes = Votes(
            len(group), low[order], high[order], won[order], voter[order], question[order], level[rows][order], levels
        )
        yield Compared(group, votes, rows[order], _effective(voter), questions)


def _effective(cluster: Codes) -> float:
    """(Σn)²/Σn²; a cluster below 0 stands alone."""
    sizes = np.bincount(cluster[cluster >= 0], minlength=1)
    return len(cluster) ** 2 / float(sizes @ sizes + (cluster < 0).sum())


def _with_effects(question: Codes, voter: Codes, most: int) -> Codes:
    """Renumber the questions of two voters or more, the busiest of them; −1 for the others."""
    known = question >= 0
    pairs = np.unique(np.column_stack([question[known], voter[known]]), axis=0)
    asked, people = np.unique(pairs[:, 0], return_counts=True)
    asked = asked[people > 1]
    votes = np.bincount(question[known], minlength=1)[asked] if len(asked) else asked
    chosen = np.sort(asked[np.argsort(-votes, kind="stable")[:most]])
    if not len(chosen):
        return np.full(len(question), -1)
    at = np.minimum(np.searchsorted(chosen, question), len(chosen) - 1)
    return np.where(chosen[at] == question, at, -1)
