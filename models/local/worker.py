"""The process in which transformers speak: `python -m models.local_worker FD THREADS`, started and spoken to by `models.local.client`.

Both sides write lines of JSON over one socket. The process ends the moment the socket closes, so that it never outlives its parent.

    parent → worker   load {entrant, path | hub, revision, dtype, device, template, sha256}
                      ask {id, entrant, messages, sampling} · cancel {id}
    worker → parent   loaded {entrant, sha256, context} · refused {entrant, key, detail}
                      said {answers: [[id, text, reasoning, ended]]} · failed {id, kind, detail} · alive {}
"""

import contextlib
import os
import queue
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import torch
from huggingface_hub import snapshot_download
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from models import artifacts
from models.base import Finish, Message, Sampling
from models.conversation import fit, within
from models.errors import AnswerError
from models.local.batch import Batch, Row
from models.local.cache import UnsupportedState
from models.local.prompt import PromptError, Prompts, Speech
from models.output_filter import OutputFilter, Piece

ALIVE_S = 1.0
"""A loop that turns says so at least this often while it works."""
NICENESS = 5
"""The web process goes first where both want the same core."""
MEMORY_SHARE = 0.5
"""Of the accelerator's memory that is free once the weights are loaded, for keys and values; on a CPU, half of that of all memory."""
LARGEST_SEED = (1 << 63) - 1


@dataclass(eq=False)
class Answer:
    """One answer being written: what the batch does not know of it."""

    speech: Speech
    shaper: OutputFilter
    max_tokens: int
    prompt_tokens: int
    dropped_turns: int
    made: int = 0

    def take(self, token: int, ends: set[int]) -> Piece:
        """Return what this token adds to the answer; the piece that ends it has `finish`."""
        finish: Finish | None = None
        if token in ends:
            raw, finish = self.speech.rest(), "stop"
        else:
            raw = self.speech.hear(token)
            self.made += 1
            if self.made >= self.max_tokens:
                raw, finish = raw + self.speech.rest(), "length"
        piece = self.shaper.feed(raw)
        if piece.finish or not finish:
            return piece
        last = self.shaper.end(finish)
        return Piece(piece.text + last.text, piece.reasoning + last.reasoning, last.finish)


@dataclass(eq=False)
class Speaker:
    """One entrant's model, ready to answer."""

    prompts: Prompts
    batch: Batch
    context: int
    ends: set[int]
    answers: dict[int, Answer] = field(default_factory=dict)

    def ask(self, number: int, messages: list[Message], sampling: Sampling) -> None:
        """Queue an answer.

        Raises:
            PromptError: the conversation cannot be made a prompt.
        """
        messages, dropped = fit(messages, within(sampling.context_chars))
        ids, room, dropped_too, opened = self.prompts.encode(messages, self.context, sampling.max_tokens)
        seed = int.from_bytes(os.urandom(7), "big") if sampling.seed is None else sampling.seed & LARGEST_SEED
        self.answers[number] = Answer(
            self.prompts.speech(), OutputFilter(sampling, opened=opened), room, len(ids), dropped + dropped_too
        )
        self.batch.add(Row(number, ids, room, sampling.temperature, sampling.top_p, seed))

    def cancel(self, numbers: set[int]) -> None:
        """Free these answers' places."""
        for number in numbers:
            self.answers.pop(number, None)
        self.batch.remove(numbers)

    def step(self) -> tuple[list[list[Any]], dict[int, AnswerError]]:
        """One token for every answer; gives `[id, text, reasoning, ended]` of those with something to show, and those that failed."""
        said: list[list[Any]] = []
        failed: dict[int, AnswerError] = {}
        over: set[int] = set()
        for number, token in self.batch.step():
            answer = self.answers[number]
            try:
                piece = answer.take(token, self.ends)
            except AnswerError as error:
                failed[number] = error
                continue
            ended = None
            if piece.finish:
                ended = [piece.finish, answer.prompt_tokens, answer.made, answer.dropped_turns, answer.shaper.sent]
                over.add(number)
            if piece.text or piece.reasoning or ended or answer.made == 1:  # the first token says that it has begun
                said.append([number, piece.text, piece.reasoning, ended])
        if over or failed:
            self.cancel(over | set(failed))
        return said, failed


class Worker:
    """Obeys what comes over the socket, steps every model that has something to say, and writes what they said."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.commands: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.speakers: dict[str, Speaker] = {}
        self.told = time.monotonic()

    def run(self) -> None:
        """Until the socket closes."""
        threading.Thread(target=self._listen, daemon=True).start()
        with torch.inference_mode():
            while True:
                self._obey()
                for entrant, speaker in self.speakers.items():
                    if speaker.batch.busy:
                        self._step(entrant, speaker)
                if time.monotonic() - self.told > ALIVE_S:
                    self._tell(op="alive")

    def _listen(self) -> None:
        """Hear the parent; when the parent is gone, so is this process, whatever it was doing."""
        with contextlib.suppress(OSError), self.connection.makefile("rb") as lines:
            for line in lines:
                self.commands.put(orjson.loads(line))
        os._exit(0)

    def _tell(self, **message: Any) -> None:
        self.told = time.monotonic()
        try:
            self.connection.sendall(orjson.dumps(message) + b"\n")
        except OSError:
            os._exit(0)

    def _obey(self) -> None:
        """Do what was asked; wait for it when there is nothing else to do."""
        wait = not any(speaker.batch.busy for speaker in self.speakers.values())
        while True:
            try:
                command = self.commands.get(block=wait)
            except queue.Empty:
                return
            wait = False
            match command["op"]:
                case "load":
                    self._load(command)
                case "ask":
                    self._ask(command)
                case "cancel":
                    for speaker in self.speakers.values():
                        if command["id"] in speaker.answers:
                            speaker.cancel({command["id"]})

    def _load(self, command: dict[str, Any]) -> None:
        entrant = command["entrant"]
        try:
            speaker, sha256 = load(command)
        except RefusedError as error:
            self._tell(op="refused", entrant=entrant, key=error.key, detail=str(error))
            return
        self.speakers[entrant] = speaker
        memory = _memory_bytes(speaker.batch.device) // len(self.speakers)
        for each in self.speakers.values():
            each.batch.memory_bytes = memory
        self._tell(op="loaded", entrant=entrant, sha256=sha256, context=speaker.context)

    def _ask(self, command: dict[str, Any]) -> None:
        messages = [Message(**m) for m in command["messages"]]
        sampling = Sampling(**command["sampling"])
        try:
            self.speakers[command["entrant"]].ask(command["id"], messages, sampling)
        except Exception as error:  # whatever a tokenizer or its template raises ends this answer, not this process
            self._tell(op="failed", id=command["id"], kind="refused", detail=f"{type(error).__name__}: {error}")

    def _step(self, entrant: str, speaker: Speaker) -> None:
        try:
            said, failed = speaker.step()
        except Exception as error:  # torch's errors have no common base; the other models go on
            ids = set(speaker.batch.clear()) | set(speaker.answers)
            speaker.answers.clear()
            detail = f"{entrant}: {type(error).__name__}: {error}"
            for number in ids:
                self._tell(op="failed", id=number, kind="upstream", detail=detail)
            return
        if said:
            self._tell(op="said", answers=said)
        for number, error in failed.items():
            self._tell(op="failed", id=number, kind=error.kind, detail=error.detail)


class RefusedError(Exception):
    """A model cannot be served; `key` is the specification's key to look at."""

    def __init__(self, key: str, detail: str) -> None:
        super().__init__(detail)
        self.key = key


def load(command: dict[str, Any]) -> tuple[Speaker, str]:
    """Open a model; give it with the digest of its artifacts.

    Raises:
        RefusedError: the files, the seal, the tokenizer or the architecture do not allow it.
    """
    key = "path" if command["path"] else "hub"
    try:
        folder = Path(
            command["path"]
            or snapshot_download(command["hub"], revision=command["revision"], allow_patterns=list(artifacts.PATTERNS))
        )
    except Exception as error:  # the hub's errors come from several libraries
        raise RefusedError("hub", f"{command['hub']!r} cannot be fetched: {type(error).__name__}: {error}") from error
    template = command["template"]
    sha256 = artifacts.digest(folder, template)
    if command["sha256"] not in (None, sha256):
        raise RefusedError(
            "sha256", f"the stage file says {command['sha256']}, {folder} has {sha256}: not the sealed model"
        )
    device = torch.device(command["device"])
    try:
        torch.zeros(1, device=device)
    except Exception as error:  # torch says it in many ways
        raise RefusedError("device", f"{command['device']!r} is not there: {error}") from error
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=_dtype(command["dtype"], device), local_files_only=True, use_safetensors=True
        )
        model = model.to(device).eval()
        batch = Batch(model, device, _memory_bytes(device))
        prompts = Prompts(tokenizer, template)
    except PromptError as error:
        raise RefusedError("chat_template", str(error)) from error
    except UnsupportedState as error:
        raise RefusedError(
            key,
            f"{folder} remembers more than keys and values ({error}): serve it behind an endpoint and use backend = 'openai'",
        ) from error
    except Exception as error:  # a broken file raises whatever its reader raises
        raise RefusedError(key, f"{folder} cannot be loaded: {type(error).__name__}: {error}") from error
    return Speaker(prompts, batch, _context(model, tokenizer), _ends(model, tokenizer)), sha256


def _context(model: Any, tokenizer: Any) -> int:
    """Find the longest conversation in tokens, answer included."""
    config = model.config.get_text_config()
    return min(int(getattr(config, "max_position_embeddings", None) or 4096), int(tokenizer.model_max_length))


def _ends(model: Any, tokenizer: Any) -> set[int]:
    """Every token that ends an answer: of the generation config, the config and the tokenizer."""
    ends: set[int] = set()
    for found in (model.generation_config.eos_token_id, model.config.eos_token_id, tokenizer.eos_token_id):
        ends |= set(found) if isinstance(found, list) else {found}
    return ends - {None}


def _dtype(name: str, device: torch.device) -> torch.dtype:
    """`auto`: bfloat16 where the hardware multiplies it, float32 elsewhere, where it would be slower."""
    if name != "auto":
        return getattr(torch, name)
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    flags = Path("/proc/cpuinfo")
    fast = flags.is_file() and {"avx512_bf16", "amx_bf16"} & set(flags.read_text("utf-8").split())
    return torch.bfloat16 if fast else torch.float32


def _memory_bytes(device: torch.device) -> int:
    """Find what keys and values may take on this device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0] * MEMORY_SHARE)
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * MEMORY_SHARE / 2)


def main() -> None:
    """Serve on the socket with this file descriptor, with this many threads."""
    # Ctrl-C reaches the whole process group; the parent decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(max(0, NICENESS - os.nice(0)))
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    torch.set_num_threads(int(sys.argv[2]))
    Worker(socket.socket(fileno=int(sys.argv[1]))).run()


if __name__ == "__main__":
    main()
