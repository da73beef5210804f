"""What others hand in for the total: a table of scores for each component, and the eligibility decisions. Every doubt is refused by name."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from arena.domain.stage import Component
from arena.results.programme.selection import AggregateError, Gate

FACES = ("technical", "policy", "ethical")
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
class Verdict:
    """One face of one team's eligibility."""

    face: str
    status: Gate
    evidence: tuple[str, ...]
    decided_by: str
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Row:
    """A row, and where it stands."""

    where: str
    cells: Mapping[str, str]

    def refuse(self, code: str, column: str, problem: str) -> AggregateError:
        """Names file, row, column and value."""
        return AggregateError(code, f"{self.where}, {column} {self.cells[column]!r}: {problem}")

    def number(self, column: str) -> Decimal:
        text = self.cells[column]
        if not text:
            raise self.refuse("score_missing", column, "is missing; a missing component gives no total")
        if not _NUMBER.fullmatch(text):
            raise self.refuse("not_a_number", column, "is not a plain decimal number such as 29.6")
        return Decimal(text)


def scores(data: bytes, name: str, component: Component, teams: Mapping[str, str | None]) -> dict[str, Score]:
    """Reads a component's scores: columns `team_id, artifact_sha256, score, max`, and `se` where it is known.

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
            raise row.refuse("team_twice", "team_id", "stands in the file twice")
        if row.number("max") != Decimal(repr(component.max)):
            raise row.refuse("other_maximum", "max", f"the stage declares {component.id} out of {component.max:g}")
        score = row.number("score")
        if not 0 <= score <= Decimal(repr(component.max)):
            raise row.refuse("out_of_range", "score", f"{component.id} goes from 0 to {component.max:g}")
        se = row.number(SE) if row.cells.get(SE) else Decimal(0)
        if not 0 <= se <= Decimal(repr(component.max)):
            raise row.refuse("out_of_range", SE, f"a standard error lies between 0 and {component.max:g}")
        found[team] = Score(score, float(se))
    _complete(found, name, teams)
    return found


def gates(data: bytes, name: str, teams: Mapping[str, str | None]) -> dict[str, tuple[Verdict, ...]]:
    """Reads the eligibility decisions: one row for each team and face, pending ones too.

    Columns `team_id, artifact_sha256, face, status, evidence, decided_by, decided_at`; several references in `evidence` are parted
    by semicolons. A decision needs evidence, who decided, and when (with its offset from UTC).

    Raises:
        AggregateError: names file, row and value.
    """
    found: dict[str, dict[str, Verdict]] = {}
    for row in _rows(data, name, GATE_COLUMNS):
        team, face = _team(row, teams), row.cells["face"]
        if face not in FACES:
            raise row.refuse("unknown_face", "face", f"is none of {', '.join(FACES)}")
        if face in found.setdefault(team, {}):
            raise row.refuse("team_twice", "face", f"of {team} stands in the file twice")
        found[team][face] = _verdict(row, face)
    _complete(found, name, teams)
    for team, faces in found.items():
        missing = [face for face in FACES if face not in faces]
        if missing:
            raise AggregateError("face_missing", f"{name}: {team} has no row for {missing[0]}, not even a pending one")
    return {team: tuple(faces[face] for face in FACES) for team, faces in found.items()}


def gate(verdicts: Sequence[Verdict]) -> Gate:
    """A team's gate: ineligible on one face is ineligible; else pending while one face is."""
    held = {verdict.status for verdict in verdicts}
    return next(status for status in (Gate.INELIGIBLE, Gate.PENDING, Gate.ELIGIBLE) if status in held)


def _verdict(row: _Row, face: str) -> Verdict:
    cells = row.cells
    if cells["status"] not in {status.value for status in Gate}:
        raise row.refuse("unknown_status", "status", "is none of eligible, ineligible, pending")
    status = Gate(cells["status"])
    evidence = tuple(part for part in (part.strip() for part in cells["evidence"].split(";")) if part)
    if status is Gate.PENDING:
        return Verdict(face, status, evidence, cells["decided_by"], None)
    for column in ("evidence", "decided_by", "decided_at"):
        if not cells[column]:
            raise row.refuse("undocumented", column, f"is missing; {cells['status']} is a decision and needs it")
    try:
        decided_at = datetime.fromisoformat(cells["decided_at"])
    except ValueError:
        raise row.refuse("not_a_time", "decided_at", "is not a time such as 2026-12-20T15:00:00+09:00") from None
    if decided_at.tzinfo is None:
        raise row.refuse("not_a_time", "decided_at", "lacks its offset from UTC, such as +09:00")
    return Verdict(face, status, evidence, cells["decided_by"], decided_at)


def _team(row: _Row, teams: Mapping[str, str | None]) -> str:
    """The row's team, once it is one of the stage's and was judged in the version that is sealed."""
    team = row.cells["team_id"]
    if team not in teams:
        raise row.refuse("team_unknown", "team_id", f"is not in this stage: {', '.join(teams)}")
    if row.cells["artifact_sha256"] != (teams[team] or ""):
        raise row.refuse(
            "stale_artifact",
            "artifact_sha256",
            f"{team} is sealed as {teams[team] or '(no hash)'}: another version was judged",
        )
    return team


def _complete(found: Mapping[str, object], name: str, teams: Mapping[str, str | None]) -> None:
    missing = [team for team in teams if team not in found]
    if missing:
        raise AggregateError("team_missing", f"{name}: {missing[0]} has no row")


def _rows(data: bytes, name: str, required: Sequence[str], optional: Sequence[str] = ()) -> Iterator[_Row]:
    """The rows of a CSV file, cells trimmed, lines of nothing left out."""
    if len(data) > MAX_BYTES:
        raise AggregateError("unreadable", f"{name} is larger than {MAX_BYTES:,} bytes: not a table of teams")
    try:
        reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        header = [cell.strip() for cell in next(reader, [])]
    except (UnicodeDecodeError, csv.Error) as error:
        raise AggregateError("unreadable", f"{name} is not a CSV file in UTF-8 ({error})") from None
    missing = [column for column in required if column not in header]
    strange = [column for column in header if column not in (*required, *optional)]
    twice = [column for column in header if header.count(column) > 1]
    if missing or strange or twice:
        what = f"{missing[0]!r} is missing" if missing else f"{(strange or twice)[0]!r} is unknown or stands twice"
        raise AggregateError(
            "columns", f"{name}, row 1: the column {what}; columns are {', '.join((*required, *optional))}"
        )
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            where = f"{name}, row {reader.line_num}"
            if len(cells) != len(header):
                raise AggregateError("columns", f"{where}: {len(cells)} cells under {len(header)} columns")
            yield _Row(where, dict(zip(header, (cell.strip() for cell in cells), strict=True)))
    except csv.Error as error:
        raise AggregateError("unreadable", f"{name}, row {reader.line_num}: {error}") from None
