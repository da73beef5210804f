"""Each entrant's own key to the evidence: made when the stage opens, and replaced only by an act that is kept and published."""

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, insert, update

from arena.domain.errors import NotFound
from arena.record.api_keys import EVIDENCE, PREFIX, digest
from arena.record.database import Database
from arena.record.events import Event, Events, log
from arena.record.private_files import make_file, make_folder
from arena.record.tables import api_keys

ROTATED: Final = "evidence.rotated"
TAKEN: Final = "evidence.taken"
SUFFIX: Final = ".key"


@dataclass(frozen=True, slots=True)
class EvidenceKey:
    """What is told of such a key; the key itself is known to its entrant alone."""

    entrant: str
    id: str
    sha256: str
    """Of the key: 256 random bits, so that it tells nothing of it."""
    at: datetime
    reason: str | None
    """Why it took the place of the one before; None for the one that was made when the stage opened."""


def make_keys(
    connection: Connection, stage_id: str, entrants: Sequence[str], now: datetime
) -> tuple[dict[str, EvidenceKey], dict[str, str]]:
    """Make a key for each entrant; the second value are the keys themselves, which are handed out now and never again."""
    made = {entrant: _make(connection, stage_id, entrant, None, now) for entrant in entrants}
    return {entrant: key for entrant, (key, _) in made.items()}, {entrant: held for entrant, (_, held) in made.items()}


def committed(keys: Mapping[str, EvidenceKey]) -> dict[str, dict[str, str]]:
    """Write what the opening says of them."""
    return {entrant: {"id": key.id, "sha256": key.sha256} for entrant, key in keys.items()}


def hand_out(folder: Path, held: Mapping[str, str]) -> None:
    """Write each entrant's key into a file of its own, `ENTRANT.key`, for the organizer alone to read and hand over."""
    make_folder(folder)
    for entrant, key in held.items():
        path = folder / f"{entrant}{SUFFIX}"
        make_file(path)
        with path.open("w", encoding="ascii") as file:
            file.write(f"{key}\n")
            file.flush()
            os.fsync(file.fileno())


def waiting(folder: Path) -> list[Path]:
    """List the files of keys that nobody has taken yet."""
    return sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []


class EvidenceKeys:
    """The entrants' keys of every stage."""

    def __init__(self, database: Database, events: Events) -> None:
        self._database = database
        self._events = events

    def of_stage(self, stage_id: str) -> list[EvidenceKey]:
        """List every key there has been, in order: those of the opening, then each that took another's place."""
        return read_keys(self._events.of_stage(stage_id))

    def rotate(self, stage_id: str, entrant: str, reason: str, actor: str, now: datetime) -> tuple[EvidenceKey, str]:
        """Let a new key take the place of an entrant's; the act is kept and published, and the old one ends at once.

        Raises:
            NotFound: the stage has no such entrant, or has not opened.
        """
        with self._database.writing() as connection:
            standing = {key.entrant: key for key in self.of_stage(stage_id)}.get(entrant)
            if standing is None:
                raise NotFound("evidence_key_not_found", stage=stage_id, entrant=entrant)
            ended = update(api_keys).where(api_keys.c.id == standing.id, api_keys.c.revoked_at.is_(None))
            if connection.execute(ended.values(revoked_at=now)).rowcount != 1:
                raise NotFound("evidence_key_not_found", stage=stage_id, entrant=entrant)
            made, key = _make(connection, stage_id, entrant, reason, now)
            data = {name: value for name, value in asdict(made).items() if name != "at"} | {"replaces": standing.id}
            log(connection, now, stage_id, actor, ROTATED, data)
            return made, key


def read_keys(events: Sequence[Event]) -> list[EvidenceKey]:
    """Find the keys in a stage's events, in order."""
    found: list[EvidenceKey] = []
    for event in events:
        keys: Mapping[str, Any] = event.data.get("evidence_keys", {})
        found += [EvidenceKey(entrant, told["id"], told["sha256"], event.at, None) for entrant, told in keys.items()]
        if event.kind == ROTATED:
            told = {name: event.data[name] for name in ("entrant", "id", "sha256", "reason")}
            found.append(EvidenceKey(**told, at=event.at))
    return found


def _make(
    connection: Connection, stage_id: str, entrant: str, reason: str | None, now: datetime
) -> tuple[EvidenceKey, str]:
    key = PREFIX + secrets.token_urlsafe(32)
    made = EvidenceKey(entrant, secrets.token_hex(6), digest(key), now, reason)
    connection.execute(
        insert(api_keys).values(
            id=made.id,
            digest=made.sha256,
            name=entrant,
            stage_id=stage_id,
            scopes=[EVIDENCE],
            created_at=now,
        )
    )
    return made, key
