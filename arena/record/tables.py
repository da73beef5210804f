"""The tables, as the migrations make them. Votes and events are append-only; everything else may move forward only."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

from arena.domain.battle import SIDES, BattleState
from arena.domain.stage import StageStatus
from arena.domain.vote import Winner

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Moment(TypeDecorator[datetime]):
    """An aware datetime, kept as whole microseconds since 1970 UTC: the same in every database, and it sorts."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """To the database."""
        return None if value is None else (value - _EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        return None if value is None else _EPOCH + timedelta(microseconds=int(value))


def _one_of(column: str, values: object) -> CheckConstraint:
    listed = ", ".join(f"'{v}'" for v in values)  # type: ignore[attr-defined]
    return CheckConstraint(f"{column} IN ({listed})", name=column)


# An autoincrementing key must be INTEGER in SQLite and should be BIGINT elsewhere.
_Serial = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

stages = Table(
    "stages",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("file_sha256", String(64), nullable=False),
    Column("file", Text, nullable=False),
    Column("file_at", Moment),
    Column("draw_seed", String(64), nullable=False),
    Column("beacon", String(256)),
    Column("opening", Text),
    Column("question_key", String(64)),
    Column("draws", BigInteger, nullable=False, default=0),
    Column("created_at", Moment, nullable=False),
    Column("opened_at", Moment),
    Column("frozen_at", Moment),
    Column("published_at", Moment),
    Column("paused_at", Moment),
    _one_of("status", list(StageStatus)),
)

citizens = Table(
    "citizens",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("identity_level", String(16), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("withdrawn_at", Moment),
)

# Who has come to a stage, by a keyed digest of a login or of an invitation, and the subject their pseudonym follows from. Whoever has withdrawn
# has no subject any more: the row says only that. So it has no time and, in SQLite, no place in an order of coming, which would say more.
persons = Table(
    "persons",
    metadata,
    Column("stage_id", ForeignKey("stages.id"), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("subject", String(64)),
    _one_of("kind", ["login", "invitation"]),
    Index("ix_persons_subject", "subject"),
    sqlite_with_rowid=False,
)

consents = Table(
    "consents",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=True),
    Column("citizen_id", ForeignKey("citizens.id"), nullable=False),
    Column("consent_id", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("granted", Boolean, nullable=False),
    Column("at", Moment, nullable=False),
    Index("ix_consents_citizen_id_seq", "citizen_id", "seq"),
)

battles = Table(
    "battles",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("stage_id", ForeignKey("stages.id"), nullable=False),
    Column("citizen_id", ForeignKey("citizens.id"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("model_a", String(64), nullable=False),
    Column("model_b", String(64), nullable=False),
    Column("draw_number", BigInteger, nullable=False),
    Column("draw_available", JSON, nullable=False),
    Column("draw_probability", Float, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("touched_at", Moment, nullable=False),
    Column("lease_owner", String(64)),
    Column("lease_until", Moment),
    Column("stop_requested_at", Moment),
    Column("void_reason", String(64)),
    Column("topic", String(64)),
    Column("repeat_of", BigInteger),
    Column("revealed_at", Moment),
    Column("erased_at", Moment),
    _one_of("state", list(BattleState)),
    CheckConstraint("model_a <> model_b", name="two_entrants"),
    UniqueConstraint("stage_id", "draw_number"),
    Index("ix_battles_citizen_id_opened_at", "citizen_id", "opened_at"),
    Index("ix_battles_state_lease_until", "state", "lease_until"),
    # A battle is repeated once.
    Index(
        "ix_battles_repeats",
        "stage_id",
        "repeat_of",
        unique=True,
        sqlite_where=text("repeat_of IS NOT NULL"),
        postgresql_where=text("repeat_of IS NOT NULL"),
    ),
    # Nearly always empty, so it costs a turn nothing, and who looks for stops reads nothing else.
    Index(
        "ix_battles_stopping",
        "lease_owner",
        sqlite_where=text("stop_requested_at IS NOT NULL"),
        postgresql_where=text("stop_requested_at IS NOT NULL"),
    ),
)

# The processes that serve, as each last said of itself; its word expires unless it is said again.
processes = Table(
    "processes",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("stage_id", ForeignKey("stages.id"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("began_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("running", Integer, nullable=False),
    Column("entrants", JSON, nullable=False),
)

turns = Table(
    "turns",
    metadata,
    Column("battle_id", ForeignKey("battles.id"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("prompt", Text, nullable=False),
    Column("flags", JSON, nullable=False),
    Column("asked_at", Moment, nullable=False),
)

answers = Table(
    "answers",
    metadata,
    Column("battle_id", ForeignKey("battles.id"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("side", String(1), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("sent", Text),
    Column("reasoning", Text, nullable=False),
    Column("error_kind", String(32)),
    Column("error_detail", Text),
    Column("first_token_ms", Integer),
    Column("total_ms", Integer),
    Column("first_shown_ms", Integer),
    Column("shown_chars", Integer, nullable=False),
    Column("shown_ms", Integer),
    Column("prompt_tokens", Integer),
    Column("completion_tokens", Integer),
    Column("dropped_turns", Integer, nullable=False),
    Column("version", String(256)),
    Column("leaks", JSON, nullable=False),
    _one_of("side", list(SIDES)),
    _one_of("status", ["complete", "truncated", "stopped", "failed"]),
)

votes = Table(
    "votes",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=True),
    Column("battle_id", ForeignKey("battles.id"), nullable=False, unique=True),
    Column("stage_id", ForeignKey("stages.id"), nullable=False),
    Column("citizen_id", ForeignKey("citizens.id"), nullable=False),
    Column("identity_level", String(16), nullable=False),
    Column("network", String(32)),
    Column("question", String(96)),
    Column("winner", String(16), nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("comment", Text, nullable=False),
    Column("leaks", JSON(none_as_null=True)),
    Column("cast_at", Moment, nullable=False),
    Column("nonce", LargeBinary),
    Column("record", LargeBinary, nullable=False),
    Column("receipt", String(64), nullable=False, unique=True),
    Column("promise", Text),
    Column("seal", String(64), nullable=False),
    _one_of("winner", list(Winner)),
    Index("ix_votes_stage_id_seq", "stage_id", "seq"),
)

# The order of the ledger: which vote is which leaf of its stage's Merkle tree. Only ever appended to.
leaves = Table(
    "leaves",
    metadata,
    Column("stage_id", ForeignKey("stages.id"), primary_key=True),
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("vote", ForeignKey("votes.seq"), nullable=False, unique=True),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("stage_id", ForeignKey("stages.id"), primary_key=True),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", String(64), nullable=False),
    Column("opening", String(64)),
    Column("at", Moment, nullable=False),
    Column("jws", Text, nullable=False),
)

# What witnesses have said of checkpoints; only ever appended to.
cosignatures = Table(
    "cosignatures",
    metadata,
    Column("stage_id", ForeignKey("stages.id"), primary_key=True),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("witness", String(64), primary_key=True),
    Column("known_since", Moment),
    Column("at", Moment, nullable=False),
    Column("jws", Text, nullable=False),
)

# What time-stamping authorities have answered about checkpoints (RFC 3161); only ever appended to.
timestamps = Table(
    "timestamps",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=True),
    Column("stage_id", ForeignKey("stages.id"), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("tsa", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Index("ix_timestamps_stage_id_size", "stage_id", "size"),
)

# What the limits count, each act in the transaction that does it: hits in a window until it expires; or a bucket, which is empty when it
# expires, and whose hits are the most that it may hold (in µs of draining).
counters = Table(
    "counters",
    metadata,
    Column("key", String(160), primary_key=True),
    Column("hits", BigInteger, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Index("ix_counters_expires_at", "expires_at"),
)

# Proofs of work that were used up, until they expire by themselves.
spent_proofs = Table(
    "spent_proofs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("expires_at", Moment, nullable=False),
)

# One random key for each day: when it is deleted, nobody can turn a digest of that day into a network again.
network_keys = Table(
    "network_keys",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("key", String(64), nullable=False),
)

organizers = Table(
    "organizers",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("password_hash", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
)

# Who is logged in: only a digest of the cookie is kept, and the row goes with the session.
organizer_sessions = Table(
    "organizer_sessions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("entrance", String(16), nullable=False),
    Column("began_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False),
    Column("stage_id", ForeignKey("stages.id")),
    Column("actor", String(64), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("data", JSON, nullable=False),
    Index("ix_events_stage_id_kind", "stage_id", "kind"),
)

# What citizens say about themselves, with their consent: used to weight, never shown of one person.
strata = Table(
    "strata",
    metadata,
    Column("citizen_id", ForeignKey("citizens.id"), primary_key=True),
    Column("stratum", String(64), primary_key=True),
    Column("category", String(64), nullable=False),
    Column("at", Moment, nullable=False),
)

# What was measured of a stage at its freeze, compressed: the sources can be erased, the numbers made from them must not change. And what its
# voters had said of themselves, as Parquet, until its retention ends.
sidecars = Table(
    "sidecars",
    metadata,
    Column("stage_id", ForeignKey("stages.id"), primary_key=True),
    Column("data", LargeBinary, nullable=False),
    Column("strata", LargeBinary),
)

# What was proposed for review when a stage froze, compressed: made once, from texts that may be erased later.
reviews = Table(
    "reviews",
    metadata,
    Column("stage_id", ForeignKey("stages.id"), primary_key=True),
    Column("made_at", Moment, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

# The published exports, each stage's one chain: the document as it was signed, and the files of that moment that others may add to (public keys,
# cosignatures), compressed. Only ever appended to.
finals = Table(
    "finals",
    metadata,
    Column("stage_id", ForeignKey("stages.id"), primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("export_id", String(36), nullable=False, unique=True),
    Column("created_at", Moment, nullable=False),
    Column("reason", Text),
    Column("document", LargeBinary, nullable=False),
    Column("result", LargeBinary, nullable=False),
    Column("beside", LargeBinary, nullable=False),
)

# Who may pull exports: only a digest of the key is kept.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("name", String(64), nullable=False),
    Column("stage_id", String(64)),
    Column("scopes", JSON, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("revoked_at", Moment),
    Column("used_at", Moment),
)

# What has to be pushed to an aggregator, until it has taken it.
outbox = Table(
    "outbox",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=True),
    Column("stage_id", ForeignKey("stages.id"), nullable=False),
    Column("event", String(64), nullable=False),
    Column("url", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("delivered_at", Moment),
    Column("given_up_at", Moment),
    Column("last_error", Text),
    Index("ix_outbox_delivered_at_due_at", "delivered_at", "due_at"),
)
