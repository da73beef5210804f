"""What the citizen's page costs a cheap phone: bytes on a first and a second visit, shifts of the layout, and long tasks while two
answers of 8,000 characters stream on a processor four times slower.

    python benchmarks/page.py

A browser of its own, one run of each; the models are scripted, so nothing but the page is measured.
"""

import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page

from tests.support.browser import PHONE, agree, chromium, vote
from tests.support.serving import serving, stage_toml

CHARACTERS = 8000
SLOWER = 4
LONG_MS = 50
PARAGRAPH = "두 답변을 나란히 놓고 천천히 읽어 보면 어느 쪽이 더 나은지 알 수 있습니다. **굵은 글씨**와 `코드`가 섞여 있어요.\n\n"
BLOCKS = (
    "### 제목\n\n"
    + PARAGRAPH * 3
    + "- 하나\n- 둘\n\n```python\nprint('안녕하세요')\n```\n\n| 도시 | 인구 |\n|---|---:|\n| 서울 | 940만 |\n\n"
)
BUDGET = {"cold": 350_000, "warm": 40_000, "usable": 2.0, "shift": 0.02, "long": 1.0}
FAST_3G = {"offline": False, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 0.75e6 / 8, "latency": 150}

WATCH = """
window.shift = 0; window.long = [];
new PerformanceObserver((list) => list.getEntries().forEach((e) => { if (!e.hadRecentInput) window.shift += e.value; }))
  .observe({ type: "layout-shift", buffered: true });
new PerformanceObserver((list) => list.getEntries().forEach((e) => window.long.push(e.duration))).observe({ type: "longtask", buffered: true });
"""


class Wire:
    """Counts what comes over the wire, by kind."""

    def __init__(self, session: CDPSession) -> None:
        self.bytes: dict[str, int] = {}
        self.requests = 0
        self._url: dict[str, str] = {}
        session.send("Network.enable")
        session.on("Network.responseReceived", self._received)
        session.on("Network.loadingFinished", self._finished)

    def _received(self, event: dict[str, Any]) -> None:
        if not event["response"].get("fromDiskCache"):
            self._url[event["requestId"]] = event["response"]["url"]

    def _finished(self, event: dict[str, Any]) -> None:
        url = self._url.get(event["requestId"], "")
        size = int(event["encodedDataLength"])
        if not url or not size:
            return
        self.requests += 1
        kind = (
            "font" if ".woff2" in url else "ours" if "/arena-assets/" in url else "api" if "/api/" in url else "Gradio"
        )
        self.bytes[kind] = self.bytes.get(kind, 0) + size

    @property
    def total(self) -> int:
        """All of it."""
        return sum(self.bytes.values())

    def take(self) -> str:
        """What was counted, and begins anew."""
        kinds = ", ".join(f"{kind} {size:,}" for kind, size in sorted(self.bytes.items()))
        said = f"{self.total:,} bytes in {self.requests} requests ({kinds})"
        self.bytes, self.requests = {}, 0
        return said


def busiest(trace: Path) -> list[float]:
    """The processor time of the page's main thread, task by task, in milliseconds: other processes do not count in it."""
    events = json.loads(trace.read_text("utf-8"))["traceEvents"]
    mains = {
        (e["pid"], e["tid"]) for e in events if e.get("name") == "thread_name" and e["args"]["name"] == "CrRendererMain"
    }
    return [
        e.get("tdur", 0) / 1000
        for e in events
        if e.get("name") == "RunTask" and (e["pid"], e["tid"]) in mains and "dur" in e
    ]


def answered(page: Page) -> None:
    """Both answers are there. Looked at twice a second: Playwright's own waiting would be work on every frame."""
    deadline = time.monotonic() + 180
    while not page.evaluate("!document.getElementById('arena-vote-tie').disabled"):
        if time.monotonic() > deadline:
            raise TimeoutError("no answers after three minutes")
        page.wait_for_timeout(500)


def usable(browser: Browser, base: str) -> float:
    """Seconds until a first visitor's question box works, on a phone four times slower and a fast 3G line (1.6 Mbit/s, 150 ms); median of five."""
    took = []
    for _ in range(5):
        profile = browser.new_context(locale="ko-KR", viewport=PHONE)  # type: ignore[arg-type]
        page = profile.new_page()
        session = profile.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.emulateNetworkConditions", FAST_3G)
        session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        began = time.monotonic()
        page.goto(base, wait_until="commit")
        page.wait_for_selector("body[data-arena=ready]")
        took.append(time.monotonic() - began)
        profile.close()
    return statistics.median(took)


def asking(page: Page) -> None:
    """Asks for two long answers and waits for their ends."""
    page.fill("#arena-prompt", "길게 답해 줘")
    page.press("#arena-prompt", "Enter")
    page.wait_for_timeout(1000)
    answered(page)


def settled(page: Page) -> None:
    """The page is ready and quiet."""
    page.wait_for_selector("body[data-arena=ready]")
    page.wait_for_load_state("networkidle")


def main() -> None:
    """Measures and prints; says what is over its budget."""
    text = (BLOCKS * (CHARACTERS // len(BLOCKS) + 1))[:CHARACTERS]
    toml = stage_toml(protocol=f"answer_chars = {CHARACTERS}\nanswer_tokens = {CHARACTERS * 2}")
    for line in [line for line in toml.splitlines() if line.startswith("answers = ")]:
        toml = toml.replace(line, f"answers = ['''{text}''']")
    over: list[str] = []

    def within(name: str, value: float) -> None:
        if value > BUDGET[name]:
            over.append(f"{name}: {value:g} is over {BUDGET[name]:g}")

    with (
        tempfile.TemporaryDirectory() as folder,
        chromium() as browser,
        serving(Path(folder), toml) as base,
    ):
        seconds = usable(browser, base)
        within("usable", seconds)
        print(
            f"phone: the question box works after {seconds:.2f} s at {SLOWER} x and fast 3G, median of five", flush=True
        )
        for name, viewport in (("desktop", {"width": 1280, "height": 800}), ("phone", PHONE)):
            profile = browser.new_context(locale="ko-KR", viewport=viewport)  # type: ignore[arg-type]
            page = profile.new_page()
            page.add_init_script(WATCH)
            session = profile.new_cdp_session(page)
            wire = Wire(session)
            page.goto(base)
            settled(page)
            within("cold", wire.total)
            print(f"{name}: cold {wire.take()}", flush=True)
            agree(page)
            page.reload()
            settled(page)
            within("warm", wire.total)
            print(f"{name}: warm {wire.take()}", flush=True)
            session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
            page.evaluate("window.long.length = 0")
            asking(page)
            session.send("Emulation.setCPUThrottlingRate", {"rate": 1})
            tasks = [float(d) for d in page.evaluate("window.long")]
            shift = float(page.evaluate("window.shift"))
            vote(page, "tie")
            page.click(".arena-next")
            trace = Path(folder) / "trace.json"
            browser.start_tracing(page=page, path=trace, categories=["disabled-by-default-devtools.timeline"])
            asking(page)
            browser.stop_tracing()
            own = [task * SLOWER for task in busiest(trace) if task * SLOWER > LONG_MS]
            within("shift", shift)
            within("long", sum(own) / 1000)
            load = os.getloadavg()[0] / (os.cpu_count() or 1)
            print(
                f"{name}: two answers of {CHARACTERS:,} characters at {SLOWER} x: layout shift {shift:.3f}; long tasks {sum(own) / 1000:.2f} s "
                f"by the page's own processor time x {SLOWER} ({len(own)} of them), {sum(tasks) / 1000:.2f} s by the clock "
                f"({len(tasks)}; this machine's load was {load:.1f} per core)",
                flush=True,
            )
            profile.close()
    print("within every budget" if not over else "\n".join(over))


if __name__ == "__main__":
    main()
