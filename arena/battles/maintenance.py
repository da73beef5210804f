"""What a process does beside its battles: it says that it is there, hears who wants an answer stopped, and tidies up after the dead and the past."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import ParamSpec, TypeVar

from arena.battles import retention
from arena.battles.arena import LEASE, Arena
from arena.domain.errors import Unavailable
from arena.record.processes import Process
from models.entrant_stats import FIGURES, Health

BEAT_S = 3.0
"""Several beats may fail before a lease runs out."""
STOPS_HEARD_S = 0.4
"""A citizen who stops an answer at another process waits this long, one look into the record, and a tick of the turn."""
SWEEP_S = 60.0
PURGE_S = 3600.0

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


class Maintenance:
    """One process's, beside its arena."""

    def __init__(
        self, arena: Arena, health: Callable[[], Mapping[str, Health]], *, name: str, began_at: datetime
    ) -> None:
        """`health()` gives every entrant's figures; `name` is what people call this process, which began to open its models at `began_at`."""
        self._arena = arena
        self._health = health
        self._name = name
        self._began_at = began_at
        # A thread of its own: leases are renewed and stops are heard however many votes wait for the record's other threads.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="heartbeat")

    async def run(self) -> None:
        """Go on until cancelled."""
        try:
            async with asyncio.TaskGroup() as together:
                together.create_task(self._every(BEAT_S, self._beat, at_once=True))
                together.create_task(self._every(STOPS_HEARD_S, self._hear_stops))
                together.create_task(self._every(SWEEP_S, self._sweep))
                together.create_task(self._every(PURGE_S, self._purge))
        finally:
            # A beat that is on its way ends first: afterwards nothing says any more that this process is there.
            await asyncio.to_thread(self._thread.shutdown)

    async def _every(self, seconds: float, act: Callable[[], Awaitable[None]], *, at_once: bool = False) -> None:
        """Act again and again; what goes wrong once is tried again next time."""
        if not at_once:
            await asyncio.sleep(seconds)
        while True:
            try:
                await act()
            except Unavailable:
                log.warning("%s: the record cannot be reached", act.__name__.strip("_"))
            except Exception:  # a fault of ours must not end what keeps the leases alive
                log.exception("%s failed", act.__name__.strip("_"))
            await asyncio.sleep(seconds)

    async def _beat(self) -> None:
        """Say that this process is there, and renew the leases of what it is answering."""
        arena, now = self._arena, self._arena.now()
        said = Process(
            id=arena.owner,
            stage_id=arena.stage.id,
            name=self._name,
            began_at=self._began_at,
            running=arena.turns_running,
            entrants=FIGURES.dump_python(dict(self._health()), mode="json"),
        )
        await self._in_thread(arena.store.processes.beat, said, now + LEASE, arena.answering())

    async def _hear_stops(self) -> None:
        """Look for stops that other processes took in; while nothing runs here there is nothing to look for."""
        arena = self._arena
        if arena.answering():
            for stop in await self._in_thread(arena.store.battles.stops_requested, arena.owner):
                arena.stop_here(stop)

    async def _sweep(self) -> None:
        """Open what dead processes left, close what is idle, forget what has expired."""
        arena, store, now = self._arena, self._arena.store, self._arena.now()
        idle = timedelta(minutes=arena.stage.limits.idle_minutes)
        await arena.run_in_db_thread(store.battles.release_expired, now)
        await arena.run_in_db_thread(store.battles.abandon_idle, now - idle)
        await arena.run_in_db_thread(store.counters.sweep, now)
        await arena.run_in_db_thread(store.processes.sweep, now)

    async def _purge(self) -> None:
        """Erase the texts that may not be kept any longer."""
        arena = self._arena
        await arena.run_in_db_thread(retention.purge, arena.store, arena.stage, arena.now())

    async def _in_thread(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: call(*args, **kwargs))
