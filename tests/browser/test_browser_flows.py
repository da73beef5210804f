"""A citizen's ways through the page, in a real browser with models that say what they are told."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route

from arena.record.keys import Keys
from arena.record.ledger import Ledger
from arena.record.store import Store
from tests.support.browser import PHONE, agree, ask, chromium, overflows, violations, visiting, vote
from tests.support.serving import SAYS, TEAMS, Citizen, serving, stage_toml

BOX = "#arena-prompt"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the module."""
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the arena keeps its database and keys."""
    return tmp_path_factory.mktemp("arena")


@pytest.fixture(scope="module")
def base(folder: Path) -> Iterator[str]:
    """A stage of three models that answer at once."""
    with serving(folder, stage_toml()) as address:
        yield address


def typed(page: Page) -> str:
    """What stands in the prompt box."""
    return page.input_value(BOX)


def test_enter_sends_once_under_an_input_method(browser: Browser, base: str) -> None:
    """A composing Enter sends when the syllable is done, once; a plain Enter sends once; Shift+Enter only breaks the line."""
    with visiting(browser, base) as watched:
        page = watched.page
        agree(page)
        turns: list[str] = []
        page.on("request", lambda r: turns.append(r.url) if r.url.endswith("/turns") else None)
        page.focus(BOX)
        page.keyboard.insert_text("첫 줄")
        page.keyboard.press("Shift+Enter")
        page.keyboard.insert_text("안녕하세")
        assert typed(page) == "첫 줄\n안녕하세"
        page.evaluate(
            """() => {
              const box = document.querySelector("#arena-prompt");
              box.dispatchEvent(new CompositionEvent("compositionstart", { bubbles: true }));
              box.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", isComposing: true, keyCode: 229, bubbles: true, cancelable: true }));
              box.value += "요";
              box.dispatchEvent(new InputEvent("input", { bubbles: true }));
              box.dispatchEvent(new CompositionEvent("compositionend", { bubbles: true }));
            }"""
        )
        page.wait_for_selector("#arena-vote-tie:enabled")
        assert page.locator(".arena-question p").first.inner_text() == "첫 줄\n안녕하세요"
        ask(page, "또 하나")
        assert len(turns) == 2
        assert watched.errors == []


def test_reasons_a_double_click_and_a_receipt_that_the_browser_proves(
    browser: Browser, base: str, folder: Path
) -> None:
    """Reasons and a comment go with the vote, two clicks cast one; the receipt's page computes the proof again by itself."""
    with visiting(browser, base) as watched:
        page = watched.page
        agree(page)
        ask(page, "안녕하세요?")
        sent: list[object] = []
        page.on("request", lambda r: sent.append(r.post_data_json) if r.url.endswith("/vote") else None)
        page.dblclick("#arena-vote-model_b")
        page.wait_for_timeout(500)
        assert not page.locator("#arena-why details").evaluate("each => each.open")
        assert page.locator("#arena-vote-model_b").get_attribute("aria-pressed") == "true"
        page.click("#arena-why summary")
        page.click('label:has(input[name="reason-b"][value="useful"])')
        page.click('label:has(input[name="reason-a"][value="incorrect"])')
        page.fill("#arena-comment", "B가 더 자세해요")
        page.dblclick("#arena-cast")
        page.wait_for_selector(".arena-thanks")
        assert sent == [
            {
                "winner": "model_b",
                "reasons": {"a": ["incorrect"], "b": ["useful"]},
                "comment": "B가 더 자세해요",
                "turns": 1,
            }
        ]
        assert page.evaluate("document.activeElement.textContent").endswith("고맙습니다!")
        page.click(".arena-receipt summary")
        receipt = page.locator(".arena-receipt code").inner_text()
        with page.expect_download() as saved:
            page.click("#arena-share")
        assert Path(saved.value.path()).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        store = Store(f"sqlite:///{folder / 'arena.db'}")
        Ledger(store, Keys.open(folder, {})).checkpoint("test", datetime.now(UTC))
        store.close()
        page.click("a[href^='/receipts?receipt=']")
        page.wait_for_selector(".arena-ok >> nth=1")
        assert page.locator(".arena-bad").count() == 0
        page.click("a[href='/my']")
        assert receipt in str(page.locator("main").text_content())
        page.click(".arena-battles a[href^='/#']")
        page.wait_for_selector(".arena-thanks")
        assert page.locator("#arena-ask").is_hidden()
        assert (watched.errors, watched.strangers) == ([], [])


def test_a_vote_that_was_not_saved_says_so_and_can_be_retried(browser: Browser, base: str) -> None:
    """Without an answer from the server there is no thank-you; the retry casts what was chosen."""
    with visiting(browser, base, locale="en-US") as watched:
        page = watched.page
        agree(page)
        ask(page, "Hello")
        refused: list[str] = []

        def refuse_once(route: Route) -> None:
            if refused:
                route.continue_()
            else:
                refused.append(route.request.url)
                route.abort()

        page.route("**/vote", refuse_once)
        page.click("#arena-vote-tie")
        page.click("#arena-cast")
        page.wait_for_selector("#arena-message.arena-alert button")
        assert "not saved" in page.locator("#arena-message").inner_text()
        assert page.locator(".arena-thanks").count() == 0
        page.click("#arena-message button")
        page.wait_for_selector(".arena-thanks")


def test_keys_vote_only_when_switched_on(browser: Browser, base: str) -> None:
    """1 to 4 do nothing until they are switched on, and never while somebody types; new battle begins from nothing."""
    with visiting(browser, base) as watched:
        page = watched.page
        agree(page)
        ask(page, "안녕하세요?")
        page.locator("#arena-vote-tie").focus()
        page.keyboard.press("2")
        assert page.locator("#arena-why").count() == 0
        page.check("#arena-keys")
        page.focus(BOX)
        page.keyboard.press("2")
        assert page.locator("#arena-why").count() == 0
        page.locator("#arena-vote-tie").focus()
        page.keyboard.press("4")
        assert page.locator("#arena-vote-model_b").get_attribute("aria-pressed") == "true"
        page.click("#arena-cast")
        page.wait_for_selector(".arena-thanks")
        page.click(".arena-next")
        assert page.locator(".arena-turn").count() == 0
        assert page.locator("#arena-starters").is_visible()


def test_starters_counter_and_personal_data(browser: Browser, base: str) -> None:
    """A starter fills the box with its slot selected; too long or a registration number cannot be sent; a phone number is masked."""
    with visiting(browser, base, viewport=PHONE) as watched:
        page = watched.page
        agree(page)
        assert page.locator("#arena-starters li").count() == 24
        starter = page.locator("#arena-starters button").first
        before, slot, after = starter.inner_text().partition(starter.locator("mark").inner_text())
        starter.click()
        page.keyboard.insert_text("프랑스")
        assert slot
        topic = page.locator(".arena-topic").first.get_attribute("data-topic")
        assert page.input_value("#arena-topic select") == topic != ""
        assert typed(page) == f"{before}프랑스{after}"
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.press("Backspace")
        assert page.input_value("#arena-topic select") == ""
        page.fill(BOX, "가" * 4001)
        assert page.locator("#arena-send").is_disabled()
        assert "1자가 넘었어요" in page.locator("#arena-count").inner_text()
        page.fill(BOX, "제 번호는 900101-1234567입니다")
        assert page.locator("#arena-send").is_disabled()
        ask(page, "제 번호는 010-1234-5678이에요")
        page.wait_for_function("() => document.querySelector('.arena-question p').textContent.includes('[전화번호]')")
        assert "010" not in page.locator(".arena-question").inner_text()
        page.get_by_role("button", name="답변 B").click()
        assert page.locator(".arena-pane-b").is_visible()
        assert page.locator(".arena-pane-a").is_hidden()
        assert not overflows(page)


def test_a_session_that_is_over_asks_again_and_keeps_the_question(browser: Browser, base: str) -> None:
    """Without its cookie the page asks for consent again; what was typed stays; then it is sent."""
    with visiting(browser, base) as watched:
        page = watched.page
        agree(page)
        page.context.clear_cookies()
        page.fill(BOX, "아직 여기 있어요")
        page.press(BOX, "Enter")
        agree(page)
        assert typed(page) == "아직 여기 있어요"
        page.press(BOX, "Enter")
        page.wait_for_selector("#arena-vote-tie:enabled")


def test_the_other_language_keeps_the_battle(browser: Browser, base: str) -> None:
    """The link changes every word and keeps battle and choice of language; a second tab and the back button agree."""
    with visiting(browser, base) as watched:
        page = watched.page
        agree(page)
        ask(page, "안녕하세요?")
        page.click("#arena-language")
        page.wait_for_selector("#arena-vote-tie:enabled")
        assert page.locator("html").get_attribute("lang") == "en"
        assert page.locator("#arena-vote-model_a").inner_text() == "A is better"
        assert page.locator(".arena-turn").count() == 1
        vote(page, "model_a")
        tab = page.context.new_page()
        tab.goto(f"{base}/how")
        assert tab.locator("h1").inner_text() == "How the evaluation works"
        page.click("footer a[href='/rules']")
        page.go_back()
        page.wait_for_selector(".arena-thanks")


def test_withdrawing_erases_and_forgets(browser: Browser, base: str) -> None:
    """Asked twice, then the list is empty and the next visit begins with the notice."""
    with visiting(browser, base) as watched:
        page = watched.page
        agree(page)
        ask(page, "지울 말")
        page.goto(f"{base}/my")
        page.click("#withdraw")
        page.click("#withdraw-yes")
        page.wait_for_selector("#withdraw-said:has-text('철회했습니다')")
        page.goto(base)
        page.wait_for_selector("dialog[open]")


ASKING = """
[population]
[[population.strata]]
id = "age"
title = { ko = "연령대", en = "Age band" }
categories = [{ id = "young", title = { ko = "50세 미만", en = "Under 50" } }, { id = "old", title = { ko = "50세 이상", en = "50 and over" } }]
"""


def test_a_battle_that_failed_and_a_limit_that_is_reached(browser: Browser, tmp_path: Path) -> None:
    """A newcomer's browser does its proof of work, and who agrees to it says something about themselves; a failed side
    makes the battle void and offers another with the same question;
    a limit speaks Korean and loses nothing."""
    failing = dict.fromkeys(TEAMS, "fail_after_chars = 0")
    with (
        serving(
            tmp_path,
            stage_toml(limits="battles_per_hour = 1\nproof_cost = 1", proof="always", extra=failing, top=ASKING),
        ) as address,
        visiting(browser, address) as watched,
    ):
        page = watched.page
        page.wait_for_selector("dialog[open]")
        page.click("#arena-agree-required")
        page.click(".arena-consents-optional > summary")
        page.check("#consent-strata")
        page.click("#arena-agree")
        page.select_option("#about-age", "old")
        page.click("#arena-about-save")
        page.wait_for_selector("dialog", state="detached")
        assert page.request.get(f"{address}/api/v1/about-you").json()["answers"] == {"age": "old"}
        page.fill(BOX, "안녕하세요?")
        page.press(BOX, "Enter")
        page.wait_for_selector("#arena-message button")
        assert page.locator("#arena-ballot").is_hidden()
        assert page.locator(".arena-text:visible").count() == 0
        assert page.locator(".arena-status[data-status='failed']").count() >= 1
        page.click("#arena-message button")
        assert typed(page) == "안녕하세요?"
        page.press(BOX, "Enter")
        page.wait_for_selector("#arena-message:has-text('분 뒤 이어서')")
        assert typed(page) == "안녕하세요?"


def test_work_is_done_while_a_citizen_types_and_nobody_sees_an_error(browser: Browser, tmp_path: Path) -> None:
    """Under pressure a citizen agrees, types and gets a battle by themselves: the proof is there when they send; where it takes longer a calm line
    says so, and a price that rose meanwhile is worked for again."""
    limits = "proof_cost = 1\nproof_tries = 2\nproof_doubles = 4"
    with (
        serving(tmp_path, stage_toml(limits=limits, proof="always")) as address,
        visiting(browser, address) as watched,
    ):
        page = watched.page
        agree(page)
        with page.expect_response("**/challenge?act=battle"):
            page.fill(BOX, "안녕하세요?")
        for _ in range(12):  # eight times the price of what the page works for
            Citizen(address).agree()
        page.press(BOX, "Enter")
        page.wait_for_selector("#arena-vote-tie:enabled")
        assert page.locator(".arena-alert:visible").count() == 0
        vote(page, "tie")
        page.goto(address)
        page.wait_for_selector("body[data-arena='ready']")
        held: list[Route] = []
        page.route("**/challenge?act=battle", lambda route: held.append(route))
        page.fill(BOX, "또 안녕하세요?")
        page.press(BOX, "Enter")
        page.wait_for_timeout(100)
        page.evaluate(
            """() => {
              const derive = crypto.subtle.deriveBits.bind(crypto.subtle);
              const later = new Promise((resolve) => (window.letWork = resolve));
              crypto.subtle.deriveBits = async (...asked) => (await later, derive(...asked));
            }"""
        )
        held[0].continue_()
        page.wait_for_selector("#arena-message:has-text('확인이 조금 더 걸립니다')")
        assert "arena-alert" not in (page.locator("#arena-message").get_attribute("class") or "")
        page.evaluate("window.letWork()")
        page.wait_for_selector("#arena-vote-tie:enabled")
        assert page.locator("#arena-message:has-text('확인이')").count() == 0
        assert page.locator(".arena-alert:visible").count() == 0
        assert [error for error in watched.errors if "403" not in error] == []


def test_reasoning_stands_folded_above_its_answer(browser: Browser, tmp_path: Path) -> None:
    """Where the stage folds reasoning, a citizen may open it; it is closed at first, survives a reload, and axe finds nothing in it."""
    toml = stage_toml(protocol='reasoning = "folded"')
    for said in SAYS.values():
        thought = json.dumps(f"<think>먼저 **인사**를 생각합니다.</think>{said}", ensure_ascii=False)
        toml = toml.replace(json.dumps(said, ensure_ascii=False), thought)
    with serving(tmp_path, toml) as address, visiting(browser, address) as watched:
        page = watched.page
        agree(page)
        ask(page, "안녕하세요?")
        for _ in range(2):
            thoughts = page.locator(".arena-reasoning")
            thoughts.first.wait_for()
            assert thoughts.count() == 2
            assert not thoughts.first.locator("strong").is_visible()
            page.reload()
            page.wait_for_selector("#arena-vote-tie:enabled")
        page.locator(".arena-reasoning summary").first.click()
        assert page.locator(".arena-reasoning strong").first.is_visible()
        assert violations(page) == []
        assert watched.errors == []
