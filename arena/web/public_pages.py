"""Pages that need no Gradio: how it works, the rules and who runs it, privacy, accessibility. Plain, quick, and they work without JavaScript."""

from fastapi import APIRouter, Request, Response

from arena.domain.stage import Stage
from arena.record.store import Store
from arena.web.layout import Layout


def routes(layout: Layout, stage: Stage, store: Store) -> APIRouter:
    """The routes of these pages."""
    router = APIRouter(include_in_schema=False)

    @router.get("/how")
    def how(request: Request) -> Response:
        return layout.prose(request, "how", title="title_how")

    @router.get("/privacy")
    def privacy(request: Request) -> Response:
        return layout.prose(request, "privacy", title="title_privacy")

    @router.get("/accessibility")
    def accessibility(request: Request) -> Response:
        return layout.prose(request, "accessibility", title="title_accessibility")

    @router.get("/rules")
    def rules(request: Request) -> Response:
        return layout.page(request, "rules.html", title="title_rules", record=store.stages.find(stage.id))

    return router
