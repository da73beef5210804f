"""The stranger's check of who else stands by an export's history: the witnesses that the stage names, and those that the reader trusts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from arena.domain.coded import Fault
from arena.domain.errors import Conflict, Forbidden, NotFound
from arena.domain.opening import Witness
from arena.domain.stage import Stage
from arena.record.cosignatures import Cosignature, by_witness, verify_cosignature
from arena.record.store import Store
from arena.results.export.proofs import Passed, Roots, VerificationError, kept
from arena.results.export.schema import Checkpoint, CosignaturePart, UserScore
from arena.results.votes.sealed import sealed_stage
from arena.results.witness.notebook import WITNESS, WITNESS_SCHEMA


@dataclass(frozen=True, slots=True)
class Witnessed:
    """One witness that is required: its key, where it is given, and what it has kept itself."""

    name: str
    """The file or folder, for sentences."""
    x: str | None = None
    y: str | None = None
    heads: Sequence[Checkpoint] = ()
    cosignatures: Sequence[CosignaturePart] = field(default_factory=tuple)


def read_witness(path: Path) -> list[Witnessed]:
    """Read what a witness has given: its folder, its public key (`witness.json`), or a file of cosignatures, one a line.

    Raises:
        VerificationError: it is none of these.
    """
    try:
        if path.is_dir():
            own = orjson.loads((path / WITNESS).read_bytes())
            rounds = [orjson.loads(each.read_bytes()) for each in sorted(path.glob("*/rounds/*.json"))]
            heads = [Checkpoint.model_validate(head) for each in rounds for head in each["checkpoints"]]
            signed = [CosignaturePart.model_validate(each["cosignature"]) for each in rounds]
            return [Witnessed(str(path), own["x"], own["y"], heads, signed)]
        data = path.read_bytes()
        lines = [orjson.loads(line) for line in data.splitlines()] if data.count(b"\n") > 1 else [orjson.loads(data)]
        if lines and lines[0].get("schema") == WITNESS_SCHEMA:
            return [Witnessed(str(path), lines[0]["x"], lines[0]["y"])]
        read = [CosignaturePart.model_validate(line) for line in lines]
    except (OSError, orjson.JSONDecodeError, ValidationError, KeyError, TypeError, AttributeError):
        raise VerificationError("witnesses", Fault("not_witness", file=str(path))) from None
    names = dict.fromkeys(each.witness for each in read)
    return [
        Witnessed(f"{path} ({name})", cosignatures=[each for each in read if each.witness == name]) for name in names
    ]


def take(store: Store, stage_id: str, given: CosignaturePart) -> bool:
    """Keep a cosignature for the stage's exports; false where this witness has signed that size before.

    Raises:
        NotFound: no such stage, or no checkpoint of this size.
        Forbidden: the stage file does not name the witness, or the signature is not its.
        Conflict: it is of another checkpoint than the one that is here.
    """
    stage = sealed_stage(store, stage_id)
    witness = next((each for each in stage.witnesses if each.id == given.witness), None)
    if witness is None or not by_witness(given.to_json(), witness):
        raise Forbidden("cosignature_unknown", witness=given.witness)
    about = store.cosignatures.about(stage_id, given.size)
    if about is None:
        raise NotFound("no_such_checkpoint", size=given.size)
    if (given.stage, given.root, given.opening) != (stage_id, *about):
        raise Conflict("cosignature_of_another", size=given.size)
    told = {name: value for name, value in given if name not in ("schema_", "stage")}
    return store.cosignatures.keep(Cosignature(stage_id=stage_id, **told))


def missing(store: Store, stage: Stage, size: int) -> list[str]:
    """List the witnesses that have not cosigned the checkpoint of this size, where the stage asks for more than have; else nothing."""
    signed = {each.witness for each in store.cosignatures.of_stage(stage.id) if each.size == size}
    absent = [witness.id for witness in stage.witnesses if witness.id not in signed]
    return absent if len(signed) < stage.witnesses_required else []


def cosigned(
    document: UserScore, stage: Stage, heads: Sequence[Checkpoint], given: Sequence[CosignaturePart]
) -> Iterator[Passed]:
    """Show that each cosignature is of a witness that the stage file names, over a checkpoint of this history, and count those over the last."""
    by_size, named = {head.size: head for head in heads}, {witness.id: witness for witness in stage.witnesses}
    order = [(each.size, each.witness) for each in given]
    if order != sorted(set(order)):
        raise VerificationError("cosignatures", Fault("cosignatures_unordered"))
    for each in given:
        head = by_size.get(each.size)
        if head is None or (each.stage, each.root, each.opening) != (head.stage, head.root, head.opening):
            raise VerificationError(
                "cosignatures", Fault("cosignature_of_another", witness=each.witness, size=each.size)
            )
        witness = named.get(each.witness)
        if witness is None or not by_witness(each.to_json(), witness):
            raise VerificationError("cosignatures", Fault("cosignature_unsigned", witness=each.witness, size=each.size))
    if not stage.witnesses:
        return
    final = sum(each.size == document.provenance.checkpoint.size for each in given)
    enough = final >= stage.witnesses_required
    if document.final and not enough:
        raise VerificationError(
            "cosignatures", Fault("result_without_witnesses", n=final, required=stage.witnesses_required)
        )
    yield Passed("cosigned" if enough else "cosigned_by_too_few", n=final, required=stage.witnesses_required)


def witnessed(
    document: UserScore,
    stage: Stage,
    roots: Roots,
    jwks: Mapping[str, Any],
    exported: Sequence[CosignaturePart],
    required: Sequence[Witnessed],
) -> Iterator[Passed]:
    """Show that what each required witness has kept is a part of this history, and that it has cosigned the last checkpoint.

    Raises:
        VerificationError: it saw another history, or has not cosigned this one.
    """
    named = {witness.id: witness for witness in stage.witnesses}
    for given in required:
        x, y = _key(given, named)
        own = [each for each in exported if verify_cosignature(each.to_json(), x, y)]
        for head in given.heads:
            kept(head, document, roots, jwks)
        for each in given.cosignatures:
            if each.stage != stage.id or not verify_cosignature(each.to_json(), x, y):
                raise VerificationError("witnesses", Fault("witness_unsigned", witness=given.name, size=each.size))
            _require_same(given, each, document, roots)
        last = document.provenance.checkpoint.size
        final = [each for each in (*own, *given.cosignatures) if each.size == last]
        if not final:
            newest = max((each.size for each in (*own, *given.cosignatures)), default=None)
            if newest is None:
                raise VerificationError("witnesses", Fault("witness_never", witness=given.name))
            fault = Fault("witness_not_final", witness=given.name, size=last, newest=newest)
            raise VerificationError("witnesses", fault)
        yield Passed("witness", witness=given.name, size=last, kept=len(given.heads))
        _require_early(given, document, final)


def _require_same(given: Witnessed, each: CosignaturePart, document: UserScore, roots: Roots) -> None:
    if each.opening != document.opening.sha256():
        raise VerificationError("witnesses", Fault("witness_saw_another_opening", witness=given.name, size=each.size))
    if roots.by_size.get(each.size) != each.root:
        raise VerificationError("witnesses", Fault("witness_saw_others", witness=given.name, size=each.size))


def _require_early(given: Witnessed, document: UserScore, final: Sequence[CosignaturePart]) -> None:
    """Where a beacon was mixed in: somebody outside knew the commitment before it spoke, so the seed was not chosen afterwards."""
    beacon = document.opening.beacon
    if beacon is not None and not any(each.known_since and each.known_since < beacon.at for each in final):
        raise VerificationError("witnesses", Fault("witness_after_beacon", witness=given.name))


def _key(given: Witnessed, named: Mapping[str, Witness]) -> tuple[str, str]:
    """Take the key that is given, or the one that the stage file names."""
    if given.x is not None and given.y is not None:
        return given.x, given.y
    witness = named.get(given.cosignatures[0].witness) if given.cosignatures else None
    if witness is None:
        raise VerificationError("witnesses", Fault("witness_unknown", witness=given.name))
    return witness.x, witness.y
