"""Takes the pictures of docs/tour.md and the README from the running app, so that they never go stale: `make tour`.

The stage that `make run` serves, its five embedded models, and a Chromium; nothing is drawn by hand.

"""

import io
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

from arena.domain.stage import Stage
from arena.record.keys import Keys
from arena.record.store import Store
from arena.settings import ROOT
from arena.simulate import simulate
from tests.support.browser import PHONE, agree, ask, chromium, visiting
from tests.support.serving import serving

PICTURES = ROOT / "docs" / "pictures"
COLOURS = 200
VOTES = 600
"""Simulated ones, for the console; the stage says that everything in it is invented."""
QUESTION = "층간소음으로 이웃과 다투고 있어요. 단계별로 무엇을 할 수 있나요?"


def keep(page: Page, name: str) -> None:
    """Writes one picture, small: a palette is enough for a page."""
    page.mouse.move(1, 1)
    page.wait_for_timeout(300)
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    path = PICTURES / f"{name}.png"
    shot.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes", flush=True)


def citizen(browser: Browser, base: str) -> None:
    """From the notice to the names, on a desktop."""
    with visiting(browser, base) as watched:
        page = watched.page
        page.wait_for_selector("dialog[open]")
        keep(page, "notice")
        agree(page)
        keep(page, "start")
        ask(page, QUESTION)
        page.evaluate("scrollTo(0, 0)")
        keep(page, "battle")
        page.click("#arena-vote-model_a")
        page.click("#arena-why summary")
        page.click('label:has(input[name="reason-a"][value="useful"])')
        page.click("#arena-cast")
        page.wait_for_selector(".arena-thanks")
        page.evaluate("document.querySelector('#arena-after').scrollIntoView()")
        keep(page, "thanks")


def on_a_phone(browser: Browser, base: str) -> None:
    """The same, one answer at a time, in the dark."""
    with visiting(browser, base, viewport=PHONE, color_scheme="dark", device_scale_factor=1.5) as watched:
        page = watched.page
        agree(page)
        ask(page, "감기와 독감은 증상이 어떻게 다른가요? 병원에 가야 할 때도 알려 주세요.")
        keep(page, "phone")


def organizer(browser: Browser, base: str) -> None:
    """What an organizer sees of the votes."""
    with visiting(browser, base) as watched:
        page = watched.page
        page.goto(f"{base}/organizer/login")
        page.fill("#name", "tour")
        page.fill("#password", "a long enough password")
        page.click("button[type=submit]")
        page.wait_for_selector("gradio-app h1, gradio-app .prose", timeout=30_000)
        page.wait_for_timeout(4000)
        keep(page, "console")


def prepare(data: Path) -> None:
    """An organizer, and simulated votes for the console to show."""
    store = Store(f"sqlite:///{data / 'arena.db'}")
    now = datetime.now(UTC)
    store.organizers.add("tour", "a long enough password", now)
    stage = Stage.from_toml((ROOT / "stages" / "demo.toml").read_bytes(), "demo.toml")
    simulate(store, stage, VOTES, 7, None, secret=Keys.open(data, {}).secret, ends=now)
    store.close()


def main() -> None:
    """Serves, visits, and writes the pictures."""
    PICTURES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        chromium() as browser,
        serving(Path(folder), ROOT / "stages" / "demo.toml") as base,
    ):
        prepare(Path(folder))
        citizen(browser, base)
        on_a_phone(browser, base)
        organizer(browser, base)


if __name__ == "__main__":
    main()
