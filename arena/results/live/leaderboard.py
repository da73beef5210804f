"""The live view: follows the votes as they are committed and rates them, at the same cost after ten votes or ten million."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arena.domain.declared import Bilingual
from arena.domain.stage import Stage
from arena.record.store import Store
from arena.results.votes import closing
from arena.results.votes.feed import VoteFeed
from arena.results.votes.inclusion import Rule
from arena.results.votes.rating import declared
from arena.results.votes.side_bias import SideCounts
from arena.results.votes.table import VoteTable
from arena.results.votes.warnings import warnings
from ratings.anytime import Anytime
from ratings.comparison import OUTCOMES
from ratings.errors import NothingToRateError
from ratings.live import LiveRatings
from ratings.result import Ratings
from ratings.shares import SideBias

EXPOSURE_S = 5.0


@dataclass(frozen=True, slots=True)
class Exposure:
    """How often an ordered pair was drawn, and what became of those battles: `{state: battles}`."""

    model_a: str
    model_b: str
    states: Mapping[str, int]

    @property
    def drawn(self) -> int:
        """Battles drawn."""
        return sum(self.states.values())

    def to_json(self) -> dict[str, Any]:
        """Give it as the leaderboard shows it."""
        return {"a": self.model_a, "b": self.model_b, "drawn": self.drawn, "states": dict(sorted(self.states.items()))}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The stage at one moment."""

    stage_id: str
    title: Bilingual
    synthetic: bool
    as_of: datetime
    entrants: Mapping[str, Bilingual]
    ratings: Ratings | None
    """None before the first vote that counts."""
    n_votes_raw: int
    n_voters: int
    winners: Mapping[str, int]
    """All votes by winner, excluded ones too."""
    left_out: Mapping[str, int]
    """Votes out of the fit, by reason."""
    side_bias: SideBias
    exposure: tuple[Exposure, ...]

    @property
    def n_votes_counted(self) -> int:
        """Votes that nothing keeps out, `both_bad` included (the stage says whether those enter the fit)."""
        return self.n_votes_raw - sum(self.left_out.values())

    def to_json(self) -> dict[str, Any]:
        """Give the body of `GET /leaderboard`."""
        rated = {} if self.ratings is None else self.ratings.to_dict("team_id")
        return {
            "stage": {"id": self.stage_id, "title": self.title.model_dump()},
            "synthetic": self.synthetic,
            "as_of": self.as_of,
            "entrants": [{"team_id": i, "team": team.model_dump()} for i, team in self.entrants.items()],
            "n_votes_raw": self.n_votes_raw,
            "n_votes_counted": self.n_votes_counted,
            "n_voters": self.n_voters,
            "winners": dict(self.winners),
            "exclusions": [{"reason": reason, "count": n} for reason, n in sorted(self.left_out.items())],
            "side_bias": {
                "wins_a": self.side_bias.wins_a,
                "wins_b": self.side_bias.wins_b,
                "share_a": self.side_bias.share,
                "share_a_ci95": self.side_bias.interval,
                "p": self.side_bias.p,
            },
            "exposure": [cell.to_json() for cell in self.exposure],
            "scores": rated.get("scores", []),
            "covariance": rated.get("covariance", []),
            "pairwise": rated.get("pairwise", []),
            "warnings": [] if self.ratings is None else warnings(self.ratings.notices),
            "method": rated.get("method"),
        }


class Leaderboard:
    """Follows one stage. Any thread may ask; only what has changed is counted again."""

    def __init__(
        self,
        store: Store,
        stage: Stage,
        feed: VoteFeed | None = None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Read nothing yet: the first snapshot does. `feed` is shared with whoever else reads the stage's votes."""
        self._store = store
        self._stage = stage
        self.feed = feed or VoteFeed(store, stage, clock=clock)
        self._clock = clock
        self._lock = threading.Lock()
        self._rated: tuple[str, ...] = ()
        self._live: LiveRatings | None = None
        self._looks: Anytime | None = None
        self._sides = SideCounts()
        self._codes: NDArray[np.int8] = np.empty(0, np.int8)
        """`excluded_by` of the votes that have been looked at."""
        self._last: Snapshot | None = None
        self._exposure: tuple[Exposure, ...] = ()
        self._exposure_due = 0.0

    def snapshot(self) -> Snapshot:
        """Take the stage now: new votes counted, exclusions honoured, ratings fitted if anything changed.

        Raises:
            Unavailable: the record cannot be read.
        """
        with self._lock:
            table, rule = self.feed.table()
            record = self._store.stages.find(self._stage.id)
            before, self._looks = self._looks, closing.looks(self._stage, table, record.frozen_at if record else None)
            changed = self._count(table, rule) or self._looks != before
            exposed = self._follow_exposure()
            if changed or exposed or self._last is None:
                self._last = self._made(table, None if changed or self._last is None else self._last.ratings)
            return self._last

    def _count(self, table: VoteTable, rule: Rule) -> bool:
        """Move the live counts to what this table counts; true when anything has changed."""
        rated = tuple(entrant for entrant in self._stage.entrant_ids if entrant in rule.entrants)
        if self._live is None or rated != self._rated:
            both_bad, voice = self._stage.protocol.both_bad, self._stage.voice
            self._live, self._rated = LiveRatings(rated, both_bad=both_bad, voice=voice), rated
            self._codes, self._sides = np.empty(0, np.int8), SideCounts()
        before, now = self._codes, table.excluded_by
        known = len(before)
        if known == len(now) and np.array_equal(before, now):
            return False
        was, counts = np.zeros(len(now), bool), now == 0
        was[:known] = before == 0
        asked = table.asked(self._stage.protocol.questions)
        for rows, count in ((was & ~counts, -1), (counts & ~was, 1)):
            self._live.add_many(_grouped(table, rows, asked, count))
            self._sides.add(table, rows, count)
        self._codes = now
        return True

    def _follow_exposure(self) -> bool:
        """Follow what the database counts over all battles, looking only as often as it is cheap."""
        started = time.monotonic()
        if started < self._exposure_due:
            return False
        cells: dict[tuple[str, str], dict[str, int]] = {}
        for a, b, state, battles in self._store.draws.by_state(self._stage.id):
            cells.setdefault((a, b), {})[state] = battles
        found = tuple(Exposure(a, b, states) for (a, b), states in sorted(cells.items()))
        ended = time.monotonic()
        self._exposure_due = ended + max(EXPOSURE_S, 100 * (ended - started))
        before, self._exposure = self._exposure, found
        return before != found

    def _made(self, table: VoteTable, ratings: Ratings | None) -> Snapshot:
        return Snapshot(
            stage_id=self._stage.id,
            title=self._stage.title,
            synthetic=self._stage.synthetic,
            as_of=self._clock(),
            entrants={entrant.id: entrant.team for entrant in self._stage.entrants},
            ratings=ratings or self._fitted(),
            n_votes_raw=len(table),
            n_voters=len(table.voters),
            winners=table.winners(),
            left_out=table.left_out(),
            side_bias=self._sides.bias(self._looks),
            exposure=self._exposure,
        )

    def _fitted(self) -> Ratings | None:
        assert self._live is not None  # noqa: S101 - `_count` has made it
        record = self._store.stages.find(self._stage.id)
        try:
            return self._live.snapshot(**declared(self._stage, record.file_sha256 if record else "0" * 8, self._looks))
        except NothingToRateError:
            return None


def _grouped(table: VoteTable, rows: NDArray[np.bool_], asked: NDArray[np.integer] | None, count: int) -> pd.DataFrame:
    """Count equal votes of a voter on a question among these together, to be added (`count` 1) or taken back (-1)."""
    k, outcomes = len(table.entrants), len(OUTCOMES)
    key = table.voter[rows].astype(np.int64) * k + table.a[rows]
    key = (key * k + table.b[rows]) * outcomes + table.outcome[rows]
    question = np.full(len(key), -1) if asked is None else asked[rows].astype(np.int64)
    (key, question), times = np.unique(np.stack([key, question]), axis=1, return_counts=True)
    pair, outcome = np.divmod(key, outcomes)
    left, b = np.divmod(pair, k)
    voter, a = np.divmod(left, k)
    names, entrants = np.array(table.voters, object), np.array(table.entrants, object)
    winners = np.array([winner.value for winner in OUTCOMES], object)
    return pd.DataFrame(
        {
            "voter": names[voter],
            "model_a": entrants[a],
            "model_b": entrants[b],
            "winner": winners[outcome],
            "question": question,
            "count": count * times,
        }
    )
