"""Which of the two languages somebody reads: their own choice, then their browser's, then Korean."""

from typing import Final, Literal

from starlette.requests import Request

Language = Literal["ko", "en"]
COOKIE: Final = "arena_language"
MAX_AGE_S: Final = 365 * 24 * 3600


def language_of(request: Request) -> Language:
    """The language to answer this request in."""
    for chosen in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if chosen == "ko":
            return "ko"
        if chosen == "en":
            return "en"
    return "en" if prefers_english(request.headers.get("accept-language", "")) else "ko"


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
