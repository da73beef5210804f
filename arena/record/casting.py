"""Casting votes: every vote in a durable transaction, and votes that come at the same moment in the same one.

Who comes first commits for all who wait, then wakes them and hands on to the next who waits: so the price of making a vote durable is
shared, nobody fights over the database, and nobody is woken for nothing.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from arena.domain.battle import Battle, BattleState
from arena.domain.errors import Conflict, Unavailable, not_found
from arena.domain.stage import StageStatus
from arena.domain.vote import Ballot, Vote, Winner
from arena.record.battles import as_battle, conversations, refusal, stage_not_open
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
_DECIDE = ForIds(
    lambda these: (
        update(battles)
        .where(these(battles.c.id), battles.c.state == BattleState.OPEN)
        .values(state=BattleState.VOTED, touched_at=bindparam("at"))
    )
)
_KEEP = insert(votes)


@dataclass(slots=True, eq=False)
class _Request:
    """One vote that wants to be cast, and later what became of it."""

    battle_id: str
    citizen_id: str
    ballot: Ballot
    make: Callable[[Battle], Vote]
    network: str | None
    outcome: tuple[Vote, bool] | BaseException | None = None
    woken: threading.Event = field(default_factory=threading.Event)
    """Set once: the outcome is there, or it is this request's turn to commit for all who wait."""


@dataclass(slots=True)
class Casting:
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
        network: str | None,
    ) -> tuple[Vote, bool]:
        """Returns the durable vote and whether it is new; see `Votes.cast`."""
        request = _Request(battle_id, citizen_id, ballot, make, network)
        with self._guard:
            self._waiting.append(request)
            leads, self._led = not self._led, True
        if not leads:
            request.woken.wait()
        if request.outcome is None:
            self._lead()
        if isinstance(request.outcome, tuple):
            return request.outcome
        raise request.outcome or AssertionError("a commit leaves every request of its batch an outcome")

    def _lead(self) -> None:
        """Commits for the first who wait, this thread's own among them; then wakes them, and hands on to the next who waits."""
        with self._guard:
            batch = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
        try:
            self._commit(batch)
        finally:
            with self._guard:
                following = self._waiting[0] if self._waiting else None
                self._led = following is not None
            if following is not None:
                following.woken.set()
            for request in batch:
                request.woken.set()

    def _commit(self, batch: Sequence[_Request]) -> None:
        """Commits these together; when one of them breaks a constraint, each alone."""
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
            outcomes = [Unavailable(error.code, error.ko, error.en) for _ in batch]
        except BaseException as error:
            outcomes = [error] * len(batch)
        for request, outcome in zip(batch, outcomes, strict=True):
            request.outcome = outcome


def _decide(connection: Connection, batch: Sequence[_Request]) -> list[tuple[Vote, bool] | BaseException]:
    """Finds out what becomes of each request, and writes the new votes."""
    outcomes: list[tuple[Vote, bool] | BaseException] = []
    ids = sorted({request.battle_id for request in batch})
    rows = {row.id: row for row in _LOCKED.execute(connection, ids)}
    judged = conversations(connection, [id for id, row in rows.items() if row.state == BattleState.OPEN])
    decided = [id for id, row in rows.items() if row.state in DECIDED]
    kept = {}
    if decided:
        kept = {row.battle_id: _vote(row) for row in _KEPT.execute(connection, decided)}
    new: list[dict[str, Any]] = []
    for request in batch:
        try:
            row = rows.get(request.battle_id)
            if row is None or row.citizen_id != request.citizen_id:
                raise not_found()
            if request.battle_id in kept:
                outcomes.append((_repeated(kept[request.battle_id], request.ballot), False))
                continue
            battle = as_battle(row, judged.get(request.battle_id, ()))
            if not battle.votable:
                raise refusal(battle) or nothing_to_judge()
            if row.stage_status != StageStatus.OPEN:
                raise stage_not_open()
            vote = request.make(battle)
        except Exception as error:  # what is wrong with one vote is no matter of those beside it
            outcomes.append(error)
            continue
        kept[request.battle_id] = vote
        outcomes.append((vote, True))
        new.append(vote_values(vote, request.network))
    if new:
        changed = _DECIDE.execute(connection, [v["battle_id"] for v in new], at=max(v["cast_at"] for v in new))
        if changed.rowcount != len(new):
            raise IntegrityError("a battle was decided by somebody else", None, Exception())
        connection.execute(_KEEP, new)
    return outcomes


def vote_values(vote: Vote, network: str | None) -> dict[str, Any]:
    """The columns of a vote."""
    return {
        "battle_id": vote.battle_id,
        "stage_id": vote.stage_id,
        "citizen_id": vote.citizen_id,
        "identity_level": vote.identity_level,
        "network": network,
        "winner": vote.ballot.winner,
        "reasons": {side: sorted(tags) for side, tags in vote.ballot.reasons.items()},
        "comment": vote.ballot.comment,
        "marked": vote.marked,
        "cast_at": vote.cast_at,
        "record": vote.record,
        "receipt": vote.receipt,
        "seal": vote.seal,
    }


def refusal_of_second() -> Conflict:
    """Another decision came first."""
    return Conflict(
        "another_vote",
        "이 대결에는 이미 다른 투표가 저장되어 있어 바꿀 수 없어요.",
        "A different vote is already saved for this battle; it cannot be changed.",
    )


def nothing_to_judge() -> Conflict:
    """Nobody has answered yet."""
    return Conflict(
        "nothing_to_judge",
        "아직 비교할 두 답변이 없어요. 먼저 질문해 주세요.",
        "There are no two answers to judge yet. Ask something first.",
    )


def _repeated(kept: Vote, ballot: Ballot) -> Vote:
    """The vote that is there, when the same ballot asks again."""
    asked = Ballot(ballot.winner, {side: tuple(sorted(tags)) for side, tags in ballot.reasons.items()}, ballot.comment)
    if kept.ballot != asked:
        raise refusal_of_second()
    return kept


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
        marked=row.marked,
        seal=row.seal,
    )
