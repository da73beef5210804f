"""A citizen's own battles and receipts, and the way out: for whoever carries the cookie, and nobody else."""

from typing import Annotated

from fastapi import APIRouter, Cookie, Request, Response

from arena.domain.battle import BattleState
from arena.web.api import BATTLES_LISTED, Here
from arena.web.layout import Layout


def routes(layout: Layout) -> APIRouter:
    """The route of this page."""
    router = APIRouter(include_in_schema=False)

    @router.get("/my")
    def mine(request: Request, here: Here, arena_session: Annotated[str | None, Cookie()] = None) -> Response:
        citizen = here.sessions.citizen(arena_session)
        listed = here.arena.store.battles.of_citizen(citizen.id, BATTLES_LISTED) if citizen else []
        # A battle that was opened and never asked anything is nothing to look at.
        shown = [row for row in listed if row[1] or row[0].state is not BattleState.OPEN]
        response = layout.page(request, "my.html", title="title_my", battles=shown, known=citizen is not None)
        response.headers["cache-control"] = "no-store"
        return response

    return router
