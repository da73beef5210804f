"""A real browser for the tests: Debian's Chromium, headless, in Korean, talking to nobody but the arena."""

import contextlib
from collections.abc import Iterator
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """One browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page, and everything that went wrong on it: console errors, exceptions, requests to other hosts."""

    def __init__(self, page: Page, base: str) -> None:
        """Watches from the first request on."""
        self.page = page
        self.base = base
        self.errors: list[str] = []
        self.strangers: list[str] = []
        page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on(
            "request",
            lambda r: None if r.url.startswith((base, "data:", "blob:")) else self.strangers.append(r.url),
        )


@contextlib.contextmanager
def visiting(browser: Browser, base: str, **context: Any) -> Iterator[Watched]:
    """A fresh profile on the arena's page; Korean on a desktop unless said otherwise."""
    options: dict[str, Any] = {"locale": "ko-KR", "viewport": DESKTOP, **context}
    profile = browser.new_context(**options)
    try:
        watched = Watched(profile.new_page(), base)
        watched.page.goto(base)
        yield watched
    finally:
        profile.close()


def agree(page: Page) -> None:
    """Gives the required consents."""
    page.wait_for_selector("dialog[open]", timeout=30_000)
    page.click("#arena-agree-required")
    page.click("#arena-agree")
    page.wait_for_selector("dialog", state="detached")


def ask(page: Page, prompt: str) -> None:
    """Types, sends, and waits until a vote would be accepted."""
    page.fill("#arena-prompt", prompt)
    page.click("#arena-send")
    page.wait_for_selector("#arena-vote-tie:enabled", timeout=60_000)


def vote(page: Page, winner: str) -> None:
    """Chooses, adds nothing, casts, and waits for the thanks."""
    page.click(f"#arena-vote-{winner}")
    page.click("#arena-cast")
    page.wait_for_selector(".arena-thanks")


def violations(page: Page) -> list[str]:
    """What axe-core finds on the page as it stands, Gradio's part and ours together: rule and element, empty when all is well."""
    found = Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {node['target']} {node.get('failureSummary', '')}" for rule in found for node in rule["nodes"]
    ]


def overflows(page: Page) -> bool:
    """Whether the page scrolls sideways."""
    return page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
