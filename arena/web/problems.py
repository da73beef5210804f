"""RFC 9457: every refusal as `application/problem+json` with a stable code and a sentence in the reader's language."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from arena.domain.errors import ArenaError, TooMany, Unavailable
from arena.web.language import prefers_english

log = logging.getLogger(__name__)

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

_HTTP = {
    404: ("not_found", "찾을 수 없는 주소예요.", "There is nothing at this address."),
    405: ("method_not_allowed", "이 주소에서는 할 수 없는 요청이에요.", "This address does not take that method."),
    413: ("too_large", "보낸 내용이 너무 커요.", "The request is too large."),
}


def problem(
    request: Request, status: int, code: str, ko: str, en: str, retry_after_s: float | None = None
) -> JSONResponse:
    """One problem document; `detail` is in the language the reader prefers."""
    detail = en if prefers_english(request.headers.get("accept-language", "")) else ko
    body = {"type": "about:blank", "title": code, "status": status, "code": code, "detail": detail, "ko": ko, "en": en}
    headers = {"cache-control": "no-store"}
    if retry_after_s is not None:
        body["retry_after"] = retry_after_s
        headers["retry-after"] = str(max(1, round(retry_after_s)))
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Answers every exception with a problem document."""

    @app.exception_handler(ArenaError)
    async def refused(request: Request, error: ArenaError) -> JSONResponse:
        retry = error.retry_after_s if isinstance(error, TooMany | Unavailable) else None
        return problem(request, error.status, error.code, error.ko, error.en, retry)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        if first["type"] in ("json_invalid", "json_type"):
            return problem(
                request,
                400,
                "malformed",
                "요청을 읽을 수 없어요. JSON 형식을 확인해 주세요.",
                "The request is not valid JSON.",
            )
        where = ".".join(str(part) for part in first["loc"][1:]) or "body"
        return problem(
            request, 422, "unusable", f"{where} 값을 쓸 수 없어요.", f"{where}: {first['msg']}. See /openapi.json."
        )

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        code, ko, en = _HTTP.get(error.status_code, ("refused", "처리할 수 없는 요청이에요.", str(error.detail)))
        return problem(request, error.status_code, code, ko, en)

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> JSONResponse:
        log.exception("unexpected failure in %s", request.url.path, exc_info=error)
        return problem(
            request,
            500,
            "internal",
            "문제가 생겼어요. 잠시 뒤 다시 시도해 주세요.",
            "Something went wrong on our side. Please try again in a moment.",
        )
