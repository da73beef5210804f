"""The board: every document of the console, made once for everybody who looks and once for each language, away from the event loop, each on a clock that its cost sets."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import Any, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from arena.battles.processes import serving_processes
from arena.battles.proxy_log import proxy_mismatches
from arena.battles.version_log import new_versions
from arena.domain.battle import BattleState, Draw
from arena.domain.draw import rule_of as draw_rule_of
from arena.domain.errors import ArenaError
from arena.domain.stage import Stage, StageStatus
from arena.i18n.catalogue import Messages, messages
from arena.record.activity import Activity
from arena.record.evidence_keys import read_keys, waiting
from arena.record.outages import spells
from arena.record.stages import StageRecord
from arena.record.store import Store
from arena.results.export import groups as by_group
from arena.results.export.kept import strata_of
from arena.results.export.statistics import StageVotes, side_bias
from arena.results.export.tables import OUTCOMES, became
from arena.results.export.vote_findings import findings
from arena.results.export.vote_tests import vote_tests
from arena.results.integrity.proposals import Proposal, propose
from arena.results.integrity.review import decisions_in, looks_in, proposals_of
from arena.results.live.access_log import viewers
from arena.results.live.draw_audit import ExposureTable, exposure
from arena.results.live.leaderboard import Leaderboard, Snapshot
from arena.results.live.variants import Variant, Variants
from arena.results.votes import closing
from arena.results.votes.exclusions import active, acts_in
from arena.results.votes.feed import VoteFeed
from arena.results.votes.inclusion import Rule
from arena.results.votes.rating import compared
from arena.results.votes.removals import removals
from arena.results.votes.sealed import known
from arena.results.votes.table import VoteTable
from arena.results.votes.weighting import strata_rows, weigh
from arena.web.console.document import Document, clock
from arena.web.console.tabs import certainty, exports, forms, groups, integrity, live, operations, trends
from arena.web.console.tabs import pairwise as contests
from arena.web.core.negotiation import Language
from ratings.elo import elo
from ratings.errors import RatingsError
from ratings.planning import VotesNeeded, votes_to_separate, votes_to_separate_all
from ratings.result import Ratings
from ratings.robustness import Fragility, robustness

log = logging.getLogger(__name__)

T = TypeVar("T")
Name = Literal["live", "trends", "groups", "operations", "integrity", "exports"]
NAMES: tuple[Name, ...] = get_args(Name)


@dataclass(frozen=True, slots=True)
class Clock:
    """How often a document may be made again: never sooner than `least_s`, and never more than 1/`rest` of one core."""

    least_s: float
    rest: float


CLOCKS: Mapping[Name, Clock] = {
    "live": Clock(0.5, 10),
    "operations": Clock(1.0, 20),
    "exports": Clock(2.0, 20),
    "trends": Clock(5.0, 20),
    "integrity": Clock(10.0, 30),
    "groups": Clock(30.0, 50),
}
SLOW: frozenset[Name] = frozenset({"trends", "groups", "integrity"})


Writing = Callable[[Messages], Document]
"""Tells in a language what has been worked out: the words cost little beside the figures, so they are told anew for each language."""


class _Kept:
    """One document in the languages that somebody has asked for, and when it may be made again."""

    def __init__(self) -> None:
        self.documents: dict[Language, Document] = {}
        self.languages: set[Language] = set()
        self.basis: object = None
        """What it was made from: when that is the same, it is not made again."""
        self.due = 0.0
        self.touched = False
        """Somebody has acted while it was being made."""
        self.making: asyncio.Task[None] | None = None
        self.failed: ArenaError | None = None
        """Why the last making came to nothing."""


class DocumentCache:
    """The documents of one stage in this process."""

    def __init__(
        self,
        stage: Stage,
        store: Store,
        feed: VoteFeed,
        leaderboard: Leaderboard,
        shelf: Path,
        evidence: Path,
    ) -> None:
        """`shelf`: where the stage's exports are; `evidence`: where its entrants' keys wait."""
        self.stage = stage
        self.store = store
        self.shelf = shelf
        self.evidence = evidence
        self._leaderboard = leaderboard
        self._feed = feed
        self._activity = Activity(store.database)
        self._kept: dict[Name, _Kept] = {name: _Kept() for name in NAMES}
        self._quick = ThreadPoolExecutor(1, thread_name_prefix="console")
        self._slow = ThreadPoolExecutor(1, thread_name_prefix="console-slow")
        self._slowest = ThreadPoolExecutor(1, thread_name_prefix="console-groups")
        """Multilevel models: a minute of a large stage, which no other document waits for."""
        self._acting = ThreadPoolExecutor(1, thread_name_prefix="console-acts")
        self._proposed: tuple[object, list[Proposal]] = (None, [])
        self._proposing = Lock()

    async def document(self, name: Name, language: Language) -> Document:
        """Return the newest document in this language; a slow one may be as old as its clock allows.

        Raises:
            Unavailable: the record cannot be read, and nothing was made before.
        """
        kept = self._kept[name]
        if language not in kept.languages:
            kept.languages.add(language)
            self._again(kept)
        while True:
            found = kept.documents.get(language)
            if kept.making is None and (found is None or time.monotonic() >= kept.due):
                kept.making = asyncio.create_task(self._renewed(name, kept))
            if kept.making is None or (found is not None and name in SLOW):
                break
            await asyncio.shield(kept.making)
            if language in kept.documents:
                break
            if kept.failed is not None:
                raise kept.failed
        return kept.documents[language]

    def touch(self) -> None:
        """Somebody has acted: everything is made again when next asked for."""
        for kept in self._kept.values():
            self._again(kept)

    async def run(self, call: Callable[[], T]) -> T:
        """Run an act, one after the other, in a thread of its own: neither the event loop nor a document waits for it."""
        return await asyncio.get_running_loop().run_in_executor(self._acting, call)

    @staticmethod
    def _again(kept: _Kept) -> None:
        kept.due, kept.basis, kept.touched = 0.0, None, True

    # --- making -------------------------------------------------------------------------------------------------------

    async def _renewed(self, name: Name, kept: _Kept) -> None:
        loop, spent, kept.touched, kept.failed = asyncio.get_running_loop(), 0.0, False, None
        languages = frozenset(kept.languages)

        def timed() -> tuple[dict[Language, Document], object]:
            """Make the documents and count the thread's own CPU time: on a busy machine the clock on the wall would make a cheap document late."""
            nonlocal spent
            began = time.thread_time()
            try:
                telling, basis = self._made(name, kept.basis)
                return ({} if telling is None else {each: telling(messages(each)) for each in languages}), basis
            finally:
                spent = time.thread_time() - began

        try:
            pool = self._slowest if name == "groups" else self._slow if name in SLOW else self._quick
            made, basis = await loop.run_in_executor(pool, timed)
            kept.documents |= made
            if not kept.touched:
                kept.basis = basis
        except ArenaError as error:
            kept.failed = error
            log.warning("the %s tab of the console is not renewed; the last one is shown", name, exc_info=True)
        finally:
            wait = max(CLOCKS[name].least_s, CLOCKS[name].rest * spent)
            kept.due = time.monotonic() + (0.0 if kept.touched else wait)
            kept.making = None

    def _made(self, name: Name, before: object) -> tuple[Writing | None, object]:
        """Return the document to be told and what it is made from; none when that is what it was made from before."""
        record = known(self.store, self.stage.id)
        match name:
            case "live":
                seen = self._leaderboard.snapshot()
                basis: object = (seen, record.status, record.paused_at)
                return (None if basis == before else self._live(seen, record)), basis
            case "operations":
                return self._operations(record), None
            case "exports":
                return self._exports(record), None
            case "trends":
                votes, rule, basis = self._followed()
                basis = (basis, record.status)
                return (None if basis == before else self._trends(votes, rule, record)), basis
            case "groups":
                votes, rule, basis = self._followed()
                basis = (basis, record.status)
                return (None if basis == before else self._groups(votes, rule, record)), basis
            case "integrity":
                votes, rule, basis = self._followed()
                events = self.store.events.of_stage(self.stage.id)
                basis = (basis, sum(event.kind in integrity.TOLD for event in events), record.status)
                return (None if basis == before else self._integrity(votes, rule, record)), basis

    def _followed(self) -> tuple[VoteTable, Rule, tuple[Any, ...]]:
        votes, rule = self._feed.table(measured=True)
        return votes.by_time(), rule, (len(votes), rule)

    def _live(self, seen: Snapshot, record: StageRecord) -> Writing:
        return lambda t: Document(
            clock(seen.as_of),
            live.tiles(seen, record.status, paused=record.paused_at is not None, t=t),
            (
                *live.sections(seen, self.stage.component_max, self.stage.planned_advance, t),
                *contests.sections(seen, t),
            ),
        )

    def _operations(self, record: StageRecord) -> Writing:
        now, stage_id = datetime.now(UTC), self.stage.id
        events = self.store.events.of_stage(stage_id)
        processes = serving_processes(self.store, stage_id, now)
        facts = operations.OperationFacts(
            t=messages("ko"),
            stage=self.stage,
            record=record,
            now=now,
            votes=self.store.votes.count(stage_id),
            running=self._activity.running(stage_id, now),
            battles_by_minute=self._activity.battles_by_minute(stage_id, now - operations.HOUR),
            votes_by_minute=self._activity.votes_by_minute(stage_id, now - operations.HOUR),
            voids=self._activity.voids(stage_id, now - operations.DAY),
            failures=self._activity.failures(stage_id, now - operations.DAY),
            processes=processes,
            mismatches=proxy_mismatches(self.store, processes),
            versions=new_versions(events),
            spells=spells(events),
            removed=removals(self.store, stage_id),
            evidence_keys=read_keys(events),
            waiting=waiting(self.evidence),
            events=sorted([*events, *self.store.events.of_arena(operations.AUDIT)], key=lambda event: event.seq),
            sessions=self.store.organizers.sessions(now),
        )

        def tell(t: Messages) -> Document:
            seen = replace(facts, t=t)
            return Document(clock(now), operations.tiles(seen), operations.sections(seen), forms.forms(seen))

        return tell

    def _exports(self, record: StageRecord) -> Writing:
        found, now = exports.shelved(self.shelf), datetime.now(UTC)
        events = self.store.events.of_stage(self.stage.id)
        return lambda t: Document(
            clock(now),
            exports.tiles(found, record.status, t),
            exports.sections(self.stage.id, found, events, t),
            exports.forms(t) if record.opened_at else (),
        )

    def _trends(self, votes: VoteTable, rule: Rule, record: StageRecord) -> Writing:
        looks = closing.looks(self.stage, votes, record.frozen_at)
        fits = Variants(self.stage, record.file_sha256, looks)
        entrants, counted = fits.entrants(rule), votes.counted
        strata = strata_of(self.store, self.stage)
        chosen = compared(self.stage, votes, counted, entrants)
        ratings = fits.rated(votes, counted, entrants) if len(chosen) else None
        needed, needed_all = _needed(ratings)
        draws, outcomes = self._draws(votes.entrants, record)
        proposed = self._proposed_seqs(votes) if record.status is StageStatus.PUBLISHED else None
        facts = trends.TrendFacts(
            t=messages("ko"),
            stage=self.stage,
            votes=votes,
            elo=elo(chosen, both_bad=self.stage.protocol.both_bad) if len(chosen) else None,
            variants=fits.all(votes, rule, proposed, strata) if len(votes) else (),
            needed=needed,
            needed_all=needed_all,
            fragile=self._fragile(ratings, chosen),
            strata=()
            if strata is None
            else strata_rows(strata, self.stage.population.strata, weigh(votes, self.stage, strata)),
            draws=draws,
            findings=findings(
                vote_tests(self.stage, votes, entrants, votes.entrants, outcomes, looks), side_bias(votes, looks)
            ),
        )
        now = datetime.now(UTC)

        def tell(t: Messages) -> Document:
            seen = replace(facts, t=t)
            return Document(clock(now), (), (*trends.sections(seen), *certainty.sections(seen)))

        return tell

    def _groups(self, votes: VoteTable, rule: Rule, record: StageRecord) -> Writing:
        given = StageVotes.of(self.stage, record.file_sha256, votes, rule.entrants, record.frozen_at)
        strata = strata_of(self.store, self.stage)
        by_stratum = [] if strata is None else by_group.by_strata(given, strata)
        facts = groups.GroupFacts(messages("ko"), self.stage, [*by_stratum, *by_group.by_votes(given)])
        now = datetime.now(UTC)
        return lambda t: Document(clock(now), (), groups.sections(replace(facts, t=t)))

    def _integrity(self, votes: VoteTable, rule: Rule, record: StageRecord) -> Writing:
        stage_id, events = self.stage.id, self.store.events.of_stage(self.stage.id)
        acts = acts_in(events)
        frozen, published = record.frozen_at is not None, record.status is StageStatus.PUBLISHED
        facts = integrity.IntegrityFacts(
            t=messages("ko"),
            stage=self.stage,
            status=record.status,
            votes=len(votes),
            proposals=proposals_of(self.store, stage_id) if frozen else self._proposed_for(votes, rule),
            decided=decisions_in(events),
            variants=self._before_and_after(votes, rule, record) if published and len(votes) else (),
            history=acts,
            active=active(acts),
            looks=looks_in(events),
            viewers=viewers(self.store, stage_id),
        )
        now = datetime.now(UTC)

        def tell(t: Messages) -> Document:
            seen = replace(facts, t=t)
            return Document(clock(now), integrity.tiles(seen), integrity.sections(seen), integrity.forms(seen))

        return tell

    def _before_and_after(self, votes: VoteTable, rule: Rule, record: StageRecord) -> list[Variant]:
        """Make the readings that say what the review did to the ranking: shown once the result is published, never before."""
        fits = Variants(self.stage, record.file_sha256, closing.looks(self.stage, votes, record.frozen_at))
        made = fits.all(votes, rule, self._proposed_seqs(votes), None)
        return [variant for variant in made if variant.name in ("raw", "declared", "cleaned")]

    # --- parts of them ------------------------------------------------------------------------------------------------

    def _proposed_for(self, votes: VoteTable, rule: Rule) -> list[Proposal]:
        """Run the integrity tests, once for the same votes and exclusions, whichever tab or act asks."""
        basis = (len(votes), rule)
        with self._proposing:
            if self._proposed[0] != basis:
                self._proposed = (basis, propose(self._feed, self.store, self.stage))
            return self._proposed[1]

    def _draws(self, entrants: Sequence[str], record: StageRecord) -> tuple[ExposureTable, NDArray[np.int64]]:
        """Test the draws, and count what became of them as an export does, in one pass."""
        place, counts = {entrant: n for n, entrant in enumerate(entrants)}, Counter[tuple[int, int, int]]()

        def counted() -> Iterator[Draw]:
            for battle in self.store.draws.of_stage(self.stage.id):
                judged = battle.state in (BattleState.VOTED, BattleState.REVEALED)
                outcome = OUTCOMES.index(became(battle, judged, record.frozen_at))
                if battle.draw.repeat_of is None:
                    counts[place[battle.draw.a], place[battle.draw.b], outcome] += 1
                yield battle.draw

        draws = exposure(counted(), draw_rule_of(self.stage))
        outcomes = np.zeros((len(entrants), len(entrants), len(OUTCOMES)), np.int64)
        for cell, times in counts.items():
            outcomes[cell] = times
        return draws, outcomes

    def _proposed_seqs(self, votes: VoteTable) -> list[int]:
        """Find the numbers of the votes that were proposed at the freeze."""
        battles = [battle for proposal in proposals_of(self.store, self.stage.id) for battle in proposal.battles]
        return list(self.store.vote_columns.seqs_of(battles).values())

    def _fragile(self, ratings: Ratings | None, compared: Any) -> tuple[Fragility, ...]:
        protocol = self.stage.protocol
        if ratings is None or protocol.prior == 0:
            return ()
        return robustness(compared, prior=protocol.prior, both_bad=protocol.both_bad)


def _needed(ratings: Ratings | None) -> tuple[list[tuple[str, str, VotesNeeded | None]], VotesNeeded | None]:
    """For each two neighbours in rank, how many more votes; and for all of them."""
    if ratings is None:
        return [], None
    found: list[tuple[str, str, VotesNeeded | None]] = []
    ranked = [row for row in ratings.by_rank() if row.group == 0]
    for upper, lower in pairwise(ranked):
        try:
            found.append((upper.model, lower.model, votes_to_separate(ratings, upper.model, lower.model)))
        except RatingsError:  # exactly level: no number of votes separates equals
            found.append((upper.model, lower.model, None))
    return found, votes_to_separate_all(ratings)
