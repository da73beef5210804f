"""Votes: append-only, one for each battle, durable before anybody is thanked."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, ScalarSelect, Select, and_, case, func, select

from arena.domain.battle import SIDES, Battle, Side
from arena.domain.vote import Ballot, Vote, Winner
from arena.record.counters import Admission
from arena.record.database import Database
from arena.record.group_commit import Cast, GroupCommit
from arena.record.tables import answers, battles, leaves, votes

IDS = 500
"""How many ids one statement names."""


@dataclass(frozen=True, slots=True)
class VoteRow:
    """A vote as the results see it: who met whom, who won, by which pseudonym."""

    seq: int
    battle_id: str
    model_a: str
    model_b: str
    winner: Winner
    voter: str
    identity_level: str
    cast_at: datetime
    opened_at: datetime
    draw: int
    draw_probability: float
    repeat_of: int | None
    question: str | None
    topic: str | None
    leaks: Sequence[str]
    nonce: bytes
    receipt: str
    record: bytes
    version_a: str | None = None
    """What gave every answer on side a, where the record says so and it was one; read only for `Votes.sealed`."""
    version_b: str | None = None


@dataclass(frozen=True, slots=True)
class OwnDecision:
    """What a citizen decided in one battle: for their eyes, and only once they may know who the sides were."""

    stage_id: str
    model_a: str
    model_b: str
    winner: Winner
    cast_at: datetime


@dataclass(frozen=True, slots=True)
class OwnVote:
    """A vote as whoever cast it may know it: nothing of it tells who voted or who the sides were."""

    winner: Winner
    receipt: str
    record: str
    """The canonical text whose leaf hash the receipt is."""
    promise: str


class Votes:
    """The votes of every stage."""

    def __init__(self, database: Database, lane: Database) -> None:
        """Votes are cast through `lane`, which has connections of its own; whatever is read goes through `database`."""
        self._database = database
        self._group_commit = GroupCommit(lane)

    def cast(
        self,
        battle_id: str,
        citizen_id: str,
        ballot: Ballot,
        make: Callable[[Battle], Vote],
        *,
        reveal: bool = False,
        admission: Admission | None = None,
    ) -> Cast:
        """open → voted, or → revealed with `reveal`, the vote beside it and counted by `admission`: one durable transaction.

        The same ballot again returns the vote that is there and counts nothing. `make(battle)` builds the record from what the database
        holds; the admission's network, the day's digest of where the vote came from, is no part of the record.

        Raises:
            NotFound: unknown, or somebody else's.
            Conflict: not votable, the stage is closed, or another ballot was cast.
            TooMany: past a bound; says when it ends.
            Unavailable: not saved; nothing was changed.
        """
        return self._group_commit.cast(battle_id, citizen_id, ballot, make, reveal=reveal, admission=admission)

    def of_battle(self, battle_id: str) -> OwnVote | None:
        """Find this battle's vote, if it has one."""
        chosen = select(votes.c.winner, votes.c.receipt, votes.c.record, votes.c.promise).where(
            votes.c.battle_id == battle_id
        )
        with self._database.reading() as connection:
            row = connection.execute(chosen).one_or_none()
        return None if row is None else OwnVote(Winner(row.winner), row.receipt, row.record.decode(), row.promise or "")

    def of_citizen(self, citizen_id: str) -> list[OwnDecision]:
        """Read every decision of this citizen, repeats left out, oldest first."""
        chosen = (
            select(votes.c.stage_id, battles.c.model_a, battles.c.model_b, votes.c.winner, votes.c.cast_at)
            .join(battles, battles.c.id == votes.c.battle_id)
            .where(battles.c.citizen_id == citizen_id, battles.c.repeat_of.is_(None))
            .order_by(votes.c.cast_at)
        )
        with self._database.reading() as connection:
            rows = connection.execute(chosen).all()
        return [OwnDecision(**{**row._mapping, "winner": Winner(row.winner)}) for row in rows]

    def receipts_of(self, stage_id: str, battle_ids: Sequence[str]) -> dict[str, tuple[str, datetime]]:
        """Find the receipt and the moment of the vote on each of these battles of a stage, those that have one."""
        found: dict[str, tuple[str, datetime]] = {}
        with self._database.reading() as connection:
            for start in range(0, len(battle_ids), IDS):
                some = votes.c.battle_id.in_(battle_ids[start : start + IDS])
                chosen = select(votes.c.battle_id, votes.c.receipt, votes.c.cast_at)
                for row in connection.execute(chosen.where(votes.c.stage_id == stage_id, some)):
                    found[row.battle_id] = row.receipt, row.cast_at
        return found

    def battles_of(self, stage_id: str, receipts: Sequence[str]) -> dict[str, str]:
        """Find the battles whose votes have these receipts, those that a stage has."""
        found: dict[str, str] = {}
        with self._database.reading() as connection:
            for start in range(0, len(receipts), IDS):
                some = votes.c.receipt.in_(receipts[start : start + IDS])
                chosen = select(votes.c.receipt, votes.c.battle_id)
                found |= {
                    r.receipt: r.battle_id for r in connection.execute(chosen.where(votes.c.stage_id == stage_id, some))
                }
        return found

    def count(self, stage_id: str) -> int:
        """How many votes the stage has."""
        with self._database.reading() as connection:
            return connection.execute(select(func.count()).where(votes.c.stage_id == stage_id)).scalar_one()

    def after(self, stage_id: str, seq: int, chunk: int = 10_000) -> Iterator[VoteRow]:
        """Read the stage's votes with a larger sequence number, in order.

        On PostgreSQL a vote may commit after one with a larger number: whoever follows looks back (`results.votes.feed`).
        """
        with self._database.reading() as connection:
            chosen = _rows().where(votes.c.stage_id == stage_id, votes.c.seq > seq).order_by(votes.c.seq)
            for row in connection.execution_options(yield_per=chunk).execute(chosen):
                yield _vote_row(row)

    def sealed(self, stage_id: str, size: int, chunk: int = 10_000) -> Iterator[VoteRow]:
        """Read the stage's first `size` votes in the order of its ledger: the row at place n is leaf n."""
        chosen = (
            _rows()
            .add_columns(*(_version(side).label(f"version_{side}") for side in SIDES))
            .join(leaves, leaves.c.vote == votes.c.seq)
            .where(leaves.c.stage_id == stage_id, leaves.c.n < size)
            .order_by(leaves.c.n)
        )
        with self._database.reading() as connection:
            for row in connection.execution_options(yield_per=chunk).execute(chosen):
                yield _vote_row(row)

    def last_before(self, stage_id: str, moment: datetime) -> int:
        """Find the largest sequence number among the stage's votes cast before this moment; 0 when there is none."""
        chosen = select(func.max(votes.c.seq)).where(votes.c.stage_id == stage_id, votes.c.cast_at < moment)
        with self._database.reading() as connection:
            return connection.execute(chosen).scalar_one() or 0


def _rows() -> Select[*tuple[Any, ...]]:
    return select(
        votes.c.seq,
        votes.c.battle_id,
        battles.c.model_a,
        battles.c.model_b,
        votes.c.winner,
        votes.c.citizen_id.label("voter"),
        votes.c.identity_level,
        votes.c.cast_at,
        battles.c.opened_at,
        battles.c.draw_number.label("draw"),
        battles.c.draw_probability,
        battles.c.repeat_of,
        votes.c.question,
        battles.c.topic,
        votes.c.leaks,
        votes.c.nonce,
        votes.c.receipt,
        votes.c.record,
    ).join(battles, battles.c.id == votes.c.battle_id)


def _version(side: Side) -> ScalarSelect[str | None]:
    """Select what gave every answer on this side of the vote's battle."""
    one = and_(
        func.count(answers.c.version) == func.count(), func.min(answers.c.version) == func.max(answers.c.version)
    )
    return (
        select(case((one, func.min(answers.c.version))))
        .where(answers.c.battle_id == votes.c.battle_id, answers.c.side == side)
        .scalar_subquery()
    )


def _vote_row(row: Row) -> VoteRow:
    return VoteRow(
        **{**row._mapping, "winner": Winner(row.winner), "leaks": row.leaks or (), "nonce": row.nonce or b""}
    )
