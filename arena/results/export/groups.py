"""Results by group, and as the planned population would give them: multilevel models beside the fit, never instead of it.

Who is told of follows one rule (`weighting.published`, `weighting.rateable`), that of who came: ten people or more, and none that a total would give
away. It is asked twice, of everybody with a sealed vote and of those in the fit, so that no group is told by the difference of the two. Results by what people said
of themselves are rounded as far as their intervals allow: many exact numbers of few people could be tried out against the votes.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from arena.results.export.groups_schema import Difference, Group, Grouping, GroupScore, Kind
from arena.results.export.rating_schema import Representative
from arena.results.export.statistics import StageVotes
from arena.results.votes.population import answered, represented
from arena.results.votes.rating import declared
from arena.results.votes.strata import StrataTable
from arena.results.votes.table import ERASED, IDENTITY, LANGUAGES, VoteTable
from arena.results.votes.warnings import warnings
from arena.results.votes.weighting import UNKNOWN, published, rateable
from ratings import groups
from ratings.errors import RatingsError
from ratings.score import rounded

TURNS = ("1", "2", "3+")
_FEWEST = 2
Codes = NDArray[np.integer]


def by_votes(given: StageVotes) -> list[Grouping]:
    """Rate the entrants by topic, language, number of prompts and identity check, where there are two groups or more."""
    return [_grouping(given, kind, kind, names, codes) for kind, names, codes in _of_votes(given.votes)]


def by_strata(given: StageVotes, strata: StrataTable) -> list[Grouping]:
    """Rate the entrants by each declared stratum.

    Args:
        given: the votes.
        strata: of all their voters.
    """
    known = strata.among(given.votes.voters)
    return [
        _grouping(given, "stratum", stratum, categories, known.column(stratum)[given.votes.voter])
        for stratum, categories in zip(known.strata, known.categories, strict=True)
    ]


def representative(given: StageVotes, strata: StrataTable) -> Representative | None:
    """Rate the entrants as the population that the stage plans for would; None where no stratum with targets was answered by enough people."""
    votes = given.votes
    found = represented(given.stage, given.file_sha256, votes, given.entrants, strata, given.looks)
    if found is None:
        return None
    rows = [
        {
            "team_id": row.model,
            "rating": None if row.rating is None else _rounded(row.rating, 1),
            "rating_ci95": None if row.rating_ci95 is None else [_rounded(end, 1) for end in row.rating_ci95],
            "rank": row.rank,
            "points": row.points,
            "points_ci95": None if row.points_ci95 is None else list(row.points_ci95),
        }
        for row in found.rows
    ]
    return Representative.model_validate(
        {
            "strata": answered(given.stage, votes, strata.among(votes.voters)),
            "cells": found.cells,
            "scores": rows,
            "warnings": warnings(found.notices),
        }
    )


def _of_votes(votes: VoteTable) -> Iterator[tuple[Kind, list[str], Codes]]:
    """Yield each variable with the groups that have a sealed vote, and each vote's group."""
    told = LANGUAGES.index(ERASED)
    language = np.where(votes.measured.language < told, votes.measured.language, -1)
    order = np.argsort(np.argsort(votes.topics)) if votes.topics else np.empty(0, np.int64)
    topic = np.append(order, -1)[votes.topic]
    every: list[tuple[Kind, list[str], Codes]] = [
        ("topic", sorted(votes.topics), topic),
        ("language", list(LANGUAGES[:told]), language),
        ("turns", list(TURNS), np.clip(votes.measured.turns, 1, len(TURNS)) - 1),
        ("identity", list(IDENTITY), votes.identity),
    ]
    for kind, names, codes in every:
        here = np.unique(codes[codes >= 0])
        if len(here) >= _FEWEST:
            place = np.full(len(names) + 1, -1)
            place[here] = np.arange(len(here))
            yield kind, [names[n] for n in here.tolist()], place[codes]


def _grouping(given: StageVotes, kind: Kind, variable: str, names: Sequence[str], codes: Codes) -> Grouping:
    votes = given.votes
    in_fit = votes.in_fit(given.stage.protocol.both_bad)
    everybody, fitted = (_people(votes, rows, names, codes) for rows in (np.ones(len(votes), np.bool_), in_fit))
    may = rateable(everybody) & rateable(fitted)
    shown = [name for name in names if name in may]
    found = _rated(given, variable, shown, names, codes) if len(shown) >= _FEWEST else None
    of = {} if found is None else {group.name: group for group in found.groups}
    counts = {} if found is None or kind in ("stratum", "identity") else published(fitted)
    rows = [
        Group(
            name=name,
            voters=counts.get(name) if name in of else None,
            votes=of[name].votes if name in of and counts.get(name) is not None else None,
            scores=[_score(row, coarse=kind == "stratum") for row in of[name].ratings] if name in of else [],
        )
        for name in names
    ]
    apart = None if found is None else found.difference
    return Grouping.model_validate(
        {
            "kind": kind,
            "variable": variable,
            "groups": rows,
            "difference": None if apart is None else _difference(apart),
            "warnings": [] if found is None else warnings(found.notices),
        }
    )


def _people(votes: VoteTable, rows: NDArray[np.bool_], names: Sequence[str], codes: Codes) -> dict[str, int]:
    """Count the people who have these votes, group by group; who is in none is `UNKNOWN`."""
    held = np.unique(np.column_stack([votes.voter[rows], codes[rows]]), axis=0)[:, 1]
    people = np.bincount(np.where(held < 0, len(names), held), minlength=len(names) + 1).tolist()
    return dict(zip([*names, UNKNOWN], people, strict=True))


def _rated(
    given: StageVotes, variable: str, shown: Sequence[str], names: Sequence[str], codes: Codes
) -> groups.Groups | None:
    """Fit the groups that may be told of; all others are one in the model."""
    place = np.array([shown.index(name) if name in shown else -1 for name in names] + [-1])
    stage, rows = given.stage, given.votes.counted
    try:
        return groups.by_group(
            given.compared(rows),
            variable,
            shown,
            place[codes[rows]],
            both_bad=stage.protocol.both_bad,
            **declared(stage, given.file_sha256, given.looks),
        )
    except RatingsError:  # no prior, or an anchor that was never compared
        return None


def _score(row: groups.GroupRating, *, coarse: bool) -> GroupScore:
    decimals, of_points = (0, 1) if coarse else (1, 2)
    return GroupScore(
        team_id=row.model,
        rating=_rounded(row.rating, decimals),
        rating_ci95=[_rounded(end, decimals) for end in row.rating_ci95],
        points=rounded(row.points, of_points),
        points_ci95=[rounded(end, of_points) for end in row.points_ci95],
    )


def _difference(found: groups.Difference) -> Difference:
    return Difference(
        sd=_rounded(found.sd, 1),
        sd_ci95=[_rounded(end, 1) for end in found.sd_ci95],
        f=None if found.f is None else _rounded(found.f, 2),
        df=None if found.df is None else [float(found.df[0]), _rounded(found.df[1], 1)],
        p=None if found.p is None else _rounded(found.p, 4),
    )


def _rounded(value: float, decimals: int) -> float:
    return round(value, decimals) + 0.0
