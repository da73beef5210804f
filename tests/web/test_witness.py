"""One honest witness outside: whatever an operator with all keys does to a stage that was cosigned is refused, shown, and provable."""

import contextlib
import http.server
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import delete, select, update
from typer.testing import CliRunner

from arena.cli import app as cli
from arena.domain import draw as pairing
from arena.domain.draw import commitment
from arena.domain.errors import Unusable
from arena.domain.opening import opening_sha256
from arena.domain.stage import Stage
from arena.domain.vote import canonical
from arena.record.keys import Keys
from arena.record.ledger import Ledger
from arena.record.store import Store
from arena.record.tables import battles, checkpoints, leaves, stages, votes
from arena.results import lifecycle
from arena.results.export.bundle import make, sums
from arena.results.export.cosigning import read_witness
from arena.results.export.document import SUMS
from arena.results.export.proofs import VerificationError
from arena.results.export.verify import verify, verify_files
from arena.results.witness.arena_client import ArenaClient, Unreachable
from arena.results.witness.follow import cosigned, follow
from arena.results.witness.notebook import Identity
from tests.support import voting
from tests.support.serving import OPERATOR, serving, stage_toml
from tests.support.stages import CLI, Room
from tests.support.strangers import by_a_stranger
from tests.support.witness import cast_one_more, flip, named, sign_again, witness
from tests.support.words import refusing

CAST = 200


def now() -> datetime:
    """Whatever serves and whoever looks have one clock."""
    return datetime.now(UTC)


@dataclass
class Watched:
    """A stage whose file names a witness, as it stands after some votes."""

    room: Room
    book: Path
    """What the witness keeps."""
    base: str

    @property
    def stage(self) -> str:
        """Its id."""
        return self.room.stage.id

    def sign(self) -> int:
        """Signs a checkpoint over what is there, as one of the arena's processes does every minute."""
        return Ledger(self.room.store, self.room.keys).checkpoint(self.stage, now()).size

    def look(self, *more: str) -> Any:
        """Lets the witness look once."""
        return witness(self.base, self.book, *more)

    def evidence(self) -> list[Path]:
        """The contradictions that it has kept."""
        return sorted((self.book / self.stage).glob("evidence-*.json"))

    def jwks(self, folder: Path) -> Path:
        """The arena's public keys, as anybody has them."""
        (folder / "jwks.json").write_bytes(orjson.dumps(self.room.keys.jwks()))
        return folder / "jwks.json"


@contextmanager
def watched(folder: Path, *, votes: int = CAST, url: str | None = None, required: int = 1) -> Iterator[Watched]:
    """Serves a simulated stage over HTTP; its votes are cast, and nobody has looked yet."""
    book = folder / "witness"
    room = Room(folder, url=url, more=named(book, required=required), clock=now)
    (folder / "stage.toml").write_bytes(room.file)
    with serving(folder, folder / "stage.toml", database_url=url or "") as base:
        yield Watched(room.vote(votes, voters=votes // 5 or 2), book, base)
    room.close()


def test_a_witness_follows_cosigns_and_is_required(tmp_path: Path) -> None:
    """From the opening on a witness proves, keeps and cosigns what the arena shows; the result is published with its cosignature and not without; the check can require it."""
    with watched(tmp_path) as at:
        first = at.look()
        assert (first.returncode, "0 votes" in first.stdout) == (0, True), first.stderr
        at.sign()
        publishing = {"organizer": CLI, "now": now()}
        at.room.freeze()
        with refusing(Unusable, match="Not yet: witness"):
            lifecycle.publish(at.room.store, at.room.keys, at.stage, tmp_path / "out", tmp_path, **publishing)
        provisional = verify_files(make(at.room.store, at.room.keys, at.stage, now()).files)
        assert "cosigned_by_too_few" in [passed.code for passed in provisional.checks]
        files = make(at.room.store, at.room.keys, at.stage, now()).files
        document = orjson.loads(files["export.json"]) | {"final": True}
        document["integrity"].pop("signature")
        document["integrity"]["signature"] = at.room.keys.sign(canonical(document))
        files = {name: data for name, data in files.items() if name != SUMS} | {"export.json": canonical(document)}
        with refusing(VerificationError, match="only 0 witnesses have cosigned its last checkpoint"):
            verify_files({**files, SUMS: sums(files)})

        second = at.look()
        assert (second.returncode, "200 votes" in second.stdout) == (0, True), second.stderr
        rounds = sorted((at.book / at.stage / "rounds").glob("*.json"))
        before = [path.read_bytes() for path in rounds]
        assert at.look().returncode == 0
        folder, _ = lifecycle.publish(at.room.store, at.room.keys, at.stage, tmp_path / "out", tmp_path, **publishing)
    assert [orjson.loads(data)["checkpoints"][-1]["size"] for data in before] == [0, CAST]
    assert [path.read_bytes() for path in sorted((at.book / at.stage / "rounds").glob("*.json"))] == before
    [told] = verify(folder, witnesses=read_witness(at.book)).document.witnesses
    assert (told.id, told.cosignatures, told.newest, told.final) == ("witness", 2, CAST, True)
    for given in (at.book, at.book / "witness.json", folder / "cosignatures.jsonl"):
        passed = CliRunner().invoke(cli, ["verify", str(folder), "--witness", str(given)])
        assert passed.exit_code == 0, passed.output
        assert "has signed the last checkpoint, over 200 votes" in passed.stdout
    named(tmp_path / "stranger")
    refused = CliRunner().invoke(cli, ["verify", str(folder), "--witness", str(tmp_path / "stranger" / "witness.json")])
    assert (refused.exit_code, "has cosigned nothing" in refused.stderr) == (1, True)
    stranger = by_a_stranger(folder)
    assert "cosignatures: 2 by named witnesses" in stranger.stdout, stranger.stderr


def test_a_hundred_late_votes_turned_round(database_url: str, tmp_path: Path) -> None:
    """The operator turns the last hundred votes and signs record, ledger and checkpoints anew: the export verifies by itself, and one witness refuses, keeps both, and is missing."""
    with watched(tmp_path, url=database_url) as at:
        at.sign()
        assert at.look().returncode == 0
        flip(at.room.store, at.room.keys, at.stage, 100)
        assert Ledger(at.room.store, at.room.keys).audit(at.stage) == []

        caught = at.look()

        assert caught.returncode == 3, caught.stderr
        assert "cannot both be true" in caught.stderr
        assert at.look().returncode == 3  # from then on it signs nothing more of this stage
        at.room.freeze()
        bundle = make(at.room.store, at.room.keys, at.stage, now())
        assert verify_files(bundle.files).document.witnesses[0].final is False
        with refusing(VerificationError, match="200 rows are not the votes that it sealed"):
            verify_files(bundle.files, witnesses=read_witness(at.book))
        with refusing(VerificationError, match="has cosigned nothing"):
            verify_files(bundle.files, witnesses=read_witness(at.book / "witness.json"))
        with refusing(Unusable, match="Not yet: witness"):
            lifecycle.publish(
                at.room.store, at.room.keys, at.stage, tmp_path / "out", tmp_path, organizer=CLI, now=now()
            )
    [evidence] = at.evidence()
    shown = CliRunner().invoke(cli, ["verify", str(evidence), "--jwks", str(at.jwks(tmp_path))])
    assert (shown.exit_code, "two different histories of 200 votes" in shown.stdout) == (0, True), shown.output


def test_two_histories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An arena that shows the witness one history and everybody else another, both signed: whoever is shown the other one meets the witness."""
    monkeypatch.setattr(voting, "NOW", now())
    with watched(tmp_path / "one", votes=1) as at:
        who, rule = at.room.stage.entrant_ids, pairing.rule_of(at.room.stage)
        monkeypatch.setattr(voting, "draw", lambda seed, n, _removed: pairing.draw(seed, n, who, rule, {}))
        other = tmp_path / "other"
        other.mkdir()
        with contextlib.closing(sqlite3.connect(tmp_path / "one" / "arena.db")) as connection:
            connection.execute("VACUUM INTO ?", [str(other / "arena.db")])
        (other / "keys.json").write_bytes((tmp_path / "one" / "keys.json").read_bytes())
        (other / "keys.json").chmod(0o600)
        # One vote is the same in both; then each has another one under the same size.
        cast_one_more(at.room.store, at.room.stage, at.room.keys, "model_a")
        at.sign()
        assert at.look().returncode == 0
        twin = Store(f"sqlite:///{other / 'arena.db'}")
        cast_one_more(twin, at.room.stage, at.room.keys, "model_b")
        Ledger(twin, at.room.keys).checkpoint(at.stage, now())
        with serving(other, tmp_path / "one" / "stage.toml") as base:
            caught = witness(base, at.book)
        bundle = make(twin, at.room.keys, at.stage, now())
        twin.close()
    assert (caught.returncode, len(at.evidence())) == (3, 1), caught.stderr
    assert verify_files(bundle.files).document.population.n_votes_raw == 2
    with refusing(VerificationError, match="not the votes that it sealed"):
        verify_files(bundle.files, witnesses=read_witness(at.book))


def test_a_late_seed(tmp_path: Path) -> None:
    """The operator puts another seed under the stage once votes are in, with an opening act to match, all signed anew: the witness knows the first one."""
    with watched(tmp_path, votes=20) as at:
        at.sign()
        assert at.look().returncode == 0
        record = at.room.store.stages.find(at.stage)
        assert record is not None
        assert record.opening is not None
        seed = "5" * 64
        act = record.opening.replace(record.draw_commitment, commitment(seed))
        with at.room.store.database.writing() as connection:
            connection.execute(update(stages).values(draw_seed=seed, opening=act))
        sign_again(at.room.store, at.room.keys, at.stage, opening_sha256(act.encode()))

        caught = at.look()

        bundle = make(at.room.store, at.room.keys, at.stage, now())
    assert caught.returncode == 3, caught.stderr
    [evidence] = at.evidence()
    shown = CliRunner().invoke(cli, ["verify", str(evidence), "--jwks", str(at.jwks(tmp_path))])
    assert (shown.exit_code, "two different opening acts" in shown.stdout) == (0, True), shown.output
    assert verify_files(bundle.files).document.opening.draw_commitment == commitment(
        seed
    )  # while open, the seed is nobody's to hold against the draws
    with refusing(VerificationError, match="kept checkpoint"):
        verify_files(bundle.files, witnesses=read_witness(at.book))
    with refusing(VerificationError, match="is another opening act"):
        verify_files(bundle.files, witnesses=[replace(each, heads=()) for each in read_witness(at.book)])


def test_votes_that_went(tmp_path: Path) -> None:
    """A ledger cut back and signed again is a rollback; one that only hides what it showed is said, and proved by nothing yet."""
    with watched(tmp_path, votes=20) as at:
        at.sign()
        assert at.look().returncode == 0
        with at.room.store.database.writing() as connection:
            connection.execute(delete(checkpoints).where(checkpoints.c.size == 20))
        hidden = at.look()
        assert (hidden.returncode, "no longer shows" in hidden.stderr) == (1, True)
        with at.room.store.database.writing() as connection:
            connection.execute(delete(leaves).where(leaves.c.n >= 15))
            gone = connection.execute(select(votes.c.battle_id).order_by(votes.c.seq.desc()).limit(5)).scalars().all()
            connection.execute(delete(votes).where(votes.c.battle_id.in_(gone)))
            connection.execute(update(battles).where(battles.c.id.in_(gone)).values(state="abandoned"))
        assert Ledger(at.room.store, at.room.keys).checkpoint(at.stage, now()).size == 15
        caught = at.look()
    assert caught.returncode == 3, caught.stderr
    [evidence] = at.evidence()
    shown = CliRunner().invoke(cli, ["verify", str(evidence), "--jwks", str(at.jwks(tmp_path))])
    assert "15 votes were signed after 20" in shown.stdout, shown.output


def test_only_named_witnesses_are_taken_and_only_of_what_is_here(tmp_path: Path) -> None:
    """A cosignature is kept where the stage file names its witness, its signature holds and it is of a checkpoint of this stage; the first one stays; a file does as well as HTTP."""
    with watched(tmp_path, votes=20) as at:
        at.sign()
        stranger = witness(at.base, tmp_path / "stranger", "--name", "stranger")
        assert (stranger.returncode, "does not take it" in stranger.stdout) == (0, True), stranger.stderr
        own = Identity.open(at.book, "witness", None)
        head = httpx.get(f"{at.base}/api/v1/checkpoints").json()["checkpoints"][-1]
        good = cosigned(own, head, None, now())

        def sends(told: Mapping[str, Any], size: int = 20) -> tuple[int, str]:
            answer = httpx.post(f"{at.base}/api/v1/checkpoints/{size}/cosignatures", json=dict(told))
            return answer.status_code, answer.json().get("code", "")

        assert sends({**good, "at": good["at"].replace("2026", "2027")}) == (403, "cosignature_unknown")
        assert sends(cosigned(replace(own, name="other"), head, None, now())) == (403, "cosignature_unknown")
        assert sends(cosigned(own, {**head, "root": "0" * 64}, None, now())) == (409, "cosignature_of_another")
        assert sends(cosigned(own, {**head, "size": 19}, None, now()), 19) == (404, "no_such_checkpoint")
        assert sends(good, 0) == (409, "cosignature_of_another")
        assert sends({**good, "more": 1}) == (422, "unusable")
        assert sends({**good, "jws": "x" * 70_000})[0] == 413
        kept = tmp_path / "cosignature.json"
        kept.write_bytes(orjson.dumps(good))
        environment = {"ARENA_DATA_DIR": str(tmp_path)}
        made = CliRunner().invoke(cli, ["export", at.stage, "--cosignatures", str(kept)], env=environment)
        assert made.exit_code == 0, made.output
        assert sends(cosigned(own, head, None, now() + timedelta(hours=1))) == (201, "")
        [stored] = at.room.store.cosignatures.of_stage(at.stage)
        assert stored.to_json() == good


def test_a_witness_that_knew_the_commitment_before_the_beacon(tmp_path: Path) -> None:
    """A witness notes the draft's commitment when it sees it; where a beacon is mixed in, the check requires one that had seen it before."""
    now = datetime.now(UTC).replace(microsecond=0)
    at, before, after = now + timedelta(hours=2), now + timedelta(hours=1), now + timedelta(hours=4)
    early, late = (Identity.open(tmp_path / name, name, None) for name in ("early", "late"))
    top = named(tmp_path / "early", name="early") + named(tmp_path / "late", name="late").partition("\n")[2]
    beacon = f'[beacon]\nsource = {{ ko = "비콘", en = "A beacon" }}\nat = {at.isoformat()}\n'
    file = stage_toml(top=top + beacon).replace("synthetic = true", "synthetic = false") + OPERATOR
    stage, keys = Stage.from_toml(file.encode(), "stage.toml"), Keys.open(tmp_path, {})
    with serving(tmp_path, file) as base:
        client, store = ArenaClient(base), Store(f"sqlite:///{tmp_path / 'arena.db'}")
        assert follow(client, tmp_path / "early", early, before).size is None
        store.stages.open(stage, CLI, now + timedelta(hours=3), "17")
        Ledger(store, keys).checkpoint(stage.id, now + timedelta(hours=3))
        for identity in (early, late):
            assert follow(client, tmp_path / identity.name, identity, after).accepted
    bundle = make(store, keys, stage.id, after)
    store.close()
    assert [each.known_since for each in bundle.document.witnesses] == [before, None]
    assert verify_files(bundle.files, witnesses=read_witness(tmp_path / "early"))
    with refusing(VerificationError, match="before the beacon spoke"):
        verify_files(bundle.files, witnesses=read_witness(tmp_path / "late"))


def test_new_keys_are_believed_only_from_elsewhere(tmp_path: Path) -> None:
    """After the arena has rotated its keys a witness goes on once it is given the new public ones, and not before."""
    with watched(tmp_path, votes=20) as at:
        assert at.look().returncode == 0
        at.room.keys = at.room.keys.rotate_signing()
        at.sign()
        unknown = at.look()
        assert (unknown.returncode, "no signature by a known key" in unknown.stderr) == (1, True)
        assert at.look("--jwks", str(at.jwks(tmp_path))).returncode == 0
    assert at.evidence() == []


class Bad(http.server.BaseHTTPRequestHandler):
    """An arena that answers badly."""

    answer: tuple[int, bytes] = (200, b"")
    asked = 0

    def do_GET(self) -> None:  # the library's name
        """Answers."""
        type(self).asked += 1
        self.send_response(self.answer[0])
        self.send_header("content-length", str(len(self.answer[1])))
        self.end_headers()
        self.wfile.write(self.answer[1])

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@pytest.mark.parametrize(
    "answer",
    [(503, b"{}"), (200, b"not json"), (200, b"[]"), (200, b" " * 9_000_000), (200, b'{"checkpoints": [{"size": -1}], "stage": "x"}')],
)  # fmt: skip
def test_an_arena_that_answers_badly_teaches_nothing(tmp_path: Path, answer: tuple[int, bytes]) -> None:
    """Errors, rubbish and answers without end are asked for again, and leave neither cosignature nor evidence."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Bad,), {"answer": answer})) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        own = Identity.open(tmp_path, "witness", None)
        with pytest.raises(Unreachable):
            follow(
                ArenaClient(f"http://127.0.0.1:{server.server_port}"),
                tmp_path,
                own,
                now(),
                stage="x",
                jwks={"keys": []},
            )
        server.shutdown()
    assert not list(tmp_path.rglob("rounds/*.json")) + list(tmp_path.rglob("evidence-*"))


def test_a_witness_asks_again(tmp_path: Path) -> None:
    """With --once an arena that is not there is asked four times, then the exit code is 1; a key that others can read is refused."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Bad,), {"answer": (503, b"{}")})) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ended = witness(f"http://127.0.0.1:{server.server_port}", tmp_path)
        server.shutdown()
        asked = server.RequestHandlerClass.asked  # type: ignore[attr-defined]
    assert (ended.returncode, asked) == (1, 4)
    (tmp_path / "key.json").chmod(0o644)
    assert "can be read by others" in witness("http://127.0.0.1:1", tmp_path).stderr
