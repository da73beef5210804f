"""What piles up around an act and drains at a steady pace: leaky buckets for a citizen, their networks and the arena, and the work that is asked by them.

Of a bucket only the moment is kept at which it will be empty (the generic cell rate algorithm of ATM Forum TM 4.0): it needs no clock to drain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import orjson
from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Connection,
    Executable,
    String,
    bindparam,
    case,
    cast,
    column,
    func,
    literal_column,
    select,
    type_coerce,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeEngine

from arena.domain.errors import Forbidden
from arena.domain.price import Price, enough
from arena.record.tables import Moment, counters, spent_proofs

US = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Acts of one citizen, network or arena, which drain one after the other."""

    key: str
    act: timedelta
    """How long one act takes to drain."""
    most: timedelta
    """However much is piled up, it has drained after this long."""
    networks: int = 0
    """How many networks' worth it holds; 0 for a citizen's."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof of work that holds for this act."""

    id: str
    tries: int
    """What it takes on average."""
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Work:
    """What an act piles up, and what has been worked for it."""

    buckets: tuple[Bucket, ...]
    price: Price
    proof: Proof | None = None

    def due(self, before: Mapping[str, int]) -> int:
        """Find the price in tries, by the acts that each bucket holds."""
        citizen = max((before[b.key] for b in self.buckets if not b.networks), default=0)
        networks = max((before[b.key] / b.networks for b in self.buckets if b.networks), default=0)
        return self.price.tries(citizen, networks)

    def require(self, before: Mapping[str, int]) -> None:
        """Raise Forbidden where these acts ask for more than has been worked."""
        if not enough(self.proof.tries if self.proof else 0, self.due(before)):
            raise proof_needed()


def _piling(dialect: Literal["sqlite", "postgresql"]) -> Executable:
    """Pour an act into each bucket, in one statement whatever their number: `asked` is JSON of `[[key, act in µs, most in µs], …]`."""
    text = bindparam("asked", type_=String)
    each = func.json_each(text) if dialect == "sqlite" else func.json_array_elements(cast(text, JSON))
    asked = each.table_valued(column("value", JSON)).alias("asked")

    def field(n: int, kind: type[TypeEngine]) -> ColumnElement:
        return cast(asked.c.value.op("->>")(literal_column(str(n))), kind)

    now = bindparam("now", type_=BigInteger)
    chosen = select(field(0, String).label("key"), field(2, BigInteger), now + field(1, BigInteger))
    row = (sqlite.insert if dialect == "sqlite" else postgresql.insert)(counters)
    empty_at = type_coerce(counters.c.expires_at, BigInteger)
    alone = type_coerce(row.excluded.expires_at, BigInteger)
    poured = empty_at + alone - now
    return (
        row.from_select([counters.c.key, counters.c.hits, counters.c.expires_at], chosen.order_by("key"))
        .on_conflict_do_update(
            index_elements=[counters.c.key],
            set_={
                "hits": row.excluded.hits,
                "expires_at": case(
                    (empty_at <= now, alone),
                    (poured - now > row.excluded.hits, now + row.excluded.hits),
                    else_=poured,
                ),
            },
        )
        .returning(counters.c.key, counters.c.expires_at)
    )


# Built once: building a statement costs more than running it.
_PILE = {dialect: _piling(dialect) for dialect in ("sqlite", "postgresql")}
_SPEND = {
    name: insert(spent_proofs).on_conflict_do_nothing().returning(spent_proofs.c.id)
    for name, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
}
_PILED = select(counters.c.key, counters.c.expires_at).where(
    counters.c.key.in_(bindparam("keys", expanding=True)), counters.c.expires_at > bindparam("now", type_=Moment)
)


def piled(connection: Connection, buckets: Sequence[Bucket], now: datetime) -> dict[str, int]:
    """Read how many acts each bucket holds that have not drained, by its key."""
    rows = connection.execute(_PILED, {"keys": [bucket.key for bucket in buckets], "now": now})
    empty_at = {row.key: row.expires_at for row in rows}
    return {bucket.key: _acts(empty_at.get(bucket.key, now) - now, bucket) for bucket in buckets}


def take(connection: Connection, work: Work, now: datetime) -> None:
    """Pile the act up inside the caller's transaction, which has to end with what is raised, and use its proof up.

    Raises:
        Forbidden: more work is due than was shown, or somebody has used the proof before.
    """
    asked = orjson.dumps([[b.key, b.act // US, b.most // US] for b in work.buckets]).decode()
    since_1970 = Moment().process_bind_param(now, connection.dialect)
    rows = connection.execute(_PILE[connection.dialect.name], {"asked": asked, "now": since_1970})
    empty_at = {row.key: row.expires_at for row in rows}
    work.require({b.key: _acts(empty_at[b.key] - b.act - now, b) for b in work.buckets})
    if work.proof is not None:
        spent = {"id": work.proof.id, "expires_at": work.proof.expires_at}
        if connection.execute(_SPEND[connection.dialect.name], spent).one_or_none() is None:
            raise proof_needed()


def _acts(drains: timedelta, bucket: Bucket) -> int:
    return -(-max(drains, timedelta(0)) // bucket.act)


def proof_needed() -> Forbidden:
    """Say that a proof of work is missing, wrong, of less work than is due, or was used before."""
    return Forbidden("proof_needed")
