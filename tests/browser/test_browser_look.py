"""The page as people set it: text enlarged by the browser or by the page, two hundred percent, a phone, paper, forced colours."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.support.answers import TAXES, WORD, answering
from tests.support.browser import ARGUMENTS, DESKTOP, PHONE, agree, ask, chromium, overflows, visiting, vote
from tests.support.serving import serving

PAGES = (
    "/",
    "/my",
    "/how",
    "/results",
    "/rules",
    "/privacy",
    "/accessibility",
    "/receipts?receipt=zz",
    "/checkpoints",
    "/nothing",
)
SIZES = """() => [...document.querySelectorAll("body *")]
  .filter((node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim()) && node.getClientRects().length)
  .filter((node) => !node.closest("math, svg"))
  .map((node) => [node.tagName + "." + node.className, parseFloat(getComputedStyle(node).fontSize)])"""
LEFT = "(selector) => Math.round(document.querySelector(selector).getBoundingClientRect().left)"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the module."""
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A stage with a long answer and a word."""
    with serving(tmp_path_factory.mktemp("arena"), answering(TAXES, WORD)) as address:
        yield address


def sizes(page: Page) -> dict[str, float]:
    """How large each kind of text is, in pixels."""
    return dict(page.evaluate(SIZES))


def test_the_browsers_font_size_enlarges_every_text(browser: Browser, base: str) -> None:
    """Whoever sets 24 instead of 16 reads every text of every page half as large again, and nothing is beside the window, on a phone either."""
    seen: dict[str, list[dict[str, float]]] = {}
    for setting in ("16", "24"):
        enlarged = browser.browser_type.launch(
            executable_path="/usr/bin/chromium", args=[*ARGUMENTS, f"--blink-settings=defaultFontSize={setting}"]
        )
        for viewport in (DESKTOP, PHONE):
            with visiting(enlarged, base, viewport=viewport) as watched:
                page = watched.page
                agree(page)
                ask(page, "연말정산에서 빠지기 쉬운 항목은?")
                for path in (None, *PAGES):
                    if path:
                        page.goto(base + path)
                        page.wait_for_load_state("networkidle")
                    assert not overflows(page), (path, viewport)
                    seen.setdefault(f"{path} {viewport}", []).append(sizes(page))
        enlarged.close()
    for where, (before, after) in seen.items():
        grown = {kind: after[kind] / before[kind] for kind in before.keys() & after.keys()}
        assert len(grown) > 5, where
        assert {kind: by for kind, by in grown.items() if not 1.2 < by < 1.51} == {}, where


def test_the_page_itself_enlarges_its_text_in_three_steps_without_a_script(browser: Browser, base: str) -> None:
    """A link of the header says which step is on, the next page remembers it, and what else stands in the address stays."""
    with visiting(browser, base, java_script_enabled=False) as watched:
        page = watched.page
        page.goto(f"{base}/receipts?receipt=zz")
        height = {}
        for step, word in (("normal", "보통"), ("large", "크게"), ("larger", "더 크게")):
            page.click(".arena-sizes summary")
            page.click(f".arena-sizes a:text-is('{word}')")
            page.goto(f"{base}/receipts?receipt=zz")
            assert page.locator(".arena-sizes [aria-current]").text_content() == word
            assert page.locator("#receipt-error").count() == 1
            height[step] = sizes(page)["P.arena-lead"]
        assert height["large"] / height["normal"] == pytest.approx(1.125, abs=0.01)
        assert height["larger"] / height["normal"] == pytest.approx(1.25, abs=0.01)
        page.click("#arena-language")
        assert page.locator("html").get_attribute("lang") == "en"
        assert page.locator("#receipt-error").count() == 1


def test_larger_text_keeps_the_battle(browser: Browser, base: str) -> None:
    """Whoever finds the answers too small does not lose them."""
    with visiting(browser, base) as watched:
        page = watched.page
        agree(page)
        ask(page, "안녕하세요?")
        page.click(".arena-sizes summary")
        page.click(".arena-sizes a:text-is('더 크게')")
        page.wait_for_selector("#arena-vote-tie:enabled")
        assert page.locator("html").get_attribute("data-text") == "larger"
        assert page.locator(".arena-turn").count() == 1


def test_the_largest_text_leaves_a_small_phone_room_to_read(browser: Browser, base: str) -> None:
    """At 360 × 640 and the largest text the bar takes less than half of the window while one chooses; no choice is broken inside a word."""
    phone = {"viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True}
    with visiting(browser, base, **phone) as watched:
        page = watched.page
        agree(page)
        page.goto(f"{base}?text=larger")
        ask(page, "안녕하세요?")
        assert page.evaluate("document.getElementById('arena-dock').offsetHeight") < 290
        tall = "Array.from(document.querySelectorAll('#arena-votes button'), b => b.clientHeight)"
        assert max(page.evaluate(tall)) <= 60
        page.click("#arena-vote-model_a")
        assert page.evaluate("document.getElementById('arena-cast').getBoundingClientRect().bottom") <= 640
        assert not overflows(page)


def test_everything_stands_on_one_left_edge_below_a_low_header(browser: Browser, base: str) -> None:
    """Brand, headline, question box, prose and footer begin at the same place at every width; the header of a phone leaves the page to its content."""
    for viewport in (
        DESKTOP,
        {"width": 1920, "height": 1080},
        PHONE,
        {"width": 360, "height": 640},
        {"width": 640, "height": 400},
    ):
        with visiting(browser, base, viewport=viewport) as watched:
            page = watched.page
            agree(page)
            edges = [page.evaluate(LEFT, each) for each in (".arena-brand", "h1", "#arena-ask", "footer p")]
            page.goto(f"{base}/how")
            edges += [
                page.evaluate(LEFT, each) for each in (".arena-brand", "h1", "main p", ".arena-steps", "footer p")
            ]
            assert len(set(edges)) == 1, (viewport, edges)
            if viewport["width"] < 400:
                assert page.evaluate("document.querySelector('.arena-header').offsetHeight") <= 113


def test_at_two_hundred_percent_nothing_is_lost(browser: Browser, base: str) -> None:
    """A window of 1280 × 800 at 200 % is one of 640 × 400: question, both answers and vote are all there, and nothing is cut at the side."""
    with visiting(browser, base, viewport={"width": 640, "height": 400}) as watched:
        page = watched.page
        agree(page)
        ask(page, "연말정산에서 빠지기 쉬운 항목은?")
        assert not overflows(page)
        page.click(".arena-show-b")
        assert page.locator(".arena-pane-b").is_visible()
        vote(page, "model_b")
        assert not overflows(page)
        assert watched.errors == []


def test_paper_shows_the_text_and_where_its_links_lead(browser: Browser, base: str) -> None:
    """Printed, a page of rules is black on white without menu or buttons, in the dark too, and names the addresses that it links to."""
    with visiting(browser, base, color_scheme="dark") as watched:
        page = watched.page
        agree(page)
        ask(page, "안녕하세요?")
        vote(page, "tie")
        for path in ("", "/how", "/rules", "/privacy", "/receipts"):
            if path:
                page.goto(base + path)
            page.emulate_media(media="print")
            shown = page.evaluate(
                """() => ({
                  ground: getComputedStyle(document.body).backgroundColor,
                  ink: getComputedStyle(document.querySelector("main")).color,
                  chrome: [...document.querySelectorAll(".arena-bar, .arena-footer nav, button, form")].filter((node) => node.getClientRects().length).length,
                  links: [...document.querySelectorAll("main a[href^='/']")].filter((node) => node.getClientRects().length)
                    .map((node) => getComputedStyle(node, "::after").content),
                })"""
            )
            assert (shown["ground"], shown["ink"], shown["chrome"]) == ("rgb(255, 255, 255)", "rgb(0, 0, 0)", 0), path
            assert all(link.startswith('" (') for link in shown["links"])
            page.emulate_media(media="screen")


def test_forced_colours_keep_every_state(browser: Browser, base: str) -> None:
    """Where the system sets the colours, letters, chosen buttons and the menu's place still show as a border, an outline or an underline."""
    with visiting(browser, base, forced_colors="active") as watched:
        page = watched.page
        agree(page)
        ask(page, "안녕하세요?")
        page.click("#arena-vote-model_a")
        style = "(selector) => { const seen = getComputedStyle(document.querySelector(selector)); return [seen.borderTopWidth, seen.outlineStyle, seen.textDecorationLine]; }"
        assert page.evaluate(style, ".arena-pane .arena-letter")[0] == "1px"
        assert page.evaluate(style, "#arena-vote-model_a")[1] == "solid"
        assert page.evaluate(style, ".arena-menu [aria-current]")[2] == "underline"
