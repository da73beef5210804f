"""Answer text → safe HTML, block by block: a finished block is rendered once and never touched again.

Rendering happens on the server, the same for both sides; the browser appends text and swaps blocks. markdown-it with raw HTML
off, Pygments for code, MathML for mathematics, and nh3 as the last gate. Nothing from outside is loaded: no images.
"""

from contextlib import suppress
from typing import Any

import nh3
from latex2mathml.converter import convert as latex_to_mathml
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

_MATH = {
    "math", "mi", "mn", "mo", "mtext", "mspace", "ms", "mrow", "mfrac", "msqrt", "mroot", "mstyle", "merror", "mpadded",
    "mphantom", "menclose", "msub", "msup", "msubsup", "munder", "mover", "munderover", "mmultiscripts", "mtable", "mtr", "mtd",
}  # fmt: skip
_TAGS = {
    "p", "br", "hr", "h3", "h4", "h5", "h6", "strong", "em", "s", "blockquote", "ul", "ol", "li", "pre", "code", "span", "a",
    "table", "thead", "tbody", "tr", "th", "td", "div",
} | _MATH  # fmt: skip
_ATTRIBUTES = {
    "a": {"href", "title"},
    "ol": {"start"},
    "code": {"class"},
    "span": {"class"},
    "div": {"class"},
    "th": {"class"},
    "td": {"class"},
    "math": {"display"},
    "mo": {"stretchy", "fence", "form"},
    "mtable": {"columnalign"},
    "mstyle": {"displaystyle", "mathvariant"},
    "mi": {"mathvariant"},
}
_CODE_CHARS = 20_000
_MATH_CHARS = 1_000
_PATIENCE = 2_000
"""A block of so many characters has grown by half before anybody looks for its end again: the work stays linear in the answer."""
_formatter = HtmlFormatter(nowrap=True, classprefix="hl-")


def _code(text: str, language: str, _attributes: str) -> str:
    if language and len(text) <= _CODE_CHARS:
        try:
            return highlight(text, get_lexer_by_name(language), _formatter)
        except ClassNotFound:
            pass
    return escapeHtml(text)


def _mathematics(text: str, options: dict[str, Any]) -> str:
    if len(text) <= _MATH_CHARS:
        # The converter raises whatever its parser stumbles over; the source is shown instead.
        with suppress(Exception):
            return latex_to_mathml(text, display="block" if options.get("display_mode") else "inline")
    return f"<code>{escapeHtml(text)}</code>"


def _markdown() -> MarkdownIt:
    md = MarkdownIt("commonmark", {"html": False, "highlight": _code, "maxNesting": 12})
    md.enable(["table", "strikethrough"]).disable(["image", "html_block", "html_inline"])
    md.use(dollarmath_plugin, allow_space=False, double_inline=True, renderer=_mathematics)
    return md


_md = _markdown()
_blocks = _markdown()
_blocks.core.ruler.enableOnly(["normalize", "block"])


def _safe(html: str) -> str:
    return nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https"},
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
        strip_comments=True,
    )


def render(text: str) -> str:
    """A whole answer as safe HTML; headings start at h3, below the page's own."""
    tokens = _md.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
        if token.type in ("th_open", "td_open"):
            align = str(token.attrs.pop("style", ""))
            if align:
                token.attrs["class"] = "align-" + align.removeprefix("text-align:")
    return _safe(_md.renderer.render(tokens, _md.options, {}))


class BlockRenderer:
    """One side's streaming answer."""

    def __init__(self) -> None:
        self._pending = ""
        self._looked_at = 0

    def feed(self, text: str, *, end: bool = False) -> tuple[str, str | None]:
        """Takes new text; returns `(text, html)`.

        Without html, `text` follows what is pending. With html, the finished blocks have become `html` and `text` is all
        that is pending behind them.
        """
        self._pending += text
        if end:
            html = render(self._pending) if self._pending else None
            self._pending = ""
            return "", html
        # A block can only be finished by a line's end.
        if "\n" not in text or _PATIENCE < len(self._pending) < 1.5 * self._looked_at:
            return text, None
        start = self._last_block()
        if start == 0:
            self._looked_at = len(self._pending)
            return text, None
        self._looked_at = 0
        finished, self._pending = self._pending[:start], self._pending[start:]
        return self._pending, render(finished)

    def _last_block(self) -> int:
        """Where the last top-level block begins: everything before it can no longer change."""
        lines = [t.map[0] for t in _blocks.parse(self._pending) if t.level == 0 and t.map and t.nesting >= 0]
        if len(lines) < 2:
            return 0
        # Not splitlines(): Markdown knows one line end, Unicode ten.
        return sum(len(line) + 1 for line in self._pending.split("\n")[: lines[-1]])
