"""The signed export: the score and all that is needed to make it again, written aside, verified, and only then put in place."""

import base64
import hashlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import rfc8785

from arena import __version__
from arena.domain.clock import kst
from arena.domain.errors import Conflict
from arena.domain.stage import Stage, StageStatus, file_sha256
from arena.i18n.facts import published_grounds
from arena.record.evidence_keys import EvidenceKey
from arena.record.keys import Keys
from arena.record.ledger import Ledger
from arena.record.outages import Spell
from arena.record.private_files import make_folder
from arena.record.stages import StageRecord
from arena.record.store import Store
from arena.record.timestamps import Timestamp
from arena.results.export import tables
from arena.results.export.atomic_write import point, sweep, write_directory
from arena.results.export.by_strata import ByStrata
from arena.results.export.document import (
    CHECKPOINTS,
    COSIGNATURES,
    DRAWS,
    JSON,
    JWKS,
    SCORES,
    STAGE,
    SUMS,
    TIMESTAMPS,
    VOTES,
    Facts,
    assemble,
    scores_csv,
)
from arena.results.export.kept import Kept, keep, keep_exported, kept
from arena.results.export.review_schema import Act, Look, ProposalPart
from arena.results.export.schema import (
    Checkpoint,
    CosignaturePart,
    EvidenceKeyPart,
    OpeningPart,
    Outage,
    RemovalPart,
    TimestampPart,
    UserScore,
)
from arena.results.export.signed import Issuer
from arena.results.export.statistics import StageVotes
from arena.results.export.table_reader import TableFile, draw_table, vote_table
from arena.results.export.verify import LATEST, verify
from arena.results.integrity import review
from arena.results.integrity.review import Decision, Proposed
from arena.results.votes import exclusions
from arena.results.votes.annotations import Annotations
from arena.results.votes.exclusions import Exclusion
from arena.results.votes.inclusion import Rule, rule_of
from arena.results.votes.removals import removals
from arena.results.votes.sealed import known
from arena.results.votes.weighting import weigh

MADE, FROZEN = "export.made", "stage.frozen"


@dataclass(frozen=True, slots=True)
class Bundle:
    """An export: the document and its files, name by name."""

    document: UserScore
    files: Mapping[str, bytes]
    kept: Kept | None = None
    """What it was made of besides the record, which is not among its files."""

    @property
    def export_id(self) -> str:
        """The export's identifier."""
        return self.document.export_id

    @property
    def folder(self) -> str:
        """The name of its folder: sorts by time."""
        made = str(kst(self.document.created_at)).split("+")[0].translate({ord(mark): None for mark in "-:."})
        return f"{self.document.stage.id}-{made}-{self.export_id[:8]}"


@dataclass(frozen=True, slots=True)
class Publication:
    """What makes an export final: it is the stage's first result, or takes the place of the one before."""

    published_at: datetime | None = None
    """When the first one was published; None for that one itself."""
    supersedes: str | None = None
    correction: str | None = None
    """Why, where it takes another's place."""
    acts: Sequence[Exclusion] = ()
    """Made with it, and not in the log yet."""


def make(
    store: Store,
    keys: Keys,
    stage_id: str,
    now: datetime,
    *,
    git_commit: str | None = None,
    publication: Publication | None = None,
) -> Bundle:
    """Make an export of a stage: preliminary while it is open, provisional while it is frozen, and final with a publication.

    Raises:
        NotFound: no such stage in this database.
        Conflict: the stage is a draft, or published: then its result stands, and is not made again.
        LedgerError, EvidenceError: the record does not agree with what was sealed; nothing is exported.
    """
    record = known(store, stage_id)
    stage = Stage.from_toml(record.file.encode(), f"{stage_id}.toml (sealed)")
    if record.status is StageStatus.DRAFT or record.opening is None:
        raise Conflict("not_opened", stage=stage_id)
    if record.status is StageStatus.PUBLISHED and publication is None:
        raise Conflict("published")
    # Before the checkpoint, which then covers every vote that is named.
    events, proposals = store.events.of_stage(stage_id), review.proposals_of(store, stage_id)
    acts = [*exclusions.acts_in(events), *(publication.acts if publication else ())]
    ledger = Ledger(store, keys)
    newest = ledger.checkpoint(stage_id, record.frozen_at or now, final=record.frozen_at is not None)
    witnessed = store.cosignatures.of_stage(stage_id, most=newest.size)
    stamps = [_stamp(each) for each in store.timestamps.of_stage(stage_id, most=newest.size)]
    cosigned = [CosignaturePart.model_validate(each.to_json()) for each in witnessed]
    if record.frozen_at is not None:
        keep(store, stage)  # where a freeze was interrupted, this much of it is finished here
    rule = rule_with(store, stage, acts)
    beside, versions = kept(store, stage, rule), tables.Versions.of(stage)
    files = evidence(store, ledger, record, stage, newest.size, rule, acts, proposals, beside.annotations, versions)
    files[COSIGNATURES] = b"".join(rfc8785.dumps(each.to_json()) + b"\n" for each in cosigned)
    files[TIMESTAMPS] = b"".join(rfc8785.dumps(each.to_json()) + b"\n" for each in stamps)
    files[JWKS] = rfc8785.dumps(keys.jwks())
    # From here on the numbers come from the very files that a stranger gets.
    draws = draw_table(TableFile(files[DRAWS], tables.DRAWS, DRAWS), stage)
    votes = vote_table(TableFile(files[VOTES], tables.VOTES, VOTES), stage, draws)
    if beside.strata is not None:
        given = StageVotes.of(stage, file_sha256(files[STAGE]), votes, rule.entrants, record.frozen_at)
        made = ByStrata.made(given, beside.strata, weigh(votes, stage, beside.strata))
        beside = replace(beside, by_strata=made)
    # What was done before may be by a clock that is ahead of this one.
    told = [each.at for each in (*acts[-1:], *review.decisions_in(events).values(), *review.looks_in(events))]
    created_at = max([now, record.frozen_at or now, *told])
    facts = Facts(
        export_id=str(uuid.uuid4()),
        supersedes=publication.supersedes if publication else None,
        created_at=created_at,
        issuer=Issuer(system="K-AI Arena", version=__version__, git_commit=git_commit),
        status="published" if publication else record.status.value,
        opening=OpeningPart.model_validate_json(record.opening),
        frozen_at=record.frozen_at,
        published_at=(publication.published_at or created_at) if publication else None,
        correction=publication.correction if publication else None,
        freeze_reason=next((e.data.get("reason") for e in store.events.of_stage(stage_id, FROZEN)), None),
        removed=removed_from(store, stage_id),
        versions=versions,
        outages=_outages(store.outages.of_stage(stage_id), record.frozen_at),
        proposals=[_proposal(each, review.decisions_in(events)) for each in proposals],
        looks=[Look(at=look.at, acts=look.acts) for look in review.looks_in(events)],
        acts=[_act(act) for act in acts],
        evidence_keys=[_evidence_key(key) for key in store.evidence_keys.of_stage(stage_id)],
        seed=None if record.frozen_at is None else record.draw_seed,
        checkpoint=Checkpoint.model_validate(newest.to_json()),
        checkpoints=len(files[CHECKPOINTS].splitlines()),
        by_strata=beside.by_strata,
        strata_file=beside.committed,
    )
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    document = assemble(stage, files[STAGE], votes, draws, cosigned, len(stamps), facts, hashes)
    files[SCORES] = scores_csv(stage, document.scores)
    return replace(seal(document, files, keys), kept=beside)


def evidence(
    store: Store,
    ledger: Ledger,
    record: StageRecord,
    stage: Stage,
    size: int,
    rule: Rule,
    acts: Sequence[Exclusion],
    proposals: Sequence[Proposed],
    beside: Annotations,
    versions: tables.Versions,
) -> dict[str, bytes]:
    """Write the files that everything else follows from, over the first `size` votes and these acts: of a frozen stage always the same bytes."""
    every = [Checkpoint.model_validate(head.to_json()) for head in ledger.every_checkpoint(stage.id)]
    named = {battle: n for n, proposal in enumerate(proposals) for battle in proposal.battles}
    rows = store.votes.sealed(stage.id, size)
    files = {
        CHECKPOINTS: b"".join(rfc8785.dumps(head.to_json()) + b"\n" for head in every if head.size <= size),
        STAGE: record.file.encode(),
        VOTES: tables.votes_file(rows, stage, rule, beside, exclusions.acts_on(acts), named, versions),
    }
    voted = TableFile(files[VOTES], tables.VOTES, VOTES).numbers("draw")
    return files | {DRAWS: tables.draws_file(store.draws.of_stage(stage.id), voted, record.frozen_at)}


def rule_with(store: Store, stage: Stage, acts: Sequence[Exclusion]) -> Rule:
    """Make the stage's rule with what these acts leave out."""
    excluded = {battle: reason.value for battle, reason in exclusions.active(acts).items()}
    return rule_of(stage, excluded, frozenset(removed_from(store, stage.id)))


def removed_from(store: Store, stage_id: str) -> dict[str, RemovalPart]:
    """Find who has left the stage, and why."""
    return {each.entrant: RemovalPart(at=each.at, reason=each.reason) for each in removals(store, stage_id)}


def _proposal(proposed: Proposed, decided: Mapping[str, Decision]) -> ProposalPart:
    decision = decided.get(proposed.key)
    return ProposalPart(
        key=proposed.key,
        reason=proposed.reason.value,
        rule=published_grounds(proposed.grounds),
        q=proposed.q,
        votes=len(proposed.battles),
        root=proposed.root,
        decision=None if decision is None else "followed" if decision.followed else "declined",
        decided_at=None if decision is None else decision.at,
        why=None if decision is None else decision.why,
    )


def _outages(spells: Sequence[Spell], frozen_at: datetime | None) -> dict[str, list[Outage]]:
    """Write the times in which entrants could not be drawn; what came after the freeze has nothing to do with the draws."""
    found: dict[str, list[Outage]] = {}
    for spell in spells:
        if frozen_at is None or spell.began <= frozen_at:
            found.setdefault(spell.entrant, []).append(Outage(began=spell.began, noted=spell.noted, ended=spell.ended))
    return found


def _stamp(kept: Timestamp) -> TimestampPart:
    answer = base64.b64encode(kept.answer).decode()
    return TimestampPart(size=kept.size, tsa=kept.tsa, at=kept.at, answer=answer)


def _evidence_key(key: EvidenceKey) -> EvidenceKeyPart:
    return EvidenceKeyPart(team_id=key.entrant, key_id=key.id, sha256=key.sha256, at=key.at, reason=key.reason)


def _act(act: Exclusion) -> Act:
    return Act(
        at=act.at,
        action="exclude" if act.action == exclusions.ADD else "restore",
        reason=None if act.reason is None else act.reason.value,
        rule=published_grounds(act.grounds),
        votes=len(act.battles),
        root=act.root,
        proposal=act.proposal,
    )


def seal(document: UserScore, files: Mapping[str, bytes], keys: Keys) -> Bundle:
    """Sign the document and list every file's hash."""
    signed = document.signed(keys)
    laid = {**files, JSON: signed.canonical()}
    return Bundle(signed, {**laid, SUMS: sums(laid)})


def sums(files: Mapping[str, bytes]) -> bytes:
    """Write `SHA256SUMS`, as `sha256sum -c` reads it."""
    return "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items())).encode()


def write(bundle: Bundle, out: Path, declare: Callable[[], None] = lambda: None) -> Path:
    """Put the export into a folder of its own under `out`, and point `out/latest` at it.

    Everything is written aside, flushed to disk and verified from disk first, against the frozen strata too; until the last rename
    nobody sees anything of it, and what was there before is never touched.

    Args:
        bundle: the export.
        out: the folder of the stage's exports.
        declare: called once it is verified, just before it appears; whatever it raises leaves nothing behind.

    Raises:
        VerificationError: what was written does not verify.
        OSError: the disk did not take it.
    """

    strata = None if bundle.kept is None else bundle.kept.file

    def check(written: Path) -> None:
        verify(written, strata=strata)
        declare()

    make_folder(out)
    sweep(out)
    final = out / bundle.folder
    write_directory(bundle.files, final, check=check)
    point(out / LATEST, bundle.folder)
    return final


def export(
    store: Store,
    keys: Keys,
    stage_id: str,
    out: Path,
    now: datetime,
    *,
    who: str = "export",
    git_commit: str | None = None,
) -> Path:
    """Make, write and remember a preliminary or provisional export of a stage for `who`, and that they may look at it; return its folder."""
    bundle = make(store, keys, stage_id, now, git_commit=git_commit)
    folder = write(bundle, out)
    if bundle.kept is not None:
        keep_exported(store, stage_id, bundle.kept)
    data = {"export_id": bundle.export_id, "sha256": hashlib.sha256(bundle.files[JSON]).hexdigest()}
    store.events.append(now, stage_id, who, MADE, data)
    looked_at(store, bundle.document, who, now)
    return folder


def looked_at(store: Store, document: UserScore, who: str, now: datetime) -> None:
    """Keep that somebody gets this export, where it is provisional."""
    if document.stage.status == StageStatus.FROZEN:
        review.note_look(store, document.stage.id, who, document.export_id, len(document.exclusion_acts), now)


def git_commit(root: Path) -> str | None:
    """Find the commit that is checked out at `root`, without asking git; None where there is none."""
    try:
        head = (root / ".git" / "HEAD").read_text("ascii").strip()
        if not head.startswith("ref: "):
            return head
        return (root / ".git" / head.removeprefix("ref: ")).read_text("ascii").strip()
    except (OSError, ValueError):
        return None
