"""A citizen comes, says something of themselves, and goes: consent, the cookie, voluntary answers, withdrawal."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from arena.battles.limits import Worked
from arena.domain.citizen import Citizen
from arena.domain.errors import Forbidden, Unauthorized, Unusable
from arena.domain.stage import STRATA_CONSENT
from arena.record.battles import require_consents
from arena.web.api.panel import subject_by, take_seat
from arena.web.api.schemas import (
    AboutYou,
    AboutYouRequest,
    CategoryView,
    ConsentsRequest,
    QuestionView,
    SessionRequest,
    SessionResponse,
)
from arena.web.core.dependencies import Here, MaybeMe, Me, Reader, Services
from arena.web.core.provenance import account
from arena.web.core.session import MAX_AGE_S

router = APIRouter(prefix="/api/v1")


@router.post("/session", status_code=201)
async def session(
    here: Here, request: Request, asked: SessionRequest, response: Response, who: MaybeMe
) -> SessionResponse:
    """Keep what somebody agrees to for the first time, and give them the citizen's cookie.

    Who logged in is who they were, and so is who types the code of an invitation. Everybody else is a new citizen: a cookie that was there
    before may be somebody else's, who would read on.
    """
    declared = here.arena.stage
    answers = _answers(here, asked.consents)
    if not asked.age_ok:
        raise Forbidden("too_young", age=declared.population.min_age)
    if declared.population.identity == "oidc":
        known = here.sessions.known(request)
        if known is None or who is None:
            raise Unauthorized("login_needed")
        citizen, subject = known
        if declared.population.kind == "panel":
            await take_seat(here, subject, asked.invitation)
        admission = await here.admission(request, "change", citizen)
    elif declared.population.kind == "panel":
        citizen, cookie = here.sessions.new(await subject_by(here, asked.invitation), "invited")
        here.sessions.cookie.give(response, cookie, MAX_AGE_S)
        admission = await here.admission(request, "change", citizen)
    else:
        admission = await here.welcome(request, asked.proof)
        citizen, cookie = here.sessions.new()
        here.sessions.cookie.give(response, cookie, MAX_AGE_S)
    await here.arena.run_in_db_thread(here.arena.store.citizens.enrol, citizen, answers, here.arena.now(), admission)
    return SessionResponse(consents=sorted(asked.consents))


@router.put("/session")
async def change(here: Here, request: Request, me: Me, asked: ConsentsRequest) -> SessionResponse:
    """Change what a citizen has agreed to, or agree to its newest version; they stay who they are."""
    answers = _answers(here, asked.consents)
    admission = await here.admission(request, "change", me)
    await here.arena.run_in_db_thread(here.arena.store.citizens.answer, me.id, answers, here.arena.now(), admission)
    return SessionResponse(consents=sorted(asked.consents))


@router.delete("/session", status_code=204)
async def withdraw(here: Here, request: Request, response: Response) -> None:
    """Take every consent back: texts are erased for good, votes stay without a person, the cookie goes."""
    known = here.sessions.known(request)
    if known is not None:
        citizen, subject = known
        # Once: whoever has gone has nothing left to take back, and keeps nobody waiting by going again.
        if not await here.arena.run_in_db_thread(here.arena.store.citizens.has_withdrawn, citizen.id):
            await here.arena.run_in_db_thread(here.arena.store.erasure.withdraw, citizen, subject, here.arena.now())
            here.arena.forget(citizen)
    here.sessions.cookie.take_back(response)


@router.get(
    "/challenge",
    response_model=dict[str, Any],
    responses={204: {"description": "No work is due: the act needs no proof now."}},
)
async def challenge(here: Here, request: Request, me: MaybeMe, act: Worked = "session") -> dict[str, Any] | Response:
    """Give a proof of work to solve (ALTCHA, version 2), good for ten minutes and one new session or battle of this browser."""
    if act == "battle" and me is None:
        raise Unauthorized("session_needed")
    if me is not None:
        here.reads.take(account(request.scope, me.id))
    made = await here.challenge(request, act, me if act == "battle" else None)
    return made if made is not None else Response(status_code=204)


@router.get("/about-you")
async def about_you(here: Here, me: Reader) -> AboutYou:
    """Return the stage's questions about its voters, and this citizen's answers."""
    held = await here.arena.run_in_db_thread(here.arena.store.strata.of_citizen, me.id)
    questions = [
        QuestionView(
            id=stratum.id,
            title=stratum.title,
            categories=[CategoryView(id=category.id, title=category.title) for category in stratum.categories],
        )
        for stratum in here.arena.stage.population.strata
    ]
    return AboutYou(strata=questions, answers=held)


@router.put("/about-you", status_code=204)
async def answer(here: Here, request: Request, me: Me, asked: AboutYouRequest) -> None:
    """Replace all of this citizen's answers; an empty object takes them back."""
    strata = here.arena.stage.population.strata
    known = {stratum.id: {category.id for category in stratum.categories} for stratum in strata}
    for question, category in asked.answers.items():
        if category not in known.get(question, set()):
            raise Unusable("unknown_answer", question=question, answer=category)
    if asked.answers:
        await _require_consent(here, me)
    admission = await here.admission(request, "change", me)
    await here.arena.run_in_db_thread(here.arena.store.strata.answer, me.id, asked.answers, here.arena.now(), admission)


async def _require_consent(here: Services, me: Citizen) -> None:
    granted = await here.arena.run_in_db_thread(here.arena.store.citizens.consents, me.id)
    wanted = {consent.id: consent.version for consent in here.arena.stage.consents}
    if granted.get(STRATA_CONSENT) != wanted.get(STRATA_CONSENT):
        raise Forbidden("strata_consent_needed")


def _answers(here: Services, given: Sequence[str]) -> dict[str, tuple[int, bool]]:
    """Read the answer to each of the stage's consents, `{consent id: (version, granted)}`.

    Raises:
        Unusable: the stage does not ask for one of these.
        Forbidden: a required one is missing.
    """
    declared = here.arena.stage.consents
    if unknown := sorted(set(given) - {consent.id for consent in declared}):
        raise Unusable("unknown_consent", id=unknown[0])
    answers = {consent.id: (consent.version, consent.id in given) for consent in declared}
    require_consents({id: version for id, (version, granted) in answers.items() if granted}, declared)
    return answers
