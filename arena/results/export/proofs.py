"""The stranger's proofs on the evidence: sealed votes, complete draws, exclusions by rule. Each returns what it has shown, or raises."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
import rfc8785

from arena.domain.errors import ArenaError
from arena.domain.pairing import commitment
from arena.domain.pairing import rule_of as rule_of_draws
from arena.domain.stage import Stage, StageStatus
from arena.domain.vote import Winner, leaf_hash
from arena.record.ledger import verify_checkpoint
from arena.record.merkle import roots_of
from arena.results.export.document import CHECKPOINTS, VOTES
from arena.results.export.tables import draw_of, sealed_record
from arena.results.live.draw_audit import redraw
from arena.results.votes.exclusions import ExclusionReason
from arena.results.votes.inclusion import CHECK, MARKED, REMOVED, rule_of

Rows = Sequence[Mapping[str, Any]]


class VerificationError(ArenaError):
    """The first thing that does not hold; `check` names it."""

    def __init__(self, check: str, en: str) -> None:
        super().__init__("not_verified", en, f"{check}: {en}")
        self.check = check


def sealed(document: Mapping[str, Any], stage: Stage, votes: Rows, jwks: Mapping[str, Any]) -> Iterator[str]:
    """Every row is the vote that was sealed when it was cast, and the tree over them is the one that was signed."""
    told, checkpoint = document["stage"], document["provenance"]["checkpoint"]
    if (told["frozen_at"] is None) != (told["status"] == StageStatus.OPEN):
        raise VerificationError("stage", "an open stage is not frozen, and any other one is")
    if not verify_checkpoint(checkpoint, jwks) or checkpoint["stage"] != stage.id:
        raise VerificationError("checkpoint", "the checkpoint's signature does not fit, or it is another stage's")
    if checkpoint["size"] != len(votes):
        raise VerificationError("checkpoint", f"it covers {checkpoint['size']} votes, there are {len(votes)} rows")
    yield f"checkpoint: signed over {checkpoint['size']} votes"
    for n, row in enumerate(votes):
        name = f"row {n} of {VOTES}"
        if leaf_hash(sealed_record(stage.id, row)) != row["receipt"]:
            raise VerificationError("inclusion", f"{name} is not the vote that was sealed")
        if not row["anony"] or row["tstamp"] != datetime.fromisoformat(row["cast_at"]).timestamp():
            raise VerificationError("inclusion", f"{name}: tstamp or anony is not what was sealed")
        if row["winner"] not in list(Winner):
            raise VerificationError("inclusion", f"{name}: {row['winner']!r} is no winner")
    if len({row["question_id"] for row in votes}) != len(votes):
        raise VerificationError("inclusion", "a battle has two votes")
    if roots_of([row["receipt"] for row in votes], [len(votes)])[len(votes)] != checkpoint["root"]:
        raise VerificationError("inclusion", "the rows, in their order, do not lead to the signed root")
    yield "inclusion: every row is the vote that was sealed, and all of them lead to the signed root"


def consistent(document: Mapping[str, Any], data: bytes, votes: Rows, jwks: Mapping[str, Any]) -> Iterator[str]:
    """Every checkpoint that was ever signed is the root over the first of these rows: so each is the beginning of every later one."""
    name, told = CHECKPOINTS, document["provenance"]
    try:
        signed = [orjson.loads(line) for line in data.splitlines()]
        canonical = b"".join(rfc8785.dumps(checkpoint) + b"\n" for checkpoint in signed) == data
        sizes = [checkpoint["size"] for checkpoint in signed]
    except (orjson.JSONDecodeError, rfc8785.CanonicalizationError, KeyError, TypeError) as error:
        raise VerificationError("consistency", f"{name} is not a list of checkpoints, one a line ({error})") from None
    if not canonical or len(signed) != told["checkpoints_file"]["rows"] or signed[-1:] != [told["checkpoint"]]:
        raise VerificationError("consistency", f"{name} is not canonical, or does not end with the export's checkpoint")
    if sizes != sorted(set(sizes)):
        raise VerificationError("consistency", f"the checkpoints of {name} do not grow")
    roots = roots_of([row["receipt"] for row in votes], sizes)
    for checkpoint in signed:
        size = checkpoint["size"]
        if checkpoint.get("stage") != document["stage"]["id"] or not verify_checkpoint(checkpoint, jwks):
            raise VerificationError("consistency", f"checkpoint {size} has no valid signature, or is another stage's")
        if roots[size] != checkpoint.get("root"):
            raise VerificationError(
                "consistency", f"the first {size} rows do not lead to the root of checkpoint {size}"
            )
    yield f"consistency: {len(signed)} signed checkpoints, each the beginning of every later one"


def kept(checkpoint: Mapping[str, Any], stage_id: str, votes: Rows, jwks: Mapping[str, Any]) -> str:
    """A checkpoint that somebody kept while voting was open is genuine, and the rows begin with what it sealed.

    Raises:
        VerificationError: it does not agree: votes were changed after it was signed, or it is not this stage's.
    """
    size = checkpoint.get("size")
    if checkpoint.get("stage") != stage_id or not isinstance(size, int) or not verify_checkpoint(checkpoint, jwks):
        raise VerificationError("kept checkpoint", "it is not a checkpoint of this stage with a valid signature")
    if not 0 <= size <= len(votes):
        raise VerificationError("kept checkpoint", f"it covers {size} votes, the export has only {len(votes)}")
    if roots_of([row["receipt"] for row in votes], [size])[size] != checkpoint.get("root"):
        raise VerificationError("kept checkpoint", f"the first {size} rows are not the votes that it sealed")
    return f"kept checkpoint: the first {size} rows are what it sealed"


def drawn(document: Mapping[str, Any], stage: Stage, votes: Rows, draws: Rows) -> Iterator[str]:
    """No draw is missing, each follows from the committed seed, and each vote belongs to its own draw."""
    if [row["draw"] for row in draws] != list(range(1, len(draws) + 1)):
        raise VerificationError("draws", "the draws are not numbered from 1 without a gap")
    legal = {*stage.entrant_ids, *(control.id for control in stage.controls)}
    for row in draws:
        if not {row["model_a"], row["model_b"]} <= legal:
            raise VerificationError("draws", f"draw {row['draw']} names somebody who is not in the stage")
        if (row["void_reason"] is not None) != (row["outcome"] == "void"):
            raise VerificationError("draws", f"draw {row['draw']} has a reason without being void, or none")
    for n, vote in enumerate(votes):
        own = draws[vote["draw"] - 1] if 1 <= vote["draw"] <= len(draws) else {}
        if (own.get("model_a"), own.get("model_b"), own.get("outcome")) != (vote["model_a"], vote["model_b"], "voted"):
            raise VerificationError("draws", f"row {n} of {VOTES} does not belong to its draw")
    if not Counter(row["outcome"] for row in draws)["voted"] == len(votes) == len({row["draw"] for row in votes}):
        raise VerificationError("draws", "a draw that was voted on has no vote, or two")
    yield f"draws: {len(draws)} of them, none missing, each vote with its own"
    seed = document["draws"]["seed"]
    if (seed is None) != (document["stage"]["status"] == StageStatus.OPEN):
        raise VerificationError("draws", "the seed is published with the freeze, not before and not later")
    if seed is None:
        return
    if commitment(seed) != document["draws"]["commitment"]:
        raise VerificationError("draws", "the seed is not the one that was committed to")
    yield "draws: the seed is the one that was committed to before the first draw"
    wrong = redraw(seed, map(draw_of, draws), rule_of_draws(stage))
    if wrong:
        raise VerificationError("draws", wrong[0])
    yield "draws: each is what the seed gives for its number"


def left_out(document: Mapping[str, Any], stage: Stage, votes: Rows) -> Iterator[str]:
    """Each vote is in the fit or out of it by the stage's rule, or by a decision that is listed."""
    removed = frozenset(e["team_id"] for e in document["entrants"] if e["removed"] is not None)
    listed = {act["reason"] for act in document["exclusion_acts"]} & {reason.value for reason in ExclusionReason}
    decided = {row["question_id"]: row["left_out"] for row in votes if row["left_out"] in listed}
    rule = rule_of(stage, decided, removed)
    for n, row in enumerate(votes):
        made = rule.left_out(row["question_id"], row["model_a"], row["model_b"], marked=bool(row["marks"]))
        if made != row["left_out"]:
            raise VerificationError(
                "exclusions",
                f"row {n} of {VOTES} is left out as {row['left_out']!r}, by the stage's rule it would be {made!r}",
            )
    yield f"exclusions: every vote left out is so by rule ({CHECK}, {REMOVED}, {MARKED}) or by a listed decision"
