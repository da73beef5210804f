"""Vote tables out of arrays, for the numbers that follow from votes of a kind that no simulation casts."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import ArrayLike

from arena.results.votes.inclusion import REASONS
from arena.results.votes.strata import StrataTable
from arena.results.votes.table import Circumstances, VoteTable


def strata_table(people: Mapping[str, Mapping[str, str]], categories: Mapping[str, Iterable[str]]) -> StrataTable:
    """What these people said of themselves, `{voter: {stratum: category}}`; `categories` are what each stratum offers."""
    voters = tuple(sorted(people))
    codes = [
        [list(offered).index(people[v][s]) if s in people[v] else -1 for s, offered in categories.items()]
        for v in voters
    ]
    shaped = np.array(codes, np.int16).reshape(len(voters), len(categories))
    return StrataTable(voters, tuple(categories), tuple(map(tuple, categories.values())), shaped)


def vote_table(
    entrants: tuple[str, ...], voter: ArrayLike, a: ArrayLike, b: ArrayLike, outcome: ArrayLike, weight: ArrayLike
) -> VoteTable:
    """Votes in this order, all of them counted; `weight` is each vote's voter's."""
    who = np.asarray(voter, np.int32)
    n = len(who)
    return VoteTable(
        entrants=entrants,
        voters=tuple(f"voter-{code:05d}" for code in range(int(who.max()) + 1)),
        networks=(),
        reasons=REASONS,
        seq=np.arange(1, n + 1),
        voter=who,
        a=np.asarray(a, np.int16),
        b=np.asarray(b, np.int16),
        outcome=np.asarray(outcome, np.int8),
        cast_at=np.arange(n) * 1_000_000,
        identity=np.zeros(n, np.int8),
        network=np.full(n, -1, np.int32),
        leaks=np.zeros(n, np.int32),
        unread=np.zeros(n, np.bool_),
        draw=np.arange(1, n + 1, dtype=np.int32),
        repeat_of=np.zeros(n, np.int32),
        excluded_by=np.zeros(n, np.int8),
        topics=(),
        topic=np.full(n, -1, np.int16),
        questions=(),
        question=np.full(n, -1, np.int32),
        weight=np.asarray(weight, np.float64),
        circumstances=Circumstances(
            turns=np.ones(n, np.int16),
            language=np.full(n, -1, np.int8),
            style=np.full((n, 8), -1, np.int32),
            judged_s=np.full(n, np.nan),
            prompt=np.full(n, -1, np.int32),
            version=np.full((n, 2), -1, np.int16),
        ),
    )
