"""A vote: the citizen's decision, its canonical record and its receipt."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypedDict

import orjson
import rfc8785

from arena.domain.battle import Battle, Side
from arena.domain.citizen import Citizen, IdentityLevel, keyed_digest
from arena.domain.exposure import UNREAD, Exposure
from arena.domain.questions import QuestionKeys

RECORD_SCHEMA = "kai.vote/2"
NONCE_BYTES = 32


class Winner(StrEnum):
    """What a citizen may decide. `both_bad` says that neither answer would do."""

    MODEL_A = "model_a"
    MODEL_B = "model_b"
    TIE = "tie"
    BOTH_BAD = "both_bad"


@dataclass(frozen=True, slots=True)
class Ballot:
    """What the citizen sends: the winner, tags per side, a comment."""

    winner: Winner
    reasons: dict[Side, tuple[str, ...]]
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Vote:
    """A cast vote. `record` is the Merkle leaf's content, `receipt` its hash."""

    battle_id: str
    stage_id: str
    citizen_id: str
    ballot: Ballot
    cast_at: datetime
    record: bytes
    receipt: str
    identity_level: IdentityLevel = "anonymous"
    question: str | None = None
    """The key of its first question (`arena.domain.questions`)."""
    leaks: tuple[str, ...] = ()
    """What may have told who is who, and `vote:unread`; the stage says what that means for the fit."""
    nonce: bytes = b""
    """What keeps whoever holds the record from trying out what it hides."""
    promise: str = ""
    """The arena's signed word that it will be in the ledger (`arena.domain.promise`); invented votes have none."""
    seal: str = ""
    """Keyed over the receipt: only the arena can make it, so a vote that somebody writes into the database is known."""


class Readable(TypedDict):
    """What the sealed record says openly: its citizen has seen or said all of it."""

    stage: str
    battle: str
    winner: str
    reasons: Mapping[Side, Sequence[str]]
    turns: int
    conversation: str
    """A keyed digest."""
    comment: str
    """A keyed digest."""
    cast_at: str


class Hidden(TypedDict):
    """What the sealed record only commits to: who voted, who the sides were, and what would tell."""

    voter: str
    identity_level: str
    model_a: str
    model_b: str
    draw: int
    question: str | None
    topic: str | None
    leaks: Sequence[str]


def canonical(record: dict[str, Any]) -> bytes:
    """RFC 8785 canonical JSON: the one byte string everybody hashes."""
    return rfc8785.dumps(record)


def canonical_plain(record: dict[str, Any]) -> bytes:
    """Write the same bytes twenty times faster, for records of strings, whole numbers, null and booleans under ASCII keys.

    With those, RFC 8785 differs in nothing from sorted JSON without spaces; its numbers and its UTF-16 key order only matter elsewhere.
    """
    return orjson.dumps(record, option=orjson.OPT_SORT_KEYS)


def hidden_digest(hidden: Hidden, nonce: bytes) -> str:
    """Commit to what a record hides: SHA-256 of the nonce and the canonical JSON behind it; 64 hex characters.

    There are few entrants and one's own pseudonym is easily learnt: without the 256 random bits whoever holds the record would try them all.
    """
    return hashlib.sha256(nonce + canonical_plain({**hidden})).hexdigest()


def sealed_record(readable: Readable, hidden: Hidden, nonce: bytes) -> bytes:
    """Write the Merkle leaf's content, which its citizen may read: what is readable, and the digest of what is hidden."""
    return canonical_plain({"schema": RECORD_SCHEMA, **readable, "hidden": hidden_digest(hidden, nonce)})


def leaf_hash(record: bytes) -> str:
    """RFC 9162 §2.1.1: SHA-256 of a zero byte and the leaf's content; 64 hex characters."""
    return hashlib.sha256(b"\x00" + record).hexdigest()


def cast(
    battle: Battle,
    citizen: Citizen,
    ballot: Ballot,
    now: datetime,
    secret: bytes,
    questions: QuestionKeys,
    exposure: Exposure | None = None,
    nonce: bytes | None = None,
) -> Vote:
    """Make the vote that will be kept. Texts stand in the record only as keyed digests, so they can be erased later.

    Args:
        battle: as it was judged, with its conversation.
        citizen: whose vote it is.
        ballot: what was decided.
        now: when.
        secret: keys the digests and the seal.
        questions: makes the key of the first question.
        exposure: the stage's minimum; a vote below it says so.
        nonce: 32 bytes for what the record hides; random ones, unless a simulation gives its own.
    """
    nonce = secrets.token_bytes(NONCE_BYTES) if nonce is None else nonce
    question = questions.of(battle.turns[0].prompt) if battle.turns else None
    unread = exposure is not None and not exposure.is_met(battle.turns, now)
    leaks = tuple(sorted({*battle.leaks, *((UNREAD,) if unread else ())}))
    conversation = canonical_plain(
        {
            "turns": [
                {"prompt": t.prompt, **{side: [t.answers[side].status, t.answers[side].text] for side in ("a", "b")}}
                for t in battle.turns
            ]
        }
    ).decode()
    readable: Readable = {
        "stage": battle.stage_id,
        "battle": battle.id,
        "winner": ballot.winner.value,
        "reasons": {side: sorted(tags) for side, tags in ballot.reasons.items()},
        "turns": len(battle.turns),
        "conversation": keyed_digest(secret, "conversation", conversation),
        "comment": keyed_digest(secret, "comment", ballot.comment),
        "cast_at": now.isoformat(timespec="milliseconds"),
    }
    hidden: Hidden = {
        "voter": citizen.id,
        "identity_level": citizen.identity_level,
        "model_a": battle.draw.a,
        "model_b": battle.draw.b,
        "draw": battle.draw.number,
        "question": question,
        "topic": battle.topic,
        "leaks": leaks,
    }
    record = sealed_record(readable, hidden, nonce)
    receipt = leaf_hash(record)
    seal = seal_of(secret, receipt)
    return Vote(
        battle_id=battle.id,
        stage_id=battle.stage_id,
        citizen_id=citizen.id,
        ballot=ballot,
        cast_at=now,
        record=record,
        receipt=receipt,
        identity_level=citizen.identity_level,
        question=question,
        leaks=leaks,
        nonce=nonce,
        seal=seal,
    )


def seal_of(secret: bytes, receipt: str) -> str:
    """Compute what shows that the arena itself took this vote; 64 hex characters."""
    return keyed_digest(secret, "seal", receipt)
