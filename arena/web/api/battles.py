"""A citizen's battles: open, ask, listen, stop, vote, look back. Nothing here knows an entrant before the reveal."""

import gzip
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import Field

from arena.battles.blind_view import BlindBattle
from arena.battles.turn import RunningTurn, StreamEvent
from arena.domain.battle import Side
from arena.domain.errors import ArenaError, Unusable
from arena.domain.starters import topics_of
from arena.i18n.catalogue import in_both
from arena.web.api.schemas import (
    AnswerView,
    BattleRequest,
    BattleSummary,
    BattleView,
    OpenedBattle,
    PromptRequest,
    StopResponse,
    TurnView,
    VoteRequest,
    VoteResponse,
    own_vote_view,
    reveal_view,
)
from arena.web.core.dependencies import Here, Me, Reader, Voter
from arena.web.core.provenance import account

BATTLES_LISTED = 100
GZIP_LEVEL = 4
BattleId = Annotated[str, Field(max_length=64)]
_EVENT = {
    "type": "object",
    "properties": {
        "event": {"enum": ["turn", "delta", "answer", "done", "error"]},
        "id": {"type": "string", "pattern": "^[0-9]+$"},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["event", "id", "data"],
}
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"description": "Events as they happen.", "content": {"text/event-stream": {"itemSchema": _EVENT}}}
}

router = APIRouter(prefix="/api/v1/battles")


@router.post("", status_code=201)
async def open_battle(here: Here, request: Request, me: Me, asked: BattleRequest | None = None) -> OpenedBattle:
    """Draw a battle between two hidden entrants; where the stage has `repeats`, now and then one of this citizen's own is shown again."""
    topic = asked.topic if asked else None
    if topic is not None and topic not in topics_of(here.arena.stage):
        raise Unusable("unknown_topic", value=repr(topic))
    admission = await here.battle(request, me, asked.proof if asked else None)
    opened = await here.arena.open(me, admission, topic=topic)
    return OpenedBattle(battle_id=opened.battle_id, repeat=opened.repeat)


@router.get("")
async def my_battles(here: Here, me: Reader) -> list[BattleSummary]:
    """List this citizen's newest battles, the newest first; what is `votable` waits for its vote."""
    return [
        BattleSummary(
            battle_id=own.battle_id,
            state=own.state,
            votable=own.votable,
            opened_at=own.opened_at,
            turns=own.turns,
            prompt_start=own.prompt_start,
            winner=own.winner,
            receipt=own.receipt,
            reveal=reveal_view(own.reveal),
        )
        for own in await here.arena.run_in_db_thread(here.arena.own, me, BATTLES_LISTED)
    ]


@router.get("/{battle_id}", response_model=BattleView)
async def battle(here: Here, request: Request, me: Reader, battle_id: BattleId) -> Response:
    """Return the owner's view: turns, state, one's own vote with its receipt, and the reveal once allowed."""
    view = await here.arena.view(me, battle_id)
    small = "gzip" in request.headers.get("accept-encoding", "")
    # Ten long turns are more than a megabyte: whoever votes meanwhile does not wait until that is written and packed.
    return await here.arena.run_in_view_thread(_written, view, small=small)


def _written(view: BlindBattle, *, small: bool) -> Response:
    """Write the view as the answer that is sent, packed where the reader takes it so."""
    turns = [
        TurnView(
            n=turn.n,
            prompt=turn.prompt,
            answers={
                side: AnswerView(status=said.status, text=said.text, html=said.html, reasoning=said.reasoning)
                for side, said in turn.answers.items()
            },
        )
        for turn in view.turns
    ]
    told = BattleView(
        battle_id=view.battle_id,
        state=view.state,
        votable=view.votable,
        repeat=view.repeat,
        opened_at=view.opened_at,
        turns=turns,
        turns_left=view.turns_left,
        vote=own_vote_view(view.vote),
        reveal=reveal_view(view.reveal),
    )
    body = told.model_dump_json(by_alias=True).encode()
    headers = {"vary": "Accept-Encoding"}
    if small:
        body = gzip.compress(body, GZIP_LEVEL)
        headers["content-encoding"] = "gzip"
    return Response(body, media_type="application/json", headers=headers)


async def begun(here: Here, request: Request, me: Me, battle_id: BattleId, asked: PromptRequest) -> RunningTurn:
    """Ask both sides, before a word of the stream is sent: what is refused is refused with a status of its own."""
    admission = await here.admission(request, "turn", me)
    return await here.arena.ask(me, battle_id, asked.prompt, admission)


@router.post("/{battle_id}/turns", response_class=EventSourceResponse, responses=_EVENTS)
async def ask(turn: Annotated[RunningTurn, Depends(begun)]) -> AsyncIterator[ServerSentEvent]:
    """Ask both sides; answer as `text/event-stream`."""
    async for event in turn.events():
        yield _sent(event)


async def running(here: Here, me: Reader, battle_id: BattleId, n: int) -> RunningTurn:
    """Find the turn, or refuse."""
    return await here.arena.running(me, battle_id, n)


@router.get("/{battle_id}/turns/{n}/stream", response_class=EventSourceResponse, responses=_EVENTS)
async def resume(
    turn: Annotated[RunningTurn, Depends(running)],
    last_event_id: Annotated[str | None, Header()] = None,
    after: Annotated[int, Query(ge=0)] = 0,
) -> AsyncIterator[ServerSentEvent]:
    """Pick a dropped stream up again after `Last-Event-ID`."""
    if last_event_id is not None and last_event_id.isascii() and last_event_id.isdigit():
        after = int(last_event_id[:12])
    async for event in turn.events(after):
        yield _sent(event)


@router.post("/{battle_id}/stop", status_code=202)
async def stop(here: Here, me: Reader, battle_id: BattleId) -> StopResponse:
    """Stop both sides."""
    await here.arena.stop(me, battle_id)
    return StopResponse(stopping=True)


@router.post(
    "/{battle_id}/vote",
    status_code=201,
    responses={200: {"model": VoteResponse, "description": "The same vote was there already"}},
)
async def vote(
    here: Here, request: Request, me: Voter, battle_id: BattleId, asked: VoteRequest, response: Response
) -> VoteResponse:
    """Cast the vote; the answer follows the commit. The same vote again is answered with 200 and the same record, receipt and promise."""
    reasons: dict[Side, list[str]] = {"a": asked.reasons.a, "b": asked.reasons.b}
    admission = await here.admission(request, "vote", me)
    cast = await here.arena.vote(me, battle_id, asked.winner, reasons, asked.comment, admission, turns=asked.turns)
    if not cast.new:
        response.status_code = 200
        # A retry is welcome; who goes on and on is told to wait before the record is asked.
        here.refused.note(account(request.scope, me.id))
    kept = cast.vote
    return VoteResponse(
        receipt=kept.receipt, record=kept.record.decode(), promise=kept.promise, reveal=reveal_view(cast.reveal)
    )


def _sent(event: StreamEvent) -> ServerSentEvent:
    data = _told(event.data) if event.name == "error" else event.data
    return ServerSentEvent(event=event.name, id=str(event.id), raw_data=orjson.dumps(data).decode())


def _told(refused: Mapping[str, Any]) -> dict[str, Any]:
    """Return why a turn did not end well, with its sentence in both languages."""
    return {"code": refused["code"], "message": in_both(ArenaError(refused["code"], **refused["params"]))}
