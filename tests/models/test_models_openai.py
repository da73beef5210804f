"""A team's endpoint, by a real one in another process: whatever it does, an answer is whole or failed, and nothing is left behind."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import aiohttp
import psutil
import pytest
import pytest_asyncio

from models.base import Delta, Message, Sampling, Usage
from models.endpoint.openai_compatible import OpenAIModel, open_session
from models.errors import AnswerError
from models.specification import OpenAISpecification, parse_entrant
from tests.support.endpoint_wire import ANSWER, KEY, PIECES, SECRET
from tests.support.model_endpoint import Endpoint, endpoint

ASKED = (Message("system", "짧게."), Message("user", "안녕?"))
LONG = (*ASKED, *(m for n in range(4) for m in (Message("assistant", f"답 {n}"), Message("user", f"질문 {n}"))))


@pytest.fixture(scope="module")
def there() -> Iterator[Endpoint]:
    """One endpoint for this module."""
    with endpoint() as started:
        yield started


@pytest_asyncio.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """The session every endpoint shares."""
    async with open_session() as opened:
        yield opened


async def whole(model: OpenAIModel, messages: tuple[Message, ...] = ASKED, sampling: Sampling | None = None) -> Delta:
    """Reads one answer to its end; everything it said in one delta."""
    text, reasoning, last = "", "", Delta()
    async with aclosing(model.stream(messages, sampling or Sampling())) as deltas:
        async for last in deltas:
            text, reasoning = text + last.text, reasoning + last.reasoning
    return Delta(text, reasoning, last.usage, last.dropped_turns, last.finish)


async def failure(model: OpenAIModel) -> AnswerError:
    """The error an answer ends with."""
    with pytest.raises(AnswerError) as raised:
        await whole(model)
    return raised.value


USED = Usage(7, 6)


@pytest.mark.parametrize(
    ("behaviour", "finish", "usage"),
    [
        ("plain", "stop", USED),
        ("pieces", "stop", USED),
        ("bytewise", "stop", USED),
        ("crlf", "stop", USED),
        ("comments", "stop", None),
        ("drip", "stop", None),
        ("no-done", "stop", None),
        ("no-blank-line", "stop", None),
        ("length", "length", USED),
        ("usage-with-finish", "stop", USED),
        ("old", "stop", None),
        ("flaky", "stop", USED),
    ],
)
async def test_the_same_answer_however_it_comes(
    there: Endpoint, session: aiohttp.ClientSession, behaviour: str, finish: str, usage: Usage | None
) -> None:
    """Bytes one by one, comments, CRLF, a slow drip, a forgotten end, a server that is still loading: the text is the same, usage is kept."""
    said = await whole(OpenAIModel(session, there.base_url, behaviour))
    assert (said.text, said.finish, said.usage) == (ANSWER, finish, usage)


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        ("error-in-stream", "upstream"),
        ("not-json", "protocol"),
        ("other-shape", "protocol"),
        ("huge-line", "protocol"),
        ("cut", "upstream"),
        ("half", "upstream"),
        ("400", "rejected"),
        ("401", "refused"),
        ("json-instead", "protocol"),
        ("html-instead", "protocol"),
        ("redirect", "protocol"),
        ("locked", "refused"),
    ],
)
async def test_what_cannot_be_mended_fails_at_once(
    there: Endpoint, session: aiohttp.ClientSession, behaviour: str, kind: str
) -> None:
    """An error in mid-stream, a reset, half an event, HTML for an answer: the answer fails with its kind, and is asked only once."""
    before = there.seen().get(behaviour, 0)
    error = await failure(OpenAIModel(session, there.base_url, behaviour))
    assert error.kind == kind
    assert len(error.detail) < 700
    assert there.seen()[behaviour] == before + 1


async def test_what_may_pass_is_tried_again_and_not_for_ever(there: Endpoint, session: aiohttp.ClientSession) -> None:
    """A reset before the first token and a 500 with an HTML body are tried three times in all."""
    retried: list[str] = []

    async def kind(behaviour: str) -> str:
        error = await failure(
            OpenAIModel(session, there.base_url, behaviour, on_retry=lambda: retried.append(behaviour))
        )
        return error.kind

    assert await asyncio.gather(kind("reset-first"), kind("500-html")) == ["upstream", "upstream"]
    assert sorted(retried) == ["500-html"] * 2 + ["reset-first"] * 2
    assert there.seen()["500-html"] == 3


async def test_nothing_is_asked_twice_after_the_first_token(there: Endpoint, session: aiohttp.ClientSession) -> None:
    """What a citizen has begun to read is never begun again."""
    said: list[str] = []
    before = there.seen().get("cut", 0)

    async def read() -> None:
        async for delta in OpenAIModel(session, there.base_url, "cut").stream(ASKED, Sampling()):
            said.append(delta.text)

    with pytest.raises(AnswerError):
        await read()
    assert "".join(said) == PIECES[0]
    assert there.seen()["cut"] == before + 1


async def test_retry_after_is_obeyed(there: Endpoint, session: aiohttp.ClientSession) -> None:
    """A short wait is waited for; a long one is handed on, so that the entrant leaves the draw for that time."""
    began = time.monotonic()
    assert (await whole(OpenAIModel(session, there.base_url, "later"))).text == ANSWER
    assert time.monotonic() - began >= 1
    began = time.monotonic()
    error = await failure(OpenAIModel(session, there.base_url, "much-later"))
    assert (error.kind, error.retry_after_s) == ("refused", 600)
    assert time.monotonic() - began < 1


async def test_nobody_there(session: aiohttp.ClientSession) -> None:
    """An endpoint that is down is a connection that failed, after two more tries."""
    error = await failure(OpenAIModel(session, "http://127.0.0.1:9/v1", "plain"))
    assert error.kind == "connect"


@pytest.mark.parametrize("behaviour", ["reasoning", "think"])
async def test_reasoning_stands_apart(there: Endpoint, session: aiohttp.ClientSession, behaviour: str) -> None:
    """Whether in a field of its own or between tags that chunks have cut, thoughts are no part of the answer."""
    said = await whole(OpenAIModel(session, there.base_url, behaviour))
    assert said.text.strip() == ANSWER
    assert said.reasoning == {"reasoning": "음, 보자.", "think": "속말"}[behaviour]


def test_secrets_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key and any other secret header are named in the stage file and held in the environment; what is no secret stands in the file."""
    monkeypatch.setenv("NARAE_KEY", f"{KEY}\n")
    monkeypatch.setenv("NARAE_GATE", "hush")
    declared = parse_entrant(
        "narae",
        {
            "backend": "openai",
            "base_url": "http://127.0.0.1:9/v1",
            "model": "m",
            "headers": {"X-Team": "narae", "User-Agent": "arena"},
            "headers_env": {"X-Api-Key": "NARAE_GATE"},
            "api_key_env": "NARAE_KEY",
        },
    )
    assert isinstance(declared, OpenAISpecification)
    sent = {"X-Team": "narae", "User-Agent": "arena", "X-Api-Key": "hush", "Authorization": f"Bearer {KEY}"}
    assert declared.all_headers("narae") == sent
    assert "hush" not in repr(declared)


async def test_the_conditions_are_the_stages(there: Endpoint, session: aiohttp.ClientSession) -> None:
    """Sampling goes out as the stage says, with the team's key and headers, and nothing else does."""
    headers = {"Authorization": f"Bearer {KEY}", "X-Team": "narae"}
    sampling = Sampling(temperature=0.3, top_p=0.8, max_tokens=99, stop=("끝",), seed=5)
    assert (await whole(OpenAIModel(session, there.base_url, "locked", headers), sampling=sampling)).finish == "stop"
    assert there.seen()["last"] == {
        "model": "locked",
        "messages": [{"role": m.role, "content": m.content} for m in ASKED],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.3,
        "top_p": 0.8,
        "max_tokens": 99,
        "stop": ["끝"],
        "seed": 5,
    }


async def test_bounds_hold_whatever_the_endpoint_sends(there: Endpoint, session: aiohttp.ClientSession) -> None:
    """Characters are counted and stop strings looked for here, and the endpoint is hung up on the moment they are reached."""
    model = OpenAIModel(session, there.base_url, "forever")
    said = await whole(model, sampling=Sampling(max_chars=10))
    assert (said.text, said.finish) == ("가나 가나 가나 가", "length")
    said = await whole(model, sampling=Sampling(stop=("나 가",)))
    assert (said.text, said.finish) == ("가", "stop")
    await settled(there)


async def test_a_conversation_that_is_too_long_loses_its_oldest_turns(
    there: Endpoint, session: aiohttp.ClientSession
) -> None:
    """By characters before it is sent, and turn by turn while the endpoint says that it is too long; either is recorded."""
    said = await whole(OpenAIModel(session, there.base_url, "overflow"), LONG)
    assert (said.text, said.dropped_turns) == (ANSWER, 4)
    assert [m["content"] for m in there.seen()["last"]["messages"]] == ["짧게.", "질문 3"]
    said = await whole(OpenAIModel(session, there.base_url, "plain"), LONG, Sampling(context_chars=12))
    assert (said.text, said.dropped_turns) == (ANSWER, 3)
    assert there.seen()["last"]["messages"][-1]["content"] == "질문 3"


async def settled(there: Endpoint, *, connections: int | None = None) -> None:
    """Waits until the endpoint answers nobody any more."""
    async with asyncio.timeout(5):
        while (seen := there.seen())["talking"] or (connections is not None and seen["open"] > connections):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_two_hundred_cancels_leave_nothing_behind(there: Endpoint, session: aiohttp.ClientSession) -> None:
    """A reader that leaves in mid-answer closes the connection at once: no stream, task, socket or memory stays."""
    model = OpenAIModel(session, there.base_url, "forever")
    us = psutil.Process()

    async def begun_and_left() -> None:
        async with aclosing(model.stream(ASKED, Sampling())) as deltas:
            await anext(deltas)
            await asyncio.sleep(60)

    async def cancel_one() -> None:
        task = asyncio.create_task(begun_and_left())
        await asyncio.sleep(0.006)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    for _ in range(20):
        await cancel_one()
    await settled(there, connections=0)
    gc.collect()
    tasks, sockets, memory = len(asyncio.all_tasks()), len(us.net_connections()), us.memory_info().rss
    before = there.seen()["hung_up"]
    for _ in range(200):
        await cancel_one()
    await settled(there, connections=0)
    gc.collect()
    assert len(asyncio.all_tasks()) == tasks
    assert len(us.net_connections()) <= sockets
    assert us.memory_info().rss - memory < 4_000_000
    assert there.seen()["hung_up"] > before


async def test_a_finished_answer_gives_its_connection_back(there: Endpoint, session: aiohttp.ClientSession) -> None:
    """One connection serves one answer after another."""
    model = OpenAIModel(session, there.base_url, "plain")
    for _ in range(10):
        await whole(model)
    assert session.connector is not None
    assert there.seen()["open"] == 1


async def test_an_answer_says_what_gave_it(there: Endpoint, session: aiohttp.ClientSession) -> None:
    """The model and the fingerprint of the response stand on its deltas from the first on, so that an answer that is stopped has them too."""
    model = OpenAIModel(session, there.base_url, "renewed")
    told = []
    for _ in range(6):
        async with aclosing(model.stream(ASKED, Sampling())) as deltas:
            told.append({delta.version async for delta in deltas})
    assert told == [{f"{SECRET} fp_one"}] * 4 + [{f"{SECRET} fp_two"}] * 2
