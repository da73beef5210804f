"""What every page shares: head, header, navigation and footer, around Gradio's Blocks as around plain pages."""

from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from arena.domain.errors import ArenaError, TooMany, Unavailable
from arena.domain.stage import Stage
from arena.i18n.catalogue import messages
from arena.results.publish.html import environment
from arena.web.core import static as assets
from arena.web.core.negotiation import SIZES, keep_choice, language_of, size_of
from arena.web.core.standing import Standing, StandingReader

MENU: Final = (("/", "nav_battle"), ("/results", "nav_results"), ("/my", "nav_my"), ("/how", "nav_how"))
ABOUT: Final = (
    ("/rules", "nav_rules"),
    ("/privacy", "nav_privacy"),
    ("/accessibility", "nav_accessibility"),
    ("/receipts", "nav_receipts"),
    ("/checkpoints", "nav_checkpoints"),
)
REFUSED: Final = (401, 403, 404, 405, 413, 429, 500, 503)
"""The statuses with a headline of their own."""
FIRST_FONT: Final = next((path.name for path in (assets.FOLDER / "fonts").glob("ours.*.woff2")), "")


def slot(prompt: str) -> Markup:
    """Mark the [word in brackets] of a question to begin with, which a citizen is invited to change."""
    before, opening, rest = prompt.partition("[")
    inside, _, after = rest.partition("]")
    return Markup("{}<mark>{}</mark>{}").format(before, inside, after) if opening else Markup("{}").format(before)


class Layout:
    """Renders pages of one stage."""

    def __init__(self, stage: Stage, standing: StandingReader) -> None:
        self._stage = stage
        self._standing = standing
        folder = Path(__file__).resolve().parent / "templates"
        self._templates = environment(folder)
        self._templates.filters["slot"] = slot

    def page(self, request: Request, template: str, *, title: str, status: int = 200, **values: Any) -> Response:
        """Write a page of our own, in the reader's language; `title` is a key of the words, which may name the stage."""
        return self.page_at(self.standing(), request, template, title=title, status=status, **values)

    def page_at(
        self,
        standing: Standing | None,
        request: Request,
        template: str,
        *,
        title: str,
        status: int = 200,
        **values: Any,
    ) -> Response:
        """Write a page for whoever has read where the stage stands, or cannot."""
        shared = self._shared(request, standing)
        titled = shared["t"](title, stage=shared["t"].pick(self._stage.title))
        html = self._templates.get_template(template).render(**shared, title=titled, status=status, **values)
        response = HTMLResponse(html, status, {"cache-control": "no-cache", "vary": "accept-language, cookie"})
        keep_choice(request, response)
        return response

    def prose(self, request: Request, name: str, *, title: str, **values: Any) -> Response:
        """Write a page whose text is written in each language by itself."""
        return self.page(request, f"{name}.{language_of(request)}.html", title=title, **values)

    def refusal(self, request: Request, error: ArenaError, status: int) -> Response:
        """Tell a browser what went wrong, and the ways on."""
        wait = error.retry_after_s if isinstance(error, TooMany | Unavailable) else None
        # Where the record cannot be read, nobody waits for it a second time.
        standing = None if isinstance(error, Unavailable) else self.standing()
        title = f"refused_{status}" if status in REFUSED else "refused_other"
        return self.page_at(standing, request, "error.html", title=title, status=status, error=error, wait_s=wait)

    def standing(self) -> Standing | None:
        """Read where the stage stands; nothing while the record cannot be read, so that a page which needs nothing else still comes."""
        try:
            return self._standing.read()
        except Unavailable:
            return None

    def _reported(self, standing: Standing | None) -> list[tuple[str, str]]:
        """Link the transparency report, once there is one that everybody may read."""
        public = standing is not None and standing.state == "published" and self._stage.disclosure == "full"
        return [(f"/results/{self._stage.id}/report", "results_report")] if public else []

    def _shared(self, request: Request, standing: Standing | None) -> dict[str, Any]:
        language = language_of(request)
        t = messages(language)
        return {
            "t": t,
            "language": language,
            "other": "en" if language == "ko" else "ko",
            "text": size_of(request),
            "sizes": SIZES,
            # The same address, with another choice.
            "chosen": lambda **choice: f"?{urlencode({**request.query_params, **choice})}",
            "stage": self._stage,
            "here": request.url.path,
            "standing": standing,
            "menu": MENU,
            "about": [*ABOUT, *self._reported(standing)],
            "teams": t.listed([t.pick(entrant.team) for entrant in self._stage.entrants]),
            "asset": assets.url,
            "font": f"{assets.MOUNTED}/fonts/{FIRST_FONT}",
            "nbsp": Markup("&nbsp;"),
        }
