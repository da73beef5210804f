"""Texts that go while votes stay: the ledger verifies as before, and nobody can lead a withdrawn vote back to a person."""

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from arena.domain.battle import BattleState
from arena.domain.citizen import Citizen, pseudonym
from arena.domain.errors import Conflict
from arena.record.keys import Keys
from arena.record.ledger import Ledger
from arena.record.store import Store
from tests.support import voting
from tests.support.voting import LATER, NOW, SECRET, STAGE


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
    subject = store.citizens.subject_of("digest-of-identity", "random-subject", NOW)
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
    for text in ("아직 쓰는 중", "비밀스러운 의견", "random-subject", "digest-of-identity", "n" * 32):
        assert text not in kept
    assert kept.count("안녕하세요?") == 1
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
    with pytest.raises(Conflict, match="turn_lost"):
        voting.finish(store, running)
    assert store.citizens.subject_of("digest-of-identity", "another-subject", LATER) == "another-subject"


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


def test_one_identity_has_one_subject(store: Store) -> None:
    """The same identity leads to the same pseudonym at every login."""
    first = store.citizens.subject_of("digest", "one", NOW)
    assert (first, store.citizens.subject_of("digest", "two", NOW)) == ("one", "one")
    assert store.citizens.subject_of("other", "two", NOW) == "two"
