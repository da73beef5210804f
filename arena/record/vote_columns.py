"""The one query of the votes table: new votes as plain columns, and the conversations of those that somebody wants to measure."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, func, select, type_coerce

from arena.domain.battle import Turn
from arena.domain.exposure import UNREAD
from arena.domain.leaks import bits
from arena.record.battles import conversations
from arena.record.database import Database
from arena.record.tables import battles, votes

CHUNK = 500


class VoteColumns(NamedTuple):
    """A vote without its texts, as the record keeps it."""

    seq: int
    voter: str
    model_a: str
    model_b: str
    winner: str
    cast_at: int
    """In microseconds since 1970 UTC."""
    identity_level: str
    network: str | None
    leaks: int
    """Bits, as `arena.domain.leaks` reads what is sealed."""
    unread: bool
    """Whether it was cast below the stage's minimum of exposure."""
    draw: int
    """The number of its battle's draw."""
    repeat_of: int
    """The number of the draw that it shows again; 0 where it is no repeat."""
    topic: str | None
    question: str | None
    """The key of its first question."""


class VoteColumnsOf:
    """Read-only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def after(self, stage_id: str, seq: int, chunk: int = 10_000) -> Iterator[VoteColumns]:
        """Yield the stage's votes with a larger sequence number, in order.

        On PostgreSQL a vote may commit after one with a larger number: whoever follows looks back (`results.votes.feed`).
        """
        chosen = (
            select(
                votes.c.seq,
                votes.c.citizen_id.label("voter"),
                battles.c.model_a,
                battles.c.model_b,
                votes.c.winner,
                type_coerce(votes.c.cast_at, BigInteger).label("cast_at"),
                votes.c.identity_level,
                votes.c.network,
                votes.c.leaks,
                battles.c.draw_number.label("draw"),
                func.coalesce(battles.c.repeat_of, 0).label("repeat_of"),
                battles.c.topic,
                votes.c.question,
            )
            .join(battles, battles.c.id == votes.c.battle_id)
            .where(votes.c.stage_id == stage_id, votes.c.seq > seq)
            .order_by(votes.c.seq)
        )
        with self._database.reading() as connection:
            for row in connection.execution_options(yield_per=chunk).execute(chosen):
                fields = dict(row._mapping)
                leaks = fields.pop("leaks") or ()
                yield VoteColumns(**fields, leaks=bits(leaks), unread=UNREAD in leaks)

    def conversations(self, seqs: Sequence[int]) -> Iterator[tuple[int, Sequence[Turn]]]:
        """Yield the turns of these votes' battles; whoever asks measures them and keeps no text."""
        for start in range(0, len(seqs), CHUNK):
            some = list(seqs[start : start + CHUNK])
            with self._database.reading() as connection:
                found = connection.execute(select(votes.c.seq, votes.c.battle_id).where(votes.c.seq.in_(some))).all()
                turns = conversations(connection, [row.battle_id for row in found])
            for row in found:
                yield row.seq, turns.get(row.battle_id, ())

    def battles_of(self, seqs: Sequence[int]) -> dict[int, str]:
        """Find the battles of these votes."""
        return dict(self._named(votes.c.seq, seqs))

    def seqs_of(self, battle_ids: Sequence[str]) -> dict[str, int]:
        """Find the votes of these battles, those that have one."""
        return {battle: seq for seq, battle in self._named(votes.c.battle_id, battle_ids)}

    def _named(self, column: ColumnElement[Any], values: Sequence[Any]) -> Iterator[tuple[int, str]]:
        """Find the number and the battle of each vote that has one of these values."""
        with self._database.reading() as connection:
            for start in range(0, len(values), CHUNK):
                some = list(values[start : start + CHUNK])
                for row in connection.execute(select(votes.c.seq, votes.c.battle_id).where(column.in_(some))):
                    yield row.seq, row.battle_id
