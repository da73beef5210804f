"""Who saw live ratings while votes were still coming in: recorded before they are shown, published with the result."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from arena.domain.stage import StageStatus
from arena.record.store import Store

SEEN = "ratings.seen"


@dataclass(frozen=True, slots=True)
class Viewer:
    """One organizer's account, and when it saw live ratings."""

    organizer: str
    first: datetime
    last: datetime
    hours: int
    """Clock hours in which it looked at least once."""


class LiveViews:
    """Notes who looks at a stage's live ratings: once an hour for each account, however often its page refreshes."""

    def __init__(
        self, store: Store, stage_id: str, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Read nothing."""
        self._store = store
        self._stage_id = stage_id
        self._clock = clock
        self._lock = threading.Lock()
        self._noted: set[tuple[str, datetime]] = set()

    def note(self, organizer: str) -> None:
        """Keep that this account is about to see the ratings. After the freeze they are no longer live, and nothing is kept.

        Raises:
            Unavailable: it could not be kept; then nothing may be shown.
        """
        now = self._clock()
        hour = _hour(now)
        with self._lock:
            if (organizer, hour) in self._noted:
                return
            record = self._store.stages.find(self._stage_id)
            if record is not None and record.status is StageStatus.OPEN:
                self._store.events.append(now, self._stage_id, organizer, SEEN, {})
            self._noted = {seen for seen in self._noted if seen[1] == hour} | {(organizer, hour)}


def viewers(store: Store, stage_id: str) -> list[Viewer]:
    """List every account that saw the stage's live ratings, in the order of its first look."""
    looks: dict[str, list[datetime]] = {}
    for event in store.events.of_stage(stage_id, SEEN):
        looks.setdefault(event.actor, []).append(event.at)
    return [Viewer(who, at[0], at[-1], len({_hour(moment) for moment in at})) for who, at in looks.items()]


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
