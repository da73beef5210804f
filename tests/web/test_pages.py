"""What the pages promise over HTTP: both languages complete, small and kept by the browser, and nothing of a stream held back."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import anyio.lowlevel
import httpx
import pytest
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from arena.web import assets
from arena.web.layout import MODULES
from arena.web.packing import Packing
from tests.support.serving import Citizen, serving, stage_toml

WEB = Path(assets.__file__).parent
PAGES = ("/my", "/how", "/rules", "/privacy", "/accessibility", "/receipts", "/checkpoints", "/leaderboard")
HANGUL = re.compile(r"[가-힣]+")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The test's stage, named in Latin letters so that any Hangul on an English page is ours."""
    toml = stage_toml().replace('programme = "시험"', 'programme = "Test"')
    with serving(tmp_path_factory.mktemp("arena"), toml) as address:
        yield address


def texts(language: str) -> dict[str, str]:
    """All words of a language."""
    return json.loads((WEB / "assets" / f"{language}.json").read_text("utf-8"))


def test_both_languages_have_the_same_words_and_every_word_is_known() -> None:
    """No key is missing in either language, values are filled into the same places, and no page asks for a key that is not there."""
    ko, en = texts("ko"), texts("en")
    assert sorted(ko) == sorted(en)
    places = re.compile(r"\{\w+\}")
    for key in ko:
        assert sorted(places.findall(ko[key])) == sorted(places.findall(en[key])), key
        assert key == "language" or HANGUL.search(ko[key]) or not re.search("[a-z]{3}", places.sub("", ko[key])), key
        assert key == "language" or not HANGUL.search(en[key]), key
    sources = [*WEB.glob("templates/*.html"), *WEB.glob("assets/battle/*.js")]
    asked = {key for path in sources for key in re.findall(r"\bt\([\"'](\w+)[\"']", path.read_text("utf-8"))}
    assert sorted(key for key in asked if key not in ko and not key.endswith("_")) == []


def test_english_pages_hold_no_korean_and_korean_ones_say_so(base: str) -> None:
    """The browser's language decides, a choice in the address wins and is remembered."""
    with httpx.Client(base_url=base, headers={"accept-language": "en-US"}) as http:
        for path in PAGES:
            page = http.get(path)
            assert '<html lang="en">' in page.text
            assert HANGUL.findall(re.sub(r"<style.*?</style>", "", page.text)) == ["한국어"], path
        assert '<html lang="ko">' in http.get("/how?lang=ko").text
        assert '<html lang="ko">' in http.get("/how").text
        assert 'lang="ko"' in http.get("/").text[:200]


def test_files_are_packed_and_kept_for_ever_and_pages_are_not(base: str) -> None:
    """Files with a hash in their address come packed and immutable, ours and Gradio's; the pages themselves are asked for again."""
    accept = {"accept-encoding": "br, gzip"}
    page = httpx.get(f"{base}/", headers=accept)
    assert page.headers["cache-control"] == "no-cache"
    assert page.headers["content-encoding"] == "gzip"
    gradios = re.findall(r"\./(assets/[\w.-]+)", page.text)
    ours = [assets.url(f"battle/{name}") for name in MODULES] + [assets.url("arena.css"), assets.url("ko.json")]
    for path in [*ours, *(f"/{name}" for name in gradios)]:
        found = httpx.get(base + path, headers=accept)
        assert (found.status_code, found.headers["cache-control"]) == (200, assets.FOREVER), path
        assert "content-security-policy" in found.headers
        if len(found.content) > 1000:
            assert found.headers["content-encoding"] == "br", path
        plain = httpx.get(base + path, headers={"accept-encoding": "identity"})
        assert plain.content == found.content
    fonts = re.findall(r"url\((/arena-assets/fonts/[^)]+)\)", httpx.get(base + assets.url("fonts/fonts.css")).text)
    assert httpx.get(base + fonts[0]).headers["cache-control"] == assets.FOREVER
    assert httpx.get(base + assets.url("nothing.js")).status_code == 404
    assert httpx.get(f"{base}/arena-assets/arena.css").headers["cache-control"] == "no-cache"


def test_a_stream_is_never_packed(base: str) -> None:
    """Whoever accepts packed answers still gets an event stream as it is written."""
    citizen = Citizen(base).agree()
    accept = {"accept-encoding": "br, gzip"}
    with citizen.http.stream(
        "POST", f"/battles/{citizen.open()}/turns", json={"prompt": "안녕"}, headers=accept
    ) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in response.headers


def test_the_standings_stay_closed_until_the_stage_says_so(base: str) -> None:
    """While voting is open and the stage file does not open them, the page explains why and names no team."""
    page = httpx.get(f"{base}/leaderboard", headers={"accept-language": "ko"})
    assert page.status_code == 403
    assert "순위를 공개하지 않습니다" in page.text
    assert "가람" not in page.text
    assert 'href="/leaderboard"' not in page.text


def test_a_visitor_who_leaves_spoils_no_file_for_the_others() -> None:
    """A file that is packed for a visitor who hangs up meanwhile is packed whole: what is kept is what everybody gets."""
    whole = b"export const t = 1;" * 100

    async def slowly() -> AsyncIterator[bytes]:
        for start in range(0, len(whole), 100):
            await anyio.lowlevel.checkpoint()
            yield whole[start : start + 100]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingResponse(slowly(), media_type="text/javascript")(scope, receive, send)

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    async def nowhere(_message: Message) -> None:
        return None

    async def visits() -> bytes:
        packing = Packing(app)
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "method": "GET",
            "path": "/assets/browser.js",
            "headers": [(b"accept-encoding", b"br")],
        }
        await packing(scope, gone, nowhere)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(packing), base_url="http://arena") as http:
            return (await http.get("/assets/browser.js", headers={"accept-encoding": "br"})).content

    assert anyio.run(visits) == whole
