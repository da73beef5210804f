"""Logging in with a real provider in its own process: what holds lets one person in under one pseudonym, everything else lets nobody in."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from arena.domain.errors import StageError
from arena.record.store import Store
from arena.web.oidc import Provider
from tests.support import oidc_provider
from tests.support.serving import free_port, serving, stage_toml

TOP = '[population]\nidentity = "oidc"\n'


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
    knobs: dict[str, Any] = {
        "oidc_issuer": provider,
        "oidc_client_id": oidc_provider.CLIENT,
        "oidc_client_secret": oidc_provider.SECRET,
        "public_url": f"http://127.0.0.1:{port}",
    }
    with serving(data_dir, stage_toml(top=TOP), port=port, **knobs) as address:
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


def agree(http: httpx.Client) -> httpx.Response:
    return http.post("/api/v1/session", json={"consents": ["service", "teams"], "age_ok": True})


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
    assert (vote.identity_level, b'"identity_level":"verified"' in vote.record) == ("verified", True)
    with store.database.reading() as connection:
        kept = str([connection.execute(sa.text(f"SELECT * FROM {t}")).all() for t in ("citizens", "identities")])  # noqa: S608
    store.close()
    assert kept.count("'verified'") == 2
    assert "cheolsu" not in kept


def test_after_a_withdrawal_the_same_person_is_somebody_new(base: str, provider: str) -> None:
    """A withdrawn pseudonym is never used again: the next login leads to a new one that cannot see the old battles."""
    httpx.post(f"{provider}/person", content="park-minsu")
    http = browser(base)
    log_in(http)
    agree(http)
    battle = http.post("/api/v1/battles").json()["battle_id"]
    kept = http.cookies["arena_session"]
    assert http.delete("/api/v1/session").status_code == 204
    assert "arena_session" not in http.cookies
    stale = browser(base)
    stale.cookies.set("arena_session", kept)
    assert agree(stale).json()["code"] == "login_needed"
    assert stale.post("/api/v1/battles").json()["code"] == "consent_needed"
    log_in(http)
    assert agree(http).status_code == 201
    assert http.get(f"/api/v1/battles/{battle}").status_code == 404


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


def test_settings_that_cannot_log_anybody_in_are_named() -> None:
    """An arena whose stage asks for a login does not start without a provider, and says what is missing."""
    whole = {"issuer": "i", "client_id": "c", "client_secret": "s", "level": "email", "public_url": "p"}
    assert Provider.declared(**whole).level == "email"
    for name, message in [("issuer", "ARENA_OIDC_ISSUER"), ("public_url", "ARENA_PUBLIC_URL"), ("level", "neither")]:
        with pytest.raises(StageError, match=message):
            Provider.declared(**{**whole, name: ""})
