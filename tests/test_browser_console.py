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
    """Without a login there is only the form; with one the console shows ratings and exports, and a vote moves it by itself within two seconds."""
    with visiting(browser, base) as watched:
        page = watched.page
        page.goto(f"{base}/organizer/")
        page.wait_for_selector("form[action='/organizer/login']")
        assert page.locator("#console-live").count() == 0
        log_in(page, base)
        votes = page.locator("#console-live .c-tile", has_text="투표").first
        expect(votes).to_contain_text("투표0", timeout=30_000)
        expect(page.locator("#c-live-ratings table")).to_contain_text("가람팀")
        citizen = Citizen(base).agree()
        battle = citizen.open()
        citizen.ask(battle)
        assert citizen.vote(battle).status_code == 201
        expect(votes).to_contain_text("투표1", timeout=2_000)
        page.wait_for_selector("#c-live-ratings .c-plot svg.main-svg")
        page.get_by_role("tab", name="내보내기").click()
        expect(page.get_by_role("button", name="지금 내보내기")).to_be_visible()
        assert (watched.errors, watched.strangers) == ([], [])
