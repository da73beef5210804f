"""The organizer's way in: a form, the cookie of a session, the one-time link printed at start, and the door that nobody passes without it."""

import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from html import escape
from typing import Final

import anyio
import anyio.to_thread
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import FormData
from starlette.types import ASGIApp, Receive, Scope, Send

from arena.domain.errors import ArenaError, TooMany, Unauthorized, Unavailable
from arena.i18n.catalogue import messages
from arena.record.organizers import Organizers
from arena.web.core.client_address import client_address
from arena.web.core.dependencies import Here, Services
from arena.web.core.negotiation import keep_choice, language_of
from arena.web.core.problem import Refusals
from arena.web.core.session import OrganizerSessions
from arena.web.core.static import url

log = logging.getLogger(__name__)

CHECKS: Final = 2
"""Passwords that are checked at a time: each takes 64 MiB."""
WAITING: Final = 32
"""Logins that wait for their turn; whoever comes then is told to come back."""
LINK_LASTS: Final = timedelta(minutes=15)

_OPEN = frozenset({"/organizer/login", "/organizer/logout", "/organizer/enter"})
_PAGES = frozenset({"/organizer", "/organizer/"})

_FORM = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · K-AI Arena</title><link rel="stylesheet" href="{fonts}"><link rel="stylesheet" href="{style}"></head>
<body class="c-login"><main><h1>{title}</h1>
<form method="post" action="/organizer/login">
<label for="name">{name_label}</label>
<input id="name" name="name" autocomplete="username" required maxlength="64" value="{name}">
<label for="password">{password_label}</label>
<input id="password" name="password" type="password" autocomplete="current-password" required maxlength="200">
{error}
<button type="submit" class="c-button c-primary">{button}</button>
</form>
<p><a class="c-link" href="/organizer/login?lang={other}" lang="{other}" hreflang="{other}">{other_name}</a></p></main></body></html>"""


@dataclass(frozen=True, slots=True)
class Link:
    """The one-time link, which stands in the log of whoever starts the arena."""

    token: str
    until: datetime
    used: bool = False


class OrganizerLogin:
    """The way into the console: a name with its password, or the link that the start of the arena prints."""

    def __init__(
        self,
        organizers: Organizers,
        sessions: OrganizerSessions,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Read nothing."""
        self._organizers = organizers
        self._sessions = sessions
        self._clock = clock
        self._link = Link("", datetime.min.replace(tzinfo=UTC))
        self._checks = anyio.CapacityLimiter(CHECKS)
        self.router = APIRouter(prefix="/organizer", include_in_schema=False)
        self.router.add_api_route("/login", self._form, methods=["GET"])
        self.router.add_api_route("/login", self._enter, methods=["POST"])
        self.router.add_api_route("/logout", self._leave, methods=["POST"])
        self.router.add_api_route("/enter", self._by_link, methods=["GET"])

    def one_time_link(self) -> str:
        """Make the path that lets its first visitor in, once and within `LINK_LASTS`; the one that was made before is over."""
        self._link = Link(secrets.token_urlsafe(24), self._clock() + LINK_LASTS)
        return f"/organizer/enter?once={self._link.token}"

    async def _form(self, request: Request) -> HTMLResponse:
        return _page(request)

    async def _enter(self, here: Here, request: Request) -> Response:
        form: FormData = await request.form()
        name, password = str(form.get("name", ""))[:64], str(form.get("password", ""))[:200]
        try:
            if self._checks.statistics().tasks_waiting >= WAITING:
                raise Unavailable("busy")
            entering = partial(self._entered, here, client_address(request, here.trusted_proxies), name, password)
            cookie = await anyio.to_thread.run_sync(entering, limiter=self._checks)
        except (TooMany, Unavailable) as refusal:
            wait = {"retry-after": str(round(refusal.retry_after_s))}
            return _page(request, name, messages(language_of(request)).of(refusal), refusal.status, wait)
        if cookie is None:
            return _page(request, name, messages(language_of(request))("login_wrong"), 401)
        return self._welcome(cookie)

    def _entered(self, here: Services, address: str, name: str, password: str) -> str | None:
        """Check a password, which takes 64 MiB and a fifth of a second; only a wrong one counts against its network."""
        here.limits.require_room("login", address)
        cookie = self._organizers.enter(name, password, self._clock())
        if cookie is None:
            log.warning("organizer login failed")
            here.limits.admit("login", None, address)
        return cookie

    async def _by_link(self, once: str = "") -> Response:
        link, now = self._link, self._clock()
        if not link.token or not secrets.compare_digest(once.encode(), link.token.encode()):
            return RedirectResponse("/organizer/login", 303)
        if link.used or now >= link.until:
            await anyio.to_thread.run_sync(self._organizers.refuse_link, now)
            return RedirectResponse("/organizer/login", 303)
        self._link = replace(link, used=True)  # before anything is waited for: of two visitors one is the first
        return self._welcome(await anyio.to_thread.run_sync(self._organizers.enter_by_link, now))

    async def _leave(self, request: Request) -> Response:
        response = RedirectResponse("/organizer/login", 303)
        await self._sessions.end(request, response)
        return response

    def _welcome(self, cookie: str) -> Response:
        response = RedirectResponse("/organizer/", 303)
        self._sessions.begin(response, cookie)
        return response


def _page(
    request: Request, name: str = "", refused: str = "", status: int = 200, headers: Mapping[str, str] | None = None
) -> HTMLResponse:
    """Show the form in the reader's language; again with what was typed and why, where somebody was refused."""
    language = language_of(request)
    t = messages(language)
    html = _FORM.format(
        language=language,
        other="en" if language == "ko" else "ko",
        other_name=t("language"),
        title=t("login_title"),
        name_label=t("login_name"),
        password_label=t("login_password"),
        button=t("login_button"),
        name=escape(name, quote=True),
        error=f'<p role="alert">{escape(refused)}</p>' if refused else "",
        fonts=url("fonts/fonts.css"),
        style=url("css/console.css"),
    )
    answer = HTMLResponse(html, status, {"vary": "accept-language, cookie", **(headers or {})})
    keep_choice(request, answer)
    return answer


class OrganizerGate:
    """An ASGI middleware before everything under `/organizer`: pages, Gradio's own routes and every act alike.

    Gradio's events can be called by anyone who can reach them, so nobody without the cookie reaches them.
    """

    def __init__(self, app: ASGIApp, sessions: OrganizerSessions, refusals: Refusals) -> None:
        self._app = app
        self._sessions = sessions
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand an organizer on; send a visitor to the form, and refuse a program."""
        path = scope["path"] if scope["type"] == "http" else ""
        if (path not in _PAGES and not path.startswith("/organizer/")) or path in _OPEN:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        refusal: ArenaError = Unauthorized("organizer_login_needed")
        name = None
        try:
            name = await self._sessions.name(request)
        except Unavailable as error:
            refusal = error
        if name is not None:
            await self._app(scope, receive, send)
            return
        answer: Response = RedirectResponse("/organizer/login", 303)
        if path not in _PAGES or isinstance(refusal, Unavailable):
            answer = await self._refusals.answer(request, refusal)
        await answer(scope, receive, send)
