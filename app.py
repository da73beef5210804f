"""Wires settings, stage, models, record, arena, routes and pages, and serves them."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

# Read when the libraries are imported: nothing calls home, and no hub is asked for anything.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import uvicorn
import uvloop
from fastapi import FastAPI

from arena import __version__, settings
from arena.battles.arena import Arena
from arena.battles.limits import Limits
from arena.battles.watch import Watch
from arena.domain.errors import ArenaError
from arena.domain.stage import Stage
from arena.record.keys import Keys
from arena.record.ledger import Ledger
from arena.record.store import Store
from arena.results.export.bundle import git_commit
from arena.results.export.cache import Shelf
from arena.results.export.webhooks import keep_delivering
from arena.results.live.access_log import LiveViews
from arena.results.live.leaderboard import Leaderboard
from arena.web import about_routes, api, export_routes, ledger_routes, metrics, oidc, problems, site
from arena.web.session import Sessions
from models.base import Deadlines
from models.errors import ModelError
from models.roster import Roster


def build(chosen: settings.Settings) -> FastAPI:
    """The whole app for these settings; its lifespan opens the models and closes them.

    Raises:
        StageError: the stage file or a setting cannot be used.
    """
    data = chosen.stage.read_bytes()
    stage = Stage.from_toml(data, str(chosen.stage))
    store = Store(chosen.resolved_database_url)
    store.stages.adopt(stage, data, datetime.now(UTC))
    keys = Keys.open(chosen.data_dir, os.environ)
    leaderboard = Leaderboard(store, stage)
    views = LiveViews(store, stage.id)
    ledger = Ledger(store, keys)
    sessions = Sessions(keys.secret, keys.cookie_secrets)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        served = {entrant.id: entrant.served() for entrant in (*stage.entrants, *stage.controls)}
        limits = stage.limits
        deadlines = Deadlines(limits.first_token_s, limits.between_tokens_s, limits.answer_s)
        watch = Watch(store, stage.id, f"arena {socket.gethostname()}:{chosen.port}")
        try:
            async with Roster.open(
                served, base_dir=settings.ROOT, progress=say, deadlines=deadlines, on_change=watch.heard
            ) as roster:
                arena = Arena(stage, store, roster, secret=keys.secret)
                app.state.metrics = metrics.Metrics(arena, roster.health, login.organizer)
                app.state.services = api.Services(
                    arena=arena,
                    sessions=sessions,
                    limits=Limits(limits, store.ephemera, secret=keys.secret),
                    leaderboard=leaderboard,
                    views=views,
                    organizer=login.organizer,
                    health=roster.health,
                    secure_cookies=chosen.public_url.startswith("https://"),
                    trusted_proxies=chosen.trusted_proxies,
                )
                tending = asyncio.gather(
                    arena.tend(), ledger_routes.keep_signing(ledger, arena), keep_delivering(store, keys)
                )
                # What the libraries brought stays: looking at all of it again, the collector would stop the loop for half a second.
                gc.freeze()
                try:
                    yield
                finally:
                    gc.unfreeze()
                    tending.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await tending
                    await arena.close()
        finally:
            await asyncio.to_thread(watch.close)
            store.close()

    app = FastAPI(
        title="K-AI Arena",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses=problems.RESPONSES,
    )
    problems.install(app)
    app.include_router(api.router)
    app.include_router(api.health)
    app.include_router(about_routes.router)
    app.include_router(metrics.router)
    if stage.population.identity == "oidc":
        provider = oidc.Provider.declared(
            issuer=chosen.oidc_issuer,
            client_id=chosen.oidc_client_id,
            client_secret=chosen.oidc_client_secret,
            level=chosen.oidc_level,
            public_url=chosen.public_url,
        )
        login_routes = oidc.Oidc(
            provider,
            sessions,
            store.citizens,
            secret=keys.secret,
            cookie_secrets=keys.cookie_secrets,
            public_url=chosen.public_url,
        )
        app.include_router(login_routes.router)
    app.include_router(ledger_routes.routes(ledger, keys, stage.id))
    shelf = Shelf(store, keys, chosen.data_dir / "exports", git_commit(settings.ROOT))
    desk = export_routes.Desk(store, keys, shelf)
    app.include_router(export_routes.routes(desk, lambda request: login.organizer(request)))
    login = site.mount(
        app,
        stage=stage,
        store=store,
        ledger=ledger,
        leaderboard=leaderboard,
        views=views,
        keys=keys,
        exports=chosen.data_dir / "exports",
        root=settings.ROOT,
        webhooks=chosen.webhook_urls,
        public_url=chosen.public_url,
    )
    app.state.console_link = login.one_time_link
    return app


def say(line: str) -> None:
    """One line for whoever started the arena."""
    print(line, flush=True)


def main() -> None:
    """Serves until Ctrl-C."""
    try:
        chosen = settings.read()
        logging.basicConfig(level=chosen.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        logging.getLogger("alembic").setLevel(logging.WARNING)
        for name, value, source in chosen.sources(os.environ):
            say(f"  {name} = {value or '–'}  ({source})")
        listener = bound(chosen.host, chosen.port)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(chosen, listener))
    except ModelError as error:
        sys.exit(f"K-AI Arena cannot start: {settings.read().stage}: {error}")
    except (ArenaError, OSError) as error:
        sys.exit(f"K-AI Arena cannot start: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped before it was ready")


async def serve(chosen: settings.Settings, listener: socket.socket) -> None:
    """Opens the models, then answers; the app's lifespan is entered here, so that what cannot start is told in a sentence."""
    app = build(chosen)
    async with app.router.lifespan_context(app):
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=3,
            server_header=False,
            date_header=False,
            proxy_headers=False,
        )
        address = f"http://{chosen.host}:{chosen.port}"
        await Server(config, [f"ready: {address}", f"organizers: {address}{app.state.console_link()}"]).serve(
            [listener]
        )


class Server(uvicorn.Server):
    """Says where it is when it can be reached, and ends on Ctrl-C or SIGTERM in peace."""

    def __init__(self, config: uvicorn.Config, announcement: list[str]) -> None:
        super().__init__(config)
        self._announcement = announcement

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts, then announces."""
        await super().startup(sockets)
        for line in self._announcement:
            say(line)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Unlike uvicorn's, raises no signal again: what stands around the server still has to close."""
        loop = asyncio.get_running_loop()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(each, self.handle_exit, each, None)
        yield


def bound(host: str, port: int) -> socket.socket:
    """A socket that holds the address but does not answer yet: a port in use is told before the models load.

    Raises:
        OSError: the address cannot be had; says what to do.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        raise OSError(
            f"port {port} of {host} cannot be used ({error.strerror}); choose another: PORT={port + 1}"
        ) from None
    return listener


if __name__ == "__main__":
    main()
