"""What of a model's raw words becomes its answer: in plain form, reasoning set apart, cut at a stop string, bounded in characters."""

from collections.abc import Sequence
from typing import NamedTuple

import regex

from models.base import Finish, Sampling
from models.reasoning import ReasoningSplitter, Segment, overlap
from models.text import PlainText, plain

REASONING_FACTOR = 4
"""Reasoning may be this many times longer than the answer before it ends the answer."""
RAW_FACTOR = 16
"""All that is sent may be this many times longer: a decomposed syllable is three characters, yet characters that nobody sees must end somewhere."""


class Piece(NamedTuple):
    """What may be shown now; `finish` when the bounds end the answer here."""

    text: str = ""
    reasoning: str = ""
    finish: Finish | None = None


def _flowing(words: str) -> Piece:
    return tuple.__new__(Piece, (words, "", None))


class OutputFilter:
    """Shapes one answer while it is written; the same bounds for every entrant, wherever its model runs."""

    def __init__(self, sampling: Sampling, *, opened: bool | None = False, cut_is_reasoning: bool = True) -> None:
        """Begin an answer.

        Args:
            sampling: its bounds.
            opened: whether the prompt has already opened a reasoning block; None when nobody knows, and then nothing is shown until it is clear.
            cut_is_reasoning: see `ReasoningSplitter`.
        """
        self._split = ReasoningSplitter(opened, cut_is_reasoning=cut_is_reasoning)
        self._plain, self._plain_reasoning = PlainText(), PlainText()
        self._stop = tuple(s for s in sampling.stop if s)
        self._room = sampling.max_chars
        self._reasoning_room = sampling.max_chars * REASONING_FACTOR
        self._raw_room = sampling.max_chars * RAW_FACTOR
        self._held = ""  # may become a stop string
        self._sent: list[str] = []

    @property
    def undecided(self) -> bool:
        """Whether what has come is held back because it may be reasoning."""
        return self._split.undecided

    @property
    def lone_end(self) -> bool:
        """Whether the answer closed a block that only the prompt can have opened."""
        return self._split.lone_end

    @property
    def sent(self) -> str | None:
        """All that the model sent as its answer, where its form is not the plain one."""
        sent = "".join(self._sent)
        return None if plain(sent) == sent else sent

    def feed(self, raw: str, reasoning: str = "") -> Piece:
        """Take the next raw words, whole characters only, and reasoning that came apart from them.

        Raises:
            AnswerError: leaked.
        """
        self._raw_room -= len(raw) + len(reasoning)
        if self._raw_room < 0:
            return self._cut(raw)
        self._sent.append(raw)
        words = self._plain.feed(raw)
        if not reasoning and not self._stop and self._split.flows(words):
            self._room -= len(words)
            return _flowing(words) if self._room > 0 else Piece(_whole(words, self._room + len(words)), "", "length")
        found = [("", self._plain_reasoning.feed(reasoning))]
        if reasoning.strip():
            found += self._split.own_channel()
        found += self._split.split(words)
        if self._split.undecided and len(self._split.held) > self._reasoning_room:
            return self.end("length")
        return self._bounded(found, last=False)

    def end(self, finish: Finish) -> Piece:
        """Give what was held back, now that the model has ended; the piece's `finish` is "length" where the bounds came first.

        Raises:
            AnswerError: leaked.
        """
        found = [("", self._plain_reasoning.end()), *self._split.split(self._plain.end()), *self._split.end(finish)]
        piece = self._bounded(found, last=True)
        return piece._replace(finish=piece.finish or finish)

    def _cut(self, raw: str) -> Piece:
        """End an answer of which too much was sent, at the same character whatever its pieces."""
        kept = raw[: max(0, len(raw) + self._raw_room)]
        self._sent.append(kept)
        found = [("", self._plain_reasoning.end()), *self._split.split(self._plain.feed(kept) + self._plain.end())]
        return self._bounded([*found, *self._split.end("length")], last=True)._replace(finish="length")

    def _bounded(self, found: Sequence[Segment], *, last: bool) -> Piece:
        """Take the segments in the order in which they were written, until a bound ends the answer: what follows it is none of it."""
        text, reasoning, finish = "", "", None
        for said, thought in found:
            text_part, finish = self._bounded_text(said)
            text += text_part
            if finish is None and len(thought) >= self._reasoning_room:
                thought, finish = thought[: self._reasoning_room], "length"
            elif finish is not None:
                thought = ""
            reasoning += thought
            self._reasoning_room -= len(thought)
            if finish is not None:
                return Piece(text, reasoning, finish)
        # What ends the answer before the leak keeps it: wherever the stream was cut, the first of the two decides.
        if self._split.leak is not None:
            raise self._split.leak
        if last and self._held:
            held, self._held = self._held, ""
            if len(held) >= self._room:
                held, finish = _whole(held, self._room), "length"
            text += held
        return Piece(text, reasoning, finish)

    def _bounded_text(self, text: str) -> tuple[str, Finish | None]:
        finish: Finish | None = None
        if self._stop and text:
            text, self._held = self._held + text, ""
            at = min((i for s in self._stop if (i := text.find(s)) >= 0), default=-1)
            if at >= 0:
                text, finish = text[:at], "stop"
            elif kept := overlap(text, self._stop):
                text, self._held = text[:-kept], text[-kept:]
        if len(text) >= self._room:
            text, finish = _whole(text, self._room), "length"
        self._room -= len(text)
        return text, finish


def _whole(text: str, room: int) -> str:
    """At most `room` characters of `text`, none of its graphemes cut."""
    if len(text) <= room:
        return text
    ends = [m.end() for m in regex.finditer(r"\X", text) if m.end() <= room]
    return text[: ends[-1]] if ends else ""
