"""Any process does any act: two arenas, each in a process of its own, on one database."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from arena.domain.outage import Cause
from arena.domain.stage import Stage
from arena.record.keys import Keys
from arena.record.processes import Process
from arena.record.store import Store
from arena.results import lifecycle
from arena.results.votes.exclusions import active, history
from models.breaker import Breaker
from models.entrant_stats import FIGURES, EntrantStats
from tests.support.crowd import ONE_SIDED, cast_crowd
from tests.support.processes import address, spawned
from tests.support.serving import TEAMS, Citizen, Sent, events, stage_toml

pytestmark = [pytest.mark.http, pytest.mark.slow]

T = TypeVar("T")

STAGE = "test"
NAME, PASSWORD = "organizer", "correct horse battery"
IDLE = EntrantStats(
    Breaker("x", clock=time.monotonic, now=lambda: datetime.now(UTC), on_change=lambda _: None)
).snapshot()


@dataclass
class Console:
    """An organizer at one of the processes."""

    http: httpx.Client

    def act(self, name: str, body: dict[str, Any]) -> httpx.Response:
        """As the page does it."""
        return self.http.post(f"/organizer/console/acts/{name}", json=body)

    def section(self, tab: str, section: str) -> dict[str, Any]:
        """One section of a tab."""
        told = self.http.get(f"/organizer/console/{tab}").raise_for_status().json()
        return next(each for each in told["sections"] if each["id"] == section)

    def rows(self, tab: str, section: str) -> list[list[Any]]:
        """Its table."""
        return self.section(tab, section)["table"]["rows"]


def soon(look: Callable[[], T], right: Callable[[T], bool]) -> T:
    """What is seen once it is right; a document of the console may be some seconds old."""
    deadline = time.monotonic() + 30
    while not right(seen := look()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return seen


@dataclass
class Two:
    """Two processes, the record beside them, and one organizer, who logged in at the first."""

    addresses: tuple[str, str]
    store: Store
    exports: Path
    consoles: tuple[Console, Console]

    def citizen(self) -> tuple[Citizen, Citizen]:
        """One new citizen, at both."""
        here, there = Citizen(self.addresses[0]).agree(), Citizen(self.addresses[1])
        there.http.cookies.set("arena_session", here.http.cookies["arena_session"])
        return here, there


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def two(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    """Both on one fresh database, with the votes of a crowd in it; once of each kind."""
    folder: Path = tmp_path_factory.mktemp("two")
    url = f"sqlite:///{folder / 'arena.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").fresh()
    slow = dict.fromkeys(TEAMS, "chars_per_s = 2")
    toml = stage_toml(extra=slow).encode()
    (folder / "stage.toml").write_bytes(toml)
    stage, store = Stage.from_toml(toml, "stage.toml"), Store(url)
    began = datetime.now(UTC) - timedelta(days=4)
    store.stages.adopt(stage, toml, began)
    cast_crowd(store, stage, began, Keys.open(folder, {}).secret)
    store.organizers.add(NAME, PASSWORD, datetime.now(UTC))
    knobs = {"ARENA_STAGE": str(folder / "stage.toml"), "ARENA_DATABASE_URL": url}
    with spawned(folder, **knobs) as one, spawned(folder, **knobs) as other:
        addresses = address(one), address(other)
        clients = [httpx.Client(base_url=base, headers={"origin": base}, timeout=60) for base in addresses]
        entered = clients[0].post("/organizer/login", data={"name": NAME, "password": PASSWORD})
        assert entered.status_code == 303
        clients[1].cookies.set("arena_organizer", clients[0].cookies["arena_organizer"])
        yield Two(
            (addresses[0], addresses[1]), store, folder / "exports" / STAGE, (Console(clients[0]), Console(clients[1]))
        )
        for client in clients:
            client.close()
    store.close()


def test_an_export_that_one_process_checked_is_checked_for_all(two: Two) -> None:
    """What the check of an export found stands in the record: both processes show the same, as codes and figures and no sentence."""
    here, there = two.consoles
    assert here.act("export", {}).status_code == 200
    [row] = here.rows("exports", "exports")
    assert row[5] == "작성할 때 통과"
    assert there.act("verify", {"folder": row[1]}).status_code == 200
    [event] = two.store.events.of_stage(STAGE, "export.verified")
    assert event.data == {"folder": row[1], "ok": True, "checks": event.data["checks"]}
    for console in two.consoles:
        told = soon(lambda: console.rows("exports", "exports")[0][5], lambda told: told != row[5])  # noqa: B023
        assert told.startswith("통과 ")
        assert told.endswith(f": {event.data['checks']}가지 확인")
    export = two.exports / row[1] / "scores.csv"
    export.write_bytes(export.read_bytes() + b"\n")
    assert "검증을 통과하지 못했습니다" in here.act("verify", {"folder": row[1]}).json()["ko"]
    [_, event] = two.store.events.of_stage(STAGE, "export.verified")
    fault = {"key": "fault_file_hash", "params": {"file": "scores.csv", "sums": "SHA256SUMS"}}
    assert event.data["error"] == {"key": "error_not_verified", "params": {"check": "files", "fault": fault}}
    for console in two.consoles:
        told = soon(lambda: console.rows("exports", "exports")[0][5], lambda told: told.startswith("실패"))  # noqa: B023
        assert "파일: " in told
        assert "scores.csv" in told
    export.write_bytes(export.read_bytes()[:-1])


@contextmanager
def asked(citizen: Citizen, battle: str) -> Iterator[Iterator[Sent]]:
    """A question whose answers take some ten seconds; the stream after its first words."""
    with citizen.http.stream("POST", f"/battles/{battle}/turns", json={"prompt": "안녕하세요?"}) as response:
        stream = events(response)
        assert [next(stream).name, next(stream).name] == ["turn", "delta"]
        yield stream


def test_a_stop_reaches_the_process_that_writes(two: Two) -> None:
    """The citizen stops at a process that knows nothing of the turn: both sides end as stopped where they run, in a second or so, and can be judged anywhere."""
    here, there = two.citizen()
    battle = here.open()
    with asked(here, battle) as stream:
        stopped = there.http.post(f"/battles/{battle}/stop")
        began = time.monotonic()
        ends = [event for event in stream if event.name in ("answer", "done")]
        waited = time.monotonic() - began
    assert stopped.status_code == 202
    assert [event.data.get("status") for event in ends] == ["stopped", "stopped", None]
    assert waited < 3, waited
    seen = there.see(battle)
    assert {answer["status"] for answer in seen["turns"][0]["answers"].values()} == {"stopped"}
    assert there.vote(battle, "tie").status_code == 201
    # A wish to stop ends with its turn: nobody's next answer is stopped by it.
    assert there.http.post(f"/battles/{battle}/stop").status_code == 202
    another = here.open()
    with asked(here, another) as stream:
        assert there.http.post(f"/battles/{battle}/stop").status_code == 202
        assert two.citizen()[1].http.post(f"/battles/{another}/stop").status_code == 404
        time.sleep(1.5)
        assert here.see(another)["state"] == "answering"
        assert here.http.post(f"/battles/{another}/stop").status_code == 202
        assert [event.data.get("status") for event in stream if event.name == "answer"] == ["stopped", "stopped"]


def test_a_vote_is_promised_once_by_all_processes(two: Two) -> None:
    """Clicked twice at the same moment, at two processes, and once more later: one vote, one receipt, and the same bytes of the same promise."""
    here, there = two.citizen()
    battle = here.open()
    here.ask(battle)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda n: (here, there)[n % 2].vote(battle), range(8)))
    answers.append(there.vote(battle))
    done = [answer for answer in answers if answer.status_code != 429]  # of one citizen so many at once wait, no more
    assert sorted(answer.status_code for answer in done) == [200] * (len(done) - 1) + [201]
    (given,) = {tuple(answer.json()[name] for name in ("record", "receipt", "promise")) for answer in done}
    assert all(given)
    for own in (here.see(battle)["vote"], there.see(battle)["vote"]):
        assert (own["record"], own["receipt"], own["promise"]) == given


def test_a_withdrawal_silences_every_process(two: Two) -> None:
    """Withdrawn where the turn is written, its stream breaks off at once; withdrawn elsewhere, within a second or so; nothing more is to be fetched."""
    for at_writer in (True, False):
        here, there = two.citizen()
        battle = here.open()
        with asked(here, battle) as stream:
            began = time.monotonic()
            assert (here if at_writer else there).http.delete("/session").status_code == 204
            rest = [event.name for event in stream]  # what was on its way before, and no end
            waited = time.monotonic() - began
        assert set(rest) <= {"delta"}
        assert waited < 3, waited
        refused = there.http.get(f"/battles/{battle}/turns/1/stream", headers={"last-event-id": "0"})
        assert refused.status_code == 401


def test_a_stream_is_named_as_running_elsewhere(two: Two) -> None:
    """Another process cannot give the stream: it says so and when to ask again, and once the answers are whole it has them as every process does."""
    here, there = two.citizen()
    battle = here.open()
    with asked(here, battle) as stream:
        refused = there.http.get(f"/battles/{battle}/turns/1/stream")
        assert (refused.status_code, refused.json()["code"]) == (503, "stream_elsewhere")
        assert int(refused.headers["retry-after"]) > 0
        assert two.citizen()[1].http.get(f"/battles/{battle}/turns/1/stream").json()["code"] == "battle_not_found"
        assert there.see(battle)["state"] == "answering"
        here.http.post(f"/battles/{battle}/stop").raise_for_status()
        assert list(stream)[-1].name == "done"
    assert there.http.get(f"/battles/{battle}/turns/1/stream").json()["code"] == "stream_gone"
    assert there.see(battle)["votable"] is True


def test_every_console_tells_of_all_processes(two: Two) -> None:
    """Answers that one process gave, models that one process cannot draw, outages and who serves at all: each console says the same."""
    here, _ = two.citizen()
    battle = here.open()
    with asked(here, battle) as stream:
        here.http.post(f"/battles/{battle}/stop").raise_for_status()
        assert list(stream)[-1].name == "done"
    now = datetime.now(UTC)
    ill = FIGURES.dump_python({"dasom": replace(IDLE, state="open", asked=7, errors={"timeout": 7})}, mode="json")
    third = Process("3" * 32, STAGE, "arena third", now, 5, ill)
    two.store.processes.beat(third, now + timedelta(minutes=5), [])
    failed = Cause(kind="answers_failed", failure="timeout")
    two.store.outages.left(now, STAGE, "dasom", "arena third", failed)
    two.store.outages.left(now - timedelta(hours=2), STAGE, "narae", "arena killed", failed)

    for console in two.consoles:
        rows = soon(lambda: console.rows("operations", "processes"), lambda rows: len(rows) == 3)  # noqa: B023
        assert [row[2:] for row in rows if row[0] == "arena third"] == [[5, "다솜팀 (추첨에서 빠짐)"]]
        assert {row[3] for row in rows if row[0] != "arena third"} == {"모두 정상"}
        by_team = {row[0]: row for row in console.rows("operations", "health")}
        assert sum(row[3] for row in by_team.values()) >= 2 + 7
        assert by_team["가람팀"][1] == "정상"
        assert by_team["다솜팀"][1].count("정상") == 2
        assert "arena third: 추첨에서 빠짐" in by_team["다솜팀"][1]
        assert by_team["다솜팀"][5] == "시간 초과 7"
        out = {row[0]: row[1:] for row in console.rows("operations", "outages")}
        assert out["다솜팀"] == ["arena third", out["다솜팀"][1], "계속됨", "답변이 거듭 실패함: 시간 초과"]
        assert out["나래팀"][0] == "arena killed"
        assert out["나래팀"][2] == out["나래팀"][1]  # it ended with the process that knew of it
    two.store.processes.end(third.id)
    for console in two.consoles:
        assert len(soon(lambda: console.rows("operations", "processes"), lambda rows: len(rows) == 2)) == 2  # noqa: B023


def test_a_decision_works_in_a_process_that_never_drew_the_tab(two: Two) -> None:
    """A proposal that one process shows is followed by another, with the same votes, once; before the freeze it can only be looked at."""
    here, there = two.consoles
    assert len(here.section("integrity", "proposals")["table"]["rows"]) == ONE_SIDED
    assert here.section("integrity", "proposals")["acts"] == []
    keys = Keys.open(two.exports.parent.parent, {})
    lifecycle.freeze(two.store, keys, STAGE, organizer="t", now=datetime.now(UTC))
    shown = soon(lambda: here.section("integrity", "proposals"), lambda shown: bool(shown["acts"]))
    assert len(shown["acts"]) == 2 * ONE_SIDED
    asked = shown["acts"][0]["body"]
    assert there.act("follow", asked).status_code == 200
    assert len(active(history(two.store, STAGE))) == shown["table"]["rows"][0][2] == 30
    for console in two.consoles:
        refused = console.act("follow", asked)
        assert (refused.status_code, refused.json()["code"]) == (409, "followed_already")
    assert there.act("decline", {**asked, "reason": "잘못 눌렀음"}).status_code == 200
    assert here.act("follow", asked).status_code == 200
    assert here.act("restore", {"decision": 2, "reason": "다시 봄"}).json()["code"] == "act_of_proposal"
    assert here.act("decline", {**asked, "reason": "다시 봄"}).status_code == 200
    assert active(history(two.store, STAGE)) == {}
