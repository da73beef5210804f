"""Wires settings, stage, models, record, arena, routes and pages, and serves them."""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime

# Read when the libraries are imported: nothing calls home, and no hub is asked for anything.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import uvicorn
from fastapi import FastAPI

from arena import __version__, settings
from arena.battles.arena import Arena
from arena.battles.limits import Limits
from arena.domain.errors import ArenaError
from arena.domain.stage import Stage
from arena.record.keys import Keys
from arena.record.ledger import Ledger
from arena.record.store import Store
from arena.results.access import LiveViews
from arena.results.leaderboard import Leaderboard
from arena.web import api, ledger_routes, oidc, problems, site
from arena.web.session import Sessions
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
        served = {entrant.id: entrant.served() for entrant in stage.entrants}
        async with Roster.open(served, base_dir=settings.ROOT, progress=say) as roster:
            arena = Arena(stage, store, roster, secret=keys.secret)
            app.state.services = api.Services(
                arena=arena,
                sessions=sessions,
                limits=Limits(stage.limits, store.ephemera, secret=keys.secret),
                leaderboard=leaderboard,
                views=views,
                organizer=login.organizer,
                secure_cookies=chosen.public_url.startswith("https://"),
                trusted_proxies=chosen.trusted_proxies,
            )
            tending = asyncio.gather(arena.tend(), ledger_routes.keep_signing(ledger, arena))
            say(f"ready: http://{chosen.host}:{chosen.port}")
            say(f"organizers: http://{chosen.host}:{chosen.port}{login.one_time_link()}")
            try:
                yield
            finally:
                tending.cancel()
                await arena.close()
                store.close()

    app = FastAPI(title="K-AI Arena", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    problems.install(app)
    app.include_router(api.router)
    app.include_router(api.health)
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
    login = site.mount(
        app,
        stage=stage,
        store=store,
        leaderboard=leaderboard,
        views=views,
        cookie_secrets=keys.cookie_secrets,
        public_url=chosen.public_url,
    )
    return app


def say(line: str) -> None:
    """One line for whoever started the arena."""
    print(line, flush=True)


def main() -> None:
    """Serves until Ctrl-C."""
    try:
        chosen = settings.read()
        logging.basicConfig(level=chosen.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        for name, value, source in chosen.sources(os.environ):
            say(f"  {name} = {value}  ({source})")
        app = build(chosen)
    except (ArenaError, ModelError, OSError) as error:
        sys.exit(f"K-AI Arena cannot start: {error}")
    uvicorn.run(
        app,
        host=chosen.host,
        port=chosen.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=3,
        server_header=False,
        date_header=False,
        proxy_headers=False,
    )


if __name__ == "__main__":
    main()
