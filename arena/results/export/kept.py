"""What a stage keeps at its freeze because its sources can be erased: a frozen stage exports the same numbers for ever.

Texts go by retention, answers about oneself by withdrawal. The strata themselves are kept until the stage's retention ends
(`arena.battles.retention`); then only their hash stays, and what was last exported of them.
"""

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from arena.domain.errors import Conflict, NotFound
from arena.domain.stage import Stage
from arena.record.store import Store
from arena.results.export.by_strata import ByStrata
from arena.results.export.schema import File
from arena.results.export.statistics import StageVotes
from arena.results.export.strata_file import STRATA, read_strata, strata_file
from arena.results.votes.annotations import Annotations, measured
from arena.results.votes.feed import VoteFeed
from arena.results.votes.inclusion import Rule
from arena.results.votes.sealed import known, sealed_stage
from arena.results.votes.strata import StrataTable, strata_now
from arena.results.votes.weighting import weigh

READ = "strata.read"


@dataclass(frozen=True, slots=True)
class Kept:
    """What goes into an export besides the sealed votes and the draws."""

    annotations: Annotations
    strata: StrataTable | None
    """None where the stage has none, or they have been erased."""
    by_strata: ByStrata
    """What was last exported; only for a stage whose strata are not there any more."""
    file: bytes | None = None
    """The strata as they were frozen."""
    committed: File | None = None
    """What stays of that file."""


def keep(store: Store, stage: Stage) -> None:
    """Measure a stage that has just frozen, and keep it; whoever comes second changes nothing."""
    if store.annotations.find(stage.id) is not None:
        return
    strata = strata_now(store, stage)
    file = None if strata is None else strata_file(strata, stage)
    by_strata = ByStrata() if strata is None else _by_strata(store, stage, strata)
    committed = None if file is None or strata is None else _commit(file, len(strata))
    found = Kept(measured(store, stage, strata), strata, by_strata, file, committed)
    store.annotations.keep(stage.id, _packed(found), file)


def kept(store: Store, stage: Stage, rule: Rule) -> Kept:
    """Read what was kept at the freeze; measure now while the stage is open.

    Weights of a frozen stage are made again from its strata and the votes that count by this rule: votes may be left out, or taken
    back, after the freeze.
    """
    data = store.annotations.find(stage.id)
    if data is None:
        strata = strata_now(store, stage)
        return Kept(measured(store, stage, strata), strata, ByStrata())
    told: Mapping[str, Any] = orjson.loads(zlib.decompress(data))
    file = store.annotations.strata(stage.id)
    found = Kept(
        annotations=Annotations(told["styles"], told.get("languages", {}), told["weights"]),
        strata=None if file is None else read_strata(file, stage),
        by_strata=ByStrata.model_validate({name: told[name] for name in ByStrata.model_fields if name in told}),
        file=file,
        committed=None if told.get("strata_file") is None else File.model_validate(told["strata_file"]),
    )
    if found.strata is None:
        return found
    raked = weigh(VoteFeed(store, stage).under(rule), stage, found.strata)
    return replace(found, annotations=replace(found.annotations, weights=raked.weights if raked else None))


def keep_exported(store: Store, stage_id: str, found: Kept) -> None:
    """Keep what an export says by its strata, for the time when they are erased."""
    if found.file is not None:
        store.annotations.renew(stage_id, _packed(found))


def strata_of(store: Store, stage: Stage) -> StrataTable | None:
    """Read the strata that a stage's numbers are made of: the frozen ones, or those of this moment. None where there are none, or none any more."""
    if store.annotations.find(stage.id) is None:
        return strata_now(store, stage)
    file = store.annotations.strata(stage.id)
    return None if file is None else read_strata(file, stage)


def hand_out(store: Store, stage_id: str, actor: str, now: datetime, **who: str) -> bytes:
    """Give `strata.parquet` to an auditor. To whom and when is in the audit log before anything leaves.

    Args:
        store: where the stage is.
        stage_id: which stage.
        actor: who asks, as the audit log names them.
        now: when.
        who: what the log is told besides.

    Raises:
        NotFound: no such stage; it asks its voters nothing; or its retention has ended.
        Conflict: it has not frozen yet.
    """
    record, stage = known(store, stage_id), sealed_stage(store, stage_id)
    if not stage.population.strata:
        raise NotFound("strata_none", stage=stage_id)
    if record.frozen_at is None or store.annotations.find(stage_id) is None:
        raise Conflict("not_frozen", stage=stage_id)
    file = store.annotations.strata(stage_id)
    if file is None:
        raise NotFound("strata_erased", stage=stage_id)
    store.events.append(now, stage_id, actor, READ, {**who, "sha256": hashlib.sha256(file).hexdigest()})
    return file


def _by_strata(store: Store, stage: Stage, strata: StrataTable) -> ByStrata:
    record, (votes, rule) = known(store, stage.id), VoteFeed(store, stage).table()
    given = StageVotes.of(stage, record.file_sha256, votes, rule.entrants, record.frozen_at)
    return ByStrata.made(given, strata, weigh(votes, stage, strata))


def _commit(file: bytes, rows: int) -> File:
    return File(name=STRATA, sha256=hashlib.sha256(file).hexdigest(), rows=rows)


def _packed(found: Kept) -> bytes:
    told = {
        "styles": found.annotations.styles,
        "languages": found.annotations.languages,
        "weights": found.annotations.weights,
        "strata_file": None if found.committed is None else found.committed.to_json(),
        **found.by_strata.model_dump(mode="json", by_alias=True),
    }
    return zlib.compress(orjson.dumps(told))
