"""A citizen always reads where the stage stands and what comes next, on every page and at the API; and every error is a page to a browser."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from arena.domain.stage import Stage
from arena.record.keys import Keys
from arena.record.store import Store
from arena.results import lifecycle
from arena.web.core.headers import CSP
from tests.support.serving import Citizen, serving, stage_toml

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "accept-language": "ko"}
PAGES = ("/", "/results", "/my", "/how", "/rules", "/receipts", "/nothing")


def page(base: str, path: str, **headers: str) -> httpx.Response:
    """What a browser gets."""
    return httpx.get(base + path, headers={**BROWSER, **headers})


def banner(text: str) -> str:
    """The line that tells the state."""
    assert text.count('id="arena-state"') == 1
    return text.split('id="arena-state"')[1].split("</section>")[0]


# --- where the stage stands -------------------------------------------------------------------------------------------


def test_every_page_tells_the_state_at_once_from_open_to_published(tmp_path: Path) -> None:
    """Open, paused, frozen, published: every page's first line says so as soon as it is so, the front page asks for votes only while they are taken."""
    store, keys = Store(f"sqlite:///{tmp_path / 'arena.db'}"), Keys.open(tmp_path, {})
    with serving(tmp_path, stage_toml()) as base:
        citizen = Citizen(base).agree()
        battle = citizen.open()
        citizen.ask(battle)
        citizen.vote(battle)

        def told(state: str, name: str) -> str:
            facts = httpx.get(f"{base}/api/v1/stage").json()
            assert facts["state"] == state
            for path in PAGES:
                assert f'data-state="{state}"' in banner(page(base, path).text), path
                assert name in banner(page(base, path).text), path
            return page(base, "/").text

        assert "두 AI에게 묻고" in told("open", "투표 중")
        store.stages.pause("test", datetime.now(UTC))
        paused = told("paused", "일시 중지")
        assert 'href="/my"' in banner(paused)
        assert "두 AI에게 묻고" not in paused
        store.stages.resume("test")
        assert "두 AI에게 묻고" in told("open", "투표 중")
        lifecycle.freeze(store, keys, "test", organizer="t", now=datetime.now(UTC))
        frozen = told("frozen", "집계 중")
        assert "1표를 집계" in banner(frozen)
        assert "두 AI에게 묻고" not in frozen
        lifecycle.publish(
            store, keys, "test", tmp_path / "exports" / "test", tmp_path, organizer="t", now=datetime.now(UTC)
        )
        published = told("published", "결과 공개")
        assert 'href="/results"' in banner(published)
        assert httpx.get(f"{base}/api/v1/stage").json()["votes"] == 1
    store.close()


@pytest.mark.parametrize("reveal", ["after_stage", "never"])
def test_before_it_opens_the_page_says_when_what_and_who(tmp_path: Path, reveal: str) -> None:
    """The front page of a stage to come has its date and what it is, and names the teams unless the stage never will; no vote is asked for."""
    toml = stage_toml(top="opens = 2126-12-01T09:00:00+09:00", protocol=f'reveal = "{reveal}"')
    with serving(tmp_path, toml) as base:
        front = page(base, "/").text
        assert httpx.get(f"{base}/api/v1/stage").json()["state"] == "draft"
        assert "2126" in banner(front)
        assert "준비하고 있습니다" in front
        assert "두 AI에게 묻고" not in front
        assert ("가람팀" in front) == (reveal != "never")
        assert "가람팀" not in page(base, "/how").text
        english = page(base, "/", **{"accept-language": "en"}).text
        assert "In preparation" in banner(english)


def test_after_the_window_a_stage_counts_though_nobody_has_frozen_it(tmp_path: Path) -> None:
    """Once its window has closed a stage is told as counting, and an answered battle no longer as one that waits for a vote."""
    over = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    with serving(tmp_path, stage_toml(top=f"closes = {over}")) as base:
        assert httpx.get(f"{base}/api/v1/stage").json()["state"] == "frozen"
        assert "집계 중" in banner(page(base, "/").text)


def test_a_plan_to_publish_before_the_end_is_refused() -> None:
    """A stage whose result would come before its votes end is no stage."""
    top = "closes = 2126-12-02T09:00:00+09:00\npublishes = 2126-12-01T09:00:00+09:00"
    with pytest.raises(Exception, match="publishes"):
        Stage.from_toml(stage_toml(top=top).encode(), "stage.toml")


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("errors")


@pytest.fixture(scope="module")
def base(folder: Path) -> Iterator[str]:
    """An arena where a citizen may open one battle."""
    with serving(folder, stage_toml(limits="battles_per_hour = 1")) as address:
        yield address


def held(answer: httpx.Response, status: int, said: str) -> None:
    """It is a page of the site, in Korean, with ways on, and the policy of every answer."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == CSP
    assert answer.headers["cache-control"] == "no-store"
    assert said in answer.text
    for way in ('href="/"', 'href="/results"', 'href="/how"', 'href="/privacy"', 'id="arena-main"'):
        assert way in answer.text
    assert "{" + '"' not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/nothing", 404, "찾으시는 화면이 없습니다"),
        ("GET", "/api/v1/nothing", 404, "찾으시는 화면이 없습니다"),
        ("GET", "/results/nowhere", 404, "찾으시는 화면이 없습니다"),
        ("GET", "/arena-assets/nothing.js", 404, "찾으시는 화면이 없습니다"),
        ("POST", "/how", 405, "이 주소는 이렇게 열 수 없습니다"),
        ("DELETE", "/", 405, "이 주소는 이렇게 열 수 없습니다"),
        ("GET", "/api/v1/session", 405, "이 주소는 이렇게 열 수 없습니다"),
        ("POST", "/organizer/login", 413, "보내신 내용이 너무 큽니다"),
        ("GET", "/api/v1/leaderboard", 403, "볼 수 없는 화면입니다"),
        ("GET", "/api/v1/battles", 401, "동의가 필요합니다"),
    ],
)
def test_a_browser_meets_a_page_and_a_program_a_document(
    base: str, method: str, path: str, status: int, said: str
) -> None:
    """For whoever names `text/html` an error is a page with the ways on; for `fetch`, for a program and for whoever asks for JSON the same is a problem document."""
    content = "x" * 100_000 if status == 413 else None
    held(httpx.request(method, base + path, headers={**BROWSER, "origin": base}, content=content), status, said)
    for accept in ("*/*", "application/json", "application/json, text/html"):
        answer = httpx.request(method, base + path, headers={"accept": accept, "origin": base}, content=content)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        assert answer.json()["status"] == status


def test_who_comes_too_often_reads_when_to_come_back(base: str) -> None:
    """A limit is told as a page with the time to wait, in the header and in words."""
    citizen = Citizen(base).agree()
    citizen.open()
    answer = citizen.http.post("/battles", headers=BROWSER)
    held(answer, 429, "잠시 뒤에 다시 시도해 주세요")
    assert int(answer.headers["retry-after"]) > 90
    assert "분 뒤에 다시 시도해 주세요." in answer.text


def test_what_breaks_is_told_without_its_inside(base: str, folder: Path) -> None:
    """A failure of ours is a page that says votes are safe, and nothing of what went wrong."""
    citizen = Citizen(base).agree()
    battle = citizen.open()
    with sqlite3.connect(folder / "arena.db") as record:
        record.execute("UPDATE battles SET draw_available = '5' WHERE id = ?", [battle])
    answer = citizen.http.get(f"/battles/{battle}", headers=BROWSER)
    held(answer, 500, "처리하는 중에 문제가 생겼습니다")
    assert "Traceback" not in answer.text
    again = httpx.get(f"{base}/api/v1/battles/{battle}", cookies=dict(citizen.http.cookies))
    assert (again.status_code, again.json()["code"]) == (500, "internal")


def test_pages_outlive_the_record(tmp_path: Path) -> None:
    """With the database out of reach, what needs it is refused as a page with 503 and a time, and what does not need it still comes, without a state."""
    with serving(tmp_path, stage_toml()) as base:
        citizen = Citizen(base).agree()
        with sqlite3.connect(tmp_path / "arena.db") as record:
            record.execute("ALTER TABLE stages RENAME TO gone")
            record.execute("ALTER TABLE votes RENAME TO gone_too")
        answer = citizen.http.get(f"{base}/my", headers=BROWSER)
        held(answer, 503, "지금은 연결할 수 없습니다")
        assert int(answer.headers["retry-after"]) >= 1
        assert (
            httpx.get(
                f"{base}/my", headers={**BROWSER, "accept-language": "en"}, cookies=dict(citizen.http.cookies)
            ).status_code
            == 503
        )
        for path in ("/", "/how", "/accessibility"):
            calm = page(base, path)
            assert calm.status_code == 200, path
            assert 'id="arena-state"' not in calm.text
