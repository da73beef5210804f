"""Battles, turns and answers. Every transition is one conditional update: whoever comes second changes nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, exists, func, insert, literal, select, update

from arena.domain.battle import Answer, Battle, BattleState, Draw, Shown, Side, Turn
from arena.domain.draw import mixed
from arena.domain.errors import ArenaError, Conflict, Forbidden, TooMany, Unavailable, not_found
from arena.domain.repeat import Earlier
from arena.domain.stage import Consent, StageStatus
from arena.domain.vote import Winner
from arena.record.citizens import agreed, require_present
from arena.record.conversations import conversations, judged, note_shown
from arena.record.counters import Admission, require
from arena.record.database import Database
from arena.record.draws import as_draw
from arena.record.events import removed
from arena.record.repeats import copy_conversation, history
from arena.record.tables import answers, battles, stages, turns, votes

NO_LEASE: Final = {"lease_owner": None, "lease_until": None, "stop_requested_at": None}
BEGINNING_CHARS: Final = 400
"""So much of a question is read for a list of them."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A battle whose answers somebody wants stopped."""

    battle_id: str
    withdrawn: bool
    """Its citizen has withdrawn: what is written belongs to nobody, and nobody may hear the rest."""


@dataclass(frozen=True, slots=True)
class OwnBattle:
    """One of a citizen's battles, for a list of them."""

    battle: Battle
    """With its conversation only while it is open: nothing else of a list depends on it."""
    turns: int
    first_prompt: str
    """Its beginning as it was kept; empty where nothing was asked, or the texts were erased."""
    winner: Winner | None
    """What its citizen chose."""
    receipt: str | None


Repeating = Callable[[str, int, frozenset[str], Callable[[], Sequence[Earlier]]], Draw | None]
"""Makes a repeat of a seed, a draw's number, the removed entrants and the citizen's battles, which are read only when it asks for them."""


class Battles:
    """The battles of every stage."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(
        self,
        battle_id: str,
        stage_id: str,
        citizen_id: str,
        draw: Callable[[str, int, frozenset[str]], Draw],
        now: datetime,
        *,
        topic: str | None = None,
        consents: Sequence[Consent] = (),
        admission: Admission | None = None,
        repeat: Repeating | None = None,
    ) -> Battle:
        """Give the draw its number, draw by `draw(seed, number, removed entrants)`, and keep the battle, all in one transaction.

        Before that `repeat(seed, number, removed entrants, the citizen's battles)` says whether it is one of theirs once more: then it has its
        conversation and its topic, and waits for its vote.
        `consents` are the stage's, of which the required ones must have been given; the act is counted by `admission`.

        Raises:
            Unauthorized: the citizen has withdrawn.
            Forbidden: a required consent is missing.
            TooMany: as `counters.require`.
            Conflict: the stage is not open.
            Unavailable: its organizers have paused the draws.
        """
        with self._database.writing() as connection:
            if consents:
                require_present(connection, citizen_id)
                require_consents(agreed(connection, citizen_id), consents)
            require(connection, admission)
            # From here to the commit the stage's row is ours: draws are numbered one after the other, in every process.
            row = connection.execute(
                update(stages)
                .where(stages.c.id == stage_id, stages.c.status == StageStatus.OPEN, stages.c.paused_at.is_(None))
                .values(draws=stages.c.draws + 1)
                .returning(stages.c.draws, stages.c.draw_seed, stages.c.beacon)
            ).one_or_none()
            if row is None:
                raise _why_not_drawn(connection, stage_id)
            seed, out = mixed(row.draw_seed, row.beacon), removed(connection, stage_id)
            earlier = partial(history, connection, stage_id, citizen_id)
            again = None if repeat is None else repeat(seed, row.draws, out, earlier)
            drawn = draw(seed, row.draws, out) if again is None else again
            opened = Battle(battle_id, stage_id, citizen_id, BattleState.OPEN, drawn, now, topic=topic)
            connection.execute(insert(battles).values(**battle_values(opened, touched_at=now)))
            if again is not None:
                copy_conversation(connection, opened)
            return opened

    def begin_turn(
        self,
        battle_id: str,
        citizen_id: str,
        prompt: str,
        *,
        max_turns: int,
        max_streams: int | None = None,
        lease: tuple[str, datetime],
        now: datetime,
        flags: Sequence[str] = (),
        admission: Admission | None = None,
    ) -> Battle:
        """Take the battle for one turn: open → answering, with a lease `(owner, until)` that others honour.

        The turn is counted by `admission`, when it is taken.

        Raises:
            NotFound: unknown, or somebody else's.
            Conflict: another state, or no turn left.
            TooMany: as `counters.require`, or this citizen has `max_streams` answers running, here or in other processes.
        """
        owner, until = lease
        with self._database.writing() as connection:
            require(connection, admission)
            if max_streams is not None and _running(connection, citizen_id, now) >= max_streams:
                raise too_many_streams()
            _release_expired(connection, battle_id, now)
            n = _turn_count(connection, battle_id) + 1
            changed = connection.execute(
                update(battles)
                .where(
                    battles.c.id == battle_id,
                    battles.c.citizen_id == citizen_id,
                    battles.c.state == BattleState.OPEN,
                    battles.c.repeat_of.is_(None),
                    _stage_is_open(),
                    literal(n) <= max_turns,
                )
                .values(
                    state=BattleState.ANSWERING,
                    lease_owner=owner,
                    lease_until=until,
                    stop_requested_at=None,
                    touched_at=now,
                )
            )
            if changed.rowcount != 1:
                raise _why_not(connection, battle_id, citizen_id, turns_left=n <= max_turns)
            connection.execute(
                insert(turns).values(battle_id=battle_id, n=n, prompt=prompt, asked_at=now, flags=list(flags))
            )
            return _load(connection, battle_id)

    def request_stop(self, battle_id: str, citizen_id: str, now: datetime) -> None:
        """Ask whichever process is answering this battle to stop, once a turn; one that nobody is answering does not change."""
        mine = (battles.c.id == battle_id, battles.c.citizen_id == citizen_id)
        running = (battles.c.state == BattleState.ANSWERING, battles.c.stop_requested_at.is_(None))
        with self._database.reading() as connection:  # who keeps asking keeps no voter waiting
            if connection.execute(select(battles.c.id).where(*mine, *running)).first() is None:
                return
        with self._database.writing() as connection:
            connection.execute(update(battles).where(*mine, *running).values(stop_requested_at=now))

    def stops_requested(self, owner: str) -> list[Stop]:
        """Read which of the battles that a process is answering are to be stopped: one look into an index that is nearly always empty."""
        with self._database.reading() as connection:
            rows = connection.execute(_STOPPING, {"owner": owner}).all()
        return [Stop(row.id, withdrawn=row.state == BattleState.ABANDONED) for row in rows]

    def finish_turn(
        self, battle_id: str, n: int, given: Sequence[Answer], *, owner: str, void_reason: str | None, now: datetime
    ) -> Battle:
        """Keep both answers and give the battle back: answering → open, or → void with its reason.

        Raises:
            Conflict: the lease is no longer ours; nothing is kept.
        """
        after = BattleState.OPEN if void_reason is None else BattleState.VOID
        with self._database.writing() as connection:
            changed = connection.execute(
                update(battles)
                .where(
                    battles.c.id == battle_id,
                    battles.c.lease_owner == owner,
                    battles.c.state == BattleState.ANSWERING,
                )
                .values(state=after, **NO_LEASE, void_reason=void_reason, touched_at=now)
            )
            if changed.rowcount != 1:
                raise Conflict("turn_lost")
            connection.execute(insert(answers), [answer_values(battle_id, n, answer) for answer in given])
            return _load(connection, battle_id)

    def note_shown(self, battle_id: str, shown: Mapping[tuple[int, Side], Shown]) -> None:
        """Keep how much of a battle's answers, by turn and side, its citizen has been handed by now: it only grows."""
        with self._database.writing() as connection:
            note_shown(connection, battle_id, shown)

    def release_expired(self, now: datetime) -> int:
        """Open again every battle whose process died in the middle of a turn; the unfinished turn goes, finished ones stay."""
        withdrawn = (battles.c.state == BattleState.ABANDONED, battles.c.lease_until < now)
        with self._database.writing() as connection:
            connection.execute(
                update(battles).where(*withdrawn).values(**NO_LEASE)
            )  # by now its process has heard of it
            return _release_expired(connection, None, now)

    def release(self, battle_id: str, owner: str) -> None:
        """Open one battle again that this process could not finish; the unfinished turn goes, finished ones stay."""
        with self._database.writing() as connection:
            release(connection, and_(battles.c.id == battle_id, battles.c.lease_owner == owner))

    def abandon_idle(self, before: datetime) -> int:
        """Close open battles that nobody has touched since `before`; none of them has a vote."""
        with self._database.writing() as connection:
            changed = connection.execute(
                update(battles)
                .where(battles.c.state == BattleState.OPEN, battles.c.touched_at < before)
                .values(state=BattleState.ABANDONED)
            )
            return changed.rowcount

    def find(self, battle_id: str, citizen_id: str) -> Battle:
        """Find the citizen's battle with its turns.

        Raises:
            NotFound: unknown, or somebody else's.
        """
        with self._database.reading() as connection:
            return _owned(connection, battle_id, citizen_id)

    def get(self, battle_id: str) -> Battle | None:
        """Anybody's battle with its texts: `battles.retention.read_conversation` logs who looks."""
        with self._database.reading() as connection:
            return find(connection, battle_id)

    def conversations(self, battle_ids: Sequence[str]) -> dict[str, tuple[Turn, ...]]:
        """Read the turns of these battles, with their answers; who reads texts in bulk leaves an event."""
        with self._database.reading() as connection:
            return conversations(connection, battle_ids)

    def of_citizen(self, citizen_id: str, limit: int) -> list[OwnBattle]:
        """List this citizen's newest battles, the newest first."""
        every = turns.alias()
        counted = select(func.count()).where(every.c.battle_id == battles.c.id).scalar_subquery()
        beginning = func.substr(turns.c.prompt, 1, BEGINNING_CHARS).label("first_prompt")
        with self._database.reading() as connection:
            rows = connection.execute(
                select(battles, counted.label("n_turns"), beginning, votes.c.winner, votes.c.receipt)
                .join(turns, and_(turns.c.battle_id == battles.c.id, turns.c.n == 1), isouter=True)
                .join(votes, votes.c.battle_id == battles.c.id, isouter=True)
                .where(battles.c.citizen_id == citizen_id)
                .order_by(battles.c.opened_at.desc())
                .limit(limit)
            ).all()
            unjudged = [row.id for row in rows if row.state == BattleState.OPEN]
            said = judged(connection, unjudged)
        return [
            OwnBattle(
                as_battle(row, said.get(row.id, ())),
                row.n_turns,
                row.first_prompt or "",
                None if row.winner is None else Winner(row.winner),
                row.receipt,
            )
            for row in rows
        ]


def battle_values(battle: Battle, *, touched_at: datetime) -> dict[str, Any]:
    """Return the columns of a battle."""
    return {
        "id": battle.id,
        "stage_id": battle.stage_id,
        "citizen_id": battle.citizen_id,
        "state": battle.state,
        "model_a": battle.draw.a,
        "model_b": battle.draw.b,
        "draw_number": battle.draw.number,
        "draw_available": list(battle.draw.available),
        "draw_probability": battle.draw.probability,
        "repeat_of": battle.draw.repeat_of,
        "topic": battle.topic,
        "opened_at": battle.opened_at,
        "touched_at": touched_at,
    }


def require_consents(given: Mapping[str, int], asked: Sequence[Consent]) -> None:
    """Raise Forbidden unless every required consent was given in its version: `given` is `{consent id: version}`."""
    missing = [consent.id for consent in asked if consent.required and given.get(consent.id) != consent.version]
    if missing:
        raise Forbidden("consent_needed", missing=missing)


def stage_not_open() -> Conflict:
    """Say what everybody hears outside the stage's window."""
    return Conflict("stage_not_open")


def _why_not_drawn(connection: Connection, stage_id: str) -> ArenaError:
    status = connection.execute(select(stages.c.status).where(stages.c.id == stage_id)).scalar_one_or_none()
    return pairing_paused() if status == StageStatus.OPEN else stage_not_open()


def pairing_paused() -> Unavailable:
    """Say what everybody hears while the organizers have paused the draws; running battles go on."""
    return Unavailable("pairing_paused", retry_after_s=60)


def _stage_is_open() -> Any:
    return exists().where(stages.c.id == battles.c.stage_id, stages.c.status == StageStatus.OPEN)


def _turn_count(connection: Connection, battle_id: str) -> int:
    return connection.execute(select(func.count()).where(turns.c.battle_id == battle_id)).scalar_one()


def _running(connection: Connection, citizen_id: str, now: datetime) -> int:
    running = and_(
        battles.c.citizen_id == citizen_id, battles.c.state == BattleState.ANSWERING, battles.c.lease_until >= now
    )
    return connection.execute(select(func.count()).where(running)).scalar_one()


def too_many_streams() -> TooMany:
    """As many answers are running as may."""
    return TooMany("too_many_streams", retry_after_s=10)


def _release_expired(connection: Connection, battle_id: str | None, now: datetime) -> int:
    expired = and_(battles.c.lease_until < now, *([] if battle_id is None else [battles.c.id == battle_id]))
    return release(connection, expired)


def release(connection: Connection, which: ColumnElement[bool]) -> int:
    """Open battles again whose turn will not be finished, inside the caller's transaction; that turn goes, finished ones stay. Return how many."""
    released = connection.execute(
        update(battles)
        .where(battles.c.state == BattleState.ANSWERING, which)
        .values(state=BattleState.OPEN, **NO_LEASE)
        .returning(battles.c.id)
    ).all()
    for (battle_id,) in released:
        answered = select(answers.c.n).where(answers.c.battle_id == battle_id)
        connection.execute(delete(turns).where(turns.c.battle_id == battle_id, turns.c.n.not_in(answered)))
    return len(released)


def renew(connection: Connection, owner: str, battle_ids: Sequence[str], until: datetime) -> None:
    """Keep the leases of these battles alive as far as they are still this owner's, inside the caller's transaction."""
    held = (battles.c.lease_owner == owner, battles.c.state == BattleState.ANSWERING)
    connection.execute(update(battles).where(battles.c.id.in_(battle_ids), *held).values(lease_until=until))


def _why_not(connection: Connection, battle_id: str, citizen_id: str, *, turns_left: bool) -> ArenaError:
    battle = _owned(connection, battle_id, citizen_id)
    status = connection.execute(select(stages.c.status).where(stages.c.id == battle.stage_id)).scalar_one()
    if status != StageStatus.OPEN:
        return stage_not_open()
    if battle.draw.repeat_of is not None and battle.state is BattleState.OPEN:
        return Conflict("battle_repeated")
    return refusal(battle) or (not_found() if turns_left else no_turns_left())


def no_turns_left() -> Conflict:
    """Say that the stage's turns are used up."""
    return Conflict("no_turns_left")


def refusal(battle: Battle) -> Conflict | None:
    """Why this battle takes neither prompt nor vote; nothing when it is open."""
    match battle.state:
        case BattleState.OPEN:
            return None
        case BattleState.ANSWERING:
            return Conflict("still_answering")
        case BattleState.VOTED | BattleState.REVEALED:
            return Conflict("already_voted")
        case BattleState.VOID:
            return Conflict("battle_void")
        case BattleState.ABANDONED:
            return Conflict("battle_abandoned")


def _owned(connection: Connection, battle_id: str, citizen_id: str) -> Battle:
    battle = find(connection, battle_id)
    if battle is None or battle.citizen_id != citizen_id:
        raise not_found()
    return battle


def _load(connection: Connection, battle_id: str) -> Battle:
    battle = find(connection, battle_id)
    if battle is None:
        raise not_found()
    return battle


def find(connection: Connection, battle_id: str) -> Battle | None:
    """Find the battle with its turns and answers, inside the caller's transaction."""
    row = connection.execute(_FOUND, {"id": battle_id}).one_or_none()
    if row is None:
        return None
    return as_battle(row, conversations(connection, [battle_id]).get(battle_id, ()))


# Built once: building a statement costs more than running it.
_FOUND = select(battles).where(battles.c.id == bindparam("id"))
_STOPPING = select(battles.c.id, battles.c.state).where(
    battles.c.lease_owner == bindparam("owner"), battles.c.stop_requested_at.is_not(None)
)


def as_battle(row: Any, conversation: tuple[Turn, ...]) -> Battle:
    """Make a battle of its row and its conversation."""
    draw = as_draw(row)
    state, at = BattleState(row.state), row.opened_at
    return Battle(row.id, row.stage_id, row.citizen_id, state, draw, at, conversation, row.void_reason, row.topic)


def answer_values(battle_id: str, n: int, answer: Answer) -> dict[str, Any]:
    """Return the columns of an answer."""
    fields = {name: getattr(answer, name) for name in Answer.__dataclass_fields__}
    return {"battle_id": battle_id, "n": n, **fields}
