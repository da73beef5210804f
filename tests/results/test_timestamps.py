"""Time stamps by an authority outside: what they are about, whose they are, and that a later history has none of that time."""

import base64
import hashlib
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
import rfc8785
from typer.testing import CliRunner

from arena.cli import app as cli
from arena.domain.errors import Unusable
from arena.record.keys import Keys
from arena.record.ledger import Ledger
from arena.record.store import Store
from arena.results.export.bundle import Bundle, make, seal, write
from arena.results.export.document import JSON, SUMS, TIMESTAMPS
from arena.results.export.proofs import VerificationError
from arena.results.export.verify import verify_files
from arena.results.witness.stamps import due, read_roots, stamp, stamped_at
from tests.support import voting
from tests.support.stages import NOW, Room
from tests.support.tsa import Authority, authority
from tests.support.voting import STAGE
from tests.support.witness import flip
from tests.support.words import refusing


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    """An authority: `openssl ts`."""
    with authority(tmp_path_factory.mktemp("tsa") / "one") as serving:
        yield serving


def frozen(folder: Path, ahead: timedelta = timedelta()) -> Room:
    """A frozen stage of now, which is the time that an authority gives, or of an arena whose clock is ahead."""
    now = datetime.now(UTC) + ahead
    return Room(folder, clock=lambda: now).vote(60, voters=10).freeze()


def stamped(room: Room, tsa: Authority) -> Bundle:
    """The export of a stage whose checkpoints were stamped by the command."""
    environment = {"ARENA_DATA_DIR": str(room.folder), "ARENA_TSA": f"{tsa.url}?key=secret"}
    made = CliRunner().invoke(cli, ["timestamp", room.stage.id], env=environment)
    assert made.exit_code == 0, made.output
    return make(room.store, room.keys, room.stage.id, room.clock())


def test_a_stamp_is_over_the_checkpoint_and_by_whom_it_says(tsa: Authority, tmp_path: Path) -> None:
    """The command has the first and the newest checkpoint stamped; both checks hold, `openssl ts -verify` agrees, and another root is not believed.

    What was secret in the authority's address stands in no export.
    """
    room = frozen(tmp_path)
    bundle = stamped(room, tsa)
    room.close()
    lines = [orjson.loads(line) for line in bundle.files[TIMESTAMPS].splitlines()]
    assert [(line["size"], line["tsa"]) for line in lines] == [(size, f"{tsa.url}?key=***") for size in (0, 60)]
    assert all(abs(datetime.fromisoformat(line["at"]) - datetime.now(UTC)) < timedelta(minutes=10) for line in lines)
    roots = read_roots(tsa.root.read_bytes())
    checks = [passed.code for passed in verify_files(bundle.files, tsa_roots=roots).checks]
    assert "timestamps_trusted" in checks
    assert "timestamps" in [passed.code for passed in verify_files(bundle.files).checks]
    folder = write(bundle, tmp_path / "out")
    shown = CliRunner().invoke(cli, ["verify", str(folder), "--tsa-root", str(tsa.root)])
    assert (shown.exit_code, "time stamps: 2 by trusted authorities" in shown.stdout) == (0, True), shown.output
    head = orjson.loads(bundle.files["checkpoints.jsonl"].splitlines()[-1])
    del head["jws"]
    (tmp_path / "payload").write_bytes(rfc8785.dumps(head))
    (tmp_path / "answer.tsr").write_bytes(base64.b64decode(lines[-1]["answer"]))
    openssl = ["openssl", "ts", "-verify", "-data", "payload", "-in", "answer.tsr", "-CAfile", str(tsa.root)]
    subprocess.run(openssl, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    with authority(tmp_path / "other") as other, refusing(VerificationError, match="not under a root certificate"):
        verify_files(bundle.files, tsa_roots=read_roots(other.root.read_bytes()))


def test_stamps_of_another_history_or_time_are_refused(tsa: Authority, tmp_path: Path) -> None:
    """An operator who turns votes round after the stamp, tells another time, or leaves the last stamp out is refused."""
    room = frozen(tmp_path)
    good = stamped(room, tsa)
    roots = read_roots(tsa.root.read_bytes())

    def forged(*lines: bytes) -> dict[str, bytes]:
        """The same export with other time stamps, signed anew."""
        data = b"".join(line + b"\n" for line in lines)
        document = good.document.model_copy(deep=True)
        told = orjson.loads(good.files[JSON])
        told["provenance"]["timestamps_file"] |= {"sha256": hashlib.sha256(data).hexdigest(), "rows": len(lines)}
        files = {name: held for name, held in good.files.items() if name not in (JSON, SUMS)}
        return dict(seal(type(document).model_validate(told), {**files, TIMESTAMPS: data}, room.keys).files)

    first, last = good.files[TIMESTAMPS].splitlines()
    moved = rfc8785.dumps({**orjson.loads(last), "at": "2026-01-01T00:00:00.000+09:00"})
    crossed = rfc8785.dumps({**orjson.loads(last), "answer": orjson.loads(first)["answer"]})
    rubbish = rfc8785.dumps({**orjson.loads(last), "answer": base64.b64encode(b"rubbish").decode()})
    for line in (moved, crossed, rubbish):
        with refusing(VerificationError, match="not of the time that is told"):
            verify_files(forged(first, line))
    with refusing(VerificationError, match="over 60 votes, has no time stamp"):
        verify_files(forged(first), tsa_roots=roots)
    assert "timestamps_earlier" in [passed.code for passed in verify_files(forged(first)).checks]
    flip(room.store, room.keys, room.stage.id, 30)
    late = make(room.store, room.keys, room.stage.id, room.clock())
    room.close()
    with refusing(VerificationError, match="is not about a checkpoint of this history"):
        verify_files(late.files)


def test_a_checkpoint_from_after_its_stamp_is_refused(tsa: Authority, tmp_path: Path) -> None:
    """An operator whose clock is ahead, so that later votes would still fit, is refused: what an authority has seen was signed by then."""
    room = frozen(tmp_path, ahead=timedelta(hours=1))
    bundle = stamped(room, tsa)
    room.close()
    with refusing(VerificationError, match="says that it was signed at .*, and was stamped at"):
        verify_files(bundle.files)


def test_of_two_authorities_one_is_enough(tsa: Authority, tmp_path: Path) -> None:
    """Whoever trusts one of them believes its stamps, and counts no other's."""
    with authority(tmp_path / "other") as other:
        room = frozen(tmp_path)
        stamped(room, tsa)
        for head in Ledger(room.store, room.keys).checkpoints(room.stage.id):
            stamp(room.store.timestamps, head, other.url)
        bundle = make(room.store, room.keys, room.stage.id, room.clock())
        room.close()
        for each in (tsa, other):
            found = verify_files(bundle.files, tsa_roots=read_roots(each.root.read_bytes())).checks
            assert [passed.params["n"] for passed in found if passed.code == "timestamps_trusted"] == [2]


def test_what_is_due(store: Store, tsa: Authority, tmp_path: Path) -> None:
    """The opening's checkpoint at once, then the newest one once a day, and the last one when the stage is over; nothing twice."""
    voting.open_stage(store)
    keys = Keys.open(tmp_path, {})
    keys.secret = voting.SECRET
    ledger = Ledger(store, keys)
    assert due(store.timestamps, ledger, STAGE, NOW, over=False) == []
    ledger.checkpoint(STAGE, NOW)
    now = datetime.now(UTC)

    def sizes(later: timedelta, *, over: bool = False) -> list[int]:
        return [head.size for head in due(store.timestamps, ledger, STAGE, now + later, over=over)]

    assert sizes(timedelta()) == [0]
    stamp(store.timestamps, ledger.checkpoints(STAGE)[0], tsa.url)
    citizen = voting.enrol(store)
    voting.vote(store, voting.ready(store, citizen), citizen)
    head = ledger.checkpoint(STAGE, NOW)
    assert (sizes(timedelta(hours=1)), sizes(timedelta(hours=25)), sizes(timedelta(), over=True)) == ([], [1], [1])
    stamp(store.timestamps, head, tsa.url)
    assert (sizes(timedelta(hours=25)), sizes(timedelta(), over=True)) == ([], [])


def test_an_authority_that_is_none(tmp_path: Path) -> None:
    """No answer, rubbish and an address that is none are said in a sentence, and nothing is kept."""
    room = Room(tmp_path).vote(60, voters=10)
    head = Ledger(room.store, room.keys).checkpoint(room.stage.id, NOW)
    for url, said in (("http://127.0.0.1:1/", "does not answer"), ("ftp://x", "is no address")):
        with refusing(Unusable, match=said):
            stamp(room.store.timestamps, head, url)
    with refusing(Unusable, match="cannot be read"):
        stamped_at(b"rubbish", head.payload())
    assert room.store.timestamps.of_stage(room.stage.id) == []
    room.close()
