"""Every exception becomes an answer that can be read, and what `/openapi.json` says of them."""

import logging
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from arena.domain.errors import ArenaError, Malformed, NotFound, TooLarge, Unusable
from arena.web.core.dependencies import ArenaApp
from arena.web.core.headers import HEADERS
from arena.web.core.problem import Refusals
from arena.web.core.provenance import account

log = logging.getLogger(__name__)

INTERNAL = 500
"""From here on it is not the caller who is at fault."""

_SENTENCE = {"type": "string", "minLength": 1}
_SCHEMA = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "const": "about:blank"},
        "title": _SENTENCE,
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "code": {"type": "string", "pattern": "^[a-z0-9_]+$"},
        "detail": _SENTENCE,
        "ko": _SENTENCE,
        "en": _SENTENCE,
        "retry_after": {"type": "number", "minimum": 0},
    },
    "required": ["type", "title", "status", "code", "detail", "ko", "en"],
}
_REFUSED = {
    400: "malformed",
    401: "who are you",
    403: "not you, not from there, or not without consent",
    404: "not there, or not yours",
    405: "not that way",
    409: "not in this state",
    413: "too large",
    422: "readable, but not usable",
    429: "too many: `Retry-After` says when",
    503: "not now: nothing was changed, try again",
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"description": meaning, "content": {"application/problem+json": {"schema": _SCHEMA}}}
    for status, meaning in _REFUSED.items()
}
"""What every route may answer besides what it promises, for `/openapi.json`. A 500 is not among them."""

_HTTP: dict[int, ArenaError] = {
    404: NotFound("not_found"),
    405: ArenaError("method_not_allowed"),
    413: TooLarge("too_large"),
}


def install(app: ArenaApp, refusals: Refusals) -> None:
    """Answer every exception."""

    def count(request: Request) -> None:
        """Count a refused call of a citizen's, which nobody else pays for."""
        if citizen_id := getattr(request.state, "citizen_id", None):
            app.services.refused.note(account(request.scope, citizen_id))

    @app.exception_handler(ArenaError)
    async def refused(request: Request, error: ArenaError) -> Response:
        if error.status < INTERNAL:
            count(request)
        return await refusals.answer(request, error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        count(request)
        first = error.errors()[0]
        if first["type"] in ("json_invalid", "json_type"):
            return await refusals.answer(request, Malformed("malformed"))
        where = ".".join(str(part) for part in first["loc"][1:]) or "body"
        return await refusals.answer(request, Unusable("unusable", at=where, problem=first["msg"]))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        known = _HTTP.get(error.status_code) or ArenaError("refused", problem=str(error.detail))
        return await refusals.answer(request, known, error.status_code)

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Response:
        log.exception("unexpected failure in %s", request.url.path, exc_info=error)
        answer = await refusals.answer(request, ArenaError("internal"))
        answer.raw_headers += HEADERS  # this one is made outside of every middleware
        return answer
