"""How answers are released, so that their rhythm does not say who writes them.

Raw timing names a model 82 times in 100. In lockstep nothing is shown before both sides have begun, both sides show the same
number of graphemes per tick, never faster than the stage's pace and never faster than the slower side, and both ends are
shown together. What is left is style.
"""

from typing import Literal, Protocol

import regex

from arena.domain.battle import SIDES, Side

_GRAPHEME = regex.compile(r"\X")


class _Buffer:
    """What one side has written and not yet shown."""

    def __init__(self) -> None:
        self.graphemes: list[str] = []
        self.shown = 0
        self.tail = ""
        self.begun = False
        self.ended = False

    def feed(self, text: str) -> None:
        clusters = _GRAPHEME.findall(self.tail + text)
        # The last cluster may still grow: a vowel, an accent, a joiner.
        self.tail = clusters.pop() if clusters else ""
        self.graphemes.extend(clusters)
        self.begun = True

    def end(self) -> None:
        if self.tail:
            self.graphemes.append(self.tail)
            self.tail = ""
        self.begun = self.ended = True

    @property
    def ready(self) -> int:
        return len(self.graphemes) - self.shown

    @property
    def drained(self) -> bool:
        return self.ended and self.ready == 0

    def take(self, n: int) -> str:
        taken = self.graphemes[self.shown : self.shown + n]
        self.shown += len(taken)
        return "".join(taken)


class Pacer(Protocol):
    """Takes text as it comes and gives it out tick by tick."""

    def feed(self, side: Side, text: str) -> None:
        """More text of one side."""

    def end(self, side: Side) -> None:
        """No more text of one side."""

    def tick(self, elapsed_s: float) -> dict[Side, str]:
        """What to show now, `elapsed_s` seconds after the last tick; both sides, possibly empty."""
        ...

    def drained(self, side: Side) -> bool:
        """Whether this side's end may be shown."""
        ...


class Lockstep:
    """The same number of graphemes on both sides at every tick."""

    def __init__(self, graphemes_per_s: float) -> None:
        self._rate = graphemes_per_s
        self._credit = 0.0
        self._buffers: dict[Side, _Buffer] = {side: _Buffer() for side in SIDES}

    def feed(self, side: Side, text: str) -> None:
        """More text of one side."""
        self._buffers[side].feed(text)

    def end(self, side: Side) -> None:
        """No more text of one side."""
        self._buffers[side].end()

    def tick(self, elapsed_s: float) -> dict[Side, str]:
        """The same number of graphemes of both sides, limited by the emptier one until it has ended."""
        buffers = self._buffers.values()
        if not all(b.begun for b in buffers):
            return dict.fromkeys(SIDES, "")
        self._credit += elapsed_s * self._rate
        waiting = [b.ready for b in buffers if not b.drained]
        n = min([int(self._credit), *waiting]) if waiting else 0
        # A side that has ended with less than its share does not hold the other back.
        if waiting and all(b.ended for b in buffers):
            n = int(self._credit)
        self._credit = min(self._credit - n, 1.0)
        return {side: self._buffers[side].take(n) for side in SIDES}

    def drained(self, side: Side) -> bool:
        """Both ends are shown together."""
        return all(b.drained for b in self._buffers.values())


class Natural:
    """Everything as it comes: for stages that declare it."""

    def __init__(self) -> None:
        self._buffers: dict[Side, _Buffer] = {side: _Buffer() for side in SIDES}

    def feed(self, side: Side, text: str) -> None:
        """More text of one side."""
        self._buffers[side].feed(text)

    def end(self, side: Side) -> None:
        """No more text of one side."""
        self._buffers[side].end()

    def tick(self, elapsed_s: float) -> dict[Side, str]:
        """All there is."""
        return {side: self._buffers[side].take(self._buffers[side].ready) for side in SIDES}

    def drained(self, side: Side) -> bool:
        """Each end is shown when it comes."""
        return self._buffers[side].drained


def pacer(kind: Literal["lockstep", "natural"], graphemes_per_s: float) -> Pacer:
    """The stage's pacer."""
    return Lockstep(graphemes_per_s) if kind == "lockstep" else Natural()
