"""When an entrant could not be drawn, and why: kept as events while a stage runs, added up for publication."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from arena.record.events import Events

LEFT, STILL, BACK = "entrant.left_draw", "entrant.still_out", "entrant.back_in_draw"


@dataclass(frozen=True, slots=True)
class Spell:
    """One process could not draw an entrant from `began` until `ended`.

    A process that was killed ends nothing: then `ended` is None, and the spell counts until the last time it was noted.
    """

    entrant: str
    process: str
    reason: str
    began: datetime
    noted: datetime
    ended: datetime | None = None

    @property
    def until(self) -> datetime:
        """Up to when it is known to have lasted."""
        return self.ended or self.noted


class Outages:
    """The spells in which entrants could not be drawn. Reasons are kinds of failure: they hold no text of an endpoint."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def left(self, at: datetime, stage_id: str, entrant: str, process: str, reason: str) -> None:
        """The entrant has left the draw of this process."""
        self._events.append(at, stage_id, process[:64], LEFT, {"entrant": entrant, "reason": reason})

    def still_out(self, at: datetime, stage_id: str, entrant: str, process: str, reason: str) -> None:
        """The entrant was asked again and did not answer."""
        self._events.append(at, stage_id, process[:64], STILL, {"entrant": entrant, "reason": reason})

    def back(self, at: datetime, stage_id: str, entrant: str, process: str, reason: str) -> None:
        """The entrant can be drawn again, or the process ends and says no more about it."""
        self._events.append(at, stage_id, process[:64], BACK, {"entrant": entrant, "reason": reason})

    def of_stage(self, stage_id: str) -> list[Spell]:
        """Every spell, by its beginning."""
        over: list[Spell] = []
        running: dict[tuple[str, str], Spell] = {}
        for event in self._events.of_stage(stage_id):
            if event.kind not in (LEFT, STILL, BACK):
                continue
            key = (str(event.data["entrant"]), event.actor)
            spell = running.pop(key, None)
            if event.kind == LEFT:
                if spell is not None:  # that process died; another one of its name has begun
                    over.append(spell)
                running[key] = Spell(*key, str(event.data["reason"]), event.at, event.at)
            elif spell is not None:
                ended = event.at if event.kind == BACK else None
                spell = Spell(*key, spell.reason, spell.began, event.at, ended)
                if ended is None:
                    running[key] = spell
                else:
                    over.append(spell)
        return sorted([*over, *running.values()], key=lambda s: (s.began, s.entrant, s.process))


def minutes(spells: Iterable[Spell], end: datetime | None = None) -> dict[str, float]:
    """Per entrant, the minutes until `end` in which at least one process could not draw it; times of several are not added twice."""
    total: dict[str, timedelta] = {}
    covered: dict[str, datetime] = {}
    for spell in sorted(spells, key=lambda s: s.began):
        until = spell.until if end is None else min(spell.until, end)
        start = max(spell.began, covered.get(spell.entrant, spell.began))
        total[spell.entrant] = total.get(spell.entrant, timedelta()) + max(timedelta(), until - start)
        covered[spell.entrant] = max(until, start)
    return {entrant: span / timedelta(minutes=1) for entrant, span in sorted(total.items())}
