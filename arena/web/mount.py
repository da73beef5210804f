"""The application: every route, page and middleware in its place, before any model is open."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio.to_thread
import gradio as gr
from fastapi import FastAPI, Request, Response
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Match, Mount
from starlette.types import Scope

from arena import __version__
from arena.domain.stage import Stage
from arena.record.keys import Keys
from arena.record.ledger import Ledger
from arena.record.store import Store
from arena.results.export.bundle import git_commit
from arena.results.export.cache import ExportCache
from arena.results.live.access_log import LiveViews
from arena.results.live.leaderboard import Leaderboard
from arena.results.publish.publications import Publications
from arena.web.api import battles, exports, ledger, metrics, problems, sessions
from arena.web.api import stage as stage_facts
from arena.web.api.gradio_client import GradioClient
from arena.web.auth.oidc import Oidc
from arena.web.auth.organizer import OrganizerGate, OrganizerLogin
from arena.web.console.actions import Actions
from arena.web.console.cache import DocumentCache
from arena.web.console.routes import routes as console_routes
from arena.web.core.dependencies import ArenaApp
from arena.web.core.headers import HEADERS, HSTS
from arena.web.core.problem import Refusals
from arena.web.core.session import OrganizerSessions
from arena.web.core.standing import StandingReader
from arena.web.core.static import FOREVER, MOUNTED, Assets, gradios_files
from arena.web.middleware.patience import PatienceMiddleware
from arena.web.middleware.security import SecurityMiddleware
from arena.web.pages import citizen, my, organizer, proofs, public, results
from arena.web.pages.layout import Layout

_GRADIOS: Final = frozenset({"/config", "/favicon.ico", "/gradio_api/info"})
"""What Gradio's web component asks the Blocks themselves for, under the address they are mounted at."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the application is made from; none of it needs a model."""

    stage: Stage
    store: Store
    keys: Keys
    ledger: Ledger
    leaderboard: Leaderboard
    standing: StandingReader
    views: LiveViews
    organizers: OrganizerSessions
    login: Oidc | None
    """Where citizens say who they are, when the stage asks."""
    exports: Path
    """The folder that holds a folder of exports for each stage."""
    evidence: Path
    """The folder in which the entrants' keys wait, in a folder for each stage."""
    root: Path
    """The checkout, for the commit that exports name."""
    webhooks: Sequence[str]
    """Who hears of a publication."""
    public_url: str


def create_app(parts: Parts, lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]]) -> ArenaApp:
    """Build the application; `lifespan` gives it its services and takes them back."""
    app = ArenaApp(
        title="K-AI Arena",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses=problems.RESPONSES,
    )
    layout = Layout(parts.stage, parts.standing)
    refusals = Refusals(layout.refusal)
    problems.install(app, refusals)
    cache = ExportCache(parts.store, parts.keys, parts.exports, git_commit(parts.root))
    publications = Publications(parts.store, parts.keys, parts.exports)
    _add_routes(app, parts, cache, publications)
    _add_console(app, parts)
    _add_pages(app, parts, layout, publications)
    _add_middleware(app, parts, refusals)
    return app


def _add_routes(app: ArenaApp, parts: Parts, cache: ExportCache, publications: Publications) -> None:
    for router in (stage_facts.router, stage_facts.health, sessions.router, battles.router, metrics.router):
        app.include_router(router)
    if parts.login is not None:
        app.include_router(parts.login.router)
    app.include_router(ledger.routes(parts.store, parts.ledger, parts.keys, parts.stage.id))
    app.include_router(exports.routes(exports.ExportDesk(parts.store, parts.keys, cache), publications))


def _add_console(app: ArenaApp, parts: Parts) -> None:
    login = OrganizerLogin(parts.store.organizers, parts.organizers)
    app.console_link = login.one_time_link
    app.include_router(login.router)
    cache = DocumentCache(
        parts.stage,
        parts.store,
        parts.leaderboard.feed,
        parts.leaderboard,
        parts.exports / parts.stage.id,
        parts.evidence / parts.stage.id,
    )
    actions = Actions(cache, parts.keys, parts.root, parts.webhooks)
    app.include_router(console_routes(cache, actions, parts.views))


def _add_pages(app: ArenaApp, parts: Parts, layout: Layout, publications: Publications) -> None:
    app.include_router(public.routes(layout, parts.stage, parts.store))
    app.include_router(proofs.routes(layout, parts.stage, parts.ledger, parts.public_url))
    app.include_router(my.routes(layout, parts.stage, publications))
    app.include_router(results.routes(layout, parts.stage, parts.leaderboard, publications))
    app.include_router(organizer.routes(layout))
    app.include_router(citizen.routes(layout))
    app.mount(MOUNTED, Assets())

    async def enter_console(request: Request) -> str | None:
        """Tell who enters the console; that they see live ratings is kept before they do."""
        name = await parts.organizers.name(request)
        if name is not None:
            await anyio.to_thread.run_sync(parts.views.note, name)
        return name

    _mount_gradio(app, organizer.build(parts.stage), "/organizer", enter=enter_console)
    citizens = citizen.build(parts.stage)
    client = GradioClient(lambda: app.services, parts.ledger)
    with citizens:
        client.declare()
    app.include_router(client.router)
    _mount_gradio(app, citizens, "/")


def _add_middleware(app: ArenaApp, parts: Parts, refusals: Refusals) -> None:
    """Add what stands around every request; the last one stands outermost."""
    origins = [parts.public_url] if parts.public_url else []
    # Our own CORS rule on the parent keeps Gradio from adding one that reflects any origin.
    app.add_middleware(CORSMiddleware, allow_origins=origins)
    app.add_middleware(GZipMiddleware, minimum_size=600, compresslevel=6)
    app.add_middleware(OrganizerGate, sessions=parts.organizers, refusals=refusals)
    app.add_middleware(SecurityMiddleware, origins=origins, body_bytes=parts.stage.limits.body_bytes, refusals=refusals)
    headers = (*HEADERS, HSTS) if parts.public_url.startswith("https:") else HEADERS
    app.add_middleware(PatienceMiddleware, refusals=refusals, headers=headers)


def _mount_gradio(
    app: FastAPI,
    page: gr.Blocks,
    path: str,
    *,
    enter: Callable[[Request], Awaitable[str | None]] | None = None,
) -> None:
    async def theme(v: str = "") -> Response:
        """Gradio's style sheet for this page; its address holds its hash."""
        kept = FOREVER if v else "no-cache"
        return Response(page.theme_css, media_type="text/css", headers={"cache-control": kept})

    base = path.rstrip("/")
    app.add_api_route(f"{base}/theme.css", theme, include_in_schema=False)
    app.mount(f"{base}/assets", gradios_files())
    page.queue(api_open=False, max_size=200)
    gr.mount_gradio_app(
        app,
        page,
        path=path,
        auth_dependency=enter,
        theme=citizen.theme(),
        show_error=False,
        max_file_size="1kb",
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
    )
    mounted = app.router.routes.pop()
    if not isinstance(mounted, Mount):
        raise TypeError("Gradio mounts its page in another way: see what it would answer now")
    app.router.routes.append(_BlocksMount(mounted.path, mounted.app))


class _BlocksMount(Mount):
    """Lets Gradio answer for what its page asks of it and nothing else: what is not there, or not to be asked like that, is refused by us."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match Gradio's own addresses under this mount."""
        ours = scope["path"].removeprefix(self.path) not in _GRADIOS
        return (Match.NONE, {}) if ours else super().matches(scope)
