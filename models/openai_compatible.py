"""A team's endpoint that speaks the OpenAI protocol: vLLM, SGLang, TGI, `transformers serve`, anything that does."""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import orjson

from models.answer import Shaper
from models.base import Delta, Finish, Message, Sampling, Usage
from models.conversation import fit, within, without_oldest
from models.errors import AnswerError, AnswerErrorKind
from models.sse import EventReader, TooLongError

CONNECT_S = 5.0
CONNECTIONS = 1000
RETRIES_S = (0.25, 1.0)
"""How long each retry is waited for where the endpoint does not say; there are no more than these, none after the first token."""
PATIENCE_S = 5.0
"""A longer `Retry-After` is not waited for by a citizen: the entrant leaves the draw for that time instead."""
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
LAST_WORDS_S = 2.0
"""After the finish, the usage may still come; after that, the end of the response, so that the connection can be used again."""
DETAIL = 500
TOO_LONG = re.compile(
    rb"context.?(length|window)|maximum.{0,20}(tokens|context)|(prompt|input).{0,20}too long", re.IGNORECASE
)

OnRetry = Callable[[], None]


@contextlib.asynccontextmanager
async def open_session() -> AsyncIterator[aiohttp.ClientSession]:
    """The one session every endpoint is asked through: no cookies, no proxies of the environment, no redirects to elsewhere."""
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
    ) -> None:
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
        self.on_retry = on_retry

    async def stream(self, messages: Sequence[Message], sampling: Sampling) -> AsyncGenerator[Delta]:
        """The answer as it arrives.

        Raises:
            AnswerError: connect, refused, upstream or protocol.
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
            except _ContextOverflow as overflow:
                shorter = _shorter(given)
                if shorter is None:
                    raise AnswerError("refused", overflow.detail) from None
                given, dropped_turns = shorter, dropped_turns + 1
                continue
            except _UsageUnknown:
                continue
            except _Retriable as failed:
                if begun or retries == len(RETRIES_S) or (failed.retry_after_s or 0) > PATIENCE_S:
                    raise AnswerError(failed.kind, failed.detail, retry_after_s=failed.retry_after_s) from None
                wait_s = RETRIES_S[retries] if failed.retry_after_s is None else failed.retry_after_s
                retries += 1
            finally:
                if response is not None:
                    response.close()  # gives a finished response's connection back, and cuts any other
            self.on_retry()
            await asyncio.sleep(wait_s)

    async def _post(self, messages: Sequence[Message], sampling: Sampling) -> aiohttp.ClientResponse:
        try:
            response = await self._session.post(
                self._url, data=self._body(messages, sampling), headers=self._headers, allow_redirects=False
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise _Retriable("connect", _told(error)) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _Retriable("upstream", _told(error)) from error
        try:
            await self._expect_events(response)
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

    async def _expect_events(self, response: aiohttp.ClientResponse) -> None:
        """Nothing when a stream of events follows; otherwise says what did."""
        status = response.status
        if status == 200:
            if response.content_type != "text/event-stream":
                raise AnswerError("protocol", f"content type {response.content_type!r} instead of text/event-stream")
            return
        text = b""
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with asyncio.timeout(LAST_WORDS_S):
                text = await response.content.read(4096)
        detail = f"HTTP {status}: {text[:DETAIL].decode('utf-8', 'replace')}"
        if status in (400, 422) and self._usage_options and b"stream_options" in text:
            self._usage_options = False  # an older server: it gives no usage, and must be asked without
            raise _UsageUnknown
        if status in (400, 413, 422) and TOO_LONG.search(text):
            raise _ContextOverflow(detail)
        if status in RETRIED:
            kind: AnswerErrorKind = "refused" if status == 429 else "upstream"
            raise _Retriable(kind, detail, _retry_after(response.headers.get("Retry-After")))
        raise AnswerError("refused" if 400 <= status < 500 else "upstream" if status >= 500 else "protocol", detail)

    async def _read(
        self, response: aiohttp.ClientResponse, sampling: Sampling, dropped_turns: int
    ) -> AsyncGenerator[Delta]:
        """The deltas of one response."""
        reader, shaper = EventReader(), Shaper(sampling)
        finish: Finish | None = None
        usage: Usage | None = None
        done = False
        content = response.content
        while not done:
            try:
                if finish is None:
                    piece = await content.readany()
                else:
                    async with asyncio.timeout(LAST_WORDS_S):
                        piece = await content.readany()
            except TimeoutError:
                break
            except (aiohttp.ClientError, OSError) as error:
                if finish:
                    break
                raise _Retriable("upstream", f"the stream broke: {_told(error)}") from error
            try:
                events = list(reader.feed(piece)) if piece else [reader.end()]
            except TooLongError:
                raise AnswerError("protocol", "an event is longer than 1 MiB") from None
            done = not piece
            text, reasoning = "", ""
            for event in events:
                if event == b"[DONE]":
                    done = True
                    finish = finish or "stop"
                    break
                if not event:
                    continue
                chunk = _parsed(event)
                if given := chunk.get("usage"):
                    usage = _usage(given) or usage
                said, thought, ended = _spoken(chunk)
                text, reasoning = text + said, reasoning + thought
                finish = ended or finish
            if text or reasoning:
                shown = shaper.feed(text, reasoning)
                if shown.finish:  # our own bounds: nothing that still comes would be shown
                    yield Delta(shown.text, shown.reasoning, usage, dropped_turns, shown.finish)
                    return
                if shown.text or shown.reasoning:
                    yield Delta(shown.text, shown.reasoning)
        if finish is None:
            raise _Retriable("upstream", "the stream ended without a finish")
        last = shaper.end()
        yield Delta(last.text, last.reasoning, usage, dropped_turns, last.finish or finish)
        with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError):
            async with asyncio.timeout(LAST_WORDS_S if not content.at_eof() else None):
                while not content.at_eof():
                    await content.readany()


class _Retriable(Exception):
    """May be tried again, as long as nothing was shown."""

    def __init__(self, kind: AnswerErrorKind, detail: str, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.kind: AnswerErrorKind = kind
        self.detail = detail
        self.retry_after_s = retry_after_s


class _ContextOverflow(Exception):
    """The endpoint says that the conversation is too long."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class _UsageUnknown(Exception):
    """The endpoint does not know `stream_options`."""


def _parsed(event: bytes) -> dict[str, Any]:
    """One chunk.

    Raises:
        AnswerError: it is none, or it says that the endpoint failed.
    """
    try:
        chunk = orjson.loads(event)
    except orjson.JSONDecodeError:
        raise AnswerError("protocol", f"not JSON: {event[:DETAIL].decode('utf-8', 'replace')}") from None
    if not isinstance(chunk, dict):
        raise AnswerError("protocol", f"not a chunk: {event[:DETAIL].decode('utf-8', 'replace')}")
    if chunk.get("error") or chunk.get("object") == "error":
        raise AnswerError("upstream", f"an error in the stream: {event[:DETAIL].decode('utf-8', 'replace')}")
    return chunk


def _spoken(chunk: dict[str, Any]) -> tuple[str, str, Finish | None]:
    """Text, reasoning and finish of a chunk.

    Raises:
        AnswerError: the endpoint gave up.
    """
    try:
        choices = chunk.get("choices")
        if not choices:
            return "", "", None
        choice = choices[0]
        delta = choice.get("delta") or {}
        text = delta.get("content") or ""
        reasoning = delta.get("reasoning_content") or delta.get("reasoning") or ""
        reason = choice.get("finish_reason")
        if not isinstance(text, str) or not isinstance(reasoning, str):
            raise TypeError("content is no text")
    except (TypeError, AttributeError, KeyError, IndexError) as error:
        raise AnswerError("protocol", f"a chunk of another shape: {error}") from None
    if reason in ("error", "abort"):
        raise AnswerError("upstream", f"the endpoint finished with {reason!r}")
    return text, reasoning, None if reason is None else "length" if reason == "length" else "stop"


def _usage(given: Any) -> Usage | None:
    try:
        return Usage(int(given["prompt_tokens"]), int(given["completion_tokens"]))
    except (KeyError, TypeError, ValueError):
        return None


def _shorter(messages: Sequence[Message]) -> list[Message] | None:
    """The same conversation without its oldest turn; nothing when only the question is left."""
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
