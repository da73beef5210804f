"""A running turn: both sides asked at once, deadlines alike, failures told by a status, streams that can be picked up."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import pytest

from arena.battles.pacing import Lockstep, Metronome, Pacer
from arena.battles.turn import Question, RunningTurn, StreamEvent
from arena.domain.battle import Answer, Shown, Side
from models.base import Delta, Finish, Message, Sampling, Usage
from models.errors import AnswerError


class Speakers:
    """Two entrants that say what each test needs; remembers when each was asked and whether it was closed."""

    def __init__(self, **says: AsyncGenerator[Delta]) -> None:
        self.says = says
        self.asked: list[tuple[str, float]] = []

    def available(self) -> frozenset[str]:
        return frozenset(self.says)

    def room(self) -> int:
        return 100

    async def stream(
        self, entrant_id: str, messages: Sequence[Message], sampling: Sampling, network: str = ""
    ) -> AsyncGenerator[Delta]:
        self.asked.append((entrant_id, asyncio.get_running_loop().time()))
        try:
            async for delta in self.says[entrant_id]:
                yield delta
        finally:
            await self.says[entrant_id].aclose()


async def saying(
    *pieces: str, wait: float = 0.0, fail: AnswerError | None = None, finish: Finish = "stop"
) -> AsyncGenerator[Delta]:
    for piece in pieces:
        await asyncio.sleep(wait)
        yield Delta(text=piece)
    if fail:
        raise fail
    yield Delta(finish=finish, usage=Usage(3, len(pieces)))


async def nothing_new(shown: Mapping[Side, Shown]) -> None:
    """Nobody asks later what was shown."""


async def run(
    left: AsyncGenerator[Delta],
    right: AsyncGenerator[Delta],
    pacing: Pacer | None = None,
    answer_chars: int = 4000,
    stop_after: int | None = None,
) -> tuple[list[Answer], list[StreamEvent], Speakers]:
    """Runs one turn to its end, or until so many characters of the right one were shown; what was kept, what was told, who was asked."""
    kept: list[Answer] = []

    async def keep(answers: Sequence[Answer]) -> Mapping[str, Any]:
        kept.extend(answers)
        return {"votable": True}

    speakers = Speakers(x=left, y=right)
    messages = [Message("user", "안녕?")]
    question = Question(
        "안녕?", False, {"a": "x", "b": "y"}, {"a": messages, "b": messages}, Sampling(max_chars=answer_chars)
    )
    turn = RunningTurn(1, question, speakers, pacing or Lockstep(400), keep, nothing_new)
    running = asyncio.create_task(turn.run())
    if stop_after is not None:
        shown = 0
        async for event in turn.events():
            shown += len(event.data.get("b", {}).get("text", "")) if event.name == "delta" else 0
            if shown >= stop_after:
                break
        turn.stop()
    await running
    await turn.end()
    return kept, [event async for event in turn.events()], speakers


async def test_both_sides_are_asked_before_either_answers() -> None:
    """A slow model does not delay the other's question."""
    kept, _, speakers = await run(saying("가", wait=0.3), saying("나"))
    (_, first), (_, second) = speakers.asked
    assert second - first < 0.1
    assert [a.text for a in kept] == ["가", "나"]


async def test_an_answer_is_kept_with_its_status_times_and_tokens() -> None:
    """What the model took and what the citizen waited are kept apart."""
    (a, b), _, _ = await run(saying("가", "나다"), saying("라", wait=0.2))
    assert (a.status, a.text, a.prompt_tokens, a.completion_tokens) == ("complete", "가나다", 3, 2)
    assert a.total_ms is not None
    assert b.first_token_ms is not None
    assert a.shown_ms is not None
    assert a.total_ms < b.first_token_ms <= a.shown_ms


async def test_a_failure_is_a_status_and_its_text_stays_inside() -> None:
    """The provider's error, which may name the model, is kept and never told."""
    (a, b), told, _ = await run(
        saying("가", fail=AnswerError("upstream", "garam-7b exploded")), saying("나", wait=0.05)
    )
    assert (a.status, a.error_kind, a.error_detail) == ("failed", "upstream", "garam-7b exploded")
    assert b.status in ("complete", "stopped")
    assert "garam" not in str(told)
    assert "upstream" not in str(told)


async def test_both_sides_begin_with_one_event() -> None:
    """Under the metronome the first event with text has as much of both sides, though one had written all of it long before; both are kept whole."""
    quick, slow = "빠른 답변입니다. " * 3, ["느", "린 ", "답변", "입", "니다. "] * 2
    kept, told, _ = await run(saying(quick), saying(*slow, wait=0.05), Metronome(100, 0.1, 8))
    first, *more = [event.data for event in told if event.name == "delta"]
    assert len(first["a"]["text"]) == len(first["b"]["text"]) > 0
    assert [answer.text for answer in kept] == [quick, "".join(slow)]
    assert [event.name for event in told][-3:] == ["answer", "answer", "done"]
    assert more


async def test_a_bound_in_tokens_is_nobodys_business() -> None:
    """Where a model's tokens ran out is kept, and told as an end; `truncated` is told at the bound that citizens know, in characters."""
    kept, told, _ = await run(saying("가" * 30, finish="length"), saying("나" * 60, finish="length"), answer_chars=60)
    assert [answer.status for answer in kept] == ["truncated", "truncated"]
    assert {e.data["side"]: e.data["status"] for e in told if e.name == "answer"} == {"a": "complete", "b": "truncated"}


async def test_silence_is_a_failure() -> None:
    """A model that ends without a visible character has not answered."""
    (a, _), _, _ = await run(saying("  \n"), saying("나"))
    assert (a.status, a.error_kind) == ("failed", "empty")


async def test_events_carry_nothing_of_the_models_own() -> None:
    """No field tells a count, a time or a name; sides and text only."""
    _, told, _ = await run(saying("하나"), saying("둘"))
    for event in told:
        match event.name:
            case "delta":
                assert set(event.data) <= {"a", "b"}
                assert all(set(piece) <= {"text", "html", "keep", "tail"} for piece in event.data.values())
            case "turn":
                assert event.data == {"turn": 1, "prompt": "안녕?", "masked": False}
            case "answer":
                assert set(event.data) == {"side", "status"}
            case _:
                assert (event.name, set(event.data)) == ("done", {"turn", "votable"})


async def test_a_listener_who_comes_late_hears_everything() -> None:
    """Events are numbered from 1 and replayed from wherever a listener left."""
    _, told, _ = await run(saying("하나"), saying("둘"))
    assert [e.id for e in told] == list(range(1, len(told) + 1))


@pytest.mark.parametrize("pacing", [Metronome(100, 0.1, 8), Lockstep(100)])
async def test_a_short_answer_that_was_shown_whole_is_not_stopped_with_the_long_one(pacing: Pacer) -> None:
    """Both ends are shown together, but who stops the long one has seen all of the short one: it is kept as the whole answer that it is."""
    long = saying(*["길고 긴 답변입니다. "] * 200, wait=0.001)
    (a, b), told, _ = await run(saying("예."), long, pacing, stop_after=20)
    assert (a.status, a.text) == ("complete", "예.")
    assert (b.status, 20 <= len(b.text) < 1000) == ("stopped", True)
    assert {e.data["side"]: e.data["status"] for e in told if e.name == "answer"} == {"a": "complete", "b": "stopped"}


async def test_a_stop_tells_nothing_of_what_was_thought() -> None:
    """Where the stage shows what models think, it is no part of an answer that was stopped: who presses stop early would see how far each had come."""

    async def thinking(per_s: float) -> AsyncGenerator[Delta]:
        while True:
            await asyncio.sleep(1 / per_s)
            yield Delta(reasoning="생각합니다. ")

    kept: list[Answer] = []

    async def keep(answers: Sequence[Answer]) -> Mapping[str, Any]:
        kept.extend(answers)
        return {"votable": False}

    messages = [Message("user", "안녕?")]
    question = Question("안녕?", False, {"a": "x", "b": "y"}, {"a": messages, "b": messages}, Sampling())
    says = Speakers(x=thinking(200), y=thinking(10))
    turn = RunningTurn(1, question, says, Metronome(100, 0.1, 8), keep, nothing_new, fold_reasoning=True)
    running = asyncio.create_task(turn.run())
    await asyncio.sleep(0.3)
    turn.stop()
    await running
    await turn.end()
    assert [(answer.status, answer.reasoning) for answer in kept] == [("stopped", ""), ("stopped", "")]
    told = [event.data async for event in turn.events() if event.name == "answer"]
    assert told == [{"side": "a", "status": "stopped"}, {"side": "b", "status": "stopped"}]


async def test_what_nobody_was_handed_was_not_shown() -> None:
    """Answers are kept with as much of them as a listener took: nothing where nobody listened, all of it noted once somebody has."""
    noted: list[Mapping[Side, Shown]] = []
    kept: list[Answer] = []

    async def keep(answers: Sequence[Answer]) -> Mapping[str, Any]:
        kept.extend(turn.as_shown(answers))
        return {"votable": True}

    async def note(shown: Mapping[Side, Shown]) -> None:
        noted.append(shown)

    messages = [Message("user", "안녕?")]
    question = Question("안녕?", False, {"a": "x", "b": "y"}, {"a": messages, "b": messages}, Sampling())
    says = Speakers(x=saying(*["하나 둘 셋. "] * 5), y=saying(*["넷 다섯 여섯. "] * 5))
    turn = RunningTurn(1, question, says, Lockstep(50), keep, note)
    await turn.run()
    await turn.end()
    assert [(answer.shown_chars, answer.first_shown_ms) for answer in kept] == [(0, None), (0, None)]

    heard = turn.events()
    names = [(await anext(heard)).name for _ in range(3)]
    await heard.aclose()
    await turn.note_shown()
    assert names == ["turn", "delta", "delta"]  # the last of them was sent to somebody who had left
    assert all(0 < shown.chars < 10 for shown in noted[-1].values())

    assert [event.name async for event in turn.events(2)][-1] == "done"
    assert {side: shown.chars for side, shown in noted[-1].items()} == {a.side: len(a.text) for a in kept}
    first = {side: shown.first_ms for side, shown in noted[0].items()}
    assert {side: shown.first_ms for side, shown in noted[-1].items()} == first
    assert len(noted) == 2
    assert [event async for event in turn.events()]
    assert len(noted) == 2  # nothing new: nothing is written
