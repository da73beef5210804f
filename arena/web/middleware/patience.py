"""Whoever is refused all the time, or asks for very much at once, is told to wait before anything is done for them: nobody else pays for a flood from one cookie."""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from math import ceil
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from arena.domain.errors import TooMany
from arena.web.core.dependencies import ArenaApp
from arena.web.core.problem import Refusals
from arena.web.core.provenance import account
from arena.web.core.session import Sessions

AT_ONCE: Final = 16
"""So many calls of one citizen are answered at once, streams among them, and so many votes besides; a browser has six connections."""
_COOKIES: Final = 4096


class PatienceMiddleware:
    """An ASGI middleware around everything; costs a look-up, and one check of each cookie's signature."""

    def __init__(self, app: ASGIApp, *, refusals: Refusals, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """`refusals` write what is answered; `headers` go with it, as with every answer."""
        self._app = app
        self._refusals = refusals
        self._headers = headers
        self._running = Counter[str]()
        # A cookie that has expired since is at worst told to wait for the minute's end.
        self._citizen_of = lru_cache(_COOKIES)(_citizen_of)
        self._answers = lru_cache(_COOKIES)(self._answer)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or hands on."""
        # Whoever wants to be gone is never told to wait.
        if scope["type"] == "http" and scope["path"].startswith("/api/") and scope["method"] != "DELETE":
            headers = dict(scope["headers"])
            app: ArenaApp = scope["app"]
            sessions = app.services.sessions
            citizen_id = self._citizen_of(sessions, sessions.cookie.read(Request(scope)))
            if citizen_id is not None:
                whose = account(scope, citizen_id)
                try:
                    app.services.refused.require(whose)
                    if self._running[whose] >= AT_ONCE:
                        app.services.refused.note(whose)
                        raise TooMany("too_many", act="refused", minutes=1, retry_after_s=1)
                except TooMany as error:
                    start, body = self._answers(ceil(error.retry_after_s), headers.get(b"accept-language", b"")[:100])
                    await send({"type": "http.response.start", "status": error.status, "headers": start})
                    await send({"type": "http.response.body", "body": body})
                    return
                self._running[whose] += 1
                try:
                    await self._app(scope, receive, send)
                finally:
                    self._running[whose] -= 1
                    if not self._running[whose]:
                        del self._running[whose]
                return
        await self._app(scope, receive, send)

    def _answer(self, seconds: int, accept_language: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """Write it once for all who are told in the same second: what is refused by the thousand has to be cheap."""
        asked = Request({"type": "http", "headers": [(b"accept-language", accept_language)]})
        error = TooMany("too_many", act="refused", minutes=1, retry_after_s=float(seconds))
        written = self._refusals.problem(asked, error)
        return [*written.raw_headers, *self._headers], bytes(written.body)


def _citizen_of(sessions: Sessions, cookie: str | None) -> str | None:
    """Read whose cookie it is."""
    known = sessions.holder(cookie)
    return None if known is None else known[0].id
