"""Keeps in the record which versions of an entrant have answered: entrants are sealed, and organizers hear when one changes in mid-stage."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from arena.domain.battle import Answer, Battle
from arena.domain.errors import ArenaError
from arena.domain.stage import StageStatus
from arena.record.events import Entry, Event
from arena.record.store import Store

ANSWERED = "entrant.version"
"""A version of an entrant has answered for the first time."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NewVersion:
    """An entrant's later version has answered for the first time."""

    at: datetime
    entrant: str
    before: str
    """The newest until then."""
    version: str


class VersionLog:
    """Hears of answers on the loop, and writes what is new in a thread of its own: nobody's turn waits for it."""

    def __init__(self, store: Store, stage_id: str, process: str, clock: Callable[[], datetime]) -> None:
        self._events = store.events
        self._stage_id = stage_id
        self._process = process
        self._clock = clock
        self._known: set[tuple[str, str]] = set()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="versions")

    def heard(self, battle: Battle, answers: Sequence[Answer]) -> None:
        """Note who has answered as what."""
        for answer in answers:
            if answer.version and (told := (battle.entrant(answer.side), answer.version)) not in self._known:
                self._known.add(told)
                self._writer.submit(self._write, *told, self._clock())

    def close(self) -> None:
        """Wait until everything is written."""
        self._writer.shutdown()

    def _write(self, entrant: str, version: str, at: datetime) -> None:
        def added(_status: StageStatus, before: Sequence[Event]) -> Iterator[Entry]:
            versions = [event.data["version"] for event in before if _is_of(event, entrant)]
            if version not in versions:
                if versions:
                    log.warning("%s answers as %s now, which was %s", entrant, version, versions[-1])
                yield Entry(at, ANSWERED, {"entrant": entrant, "version": version})

        try:
            self._events.follow(self._stage_id, self._process, added)
        except ArenaError:
            log.exception("not kept: %s answers as %s", entrant, version)


def new_versions(events: Sequence[Event]) -> list[NewVersion]:
    """Find in a stage's events where an entrant's second version, or a later one, has answered for the first time, in order."""
    newest: dict[str, str] = {}
    found = []
    for event in events:
        if event.kind == ANSWERED:
            entrant, version = event.data["entrant"], event.data["version"]
            if entrant in newest:
                found.append(NewVersion(event.at, entrant, newest[entrant], version))
            newest[entrant] = version
    return found


def _is_of(event: Event, entrant: str) -> bool:
    return event.kind == ANSWERED and event.data["entrant"] == entrant
