"""What comes over the socket before any route: heads without measure, other protocols, and what Gradio would have answered."""

import logging
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from arena.web.middleware.http_protocol import HEAD_BYTES
from tests.support.serving import serving, stage_toml


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A small arena."""
    with serving(tmp_path_factory.mktemp("arena"), stage_toml()) as address:
        yield address


def said(base: str, *pieces: bytes, times: int = 1) -> tuple[bytes, int]:
    """Send the pieces, the last one so many times, until somebody hangs up or all is sent; what came back, and how many bytes were taken."""
    place = urlsplit(base)
    taken = 0
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=20) as line:
        try:
            for piece in (*pieces[:-1], *[pieces[-1]] * times):
                line.sendall(piece)
                taken += len(piece)
        except OSError:  # hung up while we were still speaking
            pass
        heard = b""
        try:
            while piece := line.recv(65536):
                heard += piece
        except OSError:
            pass
    return heard, taken


PLAIN = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
BODY = b"POST /api/v1/battles HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
MEBIBYTE = b"x" * 2**20


@pytest.mark.parametrize(
    "pieces",
    [
        (PLAIN + b"X-Long: ", MEBIBYTE),
        (PLAIN, b"X-Many: x\r\n" * 10_000),
        (PLAIN + b"X-Long: " + b"x" * HEAD_BYTES + b"\r\n\r\n", b""),
        (b"GET /", MEBIBYTE),
        (b"\r\n" * HEAD_BYTES, b"\r\n" * 2**19),
        (BODY + b"1;", MEBIBYTE),
        (BODY + b"1\r\nx\r\n0\r\nX-Trailer: ", MEBIBYTE),
        (BODY + b"1\r\nx\r\n0\r\n", b"X-Trailer: x\r\n" * 10_000),
    ],
    ids=[
        "a header",
        "headers",
        "one piece",
        "an address",
        "empty lines",
        "a chunk's extension",
        "a trailer",
        "trailers",
    ],
)
def test_a_head_without_measure_is_refused_before_it_is_held(base: str, pieces: tuple[bytes, bytes]) -> None:
    """Headers, addresses and trailers over 32 KiB, whole or never ending, get 431 or a hung-up line long before they have been sent."""
    heard, taken = said(base, *pieces, times=64)
    assert taken < 64 * len(pieces[1]) or not pieces[1]
    assert heard.startswith(b"HTTP/1.1 431 ") or (heard == b"" and pieces[1])
    assert httpx.get(f"{base}/healthz").status_code == 200


def test_a_head_within_measure_is_read(base: str) -> None:
    """What browsers and proxies send is far below the bound; a head that nearly fills it, in any pieces, is answered."""
    filled = PLAIN + b"X-Long: " + b"x" * (HEAD_BYTES - 200) + b"\r\n\r\n"
    for cut in (len(filled), 4096, 999):
        pieces = [filled[at : at + cut] for at in range(0, len(filled), cut)]
        assert said(base, *pieces)[0].startswith(b"HTTP/1.1 200 ")
    with httpx.Client(base_url=base, headers={"x-long": "x" * 20_000}) as http:  # one line, many requests
        assert {http.get("/healthz").status_code for _ in range(20)} == {200}


UPGRADE = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def test_websockets_are_refused_without_a_word_in_the_log(base: str, caplog: pytest.LogCaptureFixture) -> None:
    """An upgrade gets 426 where there is something and 404 where there is nothing, and leaves neither a traceback nor a line behind."""
    with caplog.at_level(logging.INFO):
        found = {
            path: httpx.get(base + path, headers={**UPGRADE, "origin": base}).status_code
            for path in ("/", "/api/v1/stage", "/organizer/", "/gradio_api/queue/data", "/queue/join", "/ws")
        }
    assert found == {
        "/": 426,
        "/api/v1/stage": 426,
        "/organizer/": 426,
        "/gradio_api/queue/data": 426,
        "/queue/join": 404,
        "/ws": 404,
    }
    assert [record for record in caplog.records if record.name.startswith(("uvicorn", "arena"))] == []


@pytest.mark.parametrize(
    "asked",
    [
        [b"websocket, h2c"],
        [b"h2c,WebSocket"],
        [b"websocket\t"],
        [b"websocket/13"],
        [b"websocket", b"h2c"],
        [b"h2c", b"\twebsocket ,"],
    ],
    ids=repr,
)
def test_a_websocket_among_other_protocols_is_refused_too(base: str, asked: list[bytes]) -> None:
    """Wherever WebSocket stands in what a request would rather speak, it gets 426; who names other protocols only is answered as plain HTTP."""
    upgrade = b"".join(b"Upgrade: " + each + b"\r\n" for each in asked)
    rest = b"Connection: Upgrade, close\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    head = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
    assert said(base, head + upgrade + rest)[0].startswith(b"HTTP/1.1 426 ")
    assert said(base, head + b"Upgrade: h2c, websockets\r\n" + rest)[0].startswith(b"HTTP/1.1 200 ")


def test_gradios_logout_is_not_there(base: str) -> None:
    """Gradio would send whoever asks for its logout to any host that the request names; neither page has it, by whatever method."""
    evil = {"host": "evil.example", "x-forwarded-host": "evil.example", "origin": "http://evil.example"}
    for path in ("/logout", "/organizer/logout", "/logout/", "/login/", "/token"):
        for method in ("GET", "HEAD", "POST"):
            headers = evil if method != "POST" else {"origin": base}
            answer = httpx.request(method, base + path, headers=headers)
            if (method, path) == ("POST", "/organizer/logout"):
                assert (answer.status_code, answer.headers["location"]) == (303, "/organizer/login")
                continue
            assert answer.status_code in (404, 405), (method, path)
            assert "evil" not in str(answer.headers) + answer.text


HOSTILE = [
    {"accept-language": "ko," * 5000},
    {"accept": "text/html," * 2000},
    {"cookie": "; ".join(f"c{n}=x" for n in range(3000))},
    {"cookie": "arena_session=" + "x" * 20_000},
    {"cookie": "arena_organizer=" + "x" * 20_000},
    {"cookie": 'arena_session="\\303\\251"; arena_organizer=\x80\xff'},
    {"authorization": "Bearer " + "x" * 20_000},
    {"if-none-match": ",".join(['W/"x"'] * 4000)},
    {"range": "bytes=" + ",".join(["0-"] * 4000)},
    {"last-event-id": "9" * 5000},
    {"content-length": "9" * 15},
    {"x-forwarded-for": ", ".join(["203.0.113.9"] * 2000)},
    {"x-forwarded-for": "\x80, ::ffff:1.2.3.4%25eth0, [::1"},
    {"sec-fetch-site": "\xff"},
]


@pytest.mark.parametrize("headers", HOSTILE, ids=lambda headers: "-".join(headers))
def test_hostile_headers_break_nothing(base: str, headers: dict[str, str]) -> None:
    """Headers that are long, many, not ASCII or nonsense are answered as any others: no 500, on no kind of route."""
    sent = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    for path in (
        "/",
        "/api/v1/stage",
        "/api/v1/battles",
        "/api/v1/leaderboard",
        "/organizer/",
        "/arena-assets/icon.svg",
        "/metrics",
    ):
        if b"content-length" in sent:
            raw = b"".join(name + b": " + value + b"\r\n" for name, value in sent.items())
            status = int(
                said(base, b"GET " + path.encode() + b" HTTP/1.1\r\nHost: x\r\n" + raw + b"\r\n")[0].split()[1]
            )
        else:
            status = httpx.get(base + path, headers=list(sent.items())).status_code
        assert status < 500, path
