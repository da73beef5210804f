"""The process in which transformers speak: many streams of many models, joined into one padded batch per model at every step.

It talks with `models.local` by lines of JSON over one socket. A prompt joins the batch of its model at any step and leaves it the moment
it ends; a closed socket ends the process, so that it never outlives its parent.
"""

import contextlib
import json
import queue
import signal
import socket
import sys
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import torch
from tokenizers.decoders import DecodeStream
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache
from transformers.utils import logging as transformers_logging

MAX_BATCH = 64
PENDING_TOKENS = 16
"""A byte sequence that has not become a character by then never will: it is shown as it is."""


@dataclass
class Request:
    """One answer being written."""

    id: int
    ids: list[int]
    temperature: float
    top_p: float
    max_tokens: int
    max_chars: int
    stop: tuple[str, ...]
    dropped_turns: int
    generator: torch.Generator | None
    stream: DecodeStream
    prompt_tokens: int
    made: int = 0
    shown: int = 0
    held: str = ""
    silent: list[int] = field(default_factory=list)


class Speaker:
    """One model with its batch: keys and values of every running answer, padded on the left to one length."""

    def __init__(self, path: str, dtype: str, device: str, attend: int | None = None) -> None:
        self.tokenizer: Any = AutoTokenizer.from_pretrained(path, local_files_only=True)
        self.model: Any = AutoModelForCausalLM.from_pretrained(path, dtype=getattr(torch, dtype), local_files_only=True)
        self.model = self.model.to(device).eval()
        self.device = device
        config = self.model.config.get_text_config()
        self.context: int = attend or int(getattr(config, "max_position_embeddings", 4096))
        eos = self.model.generation_config.eos_token_id
        self.eos = set(eos if isinstance(eos, list) else [eos]) | {self.tokenizer.eos_token_id}
        self.special = sorted((t for t in self.tokenizer.all_special_tokens), key=len, reverse=True)
        self.waiting: deque[Request] = deque()
        self.running: list[Request] = []
        self.layers: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.mask = torch.zeros(0, 0, dtype=torch.long, device=device)
        self.last: list[int] = []

    def encode(self, messages: list[dict[str, str]], room: int, context_chars: int) -> tuple[list[int], int]:
        """The prompt's tokens; the oldest turns are dropped until `room` more tokens fit. Returns tokens and turns dropped."""
        messages = [{**m, "content": self._neutral(m["content"])} for m in messages]
        system = [m for m in messages if m["role"] == "system"]
        turns = [m for m in messages if m["role"] != "system"]
        dropped = 0
        while True:
            ids = self._template(system, turns)
            fits = len(ids) + room <= self.context and sum(len(m["content"]) for m in turns) <= context_chars
            if fits or len(turns) <= 1:
                return ids[-max(1, self.context - room) :], dropped
            turns = turns[2:] if len(turns) > 2 and turns[1]["role"] == "assistant" else turns[1:]
            dropped += 1

    def _template(self, system: list[dict[str, str]], turns: list[dict[str, str]]) -> list[int]:
        try:
            return list(self.tokenizer.apply_chat_template([*system, *turns], add_generation_prompt=True)["input_ids"])
        except Exception:
            if not system:
                raise
        # A template without a system role: its words go before the first question.
        first = {**turns[0], "content": f"{system[0]['content']}\n\n{turns[0]['content']}"}
        return list(self.tokenizer.apply_chat_template([first, *turns[1:]], add_generation_prompt=True)["input_ids"])

    def _neutral(self, text: str) -> str:
        """What a citizen types never becomes a control token."""
        for token in self.special:
            text = text.replace(token, token[0] + "\u200b" + token[1:])
        return text

    def admit(self) -> None:
        """Lets waiting prompts join the batch."""
        while self.waiting and len(self.running) < MAX_BATCH:
            request = self.waiting.popleft()
            ids = torch.tensor([request.ids[:-1] or request.ids], device=self.device)
            cache = DynamicCache(config=self.model.config)
            if len(request.ids) > 1:
                self.model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
                joined = _held(cache)
            else:
                joined = []
            self._join(joined, len(request.ids) - 1)
            self.running.append(request)
            self.last.append(request.ids[-1])

    def _join(self, joined: list[tuple[torch.Tensor, torch.Tensor]], length: int) -> None:
        width = max(self.mask.shape[1], length)

        def padded(x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.pad(x, (0, 0, width - x.shape[2], 0))

        if self.running:
            self.layers = [
                (torch.cat([padded(k), padded(jk)]), torch.cat([padded(v), padded(jv)]))
                for (k, v), (jk, jv) in zip(self.layers, joined, strict=True)
            ]
            old = torch.nn.functional.pad(self.mask, (width - self.mask.shape[1], 0))
        else:
            self.layers = [(k, v) for k, v in joined]
            old = torch.zeros(0, width, dtype=torch.long, device=self.device)
        row = torch.zeros(1, width, dtype=torch.long, device=self.device)
        row[0, width - length :] = 1
        self.mask = torch.cat([old, row])

    def leave(self, places: list[int]) -> None:
        """Takes finished answers out of the batch, and the padding that nobody needs any more."""
        keep = [i for i in range(len(self.running)) if i not in set(places)]
        self.running = [self.running[i] for i in keep]
        self.last = [self.last[i] for i in keep]
        if not keep:
            self.layers, self.mask = [], self.mask[:0, :0]
            return
        index = torch.tensor(keep, device=self.device)
        mask = self.mask.index_select(0, index)
        start = int(mask.any(0).int().argmax())
        self.mask = mask[:, start:]
        self.layers = [
            (k.index_select(0, index)[:, :, start:], v.index_select(0, index)[:, :, start:]) for k, v in self.layers
        ]

    def step(self) -> list[int]:
        """One token for every running answer."""
        ids = torch.tensor([[t] for t in self.last], device=self.device)
        position = self.mask.sum(1, keepdim=True)
        self.mask = torch.nn.functional.pad(self.mask, (0, 1), value=1)
        cache = DynamicCache(config=self.model.config)
        for i, (k, v) in enumerate(self.layers):
            cache.update(k, v, i)
        out = self.model(
            input_ids=ids, attention_mask=self.mask, position_ids=position, past_key_values=cache, use_cache=True
        )
        self.layers = _held(cache)
        return self._sample(out.logits[:, -1].float())

    def _sample(self, logits: torch.Tensor) -> list[int]:
        chosen = logits.argmax(-1)
        for i, request in enumerate(self.running):
            if request.temperature <= 0:
                continue
            p = torch.softmax(logits[i] / request.temperature, -1)
            p, order = p.sort(descending=True)
            p[p.cumsum(0) - p > request.top_p] = 0
            chosen[i] = order[torch.multinomial(p, 1, generator=request.generator)[0]]
        return chosen.tolist()

    def take(self, request: Request, token: int) -> tuple[str, str | None]:
        """The text a token adds, and how the answer ends with it, if it does."""
        if token in self.eos:
            return self._flush(request), "stop"
        request.made += 1
        request.silent.append(token)
        piece = request.stream.step(self.tokenizer.backend_tokenizer, token)
        if piece is None and len(request.silent) >= PENDING_TOKENS:
            piece = self._tail(request)
        if piece is not None:
            request.silent.clear()
        text, end = _bounded(request, request.held + (piece or ""))
        if end is None and request.made >= request.max_tokens:
            return text + self._flush(request), "length"
        return text, end

    def _flush(self, request: Request) -> str:
        text, _ = _bounded(request, request.held + self._tail(request), last=True)
        return text

    def _tail(self, request: Request) -> str:
        tail = self.tokenizer.decode(request.silent, skip_special_tokens=True) if request.silent else ""
        request.silent.clear()
        request.stream = DecodeStream(skip_special_tokens=True)
        return tail.replace("\ufffd", "")


def _held(cache: Any) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [(layer.keys, layer.values) for layer in cache.layers]


def _bounded(request: Request, text: str, *, last: bool = False) -> tuple[str, str | None]:
    """Cuts at a stop string or at the limit in characters; holds back what may become a stop string."""
    request.held = ""
    end: str | None = None
    cut = min((i for s in request.stop if (i := text.find(s)) >= 0), default=-1)
    if cut >= 0:
        text, end = text[:cut], "stop"
    elif not last:
        for n in range(min(len(text), max((len(s) for s in request.stop), default=1) - 1), 0, -1):
            if any(s.startswith(text[-n:]) for s in request.stop):
                text, request.held = text[:-n], text[-n:]
                break
    room = request.max_chars - request.shown
    if len(text) >= room:
        text, end = text[:room], "length"
    request.shown += len(text)
    return text, end


class Worker:
    """Reads requests from the socket, steps every model that has something to say, and writes what they said."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.commands: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.speakers: dict[str, Speaker] = {}
        self.open = True

    def run(self) -> None:
        """Until the socket closes."""
        threading.Thread(target=self._listen, daemon=True).start()
        with torch.inference_mode():
            while self.open:
                busy = any(s.running or s.waiting for s in self.speakers.values())
                self._obey(wait=not busy)
                for speaker in self.speakers.values():
                    self._advance(speaker)

    def _listen(self) -> None:
        with contextlib.suppress(OSError), self.connection.makefile("rb") as lines:
            for line in lines:
                self.commands.put(json.loads(line))
        self.commands.put(None)

    def _tell(self, **message: Any) -> None:
        try:
            self.connection.sendall(json.dumps(message, ensure_ascii=False).encode("utf-8") + b"\n")
        except OSError:
            self.open = False

    def _obey(self, *, wait: bool) -> None:
        while self.open:
            try:
                command = self.commands.get(block=wait)
            except queue.Empty:
                return
            wait = False
            match command:
                case None:
                    self.open = False
                case {"op": "load"}:
                    self._load(command)
                case {"op": "ask"}:
                    self._ask(command)
                case {"op": "cancel", "id": number}:
                    for speaker in self.speakers.values():
                        speaker.waiting = deque(r for r in speaker.waiting if r.id != number)
                        speaker.leave([i for i, r in enumerate(speaker.running) if r.id == number])

    def _load(self, command: dict[str, Any]) -> None:
        try:
            speaker = Speaker(command["path"], command["dtype"], command["device"])
        except Exception as error:
            self._tell(op="refused", model=command["model"], detail=f"{type(error).__name__}: {error}")
        else:
            self.speakers[command["model"]] = speaker
            self._tell(op="loaded", model=command["model"])

    def _ask(self, command: dict[str, Any]) -> None:
        sampling, speaker = command["sampling"], self.speakers[command["model"]]
        try:
            room = min(sampling["max_tokens"], speaker.context // 2)
            ids, dropped = speaker.encode(command["messages"], room, sampling["context_chars"])
            generator = None
            if sampling["seed"] is not None:
                generator = torch.Generator(speaker.device).manual_seed(sampling["seed"])
            speaker.waiting.append(
                Request(
                    id=command["id"],
                    ids=ids,
                    temperature=sampling["temperature"],
                    top_p=sampling["top_p"],
                    max_tokens=room,
                    max_chars=sampling["max_chars"],
                    stop=tuple(sampling["stop"]),
                    dropped_turns=dropped,
                    generator=generator,
                    stream=DecodeStream(skip_special_tokens=True),
                    prompt_tokens=len(ids),
                )
            )
        except Exception as error:
            self._tell(op="error", id=command["id"], kind="upstream", detail=f"{type(error).__name__}: {error}")

    def _advance(self, speaker: Speaker) -> None:
        if not (speaker.running or speaker.waiting):
            return
        try:
            speaker.admit()
            tokens = speaker.step()
        except Exception as error:
            for request in [*speaker.running, *speaker.waiting]:
                self._tell(op="error", id=request.id, kind="upstream", detail=f"{type(error).__name__}: {error}")
            speaker.waiting.clear()
            speaker.leave(list(range(len(speaker.running))))
            return
        speaker.last = tokens
        ended = []
        for i, (request, token) in enumerate(zip(speaker.running, tokens, strict=True)):
            text, end = speaker.take(request, token)
            if text:
                self._tell(op="text", id=request.id, text=text)
            if end:
                ended.append(i)
                self._tell(
                    op="end",
                    id=request.id,
                    finish=end,
                    prompt_tokens=request.prompt_tokens,
                    completion_tokens=request.made,
                    dropped_turns=request.dropped_turns,
                )
        if ended:
            speaker.leave(ended)


def main() -> None:
    """`python -m models.local_worker FD THREADS`."""
    # Ctrl-C reaches the whole process group; the parent decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    torch.set_num_threads(int(sys.argv[2]))
    Worker(socket.socket(fileno=int(sys.argv[1]))).run()


if __name__ == "__main__":
    main()
