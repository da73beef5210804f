"""When an entrant could not be drawn, and why: kept as events while a stage runs, added up for publication."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from arena.domain.outage import Cause
from arena.record.events import Event, Events

LEFT, STILL, BACK = "entrant.left_draw", "entrant.still_out", "entrant.back_in_draw"


@dataclass(frozen=True, slots=True)
class Spell:
    """One process could not draw an entrant from `began` until `ended`.

    A process that was killed ends nothing: then `ended` is None, and the spell counts until the last time it was noted.
    """

    entrant: str
    process: str
    cause: Cause
    began: datetime
    noted: datetime
    ended: datetime | None = None

    @property
    def until(self) -> datetime:
        """Up to when it is known to have lasted."""
        return self.ended or self.noted


class Outages:
    """The spells in which entrants could not be drawn. Causes are codes and figures: they hold no text of an endpoint."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def left(self, at: datetime, stage_id: str, entrant: str, process: str, cause: Cause) -> None:
        """Note that the entrant has left the draw of this process."""
        self._append(at, stage_id, entrant, process, LEFT, cause)

    def still_out(self, at: datetime, stage_id: str, entrant: str, process: str, cause: Cause) -> None:
        """Note that the entrant was asked again and did not answer."""
        self._append(at, stage_id, entrant, process, STILL, cause)

    def back(self, at: datetime, stage_id: str, entrant: str, process: str, cause: Cause) -> None:
        """Note that the entrant can be drawn again, or that the process ends and says no more about it."""
        self._append(at, stage_id, entrant, process, BACK, cause)

    def of_stage(self, stage_id: str) -> list[Spell]:
        """Read every spell, by its beginning."""
        return spells(self._events.of_stage(stage_id))

    def _append(self, at: datetime, stage_id: str, entrant: str, process: str, kind: str, cause: Cause) -> None:
        data = {"entrant": entrant, "cause": cause.model_dump(exclude_none=True)}
        self._events.append(at, stage_id, process, kind, data)


def cause_in(data: Mapping[str, Any]) -> Cause:
    """Read the cause in the data of an outage's event; in the oldest it is one sentence, `reason`."""
    return Cause.model_validate(data["cause"]) if "cause" in data else Cause(kind="text", text=data["reason"])


def spells(events: Iterable[Event]) -> list[Spell]:
    """Put a stage's events together to its spells, by their beginning."""
    over: list[Spell] = []
    running: dict[tuple[str, str], Spell] = {}
    for event in events:
        if event.kind not in (LEFT, STILL, BACK):
            continue
        key = (str(event.data["entrant"]), event.actor)
        spell = running.pop(key, None)
        if event.kind == LEFT:
            if spell is not None:  # that process died; another one of its name has begun
                over.append(spell)
            running[key] = Spell(*key, cause_in(event.data), event.at, event.at)
        elif spell is not None:
            ended = event.at if event.kind == BACK else None
            spell = Spell(*key, spell.cause, spell.began, event.at, ended)
            if ended is None:
                running[key] = spell
            else:
                over.append(spell)
    return sorted([*over, *running.values()], key=lambda s: (s.began, s.entrant, s.process))


def minutes(spells: Iterable[Spell], end: datetime | None = None) -> dict[str, float]:
    """Per entrant, the minutes until `end` in which at least one process could not draw it; times of several are not added twice."""
    found: dict[str, list[tuple[datetime, datetime]]] = {}
    for spell in spells:
        found.setdefault(spell.entrant, []).append((spell.began, spell.until))
    return {entrant: minutes_of(times, end) for entrant, times in sorted(found.items())}


def minutes_of(times: Iterable[tuple[datetime, datetime]], end: datetime | None = None) -> float:
    """Add up times, from when until when, as far as they lie before `end`; what several share counts once."""
    total, covered = timedelta(), datetime.min.replace(tzinfo=UTC)
    for began, until in sorted(times):
        start, over = max(began, covered), until if end is None else min(until, end)
        total += max(timedelta(), over - start)
        covered = max(over, start)
    return total / timedelta(minutes=1)
