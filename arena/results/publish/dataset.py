"""The public dataset of a stage: battles and votes of those who agreed, texts where they agreed to that too and nothing personal was found."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Self

import numpy as np
import pyarrow as pa
import rfc8785
from pydantic import Field

from arena.domain import privacy
from arena.domain.battle import SIDES, Side, Turn
from arena.domain.errors import Conflict, Unusable
from arena.domain.stage import TEXTS_CONSENT, VOTES_CONSENT, Stage
from arena.i18n.catalogue import both
from arena.record.keys import Keys
from arena.record.store import Store
from arena.results.export import statistics, tables
from arena.results.export.chain import remade
from arena.results.export.document import DRAWS, VOTES
from arena.results.export.rating_schema import Score
from arena.results.export.schema import Checkpoint, EntrantPart, StagePart, UserScore
from arena.results.export.signed import UNSIGNED, Count, Issuer, Moment, Pair, Part, Sha256, Signed, TwoLanguages
from arena.results.export.table_reader import TableFile, draw_table, vote_table
from arena.results.votes.annotations import STYLE
from arena.results.votes.rating import compared, rate_stage
from arena.results.votes.sealed import known
from arena.results.votes.table import VoteTable
from arena.results.votes.weighting import SMALL
from ratings.anytime import Anytime

SCHEMA = "kai.release/1"
MADE = "release.made"
BATTLES, LEFT_OUT, META, CARD, JWKS = "battles.parquet", "left_out.parquet", "release.json", "README.md", "jwks.json"
CHUNK = 500
"""Battles whose texts are held at a time: a row group of the released files."""

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
        pa.field("leaks", pa.list_(pa.string()), nullable=False),
        pa.field("draw", pa.int64(), nullable=False),
        pa.field("question_number", pa.int32()),
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
    "leaks": "what may have told the voter who is who, by side, kind and name; nothing for a blind battle",
    "draw": "the number of the draw",
    "question_number": "of the first question, equal for equal ones; null for one that fewer than ten voters asked",
    "receipt": "the vote's leaf in the arena's public ledger",
    "seconds_to_vote": "from the last prompt to the vote",
    "first_token_ms_a, total_ms_a, …": "of the last turn: until the model's first token, and until its end",
    "length_a, headers_a, bold_a, lists_a, …": "characters of the answers, and their Markdown marks",
    "left_out": "why the vote is not in the fit; always null in battles.parquet",
}


class NoConsent(Part):
    """Votes that are not released."""

    no_consent: Count = Field(description="their voters have not agreed to the release, or no longer do")


class Counts(Part):
    """What was released, and what was not, by rule."""

    votes: Count = Field(description="all sealed votes")
    votes_released: Count = Field(description="released votes")
    votes_dropped: NoConsent = Field(description="votes that are not released")
    votes_left_out_of_the_fit: dict[str, Count] = Field(description="released in `left_out.parquet`, by reason")
    texts_released: Count = Field(description="released votes with their texts")
    texts_dropped: dict[str, Count] = Field(description="released votes without their texts, by reason")


class Level(Part):
    """An entrant's rating from some of the votes."""

    rating: float | None = Field(description="the rating; null where it was never compared")
    rating_ci95: Pair | None = Field(description="95 % interval")
    n_votes: float = Field(description="votes in the fit")

    @classmethod
    def of(cls, row: Score) -> Self:
        """Take it from a fit."""
        return cls(rating=row.rating, rating_ci95=row.rating_ci95, n_votes=row.n_votes)


class Compared(Part):
    """One entrant's rating in the export, and from the released votes alone."""

    team_id: str = Field(description="the entrant")
    exported: Level = Field(description="in the export")
    released: Level = Field(description="from the released votes alone")


class ReleasedFile(Part):
    """A file beside this one."""

    sha256: Sha256 = Field(description="its hash")


class Release(Signed):
    """What a release is, what is in it, and what is not."""

    schema_: Literal["kai.release/1"] = Field(alias="schema", description="this schema")
    created_at: Moment = Field(description="when it was made")
    synthetic: bool = Field(description="true where nothing in it was judged by people")
    ai_generated: TwoLanguages = Field(description="which texts were written by generative AI")
    issuer: Issuer = Field(description="which system made it")
    stage: StagePart = Field(description="the stage")
    entrants: list[EntrantPart] = Field(description="the sealed entrants")
    counts: Counts = Field(description="what was released, and what was not")
    ratings: list[Compared] = Field(description="the ratings that the released votes give, beside the export's")
    checkpoint: Checkpoint = Field(description="what the votes are sealed under")
    files: dict[str, ReleasedFile] = Field(description="the files, by name")


@dataclass(slots=True)
class _Tally:
    """Counts that grow while rows are released."""

    released: int = 0
    no_consent: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    texts: int = 0
    texts_dropped: Counter[str] = field(default_factory=Counter)

    def counts(self) -> Counts:
        """Tell what they have come to."""
        return Counts(
            votes=self.released + self.no_consent,
            votes_released=self.released,
            votes_dropped=NoConsent(no_consent=self.no_consent),
            votes_left_out_of_the_fit=dict(sorted(self.left_out.items())),
            texts_released=self.texts,
            texts_dropped=dict(sorted(self.texts_dropped.items())),
        )


def release(store: Store, keys: Keys, stage_id: str, now: datetime) -> tuple[Release, dict[str, bytes]]:
    """Make the release of a stage: its signed description, and its files by name (the card is `publish.dataset_card`'s).

    Raises:
        NotFound: no such stage.
        Conflict: it is not published (a release would show ratings before), or was declared not to be disclosed.
        Unusable: its citizens were never asked.
    """
    record = known(store, stage_id)
    stage = Stage.from_toml(record.file.encode(), f"{stage_id}.toml (sealed)")
    final = store.finals.newest(stage_id)
    if final is None:
        raise Conflict("not_published", stage=stage_id)
    if stage.disclosure != "full":
        raise Conflict("votes_not_disclosed", stage=stage_id, disclosure=stage.disclosure)
    agreed = _agreeing(store, stage, VOTES_CONSENT)
    if agreed is None:
        raise Unusable("never_asked", stage=stage_id, consent=VOTES_CONSENT)
    bundle = remade(store, keys, final)
    exported, rows = bundle.document, TableFile(bundle.files[VOTES], tables.VOTES, VOTES)
    ai_generated = TwoLanguages(**both("ai_generated"))
    label = {"ai_generated": ai_generated.en, "synthetic": str(stage.synthetic).lower(), "stage": stage_id}
    schema = COLUMNS.with_metadata({key.encode(): value.encode() for key, value in label.items()})
    kept, apart = (tables.ParquetBuffer(schema, CHUNK) for _ in range(2))
    tally = _Tally()
    draws = draw_table(TableFile(bundle.files[DRAWS], tables.DRAWS, DRAWS), stage)
    votes = vote_table(rows, stage, draws)
    for some in _released(store, stage, rows, agreed, tally, _numbers(votes)):
        kept.add([row for row in some if row["left_out"] is None])
        apart.add([row for row in some if row["left_out"] is not None])
    files = {BATTLES: kept.bytes(), LEFT_OUT: apart.bytes()}
    document = Release(
        schema=SCHEMA,
        created_at=now,
        synthetic=stage.synthetic,
        ai_generated=ai_generated,
        issuer=exported.issuer,
        stage=exported.stage,
        entrants=exported.entrants,
        counts=tally.counts(),
        ratings=_compared(stage, exported, votes, agreed),
        checkpoint=exported.provenance.checkpoint,
        files={name: ReleasedFile(sha256=hashlib.sha256(data).hexdigest()) for name, data in files.items()},
        integrity=UNSIGNED,
    ).signed(keys)
    store.events.append(now, stage_id, "release", MADE, document.counts.to_json())
    return document, {**files, META: document.canonical(), JWKS: rfc8785.dumps(keys.jwks())}


def _agreeing(store: Store, stage: Stage, consent_id: str) -> frozenset[str] | None:
    """Who has agreed to the version the stage asks for, and not taken it back; None where it does not ask."""
    asked = next((consent for consent in stage.consents if consent.id == consent_id), None)
    return None if asked is None else store.citizens.agreeing(asked.id, asked.version)


def _released(
    store: Store,
    stage: Stage,
    votes: TableFile,
    agreed: frozenset[str],
    tally: _Tally,
    numbers: Mapping[str, int],
) -> Iterator[list[dict[str, Any]]]:
    """Give the rows that may be released, some hundred at a time; `numbers` are those of questions that many asked."""
    texts_agreed = _agreeing(store, stage, TEXTS_CONSENT) or frozenset()
    for batch in votes.batches(rows=CHUNK):
        every = [row | {"question_number": numbers.get(row["question"])} for row in batch.to_pylist()]
        rows = [row for row in every if row["judge"] in agreed]
        tally.no_consent += batch.num_rows - len(rows)
        tally.released += len(rows)
        tally.left_out.update(row["left_out"] for row in rows if row["left_out"] is not None)
        told = store.battles.conversations([row["question_id"] for row in rows])
        yield [_row(row, told.get(row["question_id"], ()), row["judge"] in texts_agreed, tally) for row in rows]


def _numbers(votes: VoteTable) -> dict[str, int]:
    """Give the questions of ten voters or more a number, in the order in which they were first asked; fewer might tell who asked."""
    asked = np.unique(np.stack([votes.question, votes.voter])[:, votes.question >= 0], axis=1)
    many = np.bincount(asked[0], minlength=len(votes.questions)) >= SMALL
    return {votes.questions[code]: number for number, code in enumerate(np.flatnonzero(many).tolist())}


def _row(vote: Mapping[str, Any], turns: Sequence[Turn], agreed: bool, tally: _Tally) -> dict[str, Any]:
    kept = {name: vote[name] for name in COLUMNS.names if name in vote and name != "language"}
    dropped = _why_dropped(turns, agreed)
    if dropped is None:
        tally.texts += 1
        kept |= {f"conversation_{side}": _conversation(turns, side) for side in SIDES}
        kept["language"] = vote["language"]
    else:
        tally.texts_dropped[dropped] += 1
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
    if any(flag.startswith("masked:") for turn in turns for flag in turn.flags):
        return "personal_data"
    texts = [text for turn in turns for text in (turn.prompt, *(answer.text for answer in turn.answers.values()))]
    return "personal_data" if any(privacy.check(text) for text in texts) else None


def _conversation(turns: Sequence[Turn], side: Side) -> list[dict[str, str]]:
    said = []
    for turn in turns:
        said.append({"role": "user", "content": turn.prompt})
        said.append({"role": "assistant", "content": turn.answers[side].text if side in turn.answers else ""})
    return said


def _compared(stage: Stage, exported: UserScore, votes: VoteTable, agreed: frozenset[str]) -> list[Compared]:
    """Each entrant's rating in the export and from the released votes alone: the same when everybody agreed."""
    released = np.array([voter in agreed for voter in votes.voters], np.bool_)
    entrants = [row.team_id for row in exported.scores]
    chosen = compared(stage, votes, votes.counted & released[votes.voter], entrants)
    looks = None if exported.closing.intervals == "fixed" else Anytime(stage.planned_votes)
    made = statistics.fit(rate_stage(stage, exported.stage.file_sha256, chosen, looks=looks), stage, entrants)
    of_team = {row.team_id: Level.of(row) for row in made.scores}
    nobody = Level(rating=None, rating_ci95=None, n_votes=0)
    return [
        Compared(team_id=row.team_id, exported=Level.of(row), released=of_team.get(row.team_id, nobody))
        for row in exported.scores
    ]
