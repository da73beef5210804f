"""How an entrant has fared, in numbers only: no text of an answer and no text of an error."""

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from models.errors import DOUBTFUL, NO_OUTAGE, AnswerErrorKind
from models.quirks import Quirk

State = Literal["closed", "half_open", "open"]
WINDOW = 200
"""Answers in the rolling figures."""
BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0)
FAILURES_TO_OPEN = 3
FAILING_OF = (10, 20)
"""Also open when this many of the last that many answers failed."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds, since the roster was opened and over the last `WINDOW` answers."""

    count: int
    sum_s: float
    buckets: tuple[tuple[float, int], ...]
    """`(upper bound, how many took at most that)`, cumulative, as a Prometheus histogram has them."""
    p50_s: float | None
    p95_s: float | None
    """Both rolling; nothing before the first answer."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which an entrant was out of the draw."""

    reason: str
    began: datetime
    ended: datetime | None


@dataclass(frozen=True, slots=True)
class Change:
    """The circuit breaker of one entrant has moved."""

    entrant_id: str
    state: State
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Health:
    """One entrant's figures at one instant."""

    state: State
    running: int
    asked: int
    answered: int
    cancelled: int
    """Stopped by whoever was reading: the citizen, or a deadline of the arena's own."""
    errors: Mapping[AnswerErrorKind, int]
    retries: int
    quirks: Mapping[Quirk, int]
    """What was unusual about answers that were understood all the same."""
    recent_success: float | None
    """Share of the last `WINDOW` answers that did not fail; nothing before the first."""
    first_token: Latency
    total: Latency
    prompt_tokens: int
    completion_tokens: int
    outage_s: float
    outages: tuple[Outage, ...]
    """The last hundred; `on_change` has told of every one."""


class Timings:
    """A histogram since the beginning and a window of the latest."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BUCKETS_S) + 1)
        self._sum_s = 0.0
        self._recent: deque[float] = deque(maxlen=WINDOW)

    def add(self, seconds: float) -> None:
        """One more."""
        self._counts[bisect_left(BUCKETS_S, seconds)] += 1
        self._sum_s += seconds
        self._recent.append(seconds)

    def snapshot(self) -> Latency:
        """The figures now."""
        buckets: list[tuple[float, int]] = []
        total = 0
        for bound, count in zip((*BUCKETS_S, float("inf")), self._counts, strict=True):
            total += count
            buckets.append((bound, total))
        recent = sorted(self._recent)

        def quantile(q: float) -> float | None:
            return recent[min(len(recent) - 1, int(q * len(recent)))] if recent else None

        return Latency(total, self._sum_s, tuple(buckets), quantile(0.5), quantile(0.95))


class Record:
    """What is counted of one entrant, and whether it is in the draw."""

    def __init__(
        self,
        entrant_id: str,
        *,
        clock: Callable[[], float],
        now: Callable[[], datetime],
        on_change: Callable[[Change], None],
    ) -> None:
        self.entrant_id = entrant_id
        self._clock = clock
        self._now = now
        self._on_change = on_change
        self.state: State = "closed"
        self.running = self.asked = self.answered = self.cancelled = self.retries = 0
        self.prompt_tokens = self.completion_tokens = 0
        self.errors: Counter[AnswerErrorKind] = Counter()
        self.quirks: Counter[Quirk] = Counter()
        self.first_token, self.total = Timings(), Timings()
        self._recent: deque[bool] = deque(maxlen=WINDOW)
        self._since_closed: deque[bool] = deque(maxlen=FAILING_OF[1])
        self._outage_s = 0.0
        self._out_since: float | None = None
        self._outages: deque[Outage] = deque(maxlen=100)

    def success(self) -> None:
        """An answer came to its end."""
        self.answered += 1
        self._recent.append(True)
        self._since_closed.append(True)

    def failure(self, kind: AnswerErrorKind) -> bool:
        """An answer failed. Gives whether it is time to take the entrant out."""
        self.errors[kind] += 1
        if kind in NO_OUTAGE:
            return False
        self._recent.append(False)
        if kind in DOUBTFUL:
            return False
        self._since_closed.append(False)
        latest = list(self._since_closed)
        in_a_row = len(latest) >= FAILURES_TO_OPEN and not any(latest[-FAILURES_TO_OPEN:])
        return in_a_row or latest.count(False) >= FAILING_OF[0]

    def quirk(self, quirk: Quirk) -> None:
        """An answer was unusual, and understood."""
        self.quirks[quirk] += 1

    def move(self, state: State, reason: str) -> None:
        """Moves the breaker, and tells whoever wants to know."""
        if state == self.state:
            return
        at = self._now()
        if self._out_since is None and state != "closed":
            self._out_since = self._clock()
            self._outages.append(Outage(reason, at, None))
        elif self._out_since is not None and state == "closed":
            self._outage_s += self._clock() - self._out_since
            self._out_since = None
            began = self._outages.pop()
            self._outages.append(Outage(began.reason, began.began, at))
            self._since_closed.clear()
        self.state = state
        self._on_change(Change(self.entrant_id, state, reason, at))

    def snapshot(self) -> Health:
        """The figures now."""
        out_s = 0.0 if self._out_since is None else self._clock() - self._out_since
        recent = list(self._recent)
        return Health(
            state=self.state,
            running=self.running,
            asked=self.asked,
            answered=self.answered,
            cancelled=self.cancelled,
            errors=dict(self.errors),
            retries=self.retries,
            quirks=dict(self.quirks),
            recent_success=sum(recent) / len(recent) if recent else None,
            first_token=self.first_token.snapshot(),
            total=self.total.snapshot(),
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
            outage_s=self._outage_s + out_s,
            outages=tuple(self._outages),
        )
