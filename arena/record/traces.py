"""What the integrity tests look at: votes with their circumstances, and draws voter by voter. No text leaves the record: equal prompts are told by a hash."""

import hashlib
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TypeVar

from sqlalchemy import func, select

from arena.domain.battle import BattleState, Turn
from arena.domain.vote import Winner
from arena.record.conversations import conversations
from arena.record.database import Database
from arena.record.tables import answers, battles, turns, votes
from arena.record.votes import VoteRow, Votes

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class VoteTrace:
    """A vote and how it came about."""

    battle_id: str
    voter: str
    model_a: str
    model_b: str
    winner: Winner
    cast_at: datetime
    judged_s: float | None
    """Seconds from the moment both last answers were shown to the vote."""
    network: str | None
    prompt: str | None
    """A hash of the first prompt; None once it is erased."""


@dataclass(frozen=True, slots=True)
class DrawnFor:
    """How often an ordered pair was drawn for a voter; void battles, which nobody could judge, left out."""

    voter: str
    model_a: str
    model_b: str
    battles: int


class Traces:
    """Read-only, for `results.integrity`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def votes(self, stage_id: str, chunk: int = 10_000) -> Iterator[VoteTrace]:
        """Every vote of the stage in the order it was cast."""
        last = (
            select(turns.c.battle_id, func.max(turns.c.n).label("n"))
            .join(battles, battles.c.id == turns.c.battle_id)
            .where(battles.c.stage_id == stage_id)
            .group_by(turns.c.battle_id)
            .subquery()
        )
        shown = (
            select(answers.c.battle_id, answers.c.n, func.max(answers.c.shown_ms).label("ms"))
            .join(last, (last.c.battle_id == answers.c.battle_id) & (last.c.n == answers.c.n))
            .group_by(answers.c.battle_id, answers.c.n)
            .subquery()
        )
        ask = turns.alias("ask")
        first = turns.alias("first")
        chosen = (
            select(
                votes.c.battle_id,
                votes.c.citizen_id,
                battles.c.model_a,
                battles.c.model_b,
                votes.c.winner,
                votes.c.cast_at,
                ask.c.asked_at,
                shown.c.ms,
                votes.c.network,
                first.c.prompt,
            )
            .join(battles, battles.c.id == votes.c.battle_id)
            .join(shown, shown.c.battle_id == votes.c.battle_id, isouter=True)
            .join(ask, (ask.c.battle_id == votes.c.battle_id) & (ask.c.n == shown.c.n), isouter=True)
            .join(first, (first.c.battle_id == votes.c.battle_id) & (first.c.n == 1), isouter=True)
            .where(votes.c.stage_id == stage_id)
            .order_by(votes.c.cast_at, votes.c.seq)
        )
        with self._database.reading() as connection:
            for row in connection.execution_options(yield_per=chunk).execute(chosen):
                judged = None
                if row.asked_at is not None and row.ms is not None:
                    judged = (row.cast_at - row.asked_at).total_seconds() - row.ms / 1000
                yield VoteTrace(
                    row.battle_id,
                    row.citizen_id,
                    row.model_a,
                    row.model_b,
                    Winner(row.winner),
                    row.cast_at,
                    judged,
                    row.network,
                    _told(row.prompt),
                )

    def measured(
        self,
        stage_id: str,
        after: int,
        measure: Callable[[Sequence[Turn]], T],
        *,
        known: Container[int] = frozenset(),
        chunk: int = 500,
    ) -> Iterator[tuple[VoteRow, T]]:
        """The stage's votes with a larger sequence number that is not known yet, each with what `measure` makes of its conversation.

        The texts are shown to `measure` and go no further.
        """
        rows = (row for row in Votes(self._database).after(stage_id, after) if row.seq not in known)
        while some := list(islice(rows, chunk)):
            with self._database.reading() as connection:
                talks = conversations(connection, [row.battle_id for row in some])
            for row in some:
                yield row, measure(talks.get(row.battle_id, ()))

    def draws(self, stage_id: str) -> list[DrawnFor]:
        """Every draw that could be judged, counted by voter and ordered pair."""
        columns = (battles.c.citizen_id, battles.c.model_a, battles.c.model_b)
        with self._database.reading() as connection:
            rows = connection.execute(
                select(*columns, func.count())
                .where(battles.c.stage_id == stage_id, battles.c.state != BattleState.VOID)
                .group_by(*columns)
            ).all()
        return [DrawnFor(row[0], row[1], row[2], row[3]) for row in rows]


def _told(prompt: str | None) -> str | None:
    """Equal prompts, whatever their spaces and case, have equal hashes."""
    return hashlib.sha256(" ".join(prompt.split()).casefold().encode()).hexdigest()[:16] if prompt else None
