"""Figures of an entrant in several processes: put together they are what one process would have counted."""

import random
import time
from datetime import UTC, datetime

import orjson
import pytest
from pydantic import ValidationError

from models.breaker import Breaker
from models.cause import Cause
from models.entrant_stats import FIGURES, WINDOW, EntrantStats, merged
from models.errors import AnswerError

EVENTS = ("success", "timeout", "filtered", "upstream")


def fresh() -> EntrantStats:
    """Nothing has happened yet."""
    return EntrantStats(Breaker("garam", clock=time.monotonic, now=lambda: datetime.now(UTC), on_change=lambda _: None))


def happens(stats: EntrantStats, kind: str, seconds: float) -> None:
    """One answer."""
    stats.asked += 1
    stats.prompt_tokens += 3
    stats.first_token.add(seconds / 2)
    stats.total.add(seconds)
    if kind == "success":
        stats.success()
    else:
        stats.failure(AnswerError(kind), "network")  # type: ignore[arg-type]


def test_merged_figures_are_those_of_one_process() -> None:
    """Counts, histograms, the latest answers and their quantiles, whichever process had which answer."""
    rng = random.Random(7)
    parts, whole = [fresh() for _ in range(3)], fresh()
    for _ in range(WINDOW - 20):
        kind, seconds = rng.choice(EVENTS), round(rng.lognormvariate(0, 2), 3)
        for stats in (rng.choice(parts), whole):
            happens(stats, kind, seconds)
    told, alone = merged([part.snapshot() for part in parts]), whole.snapshot()
    assert (told.asked, told.answered, dict(told.errors)) == (alone.asked, alone.answered, dict(alone.errors))
    assert (told.total.counts, told.total.recent_s) == (alone.total.counts, alone.total.recent_s)
    assert told.total.buckets[-1] == (float("inf"), WINDOW - 20)
    assert told.total.sum_s == pytest.approx(alone.total.sum_s)
    assert told.first_token.recent(0.95) == alone.first_token.recent(0.95)
    assert told.recent_success == alone.recent_success


def test_the_worst_state_is_everybodys() -> None:
    """While one process cannot draw an entrant, the figures of all say so."""
    well, ill = fresh(), fresh()
    ill.breaker.move("open", Cause("answers_failed", "timeout"))
    assert merged([well.snapshot(), ill.snapshot()]).state == "open"
    ill.breaker.move("half_open", Cause("asked_again"))
    assert merged([ill.snapshot(), well.snapshot()]).state == "half_open"


def test_figures_travel_as_json() -> None:
    """What one process writes another reads, also before the first answer; figures of another shape are refused and not misread."""
    stats = fresh()
    assert FIGURES.validate_python(orjson.loads(FIGURES.dump_json({"garam": stats.snapshot()}))) == {
        "garam": stats.snapshot()
    }
    happens(stats, "timeout", 0.5)
    told = orjson.loads(FIGURES.dump_json({"garam": stats.snapshot()}))
    assert FIGURES.validate_python(told) == {"garam": stats.snapshot()}
    told["garam"]["total"]["counts"].append(1)
    with pytest.raises(ValidationError):
        FIGURES.validate_python(told)
