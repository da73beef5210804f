"""How somebody reads: in which of the two languages (their own choice, then their browser's, then Korean), and in what size of text."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from arena.i18n.catalogue import LANGUAGES, Language
from arena.web.core.cookies import cookie_of

SIZES: Final = ("normal", "large", "larger")
_COOKIES: Final = {"lang": ("arena_language", LANGUAGES), "text": ("arena_text", SIZES)}
"""Each choice in an address, the cookie that remembers it, and what may be chosen."""
MAX_AGE_S: Final = 365 * 24 * 3600


def _chosen(request: Request, choice: str) -> str | None:
    """Read a choice: the address before the cookie."""
    cookie, known = _COOKIES[choice]
    asked = (request.query_params.get(choice), cookie_of(request.scope["headers"], cookie))
    return next((value for value in asked if value in known), None)


def language_of(request: Request) -> Language:
    """Choose the language to answer this request in."""
    chosen = _chosen(request, "lang")
    english = prefers_english(request.headers.get("accept-language", "")) if chosen is None else chosen == "en"
    return "en" if english else "ko"


def size_of(request: Request) -> str:
    """Choose the size of the text: one of `SIZES`, relative to what the browser has."""
    return _chosen(request, "text") or "normal"


def prefers_english(accept_language: str) -> bool:
    """Korean unless English is asked for before it: `en-GB, ko;q=0.5`."""

    def weight(language: str) -> float:
        best = 0.0
        for part in accept_language.lower().split(","):
            name, _, parameters = part.strip().partition(";")
            if name.split("-")[0] == language:
                quality = parameters.strip().removeprefix("q=")
                try:
                    best = max(best, float(quality) if quality else 1.0)
                except ValueError:
                    continue
        return best

    return weight("en") > weight("ko")


def keep_choice(request: Request, response: Response) -> None:
    """Remember what was chosen in the address."""
    for choice, (cookie, known) in _COOKIES.items():
        value = request.query_params.get(choice, "")
        if value in known:
            response.set_cookie(cookie, value, max_age=MAX_AGE_S, samesite="lax", path="/")
