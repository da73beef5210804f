"""What of a model's raw words becomes its answer: reasoning set apart, cut at a stop string, bounded in characters."""

from typing import NamedTuple

import regex

from models.base import Finish, Sampling

OPEN, CLOSE = "<think>", "</think>"
REASONING_FACTOR = 4
"""Reasoning may be this many times longer than the answer before it ends the answer."""


class Piece(NamedTuple):
    """What may be shown now; `finish` when the bounds end the answer here."""

    text: str = ""
    reasoning: str = ""
    finish: Finish | None = None


class Shaper:
    """Shapes one answer while it is written; the same bounds for every entrant, wherever its model runs.

    A `<think>` block is recognised at the start of a line, so that an answer may speak of the tag inside a sentence.
    """

    def __init__(self, sampling: Sampling, *, thinking: bool = False) -> None:
        """`thinking`: the prompt has already opened the block."""
        self._stop = tuple(s for s in sampling.stop if s)
        self._room = sampling.max_chars
        self._reasoning_room = sampling.max_chars * REASONING_FACTOR
        self._thinking = thinking
        self._blank_line = True
        self._begun = False
        self._raw = ""  # may become a tag
        self._held = ""  # may become a stop string
        self._lead = ""  # white space that nothing has followed yet

    def feed(self, raw: str, reasoning: str = "") -> Piece:
        """The next raw words, whole characters only, and reasoning that came apart from them."""
        if self._plain and not reasoning and len(raw) < self._room and "<" not in raw and "\n" not in raw:
            self._blank_line = self._blank_line and not raw.strip()  # nothing here can be a tag or end the answer
            self._room -= len(raw)
            return Piece(raw)
        text, more = self._split(raw, last=False)
        return self._bounded(text, reasoning + more, last=False)

    @property
    def _plain(self) -> bool:
        return self._begun and not self._thinking and not self._raw and not self._stop

    def end(self) -> Piece:
        """The model has ended: what was held back is no tag and no stop string."""
        return self._bounded(*self._split("", last=True), last=True)

    def _split(self, raw: str, *, last: bool) -> tuple[str, str]:
        """Parts raw words into text and reasoning."""
        data, self._raw = self._raw + raw, ""
        text, reasoning = "", ""
        while data:
            tag = CLOSE if self._thinking else OPEN
            at = data.find(tag)
            if at < 0:
                kept = 0 if last else _overlap(data, (tag,))
                if kept and not self._thinking and not self._blank_after(data[:-kept]):
                    kept = 0
                data, self._raw = (data[:-kept], data[-kept:]) if kept else (data, "")
                if self._thinking:
                    reasoning += data
                else:
                    text += self._words(data)
                break
            before, data = data[:at], data[at + len(tag) :]
            if self._thinking:
                reasoning += before
                self._thinking, self._blank_line, self._begun = False, True, False
            elif self._blank_after(before):
                text += self._words(before)
                self._lead, self._thinking = "", True
            else:
                text += self._words(before + tag)
        if last and not self._thinking:
            text, self._lead = text + self._lead, ""
        return text, reasoning

    def _blank_after(self, text: str) -> bool:
        line = text.rpartition("\n")
        return line[2].strip() == "" and (bool(line[1]) or self._blank_line)

    def _words(self, text: str) -> str:
        """Visible words; white space at the start waits until something follows, for a reasoning block may."""
        self._blank_line = self._blank_after(text)
        if self._begun or not text:
            return text
        if not text.strip():
            self._lead += text
            return ""
        self._begun = True
        text, self._lead = self._lead + text, ""
        return text

    def _bounded(self, text: str, reasoning: str, *, last: bool) -> Piece:
        finish: Finish | None = None
        if self._stop:
            text, self._held = self._held + text, ""
            at = min((i for s in self._stop if (i := text.find(s)) >= 0), default=-1)
            if at >= 0:
                text, finish = text[:at], "stop"
            elif not last and (kept := _overlap(text, self._stop)):
                text, self._held = text[:-kept], text[-kept:]
        if len(text) >= self._room:
            text, finish = _whole(text, self._room), "length"
        if len(reasoning) >= self._reasoning_room:
            reasoning, finish = reasoning[: self._reasoning_room], "length"
        self._room -= len(text)
        self._reasoning_room -= len(reasoning)
        return Piece(text, reasoning, finish)


def _overlap(text: str, strings: tuple[str, ...]) -> int:
    """How many characters at the end of `text` may be the beginning of one of `strings`."""
    longest = max(len(s) for s in strings) - 1
    for n in range(min(len(text), longest), 0, -1):
        end = text[-n:]
        if any(s.startswith(end) for s in strings):
            return n
    return 0


def _whole(text: str, room: int) -> str:
    """At most `room` characters of `text`, none of its graphemes cut."""
    if len(text) <= room:
        return text
    ends = [m.end() for m in regex.finditer(r"\X", text) if m.end() <= room]
    return text[: ends[-1]] if ends else ""
