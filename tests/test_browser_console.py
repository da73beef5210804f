"""The organizer's console in a real browser: login, live ratings, acts that are refused to everybody else."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from arena.record.store import Store
from tests.browser import chromium, visiting
from tests.serving import Citizen, serving, stage_toml

NAME, PASSWORD = "운영자", "correct horse battery"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the module."""
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A stage of three scripted entrants with one organizer."""
    folder: Path = tmp_path_factory.mktemp("arena")
    with serving(folder, stage_toml()) as address:
        store = Store(f"sqlite:///{folder / 'arena.db'}")
        store.organizers.add(NAME, PASSWORD, datetime.now(UTC))
        store.close()
        yield address


def log_in(page: Page, base: str) -> None:
    """Through the form."""
    page.goto(f"{base}/organizer/")
    page.fill("form[action='/organizer/login'] #name", NAME)
    page.fill("#password", PASSWORD)
    page.click("button[type=submit]")


def test_the_organizer_sees_the_vote(browser: Browser, base: str) -> None:
    """Without a login there is only the form; with one the console shows ratings and the export, and a vote moves it."""
    with visiting(browser, base) as watched:
        page = watched.page
        page.goto(f"{base}/organizer/")
        page.wait_for_selector("form[action='/organizer/login']")
        assert page.locator("#organizer-ratings").count() == 0
        log_in(page, base)
        expect(page.locator("#organizer-headline")).to_contain_text("투표 0건", timeout=30_000)
        expect(page.locator("#organizer-ratings")).to_contain_text("가람팀")
        assert "export" in (page.get_by_role("link", name="내려받기").get_attribute("href") or "")
        citizen = Citizen(base).agree()
        battle = citizen.open()
        citizen.ask(battle)
        assert citizen.vote(battle).status_code == 201
        expect(page.locator("#organizer-headline")).to_contain_text("투표 1건", timeout=15_000)
        assert (watched.errors, watched.strangers) == ([], [])
