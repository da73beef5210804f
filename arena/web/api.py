"""The citizen's HTTP routes: everything a citizen does goes through here, and nothing here knows an entrant before the reveal."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Cookie, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from arena.battles.arena import Arena
from arena.battles.limits import PROOF_CHARS, Act, Limits
from arena.battles.turn import RunningTurn, StreamEvent
from arena.domain.battle import Side
from arena.domain.citizen import Citizen
from arena.domain.errors import Forbidden, Unauthorized, Unusable
from arena.domain.pairing import commitment
from arena.domain.stage import STRATA_CONSENT, StageStatus
from arena.domain.vote import Winner
from arena.record.stages import StageRecord
from arena.results.live.access_log import LiveViews
from arena.results.live.leaderboard import Leaderboard
from arena.web import shapes
from arena.web.address import client_address
from arena.web.session import COOKIE, MAX_AGE_S, Sessions
from arena.web.starters import default_starters
from models.health import Health

KEEP_ALIVE_S = 15.0
BATTLES_LISTED = 100
EVENT = {
    "type": "object",
    "properties": {
        "event": {"enum": ["delta", "answer", "done", "error"]},
        "id": {"type": "string", "pattern": "^[0-9]+$"},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["event", "id", "data"],
}
EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"description": "Events as they happen.", "content": {"text/event-stream": {"itemSchema": EVENT}}}
}


@dataclass(frozen=True, slots=True)
class Services:
    """What the routes stand on; `app.py` puts it at `app.state.services`."""

    arena: Arena
    sessions: Sessions
    limits: Limits
    leaderboard: Leaderboard
    views: LiveViews
    organizer: Callable[[Request], str | None]
    health: Callable[[], Mapping[str, Health]]
    secure_cookies: bool
    trusted_proxies: int = 0

    async def admit(self, request: Request, act: Act, citizen: Citizen | None) -> str:
        """Counts one act of a citizen and their network; returns today's digest of the network."""
        address = client_address(request, self.trusted_proxies)
        return await self.arena.recorded(self.limits.enter, act, citizen.id if citizen else None, address)


def services(request: Request) -> Services:
    """The app's services."""
    return request.app.state.services


Here = Annotated[Services, Depends(services)]


def known_citizen(here: Here, arena_session: Annotated[str | None, Cookie()] = None) -> Citizen:
    """The citizen the cookie stands for."""
    citizen = here.sessions.citizen(arena_session)
    if citizen is None:
        raise Unauthorized(
            "session_needed",
            "먼저 안내를 읽고 동의해 주세요. 첫 화면에서 다시 시작할 수 있어요.",
            "Please read the notice and agree first. You can start again on the first page.",
        )
    return citizen


Me = Annotated[Citizen, Depends(known_citizen)]
BattleId = Annotated[str, Field(max_length=64)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SessionRequest(_Body):
    """What a citizen agrees to."""

    consents: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=50)]
    age_ok: bool
    proof: Annotated[str, Field(max_length=PROOF_CHARS)] | None = None
    """Base64 of a solved `GET /challenge`; needed when a refusal says `proof_needed`."""


class PromptRequest(_Body):
    """A question to both sides."""

    prompt: str


class ReasonsBySide(_Body):
    """Tags on each side."""

    a: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=50)] = []
    b: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=50)] = []


class VoteRequest(_Body):
    """The citizen's decision."""

    winner: Annotated[str, Field(max_length=64, json_schema_extra={"enum": [*Winner]})]
    reasons: ReasonsBySide = ReasonsBySide()
    comment: str = ""


router = APIRouter(prefix="/api/v1")


@router.get("/stage")
async def stage(here: Here, arena_session: Annotated[str | None, Cookie()] = None) -> dict[str, Any]:
    """The stage's public facts, and whether this browser has a session."""
    declared = here.arena.stage
    record = await here.arena.recorded(here.arena.store.stages.find, declared.id)
    citizen = here.sessions.citizen(arena_session)
    granted = await here.arena.recorded(here.arena.store.citizens.consents, citizen.id) if citizen else {}
    return {
        "id": declared.id,
        "title": declared.title.model_dump(),
        "programme": declared.programme,
        "operator": declared.operator.model_dump(),
        "round": declared.round,
        "status": record.status if record else "draft",
        "opens": declared.opens,
        "closes": declared.closes,
        "synthetic": declared.synthetic,
        "draws": _draws(record),
        "notices": {
            "ai": {
                "ko": "두 답변은 모두 생성형 인공지능(AI)이 만든 것으로, 사실과 다를 수 있습니다.",
                "en": "Both answers are written by generative AI and may be wrong.",
            }
        },
        "consents": [c.model_dump() for c in declared.consents],
        "min_age": declared.population.min_age,
        "limits": {
            "turns": declared.protocol.turns,
            "prompt_chars": declared.protocol.prompt_chars,
            "comment_chars": declared.limits.comment_chars,
        },
        "privacy": declared.protocol.privacy,
        "starters": [s.model_dump() for s in declared.starters or default_starters()],
        "reasons": [r.model_dump() for r in declared.reasons],
        "reveal": declared.protocol.reveal,
        "identity": declared.population.identity,
        "public_leaderboard": declared.protocol.public_leaderboard,
        "session": None
        if citizen is None
        else {
            "valid": all(granted.get(c.id) == c.version for c in declared.consents if c.required),
            "consents": sorted(granted),
        },
    }


def _draws(record: StageRecord | None) -> dict[str, str | None] | None:
    """What anybody needs to run the draws again: the hash of their seed from the first day on, the seed itself after the freeze."""
    if record is None:
        return None
    over = record.status in (StageStatus.FROZEN, StageStatus.PUBLISHED)
    return {"commitment": commitment(record.draw_seed), "seed": record.draw_seed if over else None}


@router.post("/session", status_code=201)
async def session(
    here: Here,
    request: Request,
    asked: SessionRequest,
    response: Response,
    arena_session: Annotated[str | None, Cookie()] = None,
) -> dict[str, Any]:
    """Keeps the consents and gives the citizen's cookie; a returning citizen keeps their pseudonym."""
    declared = here.arena.stage
    unknown = sorted(set(asked.consents) - {c.id for c in declared.consents})
    if unknown:
        raise Unusable(
            "unknown_consent", "알 수 없는 동의 항목이 있어요.", f"{unknown[0]!r} is no consent of this stage."
        )
    if not asked.age_ok:
        age = declared.population.min_age
        raise Forbidden(
            "too_young", f"만 {age}세 이상만 참여할 수 있어요.", f"You have to be {age} or older to take part."
        )
    if any(c.required and c.id not in asked.consents for c in declared.consents):
        raise Forbidden(
            "consent_needed",
            "필수 항목에 동의해야 참여할 수 있어요.",
            "You can take part only if you agree to the required items.",
        )
    citizen = here.sessions.citizen(arena_session)
    if citizen is not None and await here.arena.recorded(here.arena.store.citizens.has_withdrawn, citizen.id):
        citizen = None
    if declared.population.identity == "oidc" and (citizen is None or citizen.identity_level == "anonymous"):
        raise Unauthorized(
            "login_needed",
            "이 평가는 본인 확인 뒤에 참여할 수 있어요. 먼저 로그인해 주세요.",
            "This evaluation asks you to log in first: open /login.",
        )
    if citizen is None:
        address = client_address(request, here.trusted_proxies)
        await here.arena.recorded(here.limits.welcome, address, asked.proof)
        citizen, cookie = here.sessions.new()
        response.set_cookie(
            COOKIE, cookie, max_age=MAX_AGE_S, httponly=True, samesite="lax", secure=here.secure_cookies, path="/"
        )
    answers = {c.id: (c.version, c.id in asked.consents) for c in declared.consents}
    await here.arena.recorded(here.arena.store.citizens.enrol, citizen, answers, here.arena.now())
    if STRATA_CONSENT not in asked.consents and declared.population.strata:
        await here.arena.recorded(here.arena.store.strata.answer, citizen.id, {}, here.arena.now())
    return {"consents": sorted(asked.consents)}


@router.delete("/session", status_code=204)
async def withdraw(here: Here, response: Response, arena_session: Annotated[str | None, Cookie()] = None) -> None:
    """Takes every consent back: texts are erased for good, votes stay without a person, the cookie goes."""
    known = here.sessions.known(arena_session)
    if known is not None:
        citizen, subject = known
        await here.arena.recorded(here.arena.store.erasure.withdraw, citizen, subject, here.arena.now())
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax", secure=here.secure_cookies)


@router.get("/challenge")
async def challenge(here: Here) -> dict[str, Any]:
    """A proof of work to solve (ALTCHA, version 2), good for ten minutes and one session."""
    return here.limits.challenge()


@router.post("/battles", status_code=201, response_model=shapes.Opened)
async def open_battle(here: Here, request: Request, me: Me) -> dict[str, str]:
    """Draws a battle between two hidden entrants."""
    await here.admit(request, "battle", me)
    return {"battle_id": await here.arena.open(me)}


@router.get("/battles", response_model=list[shapes.Listed])
async def my_battles(here: Here, me: Me) -> list[dict[str, Any]]:
    """This citizen's newest battles."""
    listed = await here.arena.recorded(here.arena.store.battles.of_citizen, me.id, BATTLES_LISTED)
    return [
        {
            "battle_id": battle.id,
            "state": battle.state,
            "opened_at": battle.opened_at,
            "turns": turns,
            "receipt": receipt,
        }
        for battle, turns, receipt in listed
    ]


@router.get("/battles/{battle_id}", response_model=shapes.Seen)
async def battle(here: Here, me: Me, battle_id: BattleId) -> dict[str, Any]:
    """The owner's view: turns, state, receipt, and the reveal once allowed."""
    view = asdict(await here.arena.view(me, battle_id))
    if view["reveal"]:
        view["reveal"] = {side: _revealed(who) for side, who in view["reveal"].items()}
    return view


@router.post("/battles/{battle_id}/turns", response_class=StreamingResponse, responses=EVENTS)
async def ask(here: Here, request: Request, me: Me, battle_id: BattleId, asked: PromptRequest) -> StreamingResponse:
    """Asks both sides; answers as `text/event-stream`."""
    await here.admit(request, "turn", me)
    return _stream(await here.arena.ask(me, battle_id, asked.prompt), 0)


@router.get("/battles/{battle_id}/turns/{n}/stream", response_class=StreamingResponse, responses=EVENTS)
async def resume(
    here: Here,
    me: Me,
    battle_id: BattleId,
    n: int,
    last_event_id: Annotated[str | None, Header()] = None,
    after: Annotated[int, Query(ge=0)] = 0,
) -> StreamingResponse:
    """Picks a dropped stream up again after `Last-Event-ID`."""
    if last_event_id is not None and last_event_id.isascii() and last_event_id.isdigit():
        after = int(last_event_id[:12])
    return _stream(here.arena.running(me, battle_id, n), after)


@router.post("/battles/{battle_id}/stop", status_code=202)
async def stop(here: Here, me: Me, battle_id: BattleId) -> dict[str, Literal[True]]:
    """Stops both sides."""
    await here.arena.stop(me, battle_id)
    return {"stopping": True}


@router.post(
    "/battles/{battle_id}/vote",
    status_code=201,
    response_model=shapes.Thanked,
    responses={200: {"model": shapes.Thanked, "description": "The same vote was there already"}},
)
async def vote(
    here: Here, request: Request, me: Me, battle_id: BattleId, asked: VoteRequest, response: Response
) -> dict[str, Any]:
    """Casts the vote; the answer follows the commit. The same vote again is answered with 200 and the same receipt."""
    reasons: dict[Side, list[str]] = {"a": asked.reasons.a, "b": asked.reasons.b}
    network = await here.admit(request, "vote", me)
    thanks = await here.arena.vote(me, battle_id, asked.winner, reasons, asked.comment, network=network)
    if not thanks.new:
        response.status_code = 200
    reveal = None if thanks.reveal is None else {side: _revealed(asdict(who)) for side, who in thanks.reveal.items()}
    return {"receipt": thanks.receipt, "reveal": reveal}


@router.get("/leaderboard")
async def leaderboard(here: Here, request: Request) -> Response:
    """The live snapshot: for organizers, and for everybody once the stage file says so."""
    if not here.arena.stage.protocol.public_leaderboard:
        organizer = here.organizer(request)
        if organizer is None:
            raise Forbidden(
                "leaderboard_closed",
                "투표가 진행되는 동안에는 순위를 공개하지 않아요.",
                "Ratings are not public while voting is open.",
            )
        await here.arena.recorded(here.views.note, organizer)
    snapshot = await here.arena.recorded(here.leaderboard.snapshot)
    return Response(orjson.dumps(snapshot.to_json()), media_type="application/json")


health = APIRouter()


@health.get("/healthz")
async def alive() -> dict[str, bool]:
    """The process answers."""
    return {"ok": True}


@health.get("/readyz")
async def ready(here: Here) -> Response:
    """Whether a vote could be saved now and two entrants reached."""
    await here.arena.ready()
    return Response(b'{"ok":true}', media_type="application/json")


def _revealed(who: dict[str, Any]) -> dict[str, Any]:
    return {"id": who["id"], "team": {"ko": who["team"].ko, "en": who["team"].en}}


def _stream(turn: RunningTurn, after: int) -> StreamingResponse:
    return StreamingResponse(
        _sse(turn.events(after)),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


async def _sse(events: AsyncIterator[StreamEvent]) -> AsyncIterator[bytes]:
    """Server-sent events; a comment now and then, so that no proxy takes silence for death."""
    following = asyncio.ensure_future(anext(events, None))
    try:
        while True:
            done, _ = await asyncio.wait({following}, timeout=KEEP_ALIVE_S)
            if not done:
                yield b": still here\n\n"
                continue
            event = following.result()
            if event is None:
                return
            yield b"event: %b\nid: %d\ndata: %b\n\n" % (event.name.encode(), event.id, orjson.dumps(event.data))
            following = asyncio.ensure_future(anext(events, None))
    finally:
        following.cancel()
