"""Answers as real models write them, read on a desk and on a phone: they take the page, and nobody votes without knowing it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.support.answers import BOOK, TAXES, WALK, WORD, answering
from tests.support.browser import DESKTOP, PHONE, agree, ask, chromium, overflows, visiting
from tests.support.serving import serving

LIMITS = "answer_chars = 5000\nanswer_tokens = 5000"
SIZES: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": DESKTOP},
    "laptop": {"viewport": {"width": 1366, "height": 768}},
    "phone": {"viewport": PHONE, "has_touch": True, "is_mobile": True},
    "small-phone-en": {
        "viewport": {"width": 360, "height": 640},
        "has_touch": True,
        "is_mobile": True,
        "locale": "en-US",
    },
}
TOUCH = {key: SIZES["phone"][key] for key in ("viewport", "has_touch", "is_mobile")}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the module."""
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A stage whose models write at length."""
    with serving(tmp_path_factory.mktemp("long"), answering(TAXES, BOOK, TAXES, protocol=LIMITS)) as base:
        yield base


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A stage of which one model says a word, and the others little more."""
    with serving(tmp_path_factory.mktemp("brief"), answering(WORD, WALK, WORD)) as base:
        yield base


def slow(folder: Path) -> Any:
    """A stage whose long answers take a while."""
    return serving(folder, answering(BOOK, protocol=LIMITS).replace("graphemes_per_s = 400", "graphemes_per_s = 150"))


def send(page: Page, prompt: str = "알려 주세요") -> None:
    """Asks and does not wait."""
    page.fill("#arena-prompt", prompt)
    page.click("#arena-send")


def box(page: Page, selector: str) -> dict[str, float]:
    """Where the first visible one stands in the window."""
    found = page.locator(f"{selector}:visible").first.bounding_box()
    assert found is not None, selector
    width, height = found["width"], found["height"]
    return {"top": found["y"], "bottom": found["y"] + height, "width": width, "height": height}


@pytest.mark.parametrize("size", SIZES)
def test_answers_take_the_page_and_the_vote_stays_in_view(browser: Browser, long: str, size: str) -> None:
    """No answer scrolls in a box of its own; at the end its beginning is in view, the four choices below it, wherever one reads; nothing is covered."""
    with visiting(browser, long, **SIZES[size]) as watched:
        page = watched.page
        height = SIZES[size]["viewport"]["height"]
        agree(page)
        send(page)
        page.wait_for_selector(".arena-status[data-status='writing']")
        for control in ("#arena-stop", "#arena-prompt"):
            assert 0 <= box(page, control)["top"] < box(page, control)["bottom"] <= height
        page.wait_for_selector("#arena-vote-tie:enabled", timeout=60_000)
        scrolled = (
            "[...document.querySelectorAll('.arena-text')].filter(t => t.scrollHeight > t.clientHeight + 1).length"
        )
        assert page.evaluate(scrolled) == 0
        assert 0 <= box(page, ".arena-text")["top"] < height / 2
        for _ in range(3):
            choices = [box(page, f"#arena-vote-{choice}") for choice in ("model_a", "tie", "both_bad", "model_b")]
            assert all(0 < choice["top"] < choice["bottom"] <= height for choice in choices)
            assert len({round(choice["width"]) for choice in choices}) == 1
            assert len({round(choice["height"]) for choice in choices}) == 1
            page.evaluate("scrollBy(0, 500)")
            page.wait_for_timeout(100)
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        page.wait_for_timeout(100)
        assert box(page, ".arena-panes")["bottom"] <= box(page, "#arena-dock")["top"]
        assert not overflows(page)
        assert watched.errors == []


def test_no_markdown_is_seen_while_it_is_written(browser: Browser, tmp_path: Path) -> None:
    """At every moment of the writing the page shows words, headings, lists and rows, and moves nothing that stands."""
    watch = """() => {
      window.shift = 0;
      new PerformanceObserver((list) => list.getEntries().forEach((e) => { if (!e.hadRecentInput) window.shift += e.value; }))
        .observe({ type: "layout-shift", buffered: true });
      window.seen = [];
      new MutationObserver(() => {
        for (const text of document.querySelectorAll(".arena-text")) {
          const copy = text.cloneNode(true);
          copy.querySelectorAll("pre, math, button").forEach((each) => each.remove());
          window.seen.push(copy.textContent);
        }
      }).observe(document.getElementById("arena-turns"), { childList: true, subtree: true, characterData: true });
    }"""
    with slow(tmp_path) as base, visiting(browser, base) as watched:
        page = watched.page
        agree(page)
        page.evaluate(watch)
        ask(page, "알려 주세요")
        seen = page.evaluate("window.seen")
        assert len(seen) > 50
        raw = re.compile(r"\*\*|^#|\|[- ]|```|\]\(|\$")
        assert [text for text in seen if raw.search(text)] == []
        assert page.evaluate("window.shift") < 0.02


def test_who_scrolls_up_is_left_there_and_who_stops_stays(browser: Browser, tmp_path: Path) -> None:
    """New text carries a reader on only while they are at its end; after a stop neither the view nor the focus is lost."""
    with slow(tmp_path) as base, visiting(browser, base) as watched:
        page = watched.page
        agree(page)
        send(page)
        page.wait_for_function("() => scrollY > 300", timeout=30_000)
        page.mouse.move(400, 200)
        page.mouse.wheel(0, -250)
        page.wait_for_timeout(300)
        here = page.evaluate("scrollY")
        page.wait_for_timeout(700)
        assert page.evaluate("scrollY") == here
        page.focus("#arena-stop")
        page.keyboard.press("Enter")
        page.wait_for_selector("#arena-vote-tie:enabled")
        assert page.evaluate("scrollY") == here
        assert page.evaluate("document.activeElement.id") == "arena-ballot-title"


def test_a_second_question_stands_in_view(browser: Browser, long: str) -> None:
    """However long the answers before it: the new question and its answers are where the reader is, and who presses the button keeps the focus there."""
    with visiting(browser, long) as watched:
        page = watched.page
        agree(page)
        ask(page, "처음")
        ask(page, "이어서")
        assert -5 <= box(page, ".arena-turn[data-turn='2']")["top"] < 200
        assert page.evaluate("document.activeElement.closest('.arena-turn')?.dataset.turn") == "2"


def test_the_notice_cannot_be_lost(browser: Browser, long: str) -> None:
    """Escape, however often, leaves the notice where it is; and Back to the page does not ask again for what was agreed to."""
    with visiting(browser, long) as watched:
        page = watched.page
        page.wait_for_selector("dialog[open]")
        for _ in range(3):
            page.keyboard.press("Escape")
        agree(page)
        ask(page, "한 번")
        page.goto(f"{long}/results")
        page.go_back()
        page.wait_for_selector("#arena-vote-tie:enabled")
        assert page.locator("dialog").count() == 0


def test_a_vote_from_another_tab_stands(browser: Browser, brief: str) -> None:
    """Who votes again in a tab that knows nothing of it sees the vote that stands, and nothing that could be tried again."""
    with visiting(browser, brief) as watched:
        page = watched.page
        agree(page)
        ask(page, "두 탭에서")
        tab = page.context.new_page()
        tab.goto(page.url)
        tab.wait_for_selector("#arena-vote-tie:enabled")
        for each, choice in ((page, "model_a"), (tab, "model_b")):
            each.click(f"#arena-vote-{choice}")
            each.click("#arena-cast")
            each.wait_for_selector(".arena-thanks")
        assert "내 선택: A가 더 좋아요" in tab.locator(".arena-thanks").inner_text()
        assert tab.locator("#arena-message button").count() == 0
        assert 0 <= box(tab, ".arena-thanks h2")["top"] < DESKTOP["height"]
        assert tab.evaluate("document.activeElement.closest('.arena-thanks') !== null")


def test_a_battle_that_went_on_elsewhere_is_judged_whole(browser: Browser, brief: str) -> None:
    """Who votes in a tab that has not seen the newest answers votes on nothing: the tab shows them, keeps the comment, and then takes the vote."""
    with visiting(browser, brief) as watched:
        page = watched.page
        agree(page)
        ask(page, "처음 질문")
        tab = page.context.new_page()
        tab.goto(page.url)
        tab.wait_for_selector("#arena-vote-tie:enabled")
        ask(page, "다음 질문")
        tab.click("#arena-vote-model_a")
        tab.click("#arena-why summary")
        tab.fill("#arena-comment", "앞의 답변만 읽고")
        tab.click("#arena-cast")
        tab.wait_for_selector("#arena-message:has-text('다른 창에서')")
        assert tab.locator(".arena-turn").count() == 2
        assert tab.locator(".arena-thanks").count() == 0
        assert tab.locator("#arena-votes [aria-pressed='true']").count() == 0
        tab.click("#arena-vote-model_a")
        assert tab.input_value("#arena-comment") == "앞의 답변만 읽고"
        tab.click("#arena-cast")
        tab.wait_for_selector(".arena-thanks:has-text('내 선택: A가 더 좋아요')")


def test_a_battle_left_while_it_is_answered_is_offered_again(browser: Browser, tmp_path: Path) -> None:
    """Who presses 새 대결 in the middle of the answers finds the battle again, at once."""
    with slow(tmp_path) as base, visiting(browser, base) as watched:
        page = watched.page
        agree(page)
        send(page, "길게 답할 질문입니다")
        page.wait_for_selector(".arena-status[data-status='writing']")
        page.click("#arena-new")
        page.wait_for_selector("#arena-unvoted:has-text('길게 답할 질문입니다')")
        page.click("#arena-unvoted a")
        page.wait_for_selector("#arena-vote-tie:enabled", timeout=60_000)
        assert page.locator(".arena-turn").count() == 1


def test_the_largest_text_on_a_small_phone_can_be_read_while_it_is_written(browser: Browser, tmp_path: Path) -> None:
    """At 360 × 640 the newest line is in view above the bar from the first word on, and no button's word is broken."""
    with slow(tmp_path) as base, visiting(browser, base, **SIZES["small-phone-en"] | {"locale": "ko-KR"}) as watched:
        page = watched.page
        agree(page)
        page.goto(f"{base}?text=larger")
        send(page, "연말정산에서 빠뜨리기 쉬운 항목을 단계별로 자세히 알려 주시고 예도 들어 주세요")
        page.wait_for_selector(".arena-status[data-status='writing']")
        for _ in range(4):
            page.wait_for_timeout(400)
            end = page.evaluate("document.querySelector('.arena-pane-a .arena-text').getBoundingClientRect().bottom")
            assert end < box(page, "#arena-dock")["top"] + 40
        for button in ("#arena-stop", "#arena-send"):
            assert box(page, button)["height"] < 70


def test_a_comment_outlives_a_reload(browser: Browser, brief: str) -> None:
    """What was written and not sent is there again in the same battle, in view, and in no other."""
    with visiting(browser, brief) as watched:
        page = watched.page
        agree(page)
        ask(page, "저녁에 걸을 곳")
        page.click("#arena-vote-model_a")
        page.click("#arena-why summary")
        page.fill("#arena-comment", "적어 둔 말")
        page.reload()
        page.wait_for_selector("#arena-vote-tie:enabled")
        page.click("#arena-vote-tie")
        assert page.locator("#arena-comment").is_visible()
        assert page.input_value("#arena-comment") == "적어 둔 말"
        page.click("#arena-cast")
        page.wait_for_selector(".arena-thanks")
        page.click(".arena-next")
        ask(page, "다른 질문")
        page.click("#arena-vote-tie")
        assert page.input_value("#arena-comment") == ""


def test_choosing_is_not_voting_and_the_page_says_so(browser: Browser, brief: str) -> None:
    """After a choice the one strong button says what it casts; until it is pressed nothing is sent; the choice can be another, or none."""
    with visiting(browser, brief) as watched:
        page = watched.page
        agree(page)
        ask(page, "저녁에 걸을 곳")
        sent: list[str] = []
        page.on("request", lambda r: sent.append(r.url) if r.url.endswith("/vote") else None)
        page.click("#arena-vote-model_a")
        assert "A가 더 좋아요" in page.locator("#arena-cast").inner_text()
        assert "아직 투표하지 않았습니다" in page.locator("#arena-dock").inner_text()
        page.click("#arena-why summary")
        page.fill("#arena-comment", "적어 둔 말")
        page.click("#arena-vote-tie")
        assert "비슷해요" in page.locator("#arena-cast").inner_text()
        assert page.locator("#arena-votes [aria-pressed='true']").count() == 1
        page.get_by_role("button", name="고르기 취소").click()
        assert page.locator("#arena-votes [aria-pressed='true']").count() == 0
        assert page.locator("#arena-prompt").is_visible()
        page.click("#arena-vote-both_bad")
        assert page.input_value("#arena-comment") == "적어 둔 말"
        assert (page.locator(".arena-thanks").count(), sent) == (0, [])
        page.click("#arena-cast")
        page.wait_for_selector(".arena-thanks")
        assert "둘 다 별로예요" in page.locator(".arena-thanks").inner_text()
        page.wait_for_selector(".arena-count:has-text('오늘 1번째 투표입니다')")
        assert len(sent) == 1


def test_a_word_leaves_no_hole_and_stays_beside_a_long_answer(browser: Browser, brief: str) -> None:
    """The panes are as tall as the longer answer, and both are in view at once."""
    with visiting(browser, brief) as watched:
        page = watched.page
        agree(page)
        ask(page, "짧게")
        assert box(page, ".arena-text")["height"] <= 320
        assert (
            0
            <= box(page, ".arena-panes")["top"]
            < box(page, ".arena-panes")["bottom"]
            < box(page, "#arena-dock")["top"]
        )


def test_a_phone_shows_one_answer_and_says_which(browser: Browser, long: str) -> None:
    """The switch stays in view in the middle of a long answer; it and a swipe change the side, and each side is found where it was left."""
    with visiting(browser, long, **TOUCH) as watched:
        page = watched.page
        agree(page)
        ask(page, "길게 알려 주세요")
        page.evaluate("scrollBy(0, 700)")
        page.wait_for_timeout(100)
        switch = box(page, ".arena-switch")
        assert 0 <= switch["top"] < 10
        left = box(page, ".arena-pane-a")["top"]
        page.click(".arena-show-b")
        assert page.locator(".arena-pane-a").is_hidden()
        assert abs(box(page, ".arena-pane-b")["top"] - switch["bottom"]) < 20
        swipe = """() => {
          const row = document.querySelector(".arena-panes");
          const touch = (x) => [new Touch({ identifier: 1, target: row, clientX: x, clientY: 300 })];
          row.dispatchEvent(new TouchEvent("touchstart", { touches: touch(80), changedTouches: touch(80), bubbles: true }));
          row.dispatchEvent(new TouchEvent("touchend", { touches: [], changedTouches: touch(300), bubbles: true }));
        }"""
        page.evaluate(swipe)
        assert abs(box(page, ".arena-pane-a")["top"] - left) < 10
        assert page.locator(".arena-show-a").get_attribute("aria-pressed") == "true"


def test_enter_is_a_new_line_under_a_finger(browser: Browser, brief: str) -> None:
    """On a phone Enter breaks the line, and the button sends."""
    with visiting(browser, brief, **TOUCH) as watched:
        page = watched.page
        agree(page)
        page.focus("#arena-prompt")
        page.keyboard.insert_text("첫 줄")
        page.keyboard.press("Enter")
        page.keyboard.insert_text("둘째 줄")
        assert page.input_value("#arena-prompt") == "첫 줄\n둘째 줄"
        assert page.locator(".arena-turn").count() == 0


def test_a_half_written_word_is_not_sent(browser: Browser, brief: str) -> None:
    """WebKit ends the syllable before it tells of the Enter: that Enter sends what stands there, once, and nothing of the next word.

    The order is dispatched in Chromium; no WebKit runs here.
    """
    with visiting(browser, brief) as watched:
        page = watched.page
        agree(page)
        turns: list[str] = []
        page.on("request", lambda r: turns.append(r.post_data or "") if r.url.endswith("/turns") else None)
        page.evaluate(
            """() => {
              const box = document.getElementById("arena-prompt");
              const compose = (name) => box.dispatchEvent(new CompositionEvent(name, { bubbles: true }));
              const type = (text) => { box.value += text; box.dispatchEvent(new InputEvent("input", { bubbles: true })); };
              compose("compositionstart");
              type("안녕하세요");
              compose("compositionend");
              box.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", keyCode: 229, bubbles: true, cancelable: true }));
              compose("compositionstart");
              type("반");
              compose("compositionend");
            }"""
        )
        page.wait_for_selector("#arena-vote-tie:enabled")
        assert len(turns) == 1
        assert "안녕하세요" in turns[0]
        assert "반" not in turns[0]
        assert page.input_value("#arena-prompt") == "반"


def test_copied_code_runs(browser: Browser, long: str) -> None:
    """What is copied of a program is the program; what is copied of an answer says that an AI wrote it."""
    with visiting(browser, long, permissions=["clipboard-read", "clipboard-write"]) as watched:
        page = watched.page
        agree(page)
        ask(page, "코드로 보여 주세요")
        page.locator(".arena-code .arena-copy").first.click()
        compile(page.evaluate("navigator.clipboard.readText()"), "copied", "exec")
        page.locator(".arena-tools .arena-copy").first.click()
        assert page.evaluate("navigator.clipboard.readText()").startswith("[K-AI 아레나")


def test_an_unvoted_battle_is_offered_again(browser: Browser, brief: str) -> None:
    """After a new battle, in another tab and on return, until it is voted on or skipped; a reload lands on the last turn."""
    with visiting(browser, brief) as watched:
        page = watched.page
        agree(page)
        ask(page, "처음 질문입니다")
        ask(page, "이어서 묻습니다")
        page.reload()
        page.wait_for_selector("#arena-vote-tie:enabled")
        assert page.locator(".arena-turn").count() == 2
        assert box(page, ".arena-turn[data-turn='2']")["top"] < 200
        page.click("#arena-new")
        page.wait_for_selector("#arena-unvoted:has-text('처음 질문입니다')")
        tab = page.context.new_page()
        tab.goto(brief)
        tab.click("#arena-unvoted a")
        tab.wait_for_selector("#arena-vote-tie:enabled")
        tab.click("#arena-vote-tie")
        tab.click("#arena-cast")
        tab.wait_for_selector(".arena-thanks")
        tab.reload()
        tab.wait_for_selector(".arena-thanks:has-text('내 선택: 비슷해요')")
        page.goto(f"{brief}/how")
        page.goto(brief)
        page.wait_for_selector("body[data-arena=ready]")
        page.wait_for_load_state("networkidle")
        assert page.locator("#arena-unvoted").is_hidden()
        ask(page, "건너뛸 질문입니다")
        page.click("#arena-new")
        page.wait_for_selector("#arena-unvoted:has-text('건너뛸 질문입니다')")
        page.get_by_role("button", name="건너뛰기").click()
        assert page.locator("#arena-unvoted").is_hidden()
        assert page.evaluate("document.activeElement.id") == "arena-prompt"


def test_the_page_shows_the_question_as_it_was_kept(browser: Browser, brief: str) -> None:
    """What looked like personal data is masked in the question that is shown, and the page says so."""
    with visiting(browser, brief) as watched:
        page = watched.page
        agree(page)
        ask(page, "제 번호는 010-1234-5678입니다")
        assert "010-1234" not in page.locator(".arena-question").inner_text()
        assert "가린 뒤 전달했습니다" in page.locator(".arena-question").inner_text()


def test_the_box_works_before_gradio_has_come(browser: Browser, brief: str) -> None:
    """Box and questions to begin with are in the page that the server sends; a question can be asked while Gradio's script is still on its way."""
    with visiting(browser, brief) as watched:
        page = watched.page
        agree(page)
        page.route(re.compile(r"/assets/.*\.js"), lambda route: None)
        page.goto(brief)
        page.wait_for_selector("body[data-arena=ready]")
        page.locator("#arena-starters button").first.click()
        assert page.input_value("#arena-prompt")
        page.click("#arena-send")
        page.wait_for_selector(".arena-status[data-status='complete']")
        page.unroute_all()
        page.reload()
        page.wait_for_selector("#arena-vote-tie:enabled")
