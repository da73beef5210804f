"""The same stage under other choices, side by side: as declared, nothing excluded, cleaned, weighted, controlled for style; and by part of the votes.

Beside the declared fit, never instead of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from arena.domain.stage import Stage
from arena.results.votes.chronicle import IDENTITY, LANGUAGES, Chronicle
from arena.results.votes.inclusion import Rule, rating_seed
from arena.results.votes.weighting import rake
from ratings import style
from ratings.errors import NothingToRateError, RatingsError
from ratings.fit import CENTRE, PER_LOGIT, rate
from ratings.result import Ratings
from ratings.score import Transform

Name = Literal["declared", "raw", "cleaned", "weighted", "style"]
TURNS = ("1", "2", "3+")
FEWEST_VOTES = 30
"""Below, a part of the votes is counted and not rated."""


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


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the counted votes: those of one language, one length of conversation, one identity level."""

    kind: Literal["language", "turns", "identity"]
    name: str
    votes: int
    standings: tuple[Standing, ...]
    """Empty where there are too few votes to rate."""


class Variants:
    """The fits of one stage, with its declared transform, prior and seed."""

    def __init__(self, stage: Stage, file_sha256: str) -> None:
        self._stage = stage
        self._seed = rating_seed(file_sha256)

    def all(
        self,
        votes: Chronicle,
        rule: Rule,
        proposed: Iterable[str],
        people: Mapping[str, Mapping[str, str]],
    ) -> list[Variant]:
        """Every variant.

        Args:
            votes: the chronicle.
            rule: which votes count, exclusions and removals included.
            proposed: battles that the integrity tests propose to exclude besides: `cleaned` leaves them out as well.
            people: what voters have said of themselves, for the weights; empty without strata.
        """
        entrants = self.entrants(rule)
        counted = votes.counted(rule)
        unexcluded = votes.counted(replace(rule, excluded={}))
        cleaned = counted & ~votes.among(frozenset(proposed))
        found = [
            self._plain("declared", votes, counted, entrants),
            self._plain("raw", votes, unexcluded, entrants),
            self._plain("cleaned", votes, cleaned, entrants),
        ]
        raked = rake(people, self._stage.population.margins) if people else None
        if raked is None:
            found.append(Variant("weighted", (), int(counted.sum()), "no_strata"))
        else:
            weights = np.array([raked.weights.get(voter, 1.0) for voter in votes.voters], np.float64)
            found.append(self._plain("weighted", votes, counted, entrants, weights))
        found.append(self._style(votes, counted, entrants))
        return found

    def parts(self, votes: Chronicle, rule: Rule) -> list[Part]:
        """The counted votes by language, by number of prompts and by identity level; parts without a vote are left out."""
        entrants, counted = self.entrants(rule), votes.counted(rule)
        turns = np.clip(votes.turns, 1, len(TURNS)) - 1
        kinds: list[tuple[Literal["language", "turns", "identity"], NDArray[np.int64], Sequence[str]]] = [
            ("language", votes.language, LANGUAGES),
            ("turns", turns, TURNS),
            ("identity", votes.identity, IDENTITY),
        ]
        found: list[Part] = []
        for kind, codes, names in kinds:
            for code, name in enumerate(names):
                rows = counted & (codes == code)
                if n := int(rows.sum()):
                    fitted = self.rated(votes, rows, entrants) if n >= FEWEST_VOTES else None
                    found.append(Part(kind, name, n, _standings(fitted)))
        return found

    def entrants(self, rule: Rule) -> tuple[str, ...]:
        """The rated entrants, in the order of the stage file."""
        return tuple(entrant for entrant in self._stage.entrant_ids if entrant in rule.entrants)

    def rated(
        self,
        votes: Chronicle,
        rows: NDArray[np.bool_],
        entrants: Sequence[str],
        weights: NDArray[np.float64] | None = None,
    ) -> Ratings | None:
        """The declared fit of these votes; None where none can be counted."""
        declared = self._stage.protocol.transform
        try:
            return rate(
                votes.comparisons(rows, entrants, weights),
                prior=self._stage.protocol.prior,
                both_bad=self._stage.protocol.both_bad,
                transform=Transform(declared.id, declared.version, declared.params),
                component_max=self._stage.component_max,
                seed=self._seed,
            )
        except NothingToRateError:
            return None

    def _plain(
        self,
        name: Name,
        votes: Chronicle,
        rows: NDArray[np.bool_],
        entrants: Sequence[str],
        weights: NDArray[np.float64] | None = None,
    ) -> Variant:
        standings = _standings(self.rated(votes, rows, entrants, weights))
        return Variant(name, standings, int(rows.sum()), "" if standings else "no_votes")

    def _style(self, votes: Chronicle, rows: NDArray[np.bool_], entrants: Sequence[str]) -> Variant:
        rows = rows & (votes.language != LANGUAGES.index("erased"))
        n = int(rows.sum())
        if n == 0:
            return Variant("style", (), 0, "no_votes")
        sides = {
            f"{mark}_{side}": votes.style[rows, place * len(style.MARKS) + column]
            for place, side in enumerate("ab")
            for column, mark in enumerate(style.MARKS)
        }
        protocol = self._stage.protocol
        try:
            found = style.controlled(
                votes.comparisons(rows, entrants),
                style.differences(sides),
                prior=protocol.prior,
                both_bad=protocol.both_bad,
            )
        except RatingsError:
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
