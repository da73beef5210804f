"""FastChat, the LiteLLM proxy and LitServe as they are, asked as any team's endpoint: a whole answer is whole, and none that broke off is taken for one."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, aclosing, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from models.base import Deadlines, Message, Sampling
from models.breaker import Change
from models.errors import AnswerError
from models.roster import Roster
from models.smoke_test import SmokeTest, ask
from tests.support import model_servers
from tests.support.endpoint_wire import ANSWER
from tests.support.model_servers import KEY, KEY_ENV, ROOT, Served

ASKED = (Message("system", "짧게."), Message("user", "안녕하세요? 👋🏽"))
PATIENT = Deadlines(first_token_s=20, between_tokens_s=10, total_s=60)
SCRIPT = {"backend": "scripted", "answers": ["하나"]}
BROKEN = {"upstream", "unfinished", "aborted"}
GONE = {"upstream", "connect", "refused"}


@pytest.fixture(scope="module", autouse=True)
def _key() -> Iterator[None]:
    """The key that the proxy wants, where a stage file says it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KEY_ENV, KEY)
        yield


def started(
    serve: Callable[[Path], AbstractContextManager[Served]], factory: pytest.TempPathFactory
) -> Iterator[Served]:
    with serve(factory.mktemp(serve.__name__)) as server:
        yield server


@pytest.fixture(scope="module")
def fastchat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """FastChat's openai_api_server."""
    yield from started(model_servers.fastchat, tmp_path_factory)


@pytest.fixture(scope="module")
def litellm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The LiteLLM proxy."""
    yield from started(model_servers.litellm, tmp_path_factory)


@pytest.fixture(scope="module")
def litserve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """LitServe's OpenAISpec."""
    yield from started(model_servers.litserve, tmp_path_factory)


@pytest.fixture(scope="module", params=["fastchat", "litellm", "litserve"])
def served(request: pytest.FixtureRequest) -> Served:
    """Each of them."""
    return request.getfixturevalue(request.param)


async def test_a_whole_answer_is_whole(served: Served) -> None:
    """Korean, an emoji of two characters and a line separator come as they were sent, and the answer ends with stop."""
    async with Roster.open({"entrant": served.entrant("plain")}, base_dir=ROOT) as roster:
        assert roster.available() == {"entrant"}
        trial = await ask(roster, "entrant", ASKED, Sampling())
    assert (trial.text, trial.finish, trial.error) == (ANSWER, "stop", None)


async def test_an_answer_that_breaks_off_has_failed(served: Served) -> None:
    """However the server says it, or says nothing: it is no answer, the organizer sees a failure, and no success is counted."""
    async with Roster.open({m: served.entrant(m) for m in served.broken}, base_dir=ROOT) as roster:
        trials = {model: await ask(roster, model, ASKED, Sampling()) for model in served.broken}
        health = roster.health()
    assert {model: how for model, trial in trials.items() if (how := failed(trial)) not in BROKEN} == {}
    assert {model: health[model].answered for model in served.broken} == dict.fromkeys(served.broken, 0)


def failed(trial: SmokeTest) -> str:
    """How an answer failed."""
    return trial.error.kind if trial.error else f"it did not: {trial.text!r} {trial.finish}"


async def test_an_answer_that_was_cut_says_so(served: Served) -> None:
    """The server's limit, or the arena's where the server has no word for one: the answer is truncated, not complete."""
    model, sampling = served.cut
    async with Roster.open({"entrant": served.entrant(model)}, base_dir=ROOT) as roster:
        trial = await ask(roster, "entrant", ASKED, sampling)
    assert (trial.finish, trial.error) == ("length", None)
    assert trial.text
    assert ANSWER.startswith(trial.text)


async def test_who_is_gone_leaves_the_draw_and_comes_back(served: Served) -> None:
    """Killed while it answers: that answer fails, our own question too, the entrant is out, and back by itself when it serves again."""
    out, back = asyncio.Event(), asyncio.Event()
    entrants = {"entrant": served.entrant(served.slow), "script": SCRIPT}
    async with Roster.open(entrants, base_dir=ROOT, deadlines=PATIENT, on_change=sets(back, out)) as roster:
        assert roster.available() == {"entrant", "script"}
        answering = asyncio.create_task(ask(roster, "entrant", ASKED, Sampling()))
        await asyncio.sleep(0.6)
        async with dead(served):
            trials = [await answering]
            trials += await asyncio.gather(*(ask(roster, "entrant", ASKED, Sampling()) for _ in range(2)))
            assert [how for trial in trials if (how := failed(trial)) not in BROKEN | GONE] == []
            await asyncio.wait_for(out.wait(), 30)
            assert roster.available() == {"script"}
        await asyncio.wait_for(back.wait(), 60)
        assert roster.available() == {"entrant", "script"}
        assert roster.health()["entrant"].answered == 0
    async with Roster.open({"entrant": served.entrant("plain")}, base_dir=ROOT) as roster:
        assert (await ask(roster, "entrant", ASKED, Sampling())).text == ANSWER


def sets(back: asyncio.Event, out: asyncio.Event) -> Callable[[Change], None]:
    """Hears when an entrant leaves the draw, and when it is back."""
    at = {"closed": back, "open": out}
    return lambda change: at[change.state].set() if change.state in at else None


@asynccontextmanager
async def dead(served: Served) -> AsyncIterator[None]:
    """A time in which nobody answers."""
    served.answering.kill()
    try:
        yield
    finally:
        await asyncio.to_thread(served.answering.start)


async def test_a_model_that_fastchat_has_forgotten_leaves_the_draw(fastchat: Served) -> None:
    """Once its controller misses the worker, FastChat says 400 to every question: that is no question's fault, and costs the entrant the draw."""
    out, back = asyncio.Event(), asyncio.Event()
    entrants = {"entrant": fastchat.entrant("plain"), "script": SCRIPT}
    async with Roster.open(entrants, base_dir=ROOT, on_change=sets(back, out)) as roster:
        async with dead(fastchat):
            async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
                known = (await client.get(f"{fastchat.base_url}/models")).json()  # it looks after its workers first
            assert known["data"] == []
            trials = [await ask(roster, "entrant", ASKED, Sampling()) for _ in range(3)]
            assert [trial for trial in trials if trial.error is None] == []
            await asyncio.wait_for(out.wait(), 30)
            assert roster.available() == {"script"}
        await asyncio.wait_for(back.wait(), 60)
        assert (await ask(roster, "entrant", ASKED, Sampling())).text == ANSWER


async def test_a_worker_that_dies_in_silence_ends_by_the_deadline(litserve: Served) -> None:
    """LitServe keeps the stream open for ever when its worker dies: the deadline between tokens ends it, and the next worker answers whole."""
    assert litserve.worker is not None
    deadlines = Deadlines(first_token_s=10, between_tokens_s=1.5, total_s=60)
    async with Roster.open({"entrant": litserve.entrant("slow")}, base_dir=ROOT, deadlines=deadlines) as roster:
        answering = asyncio.create_task(ask(roster, "entrant", ASKED, Sampling()))
        await asyncio.sleep(0.6)
        os.kill(litserve.worker(), signal.SIGKILL)
        assert failed(await answering) == "timeout"
        again = await ask(roster, "entrant", ASKED, Sampling())
        assert (again.text, again.finish, again.error) == (ANSWER, "stop", None)


async def test_fastchat_may_end_without_a_reason_where_the_entrant_says_so(fastchat: Served) -> None:
    """A worker that knows no finish reason ends with [DONE] only: unfinished, unless the stage file says that this is its end; an error stays one."""
    entrants = {
        "no-reason": fastchat.entrant("no-reason"),
        "declared": fastchat.entrant("no-reason", finish="done_only"),
        "declared, broken": fastchat.entrant("raises", finish="done_only"),
    }
    async with Roster.open(entrants, base_dir=ROOT) as roster:
        trials = {entrant: await ask(roster, entrant, ASKED, Sampling()) for entrant in entrants}
    assert failed(trials["no-reason"]) == "unfinished"
    assert (trials["declared"].text, trials["declared"].finish, trials["declared"].error) == (ANSWER, "stop", None)
    assert failed(trials["declared, broken"]) == "upstream"


async def test_fastchats_context_takes_the_latest_turns(fastchat: Served) -> None:
    """Its error 40303 makes the oldest turns go until the rest fits, and the answer knows how many; a question too long alone is refused as that."""
    turns = [Message(role, f"{n} " + "가" * 300) for n in range(4) for role in ("user", "assistant")]
    async with Roster.open({"entrant": fastchat.entrant("plain")}, base_dir=ROOT) as roster:
        async with aclosing(roster.stream("entrant", (*turns, Message("user", "그래서?")), Sampling())) as deltas:
            said = [delta async for delta in deltas]
        assert ("".join(delta.text for delta in said), said[-1].finish) == (ANSWER, "stop")
        assert 0 < said[-1].dropped_turns < 4
        alone = await ask(roster, "entrant", (Message("user", "가" * 1200),), Sampling())
        assert isinstance(alone.error, AnswerError)
        assert alone.error.kind == "too_long"
        assert roster.available() == {"entrant"}


async def test_a_backends_context_is_known_through_litellm(litellm: Served) -> None:
    """What the backend says of a conversation that is too long comes through the proxy, and the oldest turns go."""
    turns = [Message(role, f"{n}") for n in range(4) for role in ("user", "assistant")]
    async with (
        Roster.open({"entrant": litellm.entrant("overflow")}, base_dir=ROOT) as roster,
        aclosing(roster.stream("entrant", (*turns, Message("user", "그래서?")), Sampling())) as deltas,
    ):
        said = [delta async for delta in deltas]
    assert ("".join(delta.text for delta in said), said[-1].finish, said[-1].dropped_turns) == (ANSWER, "stop", 3)
