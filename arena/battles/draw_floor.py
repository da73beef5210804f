"""How few entrants a battle may be drawn from: with two left everybody would know who they are."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Final

from arena.domain.stage import Stage

FEWEST: Final = 2
KNOWN_PAIR: Final = 3
"""With so many entrants, one that is out leaves a pair that is known."""


class DrawFloor:
    """Says whether battles may be drawn just now. Any thread may ask."""

    def __init__(self, stage: Stage, *, clock: Callable[[], datetime]) -> None:
        self._stage = stage
        self._clock = clock
        self._short_since: datetime | None = None

    def holds(self, drawable: AbstractSet[str], removed: AbstractSet[str]) -> bool:
        """Whether enough of the stage's entrants can be drawn; `removed` are out for good, and no part of the whole.

        Of four and more: `min_in_draw`, or all but one. Of three: all, but after `pause_minutes` two will do, since a pause without end
        would be a team's to make. Controls are no entrants.
        """
        entrants = set(self._stage.entrant_ids) - removed
        if len(entrants & drawable) >= self._wanted(len(entrants)):
            self._short_since = None
            return True
        now = self._clock()
        began = self._short_since = self._short_since or now
        waited = now - began >= timedelta(minutes=self._stage.protocol.pause_minutes)
        return len(entrants) == KNOWN_PAIR and waited and len(entrants & drawable) >= FEWEST

    def _wanted(self, entrants: int) -> int:
        if self._stage.protocol.min_in_draw is not None:
            return max(FEWEST, min(self._stage.protocol.min_in_draw, entrants))
        return max(FEWEST, entrants if entrants == KNOWN_PAIR else entrants - 1)
