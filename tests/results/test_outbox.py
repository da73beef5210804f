"""Push: a published score reaches the aggregator's webhook, signed, through its failures and our restarts."""

import asyncio
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import aiohttp
import pytest
from typer.testing import CliRunner

from arena.cli import app as cli
from arena.cli.stage_page import fared, shown
from arena.domain.errors import StageError
from arena.record.keys import Keys, verify_jws
from arena.record.store import Store
from arena.results import lifecycle
from arena.results.export import webhooks
from arena.results.export.document import JSON
from arena.settings import ROOT, Settings
from tests.support.serving import free_port, serving
from tests.support.stages import CLI, NOW, Room
from tests.support.words import refusing

TWO = {"garam": ("가람팀", "Team Garam"), "narae": ("나래팀", "Team Narae")}


@dataclass
class Aggregator:
    """A real HTTP server that notes what it is sent, and answers as it is told to."""

    port: int = 0
    answers: list[int] = field(default_factory=list)
    """The next statuses; 200 when there are none."""
    got: list[tuple[bytes, str]] = field(default_factory=list)
    """Bodies and signatures."""

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/scores"

    def listen(self) -> Callable[[], None]:
        """Starts; returns how to stop it."""
        noted = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                noted.got.append((body, self.headers[webhooks.SIGNATURE]))
                self.send_response(noted.answers.pop(0) if noted.answers else 200)
                self.send_header("location", "http://127.0.0.1:1/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return stop


@pytest.fixture
def aggregator() -> Iterator[Aggregator]:
    """One that listens."""
    made = Aggregator()
    stop = made.listen()
    yield made
    stop()


def published(url: str, folder: Path, *hooks: str) -> tuple[Room, Path]:
    """A stage that was just published, its score in the outbox."""
    room = Room(folder, url=url, teams=TWO).vote(60).freeze()
    out, _ = lifecycle.publish(
        room.store, room.keys, room.stage.id, folder / "out", ROOT, organizer=CLI, now=NOW, webhooks=hooks
    )
    return room, out


def deliver(store: Store, keys: Keys, now: datetime) -> int:
    """Tries what is due at this moment."""

    async def run() -> int:
        async with aiohttp.ClientSession() as session:
            return await webhooks.deliver_due(store, keys, session, lambda: now)

    return asyncio.run(run())


def test_a_push_is_signed_and_holds_the_score(database_url: str, tmp_path: Path, aggregator: Aggregator) -> None:
    """Publishing pushes the signed document once to each address, under a signature over exactly the bytes that were sent."""
    room, folder = published(database_url, tmp_path, aggregator.url, aggregator.url + "?second")

    assert deliver(room.store, room.keys, NOW) == 2
    assert deliver(room.store, room.keys, NOW + timedelta(days=9)) == 0
    (body, signature), (other, _) = aggregator.got
    assert verify_jws(body, signature, room.keys.jwks())
    assert not verify_jws(body.replace(b"garam", b"narae", 1), signature, room.keys.jwks())
    told = json.loads(body)
    data = (folder / JSON).read_bytes()
    assert told["export"] == json.loads(data)
    assert told["export_sha256"] == hashlib.sha256(data).hexdigest()
    assert (told["event"], told["stage"], told["id"]) == (
        "stage.published", "simulated", f"stage.published:{told['export_id']}")  # fmt: skip
    assert other == body
    assert all(parcel.delivered_at for parcel in room.store.outbox.of_stage("simulated"))
    room.close()


def test_failures_are_tried_again_until_they_pass(database_url: str, tmp_path: Path, aggregator: Aggregator) -> None:
    """Refused, redirected or broken, a push waits longer each time and is tried again, the same bytes; never earlier than it is due."""
    room, _ = published(database_url, tmp_path, aggregator.url)
    aggregator.answers = [500, 302, 429]
    now = NOW
    for attempt in range(3):
        assert deliver(room.store, room.keys, now) == 1
        [parcel] = room.store.outbox.of_stage("simulated")
        assert (parcel.attempts, parcel.delivered_at) == (attempt + 1, None)
        assert parcel.due_at == now + timedelta(seconds=webhooks.WAITS_S[attempt])
        assert deliver(room.store, room.keys, parcel.due_at - timedelta(seconds=1)) == 0
        now = parcel.due_at
    assert deliver(room.store, room.keys, now) == 1

    [parcel] = room.store.outbox.of_stage("simulated")
    assert parcel.delivered_at == now
    assert "delivered after 4 attempts" in fared(parcel)
    assert len({body for body, _ in aggregator.got}) == 1
    room.close()


def test_giving_up_is_said_and_can_be_undone(tmp_path: Path, aggregator: Aggregator) -> None:
    """An address that is gone, or refuses for days, is given up and shown; an organizer may ask for one more round."""
    room, _ = published("", tmp_path, aggregator.url)
    aggregator.answers = [410]
    assert deliver(room.store, room.keys, NOW) == 1
    assert "given up after 1 attempt: HTTP 410" in shown(room.store, "simulated")
    assert deliver(room.store, room.keys, NOW + timedelta(days=9)) == 0
    room.store.outbox.again("simulated", NOW)
    aggregator.answers = [503] * 99
    now, tried = NOW, 0
    while deliver(room.store, room.keys, now):
        tried += 1
        now = room.store.outbox.of_stage("simulated")[0].due_at

    assert tried == len(webhooks.WAITS_S) + 1
    assert now - NOW > timedelta(days=3)
    assert room.store.outbox.of_stage("simulated")[0].given_up_at is not None
    room.close()


def test_two_processes_never_deliver_the_same(database_url: str, tmp_path: Path, aggregator: Aggregator) -> None:
    """While one process tries a push nobody else takes it; when that process dies, it is due again after the lease."""
    room, _ = published(database_url, tmp_path, *(f"{aggregator.url}?{n}" for n in range(6)))
    second = Store(database_url)
    dead = second.outbox.take(NOW, NOW + webhooks.LEASE)
    assert dead is not None

    async def both() -> list[int]:
        async with aiohttp.ClientSession() as session:
            return await asyncio.gather(
                *(webhooks.deliver_due(store, room.keys, session, lambda: NOW) for store in (room.store, second))
            )

    assert sum(asyncio.run(both())) == len(aggregator.got) == 5
    assert deliver(room.store, room.keys, NOW + webhooks.LEASE) == 1
    assert len(aggregator.got) == 6
    second.close()
    room.close()


def test_the_outbox_survives_restarts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Published while the aggregator is down; the command says so and fails; the arena that starts later, and finds it up, delivers."""
    aggregator = Aggregator(free_port())
    room = Room(tmp_path, teams=TWO, clock=lambda: datetime.now(UTC)).vote(60)
    file = tmp_path / "stage.toml"
    file.write_bytes(room.file)
    room.close()
    monkeypatch.setenv("ARENA_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ARENA_WEBHOOKS", aggregator.url)
    decide = ["review", "follow", "simulated"]
    for command in (["stage", "freeze", "simulated"], decide, ["stage", "publish", "simulated"]):
        assert CliRunner().invoke(cli, command).exit_code == 0
    failed = CliRunner().invoke(cli, ["push", "simulated"])
    assert failed.exit_code == 1
    assert "waiting after 1 attempt: ClientConnectorError" in failed.stdout

    stop = aggregator.listen()
    store = Store(f"sqlite:///{tmp_path / 'arena.db'}")
    store.outbox.again("simulated", datetime.now(UTC))
    with serving(tmp_path, file):
        deadline = time.monotonic() + 60
        while not aggregator.got and time.monotonic() < deadline:
            time.sleep(0.05)
    stop()
    assert len(aggregator.got) == 1
    assert CliRunner().invoke(cli, ["push", "simulated"]).exit_code == 0
    assert "delivered" in CliRunner().invoke(cli, ["stage", "show", "simulated"]).stdout
    store.close()


def test_an_address_that_is_none_is_refused() -> None:
    """A webhook that is not a web address is named when the settings are used, not when a score should leave."""
    assert Settings(webhooks="https://a.example/x http://b.example").webhook_urls == (
        "https://a.example/x", "http://b.example")  # fmt: skip
    with refusing(StageError, match="ARENA_WEBHOOKS: 'ftp://a'"):
        _ = Settings(webhooks="https://a ftp://a").webhook_urls
