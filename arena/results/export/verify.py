"""The stranger's check: from the files alone, every hash, signature, proof and number of an export is made again and compared."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import rfc8785
from cryptography.x509 import Certificate
from pydantic import ValidationError

from arena.domain.coded import Fault
from arena.domain.errors import ArenaError
from arena.domain.stage import Stage
from arena.results.export import coherence, cosigning, decisions, proofs, reviewed, stamping, strata_proof, tables
from arena.results.export.cosigning import Witnessed
from arena.results.export.differing import differing
from arena.results.export.document import (
    CHECKPOINTS,
    COSIGNATURES,
    DRAWS,
    FILES,
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
from arena.results.export.export_list import ExportList, newest
from arena.results.export.promises import Outcome, judged
from arena.results.export.proofs import Attested, Noticed, Passed, VerificationError
from arena.results.export.schema import Checkpoint, CosignaturePart, TimestampPart, UserScore
from arena.results.export.signed import Signed
from arena.results.export.table_reader import DrawTable, TableFile, draw_table, vote_table
from arena.results.votes.table import VoteTable

LATEST = "latest"
NOTHING: Mapping[str, bytes] = {}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verified export: the document, and what was checked."""

    document: UserScore
    checks: tuple[Passed, ...]
    attested: tuple[Attested, ...]
    """What was not checked, since what it follows from was not given."""
    noticed: tuple[Noticed, ...] = ()
    """What is possible, and odd."""
    promises: tuple[Outcome, ...] = ()
    """What became of the promises that were given."""


def verify(
    folder: Path,
    jwks: Mapping[str, Any] | None = None,
    kept: Sequence[Checkpoint] = (),
    strata: bytes | None = None,
    promises: Mapping[str, bytes] = NOTHING,
    witnesses: Sequence[Witnessed] = (),
    tsa_roots: Sequence[Certificate] | None = None,
    exports: ExportList | None = None,
) -> Verdict:
    """Check an export folder (or the `latest` in a folder of exports) and recompute every number.

    Args:
        folder: where the export is.
        jwks: the public keys that are trusted, got from the arena by another way. Without them the signature is checked against the
            keys in the folder, which shows that nothing was changed since the signing, but not who signed.
        kept: checkpoints that somebody kept while voting was open.
        strata: the stage's `strata.parquet`, for whoever was given it. Without it, what follows from it is attested, not recomputed.
        promises: citizens' files by name; the verdict says of each what became of it, and a broken one does not end the check.
        witnesses: who must have cosigned the checkpoint, each with what it has kept itself.
        tsa_roots: the root certificates of the time-stamping authorities that are trusted; the last checkpoint then needs a stamp.
        exports: the stage's final exports, of which this one has to be the last.

    Raises:
        VerificationError: names the first thing that does not hold.
    """
    return verify_files(read_folder(folder), jwks, kept, strata, promises, witnesses, tsa_roots, exports)


def read_folder(folder: Path) -> dict[str, bytes]:
    """Read the files of an export's folder, or of the `latest` in a folder of exports.

    Raises:
        VerificationError: there is no folder.
    """
    if not (folder / JSON).exists() and (folder / LATEST / JSON).exists():
        folder = folder / LATEST
    if not folder.is_dir():
        raise VerificationError("files", Fault("no_folder", folder=str(folder), file=JSON))
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def verify_files(
    files: Mapping[str, bytes],
    jwks: Mapping[str, Any] | None = None,
    kept: Sequence[Checkpoint] = (),
    strata: bytes | None = None,
    promises: Mapping[str, bytes] = NOTHING,
    witnesses: Sequence[Witnessed] = (),
    tsa_roots: Sequence[Certificate] | None = None,
    exports: ExportList | None = None,
) -> Verdict:
    """Check the same for files in memory, name by name."""
    told = list(_checked(files, jwks, kept, strata, witnesses, tsa_roots, exports))
    document = parsed(files[JSON])
    return Verdict(
        document,
        tuple(each for each in told if isinstance(each, Passed)),
        tuple(each for each in told if isinstance(each, Attested)),
        tuple(each for each in told if isinstance(each, Noticed)),
        tuple(judged(document, files, promises, read_jwks(files[JWKS]) if jwks is None else jwks)),
    )


def parsed(data: bytes) -> UserScore:
    """Read the document, once it fits the schema and its bytes are canonical.

    Raises:
        VerificationError: it does not, or they are not.
    """
    try:
        document = UserScore.model_validate_json(data)
        canonical = document.canonical() == data
    except ValidationError as error:
        first = error.errors()[0]
        fault = Fault("not_of_schema", at=".".join(map(str, first["loc"])), problem=first["msg"])
        if first["type"] == "json_invalid":
            fault = Fault("not_json", file=JSON, problem=first["msg"])
        raise VerificationError("document", fault) from None
    except rfc8785.CanonicalizationError as error:
        raise VerificationError("document", Fault("no_canonical_form", file=JSON, problem=str(error))) from None
    if not canonical:
        raise VerificationError("document", Fault("not_canonical", file=JSON))
    return document


def signature(document: Signed, jwks: Mapping[str, Any]) -> None:
    """Check the signature of a document.

    Raises:
        VerificationError: it is not by one of these keys, or not over this document.
    """
    kid = document.integrity.kid
    if not any(key.get("kid") == kid for key in jwks["keys"]):
        raise VerificationError("signature", Fault("key_not_given", kid=kid))
    if not document.is_signed_by(jwks):
        raise VerificationError("signature", Fault("signature_does_not_fit"))


def read_jwks(data: bytes, name: str = JWKS) -> dict[str, Any]:
    """Read a JWK Set.

    Raises:
        VerificationError: it is none.
    """
    try:
        keys = orjson.loads(data)
        if isinstance(keys["keys"], list) and all(isinstance(key, dict) for key in keys["keys"]):
            return keys
    except (orjson.JSONDecodeError, KeyError, TypeError):
        pass
    raise VerificationError("signature", Fault("not_jwks", file=name))


def read_checkpoint(data: bytes, name: str) -> Checkpoint:
    """Read a checkpoint as `GET /api/v1/checkpoints` gives it.

    Raises:
        VerificationError: it is none.
    """
    try:
        return Checkpoint.model_validate_json(data)
    except ValidationError:
        raise VerificationError("kept_checkpoint", Fault("not_checkpoint", file=name)) from None


def _checked(
    files: Mapping[str, bytes],
    jwks: Mapping[str, Any] | None,
    kept: Sequence[Checkpoint],
    strata: bytes | None,
    witnesses: Sequence[Witnessed],
    tsa_roots: Sequence[Certificate] | None,
    exports: ExportList | None,
) -> Iterator[Passed | Noticed | Attested]:
    """Check one thing after the other, and tell each that holds, or that could not be checked."""
    _listed(files)
    yield Passed("files", n=len(FILES), sums=SUMS)
    document = parsed(files[JSON])
    yield Passed("document", file=JSON, schema=document.schema_)
    own = read_jwks(files[JWKS])
    if rfc8785.dumps(own) != files[JWKS]:
        raise VerificationError("signature", Fault("not_canonical", file=JWKS))
    signature(document, own)
    if jwks is not None:
        signature(document, jwks)
    kid = document.integrity.kid
    yield Passed("signature", kid=kid, file=JWKS) if jwks is None else Passed("signature_trusted", kid=kid)
    if exports is not None:
        signature(exports, own if jwks is None else jwks)
        yield newest(document, hashlib.sha256(files[JSON]).hexdigest(), exports)
    told = document.provenance
    for part in told.beside:
        if hashlib.sha256(files.get(part.name, b"")).hexdigest() != part.sha256:
            raise VerificationError("hashes", Fault("file_not_signed", file=part.name))
    yield Passed("hashes")
    try:
        stage = Stage.from_toml(files[STAGE], STAGE)
        rows = TableFile(files[VOTES], tables.VOTES, VOTES)
        draws = draw_table(TableFile(files[DRAWS], tables.DRAWS, DRAWS), stage)
        heads = proofs.checkpoints(files[CHECKPOINTS])
        cosigned = proofs.lines(files[COSIGNATURES], CosignaturePart, "cosignatures", COSIGNATURES)
        stamps = proofs.lines(files[TIMESTAMPS], TimestampPart, "timestamps", TIMESTAMPS)
        beside = [each for witness in witnesses for each in (*witness.heads, *witness.cosignatures)]
        roots = proofs.roots(rows, stage, [each.size for each in (*heads, *kept, *beside, told.checkpoint)])
        votes = vote_table(rows, stage, draws)
    except VerificationError:
        raise
    except ArenaError as error:
        raise VerificationError("evidence", error) from None
    yield from proofs.sealed(document, stage, roots, own)
    yield from proofs.consistent(document, heads, roots, own)
    yield from proofs.opened(document, stage, told.stage_file.sha256, heads)
    yield proofs.promised(document)
    yield from cosigning.cosigned(document, stage, heads, cosigned)
    for checkpoint in kept:
        yield proofs.kept(checkpoint, document, roots, own)
    yield from cosigning.witnessed(document, stage, roots, own, cosigned, witnesses)
    yield from stamping.stamped(document, stage, heads, stamps, tsa_roots)
    yield from proofs.drawn(document, stage, votes, draws)
    yield from coherence.coherent(document, stage, rows, votes, draws, heads)
    proofs.versions(document, votes)
    yield from reviewed.review(document, stage)
    yield from decisions.left_out(document, stage, rows, votes)
    yield from strata_proof.shown(document, stage, votes, strata)
    yield from _recomputed(document, stage, files, votes, draws, cosigned, len(stamps))


def _listed(files: Mapping[str, bytes]) -> None:
    missing = sorted({*FILES, SUMS} - set(files))
    if missing:
        raise VerificationError("files", Fault("file_missing", file=missing[0]))
    extra = sorted(set(files) - {*FILES, SUMS})
    if extra:
        raise VerificationError("files", Fault("file_extra", file=extra[0]))
    lines = {name: f"{hashlib.sha256(files[name]).hexdigest()}  {name}" for name in sorted(FILES)}
    told = files[SUMS].decode(errors="replace").split("\n")
    wrong = next((name for name, line in lines.items() if line not in told), None)
    if wrong is not None or told != [*lines.values(), ""]:
        raise VerificationError("files", Fault("file_hash", file=wrong or SUMS, sums=SUMS))


def _recomputed(
    document: UserScore,
    stage: Stage,
    files: Mapping[str, bytes],
    votes: VoteTable,
    draws: DrawTable,
    cosigned: Sequence[CosignaturePart],
    stamps: int,
) -> Iterator[Passed | Noticed]:
    """Assemble the whole document again from the evidence."""
    named = (VOTES, DRAWS, CHECKPOINTS, COSIGNATURES, TIMESTAMPS, JWKS)
    hashes = {name: hashlib.sha256(files[name]).hexdigest() for name in named}
    made = assemble(stage, files[STAGE], votes, draws, cosigned, stamps, Facts.told_by(document), hashes)
    # Through canonical JSON and back, so that 1 and 1.0 are the same number on both sides.
    unsigned = document.model_copy(update={"integrity": made.integrity})
    where = differing(orjson.loads(unsigned.canonical()), orjson.loads(made.canonical()))
    if where is not None:
        raise VerificationError("numbers", Fault("number_differs", at=where))
    yield Passed("numbers")
    yield proofs.balanced(made)
    if files[SCORES] != scores_csv(stage, made.scores):
        raise VerificationError("scores", Fault("scores_differ", file=SCORES, document=JSON))
    yield Passed("scores", file=SCORES, document=JSON)
