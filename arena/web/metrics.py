"""`/metrics` for Prometheus: to anybody, how much is going on; each entrant's figures only to who may see them.

In a quiet arena even sums would tell a citizen how fast the two models of their battle are and how long their tokens are: so nothing that an
entrant's answer moves is shown without an API key of the scope `metrics` (as `Authorization: Bearer …`) or an organizer's login.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from arena.battles.arena import Arena
from models.health import Health, Latency

Figures = Callable[[], Mapping[str, Health]]


class _Public(Collector):
    """What may be told to anybody."""

    def __init__(self, arena: Arena) -> None:
        self._arena = arena

    def collect(self) -> Iterator[Metric]:
        """How busy the arena is, and whether battles can be drawn."""
        yield GaugeMetricFamily("arena_turns_running", "Questions being answered", self._arena.turns_running)
        yield GaugeMetricFamily("arena_entrants_in_draw", "Entrants that can be drawn", self._arena.in_draw)


class _ByEntrant(Collector):
    """How every entrant fares."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """The figures of this moment, since the process began."""
        label = ["entrant"]
        in_draw = GaugeMetricFamily("arena_entrant_in_draw", "1 while the entrant can be drawn", labels=label)
        running = GaugeMetricFamily("arena_entrant_streams", "Answers being written", labels=label)
        success = GaugeMetricFamily("arena_entrant_success_ratio", "Of the last 200 answers", labels=label)
        outage = CounterMetricFamily("arena_entrant_outage_seconds", "Time out of the draw", labels=label)
        retries = CounterMetricFamily(
            "arena_entrant_retries", "Questions asked again before the first token", labels=label
        )
        answers = CounterMetricFamily("arena_entrant_answers", "Answers by their end", labels=["entrant", "end"])
        errors = CounterMetricFamily("arena_entrant_errors", "Failed answers by kind", labels=["entrant", "kind"])
        tokens = CounterMetricFamily("arena_entrant_tokens", "In the entrant's own tokens", labels=["entrant", "part"])
        first = HistogramMetricFamily("arena_entrant_first_token_seconds", "Until the first token", labels=label)
        total = HistogramMetricFamily("arena_entrant_answer_seconds", "Until the last token", labels=label)
        for entrant, seen in self._figures().items():
            in_draw.add_metric([entrant], float(seen.state == "closed"))
            running.add_metric([entrant], seen.running)
            if seen.recent_success is not None:
                success.add_metric([entrant], seen.recent_success)
            outage.add_metric([entrant], seen.outage_s)
            retries.add_metric([entrant], seen.retries)
            answers.add_metric([entrant, "answered"], seen.answered)
            answers.add_metric([entrant, "cancelled"], seen.cancelled)
            answers.add_metric([entrant, "failed"], sum(seen.errors.values()))
            for kind, count in sorted(seen.errors.items()):
                errors.add_metric([entrant, kind], count)
            tokens.add_metric([entrant, "prompt"], seen.prompt_tokens)
            tokens.add_metric([entrant, "completion"], seen.completion_tokens)
            for family, latency in ((first, seen.first_token), (total, seen.total)):
                family.add_metric([entrant], _buckets(latency), latency.sum_s)
        yield from (in_draw, running, success, outage, retries, answers, errors, tokens, first, total)


def _buckets(latency: Latency) -> list[tuple[str, float]]:
    return [("+Inf" if bound == float("inf") else f"{bound:g}", count) for bound, count in latency.buckets]


class Metrics:
    """What `/metrics` stands on; `app.py` puts it at `app.state.metrics`."""

    def __init__(self, arena: Arena, figures: Figures, organizer: Callable[[Request], str | None]) -> None:
        """`figures()` gives every entrant's health; `organizer(request)` the name of an organizer who is logged in."""
        self._arena = arena
        self._organizer = organizer
        self._public = CollectorRegistry(auto_describe=False)
        self._public.register(_Public(arena))
        self._everything = CollectorRegistry(auto_describe=False)
        self._everything.register(_Public(arena))
        self._everything.register(_ByEntrant(figures))
        ProcessCollector(registry=self._everything)
        PlatformCollector(registry=self._everything)

    async def page(self, request: Request) -> bytes:
        """The figures that this request may see, as Prometheus reads them."""
        return generate_latest(self._everything if await self._may_see_entrants(request) else self._public)

    async def _may_see_entrants(self, request: Request) -> bool:
        if self._organizer(request) is not None:
            return True
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            return False
        known = await self._arena.run_in_db_thread(self._arena.store.api_keys.find, key.strip(), datetime.now(UTC))
        return known is not None and known.allows(self._arena.stage.id, "metrics")


router = APIRouter()


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """The figures; an entrant's only to a key or an organizer."""
    told = await request.app.state.metrics.page(request)
    return Response(told, headers={"content-type": CONTENT_TYPE_LATEST, "cache-control": "no-store"})
