"""What of a model's raw words becomes its answer: reasoning set apart, in plain form, cut at a stop string, bounded in characters."""

from typing import NamedTuple

import regex

from models.base import Finish, Sampling
from models.reasoning import ReasoningSplitter, overlap
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


class Shaper:
    """Shapes one answer while it is written; the same bounds for every entrant, wherever its model runs."""

    def __init__(self, sampling: Sampling, *, opened: bool | None = False, cut_is_reasoning: bool = True) -> None:
        """Begins an answer.

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
        """The answer in the form in which the model sent it, where that is not the plain one."""
        sent = "".join(self._sent)
        return None if plain(sent) == sent else sent

    def feed(self, raw: str, reasoning: str = "") -> Piece:
        """Takes the next raw words, whole characters only, and reasoning that came apart from them.

        Raises:
            AnswerError: leaked.
        """
        if self._split.flowing and not (
            reasoning or self._stop or "<" in raw or "\n" in raw or len(raw) > self._raw_room
        ):
            self._split.flow(raw)  # nearly always: nothing here can be a tag, or end the answer
            text = self._plain.feed(raw)
            self._raw_room -= len(raw)
            self._sent.append(raw)
            if len(text) >= self._room:
                return Piece(_whole(text, self._room), "", "length")
            self._room -= len(text)
            return Piece(text)
        text, more = self._split.own_channel() if reasoning else ("", "")
        said, thought = self._split.split(raw)
        if self._split.undecided and len(self._split.held) > self._reasoning_room:
            return self.end("length")
        return self._bounded(text + said, reasoning + more + thought, last=False)

    def end(self, finish: Finish) -> Piece:
        """Gives what was held back, now that the model has ended; the piece's `finish` is "length" where the bounds came first.

        Raises:
            AnswerError: leaked.
        """
        piece = self._bounded(*self._split.end(finish), last=True)
        return piece._replace(finish=piece.finish or finish)

    def _bounded(self, raw: str, raw_reasoning: str, *, last: bool) -> Piece:
        finish: Finish | None = None
        if len(raw) > self._raw_room:
            raw, finish, last = raw[: self._raw_room], "length", True
        elif len(raw_reasoning) > self._raw_room:
            finish, last = "length", True
        self._raw_room = max(0, self._raw_room - len(raw) - len(raw_reasoning))
        self._sent.append(raw)
        text = self._plain.feed(raw) + (self._plain.end() if last else "")
        reasoning = raw_reasoning and self._plain_reasoning.feed(raw_reasoning)
        if last:
            reasoning += self._plain_reasoning.end()
        if self._stop:
            text, self._held = self._held + text, ""
            at = min((i for s in self._stop if (i := text.find(s)) >= 0), default=-1)
            if at >= 0:
                text, finish = text[:at], "stop"
            elif not last and (kept := overlap(text, self._stop)):
                text, self._held = text[:-kept], text[-kept:]
        if len(text) >= self._room:
            text, finish = _whole(text, self._room), "length"
        if len(reasoning) >= self._reasoning_room:
            reasoning, finish = reasoning[: self._reasoning_room], "length"
        self._room -= len(text)
        self._reasoning_room -= len(reasoning)
        return Piece(text, reasoning, finish)


def _whole(text: str, room: int) -> str:
    """At most `room` characters of `text`, none of its graphemes cut."""
    if len(text) <= room:
        return text
    ends = [m.end() for m in regex.finditer(r"\X", text) if m.end() <= room]
    return text[: ends[-1]] if ends else ""
