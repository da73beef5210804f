"""Opens a stage's entrants once, keeps count of how each fares, and takes a failing one out of the draw until it answers again."""

import asyncio
import contextlib
import logging
import math
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from models.base import Deadlines, Delta, Message, Model, Sampling
from models.breaker import Breaker, Change
from models.cause import Cause
from models.endpoint.openai_compatible import OpenAIModel, open_session
from models.entrant_stats import EntrantStats, Health
from models.errors import NO_OUTAGE, PATIENCE, AnswerError
from models.local.client import Checkpoint, LocalModel, LocalModels
from models.probe import QUESTION
from models.progress import Step
from models.specification import (
    OpenAISpecification,
    ScriptedSpecification,
    Specification,
    TransformersSpecification,
    parse_entrants,
)
from models.text import visible

PROBE = (Message("user", QUESTION),)
PROBE_SAMPLING = Sampling(temperature=0, max_tokens=64, max_chars=200)
PROBE_S = (1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0)
"""Seconds until the next try; a breaker that opens again soon goes on where it was."""
SETTLED_S = 600.0
FIRST_PROBE_S = 5.0
"""Endpoints are asked once before anybody else may; a slow one keeps nobody waiting longer than this."""
LONGEST_RETRY_AFTER_S = 600.0
OWN_CHECK = frozenset({"filtered", "too_long"})
"""No outages, yet who refuses our own short question so again and again answers nobody."""
CHECK_EVERY_S = 10.0
"""Failures lead to a question of ours no more often than this."""

_UNBOUNDED = 1 << 30
"""Endpoints bound themselves."""

log = logging.getLogger(__name__)


class Roster:
    """The stage's entrants, opened."""

    def __init__(
        self,
        models: Mapping[str, Model],
        *,
        deadlines: Deadlines | None = None,
        on_change: Callable[[Change], None] = lambda _change: None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._models = dict(models)
        self._deadlines = deadlines or Deadlines()
        self._clock = clock
        self._sleep = sleep
        self._records = {id_: EntrantStats(Breaker(id_, clock=clock, now=now, on_change=on_change)) for id_ in models}
        self._probes: dict[str, asyncio.Task[None]] = {}
        self._tries: dict[str, tuple[int, float]] = {}
        self._checks: dict[str, asyncio.Task[None]] = {}
        self._checked_at: dict[str, float] = {}
        self._own_failures: Counter[str] = Counter()
        self._workers: list[LocalModels] = []
        self.digests: dict[str, str] = {}
        """SHA-256 of the artifacts of every entrant that is served here."""

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls,
        specifications: Mapping[str, Mapping[str, object]],
        *,
        base_dir: Path,
        progress: Callable[[Step], None] = lambda _step: None,
        deadlines: Deadlines | None = None,
        on_change: Callable[[Change], None] = lambda _change: None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> AsyncIterator["Roster"]:
        """Open every entrant, check its artifacts, and close all of them at the end.

        Args:
            specifications: Per entrant, the keys that say where its model runs.
            base_dir: Where relative paths begin.
            progress: Hears of each thing that takes its time.
            deadlines: The same for every entrant.
            on_change: Hears when an entrant leaves the draw and when it is back.
            clock: Monotonic seconds.
            now: Wall time, for outages.
            sleep: How the next try is waited for.

        Raises:
            RosterError: an entrant cannot be opened; names it, the key and the value.
        """
        parsed = parse_entrants(specifications)
        models: dict[str, Model] = {}
        roster: Roster | None = None

        def heard(entrant_ids: Sequence[str], up: bool, cause: Cause) -> None:
            if roster is not None:
                for entrant_id in entrant_ids:
                    roster._worker_moved(entrant_id, up=up, cause=cause)

        async with AsyncExitStack() as stack:
            remote: dict[str, OpenAIModel] = {}
            session = None
            for entrant_id, specification in parsed.items():
                match specification:
                    case ScriptedSpecification():
                        models[entrant_id] = specification.model_of_it()
                    case OpenAISpecification():
                        headers = specification.all_headers(entrant_id)
                        session = session or await stack.enter_async_context(open_session())
                        remote[entrant_id] = OpenAIModel(
                            session,
                            specification.base_url,
                            specification.model,
                            headers,
                            finish=specification.finish,
                            opens_reasoning=specification.opens_reasoning,
                        )
            workers: list[LocalModels] = []
            for device, checkpoints in _by_device(parsed, base_dir).items():
                worker = LocalModels(checkpoints, on_state=partial(heard, tuple(checkpoints)))
                stack.push_async_callback(worker.close)
                progress(Step("loading", device=device, entrants=tuple(checkpoints)))
                await worker.start(progress)
                workers.append(worker)
                models |= {entrant_id: LocalModel(worker, entrant_id) for entrant_id in checkpoints}
            models |= remote
            roster = cls(
                {entrant_id: models[entrant_id] for entrant_id in parsed},
                deadlines=deadlines,
                on_change=on_change,
                clock=clock,
                now=now,
                sleep=sleep,
            )
            stack.push_async_callback(roster._close)
            roster._workers = workers
            for worker in workers:
                roster.digests |= {entrant_id: loaded.sha256 for entrant_id, loaded in worker.loaded.items()}
            for entrant_id, model in remote.items():
                model.on_retry = partial(roster._retried, entrant_id)
                model.on_quirk = roster._records[entrant_id].quirk
            await roster._ask_first(list(remote), progress)
            yield roster

    def available(self) -> frozenset[str]:
        """Who can be drawn now."""
        return frozenset(entrant_id for entrant_id, record in self._records.items() if record.breaker.state == "closed")

    def room(self) -> int:
        """How many more answers there is room for on this machine; one number, so that it says nothing of any entrant."""
        return min((worker.room for worker in self._workers), default=_UNBOUNDED)

    def health(self) -> dict[str, Health]:
        """How every entrant has fared."""
        return {entrant_id: record.snapshot() for entrant_id, record in self._records.items()}

    async def stream(
        self, entrant_id: str, messages: Sequence[Message], sampling: Sampling, network: str = ""
    ) -> AsyncGenerator[Delta]:
        """Give the entrant's answer as it is made, under everybody's deadlines and with its health kept.

        Args:
            entrant_id: Whose answer.
            messages: The conversation.
            sampling: How the answer is drawn and bounded.
            network: The widest network that the question comes from, by a name that says nothing else: failures count by how many it fails for.

        Raises:
            AnswerError: the answer failed, or ended without a visible character.
        """
        record, began = self._records[entrant_id], self._clock()
        record.asked += 1
        record.running += 1
        first, over, artifact = True, False, self.digests.get(entrant_id)
        try:
            async with aclosing(self._bounded(entrant_id, messages, sampling)) as deltas:
                async for delta in deltas:
                    if first:  # a delta without words too: it has begun
                        first = False
                        record.first_token.add(self._clock() - began)
                        delta = delta._replace(version=delta.version or artifact)
                    if delta.usage:
                        record.prompt_tokens += delta.usage.prompt_tokens
                        record.completion_tokens += delta.usage.completion_tokens
                    if delta.finish:
                        over = True
                        record.total.add(self._clock() - began)
                        self._succeeded(entrant_id)
                    yield delta
        except AnswerError as error:
            over = True
            self._failed(entrant_id, error, network)
            raise
        finally:
            record.running -= 1
            record.cancelled += not over

    async def _bounded(self, entrant_id: str, messages: Sequence[Message], sampling: Sampling) -> AsyncGenerator[Delta]:
        """Hold the model's stream to the deadlines and to the protocol: visible characters, then one finish."""
        deadlines, loop = self._deadlines, asyncio.get_running_loop()
        began = loop.time()
        due, what = began + deadlines.first_token_s, f"no first token in {deadlines.first_token_s:g} s"
        seen = thought = False
        async with aclosing(self._models[entrant_id].stream(messages, sampling)) as deltas:
            while True:
                last = began + deadlines.total_s
                try:
                    async with asyncio.timeout_at(min(due, last)):
                        delta = await anext(deltas, None)
                except TimeoutError:
                    late = what if due < last else f"not finished in {deadlines.total_s:g} s"
                    raise AnswerError("timeout", late) from None
                if delta is None:
                    raise AnswerError("protocol", "the answer ended without a finish")
                seen = seen or visible(delta.text)
                thought = thought or bool(delta.reasoning)
                if delta.finish and not seen:
                    cut = thought and delta.finish == "length"
                    raise AnswerError("empty", "all of it was reasoning" if cut else "no visible character", alive=cut)
                yield delta
                if delta.finish:
                    return
                due, what = loop.time() + deadlines.between_tokens_s, f"silent for {deadlines.between_tokens_s:g} s"

    def _succeeded(self, entrant_id: str) -> None:
        record = self._records[entrant_id]
        record.success()
        if record.breaker.state != "closed":
            self._stop_probing(entrant_id)
            record.breaker.move("closed", Cause("answers_again"))

    def _failed(self, entrant_id: str, error: AnswerError, network: str) -> None:
        record = self._records[entrant_id]
        for_many = record.failure(error, network)
        if record.breaker.state != "closed":
            return
        if for_many:
            self._take_out(entrant_id, Cause("answers_failed", error.kind), error.retry_after_s or 0)
        elif error.kind not in NO_OUTAGE or error.kind in OWN_CHECK:
            self._check(entrant_id)

    def _check(self, entrant_id: str) -> None:
        """Let a question of our own, sent at the first failure, tell whether the entrant is ill, or it was what a citizen asked."""
        now = self._clock()
        if entrant_id in self._checks or now < self._checked_at.get(entrant_id, -math.inf) + CHECK_EVERY_S:
            return
        self._checked_at[entrant_id] = now
        self._checks[entrant_id] = asyncio.create_task(self._ask_once(entrant_id))

    async def _ask_once(self, entrant_id: str) -> None:
        try:
            await self._ask(entrant_id)
        except AnswerError as error:
            if error.kind in NO_OUTAGE and error.kind not in OWN_CHECK:
                return  # our own fault: it says nothing of the entrant either
            self._own_failures[entrant_id] += 1
            patient = error.kind in OWN_CHECK and self._own_failures[entrant_id] < PATIENCE
            if not patient and self._records[entrant_id].breaker.state == "closed":
                self._take_out(entrant_id, Cause("own_question_failed", error.kind), error.retry_after_s or 0)
        except Exception:  # a fault of ours says nothing of the entrant
            log.exception("asking %s failed", entrant_id)
        else:
            self._own_failures[entrant_id] = 0
        finally:
            del self._checks[entrant_id]

    def _take_out(self, entrant_id: str, cause: Cause, wait_s: float = 0) -> None:
        self._records[entrant_id].breaker.move("open", cause)
        if entrant_id not in self._probes:
            self._probes[entrant_id] = asyncio.create_task(self._probe(entrant_id, wait_s))

    async def _probe(self, entrant_id: str, wait_s: float) -> None:
        """Ask an entrant that is out of the draw until it answers."""
        record = self._records[entrant_id]
        tries, closed_at = self._tries.get(entrant_id, (0, 0.0))
        if self._clock() - closed_at > SETTLED_S:
            tries = 0
        while True:
            step_s = PROBE_S[min(tries, len(PROBE_S) - 1)]
            tries += 1
            await self._sleep(max(step_s, min(wait_s, LONGEST_RETRY_AFTER_S)))
            record.breaker.move("half_open", Cause("asked_again"))
            try:
                await self._ask(entrant_id)
            except AnswerError as error:
                wait_s = error.retry_after_s or 0
                record.breaker.move("open", Cause("still_failing", error.kind))
            except Exception:  # a fault of ours must not keep an entrant out for ever
                log.exception("asking %s failed", entrant_id)
                record.breaker.move("open", Cause("still_failing", "fault"))
            else:
                break
        self._tries[entrant_id] = (tries, self._clock())
        del self._probes[entrant_id]
        record.breaker.move("closed", Cause("answers_again"))

    async def _ask(self, entrant_id: str) -> None:
        """One short question of our own, not counted among the citizens'. Who is still thinking when it is cut has answered."""
        try:
            async with aclosing(self._bounded(entrant_id, PROBE, PROBE_SAMPLING)) as deltas:
                async for _ in deltas:
                    pass
        except AnswerError as error:
            if not error.alive:
                raise

    async def _ask_first(self, entrant_ids: Sequence[str], progress: Callable[[Step], None]) -> None:
        """Ask endpoints before they are drawn; those that do not answer start out of the draw."""
        if not entrant_ids:
            return
        progress(Step("asking", n=len(entrant_ids)))
        asked = {asyncio.create_task(self._ask(entrant_id)): entrant_id for entrant_id in entrant_ids}
        await asyncio.wait(asked, timeout=FIRST_PROBE_S)
        for task, entrant_id in asked.items():
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                self._take_out(entrant_id, Cause("silent_at_start"))
            elif isinstance(error := task.exception(), AnswerError):
                if error.kind in OWN_CHECK:
                    continue  # it speaks; whether it is ill shows as with everybody
                self._take_out(entrant_id, Cause("failed_at_start", error.kind), error.retry_after_s or 0)
            elif error is not None:
                raise error

    def _worker_moved(self, entrant_id: str, *, up: bool, cause: Cause) -> None:
        """Note that the worker process has died, or serves again: then one question shows that the model speaks."""
        self._stop_probing(entrant_id)
        self._records[entrant_id].breaker.move("open", cause)
        if up:
            self._probes[entrant_id] = asyncio.create_task(self._probe(entrant_id, 0))

    def _retried(self, entrant_id: str) -> None:
        self._records[entrant_id].retries += 1

    def _stop_probing(self, entrant_id: str) -> None:
        if task := self._probes.pop(entrant_id, None):
            task.cancel()

    async def _close(self) -> None:
        tasks = [*self._probes.values(), *self._checks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _by_device(parsed: Mapping[str, Specification], base_dir: Path) -> dict[str, dict[str, Checkpoint]]:
    """Group the checkpoints by device: one process serves all of them."""
    devices: dict[str, dict[str, Checkpoint]] = {}
    for entrant_id, specification in parsed.items():
        if isinstance(specification, TransformersSpecification):
            checkpoint = specification.checkpoint(entrant_id, base_dir)
            devices.setdefault(checkpoint.device, {})[entrant_id] = checkpoint
    return devices
