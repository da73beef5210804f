"""Models of this machine: transformers and torch in a process of their own, so that the web loop never waits for them."""

import asyncio
import contextlib
import itertools
import os
import socket
import sys
from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from models.base import Delta, Message, Sampling, Usage
from models.errors import AnswerError, RosterError

WAITING = 256
LOAD_S = 300
BACKOFF_S = (0.5, 1, 2, 5, 10, 30)
LINE = 1 << 20
_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a model lies and how it is held."""

    path: Path
    dtype: str = "bfloat16"
    device: str = "cpu"


class LocalModels:
    """The worker process and every stream through it."""

    def __init__(self, checkpoints: dict[str, Checkpoint], threads: int | None = None) -> None:
        self._checkpoints = checkpoints
        self._threads = threads or max(1, (os.cpu_count() or 2) // 2)
        self._numbers = itertools.count(1)
        self._streams: dict[int, asyncio.Queue[dict[str, Any]]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._life: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._loaded: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def start(self) -> None:
        """Starts the process and loads every model.

        Raises:
            RosterError: a checkpoint cannot be loaded.
        """
        reader = await self._spawn()
        self._life = asyncio.create_task(self._live(reader))

    async def close(self) -> None:
        """Ends the process."""
        if self._life:
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)
        await self._end()

    def stream_of(self, model: str) -> "LocalModel":
        """The model with this name."""
        return LocalModel(self, model)

    async def stream(self, model: str, messages: Sequence[Message], sampling: Sampling) -> AsyncGenerator[Delta]:
        """One answer of one model."""
        if len(self._streams) >= WAITING:
            raise AnswerError("busy", "the local worker's queue is full")
        if not self._ready.is_set() or self._writer is None:
            raise AnswerError("crashed", "the local worker is being restarted")
        number = next(self._numbers)
        inbox = self._streams[number] = asyncio.Queue()
        ended = False
        try:
            self._send(
                op="ask", id=number, model=model, messages=[asdict(m) for m in messages], sampling=asdict(sampling)
            )
            while True:
                match await inbox.get():
                    case {"op": "text", "text": text}:
                        yield Delta(text=text)
                    case {"op": "end"} as end:
                        ended = True
                        usage = Usage(end["prompt_tokens"], end["completion_tokens"])
                        yield Delta(usage=usage, dropped_turns=end["dropped_turns"], finish=end["finish"])
                        return
                    case {"op": "error"} as error:
                        ended = True
                        raise AnswerError(error["kind"], error["detail"])
        finally:
            del self._streams[number]
            if not ended:
                self._send(op="cancel", id=number)

    def _send(self, **message: Any) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(orjson.dumps(message) + b"\n")

    async def _spawn(self) -> asyncio.StreamReader:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "models.local_worker",
                str(theirs.fileno()),
                str(self._threads),
                pass_fds=(theirs.fileno(),),
                cwd=_ROOT,
            )
        reader, self._writer = await asyncio.open_unix_connection(sock=ours, limit=LINE)
        for model, at in self._checkpoints.items():
            self._send(op="load", model=model, path=str(at.path), dtype=at.dtype, device=at.device)
        async with asyncio.timeout(LOAD_S):
            for _ in self._checkpoints:
                line = await reader.readline()
                said = orjson.loads(line) if line else {"op": "refused", "model": "?", "detail": "the worker died"}
                if said["op"] == "refused":
                    await self._end()
                    raise RosterError(f"entrants.{said['model']}.path: cannot be loaded: {said['detail']}")
        self._ready.set()
        return reader

    async def _live(self, reader: asyncio.StreamReader) -> None:
        """Hands out what the worker says; when it dies, running answers fail and a new one is started."""
        for attempt in itertools.count():
            with contextlib.suppress(OSError, ValueError):
                while line := await reader.readline():
                    said = orjson.loads(line)
                    if inbox := self._streams.get(said["id"]):
                        inbox.put_nowait(said)
                    attempt = 0
            self._ready.clear()
            for inbox in self._streams.values():
                inbox.put_nowait({"op": "error", "kind": "crashed", "detail": "the local worker died"})
            await self._end()
            while True:
                await asyncio.sleep(BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)])
                try:
                    reader = await self._spawn()
                except (RosterError, OSError, TimeoutError):
                    attempt += 1
                else:
                    break

    async def _end(self) -> None:
        self._ready.clear()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            self._process = None


@dataclass(frozen=True, slots=True)
class LocalModel:
    """One model of the worker."""

    models: LocalModels
    name: str

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> AsyncGenerator[Delta]:
        """The answer as it is made."""
        return self.models.stream(self.name, messages, sampling)
