"""The public dataset of a stage: battles and votes of those who agreed, texts where they agreed to that too and nothing personal was found."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import rfc8785

from arena import __version__
from arena.domain import privacy
from arena.domain.battle import SIDES, Side, Turn
from arena.domain.errors import Conflict, Unusable
from arena.domain.stage import TEXTS_CONSENT, VOTES_CONSENT, Stage
from arena.record.keys import Keys
from arena.record.store import Store
from arena.results.export import bundle as exports
from arena.results.export import tables
from arena.results.export.document import VOTES, kst, signed_bytes
from arena.results.votes.annotations import STYLE
from arena.results.votes.chronicle import language
from arena.results.votes.inclusion import rating_seed
from arena.results.votes.sealed import known
from ratings.comparison import Comparisons
from ratings.errors import NothingToRateError
from ratings.fit import rate
from ratings.score import Transform

SCHEMA = "kai.release/1"
MADE = "release.made"
BATTLES, LEFT_OUT, META, CARD, JWKS = "battles.parquet", "left_out.parquet", "release.json", "README.md", "jwks.json"
AI_LABEL = {
    "ko": "conversation_a와 conversation_b의 assistant 글은 생성형 인공지능(AI)이 만든 것입니다.",
    "en": "The assistant's texts in conversation_a and conversation_b were written by generative AI.",
}
CHUNK = 500

_CONVERSATION = pa.list_(pa.struct([pa.field("role", pa.string()), pa.field("content", pa.string())]))
COLUMNS = pa.schema(
    [
        pa.field("question_id", pa.string(), nullable=False),
        pa.field("model_a", pa.string(), nullable=False),
        pa.field("model_b", pa.string(), nullable=False),
        pa.field("winner", pa.string(), nullable=False),
        pa.field("judge", pa.string(), nullable=False),
        pa.field("conversation_a", _CONVERSATION),
        pa.field("conversation_b", _CONVERSATION),
        pa.field("turn", pa.int32(), nullable=False),
        pa.field("anony", pa.bool_(), nullable=False),
        pa.field("language", pa.string()),
        pa.field("tstamp", pa.float64(), nullable=False),
        pa.field("reasons_a", pa.list_(pa.string()), nullable=False),
        pa.field("reasons_b", pa.list_(pa.string()), nullable=False),
        pa.field("marks", pa.list_(pa.string()), nullable=False),
        pa.field("draw", pa.int64(), nullable=False),
        pa.field("receipt", pa.string(), nullable=False),
        pa.field("seconds_to_vote", pa.float64()),
        *(pa.field(f"{name}_{side}", pa.int32()) for side in SIDES for name in ("first_token_ms", "total_ms")),
        *(pa.field(name, pa.int32()) for name in STYLE),
        pa.field("left_out", pa.string()),
    ]
)
COLUMN_WORDS = {
    "question_id": "the battle's identifier",
    "model_a, model_b": "the entrants on side a and side b",
    "winner": "model_a, model_b, tie or both_bad",
    "judge": "the voter's pseudonym in this arena",
    "conversation_a, conversation_b": "the prompts and one side's answers, as role and content; null where texts are not released",
    "turn": "how many prompts the conversation had",
    "anony": "always true: the voter did not know who answered",
    "language": "of the first prompt, by its letters: ko, en (any Latin script), mixed or other; null where texts are not released",
    "tstamp": "when the vote was cast, in seconds since 1970 UTC",
    "reasons_a, reasons_b": "the voter's tags on a side",
    "marks": "what may have told the voter who is who; empty for a blind battle",
    "draw": "the number of the draw",
    "receipt": "the vote's leaf in the arena's public ledger",
    "seconds_to_vote": "from the last prompt to the vote",
    "first_token_ms_a, total_ms_a, …": "of the last turn: until the model's first token, and until its end",
    "length_a, headers_a, bold_a, lists_a, …": "characters of the answers, and their Markdown marks",
    "left_out": "why the vote is not in the fit; always null in battles.parquet",
}


@dataclass(slots=True)
class Counts:
    """What was released, and what was not, by rule."""

    votes: int = 0
    released: int = 0
    no_consent: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    """Released, but in `left_out.parquet`: by reason."""
    texts: int = 0
    texts_dropped: Counter[str] = field(default_factory=Counter)
    """Released votes without their texts: by reason."""

    def to_json(self) -> dict[str, Any]:
        """As the release tells it."""
        return {
            "votes": self.votes,
            "votes_released": self.released,
            "votes_dropped": {"no_consent": self.no_consent},
            "votes_left_out_of_the_fit": dict(sorted(self.left_out.items())),
            "texts_released": self.texts,
            "texts_dropped": dict(sorted(self.texts_dropped.items())),
        }


def release(store: Store, keys: Keys, stage_id: str, now: datetime) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The release of a stage: its signed description, and its files by name (the card is `arena.results.card`'s).

    Raises:
        NotFound: no such stage.
        Conflict: it is not frozen (a release would show ratings while voting goes on), or was declared not to be disclosed.
        Unusable: its citizens were never asked.
    """
    record = known(store, stage_id)
    stage = Stage.from_toml(record.file.encode(), f"the sealed file of stage {stage_id}")
    if record.frozen_at is None:
        raise Conflict(
            "stage_status",
            f"단계 {stage_id}은(는) 아직 마감되지 않았습니다. 마감한 뒤에 공개하세요.",
            f"Stage {stage_id} is not frozen: while voting goes on a release would show live ratings.",
        )
    if stage.disclosure != "full":
        raise Conflict(
            "not_disclosed",
            f"단계 {stage_id}은(는) 점수를 모두 공개하지 않기로 정해져 있습니다({stage.disclosure}).",
            f"Stage {stage_id} was declared {stage.disclosure!r}: from its votes anybody could compute every score.",
        )
    bundle = exports.make(store, keys, stage_id, now)
    votes = tables.read(bundle.files[VOTES], tables.VOTES, VOTES)
    agreed = _agreeing(store, stage, VOTES_CONSENT)
    if agreed is None:
        raise Unusable(
            "never_asked",
            f"단계 {stage_id}은(는) 투표 공개 동의({VOTES_CONSENT})를 받지 않았습니다.",
            f"Stage {stage_id} never asked for the consent {VOTES_CONSENT!r}: nothing of it may be released.",
        )
    counts = Counts(votes=votes.num_rows)
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "created_at": kst(now),
        "synthetic": stage.synthetic,
        "ai_generated": AI_LABEL,
        "issuer": {"system": "K-AI Arena", "version": __version__},
        "stage": bundle.document["stage"],
        "entrants": bundle.document["entrants"],
    }
    label = {"ai_generated": AI_LABEL["en"], "synthetic": str(stage.synthetic).lower(), "stage": stage_id}
    kept, apart = _Table(label), _Table(label)
    for rows in _released(store, stage, votes, agreed, counts):
        kept.add([row for row in rows if row["left_out"] is None])
        apart.add([row for row in rows if row["left_out"] is not None])
    files = {BATTLES: kept.bytes(), LEFT_OUT: apart.bytes()}
    document |= {
        "counts": counts.to_json(),
        "ratings": _compared(stage, bundle.document, files[BATTLES]),
        "checkpoint": bundle.document["provenance"]["checkpoint"],
        "files": {name: {"sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()},
        "integrity": {"alg": "ES256", "kid": keys.kid},
    }
    document["integrity"]["signature"] = keys.sign(signed_bytes(document))
    store.events.append(now, stage_id, "release", MADE, document["counts"])
    return document, {**files, META: rfc8785.dumps(document), JWKS: rfc8785.dumps(keys.jwks())}


def _agreeing(store: Store, stage: Stage, consent_id: str) -> frozenset[str] | None:
    """Who has agreed to the version the stage asks for, and not taken it back; None where it does not ask."""
    asked = next((consent for consent in stage.consents if consent.id == consent_id), None)
    return None if asked is None else store.citizens.agreeing(asked.id, asked.version)


def _released(
    store: Store, stage: Stage, votes: pa.Table, agreed: frozenset[str], counts: Counts
) -> Iterator[list[dict[str, Any]]]:
    """The rows that may be released, some hundred at a time."""
    texts_agreed = _agreeing(store, stage, TEXTS_CONSENT) or frozenset()
    for batch in votes.to_batches(CHUNK):
        rows = [row for row in batch.to_pylist() if row["judge"] in agreed]
        counts.no_consent += batch.num_rows - len(rows)
        counts.released += len(rows)
        counts.left_out.update(row["left_out"] for row in rows if row["left_out"] is not None)
        told = store.battles.conversations([row["question_id"] for row in rows])
        yield [_row(row, told.get(row["question_id"], ()), row["judge"] in texts_agreed, counts) for row in rows]


def _row(vote: Mapping[str, Any], turns: Sequence[Turn], agreed: bool, counts: Counts) -> dict[str, Any]:
    kept = {name: vote[name] for name in COLUMNS.names if name in vote}
    dropped = _why_dropped(turns, agreed)
    if dropped is None:
        counts.texts += 1
        kept |= {f"conversation_{side}": _conversation(turns, side) for side in SIDES}
        kept["language"] = language(turns[0].prompt)
    else:
        counts.texts_dropped[dropped] += 1
    if turns:
        kept["seconds_to_vote"] = round(vote["tstamp"] - turns[-1].asked_at.timestamp(), 3)
        for side, answer in turns[-1].answers.items():
            kept |= {f"first_token_ms_{side}": answer.first_token_ms, f"total_ms_{side}": answer.total_ms}
    return {name: kept.get(name) for name in COLUMNS.names}


def _why_dropped(turns: Sequence[Turn], agreed: bool) -> str | None:
    """Why the texts of a battle are not released; None when they are."""
    if not agreed:
        return "no_consent"
    if not turns or any(not turn.prompt for turn in turns):
        return "erased"
    if any(mark.startswith("masked:") for turn in turns for mark in turn.marks):
        return "personal_data"
    texts = [text for turn in turns for text in (turn.prompt, *(answer.text for answer in turn.answers.values()))]
    return "personal_data" if any(privacy.check(text) for text in texts) else None


def _conversation(turns: Sequence[Turn], side: Side) -> list[dict[str, str]]:
    said = []
    for turn in turns:
        said.append({"role": "user", "content": turn.prompt})
        said.append({"role": "assistant", "content": turn.answers[side].text if side in turn.answers else ""})
    return said


class _Table:
    """A Parquet file that grows in memory, compressed."""

    def __init__(self, label: Mapping[str, str]) -> None:
        self._buffer = BytesIO()
        self._schema = COLUMNS.with_metadata({key.encode(): value.encode() for key, value in label.items()})
        self._writer = pq.ParquetWriter(self._buffer, self._schema, compression="zstd")

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            self._writer.write_table(pa.Table.from_pylist(list(rows), schema=self._schema))

    def bytes(self) -> bytes:
        self._writer.close()
        return self._buffer.getvalue()


def _compared(stage: Stage, exported: Mapping[str, Any], battles: bytes) -> list[dict[str, Any]]:
    """Each entrant's rating in the export and from the released votes alone: the same when everybody agreed."""
    frame: Any = pq.read_table(BytesIO(battles), columns=["model_a", "model_b", "winner", "judge"]).to_pandas()
    entrants = [row["team_id"] for row in exported["scores"]]
    declared = stage.protocol.transform
    try:
        rows = rate(
            Comparisons.from_frame(frame, entrants),
            prior=stage.protocol.prior,
            both_bad=stage.protocol.both_bad,
            transform=Transform(declared.id, declared.version, declared.params),
            component_max=stage.component_max,
            seed=rating_seed(exported["stage"]["file_sha256"]),
        ).to_dict("team_id")["scores"]
    except NothingToRateError:
        rows = [{"team_id": entrant, "rating": None, "rating_ci95": None, "n_votes": 0} for entrant in entrants]
    return [
        {
            "team_id": told["team_id"],
            "exported": {key: told[key] for key in ("rating", "rating_ci95", "n_votes")},
            "released": {key: made[key] for key in ("rating", "rating_ci95", "n_votes")},
        }
        for told, made in zip(exported["scores"], rows, strict=True)
    ]
