"""Answer text → safe HTML, on the server, the same for both sides. markdown-it with raw HTML off, Pygments for code, MathML for mathematics, and nh3 as the last gate. Nothing from outside is loaded: no images."""

import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

import nh3
from latex2mathml.converter import convert as latex_to_mathml
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml, isMdAsciiPunct, isPunctChar
from markdown_it.rules_inline.state_inline import Delimiter, StateInline
from markdown_it.token import Token
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
    "p", "br", "hr", "h4", "h5", "h6", "strong", "em", "s", "blockquote", "ul", "ol", "li", "pre", "code", "span", "a",
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


def _emphasis(state: StateInline, silent: bool) -> bool:
    """Let what ends in a bracket be bold before a Korean particle: CommonMark wants a space or a mark there.

    A Hangul or Han letter beside the asterisks counts as a mark would (the CJK-friendly amendments to CommonMark, markdown-cjk-friendly).
    """
    start = state.pos
    if silent or state.src[start] != "*":
        return False
    end = start
    while end < state.posMax and state.src[end] == "*":
        end += 1
    before = state.src[start - 1] if start else " "
    after = state.src[end] if end < state.posMax else " "
    opens = not after.isspace() and (not _is_mark(after) or before.isspace() or _is_mark(before) or _is_cjk(before))
    closes = not before.isspace() and (not _is_mark(before) or after.isspace() or _is_mark(after) or _is_cjk(after))
    for _ in range(end - start):
        token = state.push("text", "", 0)
        token.content = "*"
        state.delimiters.append(Delimiter(ord("*"), end - start, len(state.tokens) - 1, -1, opens, closes))
    state.pos = end
    return True


def _is_mark(letter: str) -> bool:
    return isMdAsciiPunct(ord(letter)) or isPunctChar(letter)


def _is_cjk(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) in ("W", "F") and letter.isalpha()


def markdown(*, highlighted: bool = True) -> MarkdownIt:
    """Build a parser: CommonMark with tables, strike-through and mathematics, without raw HTML and images."""
    md = MarkdownIt("commonmark", {"html": False, "highlight": _code if highlighted else None, "maxNesting": 12})
    md.enable(["table", "strikethrough"]).disable(["image", "html_block", "html_inline"])
    md.inline.ruler.before("emphasis", "emphasis_beside_hangul", _emphasis)
    md.use(dollarmath_plugin, allow_space=False, double_inline=True, renderer=_mathematics)
    return md


_md = markdown()
_plain = markdown(highlighted=False)


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


def render(text: str, *, top: int | None = None, highlighted: bool = True) -> str:
    """Write an answer, or some of its blocks, as safe HTML. Code is coloured where `highlighted`.

    The answer's first heading is an h4, below the page's own, and the others stand to it as they were written; `top` is that heading's level
    where it stands in an earlier block.
    """
    md = _md if highlighted else _plain
    tokens = md.parse(text)
    top = top or first_heading(tokens)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, max(4, 4 + int(token.tag[1]) - (top or 1)))}"
        if token.type in ("th_open", "td_open"):
            align = str(token.attrs.pop("style", ""))
            if align:
                token.attrs["class"] = "align-" + align.removeprefix("text-align:")
    return _safe(md.renderer.render(tokens, md.options, {}))


def first_heading(tokens: Sequence[Token]) -> int | None:
    """Tell the level of the first heading that says something, if there is one."""
    return next(
        (
            int(token.tag[1])
            for token, said in pairwise(tokens)
            if token.type == "heading_open" and said.content.strip()
        ),
        None,
    )
