"""The signed export: the score and all that is needed to make it again, written aside, verified, and only then put in place."""

import hashlib
import os
import secrets
import shutil
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import rfc8785

from arena import __version__
from arena.domain.errors import Conflict
from arena.domain.pairing import commitment
from arena.domain.stage import Stage, StageStatus
from arena.record.keys import Keys
from arena.record.ledger import Checkpoint, Ledger
from arena.record.outages import minutes
from arena.record.store import Store
from arena.results.export import tables
from arena.results.export.document import (
    CHECKPOINTS,
    DRAWS,
    JSON,
    JWKS,
    SCORES,
    STAGE,
    SUMS,
    VOTES,
    Facts,
    assemble,
    kst,
    scores_csv,
    signed_bytes,
)
from arena.results.export.verify import verify_files
from arena.results.votes.annotations import sidecar_of
from arena.results.votes.exclusions import active_exclusions, history
from arena.results.votes.inclusion import rule_of
from arena.results.votes.removals import removals
from arena.results.votes.sealed import known

MADE = "export.made"
LATEST = "latest"
LEFT_BEHIND_S = 3600


@dataclass(frozen=True, slots=True)
class Bundle:
    """An export: the document and its files, name by name."""

    document: Mapping[str, Any]
    files: Mapping[str, bytes]

    @property
    def export_id(self) -> str:
        """The export's identifier."""
        return self.document["export_id"]

    @property
    def folder(self) -> str:
        """The name of its folder: sorts by time."""
        made = self.document["created_at"].split("+")[0].translate({ord(mark): None for mark in "-:."})
        return f"{self.document['stage']['id']}-{made}-{self.export_id[:8]}"


def make(store: Store, keys: Keys, stage_id: str, now: datetime, *, git_commit: str | None = None) -> Bundle:
    """Makes the export of a stage: final once it is frozen, preliminary (and saying so) while it is open.

    Raises:
        NotFound: no such stage in this database.
        Conflict: the stage is a draft, or has no vote.
        LedgerError, EvidenceError: the record does not agree with what was sealed; nothing is exported.
    """
    record = known(store, stage_id)
    stage = Stage.from_toml(record.file.encode(), f"the sealed file of stage {stage_id}")
    if record.status is StageStatus.DRAFT or record.opened_at is None:
        raise Conflict(
            "stage_status",
            f"단계 {stage_id}이(가) 아직 시작되지 않아 내보낼 것이 없습니다.",
            f"Stage {stage_id} has not opened yet: there is nothing to export.",
        )
    final = record.frozen_at is not None
    ledger = Ledger(store, keys)
    checkpoint = ledger.checkpoint(stage_id, record.frozen_at or now, final=final)
    heads = [head for head in ledger.every_checkpoint(stage_id) if head.size <= checkpoint.size]
    removed = {r.entrant: {"at": kst(r.at), "reason": r.reason} for r in removals(store, stage_id)}
    excluded = {battle: reason.value for battle, reason in active_exclusions(store, stage_id).items()}
    rule = rule_of(stage, excluded, frozenset(removed))
    beside = sidecar_of(store, stage)
    votes = tables.votes_table(store.votes.sealed(stage_id, checkpoint.size), rule, beside)
    voted = set(votes.column("question_id").to_pylist())
    draws = tables.draws_table(store.battles.drawn(stage_id), voted, record.frozen_at)
    facts = Facts(
        export_id=str(uuid.uuid4()),
        supersedes=next((e.data["export_id"] for e in reversed(store.events.of_stage(stage_id, MADE))), None),
        created_at=str(kst(now)),
        issuer={"system": "K-AI Arena", "version": __version__, "git_commit": git_commit},
        status=record.status.value,
        opened_at=kst(record.opened_at),
        frozen_at=kst(record.frozen_at),
        removed=removed,
        outages={
            entrant: round(out, 1)
            for entrant, out in minutes(store.outages.of_stage(stage_id), record.frozen_at).items()
        },
        acts=[
            {
                "at": kst(act.at),
                "action": act.action.replace("exclusion.add", "exclude").replace("exclusion.remove", "restore"),
                "reason": None if act.reason is None else act.reason.value,
                "rule": act.rule,
                "votes": len(act.battles),
            }
            for act in history(store, stage_id)
        ],
        commitment=commitment(record.draw_seed),
        seed=record.draw_seed if final else None,
        checkpoint=checkpoint.to_json(),
        checkpoints=len(heads),
        strata=beside.strata,
    )
    return signed(stage, record.file.encode(), votes, draws, heads, facts, keys)


def signed(
    stage: Stage,
    stage_file: bytes,
    votes: pa.Table,
    draws: pa.Table,
    heads: Sequence[Checkpoint],
    facts: Facts,
    keys: Keys,
) -> Bundle:
    """Assembles the document, signs it, and lays its files beside it."""
    listed = b"".join(rfc8785.dumps(head.to_json()) + b"\n" for head in heads)
    files = {VOTES: tables.parquet(votes), DRAWS: tables.parquet(draws), CHECKPOINTS: listed, STAGE: stage_file}
    document = assemble(
        stage, stage_file, votes, draws, facts, {n: hashlib.sha256(d).hexdigest() for n, d in files.items()}
    )
    files[SCORES] = scores_csv(stage, document["scores"])
    files[JWKS] = rfc8785.dumps(keys.jwks())
    return seal(document, files, keys)


def seal(document: Mapping[str, Any], files: Mapping[str, bytes], keys: Keys) -> Bundle:
    """Signs the document and lists every file's hash."""
    whole: dict[str, Any] = {**document, "integrity": {"alg": "ES256", "kid": keys.kid}}
    whole["integrity"]["signature"] = keys.sign(signed_bytes(whole))
    laid = {**files, JSON: rfc8785.dumps(whole)}
    return Bundle(whole, {**laid, SUMS: sums(laid)})


def sums(files: Mapping[str, bytes]) -> bytes:
    """`SHA256SUMS`, as `sha256sum -c` reads it."""
    return "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items())).encode()


def write(bundle: Bundle, out: Path) -> Path:
    """Puts the export into a folder of its own under `out`, and points `out/latest` at it.

    Everything is written aside, flushed to disk and verified from disk first; until the last rename nobody sees anything of it, and
    what was there before is never touched.

    Raises:
        VerificationError: what was written does not verify.
        OSError: the disk did not take it.
    """
    out.mkdir(parents=True, exist_ok=True)
    _sweep(out)
    aside = out / f".{bundle.folder}.{secrets.token_hex(4)}.partial"
    try:
        aside.mkdir()
        for name, data in bundle.files.items():
            with (aside / name).open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        _sync(aside)
        verify_files({path.name: path.read_bytes() for path in aside.iterdir()})
        final = out / bundle.folder
        aside.rename(final)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    link = out / f".{LATEST}.{secrets.token_hex(4)}"
    link.symlink_to(bundle.folder, target_is_directory=True)
    link.replace(out / LATEST)
    _sync(out)
    return final


def export(store: Store, keys: Keys, stage_id: str, out: Path, now: datetime, *, git_commit: str | None = None) -> Path:
    """Makes, writes and remembers the export of a stage; returns its folder."""
    bundle = make(store, keys, stage_id, now, git_commit=git_commit)
    folder = write(bundle, out)
    data = {"export_id": bundle.export_id, "sha256": hashlib.sha256(bundle.files[JSON]).hexdigest()}
    store.events.append(now, stage_id, "export", MADE, data)
    return folder


def git_commit(root: Path) -> str | None:
    """The commit that is checked out at `root`, without asking git; None where there is none."""
    try:
        head = (root / ".git" / "HEAD").read_text("ascii").strip()
        if not head.startswith("ref: "):
            return head
        return (root / ".git" / head.removeprefix("ref: ")).read_text("ascii").strip()
    except (OSError, ValueError):
        return None


def _sweep(out: Path) -> None:
    """Removes what a killed process left half-written an hour ago or more."""
    for left in out.glob(".*.partial"):
        if time.time() - left.stat().st_mtime > LEFT_BEHIND_S:
            shutil.rmtree(left, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Makes the folder's entries durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
