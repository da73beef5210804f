"""The process that `make run` starts: what it prints, how it ends, and what it says when it cannot start."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from arena.settings import ROOT
from tests.support.processes import started
from tests.support.serving import stage_toml

pytestmark = [pytest.mark.http, pytest.mark.slow]


def gone(processes: list[psutil.Process], within_s: float = 15) -> bool:
    """Whether all of them ended in time; one that waits for its parent to notice counts as ended."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_it_ends_no_process_is_left(tmp_path: Path, ending: signal.Signals) -> None:
    """The embedded stage is served at the printed address; Ctrl-C and SIGTERM end it with a clean exit and nothing on the screen,
    and not even SIGKILL leaves the models' process behind."""
    with started(tmp_path) as (process, address):
        assert httpx.get(f"{address}/readyz").status_code == 200
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        process.send_signal(ending)
        output = process.communicate(timeout=30)[0]
        assert gone(children)
    if ending is not signal.SIGKILL:
        assert process.returncode in (0, -ending)
        assert "Traceback" not in output


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        (stage_toml(top="colour = 1"), "colour"),
        (stage_toml(extra={"dasom": 'temperture = "hot"'}), "temperture"),
        (stage_toml().replace("synthetic = true", "synthetic = false"), "operator.privacy_officer"),
    ],
    ids=["of the stage", "of an entrant", "of the operator"],
)
def test_a_stage_that_cannot_be_served_is_refused_by_name(tmp_path: Path, toml: str, said: str) -> None:
    """An unknown key, or a real stage that does not say who answers for it, stops the start with one sentence that names the file and the key, and exit code 1."""
    path = tmp_path / "stage.toml"
    path.write_text(toml, "utf-8")
    done = subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env={**os.environ, "ARENA_DATA_DIR": str(tmp_path), "ARENA_STAGE": str(path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "stage.toml" in done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ('headers = { X-Vendor = "H1DDEN" }', "entrants.late.headers"),
        ('api_key_env = "sk-proj-H1DDEN"', "line "),
        ('# headers = { Authorization = "Bearer H1DDEN" }', "line "),
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        ["app.py"],
        *(["-m", "arena", *words] for words in (["simulate", "--stage"], ["stage", "open"], ["stage", "check"])),
    ],
)
def test_a_stage_file_with_a_key_in_it_is_kept_nowhere(
    tmp_path: Path, command: list[str], place: str, told: str
) -> None:
    """A secret in a header, in place of a variable's name or in a comment ends the start, and any command that reads the file, with a sentence that offers
    `headers_env`; the secret is neither printed nor in the database."""
    endpoint = f'backend = "openai"\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "m"\n{place}'
    path = tmp_path / "stage.toml"
    path.write_text(
        f"{stage_toml()}\n[[entrants]]\nid = 'late'\nteam = {{ ko = '늦', en = 'Late' }}\n{endpoint}\n", "utf-8"
    )
    data_dir = tmp_path / "var"
    done = subprocess.run(
        [sys.executable, *command, *([] if command == ["app.py"] else [str(path)])],
        cwd=ROOT,
        env={**os.environ, "ARENA_DATA_DIR": str(data_dir), "ARENA_STAGE": str(path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert told in done.stderr
    assert "headers_env" in done.stderr
    assert "H1DDEN" not in done.stdout + done.stderr
    assert [f for f in data_dir.rglob("*") if f.is_file() and b"H1DDEN" in f.read_bytes()] == []


def test_a_port_in_use_is_told_before_anything_loads(tmp_path: Path) -> None:
    """Two arenas on one port: the second says which port, and what to type instead, at once."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "app.py"],
            cwd=ROOT,
            env={**os.environ, "ARENA_DATA_DIR": str(tmp_path), "PORT": port},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert f"port {port}" in done.stderr
    assert "loading" not in done.stdout
