"""Wires settings, stage, models, record, arena, routes and pages, and serves them."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta

# Read when the libraries are imported: nothing calls home, and no hub is asked for anything.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import uvicorn
import uvloop

from arena import settings
from arena.battles.arena import Arena
from arena.battles.limits import Limits
from arena.battles.maintenance import Maintenance
from arena.battles.outage_log import OutageLog
from arena.battles.proxy_log import ProxyLog
from arena.domain.errors import ArenaError, StageError
from arena.domain.stage import Stage
from arena.i18n.terminal import said, t
from arena.record.database import sqlite_file
from arena.record.keys import Keys
from arena.record.ledger import Ledger
from arena.record.private_files import UMASK, made_here, mend
from arena.record.processes import PROCESS_CHARS
from arena.record.store import Store
from arena.results.export.webhooks import keep_delivering
from arena.results.live.access_log import LiveViews
from arena.results.live.leaderboard import Leaderboard
from arena.web.api.ledger import keep_signing, keep_stamping
from arena.web.auth.oidc import Oidc, Provider
from arena.web.auth.organizer import LINK_LASTS
from arena.web.core.client_address import WatchedProxies
from arena.web.core.dependencies import ArenaApp, Services
from arena.web.core.own_calls import OwnCalls
from arena.web.core.session import OrganizerSessions, Sessions
from arena.web.core.standing import StandingReader
from arena.web.middleware.http_protocol import SERVER
from arena.web.mount import Parts, create_app
from models.base import Deadlines
from models.errors import ModelError
from models.published import refuse_secrets
from models.roster import Roster
from models.specification import parse_entrants


def build(chosen: settings.Settings) -> ArenaApp:
    """Wire the whole application for these settings; its lifespan opens the models and closes them.

    Raises:
        StageError: the stage file or a setting cannot be used.
        RosterError: an entrant's keys cannot be used, or the file holds a secret.
    """
    data = chosen.stage.read_bytes()
    refuse_secrets(data)
    stage = Stage.from_toml(data, str(chosen.stage))
    stage.require_operator(str(chosen.stage))
    parse_entrants(stage.served())  # before the file is kept: a secret that it may not hold reaches no database
    mended, left = mend(made_here(chosen.data_dir, sqlite_file(chosen.resolved_database_url)))
    if mended:
        say(t("files_mended", paths=mended))
    if left:
        say(t("folders_open", paths=left))
    store = Store(chosen.resolved_database_url)
    store.stages.adopt(stage, data, datetime.now(UTC), chosen.data_dir / "evidence")
    keys = Keys.open(chosen.data_dir, os.environ)
    secure = chosen.public_url.startswith("https://")
    persons_of = stage.id if stage.population.takes_persons else ""
    sessions = Sessions(keys.secret, keys.cookie_secrets, persons_of=persons_of, secure=secure)
    ledger = Ledger(store, keys)
    parts = Parts(
        stage=stage,
        store=store,
        keys=keys,
        ledger=ledger,
        leaderboard=Leaderboard(store, stage),
        standing=StandingReader(stage, store, ledger),
        views=LiveViews(store, stage.id),
        organizers=OrganizerSessions(store.organizers, secure=secure),
        login=citizens_login(chosen, stage, store, keys, sessions) if stage.population.identity == "oidc" else None,
        exports=chosen.data_dir / "exports",
        evidence=chosen.data_dir / "evidence",
        root=settings.ROOT,
        webhooks=chosen.webhook_urls,
        public_url=chosen.public_url,
    )
    app = create_app(parts, lambda _: opened(app, parts, sessions, chosen))
    return app


def citizens_login(chosen: settings.Settings, stage: Stage, store: Store, keys: Keys, sessions: Sessions) -> Oidc:
    """Set up where citizens say who they are.

    Raises:
        StageError: the settings do not say where.
    """
    provider = Provider.declared(
        issuer=chosen.oidc_issuer,
        client_id=chosen.oidc_client_id,
        client_secret=chosen.oidc_client_secret,
        level=chosen.oidc_level,
        public_url=chosen.public_url,
    )
    return Oidc(
        provider,
        sessions,
        store.persons,
        stage.id,
        store.counters,
        cookie_secrets=keys.cookie_secrets,
        public_url=chosen.public_url,
    )


@contextlib.asynccontextmanager
async def opened(app: ArenaApp, parts: Parts, sessions: Sessions, chosen: settings.Settings) -> AsyncIterator[None]:
    """Open the models, give the application its services, and keep what has to be kept going; close all of it at the end."""
    stage, store, keys = parts.stage, parts.store, parts.keys
    bounds = stage.limits
    deadlines = Deadlines(bounds.first_token_s, bounds.between_tokens_s, bounds.answer_s)
    name = f"arena {socket.gethostname()}:{chosen.port}"[:PROCESS_CHARS]
    outages, began_at = OutageLog(store, stage.id, name), datetime.now(UTC)
    proxies = ProxyLog(store, name, chosen.trusted_proxies)
    watched = WatchedProxies(chosen.proxies, proxies.heard)
    try:
        async with Roster.open(
            stage.served(),
            base_dir=settings.ROOT,
            progress=lambda step: say(t.of(step)),
            deadlines=deadlines,
            on_change=outages.heard,
        ) as roster:
            arena = Arena(stage, store, roster, secret=keys.secret, sign=keys.sign_whole)
            parts.standing.draws = arena.draws
            app.services = Services(
                arena=arena,
                sessions=sessions,
                limits=Limits(bounds, store.counters, secret=keys.secret),
                reads=OwnCalls("read", bounds.reads_per_minute),
                refused=OwnCalls("refused", bounds.refusals_per_minute),
                leaderboard=parts.leaderboard,
                standing=parts.standing,
                views=parts.views,
                organizers=parts.organizers,
                health=roster.health,
                trusted_proxies=watched,
            )
            maintenance = asyncio.gather(
                Maintenance(arena, roster.health, name=name, began_at=began_at).run(),
                keep_signing(parts.ledger, arena),
                keep_delivering(store, keys),
                *([keep_stamping(store, parts.ledger, arena, chosen.tsa)] if chosen.tsa else []),
            )
            # What the libraries brought stays: looking at all of it again, the collector would stop the loop for half a second.
            gc.freeze()
            # Whoever computes hands the interpreter on ten times as soon as by default: the loop gives it up at every send.
            sys.setswitchinterval(0.0005)
            try:
                yield
            finally:
                gc.unfreeze()
                maintenance.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await maintenance
                await arena.close()
    finally:
        await asyncio.to_thread(outages.close)
        await asyncio.to_thread(proxies.close)
        store.close()


def say(line: str) -> None:
    """One line for whoever started the arena."""
    print(line, flush=True)


def main() -> None:
    """Serve until Ctrl-C."""
    os.umask(UMASK)
    try:
        chosen = settings.read()
        logging.basicConfig(level=chosen.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        logging.getLogger("alembic").setLevel(logging.WARNING)
        for name, value, source in chosen.sources(os.environ):
            source = t("serve_default") if source == "default" else source
            say(f"  {name} = {value or '–'}  ({source})")
        listener = bound(chosen.host, chosen.port)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(chosen, listener))
    except ModelError as error:
        sys.exit(t("serve_cannot", said=f"{settings.read().stage}: {error}"))
    except (ArenaError, OSError) as error:
        sys.exit(t("serve_cannot", said=said(error)))
    except KeyboardInterrupt:
        sys.exit(t("serve_stopped"))


async def serve(chosen: settings.Settings, listener: socket.socket) -> None:
    """Open the models, then answer; the app's lifespan is entered here, so that what cannot start is told in a sentence."""
    app = build(chosen)
    async with app.router.lifespan_context(app):
        config = uvicorn.Config(
            app,
            timeout_graceful_shutdown=3,
            **SERVER,
        )
        address = f"http://{chosen.host}:{chosen.port}"
        await Server(
            config,
            lambda: [
                t("serve_ready", address=address),
                t("serve_organizers", address=address + app.console_link(), minutes=LINK_LASTS // timedelta(minutes=1)),
            ],
        ).serve([listener])


class Server(uvicorn.Server):
    """Says where it is when it can be reached, and ends on Ctrl-C or SIGTERM in peace."""

    def __init__(self, config: uvicorn.Config, announcement: Callable[[], list[str]]) -> None:
        super().__init__(config)
        self._announcement = announcement

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then announce."""
        await super().startup(sockets)
        for line in self._announcement():
            say(line)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Unlike uvicorn's, raises no signal again: what stands around the server still has to close."""
        loop = asyncio.get_running_loop()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(each, self.handle_exit, each, None)
        yield


def bound(host: str, port: int) -> socket.socket:
    """Open a socket that holds the address but does not answer yet: a port in use is told before the models load.

    Raises:
        StageError: the address cannot be had; says what to do.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        problem = error.strerror or str(error)
        raise StageError("port_unusable", port=port, host=host, problem=problem, other=port + 1) from None
    return listener


if __name__ == "__main__":
    main()
