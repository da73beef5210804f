"""The circuit breaker of one entrant: takes a failing one out of the draw, and knows for how long it has been out."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from models.cause import Cause

State = Literal["closed", "half_open", "open"]
FAILING_OF: Final = (10, 20)
"""Open when this many of the last that many answers failed …"""
FAILING_OVER: Final = 5
"""… for askers of that many networks, each as wide as a provider's (/16 or /32): nobody works a breaker from one place, however many cookies or /48s they have."""


@dataclass(frozen=True, slots=True)
class Change:
    """A breaker has moved."""

    entrant_id: str
    state: State
    cause: Cause
    at: datetime


class Breaker:
    """Closed while the entrant can be drawn."""

    def __init__(
        self,
        entrant_id: str,
        *,
        clock: Callable[[], float],
        now: Callable[[], datetime],
        on_change: Callable[[Change], None],
    ) -> None:
        """`clock` gives monotonic seconds, `now` the wall time of a change; `on_change` hears of every one."""
        self._entrant_id = entrant_id
        self._clock = clock
        self._now = now
        self._on_change = on_change
        self.state: State = "closed"
        self._since_closed: deque[str | None] = deque(maxlen=FAILING_OF[1])
        """The network of each answer that failed; None for one that did not."""
        self._out_s = 0.0
        self._out_since: float | None = None

    @property
    def out_s(self) -> float:
        """Seconds out of the draw until now."""
        return self._out_s + (0.0 if self._out_since is None else self._clock() - self._out_since)

    def answered(self) -> None:
        """Note an answer that came to its end."""
        self._since_closed.append(None)

    def failed(self, network: str) -> bool:
        """Note an answer that failed for an asker of this network; tell whether that alone is reason to take the entrant out."""
        self._since_closed.append(network)
        failed = [each for each in self._since_closed if each is not None]
        return len(failed) >= FAILING_OF[0] and len(set(failed)) >= FAILING_OVER

    def move(self, state: State, cause: Cause) -> None:
        """Move, and tell whoever wants to know; to where it stands already is no move."""
        if state == self.state:
            return
        if self._out_since is None and state != "closed":
            self._out_since = self._clock()
        elif self._out_since is not None and state == "closed":
            self._out_s += self._clock() - self._out_since
            self._out_since = None
            self._since_closed.clear()
        self.state = state
        self._on_change(Change(self._entrant_id, state, cause, self._now()))
