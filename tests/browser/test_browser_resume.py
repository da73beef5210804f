"""What happens to an answer that is being written when the connection, the page or the server goes away."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.support.browser import agree, chromium, visiting
from tests.support.serving import TEAMS, free_port, serving, stage_toml

BOX = "#arena-prompt"
SLOW = stage_toml(extra=dict.fromkeys(TEAMS, "chars_per_s = 8"))
SLOWER = stage_toml(extra=dict.fromkeys(TEAMS, "chars_per_s = 3"))
"""No answer ends while a server that was told to stop still waits for its streams."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the module."""
    with chromium() as opened:
        yield opened


def begin(page: Page) -> None:
    """Agrees, asks, and waits for the first words."""
    agree(page)
    page.fill(BOX, "천천히 말해 줘")
    page.press(BOX, "Enter")
    page.wait_for_selector(".arena-status[data-status='writing']")


def finished(page: Page) -> list[str]:
    """Both answers, once a vote would be accepted."""
    page.wait_for_selector("#arena-vote-tie:enabled", timeout=20_000)
    return [page.locator(f".arena-pane-{side} .arena-text").inner_text().strip() for side in "ab"]


def test_offline_reload_and_stop(browser: Browser, tmp_path: Path) -> None:
    """A connection that drops is picked up without a lost or doubled letter, a reload goes on listening, stop keeps what was shown."""
    with serving(tmp_path, SLOW) as base, visiting(browser, base) as watched:
        page = watched.page
        begin(page)
        page.context.set_offline(True)
        page.wait_for_selector("#arena-message:has-text('끊')")
        page.context.set_offline(False)
        first = finished(page)
        page.reload()
        assert finished(page) == first
    with serving(tmp_path / "slower", SLOWER) as base, visiting(browser, base) as watched:
        page = watched.page
        begin(page)
        page.reload()
        page.wait_for_selector(".arena-turn[data-turn='1'] .arena-status[data-status='writing']")
        page.click("#arena-stop")
        page.wait_for_selector(".arena-turn[data-turn='1'] .arena-status[data-status='stopped']")
        page.wait_for_selector("#arena-vote-tie:enabled")


def test_a_new_battle_does_not_wait_for_the_one_before(browser: Browser, tmp_path: Path) -> None:
    """Whoever leaves a battle while it is answered can ask the next pair at once; nothing of the first is shown, and it can be opened again."""
    with serving(tmp_path, SLOW) as base, visiting(browser, base) as watched:
        page = watched.page
        begin(page)
        first = page.evaluate("location.hash")
        page.click("#arena-new")
        assert page.locator(".arena-turn").count() == 0
        page.fill(BOX, "다른 질문")
        page.press(BOX, "Enter")
        page.wait_for_selector(".arena-status[data-status='writing']")
        finished(page)
        assert page.locator(".arena-turn").count() == 1
        assert "다른 질문" in page.locator(".arena-question").inner_text()
        assert page.locator("#arena-message").is_hidden()
        page.evaluate(f"location.hash = '{first}'")
        page.wait_for_selector(".arena-question:has-text('천천히 말해 줘')")
        finished(page)
        assert (page.locator(".arena-turn").count(), watched.errors) == (1, [])


def test_a_server_that_starts_again(browser: Browser, tmp_path: Path) -> None:
    """An answer that died with its server is said to be lost, its question is not; the battle goes on."""
    port = free_port()
    with serving(tmp_path, SLOWER, port=port) as base:
        context = visiting(browser, base)
        page = context.__enter__().page
        begin(page)
    try:
        page.wait_for_selector("#arena-message:has-text('다시 잇는')")
        with serving(tmp_path, SLOWER, port=port):
            page.wait_for_function(
                "() => document.querySelector('#arena-prompt').value === '천천히 말해 줘'", timeout=40_000
            )
            assert "중간에 끊겼어요" in page.locator("#arena-message").inner_text()
            page.press(BOX, "Enter")
            page.wait_for_selector("#arena-vote-tie:enabled")
    finally:
        context.__exit__(None, None, None)
