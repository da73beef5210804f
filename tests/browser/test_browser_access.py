"""Everybody can take part: axe-core finds nothing on any page and state, the keyboard alone is enough, and each answer is said once."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.support.browser import PHONE, agree, ask, chromium, overflows, violations, visiting
from tests.support.serving import serving, stage_toml

BOX = "#arena-prompt"
RICH = (
    "## 제목\n\n글 `코드` **굵게** [링크](https://example.kr/) $x^2$\n\n- 하나\n- 둘\n\n| 도시 | 인구 |\n|---|---:|\n| 서울 | 940만 |\n\n> 인용\n\n"
    "```python\ndef f(n: int) -> int:  # 설명\n    return n + 1\n```\n\n" + "아주긴낱말" * 30
)
PAGES = (
    "/my",
    "/how",
    "/rules",
    "/privacy",
    "/accessibility",
    "/receipts",
    "/receipts?receipt=zz",
    "/checkpoints",
    "/results",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the module."""
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A stage whose models answer with all that Markdown has, and whose standings are public."""
    toml = stage_toml(top="leaderboard_votes = 0", protocol="public_leaderboard = true")
    for said in ("가람이 말합니다. **안녕하세요!**", "다솜이에요. 반갑습니다."):
        toml = toml.replace(f'answers = ["{said}"]', f"answers = ['''{RICH}''']")
    with serving(tmp_path_factory.mktemp("arena"), toml) as address:
        yield address


@pytest.mark.parametrize(
    "context",
    [{}, {"color_scheme": "dark", "viewport": PHONE, "locale": "en-US"}],
    ids=["desktop-light-ko", "phone-dark-en"],
)
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    browser: Browser, base: str, context: dict[str, object]
) -> None:
    """From the notice to the thanks and on every page around it, light and dark, wide and narrow, Gradio's part included."""
    found: dict[str, list[str]] = {}

    def look(page: Page, state: str) -> None:
        found[state] = [*violations(page), *(["scrolls sideways"] if overflows(page) else [])]

    with visiting(browser, base, **context) as watched:
        page = watched.page
        page.wait_for_selector("dialog[open]")
        look(page, "notice")
        agree(page)
        look(page, "start")
        ask(page, "010-1234-5678 " + "긴낱말" * 60)
        look(page, "answers")
        page.fill(BOX, "900101-1234567")
        look(page, "warning")
        page.fill(BOX, "")
        page.click("#arena-vote-both_bad")
        look(page, "reasons")
        page.click("#arena-cast")
        page.wait_for_selector(".arena-thanks")
        look(page, "thanks")
        for path in PAGES:
            page.goto(base + path)
            assert page.locator("h1").count() == 1
            assert page.locator("html").get_attribute("lang") == str(context.get("locale", "ko"))[:2]
            look(page, path)
        assert {state: faults for state, faults in found.items() if faults} == {}
        assert (watched.errors, watched.strangers) == ([], [])


def test_the_keyboard_alone_goes_from_consent_to_receipt(browser: Browser, base: str) -> None:
    """Tab, space and Enter are enough; the focus is where the action is; both answers are said together, once, and no token is."""

    def walk(page: Page, target: str) -> None:
        for _ in range(40):
            if page.evaluate("target => document.activeElement.matches(target)", target):
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"the keyboard does not reach {target}")

    with visiting(browser, base, reduced_motion="reduce") as watched:
        page = watched.page
        page.wait_for_selector("dialog[open]")
        page.evaluate(
            """() => {
              window.said = [];
              const place = document.getElementById("arena-announce");
              new MutationObserver(() => window.said.push(place.textContent)).observe(place, { childList: true, characterData: true, subtree: true });
            }"""
        )
        for box in ("age", "service", "teams"):
            walk(page, f"#consent-{box}")
            page.keyboard.press("Space")
        walk(page, "#arena-agree")
        page.keyboard.press("Enter")
        page.wait_for_selector("dialog", state="detached")
        assert page.evaluate("document.activeElement.matches('#arena-prompt')")
        page.keyboard.insert_text("안녕하세요?")
        page.keyboard.press("Enter")
        page.wait_for_selector("#arena-vote-tie:enabled")
        said = page.evaluate("window.said")
        assert len(said) == 2
        assert "답변 A 완료. 답변 B 완료." in said[1]
        assert len(said[1]) < 80
        page.keyboard.press("Shift+Tab")
        for _ in range(12):
            if page.evaluate("document.activeElement.id") == "arena-vote-both_bad":
                break
            page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
        walk(page, "#arena-why summary")
        page.keyboard.press("Enter")
        walk(page, 'input[name="reason-a"]')
        page.keyboard.press("Space")
        walk(page, "#arena-cast")
        page.keyboard.press("Enter")
        page.wait_for_selector(".arena-thanks")
        walk(page, ".arena-receipt summary")
        page.keyboard.press("Enter")
        walk(page, "a[href^='/receipts?receipt=']")
        page.keyboard.press("Enter")
        page.wait_for_url("**/receipts?receipt=*")


def test_what_can_be_pressed_is_large_enough(browser: Browser, base: str) -> None:
    """Every control a finger may want measures 44 pixels at least, before and after the question."""
    with visiting(browser, base, viewport=PHONE, has_touch=True) as watched:
        page = watched.page
        agree(page)
        small = """() => [...document.querySelectorAll("button, header a, footer a, summary, .arena-reason, .arena-keys")]
          .filter((node) => node.offsetParent && (node.offsetHeight < 44 || node.offsetWidth < 44) && !node.matches(".arena-skip"))
          .map((node) => `${node.id} ${node.className} ${node.textContent} ${node.offsetWidth}×${node.offsetHeight}`)"""
        assert page.evaluate(small) == []
        ask(page, "안녕하세요?")
        page.click("#arena-vote-tie")
        assert page.evaluate(small) == []
