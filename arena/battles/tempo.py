"""How entrants write, as measured before a stage opens, and the metronome that hides it."""

import math
from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple, Self

from arena.battles.pacing import Buffer
from arena.domain import stage

_GRID_ROOM = 1.2
"""An endpoint in use is slower than one that is tried."""
_PACE_ROOM = 0.9
_STEP_S = 0.5
_LONGEST_S = 60.0
_FEW = 20
"""Graphemes of which no pace can be told."""


class Tempo(NamedTuple):
    """Of several answers of one entrant the slow ones: nineteen of twenty are quicker."""

    first_s: float
    bar_s: float
    """Until the metronome had what it has in hand before it shows anything."""
    graphemes_per_s: float
    """After the first piece; infinite where everything came at once."""

    @classmethod
    def of(cls, answers: Sequence[Sequence[tuple[float, str]]], bar: int | Literal["answer"]) -> Self:
        """Take the pieces of at least one answer, `(seconds after the question, text)`."""
        firsts, bars, paces = zip(*(_timed(pieces, bar) for pieces in answers), strict=True)
        slow = min(len(answers) - 1, int(0.95 * len(answers)))
        return cls(sorted(firsts)[slow], sorted(bars)[slow], sorted(paces, reverse=True)[slow])


def _timed(pieces: Sequence[tuple[float, str]], bar: int | Literal["answer"]) -> tuple[float, float, float]:
    buffer = Buffer()
    seen: list[tuple[float, int]] = []
    for at, text in pieces:
        buffer.feed(text)
        seen.append((at, buffer.ready))
    written = [(at, n) for at, n in seen if n]
    end_s = pieces[-1][0]
    if not written:
        return pieces[0][0], end_s, math.inf
    in_hand = next((at for at, n in written if bar != "answer" and n >= bar), end_s)
    (first_s, first), (last_s, last) = written[0], written[-1]
    pace = (last - first) / (last_s - first_s) if last - first >= _FEW and last_s > first_s else math.inf
    return pieces[0][0], in_hand, pace


def proposed(tempos: Collection[Tempo], protocol: stage.Protocol) -> tuple[float, int]:
    """Propose a grid, in seconds, before whose first mark all of these are ready, and a pace, in graphemes a second, at which none runs dry."""
    grid_s = math.ceil(max(each.bar_s for each in tempos) * _GRID_ROOM / _STEP_S) * _STEP_S
    pace = min(protocol.pacing_graphemes_per_s, *(each.graphemes_per_s * _PACE_ROOM for each in tempos))
    whole = protocol.pacing_bar == "answer"  # nobody runs dry
    return min(max(grid_s, _STEP_S), _LONGEST_S), protocol.pacing_graphemes_per_s if whole else max(1, int(pace))
