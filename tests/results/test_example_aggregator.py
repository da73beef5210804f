"""The reference aggregator: the programme's side of the contract, run as a process of its own against the real arena over HTTP."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from arena.domain.errors import ArenaError
from arena.record.keys import Keys
from arena.results import lifecycle
from arena.results.export import verify, webhooks
from arena.results.programme.schema import Total
from examples.aggregator import aggregator
from tests.results.test_aggregate import BENCHMARK, DECLARED, EXPERT, GATES, ROOT
from tests.support.serving import free_port, serving
from tests.support.stages import NOW, Room
from tests.support.words import refusing


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """A published simulated stage."""
    opened = Room(tmp_path_factory.mktemp("arena"), more=DECLARED).vote(300).freeze()
    opened.publish()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def base(room: Room) -> Iterator[str]:
    """The arena that serves it."""
    stage = room.folder / "round.toml"
    stage.write_bytes(room.file)
    with serving(room.folder, stage, database_url=f"sqlite:///{room.folder / 'arena.db'}") as address:
        yield address


class Side:
    """The programme's files and key: none of them comes from the arena."""

    def __init__(self, folder: Path, room: Room, scopes: tuple[str, ...] = ("export", "votes")) -> None:
        """Writes them."""
        folder.mkdir(exist_ok=True)
        self.folder, self.out = folder, folder / "out"
        self.out.mkdir()
        self.pin(room.keys)
        (folder / "round.toml").write_bytes(room.file)
        for name, text in (("benchmark", BENCHMARK), ("expert", EXPERT), ("eligibility", GATES)):
            (folder / f"{name}.csv").write_text(text, "utf-8")
        _, self.key = room.store.api_keys.new("programme", room.stage.id, list(scopes), NOW)

    def pin(self, keys: Keys) -> None:
        """Pins these keys' public halves."""
        (self.folder / "pinned.json").write_bytes(orjson.dumps(keys.jwks()))

    def once(self, base: str, key: str | None = None) -> str:
        """One round, in this process."""
        programme = aggregator.Programme(
            self.folder / "round.toml",
            verify.read_jwks((self.folder / "pinned.json").read_bytes()),
            {name: self.folder / f"{name}.csv" for name in ("benchmark", "expert")},
            self.folder / "eligibility.csv",
            self.out,
        )
        return aggregator.once(programme, base, self.key if key is None else key)

    def totals(self) -> list[dict[str, Any]]:
        """What has been decided."""
        return [json.loads(path.read_text("utf-8")) for path in sorted(self.out.glob("totals/*/total.json"))]


def test_the_aggregator_pulls_verifies_and_totals(room: Room, base: str, tmp_path: Path) -> None:
    """One question gives a verified export and a signed total; asked again, the ETag says that nothing has changed."""
    side = Side(tmp_path / "programme", room)

    assert "vacant 1" in side.once(base)
    assert side.once(base) == "unchanged"

    [total] = side.totals()
    assert total["vacancy"] == 1
    assert total["user_score"]["key"] == "trusted"
    [path] = side.out.glob("totals/*/total.json")
    verify.signature(Total.model_validate_json(path.read_bytes()), Keys.open(side.out, {}).jwks())
    [folder] = (side.out / "exports").iterdir()
    assert verify.verify(folder, room.keys.jwks()).document.export_id == total["user_score"]["export_id"]


def test_the_aggregator_refuses_what_it_cannot_trust(room: Room, base: str, tmp_path: Path) -> None:
    """Without a key, with a key of too small a scope, or when another key signed, nothing is taken and the reason is said."""
    side = Side(tmp_path / "programme", room)
    narrow = Side(tmp_path / "narrow", room, ("export",))
    unpinned = Side(tmp_path / "unpinned", room)
    unpinned.pin(Keys.open(tmp_path / "stranger", {}))

    with pytest.raises(aggregator.Refused, match="401"):
        side.once(base, "kai_unknown")
    with pytest.raises(aggregator.Refused, match="403"):
        narrow.once(base)
    with refusing(ArenaError, match="is not among the given public keys"):
        unpinned.once(base)
    with pytest.raises(aggregator.Refused, match="not a ZIP"):
        aggregator.unpack(b"nothing")
    assert side.totals() == narrow.totals() == unpinned.totals() == []
    assert not (unpinned.out / "state.json").exists()


def test_an_older_export_never_replaces_a_newer_one(room: Room, base: str, tmp_path: Path) -> None:
    """Whoever plays an old export back is refused: what was taken last stays."""
    side = Side(tmp_path / "programme", room)
    side.once(base)
    state = json.loads((side.out / "state.json").read_text("utf-8"))
    (side.out / "state.json").write_text(json.dumps({**state, "etag": "", "created_at": "2099-01-01T00:00:00+09:00"}))

    with pytest.raises(aggregator.Refused, match="is older than the one that was taken before"):
        side.once(base)

    assert len(side.totals()) == 1


def test_a_push_makes_the_service_ask_at_once(room: Room, base: str, tmp_path: Path) -> None:
    """The service runs by itself; the arena's signed push wakes it, an unsigned one is turned away."""
    side = Side(tmp_path / "programme", room)
    port = free_port()
    files = {"stage": "round.toml", "jwks": "pinned.json"} | {
        n: f"{n}.csv" for n in ("benchmark", "expert", "eligibility")
    }
    arguments = [part for name, file in files.items() for part in (f"--{name}", str(side.folder / file))]
    service = subprocess.Popen(
        [sys.executable, str(ROOT / "examples" / "aggregator" / "aggregator.py"), "--arena", base, "--out", str(side.out),
         "--every", "3600", "--listen", str(port), *arguments],
        env=os.environ | {"KAI_API_KEY": side.key}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert service.stdout is not None
        assert "listening" in service.stdout.readline()
        assert "vacant 1" in service.stdout.readline()
        door = f"http://127.0.0.1:{port}/"
        forged = orjson.dumps({"stage": room.stage.id})
        for signature in ("", Keys.open(tmp_path / "stranger", {}).sign(forged)):
            assert httpx.post(door, content=forged, headers={webhooks.SIGNATURE: signature}).status_code == 403
        lifecycle.correct(
            room.store, room.keys, room.stage.id, room.folder / "exports" / room.stage.id, ROOT,
            reason="a test", organizer="t", now=datetime.now(UTC), webhooks=[door],
        )  # fmt: skip

        answer = service.stdout.readline()
        assert answer == "unchanged\n" or "vacant 1" in answer
    finally:
        service.terminate()
        service.wait(10)
