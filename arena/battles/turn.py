"""One running turn: two models asked at the same instant, their answers paced, rendered and buffered for whoever listens.

It goes on whether or not anybody listens: a client that leaves can come back and pick the stream up where it left.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from arena.battles.growth import BlockRenderer
from arena.battles.pacing import TICK_S, Pacer
from arena.battles.render import render
from arena.domain import stage
from arena.domain.battle import SIDES, Answer, AnswerStatus, Shown, Side
from arena.domain.errors import ArenaError
from models.base import Delta, Message, Sampling
from models.errors import AnswerError
from models.text import storable, visible


class Entrants(Protocol):
    """What a battle needs of the roster."""

    def available(self) -> frozenset[str]:
        """Ids of the entrants that can be drawn now."""
        ...

    def stream(
        self, entrant_id: str, messages: Sequence[Message], sampling: Sampling, network: str = ""
    ) -> AsyncGenerator[Delta]:
        """Give the entrant's answer as it is made, under the deadlines every entrant has; failures count by `network`."""
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
    shown: Shown = field(default_factory=Shown)
    shown_ms: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    dropped_turns: int = 0
    sent: str | None = None
    version: str | None = None

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
        self.version = delta.version or self.version
        return delta.text

    def fail(self, kind: str, detail: str) -> None:
        self.status, self.error_kind, self.error_detail = "failed", kind, detail[:2000]

    def hand(self, text: str) -> None:
        """Note that the citizen has got this much more of it."""
        first_ms = self.elapsed_ms() if self.shown.first_ms is None else self.shown.first_ms
        self.shown = Shown(first_ms, self.shown.chars + len(text))

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
            version=self.version,
            sent=None if self.sent is None or self.status in ("stopped", "failed") else storable(self.sent),
        )


@dataclass(frozen=True, slots=True)
class Question:
    """What both sides are asked: their own conversations, the same sampling."""

    prompt: str
    """As it was kept: without the personal data that was in it."""
    masked: bool
    """Whether there was any."""
    entrants: Mapping[Side, str]
    messages: Mapping[Side, Sequence[Message]]
    sampling: Sampling
    network: str = ""
    """Today's digest of the widest network that the question comes from."""


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
        note: Callable[[Mapping[Side, Shown]], Awaitable[None]],
        *,
        fold_reasoning: bool = False,
    ) -> None:
        """`keep(answers)` stores both answers and returns the data of the closing `done` event; it may raise.

        `note(shown)` stores how much of them the citizen was handed, where that has grown since.
        """
        self.n = n
        self._question = question
        self._entrants = entrants
        self._pacer = pacer
        self._keep = keep
        self._note = note
        self._fold_reasoning = fold_reasoning
        self._events: list[StreamEvent] = []
        self._handed = 0
        """The highest id that a listener has taken."""
        self._noted: Mapping[Side, Shown] | None = None
        self._more = asyncio.Condition()
        self._stopping = asyncio.Event()
        self._writing: dict[Side, _Writing] = {}
        self.over = asyncio.Event()
        self._silent = False
        self._html: dict[Side, list[str]] = {side: [] for side in SIDES}
        self.rendered: tuple[tuple[str, str], ...] = ()
        """Both answers with their HTML, once they have ended and unless nobody is to hear of them."""

    def stop(self) -> None:
        """Stop both sides; what was shown is the answer."""
        self._stopping.set()

    def silence(self) -> None:
        """Stop both sides, and let nobody hear another word: not who listens now, nor who comes later."""
        self._silent = True
        self._events.clear()
        self.rendered = ()
        self.stop()
        self.over.set()

    async def events(self, after: int = 0) -> AsyncGenerator[StreamEvent]:
        """Give the events with a larger id, those to come included, until the turn is over.

        An event was handed over once its listener asks for the next: who hung up before has not seen it.
        """
        position = after
        while True:
            async with self._more:
                while len(self._events) <= position and not self.over.is_set():
                    await self._more.wait()
            if len(self._events) <= position:
                await self.note_shown()
                return
            for event in self._events[position:]:
                if self._silent:
                    return
                yield event
                position = event.id
                self._hand(event.id)

    def as_shown(self, answers: Sequence[Answer]) -> list[Answer]:
        """Say of each answer how much of it the citizen has been handed, about to be kept."""
        self._noted = shown = self._shown()
        return [
            replace(answer, first_shown_ms=shown[answer.side].first_ms, shown_chars=shown[answer.side].chars)
            for answer in answers
        ]

    async def note_shown(self) -> None:
        """Store what the citizen was handed after the answers had been kept, as by a slow line or a stream picked up again."""
        shown = self._shown()
        if self._noted is not None and self._noted != shown:
            await self._note(shown)
            self._noted = shown

    async def run(self) -> None:
        """Run the turn from the first token to the last word kept; never raise for a model's failure."""
        self._writing = {side: _Writing(side) for side in SIDES}
        generating: dict[Side, asyncio.Task[None]] = {side: asyncio.create_task(self._generate(side)) for side in SIDES}
        try:
            asked = {"turn": self.n, "prompt": self._question.prompt, "masked": self._question.masked}
            await self._emit("turn", asked)
            await self._stream_paced(generating)
            answers = [self._writing[side].answer() for side in SIDES]
            for answer in answers:
                told = answer.told_status(self._question.sampling.max_chars)
                ended: dict[str, Any] = {"side": answer.side, "status": told}
                if self._fold_reasoning and answer.status != "failed" and answer.reasoning.strip():
                    ended["reasoning"] = await asyncio.to_thread(render, answer.reasoning)
                await self._emit("answer", ended)
            done = await self._keep(answers)
            await self._emit("done", {"turn": self.n, **done})
            if not self._silent:
                given = (answer for answer in answers if answer.status != "failed")
                self.rendered = tuple((answer.text, "".join(self._html[answer.side])) for answer in given)
        finally:
            for task in generating.values():
                task.cancel()
            await asyncio.gather(*generating.values(), return_exceptions=True)

    async def refuse(self, error: ArenaError) -> None:
        """Tell the listeners why the turn did not end well; whoever sends the event adds the sentence."""
        await self._emit("error", {"code": error.code, "params": error.params})

    async def end(self) -> None:
        """Let every listener go; whoever comes later reads the events that are there."""
        async with self._more:
            self.over.set()
            self._more.notify_all()

    async def _generate(self, side: Side) -> None:
        """Read one model to its end."""
        question, writing = self._question, self._writing[side]
        stream = self._entrants.stream(
            question.entrants[side], question.messages[side], question.sampling, question.network
        )
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

    async def _stream_paced(self, generating: Mapping[Side, asyncio.Task[None]]) -> None:
        """Show the answers tick by tick until both are shown whole, stopped, or one has failed."""
        renderers: dict[Side, BlockRenderer] = {side: BlockRenderer() for side in SIDES}
        shown: dict[Side, list[str]] = {side: [] for side in SIDES}
        loop = asyncio.get_running_loop()
        asked, tick = loop.time(), 0
        while not all(self._pacer.drained(side) for side in SIDES):
            # Ticks stand at their own times, whatever the last one took; those that were missed are one, not a burst.
            tick = max(tick + 1, int((loop.time() - asked) / TICK_S))
            try:
                async with asyncio.timeout_at(asked + tick * TICK_S):
                    await self._stopping.wait()
            except TimeoutError:
                pass
            else:
                self._truncate(generating, shown)
                break
            for task in generating.values():
                if task.done():
                    task.result()  # a fault of ours, not of a model: let it be seen
            if any(writing.status == "failed" for writing in self._writing.values()):
                self._truncate(generating, shown)  # the battle is void: nobody waits for the other side
                return
            released = self._pacer.tick(tick * TICK_S)
            for side in SIDES:
                shown[side].append(released[side])
                if self._pacer.drained(side) and self._writing[side].shown_ms is None:
                    self._writing[side].shown_ms = self._writing[side].elapsed_ms()
            await self._emit_delta(renderers, released, end=False)
        await self._emit_delta(renderers, dict.fromkeys(SIDES, ""), end=True)

    def _truncate(self, generating: Mapping[Side, asyncio.Task[None]], shown: Mapping[Side, list[str]]) -> None:
        """End what is still being written or shown. The citizen judges what they saw: the rest is not part of the answer."""
        for side in SIDES:
            writing = self._writing[side]
            generating[side].cancel()
            if writing.status == "failed" or writing.shown_ms is not None:
                continue
            writing.shown_ms = writing.elapsed_ms()
            # One that had ended, all of it before the citizen's eyes, only waited for the other: nothing of it was stopped.
            if not self._pacer.shown_whole(side):
                writing.text, writing.status = ["".join(shown[side])], "stopped"
                # Nor is what it thought: how far it had come at that moment would tell how fast it is, and so who.
                writing.reasoning = []

    async def _emit_delta(
        self, renderers: Mapping[Side, BlockRenderer], released: Mapping[Side, str], *, end: bool
    ) -> None:
        data: dict[str, dict[str, str | int]] = {}
        for side in SIDES:
            text, renderer = released[side], renderers[side]
            if not text and not end:
                continue
            work = end or renderer.is_work(text)  # not the loop's
            grown = await asyncio.to_thread(renderer.feed, text, end=end) if work else renderer.feed(text)
            delta: dict[str, str | int] = {"text": text, "keep": grown.keep, "tail": grown.tail}
            if grown.html:
                delta["html"] = grown.html
                self._html[side].append(grown.html)
            if text or grown.html:
                data[side] = delta
        if data:
            await self._emit("delta", data)

    def _shown(self) -> dict[Side, Shown]:
        return {side: writing.shown for side, writing in self._writing.items()}

    def _hand(self, event_id: int) -> None:
        """Count what stands in the events up to this one, unless another listener has taken them before."""
        for event in self._events[self._handed : event_id]:
            if event.name == "delta":
                for side, writing in self._writing.items():
                    if piece := event.data.get(side):
                        writing.hand(piece["text"])
        self._handed = max(self._handed, event_id)

    async def _emit(self, name: str, data: Mapping[str, Any]) -> None:
        async with self._more:
            if not self._silent:
                self._events.append(StreamEvent(len(self._events) + 1, name, data))
            self._more.notify_all()
