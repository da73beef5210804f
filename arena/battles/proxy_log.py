"""Keeps in the record that requests contradict ARENA_TRUSTED_PROXIES: a wrong setting makes the whole country one network, or anybody anybody."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import get_args

from arena.battles.processes import ServingProcess
from arena.domain.errors import ArenaError
from arena.domain.proxies import Mismatch
from arena.record.events import Event
from arena.record.store import Store

log = logging.getLogger(__name__)


class ProxyLog:
    """Hears of contradictions on the loop and writes them in a thread of its own."""

    def __init__(self, store: Store, process: str, setting: str) -> None:
        """`process`: a name that no other process has; `setting`: what ARENA_TRUSTED_PROXIES says."""
        self._events = store.events
        self._process = process
        self._setting = setting
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="proxies")

    def heard(self, mismatch: Mismatch) -> None:
        """For `WatchedProxies(…, on_mismatch)`."""
        log.warning("%s: ARENA_TRUSTED_PROXIES is %r", mismatch, self._setting)
        self._writer.submit(self._write, mismatch, datetime.now(UTC))

    def close(self) -> None:
        """Wait until everything is written."""
        self._writer.shutdown()

    def _write(self, mismatch: Mismatch, at: datetime) -> None:
        try:
            self._events.append(at, None, self._process, mismatch, {"setting": self._setting})
        except ArenaError:
            log.exception("not kept: %s", mismatch)


def proxy_mismatches(store: Store, processes: Sequence[ServingProcess]) -> list[Event]:
    """Read what the processes that serve now have noticed since they began, in order; a setting that was mended is a process that began anew."""
    began = {process.name: process.began_at for process in processes}
    if not began:
        return []
    found = store.events.of_kinds(get_args(Mismatch), min(began.values()))
    return [event for event in found if event.actor in began and event.at >= began[event.actor]]
