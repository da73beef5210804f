"""The browser as the citizen's witness: it thanks nobody for a vote that is not the one that was clicked, and gives the evidence into their hands."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route

from arena.domain.promise import Promise
from arena.domain.vote import leaf_hash
from arena.record.keys import Keys, read_jws
from arena.record.ledger import Ledger
from arena.record.store import Store
from tests.support.browser import PHONE, agree, ask, chromium, overflows, violations, visiting, vote
from tests.support.serving import serving, stage_toml


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


def saved(page: Page, link: str) -> Path:
    """The file behind this link, as the browser saves it."""
    with page.expect_download() as download:
        page.click(link)
    assert download.value.suggested_filename.startswith("vote-confirmation-")
    return Path(download.value.path())


def opened_at_receipts(page: Page, base: str, file: Path) -> str:
    """What the public page says of this file."""
    page.goto(f"{base}/receipts")
    page.set_input_files(
        "#promise-file", {"name": "vote.json", "mimeType": "application/json", "buffer": file.read_bytes()}
    )
    page.wait_for_selector("#promise-said p")
    return page.locator("#promise-said").inner_text()


def signed_now(folder: Path) -> None:
    """The next checkpoint, without waiting for it."""
    store = Store(f"sqlite:///{folder / 'arena.db'}")
    Ledger(store, Keys.open(folder, {})).checkpoint("test", datetime.now(UTC))
    store.close()


def test_a_confirmation_is_saved_and_read_again_by_anybody(browser: Browser, base: str, folder: Path) -> None:
    """The small link beside the thanks saves a file that proves itself; the public page says of it: not due, then kept; coming back the same file is there."""
    with visiting(browser, base, viewport=PHONE) as watched:
        page = watched.page
        agree(page)
        ask(page, "안녕하세요?")
        vote(page, "tie")
        assert not overflows(page)
        file = saved(page, ".arena-confirmation")
        given = json.loads(file.read_bytes())
        keys = Keys.open(folder, {})
        payload = read_jws(given["promise"], keys.jwks())
        assert payload is not None
        assert Promise.read(payload).receipt == given["receipt"] == leaf_hash(given["record"].encode())
        told = json.loads(given["record"])
        assert (told["winner"], given["chosen"], told["battle"]) == ("tie", "tie", given["battle"])
        assert given["kid"] == keys.kid
        page.reload()
        page.goto(f"{base}/#{given['battle']}")
        page.reload()
        page.wait_for_selector(".arena-thanks")
        assert json.loads(saved(page, ".arena-confirmation").read_bytes()) == given
        assert "아직 약속한 때가 되지 않았습니다" in opened_at_receipts(page, base, file)
        signed_now(folder)
        assert "약속이 지켜졌습니다" in opened_at_receipts(page, base, file)
        assert not overflows(page)
        assert violations(page) == []
        assert watched.errors == []


def opposite(route: Route) -> None:
    """A server that keeps and signs the opposite of the click: the answer is consistent in itself."""
    asked = json.loads(route.request.post_data or "")
    answer = route.fetch(post_data={**asked, "winner": "model_b"})
    route.fulfill(response=answer)


def changed(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Route], None]:
    """A server that answers otherwise than it signed."""

    def answer(route: Route) -> None:
        real = route.fetch()
        route.fulfill(response=real, json={**real.json(), **change(real.json())})

    return answer


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        (opposite, "내 선택과 다릅니다"),
        (changed(lambda told: {"record": told["record"].replace("model_a", "model_b")}), "확인번호와 맞지 않습니다"),
        (changed(lambda told: {"receipt": "0" * 64}), "확인번호와 맞지 않습니다"),
        (changed(lambda told: {"promise": told["promise"][:-40] + "A" * 40}), "다른 투표의 약속입니다"),
        (changed(lambda told: {"promise": ""}), "다른 투표의 약속입니다"),
    ],
    ids=["opposite", "record", "receipt", "signature", "nothing promised"],
)
def test_who_answers_otherwise_than_was_clicked_is_not_thanked(
    browser: Browser, base: str, lie: Callable[[Route], None], said: str
) -> None:
    """No thanks and no reveal but an alarm, by mouse and for a screen reader; the file with the click and the server's word stays, also when the page is opened again."""
    with visiting(browser, base) as watched:
        page = watched.page
        agree(page)
        ask(page, "안녕하세요?")
        page.route("**/vote", lie)
        page.click("#arena-vote-model_a")
        page.click("#arena-cast")
        page.wait_for_selector(".arena-alarm")
        assert page.locator(".arena-thanks, .arena-reveal").count() == 0
        assert said in page.locator(".arena-alarm li").first.inner_text()
        assert page.evaluate("document.activeElement.textContent") == "투표가 확인되지 않았습니다."
        assert "투표가 확인되지 않았습니다." in page.locator("#arena-announce").inner_text()
        assert violations(page) == []
        kept = json.loads(saved(page, ".arena-alarm a[download]").read_bytes())
        assert kept["chosen"] == "model_a"
        page.unroute("**/vote")
        page.goto(f"{base}/#{kept['battle']}")
        page.reload()
        page.wait_for_selector(".arena-alarm")
        assert page.locator(".arena-thanks").count() == 0
        assert json.loads(saved(page, ".arena-alarm a[download]").read_bytes()) == kept
        assert watched.errors == []


def test_a_broken_promise_is_told_to_anybody_who_opens_the_file(
    browser: Browser, base: str, folder: Path, tmp_path: Path
) -> None:
    """The arena's own signature on a vote that its ledger does not have: not due, then broken, with what to show to whom; a stranger's file proves nothing."""
    keys, now = Keys.open(folder, {}), datetime.now(UTC)
    record = json.dumps({"battle": "b", "stage": "test", "winner": "tie"})
    receipt = leaf_hash(record.encode())

    def file(by: datetime, signer: Keys, **other: str) -> Path:
        promise = signer.sign_whole(Promise("test", receipt, now, by).payload())
        path = tmp_path / "vote.json"
        path.write_text(json.dumps({"record": record, "receipt": receipt, "promise": promise, **other}), "utf-8")
        return path

    with visiting(browser, base) as watched:
        page = watched.page
        soon, before = now + timedelta(minutes=9), now - timedelta(seconds=1)
        assert "아직 약속한 때가" in opened_at_receipts(page, base, file(soon, keys))
        broken = opened_at_receipts(page, base, file(before, keys))
        assert "약속이 지켜지지 않았습니다" in broken
        assert "운영기관" in broken
        stranger = Keys.open(tmp_path / "stranger", {})
        assert "서명하지 않았으므로" in opened_at_receipts(page, base, file(before, stranger))
        assert "약속된 그 기록이 아니므로" in opened_at_receipts(page, base, file(before, keys, record="{}"))
        (tmp_path / "vote.json").write_text("no", "utf-8")
        assert "투표 확인서로 읽을 수 없습니다" in opened_at_receipts(page, base, tmp_path / "vote.json")
        assert watched.errors == ["Failed to load resource: the server responded with a status of 404 (Not Found)"] * 2
