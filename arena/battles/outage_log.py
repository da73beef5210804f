"""Keeps in the record who left the draw, why, and when they were back: the programme publishes each entrant's outage minutes."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from arena.domain.errors import ArenaError
from arena.domain.outage import Cause
from arena.record.store import Store
from models.breaker import Change

NOTED_EVERY = timedelta(minutes=5)
"""An outage that goes on is noted so often: what a killed process last knew is what counts."""

log = logging.getLogger(__name__)


class OutageLog:
    """Hears the roster's changes on the loop and writes them in a thread of its own, in their order."""

    def __init__(self, store: Store, stage_id: str, process: str) -> None:
        """`process`: a name that this process has again after a restart, and no other has."""
        self._outages = store.outages
        self._stage_id = stage_id
        self._process = process
        self._noted: dict[str, datetime] = {}
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="watch")

    def heard(self, change: Change) -> None:
        """For `Roster.open(on_change=…)`."""
        entrant, at, cause = change.entrant_id, change.at, Cause(**asdict(change.cause))
        if change.state == "closed":
            log.warning("%s is back in the draw: %s", entrant, change.cause)
            if self._noted.pop(entrant, None):
                self._write(self._outages.back, at, entrant, cause)
        elif entrant not in self._noted:
            log.warning("%s has left the draw: %s", entrant, change.cause)
            self._noted[entrant] = at
            self._write(self._outages.left, at, entrant, cause)
        elif change.state == "open" and at - self._noted[entrant] >= NOTED_EVERY:
            log.warning("%s is still out of the draw: %s", entrant, change.cause)
            self._noted[entrant] = at
            self._write(self._outages.still_out, at, entrant, cause)

    def close(self) -> None:
        """Say no more about anybody, and wait until everything is written."""
        for entrant in sorted(self._noted):
            self._write(self._outages.back, datetime.now(UTC), entrant, Cause(kind="arena_stopped"))
        self._noted.clear()
        self._writer.shutdown()

    def _write(self, write: Callable[..., None], at: datetime, entrant: str, cause: Cause) -> None:
        def kept() -> None:
            try:
                write(at, self._stage_id, entrant, self._process, cause)
            except ArenaError:
                log.exception("not kept: %s at %s: %s", entrant, at, cause)

        self._writer.submit(kept)
