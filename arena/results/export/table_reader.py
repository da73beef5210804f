"""Reads an export's tables: row by row for the proofs, as columns of codes for the numbers; never a whole table of objects."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from arena.domain.battle import SIDES, Draw
from arena.domain.exposure import UNREAD
from arena.domain.leaks import bits
from arena.domain.stage import Stage
from arena.results.export.tables import CHUNK, OUTCOMES, EvidenceError, entrants_of
from arena.results.votes.annotations import STYLE
from arena.results.votes.inclusion import REASONS
from arena.results.votes.table import ERASED, IDENTITY, LANGUAGES, OUTCOME_OF, Circumstances, VoteTable

_OF_A_VOTE = (
    "draw",
    "question",
    "topic",
    "judge",
    "model_a",
    "model_b",
    "winner",
    "tstamp",
    "identity_level",
    "leaks",
    "left_out",
    "weight",
    "version_a",
    "version_b",
    "turn",
    "language",
)
_MOST_REASONS = np.iinfo(np.int8).max


class TableFile:
    """A Parquet file that has exactly the columns of a schema."""

    def __init__(self, data: bytes, schema: pa.Schema, name: str) -> None:
        """Read its description.

        Raises:
            EvidenceError: not Parquet, or other columns.
        """
        self.name = name
        try:
            self._file = pq.ParquetFile(pa.BufferReader(data))
            found = self._file.schema_arrow
        except (pa.ArrowException, OSError, ValueError) as error:
            raise EvidenceError("not_parquet", file=name, problem=str(error)) from None
        if not found.equals(schema):
            raise EvidenceError("other_columns", file=name)

    def __len__(self) -> int:
        return self._file.metadata.num_rows

    @property
    def metadata(self) -> Mapping[str, str]:
        """What is told of the file in itself, besides its columns."""
        told = self._file.schema_arrow.metadata or {}
        return {name.decode(errors="replace"): value.decode(errors="replace") for name, value in told.items()}

    def batches(self, columns: Sequence[str] | None = None, rows: int = CHUNK) -> Iterator[pa.RecordBatch]:
        """Yield these columns, or all of them, so many rows at a time.

        Raises:
            EvidenceError: the rest of the file cannot be read.
        """
        try:
            yield from self._file.iter_batches(rows, columns=columns)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise EvidenceError("not_parquet", file=self.name, problem=str(error)) from None

    def placed(self, columns: Sequence[str] | None = None) -> Iterator[tuple[slice, pa.RecordBatch]]:
        """Yield the same with where the rows stand in the file."""
        start = 0
        for batch in self.batches(columns):
            yield slice(start, start + batch.num_rows), batch
            start += batch.num_rows

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """Yield row by row."""
        for batch in self.batches():
            yield from batch.to_pylist()

    def numbers(self, column: str) -> NDArray[np.int64]:
        """Give a column of whole numbers."""
        found = [batch.column(0).to_numpy() for batch in self.batches([column])]
        return np.concatenate([np.empty(0, np.int64), *found])

    def distinct(self, column: str) -> int:
        """Count the different texts in a column."""
        return len(pa.chunked_array([batch.column(0) for batch in self.batches([column])], pa.string()).unique())

    def coded(self, batch: pa.RecordBatch, column: str, places: Mapping[str, int]) -> NDArray[np.int64]:
        """Give a column of text as codes; no text at all is the empty one.

        Raises:
            EvidenceError: a text without a code.
        """
        encoded = batch.column(column).dictionary_encode(null_encoding="encode")
        try:
            codes = [places[text or ""] for text in encoded.dictionary.to_pylist()]
        except KeyError as error:
            raise EvidenceError("value_unknown", file=self.name, column=column, value=str(error)) from None
        return np.array(codes, np.int64)[encoded.indices.to_numpy()]


@dataclass(frozen=True, slots=True, eq=False)
class DrawTable:
    """All draws of a stage as columns of equal length, in the order of their numbers where none is missing."""

    entrants: tuple[str, ...]
    """Declared ones, then controls; `a` and `b` are indices into them."""
    choices: tuple[tuple[str, ...], ...]
    """Whom a draw was made among; `available` holds indices into them."""
    number: NDArray[np.int64]
    a: NDArray[np.int16]
    b: NDArray[np.int16]
    available: NDArray[np.int32]
    probability: NDArray[np.float64]
    repeat_of: NDArray[np.int64]
    """The number of the draw that it shows again; 0 where it is no repeat."""
    outcome: NDArray[np.int8]
    """An index into `tables.OUTCOMES`."""
    drawn_at: NDArray[np.int64]
    """In microseconds since 1970 UTC."""
    has_reason: NDArray[np.bool_]
    """Whether it is told why the battle is void."""

    def __len__(self) -> int:
        return len(self.number)

    def __iter__(self) -> Iterator[Draw]:
        """Yield the draws as they were made."""
        columns = (self.a, self.b, self.number, self.available, self.probability, self.repeat_of)
        for a, b, number, available, probability, first in zip(*(column.tolist() for column in columns), strict=True):
            yield Draw(self.entrants[a], self.entrants[b], number, self.choices[available], probability, first or None)

    def outcomes(self) -> NDArray[np.int64]:
        """Count what became of them, repeats left out: shape (entrants, entrants, outcomes), the entrant on side a first."""
        k = len(self.entrants)
        key = ((self.a.astype(np.int64) * k + self.b) * len(OUTCOMES) + self.outcome)[self.repeat_of == 0]
        return np.bincount(key, minlength=k * k * len(OUTCOMES)).reshape(k, k, len(OUTCOMES))


def vote_table(file: TableFile, stage: Stage, draws: DrawTable) -> VoteTable:
    """Read `votes.parquet` as the table that every number is a function of; `draws` tell which votes are on repeats.

    Voters are sorted, so that sums over them do not depend on the order of the votes, and `seq` holds the number of the vote's draw. What the file
    does not tell (networks, prompts, seconds) is unknown. A reason that this version does not know is carried as it stands.

    Raises:
        EvidenceError: an entrant, a decision, a language or a check of identity that there is not, more reasons than can be told apart, or
            two weights of one voter.
    """
    n, entrants = len(file), entrants_of(stage)
    of_entrant = {entrant: code for code, entrant in enumerate(entrants)}
    of_winner = {winner.value: code for winner, code in OUTCOME_OF.items()}
    of_identity = {level: code for code, level in enumerate(IDENTITY)}
    of_reason, of_voter = _Growing({reason: code for code, reason in enumerate(REASONS)}), _Growing()
    of_topic, of_question = _Growing({"": 0}), _Growing({"": 0})
    of_language = {"": -1} | {name: code for code, name in enumerate(LANGUAGES) if name != ERASED}
    topic, question = np.empty(n, np.int16), np.empty(n, np.int32)
    seq, cast_at, weight = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.float64)
    voter, a, b, turns = np.empty(n, np.int32), *(np.empty(n, np.int16) for _ in range(3))
    outcome, identity, excluded_by = (np.empty(n, np.int8) for _ in range(3))
    leaks, unread, style = np.zeros(n, np.int32), np.zeros(n, np.bool_), np.empty((n, len(STYLE)), np.int32)
    version, language = np.empty((n, 2), np.int16), np.empty(n, np.int8)
    for at, batch in file.placed([*_OF_A_VOTE, *STYLE]):
        seq[at] = batch.column("draw").to_numpy()
        voter[at] = file.coded(batch, "judge", of_voter)
        a[at], b[at] = file.coded(batch, "model_a", of_entrant), file.coded(batch, "model_b", of_entrant)
        outcome[at] = file.coded(batch, "winner", of_winner)
        cast_at[at] = _microseconds(batch.column("tstamp"))
        topic[at] = file.coded(batch, "topic", of_topic) - 1
        question[at] = file.coded(batch, "question", of_question) - 1
        identity[at] = file.coded(batch, "identity_level", of_identity)
        found = batch.column("leaks").to_pylist()
        leaks[at] = [bits(each) if each else 0 for each in found]
        unread[at] = [UNREAD in each for each in found]
        excluded_by[at] = file.coded(batch, "left_out", of_reason)
        weight[at] = batch.column("weight").to_numpy(zero_copy_only=False)
        version[at] = np.stack([batch.column(f"version_{side}").fill_null(-1).to_numpy() for side in SIDES], axis=1)
        turns[at] = batch.column("turn").to_numpy()
        language[at] = file.coded(batch, "language", of_language)
        style[at] = np.stack([batch.column(name).fill_null(-1).to_numpy() for name in STYLE], axis=1)
    if len(of_reason) > _MOST_REASONS:
        raise EvidenceError("reasons_too_many", file=file.name, n=len(of_reason))
    held = np.full(len(of_voter), np.nan)
    held[voter[::-1]] = weight[::-1]  # each voter's first
    differs = ~((held[voter] == weight) | (np.isnan(held[voter]) & np.isnan(weight)))
    if differs.any():
        raise EvidenceError("weights_differ", file=file.name, row=int(differs.argmax()))
    names = sorted(of_voter)
    place = np.empty(len(names), np.int32)
    place[[of_voter[name] for name in names]] = np.arange(len(names), dtype=np.int32)
    own = np.clip(seq, 1, len(draws)) - 1
    repeat_of = np.where(draws.number[own] == seq, draws.repeat_of[own], 0) if len(draws) else np.zeros(n, np.int64)
    return VoteTable(
        entrants=entrants,
        voters=tuple(names),
        networks=(),
        reasons=tuple(of_reason),
        seq=seq,
        voter=place[voter],
        a=a,
        b=b,
        outcome=outcome,
        cast_at=cast_at,
        identity=identity,
        network=np.broadcast_to(np.int32(-1), (n,)),
        leaks=leaks,
        unread=unread,
        draw=seq.astype(np.int32),
        repeat_of=repeat_of.astype(np.int32),
        excluded_by=excluded_by,
        topics=tuple(of_topic)[1:],
        topic=topic,
        questions=tuple(of_question)[1:],
        question=question,
        weight=None if np.isnan(weight).all() else weight,
        circumstances=Circumstances(
            turns=turns,
            language=language,
            style=style,
            judged_s=np.broadcast_to(np.float64(np.nan), (n,)),
            prompt=np.broadcast_to(np.int32(-1), (n,)),
            version=version,
        ),
    )


def draw_table(file: TableFile, stage: Stage) -> DrawTable:
    """Read `draws.parquet`.

    Raises:
        EvidenceError: an entrant that the stage does not have, or something else became of a draw than can.
    """
    n, entrants = len(file), entrants_of(stage)
    repeat_of, drawn_at = np.empty(n, np.int64), np.empty(n, np.int64)
    of_entrant = {entrant: code for code, entrant in enumerate(entrants)}
    of_outcome = {outcome: code for code, outcome in enumerate(OUTCOMES)}
    of_choice = _Growing()
    number, probability, available = np.empty(n, np.int64), np.empty(n, np.float64), np.empty(n, np.int32)
    a, b, outcome, has_reason = *(np.empty(n, np.int16) for _ in range(2)), np.empty(n, np.int8), np.empty(n, np.bool_)
    for at, batch in file.placed():
        number[at] = batch.column("draw").to_numpy()
        a[at], b[at] = file.coded(batch, "model_a", of_entrant), file.coded(batch, "model_b", of_entrant)
        available[at] = file.coded(batch, "available", of_choice)
        probability[at] = batch.column("probability").to_numpy()
        drawn_at[at] = _microseconds(batch.column("tstamp"))
        repeat_of[at] = batch.column("repeat_of").fill_null(0).to_numpy()
        outcome[at] = file.coded(batch, "outcome", of_outcome)
        has_reason[at] = batch.column("void_reason").is_valid().to_numpy(zero_copy_only=False)
    choices = tuple(tuple(choice.split(",")) for choice in of_choice)
    return DrawTable(entrants, choices, number, a, b, available, probability, repeat_of, outcome, drawn_at, has_reason)


def _microseconds(tstamp: pa.Array) -> NDArray[np.int64]:
    """Give seconds that are whole milliseconds as microseconds."""
    return np.rint(tstamp.to_numpy() * 1000).astype(np.int64) * 1000


class _Growing(dict[str, int]):
    """Names as codes, in the order in which they were first met."""

    def __missing__(self, name: str) -> int:
        self[name] = code = len(self)
        return code
