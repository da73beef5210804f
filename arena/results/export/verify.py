"""The stranger's check: from the files alone, every hash, signature, proof and number of an export is made again and compared."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import rfc8785
from pydantic import ValidationError

from arena.domain.errors import ArenaError
from arena.domain.stage import Stage
from arena.record.keys import verify_jws
from arena.results.export import proofs, tables
from arena.results.export.document import (
    CHECKPOINTS,
    DRAWS,
    FILES,
    JSON,
    JWKS,
    SCORES,
    STAGE,
    SUMS,
    VOTES,
    Facts,
    assemble,
    scores_csv,
    signed_bytes,
)
from arena.results.export.proofs import VerificationError
from arena.results.export.schema import UserScore

LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verified export: the document, and what was checked, in words."""

    document: Mapping[str, Any]
    checks: tuple[str, ...]


def verify(folder: Path, jwks: Mapping[str, Any] | None = None, kept: Sequence[Mapping[str, Any]] = ()) -> Verdict:
    """Checks an export folder (or the `latest` in a folder of exports) and recomputes every number.

    Args:
        folder: where the export is.
        jwks: the public keys that are trusted, got from the arena by another way. Without them the signature is checked against the
            keys in the folder, which shows that nothing was changed since the signing, but not who signed.
        kept: checkpoints that somebody kept while voting was open.

    Raises:
        VerificationError: names the first thing that does not hold.
    """
    if not (folder / JSON).exists() and (folder / LATEST / JSON).exists():
        folder = folder / LATEST
    if not folder.is_dir():
        raise VerificationError("files", f"{folder} is not a folder. Give the folder that holds {JSON}.")
    return verify_files({path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}, jwks, kept)


def verify_files(
    files: Mapping[str, bytes], jwks: Mapping[str, Any] | None = None, kept: Sequence[Mapping[str, Any]] = ()
) -> Verdict:
    """The same for files in memory, name by name."""
    checks = tuple(_checked(files, jwks, kept))
    return Verdict(orjson.loads(files[JSON]), checks)


def parsed(data: bytes) -> dict[str, Any]:
    """The document, once its bytes are canonical and it fits the schema.

    Raises:
        VerificationError: they are not, or it does not.
    """
    try:
        document = orjson.loads(data)
        canonical = rfc8785.dumps(document) == data
    except (orjson.JSONDecodeError, rfc8785.CanonicalizationError) as error:
        raise VerificationError("document", f"{JSON} is not JSON that can be read ({error})") from None
    if not canonical:
        raise VerificationError("document", f"{JSON} is not in the canonical form of RFC 8785: it was rewritten")
    try:
        UserScore.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise VerificationError("document", f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    return document


def signature(document: Mapping[str, Any], jwks: Mapping[str, Any]) -> None:
    """Checks the signature of a parsed document.

    Raises:
        VerificationError: it is not by one of these keys, or not over this document.
    """
    integrity = document["integrity"]
    chosen = [key for key in jwks["keys"] if key.get("kid") == integrity["kid"]]
    if not chosen:
        raise VerificationError("signature", f"the key {integrity['kid']} is not among the given public keys")
    if not verify_jws(signed_bytes(dict(document)), integrity["signature"], {"keys": chosen}):
        raise VerificationError("signature", "it does not fit the document: something was changed after the signing")


def read_jwks(data: bytes, name: str = JWKS) -> dict[str, Any]:
    """A JWK Set.

    Raises:
        VerificationError: it is none.
    """
    try:
        keys = orjson.loads(data)
        if isinstance(keys["keys"], list) and all(isinstance(key, dict) for key in keys["keys"]):
            return keys
    except (orjson.JSONDecodeError, KeyError, TypeError):
        pass
    raise VerificationError("signature", f"{name} is not a JWK Set")


def read_checkpoint(data: bytes, name: str) -> dict[str, Any]:
    """A checkpoint as `GET /api/v1/checkpoints` gives it.

    Raises:
        VerificationError: it is none.
    """
    try:
        checkpoint = orjson.loads(data)
    except orjson.JSONDecodeError:
        checkpoint = None
    if not isinstance(checkpoint, dict):
        raise VerificationError("kept checkpoint", f"{name} is not a checkpoint")
    return checkpoint


def differing(told: Any, made: Any, path: str = "") -> str | None:
    """Where two JSON values first differ, as a path; None when they are the same."""
    if isinstance(told, dict) and isinstance(made, dict):
        for key in sorted({*told, *made}):
            if key not in told or key not in made:
                return f"{path}.{key}".lstrip(".")
            if (found := differing(told[key], made[key], f"{path}.{key}")) is not None:
                return found
        return None
    if isinstance(told, list) and isinstance(made, list) and len(told) == len(made):
        for n, (left, right) in enumerate(zip(told, made, strict=True)):
            if (found := differing(left, right, f"{path}[{n}]")) is not None:
                return found
        return None
    same = told == made and isinstance(told, bool) == isinstance(made, bool)  # True == 1 in Python, not in JSON
    return None if same else path.lstrip(".") or "(document)"


def _checked(
    files: Mapping[str, bytes], jwks: Mapping[str, Any] | None, kept: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """What was checked, one sentence after the other."""
    _listed(files)
    yield f"files: {len(FILES)} of them, each with the hash in {SUMS}"
    document = parsed(files[JSON])
    yield f"document: {JSON} is in canonical form and fits the schema {document['schema']}"
    own = read_jwks(files[JWKS])
    if rfc8785.dumps(own) != files[JWKS]:
        raise VerificationError("signature", f"{JWKS} is not in the canonical form of RFC 8785: it was rewritten")
    signature(document, own)
    if jwks is not None:
        signature(document, jwks)
    whose = f"the key in {JWKS}: compare it with the arena's published one" if jwks is None else "a trusted key"
    yield f"signature: ES256 by {document['integrity']['kid']}, {whose}"
    for part in ("votes_file", "draws_file", "checkpoints_file", "stage_file", "scores_file"):
        told = document["provenance"][part]
        if hashlib.sha256(files.get(told["name"], b"")).hexdigest() != told["sha256"]:
            raise VerificationError("hashes", f"{told['name']} is not the file that was signed")
    yield "hashes: votes, draws, checkpoints, stage file and scores are the files that were signed"
    try:
        stage = Stage.from_toml(files[STAGE], STAGE)
        votes = tables.read(files[VOTES], tables.VOTES, VOTES)
        draws = tables.read(files[DRAWS], tables.DRAWS, DRAWS)
    except ArenaError as error:
        raise VerificationError("evidence", error.en) from None
    rows = votes.to_pylist()
    yield from proofs.sealed(document, stage, rows, own)
    yield from proofs.consistent(document, files[CHECKPOINTS], rows, own)
    for checkpoint in kept:
        yield proofs.kept(checkpoint, stage.id, rows, own)
    yield from proofs.drawn(document, stage, rows, draws.to_pylist())
    yield from proofs.left_out(document, stage, rows)
    yield from _recomputed(document, stage, files, votes, draws)


def _listed(files: Mapping[str, bytes]) -> None:
    missing = sorted({*FILES, SUMS} - set(files))
    if missing:
        raise VerificationError("files", f"{missing[0]} is missing")
    extra = sorted(set(files) - {*FILES, SUMS})
    if extra:
        raise VerificationError("files", f"{extra[0]} does not belong to an export")
    lines = {name: f"{hashlib.sha256(files[name]).hexdigest()}  {name}" for name in sorted(FILES)}
    told = files[SUMS].decode(errors="replace").split("\n")
    wrong = next((name for name, line in lines.items() if line not in told), None)
    if wrong is not None or told != [*lines.values(), ""]:
        raise VerificationError("files", f"{wrong or SUMS} does not have the hash that {SUMS} says")


def _recomputed(
    document: Mapping[str, Any], stage: Stage, files: Mapping[str, bytes], votes: pa.Table, draws: pa.Table
) -> Iterator[str]:
    """The whole document is assembled again from the evidence."""
    told = document["stage"]
    facts = Facts(
        export_id=document["export_id"],
        supersedes=document["supersedes"],
        created_at=document["created_at"],
        issuer=document["issuer"],
        status=told["status"],
        opened_at=told["opened_at"],
        frozen_at=told["frozen_at"],
        removed={e["team_id"]: e["removed"] for e in document["entrants"] if e["removed"] is not None},
        outages={e["team_id"]: e["outage_minutes"] for e in document["entrants"] if e["outage_minutes"]},
        acts=document["exclusion_acts"],
        commitment=document["draws"]["commitment"],
        seed=document["draws"]["seed"],
        checkpoint=document["provenance"]["checkpoint"],
        checkpoints=document["provenance"]["checkpoints_file"]["rows"],
        strata=document["population"]["strata"],
    )
    hashes = {name: hashlib.sha256(files[name]).hexdigest() for name in (VOTES, DRAWS, CHECKPOINTS)}
    # Through canonical JSON and back, so that 1 and 1.0 are the same number on both sides.
    made = orjson.loads(rfc8785.dumps(assemble(stage, files[STAGE], votes, draws, facts, hashes)))
    where = differing({key: value for key, value in document.items() if key != "integrity"}, made)
    if where is not None:
        raise VerificationError("numbers", f"{where} is not what the evidence gives")
    yield "numbers: all follow from the votes, the draws and the stage file, to the last digit"
    if files[SCORES] != scores_csv(stage, made["scores"]):
        raise VerificationError("scores", f"{SCORES} does not say what {JSON} says")
    yield f"scores: {SCORES} says the same as {JSON}"
