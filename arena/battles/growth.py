"""An answer that is still written → safe HTML, block by block: a finished block is rendered once and never touched again, and the open one
is shown without the marks that mean nothing yet.
"""

import os
import re
from dataclasses import dataclass
from typing import Final

from markdown_it.token import Token

from arena.battles.render import first_heading, markdown, render

_PATIENCE: Final = 2_000
"""A block of so many characters has grown by half before anybody looks for its end again: the work stays linear in the answer."""
_LONG: Final = 400
_FINENESS: Final = 24
"""A draft is made anew when its block has grown by this part: of a line, at every tick; of a long block, less often."""
_MARKS: Final = re.compile(r"\s*(?:[-*+=_>|#~`:\s]|\d{1,9}[.)]?)*")
_FENCE: Final = re.compile(r"\s*(?:`+|~+)\s*")
_OPENING: Final = re.compile(r"\\.|`+|\$\$|\$|\[|\*{1,3}|~~?|__")
_FORMULA: Final = re.compile(r"\$\$[^$]*|\$(?![\s\d])[^$\uac00-\ud7a3]{0,80}")
_LATIN: Final = re.compile(r"[A-Za-z0-9]")
_LINK: Final = re.compile(r"\[[^\]\n]{0,60}\]?|\[[^\]\n]+\]\([^)\s]*")
_WORDS: Final = re.compile(r"(?:[^\W_]|[ .,?!…·“”‘’()%])+")
_TAIL: Final = re.compile(r"(?<=[^>\n])(?:</(?:p|li|ul|ol|blockquote|h[3-6])>\n?)+$")
_LAST: Final = {"inline", "fence", "table_close"}
_blocks = markdown()
_blocks.core.ruler.enableOnly(["normalize", "block"])


@dataclass(frozen=True, slots=True)
class Growth:
    """How the page of a growing answer changes: `html` stays for good, then comes the open block, which may still become anything.

    What is shown of the open block is the first `keep` UTF-16 units (as a browser counts) of what was shown of it before, and `tail`; after
    `html` there is a new one, of which nothing was shown.
    """

    html: str
    keep: int
    tail: str


class BlockRenderer:
    """One side's streaming answer."""

    def __init__(self) -> None:
        self._pending = ""
        self._top: int | None = None
        """The level of the answer's first heading."""
        self._looked_at = 0
        self._shown = ""
        self._drawn_at = 0
        self._lengthens = False

    def is_work(self, text: str) -> bool:
        """Whether taking this is more than a moment's work: a block may be finished by it, or a long one be drawn anew."""
        return "\n" in text or len(self._pending) + len(text) > _LONG

    def feed(self, text: str, *, end: bool = False) -> Growth:
        """Take new text.

        Finished blocks are rendered once. In the open one, what is open is closed (`**`, code), and what cannot be told yet is held back: a mark
        alone on its line, a table's head without its second line, the row that is being written, half a link, a formula without an end.
        """
        self._pending += text
        finished = len(self._pending) if end else self._last_block(text)
        if self._top is None and "#" in self._pending:
            self._top = first_heading(_blocks.parse(self._pending))
        html = render(self._pending[:finished], top=self._top) if finished else ""
        self._pending = self._pending[finished:]
        if html:
            self._shown, self._lengthens = "", False
        before = self._shown
        if not end and (html or len(self._pending) - self._drawn_at >= len(self._pending) / _FINENESS):
            self._shown = self._drawn(text)
        kept = os.path.commonprefix((before, self._shown))  # noqa: RUF071 - letter by letter is what is meant
        return Growth(html, len(kept.encode("utf-16-le")) // 2, self._shown[len(kept) :])

    def _drawn(self, text: str) -> str:
        """Draw the open block with this at its end. Words behind words only lengthen the last line: that needs no parser."""
        size, lines = len(self._pending), _TAIL.search(self._shown) if self._lengthens else None
        only_words = lines is not None and self._drawn_at + len(text) == size and _WORDS.fullmatch(text)
        self._drawn_at = size
        if lines is not None and only_words:
            self._lengthens = not text.endswith(" ")
            return self._shown[: lines.start()] + text.rstrip(" ") + lines[0]
        held = _presentable(self._pending)
        self._lengthens = held == self._pending and not held[-1:].isspace()
        return render(held, top=self._top, highlighted=False)

    def _last_block(self, text: str) -> int:
        """Where the last top-level block begins: everything before it can no longer change."""
        # A block can only be finished by a line's end, and by what begins behind it.
        if "\n" not in self._pending[-len(text) - 1 :] or _PATIENCE < len(self._pending) < 1.5 * self._looked_at:
            return 0
        lines = [t.map[0] for t in _blocks.parse(self._pending) if t.level == 0 and t.map and t.nesting >= 0]
        if len(lines) < 2:
            self._looked_at = len(self._pending)
            return 0
        self._looked_at = 0
        # Not splitlines(): Markdown knows one line end, Unicode ten.
        return sum(len(line) + 1 for line in self._pending.split("\n")[: lines[-1]])


def _presentable(text: str) -> str:
    """Leave off a last line that may still become something else, and close or hold back what is open in the line that stays."""
    before, newline, last = text.rpartition("\n")
    block = _blocks.parse(text)
    kind = next((token.type for token in reversed(block) if token.type in _LAST), "")
    if kind == "table_close":
        whole = not last.lstrip().startswith("|")
        return text if whole else before if "\n" in before else ""
    if kind == "fence":
        opening = not newline and last.lstrip().startswith(("```", "~~~"))
        return before + newline if opening or _FENCE.fullmatch(last) else text
    lines = text.split("\n")
    if _MARKS.fullmatch(last):
        lines.pop()
    while lines and lines[-1].lstrip().startswith("|"):  # a table, once its second line makes it one
        lines.pop()
    kept = "\n".join(lines)
    return _closed(kept, block if kept == text else _blocks.parse(kept))


def _closed(text: str, block: list[Token]) -> str:
    """Close what is open in the paragraph that is being written, or hold it back."""
    paragraph = next((token.content.rstrip() for token in reversed(block) if token.type == "inline"), "")
    text = text.rstrip()
    if not paragraph or not text.endswith(paragraph.rpartition("\n")[2]):
        return text
    held, ending = _ending(paragraph)
    return text[: len(text) - held].rstrip() + ending


def _ending(content: str) -> tuple[int, str]:
    """How much of the end of a paragraph is held back, and what closes the rest."""
    size = len(content)
    opened: list[str] = []
    position = 0
    while found := _OPENING.search(content, position):
        mark, start, position = found[0], found.start(), found.end()
        if mark.startswith("\\"):
            continue
        if mark.startswith("`"):
            end = re.search(rf"(?<!`){mark}(?!`)", content[position:])
            if end is None:
                return (0, mark) if position < size and not content.endswith("`") else (size - start, _closers(opened))
            position += end.end()
        elif mark.startswith("$"):
            end = content.find(mark, position)
            if end < 0 and _FORMULA.fullmatch(content, start):
                return size - start, _closers(opened)
            position = end + len(mark) if end >= 0 else position
        elif mark == "[":
            if _LINK.fullmatch(content, start):
                return size - start, _closers(opened)
        elif opened and opened[-1] == mark:
            opened.pop()
        elif position == size:
            return size - start, _closers(opened)
        elif mark != "~" and not content[position].isspace() and not _LATIN.match(content, start - 1):
            opened.append(mark)
    return 0, _closers(opened)


def _closers(opened: list[str]) -> str:
    return "".join(reversed(opened))
