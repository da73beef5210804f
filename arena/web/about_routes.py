"""What a citizen says about themselves, for weighting: asked only with consent, every question optional, taken back at any time."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from arena.domain.citizen import Citizen
from arena.domain.errors import Forbidden, Unusable
from arena.domain.stage import STRATA_CONSENT, Stage
from arena.web import shapes
from arena.web.api import Here, Me, Services

router = APIRouter(prefix="/api/v1")

Word = Annotated[str, Field(max_length=64)]


class Answers(BaseModel):
    """`{question: category}`; what is left out is not answered."""

    model_config = ConfigDict(extra="forbid")

    answers: Annotated[dict[Word, Word], Field(max_length=50)]


@router.get("/about-you", response_model=shapes.AboutYou)
async def about_you(here: Here, me: Me) -> dict[str, Any]:
    """The stage's questions about its voters, and this citizen's answers."""
    held = await here.arena.run_in_db_thread(here.arena.store.strata.of_citizen, me.id)
    strata = [stratum.model_dump(exclude={"categories": {"__all__": {"target"}}}) for stratum in _strata(here)]
    return {"strata": strata, "answers": held}


@router.put("/about-you", status_code=204)
async def answer(here: Here, me: Me, asked: Answers) -> None:
    """Replaces all of this citizen's answers; an empty object takes them back."""
    known = {stratum.id: {category.id for category in stratum.categories} for stratum in _strata(here)}
    for question, category in asked.answers.items():
        if category not in known.get(question, set()):
            raise Unusable(
                "unknown_answer",
                "이 평가에 없는 질문이거나 고를 수 없는 답이에요.",
                f"{question!r}: {category!r} is no answer that this stage offers; see GET /api/v1/about-you.",
            )
    if asked.answers:
        await _require_consent(here, me)
    await here.arena.run_in_db_thread(here.arena.store.strata.answer, me.id, asked.answers, here.arena.now())


def _strata(here: Services) -> Any:
    stage: Stage = here.arena.stage
    return stage.population.strata


async def _require_consent(here: Services, me: Citizen) -> None:
    granted = await here.arena.run_in_db_thread(here.arena.store.citizens.consents, me.id)
    wanted = {consent.id: consent.version for consent in here.arena.stage.consents}
    if granted.get(STRATA_CONSENT) != wanted.get(STRATA_CONSENT):
        raise Forbidden(
            "consent_needed",
            "참여자 특성 항목에 동의해야 답할 수 있어요. 동의하지 않아도 대결에는 참여할 수 있어요.",
            "Answering needs the optional consent about you; you can take part without it.",
        )
