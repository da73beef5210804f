"""A refusal, told so that whoever asked can read it: a page to a browser that goes somewhere, `application/problem+json` (RFC 9457) to everybody else."""

from collections.abc import Callable
from typing import Final

from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from arena.domain.errors import ArenaError, NotUpgraded, TooMany, Unavailable
from arena.i18n.catalogue import in_both
from arena.web.core.negotiation import prefers_english

_PAGE: Final = "text/html"
_DOCUMENTS: Final = frozenset({"application/json", "application/problem+json"})


class Refusals:
    """Answers every refusal of the arena, wherever it is raised."""

    def __init__(self, page: Callable[[Request, ArenaError, int], Response]) -> None:
        """`page(request, error, status)` writes the page; it may wait for the record, and is called in a thread."""
        self._page = page

    async def answer(self, request: Request, error: ArenaError, status: int | None = None) -> Response:
        """Tell of this error.

        Args:
            request: says what can be read, and in which language.
            error: gives code, sentence and status.
            status: of an answer that has no class of errors of its own, such as 405.
        """
        status = status or error.status
        if _reads_pages(request.headers.get("accept", "")):
            return _dressed(await run_in_threadpool(self._page, request, error, status), error)
        return self.problem(request, error, status)

    def problem(self, request: Request, error: ArenaError, status: int | None = None) -> Response:
        """Tell of it as a document, whatever the request would rather read: costs no thread and asks the record nothing."""
        answer = _problem(error, request.headers.get("accept-language", ""), status or error.status)
        return _dressed(answer, error)


def _dressed(answer: Response, error: ArenaError) -> Response:
    """Say how long it is good, what it depends on, and when to come again."""
    answer.headers["cache-control"] = "no-store"
    answer.headers["vary"] = "accept, accept-language, cookie"
    if isinstance(error, NotUpgraded):
        answer.headers["upgrade"], answer.headers["connection"] = "HTTP/1.1", "close"
    if isinstance(error, TooMany | Unavailable):
        answer.headers["retry-after"] = str(max(1, round(error.retry_after_s)))
    return answer


def _reads_pages(accept: str) -> bool:
    """Tell a browser that goes somewhere, which names `text/html` first, from `fetch()` and programs."""
    kinds = (part.partition(";")[0].strip().lower() for part in accept.split(","))
    return next((kind for kind in kinds if kind == _PAGE or kind in _DOCUMENTS), "") == _PAGE


def _problem(error: ArenaError, accept_language: str, status: int) -> JSONResponse:
    """Write the document; `detail` is in the language that the reader prefers."""
    said, code = in_both(error), error.code
    body: dict[str, str | float] = {
        "type": "about:blank",
        "title": code,
        "status": status,
        "code": code,
        "detail": said["en" if prefers_english(accept_language) else "ko"],
        **said,
    }
    if isinstance(error, TooMany | Unavailable):
        body["retry_after"] = error.retry_after_s
    return JSONResponse(body, status, media_type="application/problem+json")
