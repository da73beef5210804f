"""What is refused before it can do anything: requests of other sites, forged cookies and headers, doors that are not for everybody, Gradio's own endpoints."""

import base64
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from starlette.requests import Request
from starlette.routing import Route

from arena.record.keys import Keys
from arena.record.store import Store
from arena.web.core.headers import CSP
from arena.web.core.session import COOKIE, Sessions
from tests.support.serving import Citizen, serving, stage_toml

EVIL = "https://evil.example"
ORGANIZER = "arena_organizer"
PAGE = ("/", "/config", "/theme.css", "/favicon.ico", "/assets/")
LIVING = ("/gradio_api/info", "/gradio_api/queue/join", "/gradio_api/queue/data")
OURS = ("/login", "/logout", "/openapi.json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("arena")


@pytest.fixture(scope="module")
def base(folder: Path) -> Iterator[str]:
    """An arena with one organizer."""
    with serving(folder, stage_toml()) as address:
        yield address


@pytest.fixture(scope="module")
def keys(base: str, folder: Path) -> Keys:
    """The keys of that arena, for the one test that has stolen half of them."""
    return Keys.open(folder, {})


# --- other sites ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        {"origin": EVIL},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://127.0.0.1"},
        {"origin": "http://127.0.0.1.evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
    ids=str,
)
def test_another_sites_post_is_refused(base: str, sent: dict[str, str]) -> None:
    """With the victim's cookie and from another page, nothing that changes anything is let through, on any route."""
    citizen = Citizen(base).agree()
    battle = citizen.open()
    citizen.ask(battle)
    cookies = dict(citizen.http.cookies)
    for method, path in (
        ("POST", "/api/v1/session"),
        ("DELETE", "/api/v1/session"),
        ("POST", "/api/v1/battles"),
        ("POST", f"/api/v1/battles/{battle}/turns"),
        ("POST", f"/api/v1/battles/{battle}/stop"),
        ("POST", f"/api/v1/battles/{battle}/vote"),
        ("POST", "/organizer/login"),
        ("POST", "/organizer/logout"),
        ("POST", "/organizer/console/anything"),
        ("POST", "/logout"),
        ("PUT", "/api/v1/stage"),
    ):
        answer = httpx.request(
            method, base + path, headers=sent, cookies=cookies, json={"winner": "tie", "prompt": "?", "consents": []}
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin"), path
    view = citizen.see(battle)
    assert (view["state"], len(view["turns"]), view["vote"]) == ("open", 1, None)


def test_another_site_may_read_nothing(base: str) -> None:
    """No answer allows another origin to read it, whatever it asks for; every answer carries the policy that keeps scripts out."""
    for path in ("/", "/api/v1/stage", "/config", "/organizer/login", "/healthz", "/nothing", "/arena-assets/nothing"):
        for method in ("GET", "OPTIONS"):
            headers = {"origin": EVIL, "access-control-request-method": "POST"}
            answer = httpx.request(method, base + path, headers=headers)
            assert not [name for name in answer.headers if name.startswith("access-control-")], (method, path)
            assert answer.headers["content-security-policy"] == CSP
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["x-frame-options"] == "DENY"
    assert "script-src 'self';" in CSP


# --- forged cookies ---------------------------------------------------------------------------------------------------


def signed(secret: bytes, **claims: object) -> str:
    """A cookie that somebody signed."""
    usual = {"sub": "someone", "aud": "citizen", "lvl": "verified", "exp": int(time.time()) + 600}
    return jwt.encode({"alg": "HS256"}, usual | claims, OctKey.import_key(secret))


def unsigned(**claims: object) -> str:
    """A cookie that says it needs no signature."""
    parts = (
        {"alg": "none", "typ": "JWT"},
        {"sub": "someone", "aud": "citizen", "exp": int(time.time()) + 600} | claims,
    )
    return ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=").decode() for p in parts) + "."


def test_forged_cookies_are_nobodys(base: str, keys: Keys) -> None:
    """No signature, another key, another purpose, no end or a past one, a changed byte, a public key as a secret: no session, no console."""
    stolen = keys.cookie_secrets[0]
    known = Citizen(base).agree().http.cookies[COOKIE]
    kid = json.dumps(keys.jwks()["keys"][0]).encode()
    head, body, signature = known.split(".")
    changed = base64.urlsafe_b64encode(
        base64.urlsafe_b64decode(body + "==").replace(b'"anonymous"', b'"verified" ')
    ).rstrip(b"=")
    forged = [
        unsigned(),
        unsigned(aud="organizer"),
        signed(b"0" * 32),
        signed(kid),
        signed(stolen, aud="organizer"),
        signed(stolen, aud="admin"),
        signed(stolen, exp=int(time.time()) - 1),
        f"{head}.{changed.decode()}.{signature}",
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-2]}",
        "..",
        "x" * 4000,
        "",
    ]
    for cookie in forged:
        answer = httpx.post(f"{base}/api/v1/battles", headers={"cookie": f"{COOKIE}={cookie}", "origin": base})
        assert (answer.status_code, answer.json()["code"]) == (401, "session_needed"), cookie
    of_an_organizer = signed(stolen, aud="organizer", sub="console")
    for cookie in (*forged, signed(stolen), signed(stolen, aud="organizer", exp=1), of_an_organizer, known, "x" * 43):
        headers = {"cookie": f"{ORGANIZER}={cookie}"}
        assert httpx.get(f"{base}/organizer/config", headers=headers).status_code == 401, cookie
        assert httpx.get(f"{base}/api/v1/leaderboard", headers=headers).status_code == 403


def test_a_session_outlives_one_rotation_of_its_secret_and_not_two(folder: Path, keys: Keys) -> None:
    """After the secrets were rotated a citizen is still the same one; after the second rotation the old cookie is nobody's."""
    citizen, cookie = Sessions(keys.secret, keys.cookie_secrets, secure=False).new()
    carried = Request({"type": "http", "headers": [(b"cookie", f"{COOKIE}={cookie}".encode())]})
    once = Keys(keys._bundle, None).rotate_cookies()
    twice = once.rotate_cookies()
    known = Sessions(once.secret, once.cookie_secrets, secure=False).known(carried)
    assert known is not None
    assert known[0] == citizen
    assert Sessions(twice.secret, twice.cookie_secrets, secure=False).known(carried) is None


def test_the_cookie_is_kept_from_scripts_other_sites_and_plain_lines(base: str, tmp_path: Path) -> None:
    """HttpOnly and SameSite=Lax everywhere; behind TLS Secure, by a name that only this host can set, and for nothing but TLS from then on."""
    asked = {"consents": ["service", "teams"], "age_ok": True}
    plain = httpx.post(f"{base}/api/v1/session", json=asked).headers["set-cookie"]
    with serving(tmp_path, stage_toml(), public_url="https://arena.example.kr") as behind_tls:
        headers = {"origin": "https://arena.example.kr"}
        given = httpx.post(f"{behind_tls}/api/v1/session", json=asked, headers=headers)
        secure = given.headers["set-cookie"]
        for planted, status in (
            (f"{COOKIE}={given.cookies[f'__Host-{COOKIE}']}", 401),
            (secure.partition(";")[0], 200),
        ):
            seen = httpx.get(f"{behind_tls}/api/v1/battles", headers={"cookie": planted})
            assert seen.status_code == status, planted
        entering = httpx.get(f"{behind_tls}/organizer/enter?once=guess", headers=headers)
        leaving = httpx.post(f"{behind_tls}/organizer/logout", headers=headers)
        assert "Secure" in leaving.headers["set-cookie"]
        assert leaving.headers["set-cookie"].startswith(f'__Host-{ORGANIZER}=""')
        for answer in (given, entering, leaving, httpx.get(f"{behind_tls}/nowhere"), httpx.get(f"{behind_tls}/rules")):
            assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert httpx.post(f"{behind_tls}/api/v1/battles", headers={"origin": behind_tls}).status_code == 403
        page = httpx.get(f"{behind_tls}/config", headers={"host": "evil.example", "x-forwarded-host": "evil.example"})
        assert ("evil.example" in page.text, '"https://arena.example.kr"' in page.text) == (False, True)
    for cookie in (plain, secure):
        assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert ("Secure" in plain, "Secure" in secure) == (False, True)
    assert (plain.partition("=")[0], secure.partition("=")[0]) == (COOKIE, f"__Host-{COOKIE}")
    assert "strict-transport-security" not in httpx.get(f"{base}/rules").headers


def test_a_planted_cookie_is_never_kept(base: str) -> None:
    """Who agrees for the first time is somebody new, whatever cookie somebody else has put there: the planter reads nothing of what is then asked."""
    planter, victim = Citizen(base).agree(), Citizen(base)
    planted = planter.http.cookies[COOKIE]
    victim.http.cookies.set(COOKIE, planted, domain="127.0.0.1")
    victim.agree()
    assert victim.http.cookies[COOKIE] != planted
    battle = victim.open()
    victim.ask(battle, "남에게 보이지 않을 질문")
    assert planter.http.get(f"/battles/{battle}").status_code == 404
    assert planter.http.get("/battles").json() == []
    # Who has agreed changes what they agree to and stays who they are; who has not cannot.
    assert victim.http.put("/session", json={"consents": ["service", "teams", "votes-release"]}).status_code == 200
    assert victim.see(battle)["votable"]
    assert victim.http.put("/session", json={"consents": ["teams"]}).json()["code"] == "consent_needed"
    assert (
        Citizen(base).http.put("/session", json={"consents": ["service", "teams"]}).json()["code"] == "session_needed"
    )


def test_a_withdrawn_cookie_is_nobodys(base: str) -> None:
    """From the withdrawal on, a copy of the cookie lists, reads, asks, streams, votes, answers and agrees to nothing, and a page shows nothing."""
    citizen, copy = Citizen(base).agree(), Citizen(base)
    battle, judged = citizen.open(), citizen.open()
    for each in (battle, judged):
        citizen.ask(each)
    assert citizen.vote(judged).status_code == 201
    copy.http.cookies.set(COOKIE, citizen.http.cookies[COOKIE], domain="127.0.0.1")
    assert len(copy.http.get("/battles").json()) == 2
    assert citizen.http.delete("/session").status_code == 204
    for method, path, body in (
        ("GET", "/battles", None),
        ("POST", "/battles", None),
        ("GET", f"/battles/{battle}", None),
        ("GET", f"/battles/{judged}", None),
        ("POST", f"/battles/{battle}/turns", {"prompt": "?"}),
        ("GET", f"/battles/{battle}/turns/1/stream", None),
        ("GET", f"/battles/{judged}/turns/1/stream", None),
        ("POST", f"/battles/{battle}/stop", None),
        ("POST", f"/battles/{battle}/vote", {"winner": "tie"}),
        ("POST", f"/battles/{judged}/vote", {"winner": "model_a"}),
        ("PUT", "/session", {"consents": ["service", "teams"]}),
        ("GET", "/about-you", None),
        ("PUT", "/about-you", {"answers": {}}),
    ):
        answer = copy.http.request(method, path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (401, "session_needed"), path
    assert copy.http.get("/stage").json()["session"] is None
    assert "/receipts/" not in httpx.get(f"{base}/my", headers={"cookie": f"{COOKIE}={copy.http.cookies[COOKIE]}"}).text
    assert copy.agree().http.get("/battles").json() == []


# --- other people's ids -----------------------------------------------------------------------------------------------


def test_other_peoples_battles_streams_and_lists_are_not_there(base: str) -> None:
    """A stranger who knows a battle's id reads, asks, streams, stops, votes and lists nothing of it."""
    citizen, stranger = Citizen(base).agree(), Citizen(base).agree()
    battle = citizen.open()
    citizen.ask(battle)
    for method, path, body in (
        ("GET", "", None),
        ("POST", "/turns", {"prompt": "?"}),
        ("GET", "/turns/1/stream", None),
        ("POST", "/stop", None),
        ("POST", "/vote", {"winner": "tie"}),
    ):
        answer = stranger.http.request(method, f"/battles/{battle}{path}", json=body)
        assert answer.status_code == 404, path
    assert stranger.http.get("/battles").json() == []
    assert citizen.see(battle)["votable"]


# --- forged proxy headers ---------------------------------------------------------------------------------------------


def welcomed(base: str, **headers: str) -> httpx.Response:
    return httpx.post(
        f"{base}/api/v1/session", json={"consents": ["service", "teams"], "age_ok": True}, headers=headers
    )


def test_forged_proxy_headers_change_nobodys_address(tmp_path: Path) -> None:
    """Without proxies of ours no header says where somebody comes from; behind one, only what it appended does: a full network is asked for work."""
    few = stage_toml(limits="proof_after = 2", proof="pressure")
    forged = ("x-forwarded-for", "x-real-ip", "forwarded", "cf-connecting-ip", "true-client-ip", "x-client-ip")
    with serving(tmp_path / "bare", few) as base:
        got = [welcomed(base, **dict.fromkeys(forged, f"203.0.{n}.9")) for n in range(4)]
        assert [answer.status_code for answer in got] == [201, 201, 403, 403]
        assert got[-1].json()["code"] == "proof_needed"
        host = httpx.get(f"{base}/config", headers={"x-forwarded-host": "evil.example", "x-forwarded-proto": "https"})
        assert "evil.example" not in host.text
        assert f'"{base}"' in host.text
    with serving(tmp_path / "behind", few, trusted_proxies="1") as base:
        claimed = [welcomed(base, **{"x-forwarded-for": f"203.0.{n}.9, 198.51.100.7"}).status_code for n in range(4)]
        assert claimed == [201, 201, 403, 403]
        assert welcomed(base, **{"x-forwarded-for": "203.0.1.9, 198.51.101.7"}).status_code == 201


# --- the organizers' door ---------------------------------------------------------------------------------------------


def gradio_routes() -> list[tuple[str, str]]:
    """Every route that this Gradio brings, by method, its parameters filled in."""
    import gradio as gr
    from gradio.routes import App

    found = set()
    with gr.Blocks() as page:
        gr.Markdown("x")
    app = App.create_app(page)
    for route in app.routes:
        each = getattr(route, "_effective_candidates", [route]) if not isinstance(route, Route) else [route]
        for one in each:
            path = getattr(one, "path", "")
            for method in getattr(one, "methods", None) or ():
                found.add(
                    (
                        method,
                        "".join(
                            p.partition("}")[2] if n else p for n, p in enumerate(path.replace("{", "{x").split("{"))
                        ),
                    )
                )
    return sorted(found)


def test_no_route_of_the_console_opens_without_a_login(base: str) -> None:
    """The page sends a visitor to the form; every other route under it, Gradio's and ours, refuses; a wrong name or password opens nothing."""
    routes = {
        ("GET", "/organizer/console/live"),
        ("POST", "/organizer/console/freeze"),
        ("POST", "/organizer/queue/join"),
    }
    routes |= {(method, f"/organizer{path}") for method, path in gradio_routes()}
    for method, path in sorted(routes):
        answer = httpx.request(method, base + path, headers={"origin": base})
        if path in ("/organizer/login", "/organizer/logout"):
            continue
        assert answer.status_code in (303, 401, 404), (method, path, answer.status_code)
        assert method == "HEAD" or "ratings" not in answer.text
    for method, path in (("GET", "/api/v1/leaderboard"), ("GET", "/api/v1/stages/test/export")):
        assert httpx.request(method, base + path).status_code in (401, 403)
    wrong = httpx.post(f"{base}/organizer/login", data={"name": "kim", "password": "wrong"}, headers={"origin": base})
    assert (wrong.status_code, "set-cookie" in wrong.headers) == (401, False)
    assert httpx.get(f"{base}/organizer/enter?once=guess").headers["location"] == "/organizer/login"


def test_a_password_cannot_be_guessed_at_leisure(tmp_path: Path) -> None:
    """After so many wrong passwords in an hour a network waits, and the right one does not help it then; before that it counts for nothing."""
    store = Store(f"sqlite:///{tmp_path / 'arena.db'}")
    store.organizers.add("kim", "a long password", datetime.now(UTC))
    with serving(tmp_path, stage_toml(limits="organizer_logins_per_hour = 3")) as base:
        tries = [
            httpx.post(
                f"{base}/organizer/login", data={"name": "kim", "password": password}, headers={"origin": base}
            ).status_code
            for password in ("a", *["a long password"] * 4, "b", "c", "d", "a long password")
        ]
    assert tries == [401, 303, 303, 303, 303, 401, 401, 429, 429]
    store.close()


# --- Gradio's own endpoints -------------------------------------------------------------------------------------------


def test_of_gradio_only_the_allow_list_is_there(base: str) -> None:
    """Every route that this version of Gradio brings is called: those that its page needs answer, all others do not exist."""
    there = set()
    for method, path in gradio_routes():
        answer = httpx.request(method, base + path, headers={"origin": base})
        assert answer.status_code < 500, (method, path)
        if answer.status_code != 404:
            there.add(path)
    assert there
    strangers = sorted(path for path in there if path != "/" and not path.startswith((*PAGE[1:], *LIVING, *OURS)))
    assert strangers == []


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/queue/status",
        "/gradio_api/queue/join/x",
        "/gradio_api/startup-events",
        "/manifest.json",
        "/static/js/iframeResizer.contentWindow.min.js",
        "/gradio_api/upload",
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=https://evil.example/x",
        "/gradio_api/proxy=https://evil.example/x",
        "/gradio_api/run/predict",
        "/gradio_api/call/predict",
        "/gradio_api/component_server",
        "/gradio_api/deep_link?session_hash=x",
        "/monitoring/summary",
        "/docs",
        "/redoc",
        "/queue/join",
        "//gradio_api/upload",
        "/gradio_api//upload",
        "/gradio_api/info/../upload",
        "/gradio_api/%2e%2e/gradio_api/upload",
        "/static/%2e%2e/%2e%2e/gradio_api/upload",
        "/gradio_api%2Fupload",
        "/GRADIO_API/upload",
        "/config%0A",
        "/gradio_api/info%0a",
        "/arena-assets/..%2f..%2fapi.py",
        "/arena-assets/%2e%2e/api.py",
        "/assets/..%2f..%2f..%2fetc%2fpasswd",
        "/organizer/../gradio_api/upload",
    ],
)
def test_no_detour_leads_past_the_allow_list(base: str, path: str) -> None:
    """Doubled slashes, dots, escapes, capitals and line ends do not bring back what is not there."""
    for method in ("GET", "POST"):
        with httpx.Client() as http:
            url = httpx.URL(base).copy_with(raw_path=path.encode())
            answer = http.send(http.build_request(method, url, headers={"origin": base}))
        assert answer.status_code in (401, 403, 404, 405), (method, answer.status_code)
        assert "root:" not in answer.text
