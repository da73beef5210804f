"""Group commit: every vote in one durable transaction with all that follows from it, and votes that come at the same moment in the same one.

Who comes first commits for all who wait, then wakes them and hands on to the next who waits: so the price of making a vote durable is
shared, nobody fights over the database, and nobody is woken for nothing.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from arena.domain.battle import Battle, BattleState, Turn
from arena.domain.errors import Conflict, TooMany, Unavailable, not_found
from arena.domain.stage import StageStatus
from arena.domain.vote import Ballot, Vote, Winner
from arena.record import conversations
from arena.record.battles import as_battle, refusal, stage_not_open
from arena.record.counters import Admission, count
from arena.record.database import Database, ForIds
from arena.record.tables import battles, stages, votes

AT_ONCE = 64
DECIDED = (BattleState.VOTED, BattleState.REVEALED)

# Built once: building a statement costs more than running it. On PostgreSQL the battles are locked in the order of their ids, so that
# two processes never wait for each other, and the stage is shared: a freeze waits for us, or we for it.
_LOCKED = ForIds(
    lambda these: (
        select(battles, stages.c.status.label("stage_status"))
        .join(stages, stages.c.id == battles.c.stage_id)
        .where(these(battles.c.id))
        .order_by(battles.c.id)
        .suffix_with("FOR UPDATE OF battles FOR SHARE OF stages", dialect="postgresql")
    )
)
_KEPT = ForIds(lambda these: select(votes).where(these(votes.c.battle_id)))
# By id alone: that these are open was read under their lock. Asked for the state again, a young PostgreSQL walks all open battles.
_DECIDE = ForIds(
    lambda these: (
        update(battles)
        .where(these(battles.c.id))
        .values(state=bindparam("after"), touched_at=bindparam("at"), revealed_at=bindparam("revealed"))
    )
)
_KEEP = insert(votes)


@dataclass(frozen=True, slots=True)
class Cast:
    """What became of a vote: it is durable."""

    vote: Vote
    new: bool
    """False where the same ballot was kept before."""
    battle: Battle
    """As the commit left it, without its conversation."""
    stage_status: StageStatus


@dataclass(slots=True, eq=False)
class _Request:
    """One vote that wants to be cast, and later what became of it."""

    battle_id: str
    citizen_id: str
    ballot: Ballot
    make: Callable[[Battle], Vote]
    reveal: bool
    admission: Admission | None
    outcome: Cast | BaseException | None = None
    woken: threading.Event = field(default_factory=threading.Event)
    """Set once: the outcome is there, or it is this request's turn to commit for all who wait."""


@dataclass(slots=True)
class GroupCommit:
    """Takes votes from any thread."""

    database: Database
    _waiting: deque[_Request] = field(default_factory=deque)
    _led: bool = False
    """Whether somebody is committing."""
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def cast(
        self,
        battle_id: str,
        citizen_id: str,
        ballot: Ballot,
        make: Callable[[Battle], Vote],
        *,
        reveal: bool,
        admission: Admission | None,
    ) -> Cast:
        """Return when the vote is durable; see `Votes.cast`."""
        request = _Request(battle_id, citizen_id, ballot, make, reveal, admission)
        with self._guard:
            self._waiting.append(request)
            # Leader and followers: who finds nobody committing commits for all who wait; the others sleep until they are told.
            leads, self._led = not self._led, True
        if not leads:
            request.woken.wait()
        # Woken without an outcome: the last leader has handed on, and this thread commits the next batch.
        if request.outcome is None:
            self._lead()
        if isinstance(request.outcome, Cast):
            return request.outcome
        raise request.outcome or AssertionError("a commit leaves every request of its batch an outcome")

    def _lead(self) -> None:
        """Commit for the first who wait, this thread's own among them; then wake them, and hand on to the next who waits."""
        with self._guard:
            batch = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
        try:
            self._commit(batch)
        finally:
            with self._guard:
                # Decided under the guard in which others queue: nobody can wait while nobody leads.
                following = self._waiting[0] if self._waiting else None
                self._led = following is not None
            if following is not None:
                following.woken.set()
            for request in batch:
                request.woken.set()

    def _commit(self, batch: Sequence[_Request]) -> None:
        """Commit these together; when one of them breaks a constraint, each alone."""
        try:
            with self.database.writing() as connection:
                outcomes = _decide(connection, batch)
        except IntegrityError:  # the constraint is the last word, should everything before it ever fail
            if len(batch) > 1:
                for request in batch:
                    self._commit([request])
                return
            outcomes = [refusal_of_second()]
        except Unavailable as error:  # an exception of its own for each: they are raised in different threads
            outcomes = [Unavailable(error.code, retry_after_s=error.retry_after_s, **error.params) for _ in batch]
        except BaseException as error:
            outcomes = [error] * len(batch)
        for request, outcome in zip(batch, outcomes, strict=True):
            request.outcome = outcome


def _decide(connection: Connection, batch: Sequence[_Request]) -> list[Cast | BaseException]:
    """Find out what becomes of each request, and write the new votes, their battles' states and what the limits count of them.

    PostgreSQL's locks are taken in one order by everybody: battles by id, their stage, then the counters by key, last, since all of a
    network share those. Only a vote that is new and would be kept is counted.
    """
    # Sorted, so that two processes which share some battles never wait for each other in a circle.
    ids = sorted({request.battle_id for request in batch})
    rows = {row.id: row for row in _LOCKED.execute(connection, ids)}
    judged = conversations.judged(connection, [id for id, row in rows.items() if row.state == BattleState.OPEN])
    decided = [id for id, row in rows.items() if row.state in DECIDED]
    kept: dict[str, Cast] = {}
    if decided:
        for found in _KEPT.execute(connection, decided):
            row = rows[found.battle_id]
            kept[found.battle_id] = Cast(_vote(found), False, as_battle(row, ()), StageStatus(row.stage_status))
    wrong: dict[_Request, BaseException] = {}
    made: dict[str, tuple[_Request, Cast]] = {}
    for request in batch:
        id = request.battle_id
        try:
            row = rows.get(id)
            if row is None or row.citizen_id != request.citizen_id:
                raise not_found()
            # Of two requests for one battle in a batch the first decides; the second is answered like one that comes later.
            if id not in kept and id not in made:
                made[id] = request, _made(request, row, judged.get(id, ()))
        except Exception as error:  # what is wrong with one vote is no matter of those beside it
            wrong[request] = error
    refused = _counted(connection, [request for request, _ in made.values()])
    new = {id: (request, cast) for id, (request, cast) in made.items() if id not in refused}
    _write(connection, new)
    outcomes: list[Cast | BaseException] = []
    for request in batch:
        id = request.battle_id
        if request in wrong:
            outcomes.append(wrong[request])
        elif id in refused:
            outcomes.append(refused[id]())
        elif id in new and new[id][0] is request:
            outcomes.append(new[id][1])
        else:
            outcomes.append(_again(kept[id] if id in kept else new[id][1], request.ballot))
    return outcomes


def _made(request: _Request, row: Row, conversation: tuple[Turn, ...]) -> Cast:
    """Make the vote as it will be kept, and the battle as it will be then."""
    battle = as_battle(row, conversation)
    if not battle.votable:
        raise refusal(battle) or nothing_to_judge()
    if row.stage_status != StageStatus.OPEN:
        raise stage_not_open()
    after = replace(battle, state=BattleState.REVEALED if request.reveal else BattleState.VOTED, turns=())
    return Cast(request.make(battle), True, after, StageStatus.OPEN)


def _counted(connection: Connection, requests: Sequence[_Request]) -> dict[str, Callable[[], TooMany]]:
    """Count these votes; for the battle of each that is past a bound, give what is said: a new exception each time, for its own thread."""
    counted = [(request.battle_id, request.admission) for request in requests if request.admission is not None]
    refusals = count(connection, [admission for _, admission in counted])
    return {
        battle_id: partial(admission.refusal, until)
        for (battle_id, admission), until in zip(counted, refusals, strict=True)
        if until is not None
    }


def _write(connection: Connection, new: Mapping[str, tuple[_Request, Cast]]) -> None:
    """Keep the votes and move their battles on, to revealed where the vote reveals."""
    for after in DECIDED:
        moved = [cast for _, cast in new.values() if cast.battle.state is after]
        if moved:
            at = max(cast.vote.cast_at for cast in moved)
            revealed = at if after is BattleState.REVEALED else None
            _DECIDE.execute(connection, [cast.battle.id for cast in moved], after=after, at=at, revealed=revealed)
    if new:
        rows = [
            vote_values(cast.vote, request.admission.network if request.admission else None)
            for request, cast in new.values()
        ]
        connection.execute(_KEEP, rows)


def vote_values(vote: Vote, network: str | None) -> dict[str, Any]:
    """Return the columns of a vote."""
    return {
        "battle_id": vote.battle_id,
        "stage_id": vote.stage_id,
        "citizen_id": vote.citizen_id,
        "identity_level": vote.identity_level,
        "network": network,
        "question": vote.question,
        "winner": vote.ballot.winner,
        "reasons": {side: sorted(tags) for side, tags in vote.ballot.reasons.items()},
        "comment": vote.ballot.comment,
        "leaks": list(vote.leaks) or None,
        "cast_at": vote.cast_at,
        "nonce": vote.nonce,
        "record": vote.record,
        "receipt": vote.receipt,
        "promise": vote.promise or None,
        "seal": vote.seal,
    }


def refusal_of_second() -> Conflict:
    """Another decision came first."""
    return Conflict("another_vote")


def nothing_to_judge() -> Conflict:
    """Nobody has answered yet."""
    return Conflict("nothing_to_judge")


def _again(kept: Cast, ballot: Ballot) -> Cast | Conflict:
    """Return the vote that is there, when the same ballot asks again; another one comes too late."""
    asked = replace(ballot, reasons={side: tuple(sorted(tags)) for side, tags in ballot.reasons.items()})
    if kept.vote.ballot != asked:
        return refusal_of_second()
    return replace(kept, new=False)


def _vote(row: Row) -> Vote:
    return Vote(
        battle_id=row.battle_id,
        stage_id=row.stage_id,
        citizen_id=row.citizen_id,
        ballot=Ballot(Winner(row.winner), {side: tuple(tags) for side, tags in row.reasons.items()}, row.comment),
        cast_at=row.cast_at,
        record=row.record,
        receipt=row.receipt,
        identity_level=row.identity_level,
        question=row.question,
        leaks=tuple(row.leaks or ()),
        nonce=row.nonce or b"",
        promise=row.promise or "",
        seal=row.seal,
    )
