"""Every state of a stage, in a real browser: nothing that axe-core finds, nothing that scrolls sideways, and a page that stays open hears of the next state."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from arena.record.keys import Keys
from arena.record.store import Store
from arena.results import lifecycle
from arena.simulate import open_simulated, simulate, simulated_stage
from tests.support.browser import DESKTOP, PHONE, chromium, overflows, violations, visiting
from tests.support.serving import Citizen, serving, stage_toml

NOW = datetime.now(UTC)
VISITORS = {
    "desktop-light-ko": {"viewport": DESKTOP},
    "phone-dark-en": {"viewport": PHONE, "color_scheme": "dark", "locale": "en-US"},
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the module."""
    with chromium() as opened:
        yield opened


def found(page: Page) -> list[str]:
    """What is wrong with the page as it stands."""
    return [*violations(page), *(["scrolls sideways"] if overflows(page) else [])]


@pytest.mark.parametrize("visitor", VISITORS)
def test_a_published_stage_is_whole_on_every_screen(browser: Browser, tmp_path: Path, visitor: str) -> None:
    """Front page, result, one's own battles with taste and folded receipts, an error page: by keyboard and by sight, in both languages."""
    stage, data = simulated_stage()
    (tmp_path / "stage.toml").write_bytes(data)
    store, keys = Store(f"sqlite:///{tmp_path / 'arena.db'}"), Keys.open(tmp_path, {})
    open_simulated(store, stage, data, NOW)
    simulate(store, stage, 400, 7, secret=keys.secret, ends=NOW)
    with serving(tmp_path, tmp_path / "stage.toml") as base:
        citizen = Citizen(base).agree()
        for winner in ("model_a", "tie"):
            battle = citizen.open()
            citizen.ask(battle)
            citizen.vote(battle, winner)
        lifecycle.freeze(store, keys, stage.id, organizer="t", now=datetime.now(UTC))
        lifecycle.publish(
            store, keys, stage.id, tmp_path / "exports" / stage.id, tmp_path, organizer="t", now=datetime.now(UTC)
        )
        wrong: dict[str, list[str]] = {}
        with visiting(browser, base, **VISITORS[visitor]) as watched:
            page = watched.page
            page.context.add_cookies(
                [{"name": name, "value": value, "url": base} for name, value in citizen.http.cookies.items()]
            )
            page.wait_for_selector("main")
            wrong["front"] = found(page)
            page.click("#arena-state a")
            page.wait_for_selector("#results-says")
            wrong["results"] = found(page)
            assert page.locator(".arena-plot-card .arena-plot").count() == 2
            page.locator("details.arena-card summary").first.click()
            page.wait_for_selector("details.arena-card[open] .arena-plot", state="visible")
            wrong["results by group"] = found(page)
            with page.expect_download() as saved:
                page.click("a[href$='/dataset']")
            assert saved.value.suggested_filename == f"{stage.id}-dataset.zip"
            page.click("footer a[href$='/report']")
            page.wait_for_selector("fieldset.languages")
            page.goto(f"{base}/my")
            wrong["my"] = found(page)
            fold = page.locator(".arena-receipt-fold").first
            fold.locator("summary").focus()
            page.keyboard.press("Enter")
            assert fold.locator("a[href^='/receipts?receipt=']").is_visible()
            wrong["my, unfolded"] = found(page)
            page.goto(f"{base}/nothing")
            wrong["not found"] = found(page)
            page.click("main a[href='/results']")
            page.wait_for_selector("#results-says")
        assert {state: faults for state, faults in wrong.items() if faults} == {}
        assert [error for error in watched.errors if "404" not in error] == []
        assert watched.strangers == []
    store.close()


@pytest.mark.parametrize("visitor", VISITORS)
def test_an_open_page_hears_of_the_pause_and_of_the_end(browser: Browser, tmp_path: Path, visitor: str) -> None:
    """Whoever comes back to a tab reads the state as it is now, in their language, without loading the page again; an unvoted battle is one click away."""
    store, keys = Store(f"sqlite:///{tmp_path / 'arena.db'}"), Keys.open(tmp_path, {})
    english = "en" in visitor
    with serving(tmp_path, stage_toml()) as base:
        citizen = Citizen(base).agree()
        waiting = citizen.open()
        citizen.ask(waiting)
        with visiting(browser, base, **VISITORS[visitor]) as watched:
            page = watched.page
            page.context.add_cookies(
                [{"name": name, "value": value, "url": base} for name, value in citizen.http.cookies.items()]
            )
            page.goto(f"{base}/my")
            assert page.locator(f"a.arena-button-primary[href='/#{waiting}']").is_visible()
            assert found(page) == []
            page.goto(f"{base}/results")
            assert found(page) == []
            page.evaluate("window.stayed = true")
            for move, state, told in (
                (lambda: store.stages.pause("test", NOW), "paused", ("잠시 멈추었습니다", "No new battles")),
                (
                    lambda: lifecycle.freeze(store, keys, "test", organizer="t", now=datetime.now(UTC)),
                    "frozen",
                    ("집계하고 있습니다", "being counted"),
                ),
            ):
                move()
                page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
                page.wait_for_selector(f"#arena-state[data-state='{state}']")
                assert told[english] in page.locator("#arena-state").inner_text()
                assert page.evaluate("window.stayed")
            page.goto(base)
            page.wait_for_selector("main")
            assert found(page) == []
        assert (watched.errors, watched.strangers) == ([], [])
    store.close()
