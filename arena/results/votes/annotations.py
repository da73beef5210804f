"""What stands beside the sealed votes: style counts of the answers, weights of the voters, who they were as groups.

None of it is sealed with the vote, and its sources can be erased (texts by retention, answers about oneself by withdrawal). So it is
measured once, at the freeze, and kept: a frozen stage exports the same numbers for ever. It holds counts and weights, no text and
nobody's answers.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from arena.domain.stage import Stage
from arena.record.store import Store
from arena.results.votes.feed import VoteFeed
from arena.results.votes.weighting import StratumRow, in_fit, rake, strata_rows
from ratings.style import MARKS

STYLE = tuple(f"{mark}_{side}" for side in "ab" for mark in MARKS)
"""The names of a battle's eight counts, in the order of `Circumstances.style`."""


@dataclass(frozen=True, slots=True)
class Annotations:
    """The measurements of one stage."""

    styles: Mapping[str, Sequence[int]]
    """Per battle the counts of `STYLE`, all turns together; battles whose texts were erased are missing."""
    weights: Mapping[str, float] | None
    """Per voter; None where nothing is weighted."""
    strata: Sequence[StratumRow] | None
    """Who voted as against the plan; None where the stage has no strata."""


def measured(store: Store, stage: Stage) -> Annotations:
    """Measure the stage's votes as they are now."""
    feed = VoteFeed(store, stage)
    votes, _ = feed.table(measured=True)
    styled = votes.measured.styled
    battles, counts = feed.battles_of(votes.seq[styled].tolist()), votes.measured.style[styled].tolist()
    strata = stage.population.strata
    people = store.strata.of_voters(stage.id) if strata else {}
    raked = rake(in_fit(votes, stage, people), stage.population.margins) if people else None
    return Annotations(
        styles=dict(zip(battles, counts, strict=True)),
        weights=raked.weights if raked else None,
        strata=strata_rows(people, strata, raked) if strata else None,
    )


def keep_annotations(store: Store, stage: Stage) -> None:
    """Measure a stage that has just frozen, and keep it; once kept it never changes."""
    if store.annotations.find(stage.id) is None:
        found = measured(store, stage)
        kept = {"styles": found.styles, "weights": found.weights, "strata": found.strata}
        store.annotations.keep(stage.id, zlib.compress(orjson.dumps(kept)))


def annotations_of(store: Store, stage: Stage) -> Annotations:
    """Read what was kept at the freeze; measure now while the stage is open."""
    kept = store.annotations.find(stage.id)
    return measured(store, stage) if kept is None else Annotations(**orjson.loads(zlib.decompress(kept)))
