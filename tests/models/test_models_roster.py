"""The roster: opened as the stage file says or not at all, everybody under the same deadlines, a failing entrant out of the draw until it answers."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest

from models import roster as roster_module
from models.base import Deadlines, Delta, Message, Model, Sampling
from models.breaker import Change
from models.cause import Cause
from models.errors import AnswerError, AnswerErrorKind, RosterError
from models.roster import CHECK_EVERY_S, PROBE, Roster
from models.scripted import ScriptedModel
from tests.support.endpoint_wire import ANSWER
from tests.support.model_endpoint import Endpoint, endpoint

ASKED = (Message("user", "안녕?"),)
START = datetime(2026, 12, 1, tzinfo=UTC)
SCRIPTED = {"backend": "scripted", "answers": ["하나", "둘"]}
REMOTE = {"backend": "openai", "base_url": "http://127.0.0.1:9/v1", "model": "m"}
HERE = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"backend": "grpc"}, r"entrants\.garam\.backend: .*'grpc'"),
        (
            {**SCRIPTED, "temperature": 0.1},
            r"entrants\.garam\.temperature: this backend has no such key \(found 0\.1\)",
        ),
        ({**SCRIPTED, "answers": []}, r"entrants\.garam\.answers: "),
        ({**REMOTE, "base_url": "ftp://x/v1"}, r"entrants\.garam\.base_url: .*'ftp://x/v1'"),
        ({**REMOTE, "base_url": "http://u:p@x/v1"}, r"entrants\.garam\.base_url: .*no user or password"),
        ({**REMOTE, "api_key_env": "NO_SUCH_KEY"}, r"entrants\.garam\.api_key_env: 'NO_SUCH_KEY' is not set"),
        ({**REMOTE, "api_key": "hush"}, r"entrants\.garam\.api_key: this backend has no such key$"),
        ({**REMOTE, "base_url": "http://x/v1?key=hush"}, r"entrants\.garam\.base_url: .*no query.*headers_env$"),
        *(
            ({**REMOTE, "headers": {name: "hush"}}, rf"entrants\.garam\.headers: .*'{name}'.*headers_env")
            for name in ("Authorization", "x-api-key", "X-Auth-Token", "Cookie", "X-Team-Secret", "Proxy-Authorization")
        ),
        ({**REMOTE, "headers": {"X-Team": "Bearer hush"}}, r"entrants\.garam\.headers: .*'X-Team'.*headers_env"),
        (
            {**REMOTE, "headers_env": {"X-Api-Key": "NO_SUCH_KEY"}},
            r"entrants\.garam\.headers_env\.X-Api-Key: 'NO_SUCH_KEY'",
        ),
        (
            {**REMOTE, "api_key_env": "A", "headers_env": {"authorization": "B"}},
            r"entrants\.garam.*the header 'authorization' is given twice",
        ),
        ({"backend": "transformers"}, r"entrants\.garam.*give either path .*or hub"),
        ({"backend": "transformers", "path": "nowhere"}, r"entrants\.garam\.path: 'nowhere': there is no folder"),
        ({"backend": "transformers", "path": "data"}, r"entrants\.garam\.path: 'data': .*no \*\.safetensors"),
        (
            {"backend": "transformers", "path": "../models/demo/garam", "chat_template": "none.jinja"},
            r"entrants\.garam\.chat_template: 'none\.jinja': ",
        ),
        ({"backend": "transformers", "path": "x", "sha256": "abc"}, r"entrants\.garam\.sha256: .*'abc'"),
        ({"backend": "transformers", "path": "x", "device": "gpu"}, r"entrants\.garam\.device: .*'gpu'"),
    ],
)
async def test_an_entrant_that_cannot_be_opened_names_key_and_value(keys: dict[str, object], told: str) -> None:
    """Unknown keys, missing files, wrong values: the start ends with a sentence that says where, and shows no secret."""
    with pytest.raises(RosterError, match=told) as raised:
        await Roster.open({"garam": keys, "narae": SCRIPTED}, base_dir=HERE).__aenter__()
    assert "hush" not in str(raised.value)
    assert "u:p" not in str(raised.value)


class Clock:
    """Time that passes when told to; sleepers wait for it."""

    def __init__(self) -> None:
        self.at = 0.0
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    def monotonic(self) -> float:
        return self.at

    def now(self) -> datetime:
        return START + timedelta(seconds=self.at)

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self._sleepers.append((self.at + seconds, woken))
        await woken.wait()

    async def passes(self, seconds: float) -> None:
        """Moves on, and lets everybody do what is due."""
        for _ in range(50):
            await asyncio.sleep(0)
        self.at += seconds
        for due, woken in self._sleepers:
            if due <= self.at:
                woken.set()
        self._sleepers = [(due, woken) for due, woken in self._sleepers if due > self.at]
        for _ in range(50):
            await asyncio.sleep(0)


class Wayward:
    """Fails as long as it is told to: for citizens, and for us unless it is `well`."""

    def __init__(self) -> None:
        self.error: AnswerError | None = None
        self.well = False
        self.asked = self.ours = 0

    async def stream(self, messages: Sequence[Message], sampling: Sampling) -> AsyncGenerator[Delta]:
        ours = tuple(messages) == PROBE
        self.asked += 1
        self.ours += ours
        yield Delta("가")
        if self.error and not (ours and self.well):
            raise self.error
        yield Delta("나", finish="stop")


class Stage:
    """Two entrants on a clock of their own; the second is wayward."""

    def __init__(self, **models: Model) -> None:
        self.clock, self.wayward, self.changes = Clock(), Wayward(), list[Change]()
        self.roster = Roster(
            {"steady": ScriptedModel(["하나"]), "wayward": self.wayward, **models},
            deadlines=Deadlines(0.2, 0.1, 0.5),
            on_change=self.changes.append,
            clock=self.clock.monotonic,
            now=self.clock.now,
            sleep=self.clock.sleep,
        )

    async def ask(self, entrant: str = "wayward", network: str = "") -> str | AnswerErrorKind:
        """The text, or how it failed."""
        text = ""
        try:
            async with aclosing(self.roster.stream(entrant, ASKED, Sampling(), network)) as deltas:
                async for delta in deltas:
                    text += delta.text
        except AnswerError as error:
            return error.kind
        return text

    def moves(self) -> list[tuple[str, str]]:
        """What the breaker has done."""
        return [(c.state, str(c.cause)) for c in self.changes]


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A fresh one, its probes ended afterwards."""
    made = Stage()
    yield made
    await made.roster._close()


async def test_an_entrant_leaves_once_our_own_question_fails_too(stage: Stage) -> None:
    """The first failure has us ask at once; the others stay, and the reason is a kind, never an endpoint's text."""
    stage.wayward.error = AnswerError("upstream", "CUDA out of memory at /srv/narae")
    assert await stage.ask() == "upstream"
    assert stage.wayward.ours == 0
    await stage.clock.passes(0)
    assert stage.wayward.ours == 1
    assert stage.roster.available() == {"steady"}
    assert stage.moves() == [("open", "own_question_failed failure=upstream")]


@pytest.mark.parametrize("kind", sorted(set(get_args(AnswerErrorKind)) - {"busy", "crashed"}))
async def test_nobody_works_the_breaker_from_a_few_networks(stage: Stage, kind: AnswerErrorKind) -> None:
    """Whatever one citizen makes an entrant do, with however many cookies, from four networks too: as long as it answers us it stays, with no outage."""
    stage.wayward.error, stage.wayward.well = AnswerError(kind), True
    for n in range(60):
        assert await stage.ask(network=f"network {n % 4}") == kind
        await stage.clock.passes(1)
    assert stage.roster.available() == {"steady", "wayward"}
    assert (stage.moves(), stage.roster.health()["wayward"].outage_s) == ([], 0)
    assert 1 <= stage.wayward.ours <= 60 / CHECK_EVERY_S + 1
    assert stage.roster.health()["wayward"].errors == {kind: 60}


@pytest.mark.parametrize(
    ("kind", "out"), [("protocol", True), ("empty", False), ("rejected", False), ("filtered", False)]
)
async def test_failing_half_the_time_for_five_networks_is_failing(
    stage: Stage, kind: AnswerErrorKind, out: bool
) -> None:
    """Ten of the last twenty answers, for citizens of five networks, though we are answered; a prompt that is refused, or asks for nothing and gets it, is to blame itself, wherever it comes from."""
    stage.wayward.well = True
    for n in range(19):
        assert stage.roster.available() == {"steady", "wayward"}
        stage.wayward.error = AnswerError(kind) if n % 2 == 0 else None
        await stage.ask(network=f"network {n // 2 % 5}")
        await stage.clock.passes(0)
    assert stage.roster.available() == ({"steady"} if out else {"steady", "wayward"})
    assert stage.moves() == ([("open", f"answers_failed failure={kind}")] if out else [])


async def test_who_answers_us_with_nothing_is_ill(stage: Stage) -> None:
    """An empty answer is the prompt's only as long as our own question gets words."""
    stage.wayward.error = AnswerError("empty")
    assert await stage.ask() == "empty"
    await stage.clock.passes(0)
    assert stage.roster.available() == {"steady"}
    assert stage.moves() == [("open", "own_question_failed failure=empty")]


async def test_who_only_thinks_until_it_is_cut_is_failing(stage: Stage) -> None:
    """An answer that is all reasoning up to its bound is no prompt's wish: our short question cannot see it, so it counts over five networks."""
    stage.wayward.error, stage.wayward.well = AnswerError("empty", alive=True), True
    for n in range(10):
        assert stage.roster.available() == {"steady", "wayward"}
        await stage.ask(network=f"network {n % 5}")
        await stage.clock.passes(0)
    assert stage.moves() == [("open", "answers_failed failure=empty")]


async def test_failures_of_ours_are_counted_and_cost_nobody_the_draw(stage: Stage) -> None:
    """A full queue or a dead worker is no entrant's fault."""
    for kind in ("busy", "crashed") * 5:
        stage.wayward.error = AnswerError(kind)
        await stage.ask()
    assert stage.roster.available() == {"steady", "wayward"}
    assert stage.roster.health()["wayward"].errors == {"busy": 5, "crashed": 5}


async def test_it_is_tried_again_by_itself_and_its_outage_is_known(stage: Stage) -> None:
    """One question of ours at growing intervals; the first answer brings it back, and the time it was out adds up to the second."""
    stage.wayward.error = AnswerError("timeout")
    await stage.ask()
    await stage.clock.passes(0)
    asked = stage.wayward.asked
    await stage.clock.passes(1)
    assert stage.wayward.asked == asked + 1
    await stage.clock.passes(1)
    assert stage.wayward.asked == asked + 1
    await stage.clock.passes(1)
    assert stage.wayward.asked == asked + 2
    stage.wayward.error = None
    await stage.clock.passes(5)
    assert stage.roster.available() == {"steady", "wayward"}
    assert stage.moves()[-1] == ("closed", "answers_again")
    health = stage.roster.health()["wayward"]
    assert health.outage_s == 8
    assert stage.changes[0] == Change("wayward", "open", Cause("own_question_failed", "timeout"), START)
    assert stage.changes[-1].at == START + timedelta(seconds=8)
    assert (health.asked, health.answered) == (1, 0)  # our own questions are nobody's answers


async def test_retry_after_keeps_an_entrant_out_that_long(stage: Stage) -> None:
    """An endpoint that says when to come back is asked no earlier."""
    stage.wayward.error = AnswerError("refused", retry_after_s=90)
    await stage.ask()
    await stage.clock.passes(0)
    assert stage.roster.available() == {"steady"}
    asked = stage.wayward.asked
    stage.wayward.error = None
    await stage.clock.passes(89)
    assert stage.wayward.asked == asked
    await stage.clock.passes(1)
    assert stage.roster.available() == {"steady", "wayward"}


async def quiet(
    *, before: float = 0.0, between: float = 0.0, pieces: int = 1, finish: bool = True
) -> AsyncGenerator[Delta]:
    """Deltas with waits."""
    await asyncio.sleep(before)
    for _ in range(pieces):
        yield Delta("가")
        await asyncio.sleep(between)
    if finish:
        yield Delta(finish="stop")


class Says:
    """Whatever a generator says."""

    def __init__(self, make: Callable[[], AsyncGenerator[Delta]]) -> None:
        self.make = make

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> AsyncGenerator[Delta]:
        return self.make()


async def nothing() -> AsyncGenerator[Delta]:
    yield Delta(" \n")
    yield Delta(finish="stop")


async def test_deadlines_and_rules_are_the_same_for_everybody() -> None:
    """First token, between tokens, in all; an end without a finish and an answer without a character are failures too."""
    stage = Stage(
        late=Says(lambda: quiet(before=0.3)),
        stuck=Says(lambda: quiet(between=0.2, pieces=2)),
        long=Says(lambda: quiet(between=0.04, pieces=50)),
        endless=Says(lambda: quiet(finish=False)),
        mute=Says(nothing),
        fine=Says(lambda: quiet(before=0.15, between=0.06, pieces=3)),
    )
    names = ["late", "stuck", "long", "endless", "mute", "fine"]
    ended = await asyncio.gather(*(stage.ask(name) for name in names))
    assert ended == ["timeout", "timeout", "timeout", "protocol", "empty", "가가가"]
    health = stage.roster.health()
    assert all(health[name].running == 0 for name in names)
    assert [health[name].answered for name in names] == [0, 0, 0, 0, 0, 1]


async def test_health_counts_what_happened(stage: Stage) -> None:
    """Asked, answered, cancelled, failed by kind; the latest success and latencies, in all and of late."""
    for _ in range(3):
        await stage.ask()
    stage.wayward.error = AnswerError("upstream")
    await stage.ask()
    leaving = stage.roster.stream("wayward", ASKED, Sampling())
    await anext(leaving)
    assert stage.roster.health()["wayward"].running == 1
    await leaving.aclose()
    health = stage.roster.health()["wayward"]
    assert (health.running, health.asked, health.answered, health.cancelled) == (0, 5, 3, 1)
    assert health.errors == {"upstream": 1}
    assert health.recent_success == 0.75
    assert (sum(health.first_token.counts), sum(health.total.counts)) == (5, 3)
    assert health.first_token.buckets[-1] == (float("inf"), 5)
    assert health.total.recent(0.95) is not None


@pytest.fixture(scope="module")
def there() -> Any:
    """One endpoint for this module."""
    with endpoint() as started:
        yield started


def remote(there: Endpoint, model: str) -> dict[str, object]:
    return {"backend": "openai", "base_url": there.base_url, "model": model, "opens_reasoning": False}


async def test_an_endpoint_that_does_not_answer_starts_outside(
    there: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The arena starts without it; silence after the head, a wrong type and a refusal are noticed before a citizen meets them."""
    monkeypatch.setattr(roster_module, "FIRST_PROBE_S", 0.5)
    said = {name: remote(there, name) for name in ("plain", "silent", "400", "html-instead")}
    changes: list[Change] = []
    async with Roster.open(said, base_dir=HERE, on_change=changes.append) as roster:
        assert roster.available() == {"plain"}
        assert {c.entrant_id: c.cause for c in changes} == {
            "silent": Cause("silent_at_start"),
            "400": Cause("failed_at_start", "rejected"),
            "html-instead": Cause("failed_at_start", "protocol"),
        }
        text = "".join([d.text async for d in roster.stream("plain", ASKED, Sampling())])
        assert text == ANSWER


async def test_an_endpoint_that_falls_silent_fails_in_time(there: Endpoint) -> None:
    """A stream that stalls after its first words, or that only ever says that it is alive, ends by the deadlines, and its connection is cut."""
    said = {name: remote(there, name) for name in ("plain", "stalls")}
    async with Roster.open(said, base_dir=HERE, deadlines=Deadlines(0.3, 0.2, 5)) as roster:
        assert roster.available() == {"plain"}
        heard: list[str] = []

        async def read() -> None:
            async for delta in roster.stream("stalls", ASKED, Sampling()):
                heard.append(delta.text)

        with pytest.raises(AnswerError, match=r"silent for 0\.2 s"):
            await read()
        assert heard == ["안녕"]


async def test_an_endpoint_that_comes_back_is_drawn_again() -> None:
    """Down at the start, then up on the same port: the breaker closes by itself."""
    with endpoint() as first:
        port = first.port
    back = asyncio.Event()
    keys = {"backend": "openai", "base_url": f"http://127.0.0.1:{port}/v1", "model": "plain"}

    def heard(change: Change) -> None:
        if change.state == "closed":
            back.set()

    async with Roster.open({"garam": keys, "narae": SCRIPTED}, base_dir=HERE, on_change=heard) as roster:
        assert roster.available() == {"narae"}
        with endpoint(port):
            await asyncio.wait_for(back.wait(), 15)
            assert roster.available() == {"garam", "narae"}
            assert roster.health()["garam"].outage_s > 0


async def test_who_is_served_here_answers_as_its_artifact() -> None:
    """The first delta of a model whose files are here says their hash; of one that nothing is known of, nothing."""
    roster = Roster({"here": ScriptedModel(["하나, 둘"]), "there": ScriptedModel(["하나, 둘"])})
    roster.digests["here"] = "ab" * 32
    for entrant, version in (("here", "ab" * 32), ("there", None)):
        async with aclosing(roster.stream(entrant, (Message("user", "?"),), Sampling())) as deltas:
            first = await anext(deltas)
        assert first.version == version
