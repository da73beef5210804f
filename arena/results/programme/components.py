"""What others hand in for the total: a table of scores for each component, and the eligibility decisions. Every doubt is refused by name."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, get_args

from arena.domain.stage import Component
from arena.results.programme.schema import Face, FaceName
from arena.results.programme.selection import AggregateError, Gate

FACES: Mapping[str, FaceName] = {face: face for face in get_args(FaceName)}
"""The three faces of independence that the outside authority judges."""
SCORE_COLUMNS = ("team_id", "artifact_sha256", "score", "max")
SE = "se"
GATE_COLUMNS = ("team_id", "artifact_sha256", "face", "status", "evidence", "decided_by", "decided_at")
_NUMBER = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,9})?")
MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Score:
    """One team's score in one component."""

    score: Decimal
    se: float = 0.0
    """Its standard error, where the submitter knows it; 0 takes the score as exact."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A row, and where it stands."""

    file: str
    number: int
    cells: Mapping[str, str]

    def refuse(self, code: str, column: str, /, **params: Any) -> AggregateError:
        """Name file, row, column and value besides what the code's own sentence needs."""
        place = {"file": self.file, "row": self.number, "column": column, "value": repr(self.cells[column])}
        return AggregateError(code, **place, **params)

    def decimal(self, column: str) -> Decimal:
        text = self.cells[column]
        if not text:
            raise self.refuse("score_missing", column)
        if not _NUMBER.fullmatch(text):
            raise self.refuse("not_a_number", column)
        return Decimal(text)


def scores(data: bytes, name: str, component: Component, teams: Mapping[str, str | None]) -> dict[str, Score]:
    """Read a component's scores: columns `team_id, artifact_sha256, score, max`, and `se` where it is known.

    Args:
        data: the CSV file in UTF-8, with or without BOM.
        name: the file's, for the messages.
        component: as the stage file declares it.
        teams: the teams to be scored, each with its artifact's hash (None where the stage has none).

    Raises:
        AggregateError: names file, row and value.
    """
    found: dict[str, Score] = {}
    for row in _rows(data, name, SCORE_COLUMNS, (SE,)):
        team = _team(row, teams)
        if team in found:
            raise row.refuse("team_twice", "team_id")
        if row.decimal("max") != Decimal(repr(component.max)):
            raise row.refuse("other_maximum", "max", component=component.id, max=component.max)
        score = row.decimal("score")
        if not 0 <= score <= Decimal(repr(component.max)):
            raise row.refuse("out_of_range", "score", max=component.max)
        se = row.decimal(SE) if row.cells.get(SE) else Decimal(0)
        if not 0 <= se <= Decimal(repr(component.max)):
            raise row.refuse("out_of_range", SE, max=component.max)
        found[team] = Score(score, float(se))
    _complete(found, name, teams)
    return found


def gates(data: bytes, name: str, teams: Mapping[str, str | None]) -> dict[str, list[Face]]:
    """Read the eligibility decisions: one row for each team and face, pending ones too.

    Columns `team_id, artifact_sha256, face, status, evidence, decided_by, decided_at`; several references in `evidence` are parted
    by semicolons. A decision needs evidence, who decided, and when (with its offset from UTC).

    Raises:
        AggregateError: names file, row and value.
    """
    found: dict[str, dict[str, Face]] = {}
    for row in _rows(data, name, GATE_COLUMNS):
        team, face = _team(row, teams), FACES.get(row.cells["face"])
        if face is None:
            raise row.refuse("unknown_face", "face", known=tuple(FACES))
        if face in found.setdefault(team, {}):
            raise row.refuse("face_twice", "face", team=team)
        found[team][face] = _face(row, face)
    _complete(found, name, teams)
    for team, faces in found.items():
        missing = [face for face in FACES if face not in faces]
        if missing:
            raise AggregateError("face_missing", file=name, team=team, face=missing[0])
    return {team: [faces[face] for face in FACES] for team, faces in found.items()}


def gate(faces: Sequence[Face]) -> Gate:
    """Decide a team's gate: ineligible on one face is ineligible; else pending while one face is."""
    held = {face.status for face in faces}
    return next(status for status in (Gate.INELIGIBLE, Gate.PENDING, Gate.ELIGIBLE) if status.value in held)


def _face(row: _Row, face: FaceName) -> Face:
    cells = row.cells
    if cells["status"] not in {status.value for status in Gate}:
        raise row.refuse("unknown_status", "status", known=[status.value for status in Gate])
    status = Gate(cells["status"])
    evidence = [part for part in (part.strip() for part in cells["evidence"].split(";")) if part]
    if status is Gate.PENDING:
        return Face(face=face, status="pending", evidence=evidence, decided_by=cells["decided_by"], decided_at=None)
    for column in ("evidence", "decided_by", "decided_at"):
        if not cells[column]:
            raise row.refuse("undocumented", column, status=cells["status"])
    try:
        decided_at = datetime.fromisoformat(cells["decided_at"])
    except ValueError:
        raise row.refuse("not_a_time", "decided_at") from None
    if decided_at.tzinfo is None:
        raise row.refuse("time_without_offset", "decided_at")
    return Face(
        face=face, status=status.value, evidence=evidence, decided_by=cells["decided_by"], decided_at=decided_at
    )


def _team(row: _Row, teams: Mapping[str, str | None]) -> str:
    """Read the row's team, once it is one of the stage's and was judged in the version that is sealed."""
    team = row.cells["team_id"]
    if team not in teams:
        raise row.refuse("team_unknown", "team_id", known=list(teams))
    if row.cells["artifact_sha256"] != (teams[team] or ""):
        raise row.refuse("stale_artifact", "artifact_sha256", team=team, sealed=teams[team] or "–")
    return team


def _complete(found: Mapping[str, object], name: str, teams: Mapping[str, str | None]) -> None:
    missing = [team for team in teams if team not in found]
    if missing:
        raise AggregateError("team_missing", file=name, team=missing[0])


def _rows(data: bytes, name: str, required: Sequence[str], optional: Sequence[str] = ()) -> Iterator[_Row]:
    """Read the rows of a CSV file, cells trimmed, lines of nothing left out."""
    if len(data) > MAX_BYTES:
        raise AggregateError("file_too_large", file=name, most=MAX_BYTES)
    try:
        reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        header = [cell.strip() for cell in next(reader, [])]
    except (UnicodeDecodeError, csv.Error) as error:
        raise AggregateError("not_csv", file=name, problem=str(error)) from None
    missing = [column for column in required if column not in header]
    strange = [column for column in header if column not in (*required, *optional)]
    twice = [column for column in header if header.count(column) > 1]
    if missing:
        raise AggregateError("column_missing", file=name, column=missing[0], known=(*required, *optional))
    if strange or twice:
        raise AggregateError("column_strange", file=name, column=(strange or twice)[0], known=(*required, *optional))
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            row = reader.line_num
            if len(cells) != len(header):
                raise AggregateError("cells_uneven", file=name, row=row, cells=len(cells), columns=len(header))
            yield _Row(name, row, dict(zip(header, (cell.strip() for cell in cells), strict=True)))
    except csv.Error as error:
        raise AggregateError("row_unreadable", file=name, row=reader.line_num, problem=str(error)) from None
