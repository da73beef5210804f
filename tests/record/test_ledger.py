"""The ledger: what is in it can be proven, and what is done to it behind the arena's back is found."""

import contextlib
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import psycopg
import pytest

from arena.domain.errors import NotFound
from arena.domain.stage import StageStatus
from arena.domain.vote import Hidden, Winner, canonical, hidden_digest, leaf_hash
from arena.record.keys import Keys
from arena.record.ledger import Checkpoint, Ledger, LedgerError, verify_checkpoint
from arena.record.merkle import verify_consistency, verify_inclusion
from arena.record.store import Store
from tests.support import voting
from tests.support.voting import LATER, NOW, SECRET, STAGE
from tests.support.words import refusing


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """Keys with the secret that the votes are sealed with."""
    made = Keys.open(tmp_path / "keys", {})
    made.secret = SECRET
    return made


@pytest.fixture
def ledger(store: Store, keys: Keys) -> Ledger:
    """A ledger on an open stage."""
    voting.open_stage(store)
    return Ledger(store, keys)


def cast(store: Store, n: int) -> list[str]:
    """Casts n votes by one citizen; gives their receipts."""
    citizen = voting.enrol(store)
    return [
        voting.vote(store, voting.ready(store, citizen), citizen, voting.ballot(list(Winner)[i % 4]))[0].receipt
        for i in range(n)
    ]


def run(store: Store, *statements: str) -> None:
    """What somebody with the database's password could do, past every rule of the database."""
    if store.database.is_sqlite:
        with contextlib.closing(sqlite3.connect(str(store.database.url.database))) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()
    else:
        plain = store.database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(plain) as connection:
            connection.execute("SET session_replication_role = replica")
            for statement in statements:
                connection.execute(statement.encode())


def test_every_receipt_is_proven(store: Store, ledger: Ledger, keys: Keys) -> None:
    """Each vote is included under the newest checkpoint, each checkpoint is signed and the beginning of every later one."""
    assert ledger.newest(STAGE) is None
    assert ledger.checkpoint(STAGE, NOW).size == 0
    receipts: list[str] = []
    for n in (1, 4, 2):
        receipts += cast(store, n)
        assert ledger.inclusion(receipts[-1]) is None
        newest = ledger.checkpoint(STAGE, NOW)
        assert newest.size == len(receipts)
        assert ledger.checkpoint(STAGE, LATER) == newest
        for index, receipt in enumerate(receipts):
            proof = ledger.inclusion(receipt)
            assert proof is not None
            assert (proof.index, proof.checkpoint) == (index, newest)
            assert verify_inclusion(receipt, proof.index, newest.size, proof.path, newest.root)
    signed = ledger.checkpoints(STAGE)
    assert [c.size for c in signed] == [0, 1, 5, 7]
    for i, early in enumerate(signed):
        assert verify_checkpoint(early.to_json(), keys.jwks())
        assert not verify_checkpoint({**early.to_json(), "size": early.size + 1}, keys.jwks())
        assert ledger.agrees_with(early.to_json())
        for late in signed[i:]:
            path = ledger.consistency(STAGE, early.size, late.size)
            assert verify_consistency(early.size, early.root, late.size, late.root, path)
    assert ledger.audit(STAGE) == []
    with pytest.raises(NotFound):
        ledger.inclusion("0" * 64)
    with pytest.raises(NotFound):
        ledger.consistency(STAGE, 3, 8)


def test_stages_do_not_mix(store: Store, ledger: Ledger) -> None:
    """Each stage has its own tree: a vote in one changes nothing in the other."""
    cast(store, 2)
    before = ledger.checkpoint(STAGE, NOW)
    voting.open_stage(store, "round-2")
    citizen = voting.enrol(store)
    voting.vote(store, voting.ready(store, citizen, "round-2"), citizen)
    assert ledger.checkpoint("round-2", NOW).size == 1
    assert ledger.checkpoint(STAGE, NOW) == before


def test_order_has_no_gaps_under_concurrency(store: Store, ledger: Ledger, keys: Keys) -> None:
    """Votes and checkpoints of several processes at once: each vote becomes exactly one leaf, and no checkpoint contradicts another."""
    citizen = voting.enrol(store)
    ready = [voting.ready(store, citizen) for _ in range(30)]
    another = Ledger(store, keys)

    def act(i: int) -> str | Checkpoint:
        if i % 3 == 2:
            return (ledger if i % 2 else another).checkpoint(STAGE, NOW)
        return voting.vote(store, ready[i], citizen)[0].receipt

    with ThreadPoolExecutor(8) as threads:
        done = list(threads.map(act, range(30)))
    store.stages.move(STAGE, StageStatus.OPEN, StageStatus.FROZEN, NOW)
    final = ledger.checkpoint(STAGE, LATER, final=True)
    receipts = [d for d in done if isinstance(d, str)]
    assert final.size == len(receipts) == 20
    proofs = [ledger.inclusion(receipt) for receipt in receipts]
    assert sorted(p.index for p in proofs if p) == list(range(20))
    assert all(another.agrees_with(d.to_json()) for d in done if isinstance(d, Checkpoint))
    assert ledger.audit(STAGE) == []


def test_a_vote_that_commits_late_is_not_forgotten(store: Store, ledger: Ledger) -> None:
    """A vote whose transaction took its number early and committed late becomes a later leaf; nothing is renumbered."""
    first, second, third = cast(store, 3)
    run(store, "CREATE TABLE aside AS SELECT * FROM votes WHERE seq = 2", "DELETE FROM votes WHERE seq = 2")
    assert ledger.checkpoint(STAGE, NOW).size == 2
    run(store, "INSERT INTO votes SELECT * FROM aside")
    assert ledger.checkpoint(STAGE, LATER).size == 3
    proofs = [ledger.inclusion(receipt) for receipt in (first, second, third)]
    assert [p.index for p in proofs if p] == [0, 2, 1]
    assert ledger.audit(STAGE) == []


TAMPERING: dict[str, tuple[str, ...]] = {
    "winner column": ("UPDATE votes SET winner = 'model_b' WHERE seq = 1",),
    "record": ("UPDATE votes SET record = (SELECT record FROM votes WHERE seq = 2) WHERE seq = 1",),
    "receipt": ("UPDATE votes SET receipt = 'ab' || substr(receipt, 3) WHERE seq = 1",),
    "whole vote moved to another battle": (
        "DELETE FROM votes WHERE seq = 3",
        "UPDATE votes SET battle_id = (SELECT id FROM battles WHERE draw_number = 3) WHERE seq = 1",
    ),
    "voter": ("UPDATE votes SET citizen_id = 'd' WHERE seq = 1",),
    "leaks of an unblind battle": ("UPDATE votes SET leaks = '[\"a:self:garam\"]' WHERE seq = 1",),
    "nonce": ("UPDATE votes SET nonce = (SELECT nonce FROM votes WHERE seq = 2) WHERE seq = 1",),
    "identity level": ("UPDATE votes SET identity_level = 'verified' WHERE seq = 1",),
    "time": ("UPDATE votes SET cast_at = cast_at + 5000000 WHERE seq = 1",),
    "entrants swapped": ("UPDATE battles SET model_a = model_b, model_b = model_a WHERE draw_number = 1",),
    "reasons": ('UPDATE votes SET reasons = \'{"a": [], "b": []}\' WHERE seq = 1',),
    "deleted": ("DELETE FROM votes WHERE seq = 2",),
    "deleted with its leaf": ("DELETE FROM leaves WHERE n = 1", "DELETE FROM votes WHERE seq = 2"),
    "last one deleted with its leaf": ("DELETE FROM leaves WHERE n = 3", "DELETE FROM votes WHERE seq = 4"),
    "deleted and closed up": (
        "DELETE FROM leaves WHERE n = 1",
        "DELETE FROM votes WHERE seq = 2",
        "UPDATE leaves SET n = 1 WHERE n = 2",
        "UPDATE leaves SET n = 2 WHERE n = 3",
        "UPDATE battles SET state = 'abandoned' WHERE draw_number = 2",
    ),
    "reordered": (
        "UPDATE leaves SET n = 99 WHERE n = 0",
        "UPDATE leaves SET n = 0 WHERE n = 1",
        "UPDATE leaves SET n = 1 WHERE n = 99",
    ),
    "checkpoint's root": ("UPDATE checkpoints SET root = 'ab' || substr(root, 3) WHERE size = 4",),
    "checkpoint's time": ("UPDATE checkpoints SET at = at + 1000000 WHERE size = 4",),
    "checkpoint's size": ("UPDATE checkpoints SET size = 3 WHERE size = 4",),
    "vote before its checkpoint deleted": (
        "DELETE FROM leaves WHERE n = 3",
        "DELETE FROM votes WHERE seq = 4",
        "DELETE FROM checkpoints WHERE size = 4",
    ),
}


@pytest.mark.parametrize("name", TAMPERING)
def test_tampering_is_found(store: Store, ledger: Ledger, name: str) -> None:
    """Whatever raw SQL does to votes, their order or their checkpoints, the audit names it."""
    cast(store, 4)
    ledger.checkpoint(STAGE, NOW)
    assert ledger.audit(STAGE) == []
    run(store, *TAMPERING[name])
    assert ledger.audit(STAGE) != []


FORGED = """
INSERT INTO votes (seq, battle_id, stage_id, citizen_id, identity_level, winner, reasons, comment, cast_at, nonce, record, receipt, seal)
SELECT 99, '{battle}', stage_id, citizen_id, identity_level, winner, reasons, comment, cast_at, nonce, {record}, '{receipt}', seal
FROM votes WHERE seq = 1
"""


def test_a_vote_written_into_the_database_never_becomes_a_leaf(store: Store, ledger: Ledger) -> None:
    """A forged vote, perfect but for the arena's seal, is refused when the ledger would take it in, and named by the audit."""
    cast(store, 2)
    ledger.checkpoint(STAGE, NOW)
    citizen = voting.enrol(store)
    target = voting.ready(store, citizen)
    (model, *_) = store.votes.after(STAGE, 0)
    hidden: Hidden = {
        "voter": model.voter,
        "identity_level": model.identity_level,
        "model_a": model.model_a,
        "model_b": model.model_b,
        "draw": target.draw.number,
        "question": None,
        "topic": None,
        "leaks": (),
    }
    told = {**orjson.loads(model.record), "battle": target.id, "hidden": hidden_digest(hidden, model.nonce)}
    record = canonical(told)
    literal = f"x'{record.hex()}'" if store.database.is_sqlite else f"'\\x{record.hex()}'"
    run(
        store,
        FORGED.format(battle=target.id, record=literal, receipt=leaf_hash(record)),
        "UPDATE battles SET state = 'voted' WHERE draw_number = 3",
    )
    with refusing(LedgerError, match="not cast by the arena"):
        ledger.checkpoint(STAGE, LATER)
    (finding,) = ledger.audit(STAGE)
    assert finding.code == "vote_not_ours"
    assert ledger.newest(STAGE) == ledger.checkpoints(STAGE)[-1]


def test_a_kept_checkpoint_shows_a_rewritten_ledger(store: Store, ledger: Ledger, keys: Keys) -> None:
    """When even votes, leaves and checkpoints are rewritten and signed anew, whoever kept one old checkpoint can prove it."""
    cast(store, 4)
    kept = ledger.checkpoint(STAGE, NOW).to_json()
    assert ledger.agrees_with(kept)
    run(
        store,
        "DELETE FROM checkpoints",
        "DELETE FROM leaves",
        "DELETE FROM votes WHERE seq = 4",
        "UPDATE battles SET state = 'abandoned' WHERE draw_number = 4",
    )
    for more in (0, 2):
        cast(store, more)
        rewritten = Ledger(store, keys)
        rewritten.checkpoint(STAGE, LATER)
        assert rewritten.audit(STAGE) == []
        assert not rewritten.agrees_with(kept)
