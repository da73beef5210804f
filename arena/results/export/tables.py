"""What an export rests on: every sealed vote and every draw as a table, from which a stranger recomputes all numbers."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from io import BytesIO
from typing import Any

import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from arena.domain.battle import TOO_LONG, BattleState, Draw
from arena.domain.errors import ArenaError
from arena.domain.vote import RECORD_SCHEMA, canonical_plain
from arena.record.battles import DrawnBattle
from arena.record.votes import VoteRow
from arena.results.votes.annotations import STYLE, Sidecar
from arena.results.votes.inclusion import Rule

VOTES = pa.schema(
    [
        pa.field("question_id", pa.string(), nullable=False),
        pa.field("model_a", pa.string(), nullable=False),
        pa.field("model_b", pa.string(), nullable=False),
        pa.field("winner", pa.string(), nullable=False),
        pa.field("judge", pa.string(), nullable=False),
        pa.field("turn", pa.int32(), nullable=False),
        pa.field("anony", pa.bool_(), nullable=False),
        pa.field("tstamp", pa.float64(), nullable=False),
        pa.field("identity_level", pa.string(), nullable=False),
        pa.field("draw", pa.int64(), nullable=False),
        pa.field("reasons_a", pa.list_(pa.string()), nullable=False),
        pa.field("reasons_b", pa.list_(pa.string()), nullable=False),
        pa.field("marks", pa.list_(pa.string()), nullable=False),
        pa.field("cast_at", pa.string(), nullable=False),
        pa.field("conversation_digest", pa.string(), nullable=False),
        pa.field("comment_digest", pa.string(), nullable=False),
        pa.field("receipt", pa.string(), nullable=False),
        pa.field("left_out", pa.string()),
        pa.field("weight", pa.float64()),
        *(pa.field(name, pa.int32()) for name in STYLE),
    ]
)
_STYLE_WORDS = {
    "length": "characters of the answers",
    "headers": "Markdown headers in them",
    "bold": "bold spans",
    "lists": "list items",
}
VOTE_COLUMNS = {
    "question_id": "the battle's identifier",
    "model_a": "the entrant on side a",
    "model_b": "the entrant on side b",
    "winner": "model_a, model_b, tie or both_bad",
    "judge": "the voter's pseudonym: the same person within the arena, nobody outside it",
    "turn": "how many prompts the conversation had",
    "anony": "always true: the voter did not know who answered",
    "tstamp": "when the vote was cast, in seconds since 1970 UTC",
    "identity_level": "how well the voter's identity was checked: anonymous, email or verified",
    "draw": "the number of the draw, the row of draws.parquet it belongs to",
    "reasons_a": "tags on side a",
    "reasons_b": "tags on side b",
    "marks": "what may have told the voter who is who; empty for a blind battle",
    "cast_at": "the same moment as it stands in the sealed record",
    "conversation_digest": "a keyed digest of the conversation",
    "comment_digest": "a keyed digest of the comment",
    "receipt": "the vote's receipt, which is its leaf in the Merkle tree; the rows stand in the tree's order",
    "left_out": "why the vote is not in the fit; empty when it is",
    "weight": "the vote's weight in the weighted variant; empty when the stage has none",
    **{
        f"{mark}_{side}": f"{words} on side {side}, all turns together; empty when the texts had been erased before the freeze"
        for side in "ab"
        for mark, words in _STYLE_WORDS.items()
    },
}
DRAWS = pa.schema(
    [
        pa.field("draw", pa.int64(), nullable=False),
        pa.field("model_a", pa.string(), nullable=False),
        pa.field("model_b", pa.string(), nullable=False),
        pa.field("available", pa.string(), nullable=False),
        pa.field("probability", pa.float64(), nullable=False),
        pa.field("outcome", pa.string(), nullable=False),
        pa.field("void_reason", pa.string()),
    ]
)
DRAW_COLUMNS = {
    "draw": "counts the stage's draws from 1, without a gap",
    "model_a": "the entrant drawn for side a",
    "model_b": "the entrant drawn for side b",
    "available": "the entrants that could be drawn at that moment, joined by commas",
    "probability": "of this ordered pair among all that could be drawn",
    "outcome": "voted; void (an answer failed, so nobody was asked to judge); unvoted (the citizen left, or a question did not fit a model's context)",
    "void_reason": "why a void battle is void: answer_failed, or answer_filtered where only the entrant's own filter cut it",
}


NOTHING_BESIDE = Sidecar({}, None, None)
_NO_STYLE = (None,) * len(STYLE)


class EvidenceError(ArenaError):
    """The record cannot be turned into evidence: it does not say what was sealed."""

    def __init__(self, en: str) -> None:
        super().__init__("evidence", en, en)


def votes_table(rows: Iterable[VoteRow], rule: Rule, beside: Sidecar = NOTHING_BESIDE) -> pa.Table:
    """The sealed votes in the order of the ledger, each with why it is left out of the fit.

    Args:
        rows: from `Votes.sealed`.
        rule: says which votes count.
        beside: style counts and weights.

    Raises:
        EvidenceError: a sealed record cannot be rebuilt from the columns.
    """
    return pa.Table.from_pylist([_vote(row, rule, beside) for row in rows], schema=VOTES)


def _vote(row: VoteRow, rule: Rule, beside: Sidecar) -> dict[str, Any]:
    told = orjson.loads(row.record)
    made = {
        "question_id": told["battle"],
        "model_a": told["model_a"],
        "model_b": told["model_b"],
        "winner": told["winner"],
        "judge": told["voter"],
        "turn": told["turns"],
        "anony": True,
        # The sealed moment has milliseconds, the record's column microseconds: what is published is what was sealed.
        "tstamp": datetime.fromisoformat(told["cast_at"]).timestamp(),
        "identity_level": told["identity_level"],
        "draw": told["draw"],
        "reasons_a": told["reasons"]["a"],
        "reasons_b": told["reasons"]["b"],
        "marks": told["marks"],
        "cast_at": told["cast_at"],
        "conversation_digest": told["conversation"],
        "comment_digest": told["comment"],
        "receipt": row.receipt,
        "left_out": rule.left_out(row.battle_id, told["model_a"], told["model_b"], marked=bool(told["marks"])),
        "weight": None if beside.weights is None else beside.weights.get(told["voter"]),
        **dict(zip(STYLE, beside.styles.get(row.battle_id, _NO_STYLE), strict=True)),
    }
    if sealed_record(told["stage"], made) != row.record:
        raise EvidenceError(f"the record of vote {row.receipt[:12]}… has a form this version cannot publish")
    return made


def sealed_record(stage_id: str, row: Mapping[str, Any]) -> bytes:
    """The leaf's content that these columns stand for: byte for byte what the arena sealed when the vote was cast."""
    return canonical_plain(
        {
            "schema": RECORD_SCHEMA,
            "stage": stage_id,
            "battle": row["question_id"],
            "voter": row["judge"],
            "identity_level": row["identity_level"],
            "model_a": row["model_a"],
            "model_b": row["model_b"],
            "draw": row["draw"],
            "winner": row["winner"],
            "reasons": {"a": list(row["reasons_a"]), "b": list(row["reasons_b"])},
            "turns": row["turn"],
            "marks": list(row["marks"]),
            "cast_at": row["cast_at"],
            "conversation": row["conversation_digest"],
            "comment": row["comment_digest"],
        }
    )


def draws_table(drawn: Iterable[DrawnBattle], voted: set[str], frozen_at: Any) -> pa.Table:
    """Every draw and what became of it.

    Args:
        drawn: from `Battles.drawn`.
        voted: the battles with a vote in the votes table.
        frozen_at: when the stage froze; what happened to a battle later does not count. None before the freeze.
    """
    return pa.Table.from_pylist(list(_draws(drawn, voted, frozen_at)), schema=DRAWS)


def _draws(drawn: Iterable[DrawnBattle], voted: set[str], frozen_at: Any) -> Iterator[dict[str, Any]]:
    for battle in drawn:
        outcome = "voted" if battle.battle_id in voted else "unvoted"
        in_time = frozen_at is None or battle.touched_at <= frozen_at
        failed = battle.state is BattleState.VOID and battle.void_reason != TOO_LONG
        if outcome == "unvoted" and failed and in_time:
            outcome = "void"
        yield {
            "draw": battle.draw.number,
            "model_a": battle.draw.a,
            "model_b": battle.draw.b,
            "available": ",".join(battle.draw.available),
            "probability": battle.draw.probability,
            "outcome": outcome,
            "void_reason": battle.void_reason if outcome == "void" else None,
        }


def draw_of(row: Mapping[str, Any]) -> Draw:
    """A row of the draws table as a draw."""
    available = tuple(row["available"].split(","))
    return Draw(row["model_a"], row["model_b"], row["draw"], available, row["probability"])


def parquet(table: pa.Table) -> bytes:
    """The table as a Parquet file: the same table always gives the same bytes."""
    buffer = BytesIO()
    pq.write_table(table, buffer, compression="zstd", use_dictionary=True)
    return buffer.getvalue()


def read(data: bytes, schema: pa.Schema, name: str) -> pa.Table:
    """Reads a table that has exactly these columns.

    Raises:
        EvidenceError: not Parquet, or other columns.
    """
    try:
        table = pq.read_table(BytesIO(data))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise EvidenceError(f"{name}: not a Parquet file that can be read ({error})") from None
    if table.schema.names != schema.names or [f.type for f in table.schema] != [f.type for f in schema]:
        raise EvidenceError(f"{name}: its columns are not those of this schema version")
    return table


def frame(votes: pa.Table) -> pd.DataFrame:
    """The columns that ratings need, of all votes."""
    return votes.select(["model_a", "model_b", "winner", "judge", "marks", "left_out", "weight", *STYLE]).to_pandas()
