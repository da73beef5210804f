"""Arenas in processes of their own, as `make run` starts them."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from arena.settings import ROOT
from tests.support.serving import free_port

Process = subprocess.Popen[str]


@contextmanager
def spawned(data_dir: Path, **environment: str) -> Iterator[Process]:
    """`python app.py` in a process group of its own, killed at the end unless it has ended; it may still be starting."""
    process = subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env={**os.environ, "ARENA_DATA_DIR": str(data_dir), "PORT": str(free_port()), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def address(process: Process) -> str:
    """The address that it prints when it can be reached; waits for it."""
    assert process.stdout is not None
    printed: list[str] = []
    for line in process.stdout:
        if found := re.match(r"ready: (http://\S+)", line):
            return found[1]
        printed.append(line)
    pytest.fail(f"no address was printed; exit code {process.wait(10)}: {''.join(printed)}")


@contextmanager
def started(data_dir: Path, **environment: str) -> Iterator[tuple[Process, str]]:
    """One process, and the address where it can be reached."""
    with spawned(data_dir, **environment) as process:
        yield process, address(process)
