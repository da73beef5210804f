"""What an export rests on: every sealed vote and every draw as a Parquet table, from which a stranger recomputes all numbers."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from io import BytesIO
from itertools import islice
from types import MappingProxyType
from typing import Any, Self, TypeVar

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from arena.domain.battle import TOO_LONG, BattleState
from arena.domain.errors import ArenaError
from arena.domain.exposure import UNREAD
from arena.domain.leaks import bits
from arena.domain.stage import Stage
from arena.domain.vote import NONCE_BYTES, sealed_record
from arena.record.draws import DrawnBattle
from arena.record.votes import VoteRow
from arena.results.votes.annotations import STYLE, Annotations
from arena.results.votes.inclusion import REASONS, Rule

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
        pa.field("question", pa.string()),
        pa.field("topic", pa.string()),
        pa.field("reasons_a", pa.list_(pa.string()), nullable=False),
        pa.field("reasons_b", pa.list_(pa.string()), nullable=False),
        pa.field("leaks", pa.list_(pa.string()), nullable=False),
        pa.field("cast_at", pa.string(), nullable=False),
        pa.field("conversation_digest", pa.string(), nullable=False),
        pa.field("comment_digest", pa.string(), nullable=False),
        pa.field("nonce", pa.string(), nullable=False),
        pa.field("receipt", pa.string(), nullable=False),
        pa.field("left_out", pa.string()),
        pa.field("proposal", pa.int32()),
        pa.field("acts", pa.list_(pa.int32()), nullable=False),
        pa.field("weight", pa.float64()),
        pa.field("version_a", pa.int16()),
        pa.field("version_b", pa.int16()),
        pa.field("language", pa.string()),
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
    "identity_level": "how well the voter's identity was checked: anonymous, email, verified, or invited by a panel's code",
    "draw": "the number of the draw, the row of draws.parquet it belongs to",
    "question": "the key of the first question, equal for equal ones: `starter:…` for one that the page offered, whatever stands in its brackets; else an HMAC of its letters and digits under a key that is forgotten with the texts; empty where it has none",
    "topic": "what the citizen said it is about; empty where nothing was said",
    "reasons_a": "tags on side a",
    "reasons_b": "tags on side b",
    "leaks": "what may have told the voter who is who: `prompt:asks_identity`; `a:self:…` or `b:…`, also `posing`, `own` and `rival`, with whose name, and `:prompted` behind it where a prompt had brought it up; and `vote:unread` where it was cast below `protocol.min_exposure`",
    "cast_at": "the same moment as it stands in the sealed record",
    "conversation_digest": "a keyed digest of the conversation",
    "comment_digest": "a keyed digest of the comment",
    "nonce": "32 bytes in hexadecimal: SHA-256 of them and the canonical `judge` (as `voter`), `identity_level`, `model_a`, `model_b`, `draw`, `question`, `topic` and `leaks` is the `hidden` of the sealed record",
    "receipt": "the vote's receipt, which is its leaf in the Merkle tree; the rows stand in the tree's order",
    "left_out": "why the vote is not in the fit; empty when it is",
    "proposal": "the place in `review.proposals`, from 0, of the one that named this vote, followed or not; empty where none did",
    "acts": "the places in `exclusion_acts`, from 0, of every act that named this vote, in order",
    "weight": "the voter's weight in the weighted variant, to be divided by the voter's votes in that fit; ten people or more share each; empty for voters without a vote in the fit, and when the stage has none",
    "version_a": "which of the entrant's `versions` in export.json gave every answer on side a, from 0; empty where its endpoint does not say, or several did",
    "version_b": "the same on side b",
    "language": "of the first prompt, by its letters: ko, en (any Latin script), mixed or other; empty when the texts had been erased before the freeze",
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
        pa.field("tstamp", pa.float64(), nullable=False),
        pa.field("repeat_of", pa.int64()),
        pa.field("outcome", pa.string(), nullable=False),
        pa.field("void_reason", pa.string()),
    ]
)
DRAW_COLUMNS = {
    "draw": "counts the stage's draws from 1, without a gap",
    "model_a": "the entrant drawn for side a",
    "model_b": "the entrant drawn for side b",
    "available": "the entrants that could be drawn at that moment, joined by commas; of a repeat, the numbers of the draws that could be shown again",
    "probability": "of this ordered pair among all that could be drawn",
    "tstamp": "when it was drawn, in seconds since 1970 UTC, to the millisecond",
    "repeat_of": "the number of the draw that this one showed its voter again, answers kept, sides swapped; empty for all others",
    "outcome": "voted; void (an answer failed, so nobody was asked to judge); unvoted (the citizen left, or a question did not fit a model's context)",
    "void_reason": "why a void battle is void: answer_failed, or answer_filtered where only the entrant's own filter cut it",
}
OUTCOMES = ("voted", "void", "unvoted")
"""What became of a draw; `DrawTable.outcome` holds indices into them."""

CHUNK = 5_000
"""Rows held as Python objects at a time."""
ROW_GROUP = 1_048_576
"""Rows of a row group: part of the bytes that an export's hashes are over."""
NO_ANNOTATIONS = Annotations({}, {}, None)
_NO_STYLE = (None,) * len(STYLE)
_NONCE = re.compile(f"[0-9a-f]{{{2 * NONCE_BYTES}}}")
_Row = TypeVar("_Row")


class Versions(dict[str, list[str]]):
    """By entrant, what is known to have answered, in the order in which it was first voted on; codes are places in these lists."""

    @classmethod
    def of(cls, stage: Stage) -> Self:
        """Begin with none of any entrant."""
        return cls({entrant: [] for entrant in stage.entrant_ids})

    def code(self, entrant: str, version: str | None) -> int | None:
        """Give a version its code, a new one where it is new; none where it is not known, and to controls."""
        known = self.get(entrant)
        if version is None or known is None:
            return None
        if version not in known:
            known.append(version)
        return known.index(version)


class EvidenceError(ArenaError):
    """The record cannot be turned into evidence, or evidence not be read: it does not say what was sealed."""


class ParquetBuffer:
    """A Parquet file that grows in memory, compressed; the same rows give the same bytes, however they come."""

    def __init__(self, schema: pa.Schema, row_group: int = ROW_GROUP) -> None:
        """Write nothing yet."""
        self._buffer = BytesIO()
        self._schema = schema
        self._row_group = row_group
        self._writer = pq.ParquetWriter(self._buffer, schema, compression="zstd")
        self._waiting: list[pa.RecordBatch] = []
        self._written = 0

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append these, at most one row group of them."""
        self._waiting.append(pa.RecordBatch.from_pylist(list(rows), schema=self._schema))
        while sum(batch.num_rows for batch in self._waiting) >= self._row_group:
            self._write()

    def bytes(self) -> bytes:
        """End the file."""
        if self._waiting or not self._written:
            self._write()
        self._writer.close()
        return self._buffer.getvalue()

    def _write(self) -> None:
        table = pa.Table.from_batches(self._waiting, schema=self._schema)
        group = table.slice(0, self._row_group).combine_chunks()
        self._writer.write_table(group, row_group_size=self._row_group)
        self._written += 1
        rest = table.slice(self._row_group)
        self._waiting = rest.to_batches() if rest.num_rows else []


def votes_file(
    rows: Iterable[VoteRow],
    stage: Stage,
    rule: Rule,
    beside: Annotations = NO_ANNOTATIONS,
    acts: Mapping[str, Sequence[int]] = MappingProxyType({}),
    proposals: Mapping[str, int] = MappingProxyType({}),
    versions: Versions | None = None,
) -> bytes:
    """Write `votes.parquet`: the sealed votes in the order of the ledger, each with why it is left out of the fit.

    Args:
        rows: from `Votes.sealed`.
        stage: theirs.
        rule: says which votes count.
        beside: style counts, languages and weights.
        acts: by battle, the places of the acts that name its vote.
        proposals: by battle, the place of the proposal that does.
        versions: grows by those that the rows have answers of.

    Raises:
        EvidenceError: a sealed record cannot be rebuilt from the columns.
    """
    file, versions = ParquetBuffer(VOTES), Versions.of(stage) if versions is None else versions
    for some in _chunks(rows):
        votes = [_vote(row, beside) for row in some]
        repeat = np.array([row.repeat_of is not None for row in some], np.bool_)
        for vote, code in zip(votes, _excluded_by(votes, stage, rule, repeat), strict=True):
            vote["left_out"] = REASONS[code] or None
            vote["proposal"] = proposals.get(vote["question_id"])
            vote["acts"] = acts.get(vote["question_id"], ())
        for vote, row in zip(votes, some, strict=True):
            vote["version_a"] = versions.code(row.model_a, row.version_a)
            vote["version_b"] = versions.code(row.model_b, row.version_b)
        file.add(votes)
    return file.bytes()


def _vote(row: VoteRow, beside: Annotations) -> dict[str, Any]:
    told = orjson.loads(row.record)
    made = {
        "question_id": told["battle"],
        "model_a": row.model_a,
        "model_b": row.model_b,
        "winner": told["winner"],
        "judge": row.voter,
        "turn": told["turns"],
        "anony": True,
        # The sealed moment has milliseconds, the record's column microseconds: what is published is what was sealed.
        "tstamp": datetime.fromisoformat(told["cast_at"]).timestamp(),
        "identity_level": row.identity_level,
        "draw": row.draw,
        "question": row.question,
        "topic": row.topic,
        "reasons_a": told["reasons"]["a"],
        "reasons_b": told["reasons"]["b"],
        "leaks": list(row.leaks),
        "cast_at": told["cast_at"],
        "conversation_digest": told["conversation"],
        "comment_digest": told["comment"],
        "nonce": row.nonce.hex(),
        "receipt": row.receipt,
        "weight": None if beside.weights is None else beside.weights.get(row.voter),
        "language": beside.languages.get(row.battle_id),
        **dict(zip(STYLE, beside.styles.get(row.battle_id, _NO_STYLE), strict=True)),
    }
    if len(row.nonce) != NONCE_BYTES or record_of(told["stage"], made) != row.record:
        raise EvidenceError("record_form_unknown", vote=row.receipt[:12])
    return made


def _excluded_by(votes: Sequence[Mapping[str, Any]], stage: Stage, rule: Rule, repeat: NDArray[np.bool_]) -> list[int]:
    """Give, for each vote, its index into `REASONS`."""
    entrants = entrants_of(stage)
    place = {entrant: code for code, entrant in enumerate(entrants)}
    a, b = (np.array([place[vote[side]] for vote in votes], np.int16) for side in ("model_a", "model_b"))
    leaks = np.array([bits(vote["leaks"]) for vote in votes], np.int32)
    unread = np.array([UNREAD in vote["leaks"] for vote in votes], np.bool_)
    decided = [REASONS.index(rule.excluded.get(vote["question_id"], "")) for vote in votes]
    return rule.codes(entrants, a, b, leaks, unread, np.array(decided, np.int8), repeat).tolist()


def entrants_of(stage: Stage) -> tuple[str, ...]:
    """List the stage's entrants, then its controls: what a table's `a` and `b` are indices into."""
    return tuple(entrant.id for entrant in (*stage.entrants, *stage.controls))


def record_of(stage_id: str, row: Mapping[str, Any]) -> bytes:
    """Write the leaf's content that these columns stand for: byte for byte what the arena sealed when the vote was cast.

    Raises:
        ValueError: the nonce is none.
    """
    if not _NONCE.fullmatch(row["nonce"]):
        raise ValueError("not 32 bytes in hexadecimal")
    return sealed_record(
        {
            "stage": stage_id,
            "battle": row["question_id"],
            "winner": row["winner"],
            "reasons": {"a": list(row["reasons_a"]), "b": list(row["reasons_b"])},
            "turns": row["turn"],
            "conversation": row["conversation_digest"],
            "comment": row["comment_digest"],
            "cast_at": row["cast_at"],
        },
        {
            "voter": row["judge"],
            "identity_level": row["identity_level"],
            "model_a": row["model_a"],
            "model_b": row["model_b"],
            "draw": row["draw"],
            "question": row["question"],
            "topic": row["topic"],
            "leaks": list(row["leaks"]),
        },
        bytes.fromhex(row["nonce"]),
    )


def draws_file(drawn: Iterable[DrawnBattle], voted: NDArray[np.int64], frozen_at: datetime | None) -> bytes:
    """Write `draws.parquet`: every draw and what became of it.

    Args:
        drawn: from `Battles.drawn`.
        voted: the draws with a vote in `votes.parquet`.
        frozen_at: when the stage froze; what happened to a battle later does not count. None before the freeze.
    """
    file = ParquetBuffer(DRAWS)
    for some in _chunks(drawn):
        judged = np.isin([battle.draw.number for battle in some], voted).tolist()
        file.add([_draw(battle, is_judged, frozen_at) for battle, is_judged in zip(some, judged, strict=True)])
    return file.bytes()


def became(battle: DrawnBattle, judged: bool, frozen_at: datetime | None) -> str:
    """Tell what became of a draw, one of `OUTCOMES`; what happened to a battle after the freeze does not count."""
    in_time = frozen_at is None or battle.touched_at <= frozen_at
    failed = battle.state is BattleState.VOID and battle.void_reason != TOO_LONG
    return "voted" if judged else "void" if failed and in_time else "unvoted"


def _draw(battle: DrawnBattle, judged: bool, frozen_at: datetime | None) -> dict[str, Any]:
    outcome = became(battle, judged, frozen_at)
    return {
        "draw": battle.draw.number,
        "model_a": battle.draw.a,
        "model_b": battle.draw.b,
        "available": ",".join(battle.draw.available),
        "probability": battle.draw.probability,
        "tstamp": battle.drawn_at.replace(microsecond=battle.drawn_at.microsecond // 1000 * 1000).timestamp(),
        "repeat_of": battle.draw.repeat_of,
        "outcome": outcome,
        "void_reason": battle.void_reason if outcome == "void" else None,
    }


def _chunks(rows: Iterable[_Row]) -> Iterator[list[_Row]]:
    """Give the rows, a few thousand at a time."""
    iterator = iter(rows)
    while some := list(islice(iterator, CHUNK)):
        yield some
