"""How answers are released, so that their rhythm does not say who writes them.

A model is known by when its words come. The metronome shows both answers by one declared clock: the start, every pause and the end stand on its grid,
and between them the pace is its own. What time still tells is on which mark of the grid the slower side was ready, and nothing finer; what the
answers' lengths and prose tell is not its business. `benchmarks/blindness.py` measures both; docs/pacing.md says what each way costs.
"""

import math
from typing import Protocol

import regex

from arena.domain import stage
from arena.domain.battle import SIDES, Side

TICK_S = 0.1
"""At most ten updates a second."""
_GRAPHEME = regex.compile(r"\X")
_EARLY = 1e-6
"""Sums of binary fractions come this near to what they mean."""


class Buffer:
    """What one side has written and not yet shown."""

    def __init__(self) -> None:
        self.graphemes: list[str] = []
        self.shown = 0
        self.tail = ""
        self.begun = False
        self.ended = False

    def feed(self, text: str) -> None:
        """More text."""
        clusters = _GRAPHEME.findall(self.tail + text)
        # The last cluster may still grow: a vowel, an accent, a joiner.
        self.tail = clusters.pop() if clusters else ""
        self.graphemes.extend(clusters)
        self.begun = True

    def end(self) -> None:
        """No more text."""
        if self.tail:
            self.graphemes.append(self.tail)
            self.tail = ""
        self.begun = self.ended = True

    @property
    def ready(self) -> int:
        """How many graphemes are whole and not yet shown."""
        return len(self.graphemes) - self.shown

    @property
    def drained(self) -> bool:
        """Whether all of it was shown."""
        return self.ended and self.ready == 0

    def take(self, n: int) -> str:
        """Show so many, or all there are."""
        taken = self.graphemes[self.shown : self.shown + n]
        self.shown += len(taken)
        return "".join(taken)


class Pacer(Protocol):
    """Takes text as it comes and gives it out tick by tick."""

    def feed(self, side: Side, text: str) -> None:
        """More text of one side."""

    def end(self, side: Side) -> None:
        """No more text of one side."""

    def tick(self, now_s: float) -> dict[Side, str]:
        """Give what to show now, `now_s` seconds after both were asked, never less than at the last tick; both sides, possibly empty."""
        ...

    def drained(self, side: Side) -> bool:
        """Tell whether this side's end may be shown."""
        ...

    def shown_whole(self, side: Side) -> bool:
        """Tell whether this side has ended and all of it was shown, whether or not its end may be yet."""
        ...


class _Buffered:
    """What every pacer does with text that comes."""

    def __init__(self) -> None:
        self._buffers: dict[Side, Buffer] = {side: Buffer() for side in SIDES}

    def feed(self, side: Side, text: str) -> None:
        """More text of one side."""
        self._buffers[side].feed(text)

    def end(self, side: Side) -> None:
        """No more text of one side."""
        self._buffers[side].end()

    def drained(self, side: Side) -> bool:
        """Both ends are shown together."""
        return all(b.drained for b in self._buffers.values())

    def shown_whole(self, side: Side) -> bool:
        """Of this side alone."""
        return self._buffers[side].drained


class Metronome(_Buffered):
    """A steady pace, in bars that are shown whole; whatever waits, waits for a mark of the grid.

    A bar is so many graphemes, shown at the declared pace. It begins only when both sides have all of it, or have ended: the first on a mark of the
    grid, which counts from the question; each other one right behind the last, or, where a side is not ready then, on a later mark. So what is
    shown depends on the models' times only through that one question, asked at declared moments. The last grapheme of an answer is known to be
    whole only at its end, so an end too is seen through a bar, and both ends at once.
    """

    def __init__(self, graphemes_per_s: float, grid_s: float, bar: int | None) -> None:
        """Both sides in bars of so many graphemes, or in one of all there is (None)."""
        super().__init__()
        self._rate = graphemes_per_s
        self._grid_s = grid_s
        self._bar = math.inf if bar is None else bar
        self._began_s: float | None = None
        """When the bar that is being shown began; nothing while waiting for a mark."""
        self._shown = 0
        """Of this bar."""
        self._marks = 0
        """How many have passed."""

    def tick(self, now_s: float) -> dict[Side, str]:
        """Give the same number of graphemes of both sides, as far as they have any."""
        due = 0
        if self._began_s is None:
            self._began_s = self._mark(now_s)
        while self._began_s is not None:
            beats = math.floor((now_s - self._began_s) * self._rate + _EARLY)
            played = min(beats, self._bar)
            due += int(played) - self._shown
            self._shown = int(played)
            if beats < self._bar:
                break
            # The bar is over. Whether the next one follows is asked at this moment only: what comes a moment later waits for the grid.
            self._began_s, self._shown = self._began_s + self._bar / self._rate, 0
            self._marks = math.floor(self._began_s / self._grid_s + _EARLY)
            if not self._ready(due):
                self._began_s = self._mark(now_s, due)
        return {side: self._buffers[side].take(due) for side in SIDES}

    def _mark(self, now_s: float, due: int = 0) -> float | None:
        """Give the mark on which a bar begins now, where one has come since the last was looked at and both sides are ready."""
        passed = math.floor(now_s / self._grid_s + _EARLY)
        if passed <= self._marks:
            return None
        self._marks = passed
        return passed * self._grid_s if self._ready(due) else None

    def _ready(self, due: int) -> bool:
        """Whether both sides have a bar behind what is due already."""
        return all(b.ended or b.ready >= due + self._bar for b in self._buffers.values())


class Lockstep(_Buffered):
    """The same number of graphemes on both sides at every tick, as soon as both have them: a pace under the declared one is the slower side's own."""

    def __init__(self, graphemes_per_s: float) -> None:
        super().__init__()
        self._rate = graphemes_per_s
        self._credit = self._last_s = 0.0

    def tick(self, now_s: float) -> dict[Side, str]:
        """Give the same number of graphemes of both sides, limited by the emptier one until it has ended."""
        buffers = self._buffers.values()
        elapsed_s, self._last_s = now_s - self._last_s, now_s
        if not all(b.begun for b in buffers):
            return dict.fromkeys(SIDES, "")
        # Time earns graphemes; whole ones are spent, the rest is kept for the next tick, so that the pace holds on average.
        self._credit += elapsed_s * self._rate
        waiting = [b.ready for b in buffers if not b.drained]
        n = min([int(self._credit + _EARLY), *waiting]) if waiting else 0
        # A side that has ended with less than its share does not hold the other back.
        if waiting and all(b.ended for b in buffers):
            n = int(self._credit + _EARLY)
        # What was earned while the slower side wrote nothing is forfeited: a burst afterwards would show who had paused.
        self._credit = min(self._credit - n, 1.0)
        return {side: self._buffers[side].take(n) for side in SIDES}


class Natural(_Buffered):
    """Everything as it comes: for stages that declare it."""

    def tick(self, now_s: float) -> dict[Side, str]:
        """All there is."""
        return {side: buffer.take(buffer.ready) for side, buffer in self._buffers.items()}

    def drained(self, side: Side) -> bool:
        """Each end is shown when it comes."""
        return self._buffers[side].drained


def pacer(protocol: stage.Protocol) -> Pacer:
    """Make the stage's pacer."""
    rate, bar = protocol.pacing_graphemes_per_s, protocol.pacing_bar
    match protocol.pacing:
        case "metronome":
            return Metronome(rate, protocol.pacing_grid_s, None if bar == "answer" else bar)
        case "lockstep":
            return Lockstep(rate)
        case "natural":
            return Natural()
