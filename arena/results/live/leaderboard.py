"""The live view: follows the votes as they are committed and rates them, at the same cost after ten votes or ten million."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import sqrt
from typing import Any

from arena.domain.stage import Bilingual, Stage
from arena.domain.vote import Winner
from arena.record.store import Store
from arena.record.votes import VoteRow
from arena.results.votes.exclusions import active_exclusions
from arena.results.votes.inclusion import Rule, rating_seed, rule_of
from arena.results.votes.removals import removals
from ratings.errors import NothingToRateError
from ratings.live import GroupedVotes, LiveRatings
from ratings.result import Ratings
from ratings.score import Transform

LATE = timedelta(seconds=60)
"""The longest that a vote may take from its sequence number to its commit."""
EXPOSURE_S = 5.0


@dataclass(frozen=True, slots=True)
class SideBias:
    """How often the answer on side a won, of the counted votes that had a winner; ½ when the sides are drawn fairly."""

    a: int
    b: int

    @property
    def share(self) -> float | None:
        """The share of side a; None without a decided vote."""
        return self.a / (self.a + self.b) if self.a + self.b else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Its 95 % interval (Wilson 1927), every vote taken as independent."""
        n, z = self.a + self.b, 1.959963984540054
        if not n:
            return None
        p = self.a / n
        centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        reach = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        return max(0.0, centre - reach), min(1.0, centre + reach)

    def to_json(self) -> dict[str, Any]:
        """As the leaderboard and the export show it."""
        interval = self.interval
        return {
            "wins_a": self.a,
            "wins_b": self.b,
            "share_a": None if self.share is None else round(self.share, 6),
            "share_a_ci95": None if interval is None else [round(end, 6) for end in interval],
        }


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
        """As the leaderboard and the export show it."""
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
        """The body of `GET /leaderboard`."""
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
            "side_bias": self.side_bias.to_json(),
            "exposure": [cell.to_json() for cell in self.exposure],
            "scores": rated.get("scores", []),
            "covariance": rated.get("covariance", []),
            "pairwise": rated.get("pairwise", []),
            "warnings": rated.get("warnings", []),
            "method": rated.get("method"),
        }


class Leaderboard:
    """Follows one stage. Any thread may ask; the votes are read once."""

    def __init__(
        self, store: Store, stage: Stage, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Reads nothing yet: the first snapshot does."""
        self._store = store
        self._stage = stage
        self._clock = clock
        self._lock = threading.Lock()
        self._rule: Rule | None = None
        self._last: Snapshot | None = None
        self._exposure: tuple[Exposure, ...] = ()
        self._exposure_due = 0.0

    def snapshot(self) -> Snapshot:
        """The stage now: new votes counted, exclusions honoured, ratings fitted if anything changed.

        Raises:
            Unavailable: the record cannot be read.
        """
        with self._lock:
            changed = self._follow_rule()
            changed = self._follow_votes() or changed
            exposed = self._follow_exposure()
            if changed or exposed or self._last is None:
                self._last = self._made(None if changed or self._last is None else self._last.ratings)
            return self._last

    # --- following -------------------------------------------------------------------------------------------------

    def _follow_rule(self) -> bool:
        """Takes in exclusions and removals; true when what was counted before had to change."""
        excluded = {battle: reason.value for battle, reason in active_exclusions(self._store, self._stage.id).items()}
        removed = frozenset(removal.entrant for removal in removals(self._store, self._stage.id))
        rule = rule_of(self._stage, excluded, removed)
        before, self._rule = self._rule, rule
        if before is None or before.entrants != rule.entrants:
            self._restart(rule)
            return True
        moved = sorted({b for b in {*before.excluded, *excluded} if before.excluded.get(b) != excluded.get(b)})
        read = [row for row in self._store.votes.of_battles(moved) if row.seq <= self._settled or row.seq in self._seen]
        self._count(before, [_grouped(row, -1) for row in read])
        self._count(rule, [_grouped(row, 1) for row in read])
        return bool(read)

    def _restart(self, rule: Rule) -> None:
        """Begins at the first vote, the old ones grouped by the database."""
        self._live = LiveRatings(
            sorted(rule.entrants, key=self._stage.entrant_ids.index), both_bad=self._stage.protocol.both_bad
        )
        self._voters: Counter[str] = Counter()
        self._winners: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()
        self._sides: Counter[str] = Counter()
        self._seen: set[int] = set()
        self._noticed: deque[tuple[datetime, int]] = deque()
        # Votes this old are committed or never will be, so their numbers have no gap that a later read must fill.
        self._settled = self._store.votes.last_before(self._stage.id, self._clock() - LATE)
        self._count(rule, [("", g.marked, _group(g)) for g in self._store.votes.grouped(self._stage.id, self._settled)])
        excluded = [row for row in self._store.votes.of_battles(sorted(rule.excluded)) if row.seq <= self._settled]
        self._count(
            rule_of(self._stage, {}, frozenset(self._stage.entrant_ids) - rule.entrants),
            [_grouped(r, -1) for r in excluded],
        )
        self._count(rule, [_grouped(row, 1) for row in excluded])

    def _follow_votes(self) -> bool:
        """Counts what was committed since; looks back as far as a vote may still be on its way to its commit."""
        assert self._rule is not None  # noqa: S101 - `snapshot` has set it
        new = [row for row in self._store.votes.after(self._stage.id, self._settled) if row.seq not in self._seen]
        now = self._clock()
        self._count(self._rule, [_grouped(row, 1) for row in new])
        self._seen.update(row.seq for row in new)
        if new:
            self._noticed.append((now, max(row.seq for row in new)))
        while self._noticed and self._noticed[0][0] < now - LATE:
            self._settled = max(self._settled, self._noticed.popleft()[1])
        while self._settled + 1 in self._seen:
            self._settled += 1
        self._seen = {seq for seq in self._seen if seq > self._settled}
        return bool(new)

    def _count(self, rule: Rule, groups: Iterable[tuple[str, bool, GroupedVotes]]) -> None:
        counted: list[GroupedVotes] = []
        for battle_id, marked, group in groups:
            self._voters[group.voter] += group.count
            self._winners[group.winner] += group.count
            reason = rule.left_out(battle_id, group.model_a, group.model_b, marked=marked)
            if reason is None:
                counted.append(group)
                self._sides[group.winner] += group.count
            else:
                self._left_out[reason] += group.count
        self._live.add_many(counted)

    def _follow_exposure(self) -> bool:
        """Counted by the database over all battles, so looked at only as often as it is cheap."""
        started = time.monotonic()
        if started < self._exposure_due:
            return False
        cells: dict[tuple[str, str], dict[str, int]] = {}
        for a, b, state, battles in self._store.battles.exposure(self._stage.id):
            cells.setdefault((a, b), {})[state] = battles
        found = tuple(Exposure(a, b, states) for (a, b), states in sorted(cells.items()))
        ended = time.monotonic()
        self._exposure_due = ended + max(EXPOSURE_S, 100 * (ended - started))
        before, self._exposure = self._exposure, found
        return before != found

    # --- made ------------------------------------------------------------------------------------------------------

    def _made(self, ratings: Ratings | None) -> Snapshot:
        return Snapshot(
            stage_id=self._stage.id,
            title=self._stage.title,
            synthetic=self._stage.synthetic,
            as_of=self._clock(),
            entrants={entrant.id: entrant.team for entrant in self._stage.entrants},
            ratings=ratings or self._rated(),
            n_votes_raw=self._winners.total(),
            n_voters=sum(1 for count in self._voters.values() if count),
            winners={winner.value: self._winners[winner.value] for winner in Winner},
            left_out={reason: count for reason, count in self._left_out.items() if count},
            side_bias=SideBias(self._sides[Winner.MODEL_A], self._sides[Winner.MODEL_B]),
            exposure=self._exposure,
        )

    def _rated(self) -> Ratings | None:
        record = self._store.stages.find(self._stage.id)
        declared = self._stage.protocol.transform
        try:
            return self._live.snapshot(
                prior=self._stage.protocol.prior,
                transform=Transform(declared.id, declared.version, declared.params),
                component_max=self._stage.component_max,
                seed=rating_seed(record.file_sha256) if record else 0,
            )
        except NothingToRateError:
            return None


def _grouped(row: VoteRow, count: int) -> tuple[str, bool, GroupedVotes]:
    return row.battle_id, row.marked, GroupedVotes(row.voter, row.model_a, row.model_b, row.winner.value, count)


def _group(group: Any) -> GroupedVotes:
    return GroupedVotes(group.voter, group.model_a, group.model_b, group.winner.value, group.count)
