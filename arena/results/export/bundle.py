"""The signed export: the score and all that is needed to make it again, written aside, verified, and only then put in place."""

import base64
import hashlib
import uuid
from collections.abc import Mapping, Sequence
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
from arena.results.export.schema import (
    Act,
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
from arena.results.votes import exclusions
from arena.results.votes.exclusions import Exclusion
from arena.results.votes.inclusion import rule_of
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


def make(store: Store, keys: Keys, stage_id: str, now: datetime, *, git_commit: str | None = None) -> Bundle:
    """Make the export of a stage: final once it is frozen, preliminary (and saying so) while it is open.

    Raises:
        NotFound: no such stage in this database.
        Conflict: the stage is a draft.
        LedgerError, EvidenceError: the record does not agree with what was sealed; nothing is exported.
    """
    record = known(store, stage_id)
    stage = Stage.from_toml(record.file.encode(), f"{stage_id}.toml (sealed)")
    if record.status is StageStatus.DRAFT or record.opening is None:
        raise Conflict("not_opened", stage=stage_id)
    acts = exclusions.history(store, stage_id)  # before the checkpoint, which then covers every vote that they name
    ledger = Ledger(store, keys)
    newest = ledger.checkpoint(stage_id, record.frozen_at or now, final=record.frozen_at is not None)
    every = [Checkpoint.model_validate(head.to_json()) for head in ledger.every_checkpoint(stage_id)]
    heads = [head for head in every if head.size <= newest.size]
    witnessed = store.cosignatures.of_stage(stage_id, most=newest.size)
    stamps = [_stamp(each) for each in store.timestamps.of_stage(stage_id, most=newest.size)]
    cosigned = [CosignaturePart.model_validate(each.to_json()) for each in witnessed]
    removed = {r.entrant: RemovalPart(at=r.at, reason=r.reason) for r in removals(store, stage_id)}
    excluded = {battle: reason.value for battle, reason in exclusions.active(acts).items()}
    rule = rule_of(stage, excluded, frozenset(removed))
    if record.frozen_at is not None:
        keep(store, stage)  # where a freeze was interrupted, this much of it is finished here
    beside = kept(store, stage)
    versions = tables.Versions.of(stage)
    files = {
        CHECKPOINTS: b"".join(rfc8785.dumps(head.to_json()) + b"\n" for head in heads),
        COSIGNATURES: b"".join(rfc8785.dumps(each.to_json()) + b"\n" for each in cosigned),
        TIMESTAMPS: b"".join(rfc8785.dumps(each.to_json()) + b"\n" for each in stamps),
        STAGE: record.file.encode(),
        VOTES: tables.votes_file(
            store.votes.sealed(stage_id, newest.size),
            stage,
            rule,
            beside.annotations,
            exclusions.acts_on(acts),
            versions,
        ),
    }
    # From here on the numbers come from the very files that a stranger gets.
    rows = TableFile(files[VOTES], tables.VOTES, VOTES)
    files[DRAWS] = tables.draws_file(store.draws.of_stage(stage_id), rows.numbers("draw"), record.frozen_at)
    draws = draw_table(TableFile(files[DRAWS], tables.DRAWS, DRAWS), stage)
    votes = vote_table(rows, stage, draws)
    if beside.strata is not None:
        given = StageVotes.of(stage, file_sha256(files[STAGE]), votes, rule.entrants, record.frozen_at)
        made = ByStrata.made(given, beside.strata, weigh(votes, stage, beside.strata))
        beside = replace(beside, by_strata=made)
    files[JWKS] = rfc8785.dumps(keys.jwks())
    facts = Facts(
        export_id=str(uuid.uuid4()),
        supersedes=next((e.data["export_id"] for e in reversed(store.events.of_stage(stage_id, MADE))), None),
        created_at=max(
            [now, record.frozen_at or now, *(act.at for act in acts[-1:])]
        ),  # they may be by a clock that is ahead of this one
        issuer=Issuer(system="K-AI Arena", version=__version__, git_commit=git_commit),
        status=record.status.value,
        opening=OpeningPart.model_validate_json(record.opening),
        frozen_at=record.frozen_at,
        freeze_reason=next((e.data.get("reason") for e in store.events.of_stage(stage_id, FROZEN)), None),
        removed=removed,
        versions=versions,
        outages=_outages(store.outages.of_stage(stage_id), record.frozen_at),
        acts=[_act(act) for act in acts],
        evidence_keys=[_evidence_key(key) for key in store.evidence_keys.of_stage(stage_id)],
        seed=None if record.frozen_at is None else record.draw_seed,
        checkpoint=Checkpoint.model_validate(newest.to_json()),
        checkpoints=len(heads),
        by_strata=beside.by_strata,
        strata_file=beside.committed,
    )
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    document = assemble(stage, files[STAGE], votes, draws, cosigned, len(stamps), facts, hashes)
    files[SCORES] = scores_csv(stage, document.scores)
    return replace(seal(document, files, keys), kept=beside)


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
    )


def seal(document: UserScore, files: Mapping[str, bytes], keys: Keys) -> Bundle:
    """Sign the document and list every file's hash."""
    signed = document.signed(keys)
    laid = {**files, JSON: signed.canonical()}
    return Bundle(signed, {**laid, SUMS: sums(laid)})


def sums(files: Mapping[str, bytes]) -> bytes:
    """Write `SHA256SUMS`, as `sha256sum -c` reads it."""
    return "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items())).encode()


def write(bundle: Bundle, out: Path) -> Path:
    """Put the export into a folder of its own under `out`, and point `out/latest` at it.

    Everything is written aside, flushed to disk and verified from disk first, against the frozen strata too; until the last rename
    nobody sees anything of it, and what was there before is never touched.

    Raises:
        VerificationError: what was written does not verify.
        OSError: the disk did not take it.
    """
    make_folder(out)
    sweep(out)
    final = out / bundle.folder
    strata = None if bundle.kept is None else bundle.kept.file
    write_directory(bundle.files, final, check=lambda aside: verify(aside, strata=strata))
    point(out / LATEST, bundle.folder)
    return final


def export(store: Store, keys: Keys, stage_id: str, out: Path, now: datetime, *, git_commit: str | None = None) -> Path:
    """Make, write and remember the export of a stage; return its folder."""
    bundle = make(store, keys, stage_id, now, git_commit=git_commit)
    folder = write(bundle, out)
    if bundle.kept is not None:
        keep_exported(store, stage_id, bundle.kept)
    data = {"export_id": bundle.export_id, "sha256": hashlib.sha256(bundle.files[JSON]).hexdigest()}
    store.events.append(now, stage_id, "export", MADE, data)
    return folder


def git_commit(root: Path) -> str | None:
    """Find the commit that is checked out at `root`, without asking git; None where there is none."""
    try:
        head = (root / ".git" / "HEAD").read_text("ascii").strip()
        if not head.startswith("ref: "):
            return head
        return (root / ".git" / head.removeprefix("ref: ")).read_text("ascii").strip()
    except (OSError, ValueError):
        return None
