"""Whose word about an address is believed, and who hears when a setting and what comes contradict each other."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from arena.domain.errors import StageError
from arena.domain.proxies import Mismatch, TrustedProxies
from arena.record.store import Store
from arena.settings import Settings
from arena.web.core.client_address import WatchedProxies, client_address
from tests.support.serving import free_port, serving, stage_toml

NAME, PASSWORD = "evaluation-office", "correct horse battery"


def asked(peer: str, *headers: tuple[str, str]) -> Request:
    """A request over this connection with these headers."""
    raw = [(name.encode(), value.encode()) for name, value in headers]
    return Request({"type": "http", "headers": raw, "client": (peer, 1)})


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address", "told"),
    [
        ("0", [], "10.0.0.1", ""),
        ("0", ["1.2.3.4"], "10.0.0.1", "unexpected"),
        ("1", ["1.2.3.4"], "1.2.3.4", ""),
        ("1", ["6.6.6.6, 1.2.3.4"], "1.2.3.4", ""),
        ("1", ["6.6.6.6", "1.2.3.4"], "1.2.3.4", ""),
        ("2", ["6.6.6.6, 1.2.3.4, 10.0.0.2"], "1.2.3.4", ""),
        ("2", ["1.2.3.4"], "10.0.0.1", "missing"),
        ("1", [], "10.0.0.1", "missing"),
        ("1", ["<script>"], "10.0.0.1", "missing"),
        ("1", ["1.2.3.4:5678"], "1.2.3.4", ""),
        ("1", ["[2001:db8::1]:443"], "2001:db8::1", ""),
        ("1", ["2001:db8::1"], "2001:db8::1", ""),
        ("10.0.0.0/8", ["1.2.3.4"], "1.2.3.4", ""),
        ("10.0.0.0/8", ["6.6.6.6, 1.2.3.4, 10.0.0.2"], "1.2.3.4", ""),
        ("10.0.0.0/8 fd00::/8", ["6.6.6.6", "1.2.3.4, [fd00::2]:80, ::ffff:10.0.0.2"], "1.2.3.4", ""),
        ("10.0.0.1", ["6.6.6.6, 10.0.0.2"], "10.0.0.2", ""),
        ("10.0.0.0/8", ["10.0.9.9, 10.0.0.2"], "10.0.9.9", ""),
        ("10.0.0.0/8", ["6.6.6.6, <script>, 10.0.0.2"], "10.0.0.2", ""),
        ("10.0.0.0/8", ["6.6.6.6, <script>"], "10.0.0.1", "missing"),
        ("10.0.0.0/8", [], "10.0.0.1", "missing"),
        ("192.168.0.0/16", ["6.6.6.6, 192.168.0.1"], "10.0.0.1", "unexpected"),
        ("192.168.0.0/16", [], "10.0.0.1", ""),
    ],
)
def test_the_address_comes_from_our_own_proxies_only(
    proxies: str, forwarded: list[str], address: str, told: str
) -> None:
    """Whatever a client writes into X-Forwarded-For, only what our own proxies appended is read; what contradicts the setting is told once."""
    heard: list[Mismatch] = []
    watched = WatchedProxies(TrustedProxies.parse(proxies), heard.append)
    for _ in range(2):
        assert client_address(asked("10.0.0.1", *(("x-forwarded-for", each) for each in forwarded)), watched) == address
    assert heard == ([f"proxies.{told}"] if told else [])


def test_a_network_holds_an_address_in_either_form() -> None:
    """A proxy of IPv4 that a socket of IPv6 heard from is the same proxy."""
    watched = WatchedProxies(TrustedProxies.parse("10.0.0.0/8"), pytest.fail)
    assert client_address(asked("::ffff:10.0.0.1", ("x-forwarded-for", "1.2.3.4")), watched) == "1.2.3.4"


@pytest.mark.parametrize("header", [("x-real-ip", "6.6.6.6"), ("forwarded", "for=6.6.6.6")])
def test_another_header_is_not_believed_but_told(header: tuple[str, str]) -> None:
    """X-Real-IP and Forwarded say nothing about the address, but that a proxy may stand there."""
    heard: list[Mismatch] = []
    watched = WatchedProxies(TrustedProxies(), heard.append)
    assert client_address(asked("10.0.0.1", header), watched) == "10.0.0.1"
    assert heard == ["proxies.unexpected"]


@pytest.mark.parametrize(
    "text", ["-1", "one", "1 2", "1.5", "10.0.0.1/8", "0.0.0.0/0", "10.0.0.0/8 ::/0", "10.0.0.0/8,fd00::/8"]
)
def test_proxies_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    """With a setting that is no number and no networks, or that trusts everybody, no arena begins to serve."""
    with pytest.raises(StageError, match="trusted_proxies"):
        Settings(data_dir=tmp_path, trusted_proxies=text).proxies  # noqa: B018


def agree(base: str, forwarded: str = "") -> int:
    """A new citizen's first act, as a proxy hands it on."""
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    body = {"consents": ["service", "teams"], "age_ok": True}
    return httpx.post(f"{base}/api/v1/session", json=body, headers=headers).status_code


def noticed(store: Store) -> list[str]:
    """What the record holds of contradictions, once what is on its way has been written."""
    deadline = time.monotonic() + 5
    while True:
        found = [event.kind for event in store.events.of_arena(100) if event.kind.startswith("proxies.")]
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


def operations(base: str, language: str, forwarded: str) -> dict[str, Any]:
    """What the operations tab shows an organizer who comes the same way."""
    headers = {"origin": base} | ({"x-forwarded-for": forwarded} if forwarded else {})
    with httpx.Client(base_url=base, headers=headers, timeout=60) as http:
        assert http.post("/organizer/login", data={"name": NAME, "password": PASSWORD}).status_code == 303
        return http.get(f"/organizer/console/operations?lang={language}").json()


@pytest.mark.parametrize(
    ("setting", "forwarded", "kind", "step"),
    [
        ("0", "203.0.113.9", "proxies.unexpected", "set ARENA_TRUSTED_PROXIES to its network"),
        ("1", "", "proxies.missing", "$proxy_add_x_forwarded_for"),
    ],
)
def test_a_contradiction_is_logged_once_and_shown_until_it_is_mended(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    setting: str,
    forwarded: str,
    kind: str,
    step: str,
) -> None:
    """However many such requests come, log and audit log hold one line; the console warns and says what to do; mended and started anew, it is silent."""
    toml, port = stage_toml(), free_port()
    store = Store(f"sqlite:///{tmp_path / 'arena.db'}")
    store.organizers.add(NAME, PASSWORD, datetime.now(UTC))
    with serving(tmp_path, toml, port=port, trusted_proxies=setting) as base:
        for _ in range(5):
            assert agree(base, forwarded) == 201
        assert noticed(store) == [kind]
        told = operations(base, "en", forwarded)
        assert [tile["mood"] for tile in told["tiles"] if tile["label"] == "Proxies"] == ["warn"]
        ((process, _, what),) = next(s["table"]["rows"] for s in told["sections"] if s["id"] == "proxies")
        assert process.endswith(f":{port}")
        assert step in what
        assert f"ARENA_TRUSTED_PROXIES = {setting}" in what
        assert "ARENA_TRUSTED_PROXIES" in next(
            s["says"] for s in operations(base, "ko", forwarded)["sections"] if s["id"] == "proxies"
        )
    assert noticed(store) == [kind]
    assert [record.message for record in caplog.records if "proxies." in record.message] == [
        f"{kind}: ARENA_TRUSTED_PROXIES is {setting!r}"
    ]
    with serving(tmp_path, toml, port=port, trusted_proxies="127.0.0.1" if forwarded else "0") as base:
        assert agree(base, forwarded) == 201
        told = operations(base, "en", forwarded)
        assert "Proxies" not in [tile["label"] for tile in told["tiles"]]
        assert "proxies" not in [section["id"] for section in told["sections"]]
    store.close()


def test_behind_networks_of_ours_each_client_is_its_own(tmp_path: Path) -> None:
    """Behind a proxy in a trusted network one network's price is nobody else's, whatever a client wrote before; nobody else's proxy is believed."""
    few = stage_toml(limits="proof_after = 2", proof="pressure")
    with serving(tmp_path / "ours", few, trusted_proxies="127.0.0.0/8 ::1") as base:
        assert [agree(base, f"203.0.{n}.9, 198.51.100.7") for n in range(4)] == [201, 201, 403, 403]
        assert agree(base, "203.0.1.9, 198.51.101.7, 127.0.0.2") == 201
    with serving(tmp_path / "theirs", few, trusted_proxies="10.0.0.0/8") as base:
        assert [agree(base, f"203.0.{n}.9") for n in range(4)] == [201, 201, 403, 403]
