"""A vote: the citizen's decision, its canonical record and its receipt."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson
import rfc8785

from arena.domain.battle import Battle, Side
from arena.domain.citizen import Citizen, IdentityLevel, keyed_digest
from arena.domain.exposure import UNREAD, Exposure
from arena.domain.questions import QuestionKeys

RECORD_SCHEMA = "kai.vote/2"


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
    marked: bool = False
    """Whether the record has marks: what may have told who is who, or `vote:unread`; the stage says what that means for the fit."""
    seal: str = ""
    """Keyed over the receipt: only the arena can make it, so a vote that somebody writes into the database is known."""


def canonical(record: dict[str, Any]) -> bytes:
    """RFC 8785 canonical JSON: the one byte string everybody hashes."""
    return rfc8785.dumps(record)


def canonical_plain(record: dict[str, Any]) -> bytes:
    """Write the same bytes twenty times faster, for records of strings, whole numbers, null and booleans under ASCII keys.

    With those, RFC 8785 differs in nothing from sorted JSON without spaces; its numbers and its UTF-16 key order only matter elsewhere.
    """
    return orjson.dumps(record, option=orjson.OPT_SORT_KEYS)


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
) -> Vote:
    """Make the vote that will be kept. Texts stand in the record only as keyed digests, so they can be erased later.

    `exposure` is the stage's minimum: a vote below it is marked so.
    """
    question = questions.of(battle.turns[0].prompt) if battle.turns else None
    unread = exposure is not None and not exposure.is_met(battle.turns, now)
    marks = sorted({*battle.leaks, *((UNREAD,) if unread else ())})
    conversation = canonical_plain(
        {
            "turns": [
                {"prompt": t.prompt, **{side: [t.answers[side].status, t.answers[side].text] for side in ("a", "b")}}
                for t in battle.turns
            ]
        }
    ).decode()
    record = canonical_plain(
        {
            "schema": RECORD_SCHEMA,
            "stage": battle.stage_id,
            "battle": battle.id,
            "voter": citizen.id,
            "identity_level": citizen.identity_level,
            "model_a": battle.draw.a,
            "model_b": battle.draw.b,
            "draw": battle.draw.number,
            "question": question,
            "topic": battle.topic,
            "winner": ballot.winner.value,
            "reasons": {side: sorted(tags) for side, tags in ballot.reasons.items()},
            "turns": len(battle.turns),
            "marks": marks,
            "cast_at": now.isoformat(timespec="milliseconds"),
            "conversation": keyed_digest(secret, "conversation", conversation),
            "comment": keyed_digest(secret, "comment", ballot.comment),
        }
    )
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
        marked=bool(marks),
        seal=seal,
    )


def seal_of(secret: bytes, receipt: str) -> str:
    """Compute what shows that the arena itself took this vote; 64 hex characters."""
    return keyed_digest(secret, "seal", receipt)
