"""A stage's one way: draft → open → frozen → published, with its sealed file, its final checkpoint, and its one chain of results."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from arena.domain.errors import Conflict, Unusable
from arena.domain.grounds import WrittenGrounds
from arena.domain.stage import Stage, StageStatus
from arena.record.events import Entry, Event
from arena.record.finals import Final
from arena.record.keys import Keys
from arena.record.ledger import Checkpoint, Ledger
from arena.record.stages import PUBLISHED, StageRecord
from arena.record.store import Store
from arena.results.export import kept
from arena.results.export.bundle import FROZEN, Publication, git_commit, make, write
from arena.results.export.chain import shelved
from arena.results.export.cosigning import missing
from arena.results.export.document import COSIGNATURES, JSON, JWKS, TIMESTAMPS
from arena.results.export.result import result_of
from arena.results.export.webhooks import push_of
from arena.results.integrity import review
from arena.results.votes import closing
from arena.results.votes.exclusions import Acting, ExclusionReason, acts_in
from arena.results.votes.feed import VoteFeed
from arena.results.votes.rating import compared, rate_stage
from arena.results.votes.sealed import known, sealed_stage
from ratings.first import first

CORRECTED = "stage.corrected"


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
    stage = sealed_stage(store, stage_id)
    kept.keep(store, stage)
    review.keep_proposals(store, stage, now)
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

    What everybody may read is signed now and kept with it, so that the hashes of what stays closed are public from this moment on. The
    result, the status and what is told are kept in one transaction. Called again after an interruption, it puts the folder in place and
    changes nothing else.

    Raises:
        Conflict: the stage is not frozen, its freeze was interrupted, its review has not followed its rule, or somebody acted meanwhile.
        Unusable: too few of its witnesses have cosigned the final checkpoint.
        VerificationError: the export does not verify; nothing is published.
    """
    record = known(store, stage_id)
    if record.status is not StageStatus.PUBLISHED:
        if record.status is not StageStatus.FROZEN:
            store.stages.move(stage_id, StageStatus.FROZEN, StageStatus.PUBLISHED, now)  # says why not
        if store.reviews.find(stage_id) is None:
            raise Conflict("freeze_unfinished", stage=stage_id)
        stage = sealed_stage(store, stage_id)
        checkpoint = Ledger(store, keys).checkpoint(stage_id, now, final=True)
        if absent := missing(store, stage, checkpoint.size):
            raise Unusable("cosignatures_missing", stage=stage_id, required=stage.witnesses_required, missing=absent)
        decided = review.decisions_in(store.events.of_stage(stage_id))
        review.require_decided(stage, review.proposals_of(store, stage_id), decided)
        _declare(store, keys, stage_id, out, root, Publication(), organizer=organizer, now=now, webhooks=webhooks)
    return shelved(store, keys, stage_id, out), known(store, stage_id)


def correct(
    store: Store,
    keys: Keys,
    stage_id: str,
    out: Path,
    root: Path,
    *,
    reason: str,
    leave_out: Sequence[str] = (),
    take_back: Sequence[str] = (),
    organizer: str,
    now: datetime,
    webhooks: Sequence[str] = (),
) -> Path:
    """Put another result in the place of a published one, in the open: the chain holds both, with the reason.

    Args:
        store: where the stage is.
        keys: sign.
        stage_id: which stage.
        out: the folder of its exports.
        root: the checkout, for the commit that the export names.
        reason: why, as everybody reads it.
        leave_out: battles whose votes no longer count.
        take_back: battles whose votes count again.
        organizer: who does it.
        now: when.
        webhooks: who is told.

    Raises:
        Unusable: no reason, or a battle without a vote in this stage.
        Conflict: the stage has no result, somebody else has corrected it meanwhile, or a vote is out or in already.
        VerificationError: the export does not verify; nothing changes.
    """
    final, record = store.finals.newest(stage_id), known(store, stage_id)
    if final is None:
        raise Conflict("not_published", stage=stage_id)
    if not reason.strip():
        raise Unusable("correction_without_reason")
    acting = Acting(store, stage_id, organizer, now)
    acting.begin(store.events.of_stage(stage_id))
    if leave_out:
        acting.exclude(leave_out, ExclusionReason.OPERATOR, WrittenGrounds(text=reason.strip()))
    if take_back:
        acting.restore(take_back, WrittenGrounds(text=reason.strip()))
    correction = Publication(record.published_at, final.export_id, reason.strip(), tuple(acting.made))
    _declare(store, keys, stage_id, out, root, correction, organizer=organizer, now=now, webhooks=webhooks)
    return shelved(store, keys, stage_id, out)


def _declare(
    store: Store,
    keys: Keys,
    stage_id: str,
    out: Path,
    root: Path,
    publication: Publication,
    *,
    organizer: str,
    now: datetime,
    webhooks: Sequence[str],
) -> None:
    """Make a final export, verify it from disk, and declare it in the transaction that keeps it."""
    place = len(store.finals.of_stage(stage_id)) + 1
    bundle = make(store, keys, stage_id, now, git_commit=git_commit(root), publication=publication)
    document, data = bundle.document, bundle.files[JSON]
    beside = {name: bundle.files[name] for name in (JWKS, COSIGNATURES, TIMESTAMPS)}
    result = result_of(document, bundle.files, document.created_at, keys).canonical()
    final = Final(stage_id, place, bundle.export_id, document.created_at, publication.correction, data, result, beside)
    event = PUBLISHED if publication.supersedes is None else CORRECTED
    told = {"export": bundle.folder, "export_id": bundle.export_id, "sha256": sha256(data).hexdigest()}

    def decide(before: Sequence[Event]) -> list[Entry]:
        """Let it be declared only where it says what was decided, and who looked, until this very moment."""
        acts = len(document.exclusion_acts) - len(publication.acts)
        decided = {each.key: each.followed for each in review.decisions_in(before).values()}
        says = {each.key: each.decision == "followed" for each in document.review.proposals if each.decision}
        looks = len(document.review.looks)
        if (acts, says, looks) != (len(acts_in(before)), decided, len(review.looks_in(before))):
            raise Conflict("review_moved", stage=stage_id)
        return [*(act.entry for act in publication.acts), Entry(document.created_at, event, told)]

    body = push_of(document, data, event, now)

    def declare() -> None:
        """Keep it with all that it is made of: what can be erased later is kept as it stands in it."""
        if bundle.kept is not None:
            kept.keep_exported(store, stage_id, bundle.kept)
        store.finals.declare(final, organizer, decide, event=event, urls=webhooks, body=body, due=now)

    write(bundle, out, declare)
