"""Logging in with a real provider in its own process: what holds lets one person in under one pseudonym, everything else lets nobody in."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from arena.domain.errors import StageError
from arena.domain.invitation import code_digest
from arena.record.keys import Keys
from arena.record.store import Store
from arena.web.auth.oidc import Provider
from arena.web.core.session import Sessions
from tests.support import oidc_provider
from tests.support.serving import free_port, serving, stage_toml
from tests.support.words import refusing

TOP = '[population]\nidentity = "oidc"\n'


def knobs(provider: str, port: int) -> dict[str, Any]:
    """Settings of an arena at this port whose citizens log in there."""
    return {
        "oidc_issuer": provider,
        "oidc_client_id": oidc_provider.CLIENT,
        "oidc_client_secret": oidc_provider.SECRET,
        "public_url": f"http://127.0.0.1:{port}",
    }


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The provider's address."""
    port = free_port()
    process = subprocess.Popen([sys.executable, oidc_provider.__file__, str(port)])
    base = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                httpx.get(f"{base}/jwks").raise_for_status()
                break
            except httpx.HTTPError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield base
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("arena")


@pytest.fixture(scope="module")
def base(provider: str, data_dir: Path) -> Iterator[str]:
    """An arena whose stage asks who citizens are."""
    port = free_port()
    with serving(data_dir, stage_toml(top=TOP), port=port, **knobs(provider, port)) as address:
        yield address


def browser(base: str) -> httpx.Client:
    """Somebody's browser, which follows nothing by itself."""
    return httpx.Client(base_url=base, headers={"origin": base})


def log_in(http: httpx.Client) -> httpx.Response:
    """The whole way: to the provider, back, and what the arena says then."""
    there = http.get("/login")
    assert there.status_code == 303
    back = httpx.get(there.headers["location"])
    return http.get(back.headers["location"])


def agree(http: httpx.Client, **more: str) -> httpx.Response:
    return http.post("/api/v1/session", json={"consents": ["service", "teams"], "age_ok": True, **more})


def test_the_policy_tells_of_the_login(base: str) -> None:
    """Where people log in, the privacy policy says what is kept of it, which cookies carry it, and what a withdrawal leaves of it and until when."""
    for language, told in (
        (
            "ko",
            (
                "본인 확인 기관이 준 식별값의 암호화 요약값",
                "arena_login",
                "12시간",
                "10분",
                "감사를 위해 계속 보유. 동의를 철회하면 운영기관도",
                "투표 기록과의 연결을 끊고 철회한 사실만 그때까지 보유",
                "본인 확인값의 암호화 요약값과 철회한 사실을 평가 종료 후 365일까지 보유한 뒤 파기합니다",
            ),
        ),
        (
            "en",
            (
                "An encrypted digest of the login",
                "arena_login",
                "12 hours",
                "10 minutes",
                "Once you have withdrawn, not even",
                "without a link to any vote, and saying only that you have",
                "the fact that you have withdrawn, until 365 days after the evaluation, when they are destroyed",
            ),
        ),
    ):
        page = httpx.get(f"{base}/privacy?lang={language}").text
        assert [each for each in told if each not in page] == []
        assert "180" not in page


def test_a_login_leads_to_one_pseudonym(base: str, data_dir: Path, provider: str) -> None:
    """Without a login nobody enters; with one the same person is the same citizen in every browser, verified, and their identity is stored nowhere."""
    assert agree(browser(base)).json()["code"] == "login_needed"
    httpx.post(f"{provider}/person", content="kim-cheolsu")
    first, second = browser(base), browser(base)
    for http in (first, second):
        back = log_in(http)
        assert (back.status_code, back.headers["location"]) == (303, "/")
        cookie = back.headers["set-cookie"]
        assert "arena_session=" in cookie
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert agree(http).status_code == 201
    battle = first.post("/api/v1/battles").json()["battle_id"]
    assert second.get(f"/api/v1/battles/{battle}").status_code == 200
    first.post(f"/api/v1/battles/{battle}/turns", json={"prompt": "안녕하세요?"}, timeout=30)
    assert second.post(f"/api/v1/battles/{battle}/vote", json={"winner": "tie"}).status_code == 201
    httpx.post(f"{provider}/person", content="lee-younghee")
    third = browser(base)
    log_in(third)
    assert agree(third).status_code == 201
    assert third.get(f"/api/v1/battles/{battle}").status_code == 404

    store = Store(f"sqlite:///{data_dir / 'arena.db'}")
    (vote,) = store.votes.after("test", 0)
    assert (vote.identity_level, b"verified" in vote.record) == ("verified", False)
    with store.database.reading() as connection:
        kept = str([connection.execute(sa.text(f"SELECT * FROM {t}")).all() for t in ("citizens", "persons")])  # noqa: S608
    store.close()
    assert kept.count("'verified'") == 2
    assert "cheolsu" not in kept


def person(http: httpx.Client, provider: str, name: str) -> httpx.Response:
    """Logs somebody in at the provider, and here."""
    httpx.post(f"{provider}/person", content=name)
    return log_in(http)


def judged(http: httpx.Client) -> httpx.Response:
    """A battle, and the vote on it."""
    opened = http.post("/api/v1/battles")
    if opened.status_code != 201:
        return opened
    battle = opened.json()["battle_id"]
    http.post(f"/api/v1/battles/{battle}/turns", json={"prompt": "안녕하세요?"}, timeout=30).raise_for_status()
    return http.post(f"/api/v1/battles/{battle}/vote", json={"winner": "tie"})


@pytest.mark.parametrize("strict", [""], indirect=True)
def test_one_person_is_one_voter(strict: str, provider: str, database_url: str) -> None:
    """Logging in again, here or in another browser, gives nobody more votes; whoever has withdrawn is told so in both languages and never votes
    again. Their votes stay with the network's digest, and nothing in the record leads from the person to them."""
    http = browser(strict)
    person(http, provider, "park-minsu")
    agree(http)
    assert [judged(http).status_code for _ in range(2)] == [201, 201]
    for again in (http, browser(strict)):
        again.post("/logout")
        person(again, provider, "park-minsu")
        assert agree(again).status_code == 201
        assert (judged(again).status_code, judged(again).json()["code"]) == (429, "too_many")
    kept = http.cookies["arena_session"]
    assert http.delete("/api/v1/session").status_code == 204
    assert "arena_session" not in http.cookies

    for each in (http, browser(strict)):
        back = person(each, provider, "park-minsu")
        assert (back.status_code, back.headers["location"]) == (303, "/?login=withdrawn")
        assert "arena_session" not in each.cookies
        assert agree(each).json()["code"] == "login_needed"
    stale = browser(strict)
    stale.cookies.set("arena_session", kept)
    assert agree(stale).json()["code"] == "login_needed"
    assert judged(stale).json()["code"] == "session_needed"

    store = Store(database_url)
    assert store.votes.count("test") == 2
    with store.database.reading() as connection:
        votes = connection.execute(sa.text("SELECT citizen_id, network FROM votes")).all()
        known = connection.execute(sa.text("SELECT * FROM persons")).all()
    store.close()
    assert len(set(votes)) == 1
    assert None not in votes[0]
    assert [row.subject for row in known] == [None]
    assert votes[0].citizen_id not in str(known)
    assert "minsu" not in str(known)


@pytest.fixture
def strict(provider: str, database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """An arena in which one may vote twice an hour; with more to its stage file."""
    top = TOP + 'kind = "panel"\n' if request.param else TOP
    stage = stage_toml(top=top, limits="votes_per_hour = 2") + request.param
    with serving(tmp_path, stage, port=(port := free_port()), database_url=database_url, **knobs(provider, port)) as at:
        yield at


@pytest.mark.parametrize("strict", [""], indirect=True)
def test_logging_in_many_times_at_once_makes_one_citizen(strict: str, provider: str, database_url: str) -> None:
    """Six browsers of one person come back from the provider at the same instant, and agree at the same instant: one pseudonym."""
    httpx.post(f"{provider}/person", content="choi-jiwoo")
    browsers = [browser(strict) for _ in range(6)]
    backs = [httpx.get(http.get("/login").headers["location"]).headers["location"] for http in browsers]
    with ThreadPoolExecutor(len(browsers)) as pool:
        arrived = list(
            pool.map(
                lambda each: each[0].get(each[1], timeout=30).headers["location"], zip(browsers, backs, strict=True)
            )
        )
        assert arrived == ["/"] * 6
        assert {answer.status_code for answer in pool.map(agree, browsers)} == {201}
    battle = browsers[0].post("/api/v1/battles").json()["battle_id"]
    assert [http.get(f"/api/v1/battles/{battle}").status_code for http in browsers] == [200] * 6
    store = Store(database_url)
    with store.database.reading() as connection:
        counted = [connection.scalar(sa.text(f"SELECT COUNT(*) FROM {table}")) for table in ("citizens", "persons")]  # noqa: S608
    store.close()
    assert counted == [1, 1]


def test_a_cookie_of_elsewhere_is_nobodys(base: str, data_dir: Path) -> None:
    """Where persons are taken once, a cookie that this arena signed for another stage, or for somebody who never logged in, opens nothing."""
    keys = Keys.open(data_dir, {})
    for persons_of in ("", "another-stage"):
        sessions = Sessions(keys.secret, keys.cookie_secrets, persons_of=persons_of, secure=False)
        _, cookie = sessions.new("somebody", "verified")
        http = browser(base)
        http.cookies.set("arena_session", cookie)
        assert agree(http).json()["code"] == "login_needed"
        assert http.post("/api/v1/battles").json()["code"] == "session_needed"


CODES = ["7KQM-X2PD-GHTN-4WZC", "22RT-55YY-AAQQ-PPMM"]
MEMBERS = f"[population.panel]\nmembers = {json.dumps([code_digest(code) for code in CODES])}\n"


@pytest.mark.parametrize("strict", [MEMBERS], indirect=True)
def test_a_panel_seats_each_member_once(strict: str, provider: str) -> None:
    """With a login and a panel: nobody without an invitation, a code is one person's for good, a person keeps one seat in every browser, and a seat whose
    member has withdrawn is nobody's."""
    kim, lee = browser(strict), browser(strict)
    person(kim, provider, "kim-panel")
    assert agree(kim).json()["code"] == "invitation_needed"
    assert agree(kim, invitation="2222-2222-2222-2222").json()["code"] == "invitation_unknown"
    assert kim.post("/api/v1/battles").json()["code"] == "session_needed"
    assert agree(kim, invitation=CODES[0]).status_code == 201
    assert judged(kim).status_code == 201
    person(lee, provider, "lee-panel")
    refused = agree(lee, invitation=CODES[0]).json()
    assert (refused["code"], "다른 사람" in refused["ko"], "Somebody else" in refused["en"]) == (
        "invitation_used",
        True,
        True,
    )
    elsewhere = browser(strict)
    person(elsewhere, provider, "kim-panel")
    assert agree(elsewhere).status_code == 201
    assert len(elsewhere.get("/api/v1/battles").json()) == 1
    assert kim.delete("/api/v1/session").status_code == 204
    assert agree(lee, invitation=CODES[0]).json()["code"] == "invitation_used"
    assert person(kim, provider, "kim-panel").headers["location"] == "/?login=withdrawn"
    assert agree(lee, invitation=CODES[1]).status_code == 201


def test_a_logout_ends_the_session(base: str, provider: str) -> None:
    """The cookie goes, and the provider is told."""
    http = browser(base)
    log_in(http)
    agree(http)
    out = http.post("/logout")
    assert out.status_code == 303
    assert out.headers["location"].startswith(f"{provider}/end?")
    assert httpx.get(out.headers["location"]).headers["location"] == f"{base}/"
    assert http.post("/api/v1/battles").status_code == 401
    assert browser(base).post("/logout", headers={"origin": "https://evil.example"}).status_code == 403


@pytest.mark.parametrize(
    "lie", ["nonce", "audience", "party", "issuer", "expired", "nobody", "key", "secret", "unsigned", "broken"]
)
def test_a_token_that_does_not_hold_lets_nobody_in(base: str, provider: str, lie: str) -> None:
    """Wrong nonce, audience, party, issuer, time, subject, key or algorithm: no session, and nothing about why reaches the browser."""
    http = browser(base)
    httpx.post(f"{provider}/lie", content=lie)
    back = log_in(http)
    assert (back.status_code, back.headers["location"]) == (303, "/?login=failed")
    assert "arena_session" not in http.cookies
    assert agree(http).json()["code"] == "login_needed"


def test_a_new_key_of_the_provider_is_found(base: str, provider: str) -> None:
    """When the provider rotates its keys, the next login fetches the new one, however soon."""
    http = browser(base)
    log_in(http)
    httpx.post(f"{provider}/lie", content="rotated")
    http = browser(base)
    assert log_in(http).headers["location"] == "/"


def test_a_login_asks_the_provider_once(base: str, provider: str) -> None:
    """However often a browser comes back with one login's cookie, whatever code it brings and however many come at once: the token endpoint hears of one."""
    went = httpx.get(f"{base}/login")
    back = {"state": httpx.URL(went.headers["location"]).params["state"], "code": "made-up"}
    cookie = {"cookie": f"arena_login={went.cookies['arena_login']}"}
    before = httpx.get(f"{provider}/asked").json()

    def returned(**other: str) -> str:
        return httpx.get(f"{base}/login/callback", params=back | other, headers=cookie, timeout=60).headers["location"]

    assert returned(state="another") == "/?login=failed"
    assert httpx.get(f"{provider}/asked").json() == before
    with ThreadPoolExecutor(10) as pool:
        assert set(pool.map(lambda n: returned(code=f"made-up-{n}"), range(30))) == {"/?login=failed"}
    assert httpx.get(f"{provider}/asked").json() == before + 1


def test_the_way_back_belongs_to_the_browser_that_went(base: str) -> None:
    """Another browser's answer, a forged state, a second use of the code, or no code at all: refused."""
    victim, attacker = browser(base), browser(base)
    there = attacker.get("/login").headers["location"]
    back = httpx.get(there).headers["location"]
    assert victim.get(back).headers["location"] == "/?login=failed"
    victim.get("/login")
    assert victim.get(back).headers["location"] == "/?login=failed"

    http = browser(base)
    back = httpx.get(http.get("/login").headers["location"]).headers["location"]
    kept = dict(http.cookies)
    code, state = httpx.URL(back).params["code"], httpx.URL(back).params["state"]
    for query in (f"?code={code}&state=x", f"?code={code}", f"?state={state}", "?error=access_denied", ""):
        http.cookies.update(kept)
        assert http.get(f"/login/callback{query}").headers["location"] == "/?login=failed"
    http.cookies.update(kept)
    assert http.get(back).headers["location"] == "/"
    http.cookies.update(kept)
    assert http.get(back).headers["location"] == "/?login=failed"


def test_no_picture_of_another_site_ends_a_login(base: str) -> None:
    """While somebody is at the provider, another site's pictures begin no other login in their browser and use up none."""
    http = browser(base)
    back = httpx.get(http.get("/login").headers["location"]).headers["location"]
    for site in ("same-site", "cross-site"):
        headers = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}
        for path in ("/login", "/login/callback?state=x&code=y"):
            assert http.get(path, headers=headers).status_code == 403
    came = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert http.get(back, headers=came).headers["location"] == "/"


def test_settings_that_cannot_log_anybody_in_are_named() -> None:
    """An arena whose stage asks for a login does not start without a provider, and says what is missing."""
    whole = {"issuer": "i", "client_id": "c", "client_secret": "s", "level": "email", "public_url": "p"}
    assert Provider.declared(**whole).level == "email"
    for name, message in [("issuer", "ARENA_OIDC_ISSUER"), ("public_url", "ARENA_PUBLIC_URL"), ("level", "neither")]:
        with refusing(StageError, match=message):
            Provider.declared(**{**whole, name: ""})
