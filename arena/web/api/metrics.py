"""`/metrics` for Prometheus, of this process: to anybody, how much is going on; each entrant's figures only to who may see them.

In a quiet arena even sums would tell a citizen how fast the two models of their battle are and how long their tokens are: so nothing that an
entrant's answer moves, nor how many can be drawn, is shown without an API key of the scope `metrics` (as `Authorization: Bearer …`) or an organizer's login.
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
from arena.web.core.dependencies import Here, Services
from models.entrant_stats import Health, Latency

Figures = Callable[[], Mapping[str, Health]]


class _Public(Collector):
    """What may be told to anybody."""

    def __init__(self, arena: Arena) -> None:
        self._arena = arena

    def collect(self) -> Iterator[Metric]:
        """How busy the arena is."""
        yield GaugeMetricFamily("arena_turns_running", "Questions being answered", self._arena.turns_running)


class _ByEntrant(Collector):
    """How every entrant fares."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Give the figures of this moment, since the process began."""
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


async def figures(here: Services, request: Request) -> bytes:
    """Write what this request may see, as Prometheus reads it: an entrant's figures only for a key or an organizer."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Public(here.arena))
    if await _may_see_entrants(here, request):
        registry.register(_ByEntrant(here.health))
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
    return generate_latest(registry)


async def _may_see_entrants(here: Services, request: Request) -> bool:
    if await here.organizers.name(request) is not None:
        return True
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        return False
    known = await here.arena.run_in_db_thread(here.arena.store.api_keys.find, key.strip(), datetime.now(UTC))
    return known is not None and known.allows(here.arena.stage.id, "metrics")


router = APIRouter()


@router.get("/metrics", include_in_schema=False)
async def metrics(here: Here, request: Request) -> Response:
    """Return the figures; an entrant's only to a key or an organizer."""
    told = await figures(here, request)
    return Response(told, headers={"content-type": CONTENT_TYPE_LATEST, "cache-control": "no-store"})
