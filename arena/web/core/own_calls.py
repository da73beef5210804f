"""What a citizen asks and nobody keeps, reads and refused calls, costs whoever asked and nobody else: small bounds in this process's memory."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Literal

from arena.domain.errors import TooMany

MINUTE_S = 60.0
OwnCall = Literal["read", "refused"]


class OwnCalls:
    """Counts the calls of one kind on each account (`provenance.account`) in this minute; when it ends all of them are forgotten."""

    def __init__(self, kind: OwnCall, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._kind = kind
        self._per_minute = per_minute
        self._clock = clock
        self._until = 0.0
        self._counted = Counter[str]()

    def note(self, account: str) -> None:
        """Count one."""
        self._begin_minute()
        self._counted[account] += 1

    def require(self, account: str) -> None:
        """Let them ask on.

        Raises:
            TooMany: not before the minute's end.
        """
        self._begin_minute()
        if self._counted[account] >= self._per_minute:
            raise TooMany("too_many", act=self._kind, minutes=1, retry_after_s=max(1.0, self._until - self._clock()))

    def take(self, account: str) -> None:
        """Count one, unless there have been as many as there may be.

        Raises:
            TooMany: as `require`.
        """
        self.require(account)
        self.note(account)

    def _begin_minute(self) -> None:
        now = self._clock()
        if now >= self._until:
            self._until = now + MINUTE_S
            self._counted.clear()
