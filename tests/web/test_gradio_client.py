"""What a Gradio user may do with `gradio_client`: read what anybody may read, and never a verb of a battle."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from arena.record.store import Store
from arena.results.live.access_log import SEEN
from arena.web.api.gradio_client import KEPT
from tests.support.serving import Citizen, serving, stage_toml

LOGIN = {"name": "evaluation-office", "password": "a long password"}
ENDPOINTS = ["stage", "receipt", "leaderboard"]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the record lies."""
    return f"sqlite:///{tmp_path_factory.mktemp('record') / 'arena.db'}"


@pytest.fixture(scope="module")
def store(url: str) -> Iterator[Store]:
    """The record of an arena with one organizer."""
    kept = Store(url)
    kept.organizers.add(LOGIN["name"], LOGIN["password"], datetime.now(UTC))
    yield kept
    kept.close()


@pytest.fixture(scope="module")
def base(store: Store, url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """That arena; its ratings are closed while voting is open."""
    with serving(tmp_path_factory.mktemp("arena"), stage_toml(), database_url=url) as address:
        yield address


def connected(base: str, cookies: httpx.Cookies | None = None) -> Client:
    """The real client, which asks nobody but the arena."""
    return Client(base, verbose=False, analytics_enabled=False, httpx_kwargs={"cookies": dict(cookies or {})})


def voted(base: str) -> str:
    """A receipt."""
    citizen = Citizen(base).agree()
    battle = citizen.open()
    citizen.ask(battle)
    return citizen.vote(battle).json()["receipt"]


def test_it_reads_what_the_http_routes_say(base: str) -> None:
    """Stage and receipt are answered as by HTTP, to the last field; what HTTP refuses is refused in its words."""
    client, receipt = connected(base), voted(base)
    assert client.predict(api_name="/stage") == httpx.get(f"{base}/api/v1/stage").json()
    over_http = [httpx.get(f"{base}/api/v1/receipts/{receipt}").json()]
    found = client.predict(receipt, api_name="/receipt")
    over_http.append(httpx.get(f"{base}/api/v1/receipts/{receipt}").json())
    assert found in over_http  # a checkpoint may be signed meanwhile
    assert found["receipt"] == receipt
    with pytest.raises(AppError, match="receipt_not_found"):
        client.predict("0" * 64, api_name="/receipt")
    for nonsense in ("nonsense", f"{'0' * 64}\n", 7, ["0" * 64], {"path": "/etc/passwd"}, None):
        with pytest.raises(AppError, match="unusable"):
            client.predict(nonsense, api_name="/receipt")


def test_calls_at_once_are_all_answered(base: str) -> None:
    """Twenty jobs of one client each get an answer of their own."""
    client = connected(base)
    names = [ENDPOINTS[n % 2] for n in range(20)]
    jobs = [client.submit(*["0" * 64][: name == "receipt"], api_name=f"/{name}") for name in names]
    for name, job in zip(names, jobs, strict=True):
        error = job.exception(timeout=60)
        assert isinstance(error, AppError) if name == "receipt" else job.result()["id"] == "test"


def test_only_reading_can_be_called(base: str) -> None:
    """Three endpoints are all there is, by name, by number and at every other address of Gradio's; other sites may call none."""
    assert [event["api_name"] for event in connected(base).config["dependencies"]] == ENDPOINTS
    with httpx.Client(base_url=f"{base}/gradio_api") as http:
        assert list(http.get("/info").json()["named_endpoints"]) == [f"/{name}" for name in ENDPOINTS]
        call = {"data": [], "session_hash": "x"}
        for number in (3, -1, 2**70):
            assert http.post("/queue/join", json={**call, "fn_index": number}).json()["code"] == "not_found"
        for wrong in ({}, {**call, "fn_index": "stage"}, {**call, "fn_index": 0, "session_hash": "x" * 65}):
            assert http.post("/queue/join", json=wrong).status_code == 422
        for path in ("/run/stage", "/api/stage", "/call/stage", "/call/v2/stage", "/cancel", "/reset", "/upload"):
            assert http.post(path, json=call).status_code == 404, path
        foreign = http.post("/queue/join", json={**call, "fn_index": 0}, headers={"origin": "https://evil.example"})
        assert foreign.status_code == 403


def test_ratings_are_read_by_all_or_by_nobody(base: str, store: Store, tmp_path: Path) -> None:
    """While they are closed a stranger is refused, and so is an organizer, who has the console; once the stage file opens them, everybody reads them."""
    organizer = httpx.post(f"{base}/organizer/login", data=LOGIN, headers={"origin": base}).cookies
    for client in (connected(base), connected(base, organizer)):
        with pytest.raises(AppError, match="leaderboard_closed"):
            client.predict(api_name="/leaderboard")
    assert store.events.of_stage("test", SEEN) == []
    with serving(tmp_path, stage_toml(top="leaderboard_votes = 0", protocol="public_leaderboard = true")) as opened:
        shown = connected(opened).predict(api_name="/leaderboard")
        assert shown.keys() == httpx.get(f"{opened}/api/v1/leaderboard").json().keys()


def test_an_answer_that_nobody_fetches_is_forgotten(base: str) -> None:
    """A flood of calls keeps no more than so many answers, whoever they are for; a session fetches its own, once."""
    with httpx.Client(base_url=f"{base}/gradio_api/queue") as http:
        sessions = ["first", *(f"s{n}" for n in range(KEPT))]
        joined = [http.post("/join", json={"data": [], "fn_index": 0, "session_hash": name}) for name in sessions]
        told = {name: http.get("/data", params={"session_hash": name}).text for name in ("first", "s0", f"s{KEPT - 1}")}
        assert "process_completed" not in told["first"]
        assert "process_completed" in told["s0"]
        assert joined[-1].json()["event_id"] in told[f"s{KEPT - 1}"]
        assert "process_completed" not in http.get("/data", params={"session_hash": "s0"}).text
