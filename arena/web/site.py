"""Puts the pages into the app: assets, login, the two Gradio apps, and the guard before all of them."""

from collections.abc import Sequence
from pathlib import Path

import anyio.to_thread
import gradio as gr
from fastapi import FastAPI, Request
from starlette.middleware.cors import CORSMiddleware

from arena.domain.stage import Stage
from arena.record.keys import Keys
from arena.record.ledger import Ledger
from arena.record.store import Store
from arena.results.live.access_log import LiveViews
from arena.results.live.leaderboard import Leaderboard
from arena.web import citizen_page, leaderboard_page, my_page, organizer_page, proof_pages, public_pages
from arena.web.assets import MOUNTED, Assets
from arena.web.console.acts import Acts
from arena.web.console.board import Board
from arena.web.console.routes import routes as console_routes
from arena.web.guard import Guard
from arena.web.layout import Layout
from arena.web.login import Door, Login
from arena.web.packing import Packing
from arena.web.shell import Shell


def mount(
    app: FastAPI,
    *,
    stage: Stage,
    store: Store,
    ledger: Ledger,
    leaderboard: Leaderboard,
    views: LiveViews,
    keys: Keys,
    exports: Path,
    root: Path,
    webhooks: Sequence[str],
    public_url: str,
) -> Login:
    """Mounts everything people see; returns the organizers' login.

    Args:
        exports: the folder that holds a folder of exports for each stage.
        root: the checkout, for the commit that exports name.
        webhooks: who hears of a publication.
    """
    login = Login(store.organizers.check, keys.cookie_secrets, secure=public_url.startswith("https://"))
    app.include_router(login.router)
    board = Board(stage, store, leaderboard, exports / stage.id, lambda: app.state.services.health())
    app.include_router(console_routes(board, Acts(board, keys, root, webhooks), views))
    layout = Layout(stage)
    app.include_router(public_pages.routes(layout, stage, store))
    app.include_router(proof_pages.routes(layout, stage, ledger))
    app.include_router(my_page.routes(layout))
    app.include_router(leaderboard_page.routes(layout, stage, leaderboard))
    app.mount(MOUNTED, Assets())
    _gradio(app, organizer_page.build(stage), "/organizer", head=organizer_page.HEAD, login=login, views=views)
    _gradio(app, citizen_page.build(stage), "/")
    # Our own CORS rule on the parent keeps Gradio from adding one that reflects any origin.
    app.add_middleware(CORSMiddleware, allow_origins=[public_url] if public_url else [])
    app.add_middleware(Shell, frame=layout.frame)
    app.add_middleware(Packing)
    app.add_middleware(Door, login=login)
    app.add_middleware(Guard, origins=[public_url] if public_url else [], body_bytes=stage.limits.body_bytes)
    return login


def _gradio(
    app: FastAPI,
    page: gr.Blocks,
    path: str,
    *,
    head: str | None = None,
    login: Login | None = None,
    views: LiveViews | None = None,
) -> None:
    async def organizer(request: Request) -> str | None:
        """Who enters the console; that they see live ratings is kept before they do."""
        name = login.organizer(request) if login else None
        if name is not None and views is not None:
            await anyio.to_thread.run_sync(views.note, name)
        return name

    page.queue(api_open=False, max_size=200)
    gr.mount_gradio_app(
        app,
        page,
        path=path,
        auth_dependency=organizer if login else None,
        theme=citizen_page.theme(),
        head=head,
        show_error=False,
        max_file_size="1kb",
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
    )
