"""What Gradio's own page loads: the module that defines its web component `<gradio-app>`, and its style sheet."""

from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Final

from arena.web.core.static import GRADIO


@dataclass(frozen=True, slots=True)
class Frontend:
    """Two addresses, relative to where the Blocks are mounted; each release of Gradio has others."""

    script: str
    style: str


class _Loaded(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.styles: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what the page asks for at once."""
        has = dict(attrs)
        if tag == "script" and has.get("type") == "module":
            self.scripts.append(has["src"] or "")
        elif tag == "link" and has.get("rel") == "stylesheet":
            self.styles.append(has["href"] or "")


def _installed() -> Frontend:
    """Read the names in the page that the installed Gradio ships.

    Raises:
        ValueError: it loads more than one script and one style sheet: a release that has to be looked at.
    """
    page = _Loaded()
    page.feed((GRADIO.parent / "index.html").read_text("utf-8"))
    (script,), (style,) = page.scripts, page.styles
    return Frontend(script, style)


FRONTEND: Final = _installed()
