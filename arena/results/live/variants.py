"""The same stage under other choices, side by side: as declared, nothing excluded, cleaned, weighted, as the population, controlled for style.

Beside the declared fit, never instead of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from arena.domain.stage import Stage
from arena.results.votes.inclusion import Rule
from arena.results.votes.population import represented
from arena.results.votes.rating import compared, rate_stage, style_controlled
from arena.results.votes.strata import StrataTable
from arena.results.votes.table import VoteTable
from arena.results.votes.weighting import weigh
from ratings.anytime import Anytime
from ratings.fit import CENTRE, PER_LOGIT
from ratings.result import Ratings
from ratings.voices import Voice

Name = Literal["declared", "raw", "cleaned", "by_citizen", "by_vote", "weighted", "representative", "style"]


@dataclass(frozen=True, slots=True)
class Standing:
    """One entrant under one choice."""

    entrant: str
    rating: float
    low: float
    high: float
    rank: int


@dataclass(frozen=True, slots=True)
class Variant:
    """A fit under one choice; `standings` is empty where it cannot be made, and `why` says so by a code."""

    name: Name
    standings: tuple[Standing, ...]
    votes: int
    why: Literal["", "no_votes", "no_strata", "never_met"] = ""


class Variants:
    """The fits of one stage, with its declared transform, prior and seed."""

    def __init__(self, stage: Stage, file_sha256: str, looks: Anytime | None) -> None:
        """Fit as `ratings.fit.rate` does with these `looks`."""
        self._stage = stage
        self._looks = looks
        self._file_sha256 = file_sha256

    def all(
        self,
        votes: VoteTable,
        rule: Rule,
        proposed: Sequence[int] | None,
        strata: StrataTable | None,
    ) -> list[Variant]:
        """Make every variant.

        Args:
            votes: the table, measured, in the order of time.
            rule: which votes count, exclusions and removals included.
            proposed: the numbers of the votes that the integrity tests proposed to leave out: `cleaned` leaves out all of them. None before
                publication: then nothing says what leaving them out does.
            strata: what voters have said of themselves, for the weights and the population.
        """
        entrants = self.entrants(rule)
        counted = votes.counted
        found = [self._plain("declared", votes, counted, entrants)]
        if proposed is not None:
            unexcluded = votes.in_scope & ((votes.leaks & rule.leaks) == 0) & ~votes.unread
            found.append(self._plain("raw", votes, unexcluded, entrants))
            found.append(self._plain("cleaned", votes, counted & ~votes.among(proposed), entrants))
        found.append(
            self._plain("by_vote", votes, counted, entrants, voice="vote")
            if self._stage.voice == "citizen"
            else self._plain("by_citizen", votes, counted, entrants, voice="citizen")
        )
        raked = None if strata is None else weigh(votes, self._stage, strata)
        if raked is None:
            found.append(Variant("weighted", (), int(counted.sum()), "no_strata"))
        else:
            weights = np.array([raked.weights.get(voter, np.nan) for voter in votes.voters], np.float64)
            weighed = replace(votes, weight=weights[votes.voter])
            found.append(self._plain("weighted", weighed, counted, entrants, voice="citizen", weighted=True))
        found.append(self._population(votes, entrants, strata))
        found.append(self._style(votes, counted, entrants))
        return found

    def entrants(self, rule: Rule) -> tuple[str, ...]:
        """List the rated entrants, in the order of the stage file."""
        return tuple(entrant for entrant in self._stage.entrant_ids if entrant in rule.entrants)

    def rated(
        self,
        votes: VoteTable,
        rows: NDArray[np.bool_],
        entrants: Sequence[str],
        *,
        voice: Voice | None = None,
        weighted: bool = False,
    ) -> Ratings | None:
        """Fit these votes as declared, but for what is said here; None where none can be counted."""
        chosen = compared(self._stage, votes, rows, entrants, voice=voice, weighted=weighted)
        return rate_stage(self._stage, self._file_sha256, chosen, looks=self._looks)

    def _plain(
        self,
        name: Name,
        votes: VoteTable,
        rows: NDArray[np.bool_],
        entrants: Sequence[str],
        *,
        voice: Voice | None = None,
        weighted: bool = False,
    ) -> Variant:
        standings = _standings(self.rated(votes, rows, entrants, voice=voice, weighted=weighted))
        return Variant(name, standings, int(rows.sum()), "" if standings else "no_votes")

    def _population(self, votes: VoteTable, entrants: tuple[str, ...], strata: StrataTable | None) -> Variant:
        n = int(votes.counted.sum())
        made = (
            None
            if strata is None
            else represented(self._stage, self._file_sha256, votes, entrants, strata, self._looks)
        )
        if made is None:
            return Variant("representative", (), n, "no_strata")
        return Variant(
            "representative",
            tuple(
                Standing(row.model, row.rating, *row.rating_ci95, row.rank)
                for row in made.rows
                if row.rating is not None and row.rating_ci95 is not None and row.rank is not None
            ),
            n,
        )

    def _style(self, votes: VoteTable, rows: NDArray[np.bool_], entrants: Sequence[str]) -> Variant:
        rows = rows & votes.measured.styled
        n = int(rows.sum())
        if n == 0:
            return Variant("style", (), 0, "no_votes")
        found = style_controlled(self._stage, votes, rows, entrants, self._looks)
        if found is None:
            return Variant("style", (), n, "never_met")
        reach = PER_LOGIT * found.quantile * np.sqrt(np.maximum(np.diag(found.covariance), 0))
        rating = CENTRE + PER_LOGIT * found.theta
        rows_of = zip(found.models, rating.tolist(), reach.tolist(), found.ranks, strict=True)
        return Variant("style", tuple(Standing(m, r, r - e, r + e, rank) for m, r, e, rank in rows_of), n)


def _standings(ratings: Ratings | None) -> tuple[Standing, ...]:
    rows = () if ratings is None else ratings.rows
    return tuple(
        Standing(row.model, row.rating, *row.rating_ci95, row.rank)
        for row in rows
        if row.rating is not None and row.rating_ci95 is not None and row.rank is not None
    )
