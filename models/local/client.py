"""Models of this machine: transformers and torch in a process of their own, so that the web loop never waits for them."""

import asyncio
import contextlib
import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from models.base import Delta, Message, Sampling, Usage
from models.cause import Cause
from models.errors import AnswerError, RosterError
from models.progress import Step

WAITING = 256
"""Answers in the worker at once, running or queued, that anybody is invited to ask for."""
LATE = 64
"""So many more are still taken, for questions that were let in before their answers stood in line; the next one is told that we are busy."""
LOAD_S = 1800.0
STALL_S = 60.0
BACKOFF_S = (0.2, 1.0, 2.0, 5.0, 10.0, 30.0)
LINE = 1 << 22
_ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a model lies and how it is held: a folder, or a hub id with its revision."""

    path: Path | None
    hub: str | None = None
    revision: str | None = None
    dtype: str = "auto"
    device: str = "cpu"
    template: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the worker found when it loaded a model."""

    sha256: str
    context: int


class LocalModels:
    """One worker process with the models of one device, and every stream through it."""

    def __init__(
        self,
        checkpoints: Mapping[str, Checkpoint],
        *,
        threads: int | None = None,
        waiting: int = WAITING,
        stall_s: float = STALL_S,
        on_state: Callable[[bool, Cause], None] = lambda _up, _cause: None,
    ) -> None:
        """`on_state(up, cause)` hears when the process has died and when it serves again."""
        self._checkpoints = dict(checkpoints)
        self._threads = threads or max(1, (os.cpu_count() or 2) // 2)
        self._waiting = waiting
        self._stall_s = stall_s
        self._on_state = on_state
        self._numbers = itertools.count(1)
        self._streams: dict[int, asyncio.Queue[list[Any] | AnswerError]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._life: asyncio.Task[None] | None = None
        self._ready = False
        self._asked_at = 0.0
        self.loaded: dict[str, Loaded] = {}

    @property
    def pid(self) -> int | None:
        """The worker's process id, while there is one."""
        return self._process.pid if self._process else None

    @property
    def running(self) -> int:
        """Answers in the worker now, running or queued."""
        return len(self._streams)

    @property
    def room(self) -> int:
        """How many more answers may be asked for."""
        return max(0, self._waiting - len(self._streams))

    async def start(self, progress: Callable[[Step], None] = lambda _step: None) -> None:
        """Start the process and load every model.

        Raises:
            RosterError: a checkpoint cannot be loaded.
        """
        try:
            reader = await self._spawn(progress)
        except BaseException:
            await self._end()
            raise
        self._life = asyncio.create_task(self._live(reader))

    async def close(self) -> None:
        """End the process; running answers fail."""
        if self._life:
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)
        self._fail_all("the arena is closing")
        await self._end()

    async def stream(self, entrant: str, messages: Sequence[Message], sampling: Sampling) -> AsyncGenerator[Delta]:
        """One answer of one model.

        Raises:
            AnswerError: busy, crashed, or the model failed.
        """
        if not self._ready:
            raise AnswerError("crashed", "the worker process is being restarted")
        if len(self._streams) >= self._waiting + LATE:
            raise AnswerError("busy", f"{len(self._streams)} answers are running or queued", retry_after_s=5)
        number = next(self._numbers)
        if not self._streams:
            self._asked_at = time.monotonic()
        inbox: asyncio.Queue[list[Any] | AnswerError] = asyncio.Queue()  # bounded by the answer's own bounds
        self._streams[number] = inbox
        over = False
        try:
            self._send(op="ask", id=number, entrant=entrant, messages=messages, sampling=sampling)
            while not over:
                said = await inbox.get()
                if isinstance(said, AnswerError):
                    over = True
                    raise said
                _, text, reasoning, ended = said
                if ended is None:
                    yield Delta(text, reasoning)
                else:
                    over = True
                    finish, prompt_tokens, completion_tokens, dropped_turns, sent = ended
                    usage = Usage(prompt_tokens, completion_tokens)
                    yield Delta(text, reasoning, usage, dropped_turns, finish, sent)
        finally:
            del self._streams[number]
            if not over:
                self._send(op="cancel", id=number)

    def _send(self, **message: Any) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(orjson.dumps(message) + b"\n")

    async def _spawn(self, progress: Callable[[Step], None]) -> asyncio.StreamReader:
        ours, theirs = socket.socketpair()
        fd = theirs.fileno()
        with theirs:
            self._process = await asyncio.to_thread(
                subprocess.Popen,
                [sys.executable, "-m", "models.local.worker", str(fd), str(self._threads)],
                pass_fds=(fd,),
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "OMP_NUM_THREADS": str(self._threads), "TOKENIZERS_PARALLELISM": "false"},
            )
        reader, self._writer = await asyncio.open_unix_connection(sock=ours, limit=LINE)
        for entrant, at in self._checkpoints.items():
            self._send(op="load", entrant=entrant, **_spelled(at))
        async with asyncio.timeout(LOAD_S):
            for n, entrant in enumerate(self._checkpoints, start=1):
                said = await self._loading(reader, entrant)
                if said["op"] == "refused":
                    raise RosterError(f"entrants.{said['entrant']}.{said['key']}: {said['detail']}")
                self.loaded[entrant] = Loaded(said["sha256"], said["context"])
                progress(Step("loaded", entrant=entrant, n=n, of=len(self._checkpoints)))
        self._ready = True
        return reader

    async def _loading(self, reader: asyncio.StreamReader, entrant: str) -> dict[str, Any]:
        while line := await reader.readline():
            said = orjson.loads(line)
            if said["op"] != "alive":
                return said
        code = await self._end()
        raise RosterError(f"entrants.{entrant}: the worker process ended while loading it ({_died_of(code)})")

    async def _live(self, reader: asyncio.StreamReader) -> None:
        """Hand out what the worker says; when it dies, running answers fail and a new one is started."""
        attempt = 0
        while True:
            spoke, silent_s = await self._hear(reader)
            self._ready = False
            code = await self._end()
            cause = _died_of(code) if silent_s is None else Cause("worker_silent", seconds=round(silent_s))
            self._on_state(False, cause)
            self._fail_all(str(cause))
            attempt = 0 if spoke else attempt + 1
            while not self._ready:
                await asyncio.sleep(BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)])
                try:
                    reader = await self._spawn(lambda _line: None)
                except (RosterError, OSError, TimeoutError):
                    attempt += 1
                    await self._end()
            self._on_state(True, Cause("worker_back"))

    async def _hear(self, reader: asyncio.StreamReader) -> tuple[bool, float | None]:
        """Listen until the worker ends, or has been silent for too long; give whether it said anything, and that silence in seconds."""
        spoke, heard_at = False, time.monotonic()
        while True:
            try:
                async with asyncio.timeout(self._stall_s):
                    line = await reader.readline()
            except TimeoutError:
                waited = time.monotonic() - max(heard_at, self._asked_at)
                if self._streams and waited >= self._stall_s:
                    return spoke, waited
                continue
            except (OSError, ValueError):
                return spoke, None
            if not line:
                return spoke, None
            spoke, heard_at = True, time.monotonic()
            said = orjson.loads(line)
            match said["op"]:
                case "said":
                    for answer in said["answers"]:
                        if inbox := self._streams.get(answer[0]):
                            inbox.put_nowait(answer)
                case "failed":
                    if inbox := self._streams.get(said["id"]):
                        inbox.put_nowait(AnswerError(said["kind"], said["detail"]))

    def _fail_all(self, reason: str) -> None:
        for inbox in self._streams.values():
            inbox.put_nowait(AnswerError("crashed", reason))

    async def _end(self) -> int | None:
        """End the process and reap it; give its exit code."""
        self._ready = False
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()
            self._writer = None
        if (process := self._process) is None:
            return None
        self._process = None
        # The closed socket has ended it, unless it hangs or is still being started: nothing of it is worth waiting for.
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        return await asyncio.to_thread(process.wait)


@dataclass(frozen=True, slots=True)
class LocalModel:
    """One model of a worker."""

    models: LocalModels
    entrant: str

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> AsyncGenerator[Delta]:
        """Give the answer as it is made."""
        return self.models.stream(self.entrant, messages, sampling)


def _spelled(at: Checkpoint) -> dict[str, Any]:
    return {
        "path": str(at.path) if at.path else None,
        "hub": at.hub,
        "revision": at.revision,
        "dtype": at.dtype,
        "device": at.device,
        "template": at.template,
        "sha256": at.sha256,
    }


def _died_of(code: int | None) -> Cause:
    if code is not None and code < 0:
        return Cause("worker_killed", signal=-code)
    return Cause("worker_exited", exit_code=code)
