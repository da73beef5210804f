"""Pages that need no Gradio: how it works, the rules and who runs it, privacy, accessibility. Plain, quick, and they work without JavaScript."""

import tomllib
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from arena.domain.stage import Stage
from arena.record.counters import KEPT_DAYS
from arena.record.store import Store
from arena.web.core import negotiation, session
from arena.web.core.consents import asked, teams_period
from arena.web.core.negotiation import language_of
from arena.web.pages.layout import Layout

REMEDIES: Final[list[dict[str, Any]]] = tomllib.loads(Path(__file__).with_name("remedies.toml").read_text("utf-8"))[
    "remedies"
]
DAY_S: Final = 24 * 3600


def routes(layout: Layout, stage: Stage, store: Store) -> APIRouter:
    """Build the routes of these pages."""
    router = APIRouter(include_in_schema=False)
    consents = asked(stage)

    @router.get("/how")
    def how(request: Request) -> Response:
        return layout.prose(request, "how", title="title_how")

    @router.get("/privacy")
    def privacy(request: Request) -> Response:
        language = language_of(request)
        return layout.prose(
            request,
            "privacy",
            title="title_privacy",
            consents=consents,
            teams_period=teams_period(stage, language),
            remedies=REMEDIES,
            network_days=KEPT_DAYS,
            session_days=session.MAX_AGE_S // DAY_S,
            session_hours=session.SESSION_LASTS_S // 3600,
            login_minutes=session.LOGIN_LASTS_S // 60,
            language_days=negotiation.MAX_AGE_S // DAY_S,
        )

    @router.get("/accessibility")
    def accessibility(request: Request) -> Response:
        return layout.prose(request, "accessibility", title="title_accessibility")

    @router.get("/rules")
    def rules(request: Request) -> Response:
        return layout.page(request, "rules.html", title="title_rules", record=store.stages.find(stage.id))

    return router
