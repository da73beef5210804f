"""The main job in a real browser with the real tiny models: ask in Korean, watch two answers, vote, see who they were."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from arena.settings import ROOT
from tests.support.browser import PHONE, agree, ask, chromium, visiting, vote
from tests.support.serving import serving


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the module."""
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The stage that `make run` serves, in a data directory of its own."""
    with serving(tmp_path_factory.mktemp("arena"), ROOT / "stages" / "demo.toml") as address:
        yield address


@pytest.mark.parametrize(
    ("context", "prompt"),
    [({}, "대한민국의 수도는 어디야?"), ({"viewport": PHONE, "locale": "en-US"}, "What is the capital of France?")],
    ids=["desktop-ko", "phone-en"],
)
def test_from_prompt_to_reveal(browser: Browser, base: str, context: dict[str, object], prompt: str) -> None:
    """A first visitor agrees, asks, watches both panes fill, votes, reads the receipt and the two teams; nothing goes wrong
    in the console, no other host is asked, and before the vote no team's name is in the page."""
    with visiting(browser, base, **context) as watched:
        page = watched.page
        agree(page)
        assert page.locator("#arena-vote-model_a").is_disabled()
        ask(page, prompt)
        answers = [page.locator(f".arena-pane-{side} .arena-done").text_content() or "" for side in "ab"]
        assert all(answer.strip() for answer in answers)
        assert "\ufffd" not in "".join(answers)
        assert page.locator(".arena-reveal").count() == 0
        vote(page, "model_a")
        teams = page.locator(".arena-reveal li").all_inner_texts()
        assert len(set(teams)) == 2
        assert len(page.locator(".arena-receipt code").text_content() or "") == 64
        assert page.locator("#arena-dock").locator("button:visible").count() == 0
        assert page.locator("html").get_attribute("lang") == str(context.get("locale", "ko"))[:2]
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert (watched.errors, watched.strangers) == ([], [])


def test_stop_reload_and_a_second_turn(browser: Browser, base: str) -> None:
    """Stop keeps what was shown; a reload brings the battle back; the conversation goes on; then the vote counts."""
    with visiting(browser, base) as watched:
        page = watched.page
        agree(page)
        page.fill("#arena-prompt", "안녕하세요?")
        page.click("#arena-send")
        page.wait_for_selector("#arena-stop:enabled")
        page.locator(".arena-pane-a .arena-open", has_text=".").or_(
            page.locator("#arena-vote-tie:enabled")
        ).first.wait_for()
        page.locator("#arena-stop").dispatch_event("click")  # the answers may have ended just now
        page.wait_for_selector("#arena-vote-tie:enabled", timeout=60_000)
        page.reload()
        page.wait_for_selector("#arena-vote-tie:enabled", timeout=30_000)
        assert page.locator(".arena-turn").count() == 1
        ask(page, "고마워요!")
        assert page.locator(".arena-turn").count() == 2
        vote(page, "both_bad")
        page.click(".arena-next")
        assert page.locator(".arena-turn").count() == 0
