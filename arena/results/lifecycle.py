"""A stage's one way: draft → open → frozen → published, with its sealed file, and its final checkpoint."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from arena.domain.errors import Unusable
from arena.domain.stage import Stage, StageStatus
from arena.record.keys import Keys
from arena.record.ledger import Checkpoint, Ledger
from arena.record.stages import PUBLISHED, StageRecord
from arena.record.store import Store
from arena.results.export import kept
from arena.results.export.bundle import FROZEN, export, git_commit
from arena.results.export.cosigning import missing
from arena.results.export.document import JSON
from arena.results.export.result import result_of
from arena.results.export.schema import UserScore
from arena.results.export.webhooks import announce
from arena.results.votes import closing
from arena.results.votes.feed import VoteFeed
from arena.results.votes.rating import compared, rate_stage
from arena.results.votes.sealed import known, sealed_stage
from ratings.first import first


def unsealed(stage: Stage) -> list[str]:
    """Find the entrants without the hash of a sealed artifact: a real stage does not open with any."""
    return [entrant for entrant, sha256 in stage.artifacts.items() if not sha256]


def open_stage(
    store: Store,
    keys: Keys,
    stage: Stage,
    file: bytes,
    *,
    organizer: str,
    now: datetime,
    beacon: str | None = None,
    evidence: Path | None = None,
) -> StageRecord:
    """draft → open: seals the file's hash, and with it the entrants, the protocol and the transform, and signs the checkpoint over no votes.

    Args:
        store: where the stage is.
        keys: sign the checkpoint.
        stage: as the file declares it.
        file: its bytes.
        organizer: who does it.
        now: when.
        beacon: what the stage's beacon said.
        evidence: where the entrants' keys are written, as in `Stages.open`.

    Raises:
        StageError: a real stage does not say who answers for it.
        Unusable: an entrant of a real stage has no artifact hash, or its panel no members; or its beacon's value does not do.
        Conflict: the stage has opened before.
    """
    stage.require_operator(f"{stage.id}.toml")
    if missing := [] if stage.synthetic else unsealed(stage):
        raise Unusable("entrants_unsealed", missing=missing)
    if not stage.synthetic and stage.population.kind == "panel" and not stage.population.panel.members:
        raise Unusable("panel_without_members")
    store.stages.draft(stage, file, now)
    record = store.stages.open(stage, organizer, now, beacon, evidence)
    Ledger(store, keys).checkpoint(stage.id, now)
    return record


def closing_now(store: Store, stage: Stage, now: datetime) -> closing.Closed:
    """Tell whether a freeze at this moment would follow the stage's closing rule."""
    record = known(store, stage.id)
    votes, rule = VoteFeed(store, stage).table()
    separated = False
    if stage.closing is not None and stage.closing.rule == "separation":
        entrants = [entrant for entrant in stage.entrant_ids if entrant in rule.entrants]
        chosen = compared(stage, votes, votes.counted, entrants)
        made = rate_stage(stage, record.file_sha256, chosen, looks=closing.looks(stage, votes, now))
        cut = first(made, stage.planned_advance).cut if made else None
        separated = cut is not None and cut.separated
    return closing.closed(stage, votes, now, separated=separated)


def freeze(
    store: Store, keys: Keys, stage_id: str, *, organizer: str, now: datetime, reason: str = ""
) -> tuple[StageRecord, Checkpoint]:
    """open → frozen: what is committed counts, everything later is refused, and the final checkpoint is signed.

    The status changes in one transaction that every vote's own transaction is ordered against, so a vote at the boundary is either in
    or its citizen is told no. Called again after an interruption, it finishes what is missing and changes nothing else.

    Args:
        store: where the stage is.
        keys: sign the checkpoint.
        stage_id: which stage.
        organizer: who does it.
        now: when.
        reason: why now, where the stage's closing rule says otherwise; published.

    Raises:
        Conflict: the stage is a draft, or published.
        Unusable: its closing rule says otherwise, and no reason is given.
        LedgerError: the votes do not agree with what was sealed.
    """
    record = store.stages.find(stage_id)
    if record is not None and record.status is StageStatus.OPEN and not reason.strip():
        _require_rule(store, stage_id, now)
    if record is None or record.status is not StageStatus.FROZEN:
        record = store.stages.move(stage_id, StageStatus.OPEN, StageStatus.FROZEN, now)
    checkpoint = Ledger(store, keys).checkpoint(stage_id, record.frozen_at or now, final=True)
    kept.keep(store, sealed_stage(store, stage_id))
    if not store.events.of_stage(stage_id, FROZEN):
        data = {"votes": checkpoint.size, "root": checkpoint.root, "draws": record.draws}
        if reason.strip():
            data["reason"] = reason.strip()
        store.events.append(now, stage_id, organizer, FROZEN, data)
    return record, checkpoint


def _require_rule(store: Store, stage_id: str, at: datetime) -> None:
    stage = sealed_stage(store, stage_id)
    if stage.closing_rule is not None and closing_now(store, stage, at).followed is False:
        raise Unusable("freeze_unruled", stage=stage_id, rule=stage.closing_rule.rule)


def publish(
    store: Store,
    keys: Keys,
    stage_id: str,
    out: Path,
    root: Path,
    *,
    organizer: str,
    now: datetime,
    webhooks: Sequence[str] = (),
) -> tuple[Path, StageRecord]:
    """frozen → published: exports the stage into `out`, verifies the export, declares it the result, and tells the aggregators.

    What everybody may read is signed now and kept with the act, so that the hashes of what stays closed are public from this moment on.

    Raises:
        Conflict: the stage is not frozen.
        Unusable: too few of its witnesses have cosigned the final checkpoint.
        VerificationError: the export does not verify; nothing is published.
    """
    record = known(store, stage_id)
    if record.status is not StageStatus.FROZEN:
        store.stages.move(stage_id, StageStatus.FROZEN, StageStatus.PUBLISHED, now)  # says why not
    stage = sealed_stage(store, stage_id)
    checkpoint = Ledger(store, keys).checkpoint(stage_id, now, final=True)
    if absent := missing(store, stage, checkpoint.size):
        raise Unusable("cosignatures_missing", stage=stage_id, required=stage.witnesses_required, missing=absent)
    folder = export(store, keys, stage_id, out, now, git_commit=git_commit(root))
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    result = result_of(UserScore.model_validate_json(files[JSON]), files, now, keys)
    kept = {"export": folder.name, "result": result.canonical().decode()}
    record = store.stages.publish(stage_id, organizer, kept, now)
    announce(store, folder, PUBLISHED, webhooks, now)
    return folder, record
