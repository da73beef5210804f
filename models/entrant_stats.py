"""How an entrant has fared, in numbers only: no text of an answer and no text of an error."""

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import accumulate
from typing import Annotated, Final, TypeVar

from pydantic import Field, TypeAdapter

from models.breaker import Breaker, State
from models.endpoint.quirks import Quirk
from models.errors import NO_OUTAGE, AnswerError, AnswerErrorKind

K = TypeVar("K")

WINDOW = 200
"""Answers in the rolling figures."""
BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0)


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds: all of them as a histogram, the last `WINDOW` one by one."""

    sum_s: float
    counts: Annotated[tuple[int, ...], Field(min_length=len(BUCKETS_S) + 1, max_length=len(BUCKETS_S) + 1)]
    """How many took at most each of `BUCKETS_S`, and longer than the bound before; the last took longer than any."""
    recent_s: tuple[float, ...]
    """The latest, to the millisecond, the shortest first."""

    @property
    def buckets(self) -> list[tuple[float, int]]:
        """List `(upper bound, how many took at most that)`, cumulative, as a Prometheus histogram has them."""
        return list(zip((*BUCKETS_S, float("inf")), accumulate(self.counts), strict=True))

    def recent(self, quantile: float) -> float | None:
        """Give a quantile of the latest; nothing before the first."""
        n = len(self.recent_s)
        return self.recent_s[min(n - 1, int(quantile * n))] if n else None


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
    recent: int
    """Of the last `WINDOW` answers, those that say something of the entrant."""
    recent_failed: int
    first_token: Latency
    total: Latency
    prompt_tokens: int
    completion_tokens: int
    outage_s: float
    """Out of the draw, in all."""

    @property
    def recent_success(self) -> float | None:
        """Give the share of the latest answers that did not fail; nothing before the first."""
        return 1 - self.recent_failed / self.recent if self.recent else None


FIGURES: Final = TypeAdapter(dict[str, Health])
"""The figures of all entrants, from and to JSON: as one process tells them to the others."""
_WORST: Final[dict[State, int]] = {"closed": 0, "half_open": 1, "open": 2}


def merged(parts: Sequence[Health]) -> Health:
    """Put an entrant's figures in several processes together, at least one: counts are added, the latest answers of all are looked at as one.

    The state is the worst of them. Times out of the draw may overlap, so the longest counts.
    """
    return Health(
        state=max((part.state for part in parts), key=_WORST.__getitem__),
        running=sum(part.running for part in parts),
        asked=sum(part.asked for part in parts),
        answered=sum(part.answered for part in parts),
        cancelled=sum(part.cancelled for part in parts),
        errors=_added([part.errors for part in parts]),
        retries=sum(part.retries for part in parts),
        quirks=_added([part.quirks for part in parts]),
        recent=sum(part.recent for part in parts),
        recent_failed=sum(part.recent_failed for part in parts),
        first_token=_merged_latency([part.first_token for part in parts]),
        total=_merged_latency([part.total for part in parts]),
        prompt_tokens=sum(part.prompt_tokens for part in parts),
        completion_tokens=sum(part.completion_tokens for part in parts),
        outage_s=max(part.outage_s for part in parts),
    )


def _merged_latency(parts: Sequence[Latency]) -> Latency:
    return Latency(
        sum(part.sum_s for part in parts),
        tuple(map(sum, zip(*(part.counts for part in parts), strict=True))),
        tuple(merge(*(part.recent_s for part in parts))),
    )


def _added(counts: Sequence[Mapping[K, int]]) -> dict[K, int]:
    return dict(sum(map(Counter, counts), Counter[K]()))


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
        """Give the figures now."""
        return Latency(self._sum_s, tuple(self._counts), tuple(sorted(round(each, 3) for each in self._recent)))


class EntrantStats:
    """What is counted of one entrant, beside the breaker that says whether it is in the draw."""

    def __init__(self, breaker: Breaker) -> None:
        self.breaker = breaker
        self.running = self.asked = self.answered = self.cancelled = self.retries = 0
        self.prompt_tokens = self.completion_tokens = 0
        self.errors: Counter[AnswerErrorKind] = Counter()
        self.quirks: Counter[Quirk] = Counter()
        self.first_token, self.total = Timings(), Timings()
        self._recent: deque[bool] = deque(maxlen=WINDOW)

    def success(self) -> None:
        """Count an answer that came to its end."""
        self.answered += 1
        self._recent.append(True)
        self.breaker.answered()

    def failure(self, error: AnswerError, network: str) -> bool:
        """Count an answer that failed for an asker of this network; tell whether that alone is reason to take the entrant out."""
        self.errors[error.kind] += 1
        if error.kind in NO_OUTAGE:
            return False
        self._recent.append(False)
        return not error.is_prompts_own and self.breaker.failed(network)

    def quirk(self, quirk: Quirk) -> None:
        """Count an answer that was unusual, and understood."""
        self.quirks[quirk] += 1

    def snapshot(self) -> Health:
        """Return the figures now."""
        return Health(
            state=self.breaker.state,
            running=self.running,
            asked=self.asked,
            answered=self.answered,
            cancelled=self.cancelled,
            errors=dict(self.errors),
            retries=self.retries,
            quirks=dict(self.quirks),
            recent=len(self._recent),
            recent_failed=self._recent.count(False),
            first_token=self.first_token.snapshot(),
            total=self.total.snapshot(),
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
            outage_s=self.breaker.out_s,
        )
