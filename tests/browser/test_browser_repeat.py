"""A battle shown again, in a real browser: told as what it is, judged like any other, while the question that was typed waits."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from arena.record.store import Store
from tests.support.browser import DESKTOP, PHONE, chromium, overflows, violations, visiting, vote
from tests.support.repeats import PROTOCOL, due_at, plant
from tests.support.serving import Citizen, serving, stage_toml
from tests.support.stages import NOW, stage_of

VISITORS = {
    "desktop-ko": ({"viewport": DESKTOP}, ("전에 물어보셨던 질문", "다음 대결에서", "내 질문 하기")),
    "phone-dark-en": (
        {"viewport": PHONE, "color_scheme": "dark", "locale": "en-US"},
        ("You have asked this before", "in the next battle", "Ask my question"),
    ),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the module."""
    with chromium() as opened:
        yield opened


@pytest.mark.parametrize("visitor", VISITORS)
def test_what_was_typed_waits_while_an_earlier_battle_is_judged_again(
    browser: Browser, tmp_path: Path, visitor: str
) -> None:
    """The note stands above the earlier question and both answers, nothing more can be asked, and after the vote the question is in the box, ready to send."""
    store, text = Store(f"sqlite:///{tmp_path / 'arena.db'}"), stage_toml(protocol=PROTOCOL)
    stage = stage_of(text)
    store.stages.draft(stage, text.encode(), NOW)
    plant(store, stage.id, due_at(12, never=13))
    context, (note, waits, go_on) = VISITORS[visitor]
    with serving(tmp_path, text) as base:
        citizen = Citizen(base).agree()
        for n in range(11):
            battle = citizen.open()
            citizen.ask(battle, f"{n + 1}번째 질문입니다.")
            citizen.vote(battle)
        with visiting(browser, base, **context) as watched:
            page = watched.page
            page.context.add_cookies(
                [{"name": name, "value": value, "url": base} for name, value in citizen.http.cookies.items()]
            )
            page.reload()
            page.wait_for_selector("[data-arena='ready']")
            page.fill("#arena-prompt", "새로 묻고 싶은 것이 있어요.")
            page.click("#arena-send")
            page.wait_for_selector("#arena-vote-tie:enabled", timeout=60_000)
            told = page.locator(".arena-repeat")
            assert note in told.inner_text()
            assert told.evaluate("node => document.activeElement === node")
            assert page.locator(".arena-question p").first.inner_text() == "1번째 질문입니다."
            assert page.locator(".arena-pane .arena-text").all_inner_texts().count("") == 0
            assert page.input_value("#arena-prompt") == "새로 묻고 싶은 것이 있어요."
            assert page.locator("#arena-prompt").get_attribute("readonly") is not None
            assert waits in page.locator("#arena-hint").inner_text()
            assert page.locator("#arena-send").is_disabled()
            assert (violations(page), overflows(page)) == ([], False)
            page.reload()
            page.wait_for_selector("#arena-vote-tie:enabled")
            assert note in page.locator(".arena-repeat").inner_text()
            vote(page, "model_b")
            assert page.locator(".arena-next").inner_text() == go_on
            assert (violations(page), overflows(page)) == ([], False)
            page.click(".arena-next")
            assert page.input_value("#arena-prompt") == "새로 묻고 싶은 것이 있어요."
            page.click("#arena-send")
            page.wait_for_selector("#arena-vote-tie:enabled", timeout=60_000)
            assert page.locator(".arena-repeat").count() == 0
            assert page.locator(".arena-question p").first.inner_text() == "새로 묻고 싶은 것이 있어요."
            assert watched.errors == []
    assert [drawn.draw.repeat_of for drawn in store.draws.of_stage(stage.id)][11:] == [1, None]
    store.close()
