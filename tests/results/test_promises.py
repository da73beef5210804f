"""A citizen's file against the operator: whatever was done to the vote, the arena's own signature shows it, and nobody else's does."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from arena.cli import app as cli
from arena.domain.promise import Promise
from arena.domain.vote import canonical_plain, leaf_hash, seal_of
from arena.i18n.catalogue import LANGUAGES, messages
from arena.record.keys import Keys
from arena.record.tables import battles, votes
from arena.record.votes import VoteRow
from arena.results.export.bundle import make, write
from arena.results.export.promises import Outcome
from arena.results.export.verify import verify_files
from tests.support.stages import NOW, Room
from tests.support.strangers import by_a_stranger

SOON = NOW + timedelta(minutes=10)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A stage with votes, still open."""
    made = Room(tmp_path).vote(12, voters=4)
    yield made
    made.close()


def confirmation(
    room: Room, row: VoteRow, *, by: datetime = SOON, keys: Keys | None = None, stage: str = "", **other: Any
) -> bytes:
    """What whoever cast this vote was given, with their page's additions."""
    promise = Promise(stage or room.stage.id, row.receipt, row.cast_at, by)
    given = {
        "record": row.record.decode(),
        "receipt": row.receipt,
        "promise": (keys or room.keys).sign_whole(promise.payload()),
    }
    return orjson.dumps({"schema": "kai.confirmation/1", "chosen": row.winner, **given, **other})


def outcomes(room: Room, *given: bytes, now: datetime = NOW, jwks: Mapping[str, Any] | None = None) -> list[Outcome]:
    """What an export of this moment, verified as a stranger does it, says of these files."""
    bundle = make(room.store, room.keys, room.stage.id, now)
    return list(verify_files(bundle.files, jwks, promises={f"{n}.json": data for n, data in enumerate(given)}).promises)


def rows(room: Room) -> list[VoteRow]:
    """Every vote."""
    return list(room.store.votes.after(room.stage.id, 0))


def drop(room: Room, row: VoteRow) -> None:
    """What an operator does who wants a vote away, before a checkpoint holds it: the vote goes, its battle was never judged."""
    with room.store.database.writing() as connection:
        connection.execute(sa.delete(votes).where(votes.c.seq == row.seq))
        connection.execute(sa.update(battles).where(battles.c.id == row.battle_id).values(state="abandoned"))


def flip(room: Room, row: VoteRow) -> None:
    """What an operator does who has the keys: the vote says the opposite, under the arena's own seal."""
    winner = "model_b" if row.winner == "model_a" else "model_a"
    record = canonical_plain({**orjson.loads(row.record), "winner": winner})
    receipt = leaf_hash(record)
    values = {"winner": winner, "record": record, "receipt": receipt, "seal": seal_of(room.keys.secret, receipt)}
    with room.store.database.writing() as connection:
        connection.execute(sa.update(votes).where(votes.c.seq == row.seq).values(values))


def test_a_kept_promise_says_where_the_vote_stands(room: Room) -> None:
    """The row, the checkpoint that was first over it, and the key that promised; the answer to the vote itself is as good a file."""
    some = rows(room)
    plain = orjson.loads(confirmation(room, some[3]))
    answer = orjson.dumps({**{name: plain[name] for name in ("record", "receipt", "promise")}, "reveal": None})
    room.freeze()
    for found in outcomes(room, confirmation(room, some[3]), answer, jwks=room.keys.jwks()):
        assert (found.code, found.good, found.broken) == ("included", True, False)
        assert (found.params["n"], found.params["size"], found.params["kid"]) == (3, 12, room.keys.kid)


@pytest.mark.parametrize("when", ["before a checkpoint", "frozen"])
def test_a_dropped_vote_is_shown_by_its_citizens_file_alone(room: Room, when: str) -> None:
    """The operator leaves no trace, every check of the export passes, and the promise is broken; until it is due an open stage owes nothing."""
    lost = rows(room)[5]
    drop(room, lost)
    file = confirmation(room, lost)
    if when == "frozen":
        room.freeze()
        (found,) = outcomes(room, file)  # not due, but the ledger is closed
    else:
        (early,) = outcomes(room, file)
        assert (early.code, early.good) == ("not_due", True)
        (found,) = outcomes(room, file, now=SOON)
    assert (found.code, found.broken, found.params["receipt"]) == ("missing", True, lost.receipt[:12])


def test_a_flipped_vote_is_shown_by_its_citizens_file_alone(room: Room) -> None:
    """Sealed anew by the arena's own keys the export verifies; the file says what was promised of that battle, and what stands there now."""
    row = rows(room)[5]
    flip(room, row)
    room.freeze()
    (found,) = outcomes(room, confirmation(room, row))
    (now,) = (each for each in rows(room) if each.battle_id == row.battle_id)
    assert (found.code, found.broken) == ("otherwise", True)
    assert (found.params["promised"], found.params["winner"], found.params["battle"]) == (
        row.winner,
        now.winner,
        row.battle_id,
    )


def test_a_late_vote_is_a_broken_promise_that_counts(room: Room) -> None:
    """In the ledger, under a checkpoint that was signed after the promised moment."""
    row = rows(room)[0]
    room.freeze()
    (found,) = outcomes(room, confirmation(room, row, by=NOW - timedelta(milliseconds=1)))
    assert (found.code, found.broken, found.params["n"]) == ("late", True, 0)


def test_who_signs_a_promise_that_its_record_contradicts_has_broken_it(room: Room) -> None:
    """Another moment than the record's, or a record that is no vote: the arena's own signature is on both."""
    row = rows(room)[0]
    other = Promise(room.stage.id, row.receipt, row.cast_at + timedelta(seconds=1), SOON)
    nothing = "[]"
    no_vote = Promise(room.stage.id, leaf_hash(nothing.encode()), row.cast_at, SOON)
    room.freeze()
    found = outcomes(
        room,
        confirmation(room, row, promise=room.keys.sign_whole(other.payload())),
        confirmation(
            room, row, record=nothing, receipt=no_vote.receipt, promise=room.keys.sign_whole(no_vote.payload())
        ),
    )
    assert [(each.code, each.broken) for each in found] == [("contradicts", True)] * 2


def test_nobody_can_accuse_the_arena_of_what_it_never_promised(room: Room, tmp_path: Path) -> None:
    """A stranger's signature, another stage's promise, a record or a signature that somebody changed: such a file proves nothing."""
    row = rows(room)[0]
    drop(room, row)
    room.freeze()
    good = orjson.loads(confirmation(room, row))
    stranger = Keys.open(tmp_path / "stranger", {})
    head, payload, tail = good["promise"].split(".")
    given = {
        "not_signed": confirmation(room, row, keys=stranger),
        "of_another_stage": confirmation(room, row, stage="elsewhere"),
        "record_changed": orjson.dumps({**good, "record": good["record"].replace(row.battle_id, row.battle_id[::-1])}),
        "unreadable": b"{}",
    }
    found = outcomes(room, *given.values())
    assert [each.code for each in found] == list(given)
    assert not any(each.broken or each.good for each in found)
    sealed = room.store.stages.find(room.stage.id)
    assert sealed is not None
    for wrong in (f"{head}.{payload}.{tail[::-1]}", f"{head}..{tail}", "", f"{head}.{payload}", room.keys.sign_whole(b"{}"),
                  room.keys.sign_whole(sealed.file.encode())):  # fmt: skip
        (each,) = outcomes(room, orjson.dumps({**good, "promise": wrong}))
        assert each.code == "not_signed"
    (each,) = outcomes(room, confirmation(room, row, receipt="0" * 64))
    assert each.code == "record_changed"
    (each,) = outcomes(room, confirmation(room, row))
    assert each.broken


def test_the_command_says_of_each_file_what_became_of_it(room: Room, tmp_path: Path) -> None:
    """`verify --promises`: kept, broken, unfit; broken and unfit ones end with 1, and it says what to show to whom."""
    kept, lost = rows(room)[:2]
    drop(room, lost)
    room.freeze()
    folder = write(make(room.store, room.keys, room.stage.id, NOW), tmp_path / "out")
    files = tmp_path / "files"
    files.mkdir()
    (files / "kept.json").write_bytes(confirmation(room, kept))
    said = CliRunner().invoke(cli, ["verify", str(folder), "--promises", str(files)])
    assert (said.exit_code, "kept. Vote" in said.output) == (0, True)
    (files / "lost.json").write_bytes(confirmation(room, lost))
    said = CliRunner().invoke(cli, ["verify", str(folder), "--promises", str(files)])
    assert said.exit_code == 1
    assert f"BROKEN  promise {files / 'lost.json'}: vote {lost.receipt[:12]}… was promised by" in said.output
    assert "Show them to the operator" in " ".join(said.output.split())
    (files / "lost.json").write_bytes(b"no")
    said = CliRunner().invoke(cli, ["verify", str(folder), "--promises", str(files / "lost.json")])
    assert (said.exit_code, "not a confirmation" in said.output) == (1, True)


def test_a_stranger_without_our_code_says_the_same(room: Room, tmp_path: Path) -> None:
    """The page of Python that has nothing of ours: a kept promise holds; a dropped vote, a flipped one, a late one and a stranger's promise do not."""
    kept, lost, flipped = rows(room)[:3]
    drop(room, lost)
    flip(room, flipped)
    room.freeze()
    folder = write(make(room.store, room.keys, room.stage.id, NOW), tmp_path / "out")
    jwks = tmp_path / "jwks.json"
    jwks.write_bytes(orjson.dumps(room.keys.jwks()))
    cases = {
        "kept": (confirmation(room, kept), "ok  kept.json: the promise was kept, in row 0"),
        "lost": (confirmation(room, lost), "DOES NOT HOLD  lost.json: not in the ledger"),
        "flipped": (confirmation(room, flipped), "DOES NOT HOLD  flipped.json: no other vote in its place"),
        "late": (
            confirmation(room, kept, by=NOW - timedelta(seconds=1)),
            "DOES NOT HOLD  late.json: the promise was kept",
        ),
        "forged": (
            confirmation(room, kept, keys=Keys.open(tmp_path / "stranger", {})),
            "DOES NOT HOLD  forged.json: a promise that was signed",
        ),
    }
    for name, (data, said) in cases.items():
        (tmp_path / f"{name}.json").write_bytes(data)
        answer = by_a_stranger(folder, jwks, tmp_path / f"{name}.json")
        assert (answer.returncode == 0) == (name == "kept"), answer.stderr
        assert said in answer.stdout + answer.stderr


def test_every_outcome_has_a_sentence(room: Room) -> None:
    """In both languages, with the values that it comes with."""
    row, lost, flipped = rows(room)[:3]
    drop(room, lost)
    flip(room, flipped)
    room.freeze()
    early = NOW - timedelta(days=1)
    files = [
        confirmation(room, row),
        confirmation(room, row, by=early),
        confirmation(room, lost),
        confirmation(room, flipped),
        confirmation(room, row, stage="elsewhere"),
        confirmation(room, row, record="x"),
        b"",
    ]
    found = outcomes(room, *files)
    assert len({each.code for each in found}) == len(files)
    for language in LANGUAGES:
        assert all(len(messages(language).of(each)) > 20 for each in found)
