"""What anybody may know of the stage, and how the arena is: facts, live standings, whether it can serve."""

from typing import Any, Literal

import orjson
from fastapi import APIRouter, Request, Response

from arena.domain.citizen import Citizen
from arena.domain.declared import Bilingual
from arena.domain.errors import Forbidden
from arena.domain.stage import StageStatus
from arena.domain.starters import starters_for
from arena.i18n.catalogue import both
from arena.record.stages import StageRecord
from arena.results.live.public_board import votes_missing
from arena.web.api.schemas import Draws, StageLimits, StageSession, StageView
from arena.web.core.consents import asked
from arena.web.core.dependencies import Here, Services
from arena.web.core.standing import TAKES_VOTES

router = APIRouter(prefix="/api/v1")
health = APIRouter()


@router.get("/stage")
async def stage(here: Here, request: Request) -> StageView:
    """Return the stage's public facts, and whether this browser has a session."""
    return await facts(here, await here.arena.run_in_db_thread(here.citizen, request))


async def facts(here: Services, citizen: Citizen | None) -> StageView:
    """Collect what anybody may know of the stage, and what this citizen has agreed to."""
    declared = here.arena.stage
    standing = await here.arena.run_in_db_thread(here.standing.read)
    record = standing.record
    granted = await here.arena.run_in_db_thread(here.arena.store.citizens.consents, citizen.id) if citizen else {}
    valid = all(granted.get(c.id) == c.version for c in declared.consents if c.required)
    return StageView(
        id=declared.id,
        title=declared.title,
        programme=declared.programme,
        operator=declared.operator,
        round=declared.round,
        status=record.status if record else StageStatus.DRAFT,
        state=standing.state,
        votes=standing.votes,
        planned_votes=declared.population.planned_votes,
        opens=declared.opens,
        closes=declared.closes,
        synthetic=declared.synthetic,
        draws=_draws(record),
        notices={"ai": Bilingual(**both("api_notice_ai"))},
        consents=asked(declared),
        min_age=declared.population.min_age,
        limits=StageLimits(
            turns=declared.protocol.turns,
            prompt_chars=declared.protocol.prompt_chars,
            comment_chars=declared.limits.comment_chars,
        ),
        privacy=declared.protocol.privacy,
        starters=starters_for(declared, here.arena.now()),
        reasons=declared.reasons,
        reveal=declared.protocol.reveal,
        population=declared.population.kind,
        identity=declared.population.identity,
        public_leaderboard=declared.protocol.public_leaderboard,
        session=StageSession(valid=valid, consents=sorted(granted)) if citizen else None,
    )


async def standings(here: Services, organizer: str | None) -> dict[str, Any]:
    """Give the live snapshot to whoever may see it; that an organizer saw it is kept.

    Raises:
        Forbidden: no organizer asks, and the stage file does not open it to everybody, voting is over, or too few votes say too little.
    """
    stage, in_thread = here.arena.stage, here.arena.run_in_db_thread
    public = stage.protocol.public_leaderboard
    if organizer is not None:
        if not public:
            await in_thread(here.views.note, organizer)
    elif not public:
        raise Forbidden("leaderboard_closed")
    elif (await in_thread(here.standing.read)).state not in TAKES_VOTES:
        raise Forbidden("leaderboard_over")
    snapshot = await in_thread(here.leaderboard.snapshot)
    if organizer is None and (missing := votes_missing(snapshot, stage)):
        raise Forbidden("leaderboard_early", least=stage.leaderboard_votes, missing=missing)
    return snapshot.to_json()


@router.get("/leaderboard")
async def leaderboard(here: Here, request: Request) -> Response:
    """Return the live snapshot: for organizers, and for everybody once the stage file says so."""
    told = await standings(here, await here.organizers.name(request))
    return Response(orjson.dumps(told), media_type="application/json")


@health.get("/healthz")
async def alive() -> dict[Literal["ok"], bool]:
    """Answer, to show that the process lives."""
    return {"ok": True}


@health.get("/readyz")
async def ready(here: Here) -> dict[Literal["ok"], bool]:
    """Tell whether a vote could be saved now."""
    await here.arena.ready()
    return {"ok": True}


def _draws(record: StageRecord | None) -> Draws | None:
    """Give what anybody needs to run the draws again: the hash of their seed from the first day on, the seed itself after the freeze."""
    if record is None:
        return None
    over = record.status in (StageStatus.FROZEN, StageStatus.PUBLISHED)
    return Draws(commitment=record.draw_commitment, beacon=record.beacon, seed=record.draw_seed if over else None)
