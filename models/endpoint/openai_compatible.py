"""A team's endpoint that speaks the OpenAI protocol: vLLM, SGLang, TGI, `transformers serve`, anything that does."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import aiohttp
import orjson

from models.base import Delta, Finish, Message, Sampling, Usage
from models.conversation import fit, within, without_oldest
from models.endpoint.chunks import ChunkReader, ComplaintError
from models.endpoint.complaints import DETAIL, PROMPT_STATUSES, Complaint, complaint, is_complaint
from models.endpoint.finishes import ending
from models.endpoint.quirks import OnQuirk
from models.endpoint.sse import IDLE, EventReader, TooLongError
from models.errors import AnswerError, AnswerErrorKind
from models.output_filter import OutputFilter

CONNECT_S = 5.0
CONNECTIONS = 1000
RETRIES_S = (0.25, 1.0)
"""How long each retry is waited for where the endpoint does not say; there are no more than these, none after the first token."""
PATIENCE_S = 5.0
"""A longer `Retry-After` is not waited for by a citizen: the entrant leaves the draw for that time instead."""
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
LAST_WORDS_S = 2.0
"""How long the text of an error, or the end of a response whose stream is over, is waited for."""

MOST_OF_AN_ERROR = 1 << 16

EndSign = Literal["reason", "done_only"]
"""What ends an answer in order: a finish reason; or, of an endpoint known to give none, `[DONE]` alone."""
OnRetry = Callable[[], None]


@contextlib.asynccontextmanager
async def open_session() -> AsyncIterator[aiohttp.ClientSession]:
    """Open the one session every endpoint is asked through: no cookies, no proxies of the environment, no redirects to elsewhere."""
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
    ) as session:
        yield session


class OpenAIModel:
    """One model of one endpoint. Deadlines are the roster's, for they are everybody's; only connecting has its own."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        model: str,
        headers: Mapping[str, str] | None = None,
        on_retry: OnRetry = lambda: None,
        *,
        finish: EndSign = "reason",
        opens_reasoning: bool | None = False,
        on_quirk: OnQuirk = lambda _quirk: None,
    ) -> None:
        """Take what the team declares of its endpoint.

        Args:
            session: shared by all endpoints.
            base_url: up to and with `/v1`.
            model: as the endpoint calls it.
            headers: of every request.
            on_retry: hears of each further try.
            finish: what ends an answer in order.
            opens_reasoning: whether the chat template opens a reasoning block; None when nobody knows.
            on_quirk: hears what is unusual about an answer that was understood.
        """
        self._session = session
        self._url = f"{base_url}/chat/completions"
        self._model = model
        self._headers = {
            **(headers or {}),
            "Content-Type": "application/json",
            "Accept": "text/event-stream",
            "Accept-Encoding": "identity",
        }
        self._usage_options = True
        self._finish: EndSign = finish
        self._opens_reasoning = opens_reasoning
        self._thinks = False
        """Whether an answer has ever ended a block that only its prompt can have opened: then one that was cut may be half a thought."""
        self.on_retry = on_retry
        self.on_quirk = on_quirk

    async def stream(self, messages: Sequence[Message], sampling: Sampling) -> AsyncGenerator[Delta]:
        """Give the answer as it arrives. A delta without words says that words came which may not be shown yet.

        Raises:
            AnswerError: any kind but busy, timeout, crashed and empty.
        """
        given, dropped_turns = fit(messages, within(sampling.context_chars))
        retries = 0
        while True:
            response = None
            begun = False
            try:
                response = await self._post(given, sampling)
                async with contextlib.aclosing(self._read(response, sampling, dropped_turns)) as deltas:
                    async for delta in deltas:
                        begun = True
                        yield delta
                return
            except _UsageUnknown:
                continue
            except _Failed as failed:
                shorter = _shorter(given) if failed.may_be_too_long and not begun else None
                if shorter is not None:
                    given, dropped_turns = shorter, dropped_turns + 1
                    continue
                last = begun or not failed.may_pass or retries == len(RETRIES_S)
                if last or (failed.retry_after_s or 0) > PATIENCE_S:
                    raise AnswerError(failed.kind, failed.detail, retry_after_s=failed.retry_after_s) from None
                wait_s = RETRIES_S[retries] if failed.retry_after_s is None else failed.retry_after_s
                retries += 1
            finally:
                if response is not None:
                    response.close()  # gives a finished response's connection back, and cuts any other
            self.on_retry()
            await asyncio.sleep(wait_s)

    async def _post(self, messages: Sequence[Message], sampling: Sampling) -> aiohttp.ClientResponse:
        usage_asked = self._usage_options
        try:
            response = await self._session.post(
                self._url, data=self._body(messages, sampling), headers=self._headers, allow_redirects=False
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise _Failed("connect", _told(error), may_pass=True) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _Failed("upstream", _told(error), may_pass=True) from error
        try:
            await self._expect_events(response, usage_asked=usage_asked)
        except BaseException:
            response.close()
            raise
        return response

    def _body(self, messages: Sequence[Message], sampling: Sampling) -> bytes:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": messages,
            "stream": True,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
        }
        if self._usage_options:
            body["stream_options"] = {"include_usage": True}
        if sampling.stop:
            body["stop"] = sampling.stop
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        return orjson.dumps(body)

    async def _expect_events(self, response: aiohttp.ClientResponse, *, usage_asked: bool) -> None:
        """Nothing when a stream of events follows; otherwise says what did."""
        status = response.status
        if status == 200 and response.content_type == "text/event-stream":
            return
        text = await _body_of(response)
        said = complaint(text, status if status >= 400 else None)
        detail = f"HTTP {status}: {said.detail}"
        if status in (400, 422) and usage_asked and b"stream_options" in text:
            self._usage_options = False  # an older server: it gives no usage, and must be asked without
            self.on_quirk("no_stream_options")
            raise _UsageUnknown
        if status == 200:
            detail = f"content type {response.content_type!r} instead of text/event-stream: {said.detail}"
            if _is_complaint(text):
                raise _refusal(said, detail)
            raise AnswerError("protocol", detail)
        if status in PROMPT_STATUSES or (status == 500 and said.overflow):
            raise _refusal(said, detail)
        if status in RETRIED:
            kind: AnswerErrorKind = "refused" if status == 429 else "upstream"
            raise _Failed(kind, detail, may_pass=True, retry_after_s=_retry_after(response.headers.get("Retry-After")))
        if said.filtered and status != 404 and status < 500:
            raise AnswerError("filtered", detail)
        if status in (403, 406, 451):  # whoever guards the endpoint may dislike these words only
            raise AnswerError("rejected", detail)
        raise AnswerError("refused" if 400 <= status < 500 else "upstream" if status >= 500 else "protocol", detail)

    async def _read(
        self, response: aiohttp.ClientResponse, sampling: Sampling, dropped_turns: int
    ) -> AsyncGenerator[Delta]:
        """Read the deltas of one response, until its stream has ended in order; the same however the network has cut it."""
        events, chunks = EventReader(), ChunkReader(self.on_quirk)
        shaper = OutputFilter(sampling, opened=self._opens_reasoning, cut_is_reasoning=self._thinks)
        finish: Finish | None = None
        usage: Usage | None = None
        begun = done = over = False
        content = response.content
        pings = 0
        while not over:
            try:
                if done:
                    async with asyncio.timeout(LAST_WORDS_S):
                        piece = await content.readany()
                else:
                    piece = await content.readany()
            except TimeoutError:
                break  # the stream has ended; only the response has not
            except (aiohttp.ClientError, OSError) as error:
                if done:
                    break
                raise _Failed("upstream", f"the stream broke: {_told(error)}", may_pass=not begun) from error
            over = not piece
            text, reasoning, first = "", "", not begun
            try:
                for event in events.feed(piece) if piece else (events.end(),):
                    if event[0][:1] != b"{" and not event[1] and event[0].strip() == b"[DONE]":
                        done = True
                        continue
                    if (chunk := chunks.read(event)) is None:
                        pings += len(event[0]) + len(event[1])
                        if pings > IDLE:
                            raise AnswerError("protocol", "64 KiB of pings came without a word")
                        continue
                    pings = 0
                    said, thought, reason, counted = chunk
                    usage = counted or usage
                    if said or thought:
                        if done:
                            raise AnswerError("protocol", "words after [DONE]")
                        if finish is not None:  # whatever ended there, it was not the answer
                            finish = None
                            self.on_quirk("text_after_finish")
                        begun = True
                        shown = shaper.feed(said, thought)
                        text, reasoning = text + shown.text, reasoning + shown.reasoning
                        if shown.finish:  # our own bounds: nothing that still comes would be shown
                            yield Delta(
                                text, reasoning, usage, dropped_turns, shown.finish, shaper.sent, chunks.version
                            )
                            return
                    if reason is not None:
                        end = self._ending(reason, begun=begun)
                        finish = "length" if finish == "length" and end else end or finish
            except TooLongError:
                raise AnswerError("protocol", "an event is longer than 1 MiB, or 64 KiB came without any") from None
            except ComplaintError as error:
                raise _refusal(error.complaint, f"an error in the stream: {error}", begun=begun) from None
            if text or reasoning or (begun and (first or shaper.undecided) and piece):
                yield Delta(text, reasoning, version=chunks.version)
        if finish is None:
            finish = self._without_reason(done=done, begun=begun)
        if finish == "stop" and usage is not None and usage.completion_tokens >= sampling.max_tokens:
            finish = "length"  # some servers know no other word than stop
            self.on_quirk("stop_at_the_bound")
        last = shaper.end(finish)
        self._note(events, shaper, finish, done=done)
        yield Delta(last.text, last.reasoning, usage, dropped_turns, last.finish, shaper.sent, chunks.version)

    def _ending(self, reason: object, *, begun: bool) -> Finish | None:
        """How a finish reason ends the answer, if it is one.

        Raises:
            _Failed: the answer is not whole.
        """
        end = ending(reason)
        if end is None:
            self.on_quirk("empty_finish")
            return None
        if end == "stop" or end == "length":
            if reason != end:
                self.on_quirk("finish_alias")
            return end
        raise _Failed(end, f"the endpoint finished with {str(reason)[:80]!r}", may_pass=end == "aborted" and not begun)

    def _without_reason(self, *, done: bool, begun: bool) -> Finish:
        """How an answer without any finish reason has ended.

        Raises:
            _Failed: not in order.
        """
        if done and self._finish == "done_only":
            return "stop"
        if done and begun:
            self.on_quirk("done_only")
        how = "[DONE] without a finish reason" if done else "the stream ended without a finish reason"
        raise _Failed("unfinished", how, may_pass=not begun)

    def _note(self, events: EventReader, shaper: OutputFilter, finish: Finish, *, done: bool) -> None:
        """Say what was unusual about an answer as a whole."""
        if events.marked:
            self.on_quirk("byte_order_mark")
        if not done:
            self.on_quirk("no_done")
        self._thinks = self._thinks or shaper.lone_end  # for good: its template opens the block
        if self._opens_reasoning is None:
            plainly = "undeclared_reasoning" if finish == "stop" else "undecided_reasoning"
            self.on_quirk("lone_reasoning_end" if shaper.lone_end else plainly)
        if shaper.sent is not None:
            self.on_quirk("invisible_characters")


class _Failed(Exception):
    """One try has failed."""

    def __init__(
        self,
        kind: AnswerErrorKind,
        detail: str,
        *,
        may_pass: bool = False,
        may_be_too_long: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        """`may_pass`: the same may go well in a moment; `may_be_too_long`: it may without the oldest turn; either as long as nothing was shown."""
        super().__init__(detail)
        self.kind: AnswerErrorKind = kind
        self.detail = detail
        self.may_pass = may_pass
        self.may_be_too_long = may_be_too_long
        self.retry_after_s = retry_after_s


class _UsageUnknown(Exception):
    """The endpoint does not know `stream_options`."""


def _refusal(said: Complaint, detail: str, *, begun: bool = False) -> _Failed:
    """Tell what a complaint means, before the first word or (`begun`) in the middle of an answer.

    Servers say in a hundred ways that a conversation is too long, so any complaint that may be about what was asked is taken for that
    as long as there is a turn to leave out.
    """
    if said.filtered:
        return _Failed("filtered", detail)
    if begun:
        return _Failed("upstream", detail)
    if said.overflow:
        return _Failed("too_long", detail, may_be_too_long=True)
    if said.status in PROMPT_STATUSES:
        return _Failed("rejected", detail, may_be_too_long=True)
    return _Failed("upstream", detail, may_pass=said.status in RETRIED, may_be_too_long=said.status is None)


def _is_complaint(text: bytes) -> bool:
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return isinstance(body, dict) and is_complaint(body)


async def _body_of(response: aiohttp.ClientResponse) -> bytes:
    """Read the text of an error, as far as it is worth reading."""
    text = b""
    with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
        async with asyncio.timeout(LAST_WORDS_S):
            while len(text) < MOST_OF_AN_ERROR and (piece := await response.content.readany()):
                text += piece
    return text[:MOST_OF_AN_ERROR]


def _shorter(messages: Sequence[Message]) -> list[Message] | None:
    """Return the same conversation without its oldest turn; nothing when only the question is left."""
    system = [m for m in messages if m.role == "system"]
    turns = [m for m in messages if m.role != "system"]
    return [*system, *without_oldest(turns)] if len(turns) > 1 else None


def _retry_after(value: str | None) -> float | None:
    """Seconds to wait, from a number or a date (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    with contextlib.suppress(ValueError):
        return max(0.0, float(value))
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    return None


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:DETAIL]
