"""The chronicle: every vote of a stage as columns, followed as they are committed; what the slower views are made from.

No text stays here: of a conversation, its language, its number of turns and the marks of style are kept.
"""

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from arena.domain.battle import SIDES, Turn
from arena.domain.stage import Stage
from arena.domain.vote import Winner
from arena.record.store import Store
from arena.record.traces import Traces
from arena.results.votes.inclusion import Rule
from ratings.comparison import OUTCOMES, Comparisons
from ratings.style import MARKS, marks

LATE = timedelta(seconds=60)
"""The longest that a vote may take from its sequence number to its commit."""
LANGUAGES = ("ko", "en", "mixed", "other", "erased")
IDENTITY = ("anonymous", "email", "verified")
_MIXED = 0.25
"""The smaller script's share of the letters from which a prompt counts as mixed."""


@dataclass(frozen=True, slots=True, eq=False)
class Chronicle:
    """A stage's votes in the order they were cast, as columns of equal length."""

    entrants: tuple[str, ...]
    """Controls of checks too, so that every vote has a place."""
    battles: NDArray[np.object_]
    voters: NDArray[np.object_]
    """Pseudonyms; `voter` holds indices into them."""
    voter: NDArray[np.int64]
    a: NDArray[np.int64]
    b: NDArray[np.int64]
    outcome: NDArray[np.int64]
    """As in `ratings.comparison`."""
    at: NDArray[np.float64]
    """When it was cast, in seconds since 1970 UTC."""
    marked: NDArray[np.bool_]
    turns: NDArray[np.int64]
    """Prompts in the conversation."""
    language: NDArray[np.int64]
    """Of the first prompt: an index into `LANGUAGES`."""
    identity: NDArray[np.int64]
    """An index into `IDENTITY`."""
    style: NDArray[np.float64]
    """Shape (votes, 8): length, headers, bold, lists of side a, then of side b, over all turns."""

    def __len__(self) -> int:
        return len(self.a)

    def counted(self, rule: Rule) -> NDArray[np.bool_]:
        """Which votes this rule leaves in the fit."""
        kept = ~self.out_of_scope(rule)
        if rule.leaves_marked_out:
            kept &= ~self.marked
        return kept & ~self.among(rule.excluded)

    def out_of_scope(self, rule: Rule) -> NDArray[np.bool_]:
        """Votes that no choice brings back: on checks, and on entrants that were removed."""
        rated = np.array([entrant in rule.entrants for entrant in self.entrants], bool)
        return ~(rated[self.a] & rated[self.b]) if len(self) else np.zeros(0, bool)

    def among(self, battles: Collection[str]) -> NDArray[np.bool_]:
        """Which votes were cast in these battles."""
        if not battles:
            return np.zeros(len(self), bool)
        return np.fromiter((battle in battles for battle in self.battles), bool, len(self))

    def comparisons(
        self, rows: NDArray[np.bool_], entrants: Sequence[str], weights: NDArray[np.float64] | None = None
    ) -> Comparisons:
        """These votes for a fit of these entrants; all of the rows have to be between two of them."""
        place = np.array([entrants.index(e) if e in entrants else -1 for e in self.entrants], np.int64)
        chosen = (place[self.a[rows]], place[self.b[rows]], self.outcome[rows], self.voter[rows])
        return Comparisons.from_codes(tuple(entrants), *chosen, None if weights is None else weights[self.voter[rows]])


def language(prompt: str) -> str:
    """Of a prompt, by its letters: `ko`, `en` (any Latin script), `mixed` or `other`."""
    hangul = sum("가" <= c <= "힣" or "ㄱ" <= c <= "ㅣ" for c in prompt)
    latin = sum(c.isascii() and c.isalpha() for c in prompt)
    other = sum(c.isalpha() for c in prompt) - hangul - latin
    if hangul + latin == 0 or other > hangul + latin:
        return "other"
    if min(hangul, latin) >= _MIXED * (hangul + latin):
        return "mixed"
    return "ko" if hangul >= latin else "en"


class Chronicler:
    """Follows one stage. Any thread may ask; every vote and its texts are read once."""

    def __init__(
        self, store: Store, stage: Stage, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Reads nothing yet: the first chronicle does."""
        self._store = store
        self._stage = stage
        self._clock = clock
        self._lock = threading.Lock()
        self._entrants = tuple(e.id for e in (*stage.entrants, *stage.controls))
        self._place = {entrant: code for code, entrant in enumerate(self._entrants)}
        self._outcome = {Winner(o.value): code for code, o in enumerate(OUTCOMES)}
        self._voters: dict[str, int] = {}
        self._rows: list[tuple[str, int, int, int, int, float, bool, int, int]] = []
        self._style: list[tuple[float, ...]] = []
        self._settled = 0
        self._seen: dict[int, datetime] = {}
        self._last: Chronicle | None = None

    def chronicle(self) -> Chronicle:
        """All votes committed so far.

        Raises:
            Unavailable: the record cannot be read.
        """
        with self._lock:
            before = len(self._rows)
            self._follow()
            if self._last is None or len(self._rows) > before:
                self._last = self._made()
            return self._last

    def _follow(self) -> None:
        now = self._clock()
        traces = Traces(self._store.database)
        for row, told in traces.measured(self._stage.id, self._settled, _measured, known=self._seen.copy()):
            self._seen[row.seq] = row.cast_at
            turns, spoken, style = told
            self._rows.append(
                (
                    row.battle_id,
                    self._voters.setdefault(row.voter, len(self._voters)),
                    self._place[row.model_a],
                    self._place[row.model_b],
                    self._outcome[row.winner],
                    row.cast_at.timestamp(),
                    row.marked,
                    turns,
                    LANGUAGES.index(spoken) * len(IDENTITY) + IDENTITY.index(row.identity_level),
                )
            )
            self._style.append(style)
        old = [seq for seq, cast_at in self._seen.items() if cast_at < now - LATE]
        self._settled = max([self._settled, *old])
        self._seen = {seq: at for seq, at in self._seen.items() if seq > self._settled}

    def _made(self) -> Chronicle:
        columns = list(zip(*self._rows, strict=True)) or [()] * 9
        battles, voter, a, b, outcome, at, marked, turns, both = columns
        codes = np.array(both, np.int64)
        when = np.array(at, np.float64)
        order = np.argsort(when, kind="stable")
        whole = {
            name: np.array(column, np.int64)[order]
            for name, column in (("voter", voter), ("a", a), ("b", b), ("outcome", outcome), ("turns", turns))
        }
        return Chronicle(
            entrants=self._entrants,
            battles=np.array(battles, object)[order],
            voters=np.array(list(self._voters), object),
            at=when[order],
            marked=np.array(marked, bool)[order],
            language=(codes // len(IDENTITY))[order],
            identity=(codes % len(IDENTITY))[order],
            style=np.array(self._style, np.float64).reshape(-1, 2 * len(MARKS))[order],
            **whole,
        )


def _measured(turns: Sequence[Turn]) -> tuple[int, str, tuple[float, ...]]:
    if not turns or not turns[0].prompt:
        return len(turns), "erased", (0.0,) * 2 * len(MARKS)
    style: list[float] = []
    for side in SIDES:
        found = [marks(turn.answers[side].text) for turn in turns if side in turn.answers]
        style += [float(sum(column)) for column in zip(*found, strict=True)] or [0.0] * len(MARKS)
    return len(turns), language(turns[0].prompt), tuple(style)
