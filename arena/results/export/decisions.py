"""The stranger's proof that the decisions to leave votes out, or to take them back, leave out exactly the rows that are."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from arena.domain.coded import Fault
from arena.domain.stage import Stage
from arena.results.export.document import VOTES
from arena.results.export.proofs import Passed, VerificationError
from arena.results.export.review_schema import Act
from arena.results.export.schema import UserScore
from arena.results.export.table_reader import TableFile
from arena.results.integrity.proposals import key_of
from arena.results.votes.exclusions import ExclusionReason, root_over
from arena.results.votes.inclusion import CHECK, LEAKS, REASONS, REMOVED, REPEAT, UNREAD, rule_of
from arena.results.votes.table import VoteTable


@dataclass
class _Named:
    """What the rows say of one act."""

    receipts: list[str] = field(default_factory=list)
    latest: int = 0
    """When the last of these votes was cast, in microseconds since 1970 UTC."""


def left_out(document: UserScore, stage: Stage, rows: TableFile, votes: VoteTable) -> Iterator[Passed]:
    """Show that each act names the votes it says, at its time, and that each vote is in the fit or out of it by the stage's rule and these acts alone.

    Raises:
        VerificationError: names the act or the row.
    """
    acts = document.exclusion_acts
    for n, act in enumerate(acts):
        known = act.reason in set(ExclusionReason) if act.action == "exclude" else act.reason is None
        if not known:
            raise VerificationError("exclusions", Fault("act_reason", act=n))
    _proposed(document, rows)
    named, decided = _replayed(document, rows, votes)
    _in_time(document, named)
    for n, (act, found) in enumerate(zip(acts, named, strict=True)):
        if len(found.receipts) != act.votes:
            raise VerificationError("exclusions", Fault("act_votes", act=n, told=act.votes, rows=len(found.receipts)))
        if root_over(found.receipts) != act.root:
            raise VerificationError("exclusions", Fault("act_root", act=n))
    removed = frozenset(entrant.team_id for entrant in document.entrants if entrant.removed is not None)
    made = rule_of(stage, {}, removed).codes(
        votes.entrants, votes.a, votes.b, votes.leaks, votes.unread, decided, votes.repeat_of > 0
    )
    wrong = np.flatnonzero(made != votes.excluded_by)
    if len(wrong):
        n = int(wrong[0])
        told, rule = votes.reasons[votes.excluded_by[n]] or None, votes.reasons[made[n]] or None
        raise VerificationError(
            "exclusions", Fault("row_left_out", row=n, file=VOTES, told=repr(told), made=repr(rule))
        )
    yield Passed("exclusions", rules=(CHECK, REMOVED, LEAKS, UNREAD, REPEAT), acts=len(acts))


def _proposed(document: UserScore, rows: TableFile) -> None:
    """Hold the rows that proposals name against their number, root and key."""
    proposals = document.review.proposals
    named: list[list[tuple[str, str]]] = [[] for _ in proposals]
    for at, batch in rows.placed(["proposal", "question_id", "receipt"]):
        places = batch.column("proposal")
        for place in np.flatnonzero(places.is_valid().to_numpy(zero_copy_only=False)).tolist():
            n = places[place].as_py()
            if not 0 <= n < len(proposals):
                raise VerificationError("review", Fault("row_proposal", row=at.start + place, file=VOTES))
            named[n].append((batch.column("question_id")[place].as_py(), batch.column("receipt")[place].as_py()))
    for proposal, found in zip(proposals, named, strict=True):
        made = (len(found), root_over(receipt for _, receipt in found), key_of(proposal.reason, [b for b, _ in found]))
        if made != (proposal.votes, proposal.root, proposal.key):
            raise VerificationError("review", Fault("proposal_votes", key=proposal.key))


def _replayed(document: UserScore, rows: TableFile, votes: VoteTable) -> tuple[list[_Named], NDArray[np.int8]]:
    """Follow the acts row by row: what each names, and the reason that is left of them on each vote, as an index into `REASONS`."""
    acts, published = document.exclusion_acts, document.stage.published_at
    named, decided = [_Named() for _ in acts], np.zeros(len(votes), np.int8)
    for at, batch in rows.placed(["acts", "receipt"]):
        on_rows = batch.column("acts")
        for place in np.flatnonzero(np.diff(on_rows.offsets.to_numpy())).tolist():
            row, on_row = at.start + place, on_rows[place].as_py()
            if on_row != sorted(set(on_row)) or not 0 <= on_row[0] <= on_row[-1] < len(acts):
                raise VerificationError("exclusions", Fault("row_acts", row=row, file=VOTES))
            last: Act | None = None
            for n in on_row:
                if acts[n].reason is None and not decided[row]:
                    raise VerificationError("exclusions", Fault("act_on_nothing", act=n, row=row, file=VOTES))
                if acts[n].reason is not None and decided[row]:
                    raise VerificationError("exclusions", Fault("act_again", act=n, row=row, file=VOTES))
                corrects = published is not None and acts[n].at > published
                if last is not None and acts[n].reason is None and acts[n].proposal != last.proposal and not corrects:
                    raise VerificationError("exclusions", Fault("act_of_another", act=n, row=row, file=VOTES))
                last = acts[n]
                decided[row] = REASONS.index(acts[n].reason or "")
                named[n].receipts.append(batch.column("receipt")[place].as_py())
                named[n].latest = max(named[n].latest, int(votes.cast_at[row]))
    return named, decided


def _in_time(document: UserScore, named: list[_Named]) -> None:
    """Hold the acts' times against each other, the stage's freeze, the export's and their votes'."""
    before = document.stage.frozen_at
    for n, (act, found) in enumerate(zip(document.exclusion_acts, named, strict=True)):
        if before is None or not before <= act.at <= document.created_at:
            raise VerificationError("exclusions", Fault("act_out_of_time", act=n, at=act.at.isoformat()))
        before = act.at
        if act.at.timestamp() * 1e6 < found.latest - 500:  # half of the millisecond that both are written to
            raise VerificationError("exclusions", Fault("act_before_votes", act=n, at=act.at.isoformat()))
