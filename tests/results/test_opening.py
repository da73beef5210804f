"""What a stage is bound to when it opens, and how its beacon keeps anybody from choosing the seed."""

import hashlib
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import rfc8785
from sqlalchemy import update

from arena.domain.errors import Conflict, StageError, Unusable
from arena.domain.stage import Stage
from arena.record.keys import Keys
from arena.record.ledger import Ledger, verify_checkpoint
from arena.record.store import Store
from arena.record.tables import stages
from arena.results import lifecycle
from arena.results.export.bundle import Bundle, make, seal, write
from arena.results.export.document import CHECKPOINTS, JSON
from arena.results.export.proofs import VerificationError
from arena.results.export.schema import UserScore
from arena.results.export.verify import verify_files
from arena.simulate import OPEN_FOR
from tests.results.test_lifecycle import declared
from tests.support.serving import OPERATOR, serving, stage_toml
from tests.support.stages import CLI, NOW, Room
from tests.support.strangers import by_a_stranger
from tests.support.words import refusing

HOUR = timedelta(hours=1)
SAID = "3, 11, 15, 29, 35, 44 + 10"
BEACON = f"""
[beacon]
source = {{ ko = "로또 1234회", en = "Lottery draw 1234" }}
at = {(NOW - HOUR).isoformat()}
"""
OF_ROOM = BEACON.replace((NOW - HOUR).isoformat(), (NOW - OPEN_FOR - HOUR).isoformat())


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """The arena's keys."""
    return Keys.open(tmp_path / "keys", {})


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """A frozen stage whose seed was mixed with a beacon."""
    made = Room(tmp_path_factory.mktemp("opening"), more=OF_ROOM, beacon=SAID).vote(120, voters=20).freeze()
    yield made
    made.close()


def real(stage_id: str, more: str = BEACON) -> tuple[Stage, bytes]:
    """A stage that is not synthetic, with a beacon."""
    return declared(stage_id, more=more)


def test_the_first_checkpoint_is_over_no_votes_and_names_the_opening(store: Store, keys: Keys) -> None:
    """Before the first vote a signed checkpoint says which file, which commitment and which moment the stage is bound to."""
    stage, file = declared("round-1")
    ledger = Ledger(store, keys)
    store.stages.draft(stage, file, NOW - HOUR)
    with refusing(Conflict, match="has not opened yet"):
        ledger.checkpoint(stage.id, NOW)

    record = lifecycle.open_stage(store, keys, stage, file, organizer=CLI, now=NOW)

    [head] = ledger.checkpoints(stage.id)
    act = ledger.opening(stage.id)
    assert act is not None
    assert (head.size, head.root) == (0, hashlib.sha256().hexdigest())
    assert head.opening == hashlib.sha256(act.encode()).hexdigest()
    assert verify_checkpoint(head.to_json(), keys.jwks())
    assert orjson.loads(act) == {
        "schema": "kai.opening/1",
        "stage": "round-1",
        "stage_file_sha256": hashlib.sha256(file).hexdigest(),
        "draw_commitment": record.draw_commitment,
        "beacon": None,
        "evidence_keys": sorted(
            ({"id": key.id, "sha256": key.sha256} for key in store.evidence_keys.of_stage(stage.id)),
            key=lambda key: key["id"],
        ),
        "opened_at": "2026-12-01T18:00:00.000+09:00",
    }
    assert not any(entrant in act for entrant in stage.entrant_ids)


def test_a_beacon_cannot_be_left_out_foreseen_or_followed(store: Store, keys: Keys) -> None:
    """A real stage that declares a beacon opens with its value only, not before it exists, and not with a seed or a file that may be younger."""

    def opens(
        name: str, *, drafted: timedelta = 2 * HOUR, value: str | None = SAID, more: str = BEACON, **at: Any
    ) -> None:
        stage, file = real(name, more)
        store.stages.draft(stage, file, NOW - drafted)
        lifecycle.open_stage(store, keys, stage, file, organizer=CLI, now=at.get("now", NOW), beacon=value)

    with refusing(Unusable, match="declares a beacon"):
        opens("left-out", value=None)
    with refusing(Unusable, match="has no"):
        opens("undeclared", more="")
    with refusing(Unusable, match="before that there is no value"):
        opens("early", now=NOW - HOUR - timedelta(seconds=1))
    with refusing(Unusable, match="could have been chosen"):
        opens("late", drafted=HOUR)
    for value in ("", " 1", "1 ", "일", "1\n", "1" * 257):
        with refusing(Unusable, match="is no beacon's value"):
            opens("spelt", value=value)
    stage, file = real("refiled")
    store.stages.draft(stage, file + b"# before", NOW - 2 * HOUR)
    with refusing(
        Unusable, match="could have been chosen"
    ):  # the file came after the value: another source might have stood in it
        lifecycle.open_stage(store, keys, stage, file, organizer=CLI, now=NOW, beacon=SAID)
    with refusing(StageError, match="the beacon speaks at"):
        real("order", f"opens = {(NOW - 2 * HOUR).isoformat()}\n{BEACON}")
    opens("good")
    record = store.stages.find("good")
    assert record is not None
    assert record.beacon == SAID
    assert (
        record.seed == hashlib.sha256(f"kai.seed/1|{record.draw_seed}|{SAID}".encode()).hexdigest() != record.draw_seed
    )
    [event] = store.events.of_stage("good", "stage.opened")
    assert event.data["beacon"] == SAID


def test_a_synthetic_stage_may_open_without_its_beacon(tmp_path: Path) -> None:
    """A demonstration starts by itself: its seed stays unmixed, and the export says so."""
    room = Room(tmp_path, more=BEACON).vote(60, voters=10).freeze()
    bundle = make(room.store, room.keys, room.stage.id, NOW)
    record = room.store.stages.find(room.stage.id)
    room.close()

    assert record is not None
    assert (bundle.document.opening.beacon, record.seed) == (None, record.draw_seed)
    assert verify_files(bundle.files).document == bundle.document


def test_the_draws_follow_from_seed_and_beacon(room: Room, tmp_path: Path) -> None:
    """Every draw is made with the mixed seed; the export has source, moment and value, and both checks draw everything again."""
    bundle = make(room.store, room.keys, room.stage.id, NOW)
    document = bundle.document
    assert document.opening.beacon is not None
    assert (document.opening.beacon.value, document.opening.beacon.source.en) == (SAID, "Lottery draw 1234")
    assert document.draws.seed is not None
    assert hashlib.sha256(document.draws.seed.encode()).hexdigest() == document.draws.commitment
    checks = [passed.code for passed in verify_files(bundle.files).checks]
    assert {"opening", "draws_repeated_mixed"} <= set(checks)
    stranger = by_a_stranger(write(bundle, tmp_path))
    assert stranger.returncode == 0, stranger.stderr
    assert "each from the seed, mixed with the beacon" in stranger.stdout
    assert f"which said {SAID}" in stranger.stdout


def forged(room: Room, bundle: Bundle, **opening: Any) -> Bundle:
    """The same export with another opening act, every checkpoint signed anew over it by the arena's own key."""
    told = orjson.loads(bundle.files[JSON])
    told["opening"] |= opening
    sha256 = hashlib.sha256(rfc8785.dumps(told["opening"])).hexdigest()
    heads = []
    for line in bundle.files[CHECKPOINTS].splitlines():
        body = {**orjson.loads(line), "opening": sha256}
        del body["jws"]
        heads.append({**body, "jws": room.keys.sign(rfc8785.dumps(body))})
    data = b"".join(rfc8785.dumps(head) + b"\n" for head in heads)
    told["provenance"]["checkpoint"] = heads[-1]
    told["provenance"]["checkpoints_file"]["sha256"] = hashlib.sha256(data).hexdigest()
    told["stage"]["opened_at"] = told["opening"]["opened_at"]
    told["draws"]["commitment"] = told["opening"]["draw_commitment"]
    files = {name: held for name, held in bundle.files.items() if name not in (JSON, "SHA256SUMS")}
    return seal(UserScore.model_validate(told, strict=False), {**files, CHECKPOINTS: data}, room.keys)


@pytest.mark.parametrize(
    ("opening", "said"),
    [
        ({"stage": "other"}, "not of this stage"),
        ({"stage_file_sha256": "0" * 64}, "not of this stage file"),
        ({"draw_commitment": "0" * 64}, "the seed is not the one that was committed to"),
        ({"beacon": {"source": {"ko": "다른 것", "en": "Another"}, "at": "2026-11-01T17:00:00.000+09:00", "value": SAID}}, "not the one that the stage file declares"),
        ({"beacon": {"source": {"ko": "로또 1234회", "en": "Lottery draw 1234"}, "at": "2026-11-01T17:00:00.000+09:00", "value": "1"}}, "the seed gives"),
        ({"beacon": None}, "the seed gives"),
        ({"evidence_keys": []}, "not those that the opening act promised"),
    ],
)  # fmt: skip
def test_another_opening_contradicts_the_files(room: Room, opening: dict[str, Any], said: str) -> None:
    """Signed anew by the arena's own key, an act that is not of this file, seed or beacon is refused, and named."""
    with refusing(VerificationError, match=said):
        verify_files(forged(room, make(room.store, room.keys, room.stage.id, NOW), **opening).files)


def test_a_checkpoint_of_another_opening_is_named(tmp_path: Path) -> None:
    """An opening changed in the database is found by the audit; an export of it is refused at the first checkpoint that names another act."""
    room = Room(tmp_path).vote(60, voters=10)
    ledger = Ledger(room.store, room.keys)
    ledger.checkpoint(room.stage.id, NOW)
    assert ledger.audit(room.stage.id) == []
    record = room.store.stages.find(room.stage.id)
    assert record is not None
    assert record.opening is not None
    with room.store.database.engine.begin() as connection:
        connection.execute(update(stages).values(opening=record.opening.replace("2026", "2025")))

    assert {fault.code for fault in ledger.audit(room.stage.id)} == {"checkpoint_of_another_opening"}
    bundle = make(room.store, room.keys, room.stage.id, NOW)
    room.close()
    with refusing(VerificationError, match="checkpoint 0 names another opening act"):
        verify_files(bundle.files)


def test_the_opening_is_public(tmp_path: Path) -> None:
    """GET /checkpoints has the act beside the checkpoints that name it; a draft has none, and its commitment is public already."""
    with serving(tmp_path / "open", stage_toml()) as base:
        told: dict[str, Any] = {"checkpoints": []}
        for _ in range(300):  # it is signed beside whatever else a start has to do
            told = told if told["checkpoints"] else httpx.get(f"{base}/api/v1/checkpoints").json()
            time.sleep(0 if told["checkpoints"] else 0.1)
        facts = httpx.get(f"{base}/api/v1/stage").json()
    assert told["opening"]["draw_commitment"] == facts["draws"]["commitment"]
    assert [head["size"] for head in told["checkpoints"]] == [0]
    assert told["checkpoints"][0]["opening"] == hashlib.sha256(rfc8785.dumps(told["opening"])).hexdigest()
    draft = stage_toml().replace("synthetic = true", "synthetic = false") + OPERATOR
    with serving(tmp_path / "draft", draft) as base:
        told = httpx.get(f"{base}/api/v1/checkpoints").json()
        [stage] = httpx.get(f"{base}/api/v1/stages").json()
    assert (told["opening"], told["checkpoints"], stage["status"]) == (None, [], "draft")
    assert len(stage["draw_commitment"]) == 64
