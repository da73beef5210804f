"""The record's one way: open → answering → open → voted → revealed, or void, or abandoned; on SQLite and PostgreSQL alike."""

import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import IntegrityError

from arena.domain.battle import Battle, BattleState
from arena.domain.errors import ArenaError, Conflict, TooMany
from arena.domain.stage import StageStatus
from arena.domain.vote import Vote, Winner, cast
from arena.record.battles import Stop
from arena.record.counters import Bound
from arena.record.processes import Process
from arena.record.store import Store
from arena.record.tables import metadata
from tests.support import voting
from tests.support.voting import LATER, NOW, OWNER, STAGE


@pytest.fixture(autouse=True)
def stage(store: Store) -> None:
    """An open stage in the store."""
    voting.open_stage(store)


def refused(call: Callable[[], object]) -> str:
    """The code of the refusal."""
    with pytest.raises(ArenaError) as refusal:
        call()
    return refusal.value.code


def votes_of(store: Store) -> list[str]:
    return [row.receipt for row in store.votes.after(STAGE, 0)]


def test_migrations_make_exactly_the_tables(store: Store) -> None:
    """A migrated database and `tables.py` do not differ, and migrating again changes nothing."""
    store.database.migrate()
    with store.database.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    assert differences == []


@pytest.mark.parametrize(("reveal", "after"), [(False, BattleState.VOTED), (True, BattleState.REVEALED)])
def test_the_whole_way(store: Store, reveal: bool, after: BattleState) -> None:
    """A battle goes from open to voted, or to revealed in the same commit, and its vote is there with everything that was decided."""
    citizen = voting.enrol(store)
    battle = voting.opened(store, citizen)
    assert (battle.state, battle.draw.number, battle.votable) == (BattleState.OPEN, 1, False)
    asked = voting.begin(store, battle, citizen)
    assert (asked.state, asked.turns[0].prompt, asked.turns[0].answers) == (BattleState.ANSWERING, "안녕하세요?", {})
    answered = voting.finish(store, battle)
    assert answered.votable
    voting.begin(store, battle, citizen)
    assert len(voting.finish(store, battle, 2).turns) == 2
    vote, new = voting.vote(store, battle, citizen, voting.ballot(Winner.TIE, "좋아요"), reveal=reveal)
    assert new
    assert store.battles.find(battle.id, citizen.id).state is after
    (row,) = store.votes.after(STAGE, 0)
    assert (row.receipt, row.winner, row.voter, row.identity_level) == (vote.receipt, "tie", citizen.id, "anonymous")
    assert (row.model_a, row.model_b, row.cast_at, row.draw_probability) == ("garam", "narae", NOW, 0.5)
    assert row.record == vote.record


@pytest.mark.parametrize("reveal", [False, True])
def test_a_vote_counts_once_and_never_changes(store: Store, reveal: bool) -> None:
    """The same ballot again gives the same receipt; another ballot is refused, whether the vote revealed the battle or not."""
    citizen = voting.enrol(store)
    battle = voting.ready(store, citizen)
    first, new = voting.vote(store, battle, citizen, reveal=reveal)
    again, newer = voting.vote(store, battle, citizen, at=LATER, reveal=reveal)
    assert (new, newer, again.receipt, again.record) == (True, False, first.receipt, first.record)
    assert refused(lambda: voting.vote(store, battle, citizen, voting.ballot(Winner.MODEL_B))) == "another_vote"
    assert refused(lambda: voting.vote(store, battle, citizen, voting.ballot(comment="!"))) == "another_vote"
    assert votes_of(store) == [first.receipt]


def test_a_promise_is_made_once_and_kept_with_its_vote(store: Store) -> None:
    """Whoever asks again, at once or later, at this connection or another, is given the bytes that were signed first; the owner's view has them too."""
    citizen = voting.enrol(store)
    battle = voting.ready(store, citizen)

    def promising(there: Battle) -> Vote:
        vote = cast(there, citizen, voting.ballot(), LATER, voting.SECRET, voting.KEYS)
        return replace(vote, promise=f"{vote.receipt}.{secrets.token_hex()}")

    elsewhere = Store(store.database.url.render_as_string(hide_password=False))

    def ask(n: int) -> tuple[bytes, str, str]:
        there = store if n % 2 else elsewhere
        vote = there.votes.cast(battle.id, citizen.id, voting.ballot(), promising).vote
        return vote.record, vote.receipt, vote.promise

    with ThreadPoolExecutor(8) as threads:
        given = set(threads.map(ask, range(24)))
    given.add(ask(0))
    elsewhere.close()
    ((record, receipt, promise),) = given
    assert promise.startswith(receipt)
    own = store.votes.of_battle(battle.id)
    assert own is not None
    assert (own.winner, own.receipt, own.record.encode(), own.promise) == ("model_a", receipt, record, promise)


def test_refusals_have_their_codes(store: Store) -> None:
    """What the state forbids is refused with its own code, and changes nothing."""
    citizen, other = voting.enrol(store), voting.enrol(store, "other")
    battle = voting.opened(store, citizen)
    assert refused(lambda: voting.vote(store, battle, citizen)) == "nothing_to_judge"
    assert refused(lambda: voting.begin(store, battle, other)) == "battle_not_found"
    voting.begin(store, battle, citizen)
    assert refused(lambda: voting.vote(store, battle, citizen)) == "still_answering"
    assert refused(lambda: voting.begin(store, battle, citizen)) == "still_answering"
    assert refused(lambda: voting.finish(store, battle, owner="somebody")) == "turn_lost"
    voting.finish(store, battle)
    assert refused(lambda: voting.finish(store, battle)) == "turn_lost"
    assert refused(lambda: voting.vote(store, battle, other)) == "battle_not_found"
    assert refused(lambda: store.battles.find(battle.id, other.id)) == "battle_not_found"
    assert refused(lambda: store.battles.find("unknown", citizen.id)) == "battle_not_found"
    voting.vote(store, battle, citizen)
    assert refused(lambda: voting.begin(store, battle, citizen)) == "already_voted"

    void = voting.opened(store, citizen)
    voting.begin(store, void, citizen)
    assert voting.finish(store, void, void_reason="answer_failed").state is BattleState.VOID
    assert refused(lambda: voting.vote(store, void, citizen)) == "battle_void"
    assert refused(lambda: voting.begin(store, void, citizen)) == "battle_void"

    idle = voting.ready(store, citizen)
    assert store.battles.abandon_idle(NOW) == 0
    assert store.battles.abandon_idle(LATER) == 1
    assert refused(lambda: voting.vote(store, idle, citizen)) == "battle_abandoned"
    assert refused(lambda: voting.begin(store, idle, citizen)) == "battle_abandoned"

    long = voting.opened(store, citizen)
    for n in (1, 2, 3):
        voting.begin(store, long, citizen)
        voting.finish(store, long, n)
    assert refused(lambda: voting.begin(store, long, citizen)) == "no_turns_left"
    assert len(votes_of(store)) == 1


def test_a_frozen_stage_takes_nothing(store: Store) -> None:
    """After the freeze there is no new battle, no new turn and no new vote; a vote cast before is still confirmed."""
    citizen = voting.enrol(store)
    decided, undecided = voting.ready(store, citizen), voting.ready(store, citizen)
    vote, _ = voting.vote(store, decided, citizen)
    store.stages.move(STAGE, StageStatus.OPEN, StageStatus.FROZEN, NOW)
    assert refused(lambda: voting.opened(store, citizen)) == "stage_not_open"
    assert refused(lambda: voting.begin(store, undecided, citizen)) == "stage_not_open"
    assert refused(lambda: voting.vote(store, undecided, citizen)) == "stage_not_open"
    assert voting.vote(store, decided, citizen) == (vote, False)
    with pytest.raises(Conflict):
        store.stages.move(STAGE, StageStatus.OPEN, StageStatus.FROZEN, NOW)


def test_a_dead_process_locks_nothing(store: Store) -> None:
    """When a process dies in the middle of a turn, its lease runs out; the battle opens again without the half turn, and the dead one can no longer finish."""
    citizen = voting.enrol(store)
    battle = voting.ready(store, citizen)
    voting.begin(store, battle, citizen, owner="dying")
    store.processes.beat(process("dying"), LATER, [battle.id])
    store.processes.beat(process("another"), LATER + timedelta(hours=1), [battle.id])
    assert store.battles.release_expired(LATER) == 0
    assert store.battles.release_expired(LATER + timedelta(seconds=1)) == 1
    freed = store.battles.find(battle.id, citizen.id)
    assert (freed.state, len(freed.turns), freed.votable) == (BattleState.OPEN, 1, True)
    assert refused(lambda: voting.finish(store, battle, 2, owner="dying")) == "turn_lost"
    voting.vote(store, battle, citizen)

    other = voting.opened(store, citizen)
    voting.begin(store, other, citizen, owner="dying")
    after = LATER + timedelta(seconds=1)
    retaken = store.battles.begin_turn(
        other.id, citizen.id, "다시", max_turns=3, lease=(OWNER, after + timedelta(seconds=20)), now=after
    )
    assert [t.prompt for t in retaken.turns] == ["다시"]
    assert store.processes.end(OWNER) == 1


def process(name: str, **figures: Any) -> Process:
    """What a process says of itself."""
    return Process(name, STAGE, f"arena {name}", NOW, 1, figures)


def test_who_serves_is_known_until_its_word_expires(store: Store) -> None:
    """A process that says it is there again replaces what it said; one that stops in good order is gone at once, one that was killed when its word expires."""
    store.processes.beat(process("one"), LATER, [])
    store.processes.beat(process("other"), LATER + timedelta(hours=1), [])
    store.processes.beat(process("one", garam={"asked": 3}), LATER, [])
    alive = store.processes.alive(STAGE, NOW)
    assert [(each.name, each.entrants) for each in alive] == [
        ("arena one", {"garam": {"asked": 3}}),
        ("arena other", {}),
    ]
    assert [each.id for each in store.processes.alive(STAGE, LATER)] == ["other"]
    assert store.processes.alive("another stage", NOW) == []
    store.processes.sweep(LATER)
    assert [each.id for each in store.processes.alive(STAGE, NOW)] == ["other"]
    assert store.processes.end("other") == 0
    assert store.processes.alive(STAGE, NOW) == []


def test_a_wish_to_stop_reaches_who_is_answering_and_nobody_else(store: Store) -> None:
    """Only the citizen's own running turn is named to the process that answers it; a turn that was given back, or a later one, knows nothing of it."""
    citizen, other = voting.enrol(store), voting.enrol(store, "other")
    battle, quiet = voting.opened(store, citizen), voting.opened(store, citizen)
    voting.begin(store, battle, citizen)
    voting.begin(store, quiet, citizen, owner="another")
    store.battles.request_stop(battle.id, other.id, NOW)
    assert store.battles.stops_requested(OWNER) == []
    store.battles.request_stop(battle.id, citizen.id, NOW)
    assert store.battles.stops_requested(OWNER) == [Stop(battle.id, withdrawn=False)]
    assert store.battles.stops_requested("another") == []
    voting.finish(store, battle)
    store.battles.request_stop(battle.id, citizen.id, NOW)
    voting.begin(store, battle, citizen)
    assert store.battles.stops_requested(OWNER) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_looking_for_stops_reads_one_small_index(store: Store) -> None:
    """However many battles there are, SQLite asks the index of those that are to stop, and no other."""
    with store.database.reading() as connection:
        plan = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT id FROM battles WHERE lease_owner = 'x' AND stop_requested_at IS NOT NULL"
        ).all()
    assert ["ix_battles_stopping" in row[-1] for row in plan] == [True]


def test_fifty_votes_at_once_are_one(store: Store) -> None:
    """Fifty simultaneous votes on one battle: exactly one is kept, everybody else is told the truth."""
    citizen = voting.enrol(store)
    battle = voting.ready(store, citizen)
    start = threading.Barrier(50)

    def decide(i: int) -> str:
        start.wait()
        try:
            vote, new = voting.vote(store, battle, citizen, voting.ballot(list(Winner)[i % 4]))
        except Conflict as refusal:
            return refusal.code
        return f"{vote.ballot.winner} {vote.receipt} {'new' if new else 'again'}"

    with ThreadPoolExecutor(50) as threads:
        told = list(threads.map(decide, range(50)))
    (row,) = store.votes.after(STAGE, 0)
    won = f"{row.winner} {row.receipt}"
    assert told.count(f"{won} new") == 1
    assert set(told) <= {f"{won} new", f"{won} again", "another_vote"}


def test_votes_that_are_committed_together_stay_apart(store: Store) -> None:
    """Sixty votes of twenty threads: each has its own answer, a refused or broken one harms none of its neighbours, and all others are kept."""
    citizen, other = voting.enrol(store), voting.enrol(store, "other")
    ready = voting.many_ready(store, citizen, 60)

    def broken(_battle: Battle) -> Vote:
        raise ZeroDivisionError

    def decide(i: int) -> str:
        try:
            if i % 10 == 3:
                store.votes.cast(ready[i].id, citizen.id, voting.ballot(), broken)
            return voting.vote(store, ready[i], other if i % 10 == 7 else citizen)[0].receipt
        except ArenaError as refusal:
            return refusal.code
        except ZeroDivisionError:
            return "broken"

    with ThreadPoolExecutor(20) as threads:
        told = list(threads.map(decide, range(60)))
    kept = {row.battle_id: row.receipt for row in store.votes.after(STAGE, 0)}
    for i, answer in enumerate(told):
        wrong = {3: "broken", 7: "battle_not_found"}.get(i % 10)
        assert answer == (wrong or kept.pop(ready[i].id))
    assert kept == {}


def test_a_bound_holds_among_votes_that_are_committed_together(store: Store) -> None:
    """Forty votes at once against a bound of fifteen: fifteen are kept and counted; the others are told to wait, and leave their battles as they were."""
    citizen = voting.enrol(store)
    ready = voting.many_ready(store, citizen, 20)
    bounds = [Bound("hour", 15, timedelta(hours=1)), Bound("day", 100, timedelta(days=1))]
    start = threading.Barrier(40)

    def decide(i: int) -> str:
        start.wait()
        try:
            return voting.vote(store, ready[i % 20], citizen, bounds=bounds)[
                0
            ].receipt  # each battle twice, by the same ballot
        except TooMany as refusal:
            return refusal.code

    with ThreadPoolExecutor(40) as threads:
        told = list(threads.map(decide, range(40)))
    kept = set(votes_of(store))
    assert len(kept) == 15
    assert set(told) == kept | {"too_many"}
    assert all(told.count(receipt) == 2 for receipt in kept)
    assert [store.counters.held(bound.key, NOW) for bound in bounds] == [15, 15]
    states = [store.battles.find(battle.id, citizen.id).state for battle in ready]
    assert (states.count(BattleState.VOTED), states.count(BattleState.OPEN)) == (15, 5)
    assert voting.vote(
        store, ready[states.index(BattleState.OPEN)], citizen, at=NOW + timedelta(hours=1), bounds=bounds
    )[1]


def test_turns_at_once_are_one(store: Store) -> None:
    """Two questions at the same moment: one is asked, the other is told to wait."""
    citizen = voting.enrol(store)
    battle = voting.opened(store, citizen)
    start = threading.Barrier(8)

    def ask(i: int) -> str:
        start.wait()
        try:
            return voting.begin(store, battle, citizen, owner=f"p{i}").state
        except Conflict as refusal:
            return refusal.code

    with ThreadPoolExecutor(8) as threads:
        told = sorted(threads.map(ask, range(8)))
    assert told == ["answering"] + ["still_answering"] * 7
    assert len(store.battles.find(battle.id, citizen.id).turns) == 1


def test_draws_are_numbered_without_gaps(store: Store) -> None:
    """Battles opened at the same moment have the numbers 1 to n, each once: the stage's draws can be run again."""
    citizen = voting.enrol(store)
    with ThreadPoolExecutor(8) as threads:
        numbers = [b.draw.number for b in threads.map(lambda _: voting.opened(store, citizen), range(24))]
    assert sorted(numbers) == list(range(1, 25))


def test_a_freeze_is_exact_under_load(store: Store) -> None:
    """Votes racing a freeze are either in before it or told no; after the freeze has returned the count never moves."""
    citizen = voting.enrol(store)
    ready = [voting.ready(store, citizen) for _ in range(40)]
    going = threading.Event()

    def decide(i: int) -> str:
        if i == 10:
            going.set()
        try:
            return "in" if voting.vote(store, ready[i], citizen)[1] else "again"
        except Conflict as refusal:
            return refusal.code

    def freeze() -> int:
        going.wait()
        store.stages.move(STAGE, StageStatus.OPEN, StageStatus.FROZEN, NOW)
        return store.votes.count(STAGE)

    with ThreadPoolExecutor(9) as threads:
        frozen = threads.submit(freeze)
        told = list(threads.map(decide, range(40)))
    assert set(told) <= {"in", "stage_not_open"}
    assert store.votes.count(STAGE) == told.count("in") == frozen.result()


def test_the_constraint_is_the_last_word(store: Store) -> None:
    """Even raw SQL cannot put a second vote beside the first, a vote for nobody, or a battle of one entrant against itself."""
    citizen = voting.enrol(store)
    battle = voting.ready(store, citizen)
    voting.vote(store, battle, citizen)
    for statement in (
        "INSERT INTO votes (battle_id, stage_id, citizen_id, identity_level, winner, reasons, comment, cast_at, nonce, record, receipt, seal)"
        " SELECT battle_id, stage_id, citizen_id, identity_level, winner, reasons, comment, cast_at, nonce, record, 'x', seal FROM votes",
        "UPDATE votes SET winner = 'garam'",
        "UPDATE battles SET model_b = model_a",
        "UPDATE battles SET state = 'counted'",
        "DELETE FROM citizens",
    ):
        with pytest.raises(IntegrityError), store.database.writing() as connection:
            connection.execute(sa.text(statement))


def test_consents_are_kept_one_by_one(store: Store) -> None:
    """Each answer to a consent stays with its version; the newest one holds, and saying the same again adds nothing."""
    citizen = voting.enrol(store)
    for granted in ({"texts": (1, True)}, {"texts": (1, True)}, {"texts": (1, False)}, {"service": (2, True)}):
        store.citizens.enrol(citizen, granted, NOW)
    assert store.citizens.consents(citizen.id) == {"service": 2}
    with store.database.reading() as connection:
        kept = connection.execute(sa.text("SELECT count(*) FROM consents")).scalar_one()
    assert kept == 4


def test_the_database_needs_nothing_but_its_file(tmp_path: Path) -> None:
    """A fresh SQLite address makes its folder, its file and its tables by itself."""
    opened = Store(f"sqlite:///{tmp_path / 'new' / 'arena.db'}")
    voting.open_stage(opened)
    assert opened.votes.count(STAGE) == 0
    opened.close()
