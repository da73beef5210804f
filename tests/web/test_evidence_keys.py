"""Every entrant's own key: made when the stage opens, opens everything from publication on, and is replaced only in the open."""

import hashlib
import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from arena.cli import app as cli
from arena.domain.errors import Conflict, NotFound, Unusable
from arena.i18n.catalogue import messages
from arena.record.keys import Keys
from arena.record.store import Store
from arena.results import lifecycle
from arena.results.export.bundle import make, seal
from arena.results.export.document import JSON, SUMS
from arena.results.export.proofs import VerificationError
from arena.results.export.schema import UserScore
from arena.results.export.verify import verify_files
from arena.settings import ROOT
from arena.simulate import OPEN_FOR, simulate, simulated_stage
from tests.support.serving import serving
from tests.support.stages import CLI, NOW, Room

ENTRANTS = ["garam", "narae", "dasom", "maru", "hanbit"]
SEALED = 'disclosure = "sealed"'


def taken(folder: Path) -> dict[str, str]:
    """The keys that wait in a folder, by entrant."""
    return {path.stem: path.read_text("ascii").strip() for path in folder.glob("*.key")}


def bearer(key: str) -> dict[str, str]:
    """The header that carries it."""
    return {"authorization": f"Bearer {key}"}


def code(response: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal."""
    return response.status_code, response.json()["code"]


def test_opening_makes_and_promises_a_key_for_each(store: Store, tmp_path: Path) -> None:
    """Each entrant has a file of its own that only the organizer reads; the record has digests alone, the opening names them, and no command makes or ends such a key."""
    stage, file = simulated_stage(more=SEALED)
    lifecycle.open_stage(store, Keys.open(tmp_path, {}), stage, file, organizer=CLI, now=NOW, evidence=tmp_path)
    keys = taken(tmp_path / stage.id)
    assert sorted(keys) == sorted(ENTRANTS)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / stage.id).iterdir()} == {0o600}
    assert (tmp_path / stage.id).stat().st_mode & 0o777 == 0o700
    [opening] = store.events.of_stage(stage.id, "stage.opened")
    told = opening.data["evidence_keys"]
    assert {e: each["sha256"] for e, each in told.items()} == {
        e: hashlib.sha256(key.encode()).hexdigest() for e, key in keys.items()
    }
    assert not any(key in str(opening.data) for key in keys.values())
    found = store.api_keys.find(keys["garam"], NOW)
    assert found is not None
    assert (found.id, found.scopes, found.stage_id) == (told["garam"]["id"], ("evidence",), stage.id)
    with pytest.raises(Conflict) as refused:
        store.api_keys.revoke(found.id, NOW)
    assert refused.value.code == "evidence_key_kept"
    with pytest.raises(Unusable):
        store.api_keys.new("a friend", stage.id, ["evidence"], NOW)


def test_the_command_tells_where_the_keys_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`stage open` says in which folder they wait, and for whom, and shows none."""
    monkeypatch.setenv("ARENA_DATA_DIR", str(tmp_path))
    _, data = simulated_stage("sealed", more=SEALED)
    (tmp_path / "sealed.toml").write_bytes(data)
    ran = CliRunner().invoke(cli, ["stage", "open", str(tmp_path / "sealed.toml")])
    keys = taken(tmp_path / "evidence" / "sealed")
    assert sorted(keys) == sorted(ENTRANTS)
    assert str(tmp_path / "evidence" / "sealed") in ran.stdout
    assert not any(key in ran.output for key in keys.values())


def test_no_stage_opens_whose_keys_cannot_be_written(store: Store, tmp_path: Path) -> None:
    """Where the files cannot be written the stage stays a draft, and no key is kept."""
    stage, file = simulated_stage()
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="file"):
        lifecycle.open_stage(
            store, Keys.open(tmp_path, {}), stage, file, organizer=CLI, now=NOW, evidence=tmp_path / "file"
        )
    record = store.stages.find(stage.id)
    assert record is not None
    assert record.status.value == "draft"
    assert store.api_keys.all() == []


def test_a_key_is_replaced_only_in_the_open(database_url: str, tmp_path: Path) -> None:
    """A rotation ends the old key, is kept with its reason, and stands in the export behind the keys of the opening; a stranger's entrant has none."""
    room = Room(tmp_path, url=database_url).vote(30)
    opening = make(room.store, room.keys, room.stage.id, NOW).document
    assert [(key.team_id, key.reason) for key in opening.evidence_keys] == [(e, None) for e in room.stage.entrant_ids]
    made, held = room.store.evidence_keys.rotate(room.stage.id, "maru", "lost", CLI, NOW)
    ended = {key.id: key.revoked_at is not None for key in room.store.api_keys.all() if key.name == "maru"}
    [before] = [key.key_id for key in opening.evidence_keys if key.team_id == "maru"]
    assert ended == {before: True, made.id: False}
    told = make(room.store, room.keys, room.stage.id, NOW).document.evidence_keys
    assert told[:-1] == opening.evidence_keys
    assert (told[-1].team_id, told[-1].key_id, told[-1].reason) == ("maru", made.id, "lost")
    assert told[-1].sha256 == hashlib.sha256(held.encode()).hexdigest()
    again, _ = room.store.evidence_keys.rotate(room.stage.id, "maru", "lost again", CLI, NOW)
    assert again.id != made.id
    for stage, entrant in ((room.stage.id, "nobody"), ("nowhere", "maru")):
        with pytest.raises(NotFound):
            room.store.evidence_keys.rotate(stage, entrant, "x", CLI, NOW)
    room.close()


@pytest.mark.parametrize(
    ("place", "changed", "said"),
    [
        (0, {"sha256": "0" * 64}, "not those that the opening act promised"),
        (0, {"team_id": "narae"}, "not those that the opening act promised"),
        (0, {"at": "2026-12-01T18:00:01.000+09:00"}, "not those that the opening act promised"),
        (0, {"reason": "replaced in silence"}, "not those that the opening act promised"),
        (-1, {"reason": None}, "not those that the opening act promised"),
        (-1, {"team_id": "nobody"}, "out of order, out of time, or nobody's"),
        (-1, {"at": "2026-11-01T09:00:00.000+09:00"}, "out of order, out of time, or nobody's"),
    ],
)
def test_other_keys_than_promised_are_refused(tmp_path: Path, place: int, changed: dict[str, Any], said: str) -> None:
    """Signed anew by the arena's own key, an export whose keys are not those of the opening act, or replaced out of order, is refused."""
    room = Room(tmp_path).vote(30)
    room.store.evidence_keys.rotate(room.stage.id, "maru", "lost", CLI, NOW)
    bundle = make(room.store, room.keys, room.stage.id, NOW)
    told = bundle.document.to_json()
    told["evidence_keys"][place].update(changed)
    files = {name: data for name, data in bundle.files.items() if name not in (JSON, SUMS)}
    forged = seal(UserScore.model_validate(told), files, room.keys)
    room.close()
    with pytest.raises(VerificationError) as refused:
        verify_files(forged.files)
    assert said in messages("en").of(refused.value)


def test_a_key_opens_everything_from_publication_on(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a sealed stage an entrant's key gives nothing before publication, but the sentence when, and every file after it; the export verifies. A replaced key gives nothing."""
    monkeypatch.setenv("ARENA_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ARENA_DATABASE_URL", database_url)
    file = tmp_path / "sealed.toml"
    stage, data = simulated_stage("sealed", more=f"{SEALED}\npublishes = 2127-01-10T10:00:00+09:00")
    file.write_bytes(data)
    room, now = Room(tmp_path, url=database_url, stage_id="other").vote(30).freeze(), datetime.now(UTC)
    evidence = tmp_path / "evidence"
    lifecycle.open_stage(room.store, room.keys, stage, data, organizer=CLI, now=now - OPEN_FOR, evidence=evidence)
    keys = taken(evidence / "sealed")
    simulate(room.store, stage, 60, 7, secret=room.keys.secret, ends=now)
    with serving(tmp_path, file, database_url=database_url) as base:
        http = httpx.Client(base_url=f"{base}/api/v1/stages", timeout=60)

        def get(key: str, form: str = "zip", of: str = "sealed") -> httpx.Response:
            return http.get(f"/{of}/export", params={"format": form}, headers=bearer(key))

        early = get(keys["garam"])
        assert code(early) == (403, "evidence_from")
        assert "2127-01-10" in early.json()["en"]
        assert code(get(keys["garam"], of="other")) == (403, "api_key_scope")
        lifecycle.freeze(room.store, room.keys, "sealed", organizer=CLI, now=datetime.now(UTC))
        assert code(get(keys["garam"])) == (403, "evidence_from")
        rotated = CliRunner().invoke(cli, ["api-key", "rotate", "sealed", "maru", "--reason", "lost"])
        assert code(get(keys["maru"])) == (401, "api_key_unknown")
        out = tmp_path / "exports" / "sealed"
        lifecycle.publish(room.store, room.keys, "sealed", out, ROOT, organizer=CLI, now=datetime.now(UTC))
        assert code(http.get("/sealed/export")) == (403, "not_disclosed")
        jwks = httpx.get(f"{base}/.well-known/jwks.json").json()
        for key in (keys["garam"], rotated.stdout.strip()):
            packed = zipfile.ZipFile(io.BytesIO(get(key).raise_for_status().content))
            files = {name.partition("/")[2]: packed.read(name) for name in packed.namelist()}
            document = verify_files(files, jwks).document
            assert [each.team_id for each in document.evidence_keys] == [*stage.entrant_ids, "maru"]
            digests = [each.sha256 for each in document.evidence_keys]
            assert hashlib.sha256(key.encode()).hexdigest() in digests
            for form in ("json", "csv", "parquet"):
                assert get(key, form).status_code == 200
        assert code(get(keys["maru"])) == (401, "api_key_unknown")
    room.close()


def test_without_a_planned_day_the_refusal_says_where_it_will_be_told(tmp_path: Path) -> None:
    """A stage that does not say when it publishes refuses with the page on which that will stand."""
    stage, data = simulated_stage("open")
    (tmp_path / "open.toml").write_bytes(data)
    with serving(tmp_path, tmp_path / "open.toml") as base:
        key = taken(tmp_path / "evidence" / stage.id)["garam"]
        early = httpx.get(f"{base}/api/v1/stages/open/export", headers=bearer(key))
        assert code(early) == (403, "evidence_later")
        assert "/results" in early.json()["ko"]


def test_the_console_gives_keys_once_and_replaces_them(tmp_path: Path) -> None:
    """An organizer downloads the waiting keys as one file, once, on record; after a replacement the new one waits, and only it."""
    _, data = simulated_stage("open")
    (tmp_path / "open.toml").write_bytes(data)
    with serving(tmp_path, tmp_path / "open.toml") as base:
        store = Store(f"sqlite:///{tmp_path / 'arena.db'}")
        store.organizers.add("office", "a long password", datetime.now(UTC))
        http = httpx.Client(base_url=base, headers={"origin": base}, timeout=60)
        assert http.get("/organizer/console/evidence.zip").status_code == 401
        http.post("/organizer/login", data={"name": "office", "password": "a long password"})

        def section() -> dict[str, object]:
            told = http.get("/organizer/console/operations").json()["sections"]
            return next(each for each in told if each["id"] == "evidence")

        def packed() -> dict[str, str]:
            file = zipfile.ZipFile(io.BytesIO(http.get("/organizer/console/evidence.zip").raise_for_status().content))
            return {Path(name).stem: file.read(name).decode().strip() for name in file.namelist()}

        assert "evidence.zip" in str(section())
        keys = packed()
        assert sorted(keys) == sorted(ENTRANTS)
        assert store.api_keys.find(keys["narae"], NOW) is not None
        assert code(http.get("/organizer/console/evidence.zip")) == (404, "no_evidence_keys")
        done = http.post("/organizer/console/acts/rotate", json={"entrant": "narae", "reason": "lost"})
        assert done.status_code == 200, done.text
        fresh = packed()
        assert list(fresh) == ["narae"]
        assert fresh["narae"] != keys["narae"]
        kinds = [(event.kind, event.actor) for event in store.events.of_stage("open") if "evidence" in event.kind]
        assert kinds == [("evidence.taken", "office"), ("evidence.rotated", "office"), ("evidence.taken", "office")]
        store.close()


def test_a_published_export_keeps_its_keys(tmp_path: Path) -> None:
    """A key that is replaced after publication is on record; what was published stays what it was."""
    room = Room(tmp_path, more=SEALED).vote(30).freeze()
    out = tmp_path / "exports" / room.stage.id
    folder, _ = lifecycle.publish(room.store, room.keys, room.stage.id, out, ROOT, organizer=CLI, now=NOW)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    room.store.evidence_keys.rotate(room.stage.id, "maru", "lost", CLI, NOW)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [event.data["entrant"] for event in room.store.events.of_stage(room.stage.id, "evidence.rotated")] == [
        "maru"
    ]
    room.close()
