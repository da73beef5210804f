"""One running turn: two models asked at the same instant, their answers paced, rendered and buffered for whoever listens.

It goes on whether or not anybody listens: a client that leaves can come back and pick the stream up where it left.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Protocol

from arena.battles.pacing import Pacer
from arena.battles.render import BlockRenderer, render
from arena.domain import stage
from arena.domain.battle import SIDES, Answer, AnswerStatus, Side
from models.base import Delta, Message, Sampling
from models.errors import AnswerError
from models.text import storable, visible

TICK_S = 0.1
"""At most ten updates a second."""


class Entrants(Protocol):
    """What a battle needs of the roster."""

    def available(self) -> frozenset[str]:
        """Ids of the entrants that can be drawn now."""
        ...

    def stream(self, entrant_id: str, messages: Sequence[Message], sampling: Sampling) -> AsyncGenerator[Delta]:
        """The entrant's answer as it is made, under the deadlines every entrant has."""
        ...

    def room(self) -> int:
        """How many more answers there is room for, whoever gives them."""
        ...


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """What a listener may see: no field holds an identity, a count or a time of the model's own."""

    id: int
    name: str
    data: Mapping[str, Any]


@dataclass(slots=True)
class _Writing:
    """One side's answer while it is written."""

    side: Side
    started: float = field(default_factory=time.monotonic)
    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    status: AnswerStatus = "complete"
    error_kind: str | None = None
    error_detail: str | None = None
    first_token_ms: int | None = None
    total_ms: int | None = None
    shown_ms: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    dropped_turns: int = 0
    sent: str | None = None

    def elapsed_ms(self) -> int:
        return round((time.monotonic() - self.started) * 1000)

    def take(self, delta: Delta) -> str:
        if self.first_token_ms is None:
            self.first_token_ms = self.elapsed_ms()
        self.text.append(delta.text)
        self.reasoning.append(delta.reasoning)
        self.dropped_turns = max(self.dropped_turns, delta.dropped_turns)
        if delta.usage is not None:
            self.prompt_tokens = delta.usage.prompt_tokens
            self.completion_tokens = delta.usage.completion_tokens
        if delta.finish == "length":
            self.status = "truncated"
        self.sent = delta.sent
        return delta.text

    def fail(self, kind: str, detail: str) -> None:
        self.status, self.error_kind, self.error_detail = "failed", kind, detail[:2000]

    def answer(self) -> Answer:
        return Answer(
            side=self.side,
            status=self.status,
            text="".join(self.text),
            reasoning="".join(self.reasoning),
            error_kind=self.error_kind,
            error_detail=self.error_detail,
            first_token_ms=self.first_token_ms,
            total_ms=self.total_ms,
            shown_ms=self.shown_ms,
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
            dropped_turns=self.dropped_turns,
            sent=None if self.sent is None or self.status in ("stopped", "failed") else storable(self.sent),
        )


@dataclass(frozen=True, slots=True)
class Question:
    """What both sides are asked: their own conversations, the same sampling."""

    entrants: Mapping[Side, str]
    messages: Mapping[Side, Sequence[Message]]
    sampling: Sampling


def sampling_of(protocol: stage.Protocol) -> Sampling:
    """How every entrant's answers are drawn and bounded: by the stage's protocol and nothing else."""
    return Sampling(
        temperature=protocol.temperature,
        top_p=protocol.top_p,
        max_tokens=protocol.answer_tokens,
        max_chars=protocol.answer_chars,
        context_chars=protocol.context_chars,
        stop=protocol.stop,
    )


class RunningTurn:
    """Asks, paces, renders and keeps; `events()` may be read by any number of listeners, from any point."""

    def __init__(
        self,
        n: int,
        question: Question,
        entrants: Entrants,
        pacer: Pacer,
        keep: Callable[[Sequence[Answer]], Awaitable[Mapping[str, Any]]],
        *,
        fold_reasoning: bool = False,
    ) -> None:
        """`keep(answers)` stores both answers and returns the data of the closing `done` event; it may raise."""
        self.n = n
        self._question = question
        self._entrants = entrants
        self._pacer = pacer
        self._keep = keep
        self._fold_reasoning = fold_reasoning
        self._events: list[StreamEvent] = []
        self._more = asyncio.Condition()
        self._stopping = asyncio.Event()
        self._writing: dict[Side, _Writing] = {}
        self.over = asyncio.Event()

    def stop(self) -> None:
        """Stops both sides; what was shown is the answer."""
        self._stopping.set()

    async def events(self, after: int = 0) -> AsyncIterator[StreamEvent]:
        """The events with a larger id, those to come included, until the turn is over."""
        position = after
        while True:
            async with self._more:
                while len(self._events) <= position and not self.over.is_set():
                    await self._more.wait()
            if len(self._events) <= position:
                return
            for event in self._events[position:]:
                position = event.id
                yield event

    async def run(self) -> None:
        """The turn from the first token to the last word kept. Never raises for a model's failure."""
        self._writing = {side: _Writing(side) for side in SIDES}
        speaking: dict[Side, asyncio.Task[None]] = {side: asyncio.create_task(self._speak(side)) for side in SIDES}
        try:
            await self._release(speaking)
            answers = [self._writing[side].answer() for side in SIDES]
            for answer in answers:
                ended: dict[str, Any] = {"side": answer.side, "status": answer.status}
                if self._fold_reasoning and answer.status != "failed" and answer.reasoning.strip():
                    ended["reasoning"] = await asyncio.to_thread(render, answer.reasoning)
                await self._tell("answer", ended)
            done = await self._keep(answers)
            await self._tell("done", {"turn": self.n, **done})
        finally:
            for task in speaking.values():
                task.cancel()
            await asyncio.gather(*speaking.values(), return_exceptions=True)

    async def refuse(self, data: Mapping[str, Any]) -> None:
        """Tells the listeners why the turn did not end well."""
        await self._tell("error", data)

    async def end(self) -> None:
        """Lets every listener go; whoever comes later reads the events that are there."""
        async with self._more:
            self.over.set()
            self._more.notify_all()

    async def _speak(self, side: Side) -> None:
        """Reads one model to its end."""
        question, writing = self._question, self._writing[side]
        stream = self._entrants.stream(question.entrants[side], question.messages[side], question.sampling)
        try:
            async with aclosing(stream) as deltas:
                async for delta in deltas:
                    if text := writing.take(delta):
                        self._pacer.feed(side, text)
            if not visible("".join(writing.text)):
                writing.fail("empty", "the answer has no visible character")
        except AnswerError as error:
            writing.fail(error.kind, error.detail)
        finally:
            writing.total_ms = writing.elapsed_ms()
            self._pacer.end(side)

    async def _release(self, speaking: Mapping[Side, asyncio.Task[None]]) -> None:
        """Shows the answers tick by tick until both are shown whole, stopped, or one has failed."""
        renderers: dict[Side, BlockRenderer] = {side: BlockRenderer() for side in SIDES}
        shown: dict[Side, list[str]] = {side: [] for side in SIDES}
        last = time.monotonic()
        while not all(self._pacer.drained(side) for side in SIDES):
            try:
                await asyncio.wait_for(self._stopping.wait(), TICK_S)
            except TimeoutError:
                pass
            else:
                self._cut(speaking, shown)
                break
            for task in speaking.values():
                if task.done():
                    task.result()  # a fault of ours, not of a model: let it be seen
            if any(writing.status == "failed" for writing in self._writing.values()):
                self._cut(speaking, shown)  # the battle is void: nobody waits for the other side
                return
            now = time.monotonic()
            released = self._pacer.tick(now - last)
            last = now
            for side in SIDES:
                shown[side].append(released[side])
                if self._pacer.drained(side) and self._writing[side].shown_ms is None:
                    self._writing[side].shown_ms = self._writing[side].elapsed_ms()
            await self._tell_delta(renderers, released, end=False)
        await self._tell_delta(renderers, dict.fromkeys(SIDES, ""), end=True)

    def _cut(self, speaking: Mapping[Side, asyncio.Task[None]], shown: Mapping[Side, list[str]]) -> None:
        """Ends what is still being written or shown. The citizen judges what they saw: the rest is not part of the answer."""
        for side in SIDES:
            writing = self._writing[side]
            speaking[side].cancel()
            if writing.status != "failed" and writing.shown_ms is None:
                writing.text, writing.status, writing.shown_ms = ["".join(shown[side])], "stopped", writing.elapsed_ms()

    async def _tell_delta(
        self, renderers: Mapping[Side, BlockRenderer], released: Mapping[Side, str], *, end: bool
    ) -> None:
        data: dict[str, dict[str, str]] = {}
        for side in SIDES:
            text = released[side]
            if end or "\n" in text:  # a block may be finished: rendering is work, and not the loop's
                text, html = await asyncio.to_thread(renderers[side].feed, text, end=end)
            else:
                text, html = renderers[side].feed(text)
            if text or html is not None:
                data[side] = {"text": text} if html is None else {"text": text, "html": html}
        if data:
            await self._tell("delta", data)

    async def _tell(self, name: str, data: Mapping[str, Any]) -> None:
        async with self._more:
            self._events.append(StreamEvent(len(self._events) + 1, name, data))
            self._more.notify_all()
