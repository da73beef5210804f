"""What became of a citizen's promise, by an export that verifies: kept, not due yet, or broken, with what shows it to anybody."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from arena.domain.clock import kst
from arena.domain.coded import Coded
from arena.domain.promise import Promise
from arena.domain.stage import StageStatus
from arena.domain.vote import leaf_hash
from arena.record.keys import kid_of, read_jws
from arena.results.export import tables
from arena.results.export.document import CHECKPOINTS, VOTES
from arena.results.export.schema import Checkpoint, UserScore
from arena.results.export.table_reader import TableFile

BROKEN: Final = ("contradicts", "late", "missing", "otherwise")
"""Each of these is shown by the citizen's file and the export alone."""
UNFIT: Final = ("not_signed", "of_another_stage", "record_changed", "unreadable")
"""Such a file proves nothing, whatever the arena did."""


class Outcome(Coded):
    """What became of one promise: `included`, `not_due`, or one of `BROKEN` or `UNFIT`."""

    kind = "promise"

    @property
    def broken(self) -> bool:
        """Whether the arena has not kept its word."""
        return self.code in BROKEN

    @property
    def good(self) -> bool:
        """Whether there is nothing to complain of."""
        return self.code not in (*BROKEN, *UNFIT)


class Confirmation(BaseModel):
    """What a citizen keeps: the answer to their vote, or the file that the page makes of it; what else stands in it is nobody's word."""

    model_config = ConfigDict(frozen=True)

    record: str
    receipt: str
    promise: str


@dataclass(frozen=True, slots=True)
class _Row:
    n: int
    receipt: str
    winner: str


def judged(
    document: UserScore, files: Mapping[str, bytes], given: Mapping[str, bytes], jwks: Mapping[str, Any]
) -> Iterator[Outcome]:
    """Tell of each of these files what became of what it promises.

    Args:
        document: of an export that was verified.
        files: the export's.
        given: the citizens' files by name.
        jwks: the public keys that are trusted.
    """
    read = {name: _promised(data, document.stage.id, jwks) for name, data in given.items()}
    promised = [found for found in read.values() if not isinstance(found, Outcome)]
    rows = _rows(TableFile(files[VOTES], tables.VOTES, VOTES), promised)
    heads = [Checkpoint.model_validate_json(line) for line in files[CHECKPOINTS].splitlines()]
    for name, found in read.items():
        outcome = found if isinstance(found, Outcome) else _fate(*found, document, rows, heads)
        outcome.params["file"] = name
        yield outcome


_Promised = tuple[Promise, Mapping[str, Any], str]
"""The promise, the record that it is of, and the name of the key that signed it."""


def _promised(data: bytes, stage_id: str, jwks: Mapping[str, Any]) -> _Promised | Outcome:
    """Read a citizen's file, once the arena has signed what it says."""
    try:
        file = Confirmation.model_validate_json(data)
    except ValidationError:
        return Outcome("unreadable")
    payload = read_jws(file.promise, jwks)
    try:
        promise, kid = Promise.read(payload or b""), kid_of(file.promise)
    except ValueError:
        return Outcome("not_signed")
    if promise.stage_id != stage_id:
        return Outcome("of_another_stage", stage=promise.stage_id)
    if not leaf_hash(file.record.encode()) == file.receipt == promise.receipt:
        return Outcome("record_changed")
    return promise, _read(file.record), kid


def _read(record: str) -> Mapping[str, Any]:
    """Read a record that the arena has promised: what is no record has nothing in it."""
    try:
        told = orjson.loads(record)
    except orjson.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) and isinstance(told.get("battle"), str) else {}


def _rows(votes: TableFile, promised: Sequence[_Promised]) -> Mapping[str, _Row]:
    """Find the rows of these battles, and of these receipts, by battle and by receipt."""
    sought = {key for promise, record, _ in promised for key in (promise.receipt, record.get("battle", ""))}
    found: dict[str, _Row] = {}
    for at, batch in votes.placed(["question_id", "receipt", "winner"]) if sought else ():
        columns = (batch.column(name).to_pylist() for name in ("question_id", "receipt", "winner"))
        for n, (battle, receipt, winner) in enumerate(zip(*columns, strict=True), start=at.start):
            for key in sought & {battle, receipt}:
                found[key] = _Row(n, receipt, winner)
    return found


def _fate(
    promise: Promise,
    record: Mapping[str, Any],
    kid: str,
    document: UserScore,
    rows: Mapping[str, _Row],
    heads: Sequence[Checkpoint],
) -> Outcome:
    """Hold a promise against the ledger."""
    told = {"receipt": promise.receipt[:12], "kid": kid, "include_by": kst(promise.include_by)}
    moment = promise.cast_at.isoformat(timespec="milliseconds")
    if (record.get("stage"), record.get("cast_at")) != (promise.stage_id, moment):
        return Outcome("contradicts", **told)
    row = rows.get(promise.receipt)
    if row is None:
        other = rows.get(record["battle"])
        if other is not None:
            words = {"battle": record["battle"], "promised": record.get("winner"), "winner": other.winner}
            return Outcome("otherwise", n=other.n, **words, **told)
        due = document.stage.status != StageStatus.OPEN or promise.include_by <= document.created_at
        return Outcome("missing" if due else "not_due", **told)
    head = next(head for head in heads if head.size > row.n)
    late = head.at > promise.include_by
    return Outcome("late" if late else "included", n=row.n, size=head.size, at=kst(head.at), **told)
