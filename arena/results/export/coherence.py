"""What cannot all be true at once: moments, counts and identities of an export, held against the sealed stage and against each other.

The operator holds the key, so a signature says nothing about what the operator would rather have seen. Each contradiction has a code; what is only odd is
noticed, and goes into the verdict beside what holds.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.domain.coded import Fault
from arena.domain.leaks import Leak
from arena.domain.stage import Stage
from arena.results.export.proofs import Noticed, Passed, VerificationError
from arena.results.export.schema import Checkpoint, UserScore
from arena.results.export.table_reader import DrawTable, TableFile
from arena.results.votes.table import IDENTITY, VoteTable
from arena.results.votes.weighting import MOST, SMALL

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
UNENDED = timedelta(minutes=20)
"""How long an outage may have lasted after it was last noted by a process that then died: it is noted every five minutes, after a try that an endpoint may put off for ten."""
TWICE = 2
"""The arena counts acts from the first one of a window on, so within any hour there may be twice as many as it lets one citizen do in an hour."""
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_SECOND = 1_000_000
Moments = NDArray[np.int64]
"""Microseconds since 1970 UTC."""


def coherent(
    document: UserScore, stage: Stage, rows: TableFile, votes: VoteTable, draws: DrawTable, heads: Sequence[Checkpoint]
) -> Iterator[Passed | Noticed]:
    """Check everything here, one after the other.

    Args:
        document: the export.
        stage: as its sealed file declares it.
        rows: `votes.parquet`, in the order of the ledger.
        votes: the same as a table.
        draws: `draws.parquet`.
        heads: every checkpoint, the smallest first.

    Raises:
        VerificationError: names the first contradiction.
    """
    in_order(document, stage)
    yield Passed("moments")
    within(document, stage, votes, draws)
    yield Passed("within")
    yield from sealed_in_time(stage, votes, heads)
    yield from in_pace(stage, votes)
    of_stage(stage, rows, votes)
    weighed(stage, votes)
    yield Passed("of_stage")
    away(document, stage, draws)
    yield Passed("away")


def in_order(document: UserScore, stage: Stage) -> None:
    """Hold the stage's own moments against each other: opening, removals, freeze, and the export itself."""
    slack = _slack(stage)
    told = document.stage
    removed = [entrant.removed.at for entrant in document.entrants if entrant.removed is not None]
    ends = told.frozen_at or document.created_at
    if told.opened_at > ends:
        raise _wrong(Fault("frozen_before_opened", opened=told.opened_at, frozen=ends))
    if document.created_at + slack < ends:
        raise _wrong(Fault("made_before_frozen", made=document.created_at, frozen=ends))
    for at in removed:
        if not told.opened_at - slack <= at <= ends + slack:
            raise _wrong(Fault("removed_out_of_time", at=at, opened=told.opened_at, frozen=ends))


def within(document: UserScore, stage: Stage, votes: VoteTable, draws: DrawTable) -> None:
    """Hold every draw and every vote against the time in which the stage was open, and a vote against its own draw."""
    slack = _us(_slack(stage))
    told = document.stage
    first = _at(told.opened_at) - slack
    last = _at(told.frozen_at or document.created_at) + slack
    if len(wrong := np.flatnonzero((votes.cast_at < first) | (votes.cast_at > last))):
        raise _wrong(Fault("vote_out_of_time", n=int(wrong[0]) + 1, at=_told(votes.cast_at[wrong[0]])))
    if len(wrong := np.flatnonzero((draws.drawn_at < first) | (draws.drawn_at > last))):
        raise _wrong(Fault("draw_out_of_time", n=int(wrong[0]) + 1, at=_told(draws.drawn_at[wrong[0]])))
    if stage.closes is not None and len(late := np.flatnonzero(votes.cast_at > _at(stage.closes) + slack)):
        raise _wrong(
            Fault("vote_after_closes", n=int(late[0]) + 1, at=_told(votes.cast_at[late[0]]), closes=stage.closes)
        )
    early = np.flatnonzero(votes.cast_at + slack < draws.drawn_at[votes.seq - 1]) if len(votes) else []
    if len(early):
        raise _wrong(Fault("vote_before_draw", n=int(early[0]) + 1))
    if len(back := _backwards(draws.drawn_at, slack)):
        raise _wrong(Fault("draws_out_of_order", n=int(back[0]) + 1))


def sealed_in_time(stage: Stage, votes: VoteTable, heads: Sequence[Checkpoint]) -> Iterator[Passed | Noticed]:
    """Hold the ledger's order and its checkpoints against the moments of the votes, and tell the longest gaps."""
    slack, rules, delay = _us(_slack(stage)), stage.ledger, stage.protocol.merge_delay_minutes
    if len(back := _backwards(votes.cast_at, slack)):
        raise _wrong(Fault("vote_behind_ledger", n=int(back[0]) + 1, seconds=rules.tolerance_s))
    sizes = np.array([head.size for head in heads], np.int64)
    signed = np.array([_at(head.at) for head in heads], np.int64)
    if len(back := _backwards(signed, slack)):
        raise _wrong(Fault("checkpoint_behind", size=int(sizes[back[0]])))
    covered = np.searchsorted(sizes, np.arange(len(votes)), side="right")
    waited = signed[np.minimum(covered, len(signed) - 1)] - votes.cast_at if len(heads) else np.zeros(0, np.int64)
    if len(wrong := np.flatnonzero(waited < -slack)):
        raise _wrong(Fault("vote_after_checkpoint", n=int(wrong[0]) + 1, at=_told(votes.cast_at[wrong[0]])))
    minutes = max(0.0, float(waited.max()) / _SECOND / 60) if len(waited) else 0.0
    most = int(np.diff(sizes, prepend=0).max()) if len(sizes) else 0
    yield Passed("gaps", minutes=round(minutes, 1), votes=most)
    if minutes > delay + rules.tolerance_s / 60:
        late = int((waited > delay * 60 * _SECOND + slack).sum())
        yield Noticed("gap_minutes", votes=late, minutes=round(minutes, 1), most=delay)
    if most > rules.gap_votes:
        yield Noticed("gap_votes", votes=most, most=rules.gap_votes)


def in_pace(stage: Stage, votes: VoteTable) -> Iterator[Passed | Noticed]:
    """Hold everybody's votes against what the stage lets one citizen do in an hour and in a day."""
    order = np.lexsort((votes.cast_at, votes.voter))
    voter, moments = votes.voter[order].astype(np.int64), votes.cast_at[order]
    bounds = ((HOUR, stage.limits.votes_per_hour), (DAY, stage.limits.votes_per_day))
    over = False
    for window, most in bounds:
        fullest = _fullest(voter, moments, _us(window))
        if fullest > TWICE * most:
            raise _wrong(Fault("over_limit", votes=fullest, hours=round(window / HOUR), most=most))
        if fullest > most:
            over = True
            yield Noticed("near_limit", votes=fullest, hours=round(window / HOUR), most=most)
    if not over:
        yield Passed("in_pace")


def of_stage(stage: Stage, rows: TableFile, votes: VoteTable) -> None:
    """Hold what each vote says of its voter, its conversation and its answers against the stage."""
    wanted = stage.population.identity_levels
    if len(wrong := np.flatnonzero(~np.isin(votes.identity, [IDENTITY.index(level) for level in wanted]))):
        found = IDENTITY[votes.identity[wrong[0]]]
        raise _wrong(Fault("identity_of_another", n=int(wrong[0]) + 1, found=found, wanted=wanted))
    turns = votes.circumstances.turns if votes.circumstances is not None else np.zeros(0)
    if len(wrong := np.flatnonzero((turns < 1) | (turns > stage.protocol.turns))):
        n = int(wrong[0])
        raise _wrong(Fault("turns_beyond", n=n + 1, turns=int(turns[n]), most=stage.protocol.turns))
    asked = stage.protocol.min_exposure
    if votes.unread.any() and not (asked.chars or asked.seconds):
        raise _wrong(Fault("unread_without_rule", n=int(votes.unread.argmax()) + 1))
    tags = {reason.id for reason in stage.reasons}
    topics = {some.id for some in stage.starters if some.id}
    if strange := sorted(set(votes.topics) - topics):
        raise _wrong(Fault("topic_unknown", topic=strange[0]))
    for at, batch in rows.placed(["leaks", "model_a", "model_b", "reasons_a", "reasons_b"]):
        for side in ("reasons_a", "reasons_b"):
            if strange := sorted(set(batch.column(side).flatten().unique().to_pylist()) - tags):
                raise _wrong(Fault("reason_unknown", reason=strange[0]))
        for n in np.flatnonzero(np.diff(batch.column("leaks").offsets.to_numpy())).tolist():
            own = {"a": batch.column("model_a")[n].as_py(), "b": batch.column("model_b")[n].as_py()}
            if strange := [leak for leak in batch.column("leaks")[n].as_py() if _misnames(leak, own, stage)]:
                raise _wrong(Fault("leak_of_another", n=at.start + n + 1, leak=strange[0]))


def weighed(stage: Stage, votes: VoteTable) -> None:
    """Hold the weights against their cap, their mean, and the ten people who share each."""
    if votes.weight is None:
        return
    if not stage.population.margins:
        raise _wrong(Fault("weights_without_target"))
    held = np.full(len(votes.voters), np.nan)
    held[votes.voter] = votes.weight
    held = held[~np.isnan(held)]
    values, people = np.unique(held, return_counts=True)
    if values.max() > MOST * (1 + 1e-9) or values.min() < (1 - 1e-9) / MOST:
        raise _wrong(Fault("weight_beyond_cap", weight=float(values.max()), most=MOST))
    if abs(float(held.mean()) - 1) > 1e-6:
        raise _wrong(Fault("weights_not_scaled", mean=float(held.mean())))
    if people.min() < min(SMALL, len(held)):
        raise _wrong(Fault("weight_of_few", people=int(people.min()), least=SMALL))


def away(document: UserScore, stage: Stage, draws: DrawTable) -> None:
    """Hold every entrant that a draw could not choose against its outages and its removal."""
    slack = _us(_slack(stage))
    drawn = draws.repeat_of == 0  # what a repeat could show again are battles
    for entrant in document.entrants:
        spells = [(spell.began, spell.ended or spell.noted + UNENDED) for spell in entrant.outages]
        for spell in entrant.outages:
            if spell.began > (spell.ended or spell.noted) or spell.began > document.created_at + timedelta(
                seconds=stage.ledger.tolerance_s
            ):
                raise _wrong(Fault("outage_out_of_time", team=entrant.team_id))
        if entrant.removed is not None:
            spells.append((entrant.removed.at, datetime.max.replace(tzinfo=entrant.removed.at.tzinfo)))
        out = np.array([entrant.team_id not in choice for choice in draws.choices], bool)
        missing = np.flatnonzero(out[draws.available] & drawn) if len(draws) else np.zeros(0, np.int64)
        moments = draws.drawn_at[missing]
        excused = np.zeros(len(missing), bool)
        for began, ended in spells:
            excused |= (moments >= _at(began) - slack) & (moments <= _at(ended) + slack)
        if not excused.all():
            n = int(missing[~excused][0])
            raise _wrong(Fault("absent_without_outage", n=n + 1, team=entrant.team_id, at=_told(draws.drawn_at[n])))
        if entrant.removed is not None:
            present = np.flatnonzero(~out[draws.available] & drawn & (draws.drawn_at > _at(entrant.removed.at) + slack))
            if len(present):
                raise _wrong(Fault("drawn_after_removal", n=int(present[0]) + 1, team=entrant.team_id))


def _fullest(voter: NDArray[np.int64], moments: Moments, window: int) -> int:
    """Count the most votes of one voter within any window; both sorted by voter, then by time."""
    if not len(voter):
        return 0
    # One axis for all: every voter's moments stand further from the next one's than any window is long.
    span = int(moments.max() - moments.min()) + window + 1
    place = voter * span + (moments - moments.min())
    ends = np.searchsorted(place, place + window, side="left")
    return int((ends - np.arange(len(place))).max())


def _backwards(moments: Moments, slack: int) -> NDArray[np.intp]:
    """Find where a moment lies further back than `slack` behind one that stands before it."""
    return np.flatnonzero(moments + slack < np.maximum.accumulate(moments)) if len(moments) else np.zeros(0, np.intp)


def _misnames(leak: str, own: Mapping[str, str], stage: Stage) -> bool:
    """Whether a leak says of a side's entrant that its own name is another's, or another entrant's its own."""
    side, kind, who = (*leak.split(":"), "", "")[:3]
    if side not in own:
        return False
    if kind in (Leak.SELF, Leak.OWN):
        return who != own[side]
    return who == own[side] or (kind == Leak.RIVAL and who not in stage.entrant_ids)


def _slack(stage: Stage) -> timedelta:
    return timedelta(seconds=stage.ledger.tolerance_s)


def _us(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


def _at(moment: datetime) -> int:
    return _us(moment - _EPOCH)


def _told(moment: Any) -> str:
    return (_EPOCH + timedelta(microseconds=int(moment))).isoformat(timespec="seconds")


def _wrong(fault: Fault) -> VerificationError:
    return VerificationError("coherence", fault)
