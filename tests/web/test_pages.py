"""What the pages promise over HTTP: both languages complete, small and kept by the browser, and nothing of a stream held back."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import segno

from arena.web.core import static as assets
from arena.web.pages.citizen import MODULES
from tests.support.serving import Citizen, serving, stage_toml

WEB = Path(__file__).resolve().parents[2] / "arena" / "web"
PAGES = ("/my", "/how", "/rules", "/privacy", "/accessibility", "/receipts", "/checkpoints", "/results", "/nothing")
HANGUL = re.compile(r"[가-힣]+")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The test's stage, named in Latin letters so that any Hangul on an English page is ours."""
    toml = stage_toml().replace('programme = "시험"', 'programme = "Test"')
    with serving(tmp_path_factory.mktemp("arena"), toml) as address:
        yield address


def texts(language: str) -> dict[str, str]:
    """All words of a language that stand on citizens' pages."""
    folder = WEB.parent / "i18n" / language
    return {
        key: text
        for name in ("page", "site")
        for key, text in json.loads((folder / f"{name}.json").read_text()).items()
    }


def test_both_languages_have_the_same_words_and_every_word_is_known() -> None:
    """No key is missing in either language, values are filled into the same places, and no page asks for a key that is not there."""
    ko, en = texts("ko"), texts("en")
    assert sorted(ko) == sorted(en)
    places = re.compile(r"\{\w+[^}]*\}")
    for key in ko:
        assert key == "language" or HANGUL.search(ko[key]) or not re.search("[a-z]{3}", places.sub("", ko[key])), key
        assert key == "language" or not HANGUL.search(en[key]), key
    sources = [*WEB.glob("pages/templates/*.html"), *WEB.glob("assets/battle/*.js")]
    asked = {key for path in sources for key in re.findall(r"\bt\([\"'](\w+)[\"']", path.read_text("utf-8"))}
    assert sorted(key for key in asked if key not in ko and not key.endswith("_")) == []


def test_english_pages_hold_no_korean_and_korean_ones_say_so(base: str) -> None:
    """The browser's language decides, a choice in the address wins and is remembered."""
    with httpx.Client(base_url=base, headers={"accept-language": "en-US"}) as http:
        for path in PAGES:
            page = http.get(path, headers={"accept": "text/html"})
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
    ours = [assets.url(name) for name in MODULES] + [
        assets.url("css/base.css"),
        assets.url("css/battle.css"),
        assets.url("ko.json"),
    ]
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
    assert httpx.get(f"{base}/arena-assets/css/base.css").headers["cache-control"] == "no-cache"


def test_a_stream_is_never_packed(base: str) -> None:
    """Whoever accepts packed answers still gets an event stream as it is written."""
    citizen = Citizen(base).agree()
    accept = {"accept-encoding": "br, gzip"}
    with citizen.http.stream(
        "POST", f"/battles/{citizen.open()}/turns", json={"prompt": "안녕"}, headers=accept
    ) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in response.headers


def test_a_receipt_can_be_photographed(base: str) -> None:
    """The picture beside a receipt is the QR code of its page's address, whoever's it is; anything that is no receipt has none."""
    receipt = "0123456789abcdef" * 4
    found = httpx.get(f"{base}/receipts/{receipt}/qr.svg")
    assert (found.status_code, found.headers["content-type"]) == (200, "image/svg+xml")
    expected = segno.make(f"{base}/receipts?receipt={receipt}", error="m", micro=False)
    assert (
        f'viewBox="0 0 {expected.symbol_size(scale=4)[0]}' in found.text
        or f'width="{expected.symbol_size(scale=4)[0]}"' in found.text
    )
    drawn = re.findall(r' d="([^"]+)"', found.text)
    assert drawn[-1] in expected.svg_inline(scale=4, light="#fff")
    assert httpx.get(f"{base}/receipts/none/qr.svg").status_code == 404
