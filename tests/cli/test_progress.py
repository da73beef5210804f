"""What commands show while they work: single lines in a pipe, a moving one on a terminal, nothing of it where programs read."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from arena.settings import ROOT
from tests.support.ratings_votes import frame, votes


def environment(folder: Path) -> dict[str, str]:
    """An arena of its own, in English."""
    return {**os.environ, "ARENA_DATA_DIR": str(folder), "LC_ALL": "C.UTF-8", "LANG": "C.UTF-8", "TERM": "xterm"}


def arena(folder: Path, *said: str) -> subprocess.CompletedProcess[str]:
    """A command with both its streams piped."""
    command = [sys.executable, "-m", "arena", *said]
    return subprocess.run(command, env=environment(folder), cwd=ROOT, capture_output=True, text=True, check=True)


@pytest.fixture(scope="module")
def battles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of battles."""
    file = tmp_path_factory.mktemp("progress") / "battles.csv"
    frame(votes([0.3, 0.0, -0.3], 30, 10, 1)).to_csv(file, index=False)
    return file


def test_in_a_pipe_each_command_says_one_line_beside_its_output(tmp_path: Path) -> None:
    """simulate, freeze, export, verify, publish, report, push and purge: one line on standard error, none of it on standard output."""
    out = str(tmp_path / "out")
    for said, line in (
        (("simulate", "--votes", "40"), "making SYNTHETIC votes …"),
        (("stage", "freeze", "simulated"), "freezing simulated …"),
        (("export", "simulated", "--out", out), "exporting simulated …"),
        (("verify", f"{out}/latest"), f"verifying {out}/latest …"),
        (("stage", "publish", "simulated"), "publishing simulated …"),
        (("report", "simulated", "--out", str(tmp_path / "page.html")), "making the report of simulated …"),
        (("push", "simulated"), "delivering what waits of simulated …"),
        (("purge", "simulated"), "erasing what is past its time in simulated …"),
    ):
        ran = arena(tmp_path, *said)
        told = [each for each in ran.stderr.splitlines() if "…" in each]
        assert told == [line], said
        assert "\r" not in ran.stderr + ran.stdout
        assert "\x1b" not in ran.stderr + ran.stdout
        assert " …" not in ran.stdout


def test_rating_a_file_leaves_its_json_and_its_table_clean(battles: Path) -> None:
    """The line of progress stands on standard error alone."""
    out = battles.with_name("ratings.json")
    ran = arena(battles.parent, "rate", str(battles), "--out", str(out))
    assert ran.stderr.splitlines() == ["rating battles.csv …"]
    assert " …" not in ran.stdout
    assert orjson.loads(out.read_bytes())["schema"].startswith("kai.ratings/")


def test_on_a_terminal_the_line_moves_and_goes(battles: Path) -> None:
    """With standard error on a terminal there is a moving line, which is wiped; standard output stays as in a pipe."""
    ours, theirs = pty.openpty()
    said = [sys.executable, "-m", "arena", "rate", str(battles), "--out", str(battles.with_name("again.json"))]
    with subprocess.Popen(
        said, env=environment(battles.parent), cwd=ROOT, stdout=subprocess.PIPE, stderr=theirs
    ) as ran:
        os.close(theirs)
        assert ran.stdout is not None
        printed, seen = ran.stdout.read().decode(), b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            seen += part
        os.close(ours)
    assert ran.returncode == 0
    assert b"rating battles.csv" in seen
    assert re.search(rb"\x1b\[2K", seen)
    assert "\x1b" not in printed
    assert printed == arena(battles.parent, *said[3:]).stdout
