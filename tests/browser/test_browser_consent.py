"""The notice before the first battle: read, not fought with. Required boxes first, the others folded, nothing ticked, nothing covered."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from arena.domain.invitation import code_digest
from tests.support.browser import chromium, overflows, violations, visiting
from tests.support.serving import TEAMS, serving, stage_toml

SMALL = {"width": 360, "height": 640}
WAYS: dict[str, dict[str, Any]] = {
    "desktop-ko": {},
    "desktop-en": {"locale": "en-GB", "color_scheme": "dark"},
    "small-ko": {"viewport": SMALL, "has_touch": True},
    "small-en": {"viewport": SMALL, "locale": "en-GB", "color_scheme": "dark"},
    "magnified": {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2},
}
TICKED = "() => [...document.querySelectorAll('dialog input:checked')].map((box) => box.id.replace('consent-', ''))"
COVERED = """() => [...document.querySelectorAll("dialog :is(label, p, summary, dd, button)")].filter((each) => {
  if (!each.checkVisibility() || each.closest(".arena-hidden") || !each.textContent.trim()) return false;
  each.scrollIntoView({ block: "end" });
  const box = each.getBoundingClientRect();
  const seen = document.elementFromPoint(box.left + box.width / 2, Math.min(box.bottom, innerHeight) - 3);
  return box.bottom > innerHeight + 1 || !seen || !(each.contains(seen) || seen.contains(each));
}).map((each) => each.textContent)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the module."""
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A stage with two optional consents."""
    with serving(tmp_path_factory.mktemp("arena"), stage_toml()) as address:
        yield address


def notice(page: Page) -> None:
    """Waits for it."""
    page.wait_for_selector("dialog[open]")


def unfold(page: Page) -> None:
    """Opens everything that is folded."""
    page.evaluate("document.querySelectorAll('dialog details').forEach((each) => { each.open = true; })")


CODE = "7KQM-X2PD-GHTN-4WZC"
PANEL = f"""
[population]
kind = "panel"
[population.panel]
members = ["{code_digest(CODE)}"]
"""


@pytest.mark.parametrize("context", [WAYS["small-ko"], WAYS["desktop-en"]], ids=["small-ko", "desktop-en"])
def test_a_member_types_the_code_of_their_invitation(browser: Browser, tmp_path: Path, context: dict[str, Any]) -> None:
    """A panel's notice has a field for it, within reach of everybody; a wrong code is told where it was typed, and the right one begins."""
    with serving(tmp_path, stage_toml(top=PANEL)) as at, visiting(browser, at, **context) as watched:
        page = watched.page
        notice(page)
        english = context.get("locale") is not None
        page.click("#arena-agree-required")
        field = page.get_by_label("Invitation code" if english else "초대 코드", exact=True)
        field.fill("2222-2222-2222-2222")
        page.click("#arena-agree")
        page.wait_for_selector(
            f"dialog [role=alert]:has-text('{'No member of the panel' if english else '명단에 없는 초대 코드'}')"
        )
        assert violations(page) == []
        assert not overflows(page)
        field.fill(CODE.lower())
        page.click("#arena-agree")
        page.wait_for_selector("dialog", state="detached")


@pytest.mark.parametrize("context", WAYS.values(), ids=WAYS)
def test_one_button_ticks_the_required_boxes_and_no_other(browser: Browser, base: str, context: dict[str, Any]) -> None:
    """Nothing is ticked beforehand; the count follows; then one press begins, and only what was ticked was agreed to."""
    with visiting(browser, base, **context) as watched:
        page = watched.page
        notice(page)
        english = str(context.get("locale", "ko")).startswith("en")
        progress = page.locator("dialog [role=status]")
        assert page.evaluate(TICKED) == []
        assert progress.inner_text() == ("Required: 0 of 3" if english else "필수 0/3")
        page.check("#consent-age")
        assert progress.inner_text() == ("Required: 1 of 3" if english else "필수 1/3")
        page.get_by_role("button", name="Agree to all required items" if english else "필수 항목 모두 동의").click()
        assert page.evaluate(TICKED) == ["age", "service", "teams"]
        assert progress.inner_text() == ("Required: 3 of 3" if english else "필수 3/3")
        page.click("#arena-agree")
        page.wait_for_selector("dialog", state="detached")
        stage = page.request.get(f"{base}/api/v1/stage").json()
        assert stage["session"] == {"valid": True, "consents": ["service", "teams"]}
        assert (watched.errors, watched.strangers) == ([], [])


@pytest.mark.parametrize("context", WAYS.values(), ids=WAYS)
def test_nothing_of_the_notice_is_covered(browser: Browser, base: str, context: dict[str, Any]) -> None:
    """On a small phone and magnified to twice its size, folded and unfolded, every line can be brought into view with nothing over it;
    axe-core finds nothing, and nothing scrolls sideways."""
    with visiting(browser, base, **context) as watched:
        page = watched.page
        notice(page)
        for state in ("folded", "unfolded"):
            assert page.evaluate(COVERED) == [], state
            assert violations(page) == [], state
            assert not overflows(page), state
            assert page.evaluate("document.querySelector('dialog').scrollWidth <= innerWidth"), state
            unfold(page)


def test_what_is_agreed_to_is_said_in_full(browser: Browser, base: str) -> None:
    """Age first, then the required ones; a box has a short name and the long text as its description; recipients, items, time and the right
    to refuse stand behind a summary that names its consent; the optional ones are folded and counted."""
    with visiting(browser, base) as watched:
        page = watched.page
        notice(page)
        boxes = page.locator("dialog fieldset").first.get_by_role("checkbox")
        assert boxes.count() == 3
        for box, name in zip(
            boxes.all(), ("만 14세 이상입니다", "개인정보 수집·이용", "개인정보 제3자 제공"), strict=True
        ):
            assert box.evaluate("box => box.labels[0].innerText.replace(/\\s+/g, ' ').trim()") == f"필수 {name}"
        told = page.locator(f"#{page.locator('#consent-teams').get_attribute('aria-describedby')}").inner_text()
        assert ", ".join(ko for ko, _ in TEAMS.values()) in told
        page.get_by_text("개인정보 제3자 제공 자세히 보기").click()
        terms = page.locator("dialog dt:visible").all_inner_texts()
        assert terms[:5] == ["제공받는 자", "이용 목적", "제공 항목", "보유·이용 기간", "거부할 권리"]
        optional = page.locator("dialog .arena-consents-optional")
        assert optional.locator("> summary").inner_text().strip() == "선택 동의 2개"
        assert page.locator("#consent-votes-release").is_hidden()
        optional.locator("> summary").click()
        page.check("#consent-votes-release")
        page.click("#arena-agree-required")
        page.click("#arena-agree")
        page.wait_for_selector("dialog", state="detached")
        given = page.request.get(f"{base}/api/v1/stage").json()["session"]["consents"]
        assert given == ["service", "teams", "votes-release"]


def test_what_is_missing_is_named_and_reached(browser: Browser, base: str) -> None:
    """Agreeing too early names the boxes by their short names, marks them, and puts the focus on the first, in view on a small phone."""
    with visiting(browser, base, viewport=SMALL) as watched:
        page = watched.page
        notice(page)
        page.check("#consent-service")
        page.click("#arena-agree")
        page.wait_for_selector("#arena-welcome-error:not(:empty)")
        assert (
            page.locator("#arena-welcome-error").inner_text()
            == "필수 항목을 확인해 주세요: 나이 확인, 개인정보 제3자 제공"
        )
        assert page.evaluate("document.activeElement.id") == "consent-age"
        assert page.evaluate(
            "(() => { const b = document.activeElement.getBoundingClientRect(); return b.top >= 0 && b.bottom <= innerHeight; })()"
        )
        assert page.locator("dialog [aria-invalid=true]").count() == 2


@pytest.mark.parametrize("locale", ["ko-KR", "en-GB"])
@pytest.mark.parametrize("viewport", [{"width": 1280, "height": 800}, SMALL], ids=["desktop", "small"])
def test_the_keyboard_alone_agrees(browser: Browser, base: str, locale: str, viewport: dict[str, int]) -> None:
    """Tab, Enter and space: the details open, the required boxes are ticked by one key, an optional one by its own, and the battle can begin;
    whatever has the focus is in view."""
    with visiting(browser, base, locale=locale, viewport=viewport, reduced_motion="reduce") as watched:
        page = watched.page
        notice(page)

        def walk(target: str) -> None:
            for _ in range(30):
                page.keyboard.press("Tab")
                assert page.evaluate(
                    "(() => { const b = document.activeElement.getBoundingClientRect(); return b.bottom > 0 && b.top < innerHeight; })()"
                )
                if page.evaluate("target => document.activeElement.matches(target)", target):
                    return
            raise AssertionError(f"the keyboard does not reach {target}")

        assert page.evaluate("document.activeElement.id") == "arena-welcome"
        walk("#arena-agree-required")
        page.keyboard.press("Enter")
        walk("#consent-age")
        walk("#consent-teams")
        walk("summary")
        page.keyboard.press("Enter")
        assert page.locator("dialog dd:visible").count() >= 5
        walk(".arena-consents-optional > summary")
        page.keyboard.press("Space")
        walk("#consent-texts-release")
        page.keyboard.press("Space")
        walk("#arena-agree")
        page.keyboard.press("Enter")
        page.wait_for_selector("dialog", state="detached")
        given = page.request.get(f"{base}/api/v1/stage").json()["session"]["consents"]
        assert given == ["service", "teams", "texts-release"]
