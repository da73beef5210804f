"""Texts that go while votes stay: the ledger verifies as before, and nobody can lead a withdrawn vote back to a person."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from arena.domain.battle import BattleState, new_battle_id
from arena.domain.citizen import Citizen, pseudonym
from arena.domain.declared import Bilingual
from arena.domain.errors import ArenaError, Conflict, Forbidden
from arena.domain.stage import Consent
from arena.record.battles import Stop
from arena.record.keys import Keys
from arena.record.ledger import Ledger
from arena.record.store import Store
from tests.support import voting
from tests.support.voting import LATER, NOW, OWNER, SECRET, STAGE

ASKED = Bilingual(ko="동의", en="Consent")
CONSENTS = (Consent(id="service", required=True, title=ASKED, text=ASKED),)


@pytest.fixture
def ledger(store: Store, tmp_path: Path) -> Ledger:
    """A ledger on an open stage."""
    keys = Keys.open(tmp_path / "keys", {})
    keys.secret = SECRET
    voting.open_stage(store)
    return Ledger(store, keys)


def everything(store: Store) -> str:
    """Every value of every table, for searching."""
    with store.database.reading() as connection:
        tables = sa.inspect(connection).get_table_names()
        return str([connection.execute(sa.text(f"SELECT * FROM {t}")).all() for t in tables])  # noqa: S608


def test_withdrawal_erases_texts_and_keeps_the_vote(store: Store, ledger: Ledger) -> None:
    """Prompts, answers and comment are gone from the whole database, the vote counts as before under a pseudonym without a person, and every proof holds."""
    subject = store.persons.subject_of(STAGE, "login", "digest-of-identity", "random-subject")
    citizen = Citizen(pseudonym(SECRET, subject), "verified")
    store.citizens.enrol(citizen, {"service": (1, True), "texts-release": (1, True)}, NOW)
    other = voting.enrol(store, "other")
    voted, running = voting.ready(store, citizen), voting.opened(store, citizen)
    voting.begin(store, running, citizen, prompt="아직 쓰는 중")
    untouched = voting.ready(store, other)
    vote, _ = voting.vote(store, voted, citizen, voting.ballot(comment="비밀스러운 의견"))
    before = list(store.votes.after(STAGE, 0))
    newest = ledger.checkpoint(STAGE, NOW)

    assert store.erasure.withdraw(citizen, subject, LATER) == 2
    kept = everything(store)
    for text in ("아직 쓰는 중", "비밀스러운 의견", "random-subject"):
        assert text not in kept
    assert kept.count("안녕하세요?") == 1
    assert (
        kept.count("n" * 32) == 1
    )  # the day's digest of the network goes with its key, not before: no test loses sight of the vote
    assert store.battles.find(untouched.id, other.id).votable
    assert list(store.votes.after(STAGE, 0)) == before
    assert ledger.audit(STAGE) == []
    proof = ledger.inclusion(vote.receipt)
    assert proof is not None
    assert proof.checkpoint == newest
    assert store.citizens.has_withdrawn(citizen.id)
    assert not store.citizens.has_withdrawn(other.id)
    assert store.citizens.consents(citizen.id) == {}
    assert store.battles.find(running.id, citizen.id).state is BattleState.ABANDONED
    # The process that is writing hears of it, and lets the battle go.
    assert store.battles.stops_requested(OWNER) == [Stop(running.id, withdrawn=True)]
    with pytest.raises(Conflict, match="turn_lost"):
        voting.finish(store, running)
    store.battles.release_expired(LATER + timedelta(seconds=1))
    assert store.battles.stops_requested(OWNER) == []
    with pytest.raises(Forbidden, match="withdrawn"):
        store.persons.subject_of(STAGE, "login", "digest-of-identity", "another-subject")


def test_withdrawing_in_the_middle_of_everything(store: Store, ledger: Ledger) -> None:
    """Whoever withdraws while they open, ask, vote and agree again: each act is whole before it, and then erased, or refused; none comes after."""
    for n in range(12):
        citizen = voting.enrol(store, f"racing-{n}-")
        asked, votable = voting.opened(store, citizen), voting.ready(store, citizen)
        acts: list[Callable[[], object]] = [
            partial(store.battles.open, new_battle_id(), STAGE, citizen.id, voting.draw, NOW, consents=CONSENTS),
            partial(voting.begin, store, asked, citizen, prompt="몰래 남을 질문"),
            partial(voting.vote, store, votable, citizen, voting.ballot(comment="몰래 남을 의견")),
            partial(store.citizens.answer, citizen.id, {"service": (2, True)}, NOW),
            partial(store.strata.answer, citizen.id, {"age": "young"}, NOW),
            partial(store.erasure.withdraw, citizen, f"racing-{n}", LATER),
        ]
        refused = []
        start = threading.Barrier(len(acts))

        def act(what: Callable[[], object], start: threading.Barrier = start, refused: list[str] = refused) -> None:
            start.wait()
            try:
                what()
            except ArenaError as error:
                refused.append(error.code)

        with ThreadPoolExecutor(len(acts)) as pool:
            list(pool.map(act, acts))
        assert set(refused) <= {"session_needed", "battle_abandoned", "consent_needed"}
        assert store.citizens.consents(citizen.id) == {}
        assert store.strata.of_citizen(citizen.id) == {}
        states = {own.battle.state for own in store.battles.of_citizen(citizen.id, 10)}
        assert states <= {BattleState.ABANDONED, BattleState.VOTED}
        for late in acts[:5]:
            with pytest.raises(ArenaError):
                late()
    assert "몰래" not in everything(store)
    ledger.checkpoint(STAGE, LATER)
    assert ledger.audit(STAGE) == []


def test_old_texts_go_by_their_rule(store: Store, ledger: Ledger) -> None:
    """Texts last used before the moment are erased, judged and unjudged by their own rule; votes and proofs stay."""
    citizen = voting.enrol(store)
    judged, unjudged = voting.ready(store, citizen), voting.ready(store, citizen)
    voting.vote(store, judged, citizen, voting.ballot(comment="좋아요"))
    ledger.checkpoint(STAGE, NOW)
    after = NOW + timedelta(microseconds=1)
    assert store.erasure.texts_before(STAGE, NOW, LATER) == 0
    assert store.erasure.texts_before(STAGE, after, LATER, judged=False) == 1
    assert store.battles.find(unjudged.id, citizen.id).turns[0].prompt == ""
    assert store.battles.find(judged.id, citizen.id).turns[0].prompt == "안녕하세요?"
    assert store.erasure.texts_before("another", after, LATER) == 0
    assert store.erasure.texts_before(STAGE, after, LATER) == 1
    assert store.erasure.texts_before(STAGE, after, LATER) == 0
    assert "좋아요" not in everything(store)
    assert store.votes.count(STAGE) == 1
    assert ledger.audit(STAGE) == []
