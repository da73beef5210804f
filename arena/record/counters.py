"""How much was done lately: what the limits count, and each day's key for network digests.

An act is counted in the transaction that does it, in one statement: both are kept or neither, whichever process does it.
"""

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Literal, TypeVar

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
    delete,
    func,
    literal_column,
    select,
    type_coerce,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeEngine

from arena.domain.errors import TooMany
from arena.record.database import Database
from arena.record.pressure import Bucket, Work, piled, take
from arena.record.tables import Moment, counters, network_keys, spent_proofs

T = TypeVar("T")

KEPT_DAYS = 2
"""How long a day's network key lives; afterwards its digests mean nothing to anybody."""


@dataclass(frozen=True, slots=True)
class Bound:
    """At most `most` acts under this key in a window, which begins with its first act."""

    key: str
    most: int
    window: timedelta


@dataclass(frozen=True, slots=True)
class Admission:
    """What one act counts against; the transaction that does the act counts it, see `require`."""

    bounds: tuple[Bound, ...]
    at: datetime
    network: str
    """Today's digest of the network that the act comes from."""
    act: str
    """What is counted: `session`, `battle`, `turn`, `vote`, `change` or `login`."""
    work: Work | None = None
    """What it may cost in work, and the proof that was shown for it."""
    widest_network: str = ""
    """Today's digest of the widest network around it (/16, or /32), which nobody has many of."""

    def refusal(self, until: datetime) -> TooMany:
        """Past a bound whose window ends then."""
        seconds = max(1.0, (until - self.at).total_seconds())
        return TooMany("too_many", act=self.act, minutes=ceil(seconds / 60), retry_after_s=seconds)


def _counting(dialect: Literal["sqlite", "postgresql"]) -> Executable:
    """Add to many counters in one statement of one form, whatever their number: `asked` is JSON of `[[key, hits, window in µs], …]`.

    A window that is over at `now` begins again. The rows are locked in the order of their keys.
    """
    text = bindparam("asked", type_=String)
    each = func.json_each(text) if dialect == "sqlite" else func.json_array_elements(cast(text, JSON))
    asked = each.table_valued(column("value", JSON)).alias("asked")

    def field(n: int, kind: type[TypeEngine[T]]) -> ColumnElement[T]:
        return cast(asked.c.value.op("->>")(literal_column(str(n))), kind)

    now = bindparam("now", type_=Moment)
    chosen = select(
        field(0, String).label("key"), field(1, BigInteger), type_coerce(now, BigInteger) + field(2, BigInteger)
    )
    row = (sqlite.insert if dialect == "sqlite" else postgresql.insert)(counters)
    over = counters.c.expires_at <= now
    return (
        row.from_select([counters.c.key, counters.c.hits, counters.c.expires_at], chosen.order_by("key"))
        .on_conflict_do_update(
            index_elements=[counters.c.key],
            set_={
                "hits": case((over, row.excluded.hits), else_=counters.c.hits + row.excluded.hits),
                "expires_at": case((over, row.excluded.expires_at), else_=counters.c.expires_at),
            },
        )
        .returning(counters.c.key, counters.c.hits, counters.c.expires_at)
    )


# Built once: building a statement costs more than running it.
_COUNT = {dialect: _counting(dialect) for dialect in ("sqlite", "postgresql")}
_TAKE_BACK = (
    update(counters).where(counters.c.key == bindparam("of_key")).values(hits=counters.c.hits - bindparam("refused"))
)


def count(connection: Connection, acts: Sequence[Admission]) -> list[datetime | None]:
    """Count these acts inside the caller's transaction, in their order; for each that is past a bound, say when that bound's window ends.

    Such an act is counted nowhere. The rows of the counters stay locked until the commit (in PostgreSQL; in SQLite there is one writer
    anyway), in the order of their keys, so that two transactions that count the same kind of act never wait for each other in a ring.
    """
    asked = Counter(bound.key for act in acts for bound in act.bounds)
    if not asked:
        return [None] * len(acts)
    windows = {bound.key: bound.window // timedelta(microseconds=1) for act in acts for bound in act.bounds}
    rows = orjson.dumps([[key, hits, windows[key]] for key, hits in asked.items()]).decode()
    now = max(act.at for act in acts)
    counted = connection.execute(_COUNT[connection.dialect.name], {"asked": rows, "now": now}).all()
    before = {row.key: row.hits - asked[row.key] for row in counted}
    until = {row.key: row.expires_at for row in counted}
    refused_until: list[datetime | None] = []
    over = Counter[str]()
    for act in acts:
        full = next((bound.key for bound in act.bounds if before[bound.key] >= bound.most), None)
        for bound in act.bounds:
            (before if full is None else over)[bound.key] += 1
        refused_until.append(None if full is None else until[full])
    if over:
        connection.execute(_TAKE_BACK, [{"of_key": key, "refused": n} for key, n in sorted(over.items())])
    return refused_until


def require(connection: Connection, act: Admission | None) -> None:
    """Count one act inside the caller's transaction, and take its proof of work; without an admission count nothing.

    Raises:
        TooMany: past a bound; says when it ends. The caller's transaction has to end with it.
        Forbidden: as `pressure.take`.
    """
    if act is None:
        return
    (until,) = count(connection, [act])
    if until is not None:
        raise act.refusal(until)
    if act.work is not None:
        take(connection, act.work, act.at)


class Counters:
    """Counts and daily keys, shared by every process on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._day_key: tuple[str, bytes] = ("", b"")

    def count(self, act: Admission) -> None:
        """Count an act that nothing else is kept of, such as a login.

        Raises:
            TooMany, Forbidden: as `require`.
        """
        with self._database.writing() as connection:
            require(connection, act)

    def require_room(self, act: Admission) -> None:
        """Refuse an act that is past a bound, as counting it would, but count nothing.

        Raises:
            TooMany: past a bound; says when it ends.
        """
        most = {bound.key: bound.most for bound in act.bounds}
        chosen = select(counters).where(counters.c.key.in_(most), counters.c.expires_at > act.at)
        with self._database.reading() as connection:
            for row in connection.execute(chosen):
                if row.hits >= most[row.key]:
                    raise act.refusal(row.expires_at)

    def piled(self, buckets: Sequence[Bucket], now: datetime) -> dict[str, int]:
        """Read how many acts each bucket holds, by its key."""
        with self._database.reading() as connection:
            return piled(connection, buckets, now)

    def held(self, key: str, now: datetime) -> int:
        """Read what a counter holds."""
        chosen = select(counters.c.hits).where(counters.c.key == key, counters.c.expires_at > now)
        with self._database.reading() as connection:
            return connection.execute(chosen).scalar_one_or_none() or 0

    def network_key(self, now: datetime) -> bytes:
        """Return the key of this day (UTC), made by whichever process asks first: one transaction a day."""
        day = now.date().isoformat()
        if self._day_key[0] != day:
            kept = select(network_keys.c.key).where(network_keys.c.day == day)
            with self._database.reading() as connection:
                key = connection.execute(kept).scalar_one_or_none()
            if key is None:
                insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
                row = insert(network_keys).values(day=day, key=secrets.token_hex(32))
                with self._database.writing() as connection:
                    connection.execute(row.on_conflict_do_nothing())
                    key = connection.execute(kept).scalar_one()
            self._day_key = (day, bytes.fromhex(key))
        return self._day_key[1]

    def sweep(self, now: datetime) -> None:
        """Delete what has expired, the keys of past days too."""
        oldest = (now - timedelta(days=KEPT_DAYS)).date().isoformat()
        # A counter that somebody is just beginning again is left alone: nobody's act waits for the sweep, nor in a ring with it.
        over = select(counters.c.key).where(counters.c.expires_at <= now).with_for_update(skip_locked=True)
        with self._database.writing() as connection:
            connection.execute(delete(counters).where(counters.c.key.in_(over)))
            connection.execute(delete(spent_proofs).where(spent_proofs.c.expires_at <= now))
            connection.execute(delete(network_keys).where(network_keys.c.day <= oldest))
