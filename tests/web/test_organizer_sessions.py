"""An organizer's session is the server's: it is listed, it ends when it is ended, and who came, failed and went is in the audit log."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from arena.cli import app as cli
from arena.record.organizers import REFUSALS_NOTED, SESSION_LASTS
from arena.record.store import Store
from arena.web.auth.organizer import LINK_LASTS, OrganizerLogin
from arena.web.core.session import OrganizerSessions
from tests.support.processes import started
from tests.support.serving import serving, stage_toml

NAME, PASSWORD = "evaluation-office", "correct horse battery"
COOKIE = "arena_organizer"


@dataclass
class Served:
    """An arena with an organizer, and the record beside it."""

    base: str
    folder: Path
    store: Store

    def browser(self) -> httpx.Client:
        """One that is not logged in."""
        return httpx.Client(base_url=self.base, headers={"origin": self.base}, timeout=60)

    def login(self, name: str = NAME, password: str = PASSWORD) -> httpx.Client:
        """One that is."""
        http = self.browser()
        assert http.post("/organizer/login", data={"name": name, "password": password}).status_code == 303
        return http

    def run(self, *command: str) -> str:
        """A command beside the serving arena; returns what it prints."""
        done = CliRunner().invoke(
            cli, list(command), env={"ARENA_DATA_DIR": str(self.folder), "ARENA_ORGANIZER_PASSWORD": PASSWORD}
        )
        assert done.exit_code == 0, done.output
        return done.stdout

    def logged(self) -> list[tuple[str, str]]:
        """Who did what at the door, oldest first."""
        return [(event.actor, event.kind.removeprefix("organizer.")) for event in self.store.events.of_arena(1000)]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A small stage."""
    store = Store(f"sqlite:///{tmp_path / 'arena.db'}")
    store.organizers.add(NAME, PASSWORD, datetime.now(UTC))
    with serving(tmp_path, stage_toml()) as base:
        yield Served(base, tmp_path, store)
    store.close()


def inside(http: httpx.Client) -> bool:
    """Whether this browser is let into the console, its documents, its acts and the live standings alike."""
    found = {
        http.get("/organizer/config").status_code == 200,
        http.get("/organizer/console/operations").status_code == 200,
        http.post("/organizer/console/acts/resume", json={}).status_code == 200,
        http.get("/api/v1/leaderboard").status_code == 200,
    }
    assert len(found) == 1
    return found.pop()


def with_cookie(served: Served, cookie: str) -> httpx.Client:
    """Somebody else's browser with a copied cookie."""
    http = served.browser()
    http.cookies.set(COOKIE, cookie)
    return http


def test_a_copied_cookie_ends_with_the_logout(served: Served) -> None:
    """Logging out ends the session itself: a copy of its cookie opens nothing any more; another browser's session goes on."""
    mine, other = served.login(), served.login()
    copy = with_cookie(served, mine.cookies[COOKIE])
    assert inside(copy)
    assert mine.post("/organizer/logout").status_code == 303
    assert not inside(copy)
    assert not inside(mine)
    assert inside(other)
    assert served.logged() == [("command line", "added"), (NAME, "login"), (NAME, "login"), (NAME, "logout")]


def test_a_new_password_and_a_removal_end_every_session(served: Served) -> None:
    """A new password logs everybody of that name out at once, a removal for good; other names' sessions go on."""
    served.store.organizers.add("observer", PASSWORD, datetime.now(UTC))
    first, second, observer = served.login(), served.login(), served.login("observer")
    assert "2 sessions ended" in served.run("organizer", "add", NAME)
    assert (inside(first), inside(second), inside(observer)) == (False, False, True)
    again = served.login()
    assert "1 session ended" in served.run("organizer", "remove", NAME)
    assert (inside(again), inside(observer)) == (False, True)
    refused = served.browser().post("/organizer/login", data={"name": NAME, "password": PASSWORD})
    assert refused.status_code == 401
    assert served.logged()[-1] == ("unknown", "login_failed")
    done = CliRunner().invoke(cli, ["organizer", "remove", NAME], env={"ARENA_DATA_DIR": str(served.folder)})
    assert (done.exit_code, "organizer_not_found" in done.stderr) == (1, True)


def test_sessions_are_listed_in_the_console_and_at_the_terminal(served: Served) -> None:
    """Both say who is logged in, how, since and until when; neither shows a cookie. The audit log tells it in both languages."""
    http = served.login()
    served.browser().post("/organizer/login", data={"name": NAME, "password": "wrong"})
    listed = served.run("organizer", "list")
    assert len(re.findall(f"session: {NAME} by password", listed)) == 1
    for language, login, failed in (("en", "Logged in", "Login failed"), ("ko", "로그인", "로그인 실패")):
        told = http.get(f"/organizer/console/operations?lang={language}").json()["sections"]
        tables: dict[str, list[list[Any]]] = {section["id"]: section["table"]["rows"] for section in told}
        assert [row[0] for row in tables["sessions"]] == [NAME]
        assert [row[1:3] for row in tables["audit"] if row[2] in (login, failed)] == [[NAME, failed], [NAME, login]]
    cookie = http.cookies[COOKIE]
    assert cookie not in listed
    assert (
        cookie.encode() not in (served.folder / "arena.db").read_bytes() + (served.folder / "arena.db-wal").read_bytes()
    )


def test_names_that_mean_something_else_are_refused(served: Served) -> None:
    """Nobody can be called what the audit log calls the command line, the link or a stranger."""
    for name in ("console", "command line", "unknown"):
        done = CliRunner().invoke(
            cli,
            ["organizer", "add", name],
            env={"ARENA_DATA_DIR": str(served.folder), "ARENA_ORGANIZER_PASSWORD": PASSWORD},
        )
        assert (done.exit_code, "organizer_name" in done.stderr) == (1, True)


@pytest.mark.db
def test_a_session_ends_by_itself_and_a_flood_of_failures_stays_small(store: Store) -> None:
    """After twelve hours a cookie is nobody's; a changed one never was somebody's. So many refusals an hour are noted and no more."""
    now = datetime(2026, 12, 1, tzinfo=UTC)
    store.organizers.add(NAME, PASSWORD, now)
    cookie = store.organizers.enter(NAME, PASSWORD, now)
    assert cookie is not None
    for late, there in ((timedelta(0), True), (SESSION_LASTS - timedelta(seconds=1), True), (SESSION_LASTS, False)):
        assert (store.organizers.session(cookie, now + late) is not None) == there
    assert store.organizers.session(cookie[:-1], now) is None
    assert store.organizers.sessions(now)[0].seen_at == now + SESSION_LASTS - timedelta(seconds=1)
    for _ in range(REFUSALS_NOTED + 20):
        store.organizers.refuse_link(now)
    assert len(store.events.of_arena(1000)) == 2 + REFUSALS_NOTED


def test_the_link_lets_one_visitor_in_once_and_for_a_quarter_of_an_hour(store: Store) -> None:
    """The first visit enters; the second, one after fifteen minutes and a guess are sent to the form, and all but the guess are on record."""
    clock = [datetime(2026, 12, 1, tzinfo=UTC)]
    login = OrganizerLogin(store.organizers, OrganizerSessions(store.organizers, secure=False), lambda: clock[0])
    app = FastAPI()
    app.include_router(login.router)
    http = TestClient(app, follow_redirects=False)

    def visited(path: str) -> str:
        return http.get(path).headers["location"]

    link = login.one_time_link()
    assert visited(f"{link}x") == "/organizer/login"
    assert visited(link) == "/organizer/"
    assert visited(link) == "/organizer/login"
    late = login.one_time_link()
    clock[0] += LINK_LASTS
    assert visited(late) == "/organizer/login"
    older = login.one_time_link()
    newest = login.one_time_link()
    assert (visited(older), visited(newest)) == ("/organizer/login", "/organizer/")
    kinds = [event.kind.removeprefix("organizer.") for event in store.events.of_arena(1000)]
    assert kinds == ["login", "link_refused", "link_refused", "login"]
    assert {event.actor for event in store.events.of_arena(1000)} == {"console"}
    assert [session.entrance for session in store.organizers.sessions(clock[0])] == ["link", "link"]


def test_of_many_who_follow_the_link_at_once_one_is_let_in(tmp_path: Path) -> None:
    """Twenty visits of the printed link at the same moment make one session."""
    stage = tmp_path / "stage.toml"
    stage.write_text(stage_toml(), "utf-8")
    with started(tmp_path, ARENA_STAGE=str(stage)) as (process, address):
        assert process.stdout is not None
        link = re.search(r"/organizer/enter\?once=\S+", process.stdout.readline())
        assert link is not None
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _: httpx.get(address + link[0]).headers["location"], range(20)))
    assert sorted(answers) == ["/organizer/"] + ["/organizer/login"] * 19


@pytest.mark.slow
def test_a_crowd_of_logins_costs_the_memory_of_two(tmp_path: Path) -> None:
    """Thirty logins at the same moment, right and wrong ones, never hold more than some password checks' memory."""
    stage = tmp_path / "stage.toml"
    stage.write_text(stage_toml(), "utf-8")
    store = Store(f"sqlite:///{tmp_path / 'arena.db'}")
    store.organizers.add(NAME, PASSWORD, datetime.now(UTC))
    store.close()
    with started(tmp_path, ARENA_STAGE=str(stage)) as (process, address):
        there = psutil.Process(process.pid)

        def login(n: int) -> int:
            form = {"name": NAME, "password": PASSWORD if n % 2 else "wrong"}
            return httpx.post(
                f"{address}/organizer/login", data=form, headers={"origin": address}, timeout=120
            ).status_code

        login(0)
        before, most = there.memory_info().rss, 0
        with ThreadPoolExecutor(30) as pool:
            answers = [pool.submit(login, n) for n in range(30)]
            while not all(answer.done() for answer in answers):
                most = max(most, there.memory_info().rss - before)
                time.sleep(0.01)
    assert sorted({answer.result() for answer in answers}) == [303, 401]
    assert most < 300 * 2**20
