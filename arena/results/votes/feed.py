"""Follows the votes of a stage as they are committed and keeps them as columns: the one reader that every other reader reads from."""

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import DTypeLike, NDArray

from arena.domain.battle import SIDES, Side, Turn
from arena.domain.stage import Stage, StageStatus
from arena.record.store import Store
from arena.results.votes.exclusions import active, history
from arena.results.votes.inclusion import REASONS, Rule, rule_of
from arena.results.votes.removals import removals
from arena.results.votes.table import IDENTITY, LANGUAGES, OUTCOME_OF, STYLE_COLUMNS, Circumstances, VoteTable
from ratings.style import MARKS, marks

LATE = timedelta(seconds=60)
"""The longest that a vote may take from its sequence number to its commit."""
_MIXED = 0.25
"""The smaller script's share of the letters from which a prompt counts as mixed."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OUTCOMES = {winner.value: code for winner, code in OUTCOME_OF.items()}


class VoteFeed:
    """Follows one stage. Any thread may ask; every vote and its texts are read once."""

    def __init__(
        self, store: Store, stage: Stage, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Read nothing yet: the first table does."""
        self._store = store
        self._stage = stage
        self._clock = clock
        self._lock = threading.Lock()
        self._entrants = tuple(entrant.id for entrant in (*stage.entrants, *stage.controls))
        self._place = {entrant: code for code, entrant in enumerate(self._entrants)}
        self._voters: dict[str, int] = {}
        self._networks: dict[str, int] = {}
        self._topics: dict[str, int] = {}
        self._questions: dict[str, int] = {}
        self._prompts: dict[str, int] = {}
        self._versions: dict[tuple[int, str], int] = {}
        self._columns = {
            name: _Column(dtype)
            for name, dtype in (
                ("seq", np.int64),
                ("voter", np.int32),
                ("a", np.int16),
                ("b", np.int16),
                ("outcome", np.int8),
                ("cast_at", np.int64),
                ("identity", np.int8),
                ("network", np.int32),
                ("leaks", np.int32),
                ("unread", np.bool_),
                ("draw", np.int32),
                ("repeat_of", np.int32),
                ("topic", np.int16),
                ("question", np.int32),
            )
        }
        self._measured = {
            "turns": _Column(np.int16),
            "language": _Column(np.int8),
            "style": _Column(np.int32, STYLE_COLUMNS),
            "judged_s": _Column(np.float64),
            "prompt": _Column(np.int32),
            "version": _Column(np.int16, len(SIDES)),
        }
        self._settled: int | None = None
        """Votes up to this number are committed and read, or never will be. None before the first look."""
        self._seen: set[int] = set()
        """Those above it that have been read."""
        self._noticed: deque[tuple[datetime, int]] = deque()
        self._rule: Rule | None = None
        self._table: VoteTable | None = None

    def table(self, *, measured: bool = False) -> tuple[VoteTable, Rule]:
        """Read what was committed since, and the rule of this moment.

        Rows keep their places for good: a later table only has more of them. `excluded_by` is the rule's.

        Args:
            measured: with the circumstances of every vote, for which the texts of those not measured yet are read.

        Raises:
            Unavailable: the record cannot be read.
        """
        with self._lock:
            new = self._follow()
            rule = self._current_rule()
            if measured:
                self._measure()
            if new or rule != self._rule or self._table is None or (measured and self._table.circumstances is None):
                self._rule, self._table = rule, self._made(rule, measured=measured)
            return self._table, rule

    def under(self, rule: Rule) -> VoteTable:
        """Read what was committed since, as this rule counts it.

        Raises:
            Unavailable: the record cannot be read.
        """
        with self._lock:
            self._follow()
            return self._made(rule, measured=False)

    def battles_of(self, seqs: Sequence[int]) -> list[str]:
        """Find the battles of these votes, in their order."""
        found = self._store.vote_columns.battles_of(seqs)
        return [found[seq] for seq in seqs]

    def _follow(self) -> bool:
        """Read new votes; look back as far as a vote may still be on its way to its commit."""
        now, source = self._clock(), self._store.vote_columns
        if self._settled is None:
            # Votes this old are committed or never will be, so their numbers have no gap that a later read must fill.
            self._settled = self._store.votes.last_before(self._stage.id, now - LATE)
            new = list(source.after(self._stage.id, 0))
        else:
            new = [row for row in source.after(self._stage.id, self._settled) if row.seq not in self._seen]
        if new:
            columns = zip(*new, strict=True)
            seq, voter, a, b, winner, cast_at, identity, network, leaks, unread, draw, repeat_of, topic, question = (
                columns
            )
            self._columns["seq"].extend(seq)
            self._columns["voter"].extend([self._voters.setdefault(v, len(self._voters)) for v in voter])
            self._columns["a"].extend([self._place[entrant] for entrant in a])
            self._columns["b"].extend([self._place[entrant] for entrant in b])
            self._columns["outcome"].extend([_OUTCOMES[w] for w in winner])
            self._columns["cast_at"].extend(cast_at)
            self._columns["identity"].extend([IDENTITY.index(level) for level in identity])
            self._columns["network"].extend(_numbered(network, self._networks))
            self._columns["leaks"].extend(leaks)
            self._columns["unread"].extend(unread)
            self._columns["draw"].extend(draw)
            self._columns["repeat_of"].extend(repeat_of)
            self._columns["topic"].extend(_numbered(topic, self._topics))
            self._columns["question"].extend(_numbered(question, self._questions))
            self._seen.update(each for each in seq if each > self._settled)
            self._noticed.append((now, max(seq)))
        while self._noticed and self._noticed[0][0] < now - LATE:
            self._settled = max(self._settled, self._noticed.popleft()[1])
        while self._settled + 1 in self._seen:
            self._settled += 1
        self._seen = {seq for seq in self._seen if seq > self._settled}
        return bool(new)

    def _current_rule(self) -> Rule:
        """Read the removals, and once the result is published what was left out: until then no act shows what it does."""
        removed = frozenset(removal.entrant for removal in removals(self._store, self._stage.id))
        record = self._store.stages.find(self._stage.id)
        if record is None or record.status is not StageStatus.PUBLISHED:
            return rule_of(self._stage, {}, removed)
        excluded = active(history(self._store, self._stage.id))
        return rule_of(self._stage, {battle: reason.value for battle, reason in excluded.items()}, removed)

    def _measure(self) -> None:
        """Measure the votes that have not been, from their conversations."""
        done = len(self._measured["turns"])
        seqs = self._columns["seq"].values()[done:].tolist()
        if not seqs:
            return
        columns = [self._columns[name].values()[done:].tolist() for name in ("cast_at", "a", "b")]
        of = dict(zip(seqs, zip(*columns, strict=True), strict=True))
        found = {
            seq: self._circumstances(turns, *of[seq]) for seq, turns in self._store.vote_columns.conversations(seqs)
        }
        for name, column in zip(self._measured.values(), zip(*(found[seq] for seq in seqs), strict=True), strict=True):
            name.extend(column)

    def _circumstances(
        self, turns: Sequence[Turn], cast_at: int, a: int, b: int
    ) -> tuple[int, int, tuple[int, ...], float, int, tuple[int, ...]]:
        """Compute the columns of `Circumstances` for one vote."""
        judged_s = _judged_s(turns, cast_at)
        version = tuple(self._version(turns, side, entrant) for side, entrant in zip(SIDES, (a, b), strict=True))
        if not turns or not turns[0].prompt:
            return len(turns), LANGUAGES.index("erased"), (-1,) * STYLE_COLUMNS, judged_s, -1, version
        style: list[int] = []
        for side in SIDES:
            found = [marks(turn.answers[side].text) for turn in turns if side in turn.answers]
            style += [sum(column) for column in zip(*found, strict=True)] or [0] * len(MARKS)
        prompt = self._prompts.setdefault(_same(turns[0].prompt), len(self._prompts))
        return len(turns), LANGUAGES.index(language(turns[0].prompt)), tuple(style), judged_s, prompt, version

    def _version(self, turns: Sequence[Turn], side: Side, entrant: int) -> int:
        """Give the code of what gave every answer on a side."""
        given = {turn.answers[side].version for turn in turns if side in turn.answers}
        version = given.pop() if len(given) == 1 else None
        if version is None:
            return -1
        known = sum(each == entrant for each, _ in self._versions)
        return self._versions.setdefault((entrant, version), known)

    def _made(self, rule: Rule, *, measured: bool) -> VoteTable:
        columns = {name: column.values() for name, column in self._columns.items()}
        circumstances = Circumstances(**{name: column.values() for name, column in self._measured.items()})
        decided = self._decided(rule, columns["seq"])
        return VoteTable(
            entrants=self._entrants,
            voters=tuple(self._voters),
            networks=tuple(self._networks),
            reasons=REASONS,
            topics=tuple(self._topics),
            questions=tuple(self._questions),
            excluded_by=rule.codes(
                self._entrants,
                columns["a"],
                columns["b"],
                columns["leaks"],
                columns["unread"],
                decided,
                columns["repeat_of"] > 0,
            ),
            circumstances=circumstances if measured else None,
            **columns,
        )

    def _decided(self, rule: Rule, seq: NDArray[np.int64]) -> NDArray[np.int8]:
        """Look up the organizer's exclusions, vote by vote; of votes that are not read yet, none."""
        decided = np.zeros(len(seq), np.int8)
        order = np.argsort(seq)
        for battle, number in self._store.vote_columns.seqs_of(sorted(rule.excluded)).items():
            at = int(np.searchsorted(seq, number, sorter=order))
            if at < len(seq) and seq[order[at]] == number:
                decided[order[at]] = REASONS.index(rule.excluded[battle])
        return decided


class _Column:
    """Values that only grow. What was handed out stays as it is: later values are written behind it, or elsewhere."""

    def __init__(self, dtype: DTypeLike, width: int | None = None) -> None:
        self._shape = () if width is None else (width,)
        self._buffer = np.empty((0, *self._shape), dtype)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def extend(self, values: Sequence[object]) -> None:
        """Append these."""
        end = self._length + len(values)
        if end > len(self._buffer):
            grown = np.empty((max(end, 2 * len(self._buffer), 1024), *self._shape), self._buffer.dtype)
            grown[: self._length] = self._buffer[: self._length]
            self._buffer = grown
        self._buffer[self._length : end] = np.array(values, self._buffer.dtype).reshape((len(values), *self._shape))
        self._length = end

    def values(self) -> NDArray:
        """Give all of them, read-only."""
        view = self._buffer[: self._length]
        view.flags.writeable = False
        return view


def _numbered(names: Sequence[str | None], known: dict[str, int]) -> list[int]:
    """Give names numbers as they come; -1 for none."""
    return [-1 if name is None else known.setdefault(name, len(known)) for name in names]


def language(prompt: str) -> str:
    """Tell a prompt's language by its letters: `ko`, `en` (any Latin script), `mixed` or `other`."""
    hangul = sum("\uac00" <= c <= "\ud7a3" or "\u3131" <= c <= "\u3163" for c in prompt)  # syllables, and lone letters
    latin = sum(c.isascii() and c.isalpha() for c in prompt)
    other = sum(c.isalpha() for c in prompt) - hangul - latin
    if hangul + latin == 0 or other > hangul + latin:
        return "other"
    if min(hangul, latin) >= _MIXED * (hangul + latin):
        return "mixed"
    return "ko" if hangul >= latin else "en"


def _judged_s(turns: Sequence[Turn], cast_at: int) -> float:
    """Seconds from the moment both last answers were shown to the vote; not a number where that is unknown."""
    shown = [answer.shown_ms for answer in turns[-1].answers.values() if answer.shown_ms is not None] if turns else []
    if not shown:
        return float("nan")
    asked_at = (turns[-1].asked_at - _EPOCH) // timedelta(microseconds=1)
    return (cast_at - asked_at) / 1e6 - max(shown) / 1000


def _same(prompt: str) -> str:
    """Equal prompts, whatever their spaces and case, have equal hashes."""
    return hashlib.sha256(" ".join(prompt.split()).casefold().encode()).hexdigest()[:16]
