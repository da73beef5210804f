"""How few entrants a battle may be drawn from: with two left everybody would know who they are."""

import threading
from collections import deque
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Final

from arena.domain.stage import Stage

FEWEST: Final = 2
KNOWN_PAIR: Final = 3
"""With so many entrants, one that is out leaves a pair that is known."""
PAUSES_REMEMBERED: Final = 6
"""For so many times `pause_minutes` it is remembered how long one of three was out, so that nobody makes a pause last by coming back for a moment."""


class DrawFloor:
    """Says whether battles may be drawn just now. Any thread may ask."""

    def __init__(self, stage: Stage, *, clock: Callable[[], datetime]) -> None:
        self._stage = stage
        self._clock = clock
        self._pause = timedelta(minutes=stage.protocol.pause_minutes)
        self._lock = threading.Lock()
        self._short: deque[tuple[datetime, datetime]] = deque()
        """When there were too few, from the first time that it was asked to the last, the newest at the right."""
        self._is_short = False

    def holds(self, drawable: AbstractSet[str], removed: AbstractSet[str]) -> bool:
        """Whether enough of the stage's entrants can be drawn; `removed` are out for good, and no part of the whole.

        Of four and more: `min_in_draw`, or all but one. Of three: all, but once there were too few for `pause_minutes` in all, within six times as
        long, two will do, since a pause without end would be a team's to make, whether it stays away or comes and goes. Controls are no entrants.
        """
        entrants = set(self._stage.entrant_ids) - removed
        left = len(entrants & drawable)
        with self._lock:
            short = left < self._wanted(len(entrants))
            lasted = self._lasted(self._clock(), short=short)
        return not short or (len(entrants) == KNOWN_PAIR and left >= FEWEST and lasted >= self._pause)

    def _lasted(self, now: datetime, *, short: bool) -> timedelta:
        """Note how it is now, and add up how long there were too few."""
        if short and self._is_short:
            self._short[-1] = (self._short[-1][0], max(now, self._short[-1][1]))
        elif short:
            self._short.append((now, now))
        self._is_short = short
        since = now - PAUSES_REMEMBERED * self._pause
        while self._short and self._short[0][1] < since:
            self._short.popleft()
        return sum((until - max(began, since) for began, until in self._short), timedelta())

    def _wanted(self, entrants: int) -> int:
        if self._stage.protocol.min_in_draw is not None:
            return max(FEWEST, min(self._stage.protocol.min_in_draw, entrants))
        return max(FEWEST, entrants if entrants == KNOWN_PAIR else entrants - 1)
