"""The stranger's proofs on the evidence: sealed votes, complete draws. Each tells what it has shown, or raises."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import numpy as np
import rfc8785
from pydantic import ValidationError

from arena.domain.coded import Coded, Fault
from arena.domain.draw import commitment, mixed
from arena.domain.draw import rule_of as rule_of_draws
from arena.domain.errors import ArenaError
from arena.domain.repeat import APART
from arena.domain.stage import Stage, StageStatus
from arena.domain.vote import canonical, leaf_hash
from arena.record.ledger import verify_checkpoint
from arena.record.merkle import roots_of
from arena.results.export.document import CHECKPOINTS, VOTES
from arena.results.export.schema import Checkpoint, PromisedKey, UserScore
from arena.results.export.signed import Part, Signed, TwoLanguages, milliseconds
from arena.results.export.table_reader import DrawTable, TableFile
from arena.results.export.tables import OUTCOMES, record_of
from arena.results.live.draw_audit import redraw
from arena.results.votes.table import VoteTable

UNBALANCED = 1e-6
"""Below this p the draws did not follow the rule."""
UNEVEN = 0.01
"""Below this p it is pointed out: it happens once in a hundred stages."""
VOTED, VOID = OUTCOMES.index("voted"), OUTCOMES.index("void")


class VerificationError(ArenaError):
    """The first thing that does not hold, and the check that found it."""

    def __init__(self, check: str, fault: Coded) -> None:
        super().__init__("not_verified", check=check, fault=fault)
        self.check = check
        self.fault = fault


_Document = TypeVar("_Document", bound=Signed)


def read_signed(model: type[_Document], data: bytes, name: str, check: str, unreadable: Fault) -> _Document:
    """Read a signed document from its one form; the signature is still to be checked.

    Raises:
        VerificationError: of this check; it is `unreadable`, or its bytes are not canonical.
    """
    try:
        read = model.model_validate_json(data)
        canonical_form = read.canonical() == data
    except (ValidationError, rfc8785.CanonicalizationError):
        raise VerificationError(check, unreadable) from None
    if not canonical_form:
        raise VerificationError(check, Fault("not_canonical", file=name))
    return read


class Passed(Coded):
    """One thing that was checked, and holds."""

    kind = "passed"


class Noticed(Coded):
    """One thing that is possible, and that whoever reads the verdict should know."""

    kind = "noticed"


class Attested(Coded):
    """One thing that only the signature vouches for, since what it follows from was not given."""

    kind = "attested"


@dataclass(frozen=True, slots=True)
class Roots:
    """The rows of `votes.parquet`, each of them what was sealed, as the leaves of a Merkle tree."""

    votes: int
    by_size: Mapping[int, str]
    """The root over the first n rows, for every n that a checkpoint covers."""


def checkpoints(data: bytes) -> list[Checkpoint]:
    """Read the list of every checkpoint.

    Raises:
        VerificationError: it is none, or not canonical, or does not grow.
    """
    heads = lines(data, Checkpoint, "consistency", CHECKPOINTS)
    sizes = [head.size for head in heads]
    if sizes != sorted(set(sizes)):
        raise VerificationError("consistency", Fault("checkpoints_do_not_grow", file=CHECKPOINTS))
    return heads


_Line = TypeVar("_Line", bound=Part)


def lines(data: bytes, kind: type[_Line], check: str, file: str) -> list[_Line]:
    """Read a file of canonical JSON, a line each.

    Raises:
        VerificationError: it is none, or not canonical.
    """
    try:
        read = [kind.model_validate_json(line) for line in data.splitlines()]
    except ValidationError as error:
        what = error.errors()[0]["msg"]
        raise VerificationError(check, Fault("lines_unreadable", file=file, problem=what)) from None
    if b"".join(rfc8785.dumps(each.to_json()) + b"\n" for each in read) != data:
        raise VerificationError(check, Fault("not_canonical", file=file))
    return read


def roots(rows: TableFile, stage: Stage, sizes: Sequence[int]) -> Roots:
    """Hold every row against its receipt, and make the tree over all of them, in one pass.

    Raises:
        VerificationError: a row is not the vote that was sealed, or a battle has two.
    """
    by_size = roots_of(_receipts(rows, stage), [*sizes, len(rows)])
    if rows.distinct("question_id") != len(rows):
        raise VerificationError("inclusion", Fault("battle_voted_twice"))
    return Roots(len(rows), by_size)


def _receipts(rows: TableFile, stage: Stage) -> Iterator[str]:
    for n, row in enumerate(rows.rows()):
        try:
            sealed = leaf_hash(record_of(stage.id, row))
        except ValueError:
            sealed = ""
        if sealed != row["receipt"]:
            raise VerificationError("inclusion", Fault("row_not_sealed", row=n, file=VOTES))
        if not row["anony"] or row["tstamp"] != datetime.fromisoformat(row["cast_at"]).timestamp():
            raise VerificationError("inclusion", Fault("row_derived_differs", row=n, file=VOTES))
        yield row["receipt"]


def sealed(document: UserScore, stage: Stage, roots: Roots, jwks: Mapping[str, Any]) -> Iterator[Passed]:
    """Show that the tree over the rows is the one that was signed."""
    told, checkpoint = document.stage, document.provenance.checkpoint
    if (told.frozen_at is None) != (told.status == StageStatus.OPEN):
        raise VerificationError("stage", Fault("status_contradicts"))
    if not verify_checkpoint(checkpoint.to_json(), jwks) or checkpoint.stage != stage.id:
        raise VerificationError("checkpoint", Fault("checkpoint_not_ours"))
    if checkpoint.size != roots.votes:
        raise VerificationError("checkpoint", Fault("checkpoint_size", size=checkpoint.size, rows=roots.votes))
    yield Passed("checkpoint", size=checkpoint.size)
    if roots.by_size[roots.votes] != checkpoint.root:
        raise VerificationError("inclusion", Fault("rows_miss_root"))
    yield Passed("inclusion")


def consistent(
    document: UserScore, heads: Sequence[Checkpoint], roots: Roots, jwks: Mapping[str, Any]
) -> Iterator[Passed]:
    """Show that every checkpoint that was ever signed is the root over the first of these rows: so each is the beginning of every later one."""
    told = document.provenance
    if len(heads) != told.checkpoints_file.rows or list(heads[-1:]) != [told.checkpoint]:
        raise VerificationError("consistency", Fault("checkpoints_end_elsewhere", file=CHECKPOINTS))
    for head in heads:
        if head.stage != document.stage.id or not verify_checkpoint(head.to_json(), jwks):
            raise VerificationError("consistency", Fault("checkpoint_foreign", size=head.size))
        if roots.by_size.get(head.size) != head.root:
            raise VerificationError("consistency", Fault("checkpoint_contradicted", size=head.size))
    yield Passed("consistency", n=len(heads))


def opened(document: UserScore, stage: Stage, stage_file_sha256: str, heads: Sequence[Checkpoint]) -> Iterator[Passed]:
    """Show that every checkpoint, the one before the first vote among them, names the one opening act, and that it is of this stage file."""
    act = document.opening
    sha256 = act.sha256()
    other = next((head for head in heads if head.opening != sha256), None)
    if other is not None:
        raise VerificationError("opening", Fault("checkpoint_of_another_opening", size=other.size))
    if heads[0].size:
        raise VerificationError("opening", Fault("opening_not_signed_first", size=heads[0].size))
    if (act.stage, act.stage_file_sha256) != (stage.id, stage_file_sha256):
        raise VerificationError("opening", Fault("opening_of_another_file"))
    declared, told = stage.beacon, act.beacon
    if told is None:
        if declared is not None and not stage.synthetic:
            raise VerificationError("opening", Fault("opening_without_beacon"))
    elif declared is None or (told.source, told.at) != (TwoLanguages.of(declared.source), milliseconds(declared.at)):
        raise VerificationError("opening", Fault("opening_of_another_beacon"))
    yield Passed("opening", sha256=sha256)


def signed_bytes(head: Checkpoint) -> bytes:
    """Write what a checkpoint's signature is over."""
    return canonical({name: value for name, value in head.to_json().items() if name != "jws"})


def promised(document: UserScore) -> Passed:
    """Show that every entrant has one key to the evidence that the opening act promised, and that others took its place in order and in time."""
    first = [key for key in document.evidence_keys if key.reason is None]
    later = document.evidence_keys[len(first) :]
    act = document.opening
    told = [PromisedKey(id=key.key_id, sha256=key.sha256) for key in sorted(first, key=lambda key: key.key_id)]
    entrants = [entrant.team_id for entrant in document.entrants]
    if (
        told != act.evidence_keys
        or [key.team_id for key in first] != entrants
        or any(key.at != act.opened_at for key in first)
    ):
        raise VerificationError("opening", Fault("evidence_keys_not_promised"))
    times = [act.opened_at, *(key.at for key in later), document.created_at]
    if times != sorted(times) or any(key.reason is None or key.team_id not in entrants for key in later):
        raise VerificationError("opening", Fault("evidence_keys_not_in_order"))
    return Passed("evidence_keys", n=len(first), replaced=len(later))


def kept(checkpoint: Checkpoint, document: UserScore, roots: Roots, jwks: Mapping[str, Any]) -> Passed:
    """Show that a checkpoint that somebody kept while voting was open is genuine, and that the rows begin with what it sealed.

    Raises:
        VerificationError: it does not agree: votes were changed after it was signed, or it is not this stage's.
    """
    size = checkpoint.size
    if checkpoint.stage != document.stage.id or not verify_checkpoint(checkpoint.to_json(), jwks):
        raise VerificationError("kept_checkpoint", Fault("kept_not_ours"))
    if checkpoint.opening != document.opening.sha256():
        raise VerificationError("kept_checkpoint", Fault("checkpoint_of_another_opening", size=size))
    if size > roots.votes:
        raise VerificationError("kept_checkpoint", Fault("kept_beyond", size=size, rows=roots.votes))
    if roots.by_size[size] != checkpoint.root:
        raise VerificationError("kept_checkpoint", Fault("kept_contradicted", size=size))
    return Passed("kept_checkpoint", size=size)


def versions(document: UserScore, votes: VoteTable) -> None:
    """Raise VerificationError unless each row's versions are places in the lists of its entrants."""
    known = {entrant.team_id: len(entrant.versions) for entrant in document.entrants}
    most = np.array([known.get(entrant, 0) for entrant in votes.entrants])
    sides, version = np.stack([votes.a, votes.b], axis=1), votes.measured.version
    wrong = np.flatnonzero((version < -1).any(axis=1) | ((version >= most[sides]) & (version >= 0)).any(axis=1))
    if len(wrong):
        raise VerificationError("evidence", Fault("version_unlisted", row=int(wrong[0]), file=VOTES))


def drawn(document: UserScore, stage: Stage, votes: VoteTable, draws: DrawTable) -> Iterator[Passed]:
    """Show that no draw is missing, that each follows from the committed seed, and that each vote belongs to its own draw."""
    if not np.array_equal(draws.number, np.arange(1, len(draws) + 1)):
        raise VerificationError("draws", Fault("draws_not_numbered"))
    wrong = np.flatnonzero(draws.has_reason != (draws.outcome == VOID))
    if len(wrong):
        raise VerificationError("draws", Fault("draw_void_reason", n=int(wrong[0]) + 1))
    own = votes.seq - 1
    numbered = (own >= 0) & (own < len(draws))
    own = np.where(numbered, own, 0)
    fits = numbered.copy()
    if len(draws):
        fits &= (draws.a[own] == votes.a) & (draws.b[own] == votes.b) & (draws.outcome[own] == VOTED)
    if not fits.all():
        raise VerificationError("draws", Fault("row_of_another_draw", row=int(np.flatnonzero(~fits)[0]), file=VOTES))
    if not (draws.outcome == VOTED).sum() == len(votes) == len(np.unique(votes.seq)):
        raise VerificationError("draws", Fault("draws_and_votes_differ"))
    yield Passed("draws_complete", n=len(draws))
    if draws.repeat_of.any():
        yield repeats(votes, draws)
    seed = document.draws.seed
    if (seed is None) != (document.stage.status == StageStatus.OPEN):
        raise VerificationError("draws", Fault("seed_out_of_time"))
    if seed is None:
        return
    if commitment(seed) != document.draws.commitment:
        raise VerificationError("draws", Fault("seed_not_committed"))
    yield Passed("draws_committed")
    beacon = document.opening.beacon
    differ = redraw(mixed(seed, beacon.value if beacon else None), draws, rule_of_draws(stage))
    if differ:
        raise VerificationError("draws", differ[0])
    yield Passed("draws_repeated" if beacon is None else "draws_repeated_mixed")


def repeats(votes: VoteTable, draws: DrawTable) -> Passed:
    """Show that each repeat turned round a battle of the same voter, ten of their votes or more before, that was none and was shown again once.

    Raises:
        VerificationError: one did not, or was chosen among draws of which one is no such battle.
    """
    row_of = np.full(len(draws) + 1, -1)
    row_of[votes.draw] = np.arange(len(votes))
    by_voter = np.lexsort((votes.draw, votes.voter))
    ends = np.searchsorted(votes.voter[by_voter], np.arange(len(votes.voters) + 1))
    repeated: set[int] = set()
    places = np.flatnonzero(draws.repeat_of)
    for place in places.tolist():
        number, first = place + 1, int(draws.repeat_of[place])
        listed = np.array([int(told) if told.isdecimal() else 0 for told in draws.choices[draws.available[place]]])
        rows = row_of[np.where((listed > 0) & (listed < number), listed, 0)]
        own = row_of[number]
        holds = first in listed and bool((rows >= 0).all()) and repeated.isdisjoint(listed.tolist())
        if holds:
            voters = {*votes.voter[rows].tolist(), *([int(votes.voter[own])] if own >= 0 else [])}
            judged = votes.draw[by_voter[ends[min(voters)] : ends[min(voters) + 1]]]
            later = np.searchsorted(judged, number) - np.searchsorted(judged, listed, side="right")
            turned = (draws.a[place], draws.b[place]) == (draws.b[first - 1], draws.a[first - 1])
            holds = len(voters) == 1 and bool((later >= APART).all()) and turned
        if not holds or draws.repeat_of[listed - 1].any():
            raise VerificationError("draws", Fault("draw_no_repeat", n=number, available=listed.tolist()))
        repeated.add(first)
    return Passed("repeats", n=len(places))


def balanced(made: UserScore) -> Passed | Noticed:
    """Show that pairs and sides were drawn as the rule lets one expect.

    Each draw follows from the seed and from who could be drawn, which is the operator's word: ground until the seed favours somebody, it shows here.

    Raises:
        VerificationError: honest draws are so one-sided once in a million stages.
    """
    balance = made.exposure.balance
    if min(balance.pairs.p, balance.sides.p) < UNBALANCED:
        raise VerificationError("draws", Fault("draws_unbalanced", pairs=balance.pairs.chi2, sides=balance.sides.chi2))
    if min(balance.pairs.p, balance.sides.p) < UNEVEN:
        return Noticed("balance", pairs=balance.pairs.p, sides=balance.sides.p)
    return Passed("balance")
