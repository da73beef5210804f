"""The one chain of a stage's final exports: the signed list of them, and each of them again, byte for byte, from what was kept and the record."""

import hashlib
import secrets
from datetime import datetime
from pathlib import Path

from arena.domain.errors import Conflict
from arena.domain.stage import Stage
from arena.record.finals import Final
from arena.record.keys import Keys
from arena.record.ledger import Ledger
from arena.record.store import Store
from arena.results.export.atomic_write import point
from arena.results.export.bundle import Bundle, evidence, rule_with, sums, write
from arena.results.export.document import JSON, SCORES, SUMS, scores_csv
from arena.results.export.export_list import SCHEMA, ExportList, FinalPart
from arena.results.export.kept import kept
from arena.results.export.schema import UserScore
from arena.results.export.signed import UNSIGNED
from arena.results.export.tables import EvidenceError, Versions
from arena.results.export.verify import LATEST
from arena.results.integrity.review import proposals_of
from arena.results.votes.exclusions import history
from arena.results.votes.sealed import known


def export_list(store: Store, keys: Keys, stage_id: str, now: datetime) -> ExportList:
    """Sign the list of a stage's final exports, as it is now.

    Raises:
        NotFound: no such stage.
    """
    known(store, stage_id)
    before: str | None = None
    parts: list[FinalPart] = []
    for final in store.finals.of_stage(stage_id):
        sha256 = hashlib.sha256(final.document).hexdigest()
        parts.append(
            FinalPart(
                export_id=final.export_id,
                sha256=sha256,
                created_at=final.created_at,
                supersedes=before,
                reason=final.reason,
            )
        )
        before = final.export_id
    return ExportList(schema=SCHEMA, stage=stage_id, created_at=now, finals=parts, integrity=UNSIGNED).signed(keys)


def remade(store: Store, keys: Keys, final: Final) -> Bundle:
    """Make a final export again: the document as it was kept, and from the record the files that it names.

    Raises:
        EvidenceError: a file is not what the document says: the record has changed, or what writes the files has.
    """
    document = UserScore.model_validate_json(final.document)
    record = known(store, final.stage_id)
    stage = Stage.from_toml(record.file.encode(), f"{final.stage_id}.toml (sealed)")
    acts = history(store, final.stage_id)[: len(document.exclusion_acts)]
    told, proposals, rule = document.provenance, proposals_of(store, final.stage_id), rule_with(store, stage, acts)
    beside = kept(store, stage, rule)
    ledger, size = Ledger(store, keys), told.checkpoint.size
    versions = Versions.of(stage)
    files = evidence(store, ledger, record, stage, size, rule, acts, proposals, beside.annotations, versions)
    files |= {**final.beside, SCORES: scores_csv(stage, document.scores), JSON: final.document}
    for part in told.beside:
        if hashlib.sha256(files[part.name]).hexdigest() != part.sha256:
            raise EvidenceError("final_not_remade", export=final.export_id, file=part.name)
    return Bundle(document, {**files, SUMS: sums(files)}, beside)


def shelved(store: Store, keys: Keys, stage_id: str, out: Path) -> Path:
    """Find the folder of a published stage's result under `out`, or write it there again; `out/latest` points at it.

    Raises:
        Conflict: the stage has no result.
        EvidenceError, VerificationError: it cannot be made again.
    """
    final = store.finals.newest(stage_id)
    if final is None:
        raise Conflict("not_published", stage=stage_id)
    folder = out / folder_of(final)
    if not _holds(folder, final):
        if folder.exists():  # damaged: out of the way, and swept up later
            folder.rename(out / f".{folder.name}.{secrets.token_hex(4)}.partial")
        return write(remade(store, keys, final), out)
    if (out / LATEST).resolve() != folder.resolve():
        point(out / LATEST, folder.name)
    return folder


def folder_of(final: Final) -> str:
    """Give the name of a final export's folder."""
    return Bundle(UserScore.model_validate_json(final.document), {}).folder


def _holds(folder: Path, final: Final) -> bool:
    """Tell whether a folder has this export whole, as far as its own sums go."""
    try:
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
    except OSError:
        return False
    listed = {name: data for name, data in files.items() if name != SUMS}
    return files.get(JSON) == final.document and files.get(SUMS) == sums(listed)
