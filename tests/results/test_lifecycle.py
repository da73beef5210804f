"""A stage's one way, draft → open → frozen → published: sealed at the start, exact at the end, told in the open."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from arena.cli import app as cli
from arena.cli.stage_page import shown
from arena.domain.errors import ArenaError, Conflict, StageError, Unusable
from arena.domain.stage import Stage, StageStatus
from arena.record.keys import Keys
from arena.record.ledger import Ledger
from arena.record.store import Store
from arena.results import lifecycle
from arena.results.export.bundle import make
from arena.results.export.verify import verify
from arena.results.votes.removals import removals, remove_entrant
from arena.results.votes.sealed import known, sealed_stage
from arena.settings import ROOT, Settings
from arena.simulate import simulated_stage
from tests.support import voting
from tests.support.serving import OPERATOR, Citizen, serving
from tests.support.stages import CLI, NOW, Room
from tests.support.words import refusing, sentence

SHA = "a" * 64


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """The arena's keys."""
    return Keys.open(tmp_path / "keys", {})


def declared(stage_id: str, *, more: str = "") -> tuple[Stage, bytes]:
    """A stage that is not synthetic, its entrants sealed."""
    _, data = simulated_stage(stage_id, more=more)
    text = data.decode().replace("synthetic = true", "synthetic = false")
    text = text.replace('backend = "scripted"', f'backend = "scripted"\nsha256 = "{SHA}"') + OPERATOR
    return Stage.from_toml(text.encode(), stage_id), text.encode()


def test_opening_seals_file_and_artifacts(store: Store, keys: Keys) -> None:
    """The stage's file and every entrant's artifact hash are committed at the opening, in the record and in the audit log; a second opening is refused."""
    stage, file = declared("round-1")
    record = lifecycle.open_stage(store, keys, stage, file, organizer=CLI, now=NOW)

    [event] = store.events.of_stage("round-1", "stage.opened")
    assert record.status is StageStatus.OPEN
    assert record.opened_at == NOW
    assert event.actor == CLI
    assert {name: value for name, value in event.data.items() if name != "evidence_keys"} == {
        "file_sha256": record.file_sha256,
        "entrants": dict.fromkeys(stage.entrant_ids, SHA),
    }
    assert list(event.data["evidence_keys"]) == list(stage.entrant_ids)
    with refusing(Conflict, match="round-1 is open; it has to be draft"):
        lifecycle.open_stage(store, keys, stage, file, organizer=CLI, now=NOW)


def test_a_sealed_file_changed_in_the_database_is_named(store: Store, keys: Keys) -> None:
    """Somebody with SQL makes the places at the cut more after the opening: nothing is exported from such a stage, and the refusal says why."""
    stage, file = declared("round-1")
    lifecycle.open_stage(store, keys, stage, file, organizer=CLI, now=NOW)
    with store.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE stages SET file = replace(file, 'round = 1', 'round = 9')")

    with refusing(Conflict, match="was changed in the database"):
        known(store, "round-1")


def test_a_real_stage_does_not_open_unsealed(store: Store, keys: Keys) -> None:
    """Without an artifact hash a model could be exchanged: such an entrant is named and nothing opens."""
    stage, file = declared("round-1")
    text = file.decode().replace(f'sha256 = "{SHA}"', "", 1)

    with refusing(Unusable, match="garam: give the sha256"):
        lifecycle.open_stage(store, keys, Stage.from_toml(text.encode(), ""), text.encode(), organizer=CLI, now=NOW)
    assert store.stages.find(stage.id) is None


def test_a_real_stage_does_not_open_anonymously(store: Store, keys: Keys) -> None:
    """Without the operator whom the law wants named, nothing opens, and the refusal names every key that is missing."""
    stage, file = declared("round-1")
    text = file.decode().replace('telephone = "02-000-0000"\n', "").replace("transfers = []\n", "")

    with refusing(StageError, match=r"Missing: operator\.telephone, operator\.transfers\."):
        lifecycle.open_stage(store, keys, Stage.from_toml(text.encode(), ""), text.encode(), organizer=CLI, now=NOW)
    assert store.stages.find(stage.id) is None


@pytest.mark.http
def test_a_changed_file_refuses_to_serve(tmp_path: Path) -> None:
    """Once open, one changed byte of the stage file and the arena does not start: it says which hash is sealed and which one this is."""
    import app

    file = tmp_path / "stage.toml"
    _, data = simulated_stage("round-1")
    file.write_bytes(data)
    chosen = Settings(data_dir=tmp_path, stage=file)
    app.build(chosen)
    store = Store(chosen.resolved_database_url)
    sealed = store.stages.all()[0].file_sha256

    file.write_bytes(data + b"\n")
    with pytest.raises(Conflict) as refused:
        app.build(chosen)
    assert refused.value.code == "stage_sealed"
    assert sealed in sentence(refused.value)
    assert sealed in sentence(refused.value, "ko")
    assert sentence(refused.value).count("this one is") == 1
    store.close()


def test_another_model_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`stage open` holds every local model against its seal and names the entrant and both hashes when another one lies there."""
    monkeypatch.setenv("ARENA_DATA_DIR", str(tmp_path))
    text = (ROOT / "stages" / "round-1.toml").read_text("utf-8")
    sealed = Stage.from_toml(text.encode(), "").artifacts["narae"]
    assert sealed
    changed = tmp_path / "changed.toml"
    changed.write_text(text.replace(sealed, SHA), "utf-8")

    refused = CliRunner().invoke(cli, ["stage", "open", str(changed)])
    assert refused.exit_code == 1
    assert f"narae: the stage file says {SHA}" in refused.stderr
    assert sealed in refused.stderr
    opened = CliRunner().invoke(cli, ["stage", "open", str(ROOT / "stages" / "round-1.toml")])
    assert opened.exit_code == 0, opened.output
    shown = CliRunner().invoke(cli, ["stage", "show", "round-1"])
    for entrant, sha256 in Stage.from_toml(text.encode(), "").artifacts.items():
        assert entrant in shown.stdout
        assert sha256
        assert sha256 in shown.stdout


def test_two_rounds_live_in_one_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Round 1 with five entrants and round 2 with four stand side by side; freezing one leaves the other open."""
    monkeypatch.setenv("ARENA_DATA_DIR", str(tmp_path))
    for name in ("round-1", "round-2"):
        assert CliRunner().invoke(cli, ["stage", "open", str(ROOT / "stages" / f"{name}.toml")]).exit_code == 0
    assert CliRunner().invoke(cli, ["stage", "freeze", "round-1"]).exit_code == 0

    shown = CliRunner().invoke(cli, ["stage", "show"]).stdout
    assert [line.split()[:2] for line in shown.splitlines()] == [["round-1", "frozen"], ["round-2", "open"]]
    store = Store(f"sqlite:///{tmp_path / 'arena.db'}")
    stages = [sealed_stage(store, name) for name in ("round-1", "round-2")]
    assert [len(stage.entrants) for stage in stages] == [5, 4]
    assert all(all(stage.artifacts.values()) for stage in stages)
    store.close()


def test_a_process_serves_one_stage_of_several(tmp_path: Path) -> None:
    """A process is given one stage file: citizens vote in that stage alone, and what is public of both is at hand."""
    one = Room(tmp_path, stage_id="other").vote(60)
    _, data = simulated_stage("served")
    file = tmp_path / "served.toml"
    file.write_bytes(data)

    with serving(tmp_path, file) as base:
        citizen = Citizen(base).agree()
        battle = citizen.open()
        citizen.ask(battle)
        assert citizen.vote(battle).status_code == 201
        public = {stage["id"]: stage for stage in citizen.http.get("/stages").json()}
    assert public.keys() == {"other", "served"}
    assert public["served"]["file_sha256"] == one.store.stages.find("served").file_sha256  # type: ignore[union-attr]
    assert len(public["served"]["draw_commitment"]) == 64
    assert one.store.votes.count("served") == 1
    assert one.store.votes.count("other") == 60
    one.close()


def test_a_removal_is_an_event(store: Store, keys: Keys) -> None:
    """An entrant leaves with reason and date, for good, never in secret: not twice, not after the freeze, not down to one."""
    stage, file = declared("round-1")
    lifecycle.open_stage(store, keys, stage, file, organizer=CLI, now=NOW)
    with refusing(Unusable, match="reason"):
        remove_entrant(store, stage, "maru", reason=" ", organizer=CLI, now=NOW)
    remove_entrant(store, stage, "maru", reason="withdrew", organizer=CLI, now=NOW)
    with pytest.raises(Conflict):
        remove_entrant(store, stage, "maru", reason="again", organizer=CLI, now=NOW)

    assert [(r.entrant, r.at, r.reason) for r in removals(store, stage.id)] == [("maru", NOW, "withdrew")]
    assert "removed       maru at 2026-12-01T18:00:00.000+09:00: withdrew" in shown(store, stage.id)
    for entrant in ("hanbit", "dasom"):
        remove_entrant(store, stage, entrant, reason="withdrew", organizer=CLI, now=NOW)
    with refusing(Unusable, match="Fewer than two"):
        remove_entrant(store, stage, "narae", reason="withdrew", organizer=CLI, now=NOW)
    store.stages.move(stage.id, StageStatus.OPEN, StageStatus.FROZEN, NOW)
    with refusing(Conflict, match="frozen"):
        remove_entrant(store, stage, "narae", reason="withdrew", organizer=CLI, now=NOW)


def test_a_removed_entrant_is_never_drawn_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Removed by command while the arena serves, an entrant is in no battle that is drawn afterwards, and the export says when and why."""
    monkeypatch.setenv("ARENA_DATA_DIR", str(tmp_path))
    _, data = simulated_stage("served")
    file = tmp_path / "served.toml"
    file.write_bytes(data)
    with serving(tmp_path, file) as base:
        citizen = Citizen(base).agree()
        before = citizen.open()
        removed = CliRunner().invoke(cli, ["stage", "remove", "served", "maru", "--reason", "withdrew"])
        assert removed.exit_code == 0, removed.output
        for _ in range(30):
            citizen.open()
        citizen.ask(before)
        assert citizen.vote(before).status_code == 201
    store = Store(f"sqlite:///{tmp_path / 'arena.db'}")
    first, *later = store.draws.of_stage("served")
    lifecycle.freeze(store, Keys.open(tmp_path), "served", organizer=CLI, now=datetime.now(UTC))
    document = make(store, Keys.open(tmp_path), "served", datetime.now(UTC)).document
    store.close()

    assert "maru" in first.draw.available
    assert len(later) == 30
    assert all("maru" not in battle.draw.available for battle in later)
    [told] = [entrant.removed for entrant in document.entrants if entrant.removed]
    assert told.reason == "withdrew"


def test_the_way_has_one_direction(tmp_path: Path) -> None:
    """No stage is published before it is frozen, none is frozen before it is open, and nothing goes back."""
    room = Room(tmp_path).vote(60)
    stage, file = declared("draft")
    room.store.stages.register(stage.id, file.decode(), SHA, NOW)
    with refusing(Conflict, match="draft is draft"):
        lifecycle.freeze(room.store, room.keys, stage.id, organizer=CLI, now=NOW)
    with refusing(Conflict, match="it has to be frozen"):
        lifecycle.publish(room.store, room.keys, room.stage.id, tmp_path / "out", ROOT, organizer=CLI, now=NOW)
    room.freeze()
    folder, record = lifecycle.publish(
        room.store, room.keys, room.stage.id, tmp_path / "out", ROOT, organizer=CLI, now=NOW
    )

    assert record.status is StageStatus.PUBLISHED
    assert verify(folder).document.stage.id == room.stage.id
    with pytest.raises(Conflict):
        lifecycle.freeze(room.store, room.keys, room.stage.id, organizer=CLI, now=NOW)
    kinds = [event.kind for event in room.store.events.of_stage(room.stage.id)]
    assert kinds == ["stage.opened", "simulation", "stage.frozen", "stage.published"]
    room.close()


def test_an_interrupted_freeze_is_finished(tmp_path: Path) -> None:
    """A freeze that died between its steps is completed by the next call, at its own moment, with one event."""
    room = Room(tmp_path).vote(60)
    room.store.stages.move(room.stage.id, StageStatus.OPEN, StageStatus.FROZEN, NOW)

    later = datetime(2027, 1, 1, tzinfo=UTC)
    for _ in range(2):
        record, head = lifecycle.freeze(room.store, room.keys, room.stage.id, organizer=CLI, now=later)
        assert (record.frozen_at, head.size, head.at) == (NOW, 60, NOW)
    assert len(room.store.events.of_stage(room.stage.id, "stage.frozen")) == 1
    assert room.store.annotations.find(room.stage.id)
    room.close()


class Crowd:
    """Citizens who vote from many threads, through connections of two processes' worth, until the stage refuses them."""

    def __init__(self, url: str, stage_id: str, battles: list[tuple[str, str]]) -> None:
        self.stores = [Store(url), Store(url)]
        self.stage_id = stage_id
        self.waiting = battles
        self.receipts: list[str] = []
        self.refused: list[ArenaError] = []
        self.enough = threading.Event()

    def vote(self, n: int) -> None:
        """Votes until there is nothing left to vote on."""
        store = self.stores[n % 2]
        while self.waiting:
            battle_id, name = self.waiting.pop()
            citizen = voting.enrol(store, name)
            battle = store.battles.get(battle_id)
            assert battle is not None
            try:
                self.receipts.append(voting.vote(store, battle, citizen)[0].receipt)
            except ArenaError as error:
                self.refused.append(error)
            if len(self.receipts) >= 40:
                self.enough.set()


@pytest.fixture
def crowd(database_url: str) -> Iterator[Crowd]:
    """An open stage with battles that wait for their vote."""
    store = Store(database_url)
    stage, file = simulated_stage(voting.STAGE)
    store.stages.adopt(stage, file, NOW)
    citizens = [voting.enrol(store, f"c{n}") for n in range(8)]
    battles = []
    for n, citizen in enumerate(citizens):
        made = voting.many_ready(store, citizen, 60, first=1 + 60 * n)
        battles += [(battle.id, f"c{n}") for battle in made]
    store.close()
    gathered = Crowd(database_url, stage.id, battles)
    yield gathered
    for opened in gathered.stores:
        opened.close()


def test_a_freeze_is_exact_under_load(crowd: Crowd, tmp_path: Path) -> None:
    """While eight threads vote through two processes' connections, the stage freezes: every vote that was thanked for is under the
    final checkpoint, every other one was told that the stage is closed, and nothing in between exists."""
    keys = Keys.open(tmp_path / "keys", {})
    keys.secret = voting.SECRET
    store = crowd.stores[0]
    with ThreadPoolExecutor(9) as pool:
        running = [pool.submit(crowd.vote, n) for n in range(8)]
        assert crowd.enough.wait(60)
        record, head = lifecycle.freeze(store, keys, crowd.stage_id, organizer=CLI, now=datetime.now(UTC))
        sealed = len(store.events.of_stage(crowd.stage_id, "stage.frozen"))
        for job in running:
            job.result()

    assert record.status is StageStatus.FROZEN
    assert sealed == 1
    assert len(crowd.receipts) + len(crowd.refused) == 480
    assert crowd.refused
    assert {error.code for error in crowd.refused} == {"stage_not_open"}
    assert head.size == len(crowd.receipts) == store.votes.count(crowd.stage_id)
    ledger = Ledger(store, keys)
    assert ledger.newest(crowd.stage_id) == head
    for receipt in crowd.receipts:
        proof = ledger.inclusion(receipt)
        assert proof is not None
        assert proof.checkpoint == head
    assert ledger.audit(crowd.stage_id) == []


def test_after_the_freeze_a_citizen_is_told(tmp_path: Path) -> None:
    """Over HTTP: an open battle whose stage froze meanwhile refuses the vote with its code and the next step; the vote before it counts."""
    _, data = simulated_stage("served")
    file = tmp_path / "served.toml"
    file.write_bytes(data)
    with serving(tmp_path, file) as base:
        citizen = Citizen(base).agree()
        first, second = citizen.open(), citizen.open()
        for battle in (first, second):
            citizen.ask(battle)
        receipt = citizen.vote(first).json()["receipt"]
        store = Store(f"sqlite:///{tmp_path / 'arena.db'}")
        _, head = lifecycle.freeze(store, Keys.open(tmp_path), "served", organizer=CLI, now=datetime.now(UTC))
        late = citizen.vote(second)
        again = citizen.vote(first)
        proof = citizen.http.get(f"/receipts/{receipt}").json()
        store.close()

    assert head.size == 1
    assert (late.status_code, late.json()["code"]) == (409, "stage_not_open")
    assert late.json()["ko"]
    assert (again.status_code, again.json()["receipt"]) == (200, receipt)
    assert proof["status"] == "included"
    assert proof["checkpoint"]["root"] == head.root
