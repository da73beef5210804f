"""Servers that teams may run, in processes and environments of their own, before models without weights; none reaches further than this machine."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from models.base import Sampling
from tests.support.serving import free_port

ROOT = Path(__file__).resolve().parents[2]
KEY_ENV, KEY = "LITELLM_TEST_KEY", "sk-only-for-this-test"
STARTS_S = 180.0
OFFLINE = {
    "http_proxy": "http://127.0.0.1:9",  # nobody listens there: whoever phones home is refused at once
    "https_proxy": "http://127.0.0.1:9",
    "no_proxy": "127.0.0.1,localhost",
    "HF_HUB_OFFLINE": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_TELEMETRY": "False",
    "DO_NOT_TRACK": "1",
}


def python_of(name: str) -> Path:
    """The Python of a server's own environment.

    Raises:
        FileNotFoundError: it was not built.
    """
    path = ROOT / "build/servers" / name / "bin/python"
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there: make build/servers/{name}.stamp (make test does)")
    return path


class Running:
    """A program that serves, with the processes it starts: it can die and come back."""

    def __init__(self, command: Sequence[str | Path], url: str, folder: Path, **env: str) -> None:
        """`url`: says 200 when it serves. `folder`: its home and its log."""
        self._command = command
        self._url = url
        self._log = folder / f"{urlsplit(url).port}.log"
        self._env = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", **OFFLINE, **env}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, and waits until it serves.

        Raises:
            RuntimeError: it ended, or does not answer in time; with the end of its log.
        """
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, env=self._env, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + STARTS_S
        with httpx.Client(timeout=5, trust_env=False) as client:
            while not self._serves(client):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    told = self._log.read_text("utf-8", "replace")[-3000:]
                    raise RuntimeError(f"{self._command} does not serve:\n{told}")
                time.sleep(0.05)

    def _serves(self, client: httpx.Client) -> bool:
        try:
            return client.get(self._url).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        """Ends it and whatever it has started, at once."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


@dataclass(frozen=True)
class Served:
    """A server that answers, and how its models are told what to do."""

    base_url: str
    answering: Running
    """What dies when the model dies."""
    broken: tuple[str, ...]
    """Models that fail after their first words."""
    slow: str
    """A model that takes more than two seconds."""
    cut: tuple[str, Sampling]
    """A model, and the bounds that cut its answer."""
    keys: Mapping[str, str] = field(default_factory=dict)
    worker: Callable[[], int] | None = None
    """The process of a worker that the server itself starts again."""

    def entrant(self, model: str, **more: str) -> dict[str, object]:
        """The keys of a stage file."""
        return {"backend": "openai", "base_url": self.base_url, "model": model, **self.keys, **more}


@contextlib.contextmanager
def _all(*programs: Running) -> Iterator[None]:
    """Serves until the block ends."""
    try:
        for program in programs:
            program.start()
        yield
    finally:
        for program in programs:
            program.kill()


@contextlib.contextmanager
def fastchat(folder: Path) -> Iterator[Served]:
    """FastChat: its controller, its openai_api_server, and a worker of ours."""
    python = python_of("fastchat")
    controller_port, port, worker_port = free_port(), free_port(), free_port()
    here, at = ("--host", "127.0.0.1"), f"http://127.0.0.1:{controller_port}"
    controller = Running(
        [python, "-m", "fastchat.serve.controller", *here, "--port", str(controller_port)],
        f"{at}/test_connection",
        folder,
        LOGDIR="",
    )
    serve = [python, "-m", "fastchat.serve.openai_api_server", *here, "--port", str(port), "--controller-address", at]
    server = Running(serve, f"http://127.0.0.1:{port}/v1/models", folder, LOGDIR="")
    worker = Running(
        [python, "-m", "tests.servers.fastchat_worker", str(worker_port), str(controller_port)],
        f"http://127.0.0.1:{worker_port}/openapi.json",
        folder,
        LOGDIR="",
    )
    with _all(controller, server, worker):
        yield Served(
            f"http://127.0.0.1:{port}/v1", worker, ("raises", "breaks"), "slow", ("plain", Sampling(max_tokens=8))
        )


@contextlib.contextmanager
def litellm(folder: Path) -> Iterator[Served]:
    """The LiteLLM proxy before `tests.support.model_endpoint`."""
    program = python_of("litellm").with_name("litellm")
    port, backend_port = free_port(), free_port()
    backend = Running(
        [sys.executable, "-m", "tests.support.model_endpoint", str(backend_port)],
        f"http://127.0.0.1:{backend_port}/",
        folder,
    )
    proxy = Running(
        [program, "--config", "tests/servers/litellm.yaml", "--host", "127.0.0.1", "--port", str(port)],
        f"http://127.0.0.1:{port}/health/liveliness",
        folder,
        BACKEND=f"http://127.0.0.1:{backend_port}/v1",
        LITELLM_MASTER_KEY=KEY,
    )
    with _all(backend, proxy):
        yield Served(
            f"http://127.0.0.1:{port}/v1",
            backend,
            ("error-in-stream", "cut", "half", "no-finish"),
            "rate-20",
            ("length", Sampling()),
            {"api_key_env": KEY_ENV},
        )


@contextlib.contextmanager
def litserve(folder: Path) -> Iterator[Served]:
    """LitServe with its OpenAISpec, which has no word but stop for an answer that its model has cut: the arena's own bound cuts here."""
    port, pid = free_port(), folder / "worker.pid"
    server = Running(
        [python_of("litserve"), "-m", "tests.servers.litserve_app", str(port), pid],
        f"http://127.0.0.1:{port}/health",
        folder,
    )
    with _all(server):
        yield Served(
            f"http://127.0.0.1:{port}/v1",
            server,
            ("raises",),
            "slow",
            ("plain", Sampling(max_chars=8)),
            worker=lambda: int(pid.read_text("utf-8")),
        )
