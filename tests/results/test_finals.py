"""One chain of results: what is published is the same bytes for ever, only an open correction takes its place, and whoever has the signed list takes no other."""

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from arena.cli import app as cli
from arena.domain.errors import ArenaError, Conflict, Unusable
from arena.record.keys import Keys
from arena.record.store import Store
from arena.results import lifecycle
from arena.results.export.bundle import make, sums
from arena.results.export.chain import export_list, remade, shelved
from arena.results.export.document import JSON, SUMS, VOTES
from arena.results.export.export_list import ExportList, read_list
from arena.results.export.proofs import VerificationError
from arena.results.export.tables import EvidenceError
from arena.results.export.verify import verify, verify_files
from arena.results.integrity import review
from arena.results.votes.exclusions import ExclusionReason
from arena.settings import ROOT
from tests.support.stages import CLI, NOW, Room
from tests.support.words import refusing

LATER = NOW + timedelta(days=1)
TWO = {i: (i, i) for i in ("garam", "narae")}


def read(folder: Path) -> dict[str, bytes]:
    """A folder's files."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def corrected(room: Room, **how: list[str]) -> Path:
    """A correction a day after."""
    where = (room.store, room.keys, room.stage.id, room.folder / "exports" / room.stage.id, ROOT)
    return lifecycle.correct(*where, reason="cast by a team", organizer=CLI, now=LATER, **how)


def listed(room: Room) -> ExportList:
    """The chain as anybody gets it."""
    return read_list(export_list(room.store, room.keys, room.stage.id, LATER).canonical(), "exports.json")


def test_open_freeze_decide_publish(database_url: str, tmp_path: Path) -> None:
    """The whole way: provisional until everything is decided on, then final, with what was declined and who looked; the live way back is closed."""
    room = Room(tmp_path, url=database_url, teams=TWO).vote(60)
    store, stage = room.store, room.stage.id
    preliminary = room.bundle().document
    speed, side = (
        room.propose(ExclusionReason.SPEED, room.battles()[:5]),
        room.propose(ExclusionReason.SIDE, room.battles()[9:12]),
    )
    room.freeze(speed, side)
    provisional = room.bundle().document
    review.follow(store, stage, speed.key, organizer="kim", now=NOW)
    out = room.folder / "exports" / stage
    with refusing(Conflict, match="1 proposal is not decided on"):
        lifecycle.publish(store, room.keys, stage, out, ROOT, organizer=CLI, now=NOW)
    assert store.finals.of_stage(stage) == []
    assert not list(out.glob("*"))
    review.decline(store, stage, side.key, why="they explained", organizer="lee", now=NOW)
    folder, _ = lifecycle.publish(store, room.keys, stage, out, ROOT, organizer=CLI, now=NOW)
    final = verify(folder, room.keys.jwks(), exports=listed(room)).document
    room.close()

    assert [d.final for d in (preliminary, provisional, final)] == [False, False, True]
    assert [d.stage.status for d in (preliminary, provisional, final)] == ["open", "frozen", "published"]
    assert [(p.decision, p.why) for p in final.review.proposals] == [("followed", None), ("declined", "they explained")]
    assert [(e.reason, e.count) for e in final.population.exclusions] == [("speed", 5)]
    assert (final.supersedes, final.correction, final.stage.published_at) == (None, None, final.created_at)


def test_a_result_is_the_same_bytes_for_ever(tmp_path: Path) -> None:
    """Asked again, elsewhere, after its folder was lost or damaged, keys rotated and texts erased: the same folder, to the byte; none is made anew."""
    room = Room(tmp_path, teams=TWO).vote(60).freeze()
    folder = room.publish()
    kept = read(folder)
    with refusing(Conflict, match="does not change"):
        make(room.store, room.keys, room.stage.id, LATER)
    (folder / VOTES).write_bytes(b"")
    room.store.erasure.texts_before(room.stage.id, NOW.replace(year=2040), NOW, judged=True)
    keys = Keys.open(tmp_path, {}).rotate_signing()

    again = shelved(room.store, keys, room.stage.id, folder.parent)
    elsewhere = shelved(room.store, keys, room.stage.id, tmp_path / "elsewhere")
    twice, _ = lifecycle.publish(room.store, keys, room.stage.id, folder.parent, ROOT, organizer=CLI, now=LATER)
    finals = room.store.finals.of_stage(room.stage.id)
    room.close()

    assert again == twice == folder
    assert read(again) == read(elsewhere) == kept
    assert [final.document for final in finals] == [kept[JSON]]


def test_of_two_results_that_both_verify_only_the_last_is_the_stages(tmp_path: Path) -> None:
    """A correction takes the place of a result in the open: both verify by themselves, and with the signed list the one that was replaced is refused,
    as is another final export that the operator signs and lists nowhere, and one that was never final."""
    room = Room(tmp_path, teams=TWO).vote(60).freeze()
    provisional = dict(room.bundle().files)
    first = read(room.publish())
    before = listed(room)
    second = read(corrected(room, leave_out=room.battles()[:4]))
    chain, jwks = listed(room), room.keys.jwks()
    secret = verify_files(second).document.model_copy(update={"export_id": "0" * 36}).signed(room.keys)
    hidden = {**second, JSON: secret.canonical()}
    hidden[SUMS] = sums({name: data for name, data in hidden.items() if name != SUMS})
    room.close()

    for files in (first, second, hidden, provisional):
        verify_files(files, jwks)
    document = verify_files(second, jwks, exports=chain).document
    assert (document.supersedes, document.correction) == (json.loads(first[JSON])["export_id"], "cast by a team")
    assert [act.reason for act in document.exclusion_acts] == ["operator"]
    assert verify_files(first, jwks, exports=before)
    for files, why in (
        (first, f"{document.export_id} is the stage's result"),
        (hidden, "is not among the stage's final exports"),
        (provisional, "is not among the stage's final exports"),
    ):
        with refusing(VerificationError, match=why):
            verify_files(files, jwks, exports=chain)


def test_a_list_that_is_no_chain_is_refused(tmp_path: Path) -> None:
    """A list without the first export, with a link cut, of another stage, by another key, or with another hash proves nothing."""
    room = Room(tmp_path, teams=TWO).vote(60).freeze()
    room.publish()
    second, chain = read(corrected(room)), listed(room)
    stranger = Keys.open(tmp_path / "stranger", {})

    def signed(change: Callable[[dict], None], keys: Keys = room.keys) -> bytes:
        told = json.loads(chain.canonical())
        change(told)
        return ExportList.model_validate_json(json.dumps(told)).signed(keys).canonical()

    cut, unsaid = (
        signed(lambda told: told.update(finals=told["finals"][1:])),
        signed(lambda told: told["finals"][1].update(reason=None)),
    )
    for data in (cut, unsaid, chain.canonical()[:-2], b"{}"):
        with pytest.raises(VerificationError):
            read_list(data, "exports.json")
    for data in (
        signed(lambda told: told.update(stage="another")),
        signed(lambda told: told["finals"][1].update(sha256="0" * 64)),
        signed(lambda told: None, stranger),
    ):
        with pytest.raises(VerificationError):
            verify_files(second, room.keys.jwks(), exports=read_list(data, "exports.json"))
    room.close()


def test_a_correction_needs_a_result_and_a_reason(tmp_path: Path) -> None:
    """Nothing is corrected before it is published, without a reason, or with a vote that is out already; then nothing changes."""
    room = Room(tmp_path, teams=TWO).vote(60).freeze()
    with refusing(Conflict, match="has no published result yet"):
        corrected(room)
    room.publish()
    where = (room.store, room.keys, room.stage.id, room.folder / "exports" / room.stage.id, ROOT)
    with refusing(Unusable, match="Say why"):
        lifecycle.correct(*where, reason=" ", organizer=CLI, now=LATER)
    with pytest.raises(Conflict):
        corrected(room, take_back=room.battles()[:1])
    assert len(room.store.finals.of_stage(room.stage.id)) == 1
    corrected(room, leave_out=room.battles()[:2])
    document = verify(corrected(room, take_back=room.battles()[1:2])).document
    assert [act.action for act in document.exclusion_acts] == ["exclude", "restore"]
    assert [(e.reason, e.count) for e in document.population.exclusions] == [("operator", 1)]
    assert len(listed(room).finals) == 3
    for final in room.store.finals.of_stage(room.stage.id):
        assert verify_files(remade(room.store, room.keys, final).files).document.final
    room.close()


def test_of_many_who_publish_at_once_one_result_stands(database_url: str, tmp_path: Path) -> None:
    """Several processes publish, and then correct, at the same moment: one export is the result, the others are told or get the very same folder."""
    Room(tmp_path, url=database_url, teams=TWO).vote(60).freeze().close()
    keys, out = Keys.open(tmp_path, {}), tmp_path / "exports"

    stores = [Store(database_url) for _ in range(3)]

    def act(call: Callable[[Store], object], store: Store) -> object:
        try:
            return call(store)
        except ArenaError as error:
            return error.code

    def publish(store: Store) -> object:
        return lifecycle.publish(store, keys, "simulated", out, ROOT, organizer=CLI, now=NOW)[0]

    def correct(store: Store) -> object:
        return lifecycle.correct(store, keys, "simulated", out, ROOT, reason="x", organizer=CLI, now=LATER)

    with ThreadPoolExecutor(3) as pool:
        published = set(pool.map(act, [publish] * 3, stores))
        replaced = list(pool.map(act, [correct] * 3, stores))
    chain = stores[0].finals.of_stage("simulated")
    events = [event.kind for event in stores[0].events.of_stage("simulated")]
    for store in stores:
        store.close()

    folders = {each for each in published if isinstance(each, Path)}
    assert len(folders) == 1
    assert published - folders <= {"published_meanwhile"}
    assert [final.n for final in chain] == list(range(1, len(chain) + 1))
    assert len(chain) - 1 == sum(isinstance(each, Path) for each in replaced) >= 1
    assert events.count("stage.published") == 1
    assert events.count("stage.corrected") == len(chain) - 1
    assert all(verify(folder).document.final for folder in out.iterdir() if not folder.name.startswith("."))


KILLED = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from arena.record.keys import Keys
from arena.record.store import Store
from arena.results import lifecycle
from arena.results.export import atomic_write, bundle
folder, step = Path(sys.argv[1]), sys.argv[2]
if step == "before":
    bundle.verify = lambda *_, **__: os.kill(os.getpid(), 9)
else:
    Path.rename = lambda *_: os.kill(os.getpid(), 9)
store, keys = Store(f"sqlite:///{folder / 'arena.db'}"), Keys.open(folder, {})
now = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
lifecycle.publish(store, keys, "simulated", folder / "exports", folder, organizer="t", now=now, webhooks=["http://127.0.0.1:9/"])
"""


@pytest.mark.parametrize("step", ["before", "after"])
def test_a_publication_that_was_killed_is_finished(tmp_path: Path, step: str) -> None:
    """Killed before the transaction that declares it, nothing is published; killed after it, the result stands and is pushed; again, and the folder is there."""
    Room(tmp_path, teams=TWO).vote(60).freeze().close()
    run = [sys.executable, "-c", KILLED, str(tmp_path), step]
    killed = subprocess.run(run, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert killed.returncode == -9, killed.stderr
    store, keys = Store(f"sqlite:///{tmp_path / 'arena.db'}"), Keys.open(tmp_path, {})
    kept = store.finals.of_stage("simulated")
    assert len(kept) == len(store.outbox.of_stage("simulated")) == (0 if step == "before" else 1)

    folder, record = lifecycle.publish(
        store, keys, "simulated", tmp_path / "exports", ROOT, organizer=CLI, now=NOW, webhooks=["http://127.0.0.1:9/"]
    )
    finals, pushed = store.finals.of_stage("simulated"), store.outbox.of_stage("simulated")
    store.close()

    assert record.status == "published"
    assert (len(finals), len(pushed)) == (1, 1)
    assert kept in ([], finals)
    assert sha256((folder / JSON).read_bytes()).hexdigest() == json.loads(pushed[0].body)["export_sha256"]
    assert verify(folder).document.final


def test_an_interrupted_freeze_is_not_published(tmp_path: Path) -> None:
    """A freeze that died before the proposals were kept is to be finished first: nobody publishes past a review that never was."""
    room = Room(tmp_path, teams=TWO).vote(60)
    room.store.stages.move(room.stage.id, "open", "frozen", NOW)  # type: ignore[arg-type]
    with refusing(Conflict, match="freeze it again"):
        room.publish()
    lifecycle.freeze(room.store, room.keys, room.stage.id, organizer=CLI, now=NOW)
    assert verify(room.publish()).document.final
    room.close()


def test_a_record_that_was_changed_gives_no_other_result(tmp_path: Path) -> None:
    """Where the record no longer gives the files that were signed, nothing is written, and the sentence names the file."""
    room = Room(tmp_path, teams=TWO).vote(60).freeze()
    room.publish()
    [final] = room.store.finals.of_stage(room.stage.id)
    told = json.loads(final.document)
    told["provenance"]["draws_file"]["sha256"] = "0" * 64
    with refusing(EvidenceError, match=r"draws\.parquet of the published export"):
        remade(room.store, room.keys, replace(final, document=json.dumps(told).encode()))
    room.close()


def test_the_review_by_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An organizer sees what is proposed without what it does, decides, leaves out by receipt, takes back, publishes, corrects: each command says what it did."""
    monkeypatch.setenv("ARENA_DATA_DIR", str(tmp_path))
    room = Room(tmp_path, teams=TWO).vote(60)
    receipts = [row.receipt for row in room.store.votes.after(room.stage.id, 0)]
    key = room.propose(ExclusionReason.SPEED, room.battles()[:5]).key
    some, strange = tmp_path / "some.txt", tmp_path / "strange.txt"
    some.write_text("\n".join(receipts[9:11]), "utf-8")
    strange.write_text("0" * 64, "utf-8")

    def run(*arguments: str, fails: bool = False) -> str:
        done = CliRunner().invoke(cli, list(arguments))
        assert (done.exit_code != 0) == fails, done.output
        return done.stderr if fails else done.stdout

    assert "only between freeze and publication" in run("review", "follow", "simulated", fails=True)
    room.freeze(room.propose(ExclusionReason.SPEED, room.battles()[:5]))
    shown = run("review", "show", "simulated")
    assert f"{key}  undecided" in shown
    assert not any(name in shown for pair in TWO.values() for name in pair)
    assert "not decided on" in run("stage", "publish", "simulated", fails=True)
    assert "5 votes left out" in run("review", "follow", "simulated", key)
    assert "is declined" in run("review", "decline", "simulated", key, "--reason", "explained")
    assert "2 votes left out" in run("review", "leave-out", "simulated", str(some), "--grounds", "a team's")
    assert "no receipt" in run("review", "leave-out", "simulated", str(strange), "--grounds", "x", fails=True)
    assert "2 votes taken back" in run("review", "take-back", "simulated", "2", "--grounds", "not theirs")
    assert "because: explained" in run("review", "show", "simulated")
    assert "is published" in run("stage", "publish", "simulated")
    assert "A correction is" in run("review", "follow", "simulated", fails=True)
    assert "--supersede" in run("stage", "publish", "simulated", "--reason", "x", fails=True)
    assert "Say why" in run("stage", "publish", "simulated", "--supersede", fails=True)
    again = ("--supersede", "--reason", "a team's after all", "--leave-out", str(some))
    run("stage", "publish", "simulated", *again)
    chain = read_list(run("exports", "simulated").encode(), "exports.json")
    room.close()
    assert [final.reason for final in chain.finals] == [None, "a team's after all"]
    assert verify(tmp_path / "exports" / "simulated").document.export_id == chain.finals[-1].export_id
