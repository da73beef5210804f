"""What every page shares: head, header, navigation and footer, around Gradio's page as around our own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from arena.domain.stage import Stage
from arena.web import assets
from arena.web.language import COOKIE, MAX_AGE_S, Language, language_of
from arena.web.words import words

MENU: Final = (("/", "nav_battle"), ("/my", "nav_my"), ("/how", "nav_how"))
ABOUT: Final = (
    ("/rules", "nav_rules"),
    ("/privacy", "nav_privacy"),
    ("/accessibility", "nav_accessibility"),
    ("/receipts", "nav_receipts"),
    ("/checkpoints", "nav_checkpoints"),
)
# Each module is named, so that the browser asks for all of them at once instead of finding them one by one.
MODULES: Final = tuple(sorted(path.name for path in (assets.FOLDER / "battle").glob("*.js")))
FIRST_FONT: Final = next((path.name for path in (assets.FOLDER / "fonts").glob("ours.*.woff2")), "")


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around Gradio's page."""

    language: Language
    head: str
    before: str
    after: str


class Layout:
    """Renders pages of one stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        folder = Path(__file__).resolve().parent / "templates"
        # StrictUndefined: a misspelt word is an error, never an empty place.
        self._templates = Environment(
            loader=FileSystemLoader(folder),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def page(self, request: Request, template: str, *, title: str, status: int = 200, **values: Any) -> Response:
        """A page of our own, in the reader's language; `title` is a key of the words."""
        shared = self._shared(request)
        html = self._templates.get_template(template).render(**shared, title=shared["t"](title), **values)
        response = HTMLResponse(html, status, {"cache-control": "no-cache", "vary": "accept-language, cookie"})
        keep_choice(request, response)
        return response

    def prose(self, request: Request, name: str, *, title: str, **values: Any) -> Response:
        """A page whose text is written in each language by itself."""
        return self.page(request, f"{name}.{language_of(request)}.html", title=title, **values)

    def frame(self, request: Request) -> Frame:
        """Header and footer for the page that Gradio makes."""
        shared = self._shared(request)
        around = {
            name: self._templates.get_template(f"battle_{name}.html").render(
                **shared, title=shared["t"]("title_battle"), modules=MODULES
            )
            for name in ("head", "before", "after")
        }
        return Frame(shared["language"], **around)

    def _shared(self, request: Request) -> dict[str, Any]:
        language = language_of(request)
        t = words(language)
        menu = [*MENU, *((("/leaderboard", "nav_leaderboard"),) if self._stage.protocol.public_leaderboard else ())]
        return {
            "t": t,
            "language": language,
            "other": "en" if language == "ko" else "ko",
            "stage": self._stage,
            "here": request.url.path,
            "menu": menu,
            "about": ABOUT,
            "asset": assets.url,
            "font": f"{assets.MOUNTED}/fonts/{FIRST_FONT}",
            "nbsp": Markup("&nbsp;"),
        }


def keep_choice(request: Request, response: Response) -> None:
    """Remembers a language that was chosen in the address."""
    chosen = request.query_params.get("lang")
    if chosen in ("ko", "en"):
        response.set_cookie(COOKIE, chosen, max_age=MAX_AGE_S, samesite="lax", path="/")
