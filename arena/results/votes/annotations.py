"""What stands beside the sealed votes: style counts of the answers, weights of the voters, who they were as groups.

None of it is sealed with the vote, and its sources can be erased (texts by retention, answers about oneself by withdrawal). So it is
measured once, at the freeze, and kept: a frozen stage exports the same numbers for ever. It holds counts and weights, no text and
nobody's answers.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from arena.domain.stage import Stage
from arena.record.store import Store
from arena.results.votes.weighting import rake, strata_section
from ratings.style import MARKS, marks

STYLE = tuple(f"{mark}_{side}" for side in "ab" for mark in MARKS)
"""The names of a battle's eight counts."""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The measurements of one stage."""

    styles: Mapping[str, list[int]]
    """Per battle the counts of `STYLE`, all turns together; battles whose texts were erased are missing."""
    weights: Mapping[str, float] | None
    """Per voter; None where nothing is weighted."""
    strata: list[dict[str, Any]] | None
    """As the export shows them."""


def measured(store: Store, stage: Stage) -> Sidecar:
    """Measures now."""
    styles: dict[str, list[int]] = {}
    for battle, side, text in store.sidecars.answers(stage.id):
        counts = styles.setdefault(battle, [0] * len(STYLE))
        for n, count in enumerate(marks(text), len(MARKS) if side == "b" else 0):
            counts[n] += count
    strata = stage.population.strata
    people = store.strata.of_voters(stage.id) if strata else {}
    raked = rake(people, stage.population.margins) if people else None
    return Sidecar(styles, raked.weights if raked else None, strata_section(people, strata, raked) if strata else None)


def fix(store: Store, stage: Stage) -> None:
    """Measures a stage that has just frozen, and keeps it; once kept it never changes."""
    if store.sidecars.find(stage.id) is None:
        found = measured(store, stage)
        kept = {"styles": found.styles, "weights": found.weights, "strata": found.strata}
        store.sidecars.keep(stage.id, zlib.compress(orjson.dumps(kept)))


def sidecar_of(store: Store, stage: Stage) -> Sidecar:
    """What was kept at the freeze; measured now while the stage is open."""
    kept = store.sidecars.find(stage.id)
    return measured(store, stage) if kept is None else Sidecar(**orjson.loads(zlib.decompress(kept)))
