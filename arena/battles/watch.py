"""Keeps in the record who left the draw, why, and when they were back: the programme publishes each entrant's outage minutes."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from arena.domain.errors import ArenaError
from arena.record.store import Store
from models.health import Change

NOTED_EVERY = timedelta(minutes=5)
"""An outage that goes on is noted so often: what a killed process last knew is what counts."""

log = logging.getLogger(__name__)


class Watch:
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
        entrant, at = change.entrant_id, change.at
        if change.state == "closed":
            log.warning("%s is back in the draw: %s", entrant, change.reason)
            if self._noted.pop(entrant, None):
                self._write(self._outages.back, at, entrant, change.reason)
        elif entrant not in self._noted:
            log.warning("%s has left the draw: %s", entrant, change.reason)
            self._noted[entrant] = at
            self._write(self._outages.left, at, entrant, change.reason)
        elif change.state == "open" and at - self._noted[entrant] >= NOTED_EVERY:
            log.warning("%s is still out of the draw: %s", entrant, change.reason)
            self._noted[entrant] = at
            self._write(self._outages.still_out, at, entrant, change.reason)

    def close(self) -> None:
        """Says no more about anybody, and waits until everything is written."""
        for entrant in sorted(self._noted):
            self._write(self._outages.back, datetime.now(UTC), entrant, "the arena was stopped")
        self._noted.clear()
        self._writer.shutdown()

    def _write(self, write: Callable[..., None], at: datetime, entrant: str, reason: str) -> None:
        def kept() -> None:
            try:
                write(at, self._stage_id, entrant, self._process, reason)
            except ArenaError:
                log.exception("not kept: %s at %s: %s", entrant, at, reason)

        self._writer.submit(kept)
