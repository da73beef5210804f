"""What frames every page: the size of the text, how many votes there are, and who says so, at its head and foot."""

from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from arena.domain.errors import StageError
from arena.domain.stage import Stage
from arena.record.keys import Keys
from arena.record.ledger import Ledger
from arena.record.store import Store
from arena.simulate import open_simulated, simulate, simulated_stage
from tests.support.serving import OPERATOR, serving, stage_toml

KOREAN = {"accept": "text/html", "accept-language": "ko"}
NOW = datetime.now(UTC)


def page(base: str, path: str, **cookies: str) -> str:
    """What a Korean browser gets."""
    return httpx.get(base + path, headers=KOREAN, cookies=cookies).raise_for_status().text


def test_a_size_of_text_is_chosen_in_the_address_and_kept(tmp_path: Path) -> None:
    """The server writes it into the page; the address wins over what was kept; what is no size changes nothing."""
    with serving(tmp_path, stage_toml()) as base, httpx.Client(base_url=base, headers=KOREAN) as http:
        assert "data-text" not in http.get("/how").text
        assert '<html lang="ko" data-text="large">' in http.get("/how?text=large").text
        assert '<html lang="ko" data-text="large">' in http.get("/rules").text
        assert '<html lang="en" data-text="larger">' in http.get("/rules?text=larger&lang=en").text
        assert 'data-text="larger"' in http.get("/?text=huge").text
        assert 'href="?receipt=zz&amp;text=normal"' in http.get("/receipts?receipt=zz").text
        assert "data-text" not in http.get("/?text=normal").text
        assert "data-text" not in http.get("/").text


@pytest.mark.parametrize(("votes", "shown"), [(99, False), (1200, True)])
def test_the_front_page_says_how_many_votes_there_are(tmp_path: Path, votes: int, shown: bool) -> None:
    """As many as are signed, and how far the goal is, once there are a hundred; told once."""
    stage, data = simulated_stage("simulated")
    data += b"\n[population]\nplanned_votes = 10000\n"
    store, keys = Store(f"sqlite:///{tmp_path / 'arena.db'}"), Keys.open(tmp_path, {})
    open_simulated(store, stage, data, NOW)
    simulate(store, stage, votes, 7, secret=keys.secret, ends=NOW)
    Ledger(store, keys).checkpoint(stage.id, NOW)
    store.close()
    with serving(tmp_path, data.decode()) as base:
        front, other = page(base, "/"), page(base, "/how")
    assert f"지금까지 {votes:,}표가 모였습니다" in other
    assert ("arena-living" in front) is shown
    assert (f"지금까지 {votes:,}표가 모였습니다" in front) is not shown
    if shown:
        living = front.split('class="arena-living"')[1].split("</p>")[0]
        assert "<strong>1,200표</strong>" in living
        assert "목표 10,000표의 12%" in living


def test_only_a_site_of_the_government_says_that_it_is_one(tmp_path: Path) -> None:
    """Banner and identifier come where the operator declares it, with the licence of the pages; an invented stage may not declare it."""
    official = OPERATOR.replace(
        "[operator]", '[operator]\nofficial = true\ncopyright = { ko = "공공누리 제1유형", en = "KOGL type 1" }'
    )
    with pytest.raises(StageError) as refused:
        Stage.from_toml((stage_toml() + official).encode(), "stage.toml")
    cause = refused.value.params["cause"]
    assert isinstance(cause, StageError)
    assert cause.code == "stage_official_invented"

    real = stage_toml().replace("synthetic = true", "synthetic = false")
    for n, (operator, said) in enumerate(((OPERATOR, False), (official, True))):
        with serving(tmp_path / str(n), real + operator) as base:
            text = page(base, "/how")
        assert ("이 누리집은 대한민국 공식 전자정부 누리집입니다." in text) is said
        assert ("이 누리집은 가상정보원 누리집입니다." in text) is said
        assert ("공공누리 제1유형" in text) is said
        assert 'class="arena-policy"' in text


class Whole(HTMLParser):
    """Reads a page strictly: every element is closed where it was opened, no attribute stands twice, no id belongs to two."""

    VOID = frozenset({"meta", "link", "br", "input", "img", "hr", "col"})

    def __init__(self) -> None:
        """Nothing is open yet."""
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Opens it."""
        names = [name for name, _ in attrs]
        self.faults += [f"{name} twice at {self.getpos()}" for name in {*names} if names.count(name) > 1]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Closes what SVG closes itself."""
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Closes the last that was opened, or finds a fault."""
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> at {self.getpos()}")


def test_every_page_is_whole_markup_with_a_title_of_its_own(tmp_path: Path) -> None:
    """In both languages, with an error and without: elements nest, ids are unique, there is one headline, and no two pages have the same title."""
    paths = (
        "/",
        "/results",
        "/my",
        "/how",
        "/rules",
        "/privacy",
        "/accessibility",
        "/receipts",
        "/receipts?receipt=zz",
        "/checkpoints",
        "/nothing",
    )
    with serving(
        tmp_path,
        stage_toml(),
    ) as base:
        for language in ("ko", "en"):
            titles: dict[str, str] = {}
            for path in paths:
                text = httpx.get(base + path, headers=KOREAN, cookies={"arena_language": language}).text
                read = Whole()
                read.feed(text)
                read.close()
                assert (read.faults, read.open) == ([], []), path
                assert len(read.ids) == len(set(read.ids)), path
                assert text.count("<h1") == 1, path
                titles[path.split("?")[0]] = text.split("<title>")[1].split("</title>")[0]
            assert len(set(titles.values())) == len(titles)
