"""All processes that serve a stage, as each last said of itself, and what they know of the entrants together."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from arena.record.store import Store
from models.entrant_stats import FIGURES, Health, merged

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServingProcess:
    """One of them, as it was some seconds ago."""

    name: str
    began_at: datetime
    running: int
    """Questions it is answering."""
    entrants: Mapping[str, Health]
    """Empty where another version of the arena runs, whose figures this one cannot read."""


def serving_processes(store: Store, stage_id: str, now: datetime) -> list[ServingProcess]:
    """Read who serves the stage, by name."""
    found: list[ServingProcess] = []
    for said in store.processes.alive(stage_id, now):
        entrants: Mapping[str, Health] = {}
        try:
            entrants = FIGURES.validate_python(said.entrants)
        except ValidationError:
            log.warning("the figures of %s are of another version", said.name)
        found.append(ServingProcess(said.name, said.began_at, said.running, entrants))
    return found


def health_in_all(processes: Sequence[ServingProcess]) -> dict[str, Health]:
    """Put every entrant's figures in all processes together."""
    known = dict.fromkeys(entrant for process in processes for entrant in process.entrants)
    return {
        entrant: merged([process.entrants[entrant] for process in processes if entrant in process.entrants])
        for entrant in known
    }
