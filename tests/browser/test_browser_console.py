"""The organizer's console in a real browser: login, live ratings, acts that are refused to everybody else."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from arena.domain.battle import new_battle_id
from arena.domain.draw import draw, rule_of
from arena.domain.vote import cast
from arena.record.keys import Keys
from arena.record.store import Store
from arena.results import lifecycle
from arena.simulate import open_simulated, simulate, simulated_stage
from tests.support.browser import PHONE, chromium, violations, visiting
from tests.support.serving import Citizen, serving, stage_toml
from tests.support.voting import KEYS, ballot, begin, enrol, finish

NAME, PASSWORD = "운영자", "correct horse battery"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the module."""
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A stage of three scripted entrants with one organizer."""
    folder: Path = tmp_path_factory.mktemp("arena")
    with serving(folder, stage_toml(protocol="excluded_leaks = []")) as address:
        store = Store(f"sqlite:///{folder / 'arena.db'}")
        store.organizers.add(NAME, PASSWORD, datetime.now(UTC))
        store.close()
        yield address


def with_a_fan(folder: Path, *, freeze: bool = False) -> Path:
    """400 simulated votes, 40 of them by a fan of side a, and one organizer; the stage's file."""
    stage, data = simulated_stage()
    (folder / "stage.toml").write_bytes(data)
    store, now = Store(f"sqlite:///{folder / 'arena.db'}"), datetime.now(UTC)
    open_simulated(store, stage, data, now)
    secret = Keys.open(folder, {}).secret
    simulate(store, stage, 360, 7, 30, secret=secret)
    fan = enrol(store, "fan")
    rule = rule_of(stage)
    for _ in range(40):
        battle = store.battles.open(
            new_battle_id(), stage.id, fan.id, lambda seed, n, _: draw(seed, n, stage.entrant_ids, rule, {}), now
        )
        begin(store, battle, fan)
        finish(store, battle)
        store.votes.cast(battle.id, fan.id, ballot(), lambda b: cast(b, fan, ballot(), now, secret, KEYS))
    store.organizers.add(NAME, PASSWORD, now)
    if freeze:
        lifecycle.freeze(store, Keys.open(folder, {}), stage.id, organizer=NAME, now=datetime.now(UTC))
    store.close()
    return folder / "stage.toml"


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A stage that is open."""
    folder: Path = tmp_path_factory.mktemp("simulated")
    with serving(folder, with_a_fan(folder)) as address:
        yield address


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A stage that has just frozen."""
    folder: Path = tmp_path_factory.mktemp("reviewed")
    with serving(folder, with_a_fan(folder, freeze=True)) as address:
        yield address


def log_in(page: Page, base: str) -> None:
    """Through the form."""
    page.goto(f"{base}/organizer/")
    page.fill("form[action='/organizer/login'] #name", NAME)
    page.fill("#password", PASSWORD)
    page.click("button[type=submit]")


def test_the_organizer_sees_the_vote(browser: Browser, base: str) -> None:
    """Without a login there is only the form; with one the console shows ratings and exports, and a vote moves it by itself within two seconds."""
    with visiting(browser, base) as watched:
        page = watched.page
        page.goto(f"{base}/organizer/")
        page.wait_for_selector("form[action='/organizer/login']")
        assert page.locator("#console-live").count() == 0
        log_in(page, base)
        votes = page.locator("#console-live .c-tile", has_text="투표").first
        expect(votes).to_contain_text("투표0", timeout=30_000)
        expect(page.locator("#c-live-ratings table")).to_contain_text("가람팀")
        citizen = Citizen(base).agree()
        battle = citizen.open()
        citizen.ask(battle)
        assert citizen.vote(battle).status_code == 201
        expect(votes).to_contain_text("투표1", timeout=2_000)
        page.wait_for_selector("#c-live-ratings .c-plot svg.main-svg")
        page.get_by_role("tab", name="내보내기").click()
        expect(page.get_by_role("button", name="지금 내보내기")).to_be_visible()
        assert (watched.errors, watched.strangers) == ([], [])


TABS = {
    "live": ("실시간", "Live"),
    "operations": ("운영", "Operations"),
    "integrity": ("무결성", "Integrity"),
    "exports": ("내보내기", "Exports"),
}


@pytest.mark.parametrize(
    "context",
    [{}, {"viewport": PHONE, "color_scheme": "dark"}, {"viewport": PHONE, "locale": "en-GB"}],
    ids=["desktop-light", "phone-dark", "phone-english"],
)
def test_nobody_is_kept_out_of_the_console(browser: Browser, simulated: str, context: dict[str, object]) -> None:
    """axe finds nothing wrong on the login and on any tab, with figures drawn; nothing scrolls sideways, no error, no other host;
    in English there is no Hangul but the switch to Korean."""
    with visiting(browser, simulated, **context) as watched:
        page = watched.page
        page.goto(f"{simulated}/organizer/login")
        assert violations(page) == []
        log_in(page, simulated)
        english = context.get("locale") == "en-GB"
        for name, labels in TABS.items():
            page.get_by_role("tab", name=labels[english], exact=True).click()
            page.wait_for_selector(f"#console-{name} .c-card")
            if name == "live":
                page.wait_for_selector("#c-trends-variants .c-plot svg.main-svg", timeout=60_000)
                page.wait_for_selector("#c-groups-by-language-language .c-plot svg.main-svg", timeout=60_000)
                page.locator("#c-live-ratings summary").click()
            assert violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            korean = [
                line for line in page.inner_text("body").splitlines() if re.search("[가-힣]", line.replace(NAME, ""))
            ]
            assert not english or korean == ["한국어"]
        assert page.locator("h1").count() == 1
        assert (watched.errors, watched.strangers) == ([], [])


def test_an_organizer_changes_the_language(browser: Browser, simulated: str) -> None:
    """Whatever language the browser has, the organizer's own choice holds on the login, in the console and when coming back."""
    with visiting(browser, simulated, locale="en-GB") as watched:
        page = watched.page
        page.goto(f"{simulated}/organizer/login")
        expect(page.get_by_role("heading", name="Organizer login")).to_be_visible()
        page.fill("#name", NAME)
        page.fill("#password", "wrong")
        page.click("button[type=submit]")
        expect(page.get_by_role("alert")).to_have_text("Wrong name or password.")
        log_in(page, simulated)
        page.get_by_role("tab", name="Operations").click()
        page.fill("#c-form-pause-reason", "check")
        page.click("#c-form-pause button")
        expect(page.locator("#console-message")).to_have_text("The draws are paused. Running battles go on.")
        page.click("#c-form-resume button")
        page.wait_for_selector("#c-form-pause")
        page.click("#console-language")
        for _ in range(2):
            expect(page.get_by_role("tab", name="실시간")).to_be_visible()
            expect(page.locator("#c-live-points h2")).to_have_text("사용자 평가 점수")
            assert page.locator("html").get_attribute("lang") == "ko"
            page.goto(f"{simulated}/organizer/")


def test_an_organizer_leaves_a_fan_out_and_lets_it_count_again(browser: Browser, reviewed: str) -> None:
    """The fan who always votes for one side is proposed with evidence; leaving out asks first, declining wants a reason, by keyboard
    alone; both stand in the history and move the count."""
    with visiting(browser, reviewed) as watched:
        page = watched.page
        log_in(page, reviewed)
        excluded = page.locator("#console-integrity .c-tile", has_text="제외된 투표")
        page.get_by_role("tab", name="무결성").click()
        page.wait_for_selector("#c-integrity-proposals tbody tr", timeout=60_000)
        expect(page.locator("#c-integrity-proposals tbody")).to_contain_text("p = ")
        button = page.locator("#c-integrity-proposals").get_by_role("button", name="제외").first
        button.focus()
        page.keyboard.press("Enter")
        page.get_by_role("dialog").get_by_role("button", name="제외").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#console-message")).to_contain_text("평가에서 뺐습니다")
        expect(excluded).to_contain_text("제외된 투표40", timeout=30_000)
        expect(page.locator("#c-integrity-history tbody")).to_contain_text("개인 검정")
        page.locator("#c-integrity-proposals").get_by_role("button", name="그대로 반영").first.click()
        page.fill("#c-ask-field", "본인이 설명함")
        page.keyboard.press("Enter")
        expect(page.locator("#console-message")).to_contain_text("이 투표를 그대로 반영합니다")
        expect(excluded).to_contain_text("제외된 투표0", timeout=30_000)
        expect(page.locator("#c-integrity-proposals tbody")).to_contain_text("반영함: 본인이 설명함")
        expect(page.locator("#c-integrity-history tbody")).to_contain_text("본인이 설명함")


def test_the_last_step_is_taken_with_open_eyes(browser: Browser, simulated: str) -> None:
    """Freezing says what will happen and does nothing until the stage's name is typed; pausing and resuming need no more than a reason."""
    with visiting(browser, simulated) as watched:
        page = watched.page
        log_in(page, simulated)
        page.get_by_role("tab", name="운영").click()
        page.fill("#c-form-pause-reason", "점검")
        page.click("#c-form-pause button")
        page.wait_for_selector("#c-form-resume")
        page.click("#c-form-resume button")
        page.wait_for_selector("#c-form-pause")  # its message is there, and cannot come after the next one's
        freeze = page.locator("#c-form-freeze")
        expect(freeze).to_contain_text("다시 열 수 없습니다")
        page.fill("#c-form-freeze-confirm", "simulate")
        page.click("#c-form-freeze button")
        expect(page.locator("#console-message")).to_contain_text("확인하는 말이 다릅니다")
        page.fill("#c-form-freeze-confirm", "simulated")
        page.click("#c-form-freeze button")
        page.wait_for_selector("#c-form-publish")
        expect(page.locator("#c-operations-audit tbody")).to_contain_text("단계 마감")
