"""The board: every document of the console, made once for everybody who looks and once for each language, away from the event loop, each on a clock that its cost sets."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from arena.domain.errors import ArenaError
from arena.domain.pairing import rule_of as draw_rule_of
from arena.domain.stage import Stage
from arena.record.activity import Activity
from arena.record.stages import StageRecord
from arena.record.store import Store
from arena.results.integrity.proposals import Proposal, propose
from arena.results.live.access_log import viewers
from arena.results.live.draw_audit import exposure
from arena.results.live.leaderboard import Leaderboard, Snapshot
from arena.results.live.variants import Variants
from arena.results.votes.chronicle import Chronicle, Chronicler
from arena.results.votes.exclusions import active_exclusions, history
from arena.results.votes.inclusion import Rule, rule_of
from arena.results.votes.removals import removals
from arena.results.votes.sealed import known
from arena.results.votes.weighting import rake, strata_section
from arena.web.console import certainty, contests, exports, forms, integrity, live, operations, trends
from arena.web.console.section import Document, clock
from arena.web.language import Language
from arena.web.words import Words, words
from models.health import Health
from ratings.elo import elo
from ratings.errors import RatingsError
from ratings.planning import VotesNeeded, votes_to_separate, votes_to_separate_all
from ratings.result import Ratings
from ratings.robustness import Fragility, robustness

log = logging.getLogger(__name__)

T = TypeVar("T")
Name = Literal["live", "trends", "operations", "integrity", "exports"]
NAMES: tuple[Name, ...] = get_args(Name)
EFFECTS = 20
"""For so many of the most striking proposals, the order without them is worked out."""


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
}
SLOW: frozenset[Name] = frozenset({"trends", "integrity"})


Telling = Callable[[Words], Document]
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


class Board:
    """The documents of one stage in this process."""

    def __init__(
        self,
        stage: Stage,
        store: Store,
        leaderboard: Leaderboard,
        shelf: Path,
        health: Callable[[], Mapping[str, Health]],
    ) -> None:
        """`shelf`: where the stage's exports are; `health()` is asked on the event loop."""
        self.stage = stage
        self.store = store
        self.shelf = shelf
        self.proposals: Mapping[str, Proposal] = {}
        """What the integrity tab shows, by key: only that can be acted on."""
        self.checks: dict[str, exports.Check] = {}
        self._leaderboard = leaderboard
        self._health = health
        self._chronicler = Chronicler(store, stage)
        self._activity = Activity(store.database)
        self._kept: dict[Name, _Kept] = {name: _Kept() for name in NAMES}
        self._quick = ThreadPoolExecutor(1, thread_name_prefix="console")
        self._slow = ThreadPoolExecutor(1, thread_name_prefix="console-slow")
        self._acting = ThreadPoolExecutor(1, thread_name_prefix="console-acts")
        self._proposed: tuple[object, list[Proposal]] = (None, [])

    async def document(self, name: Name, language: Language) -> Document:
        """The newest document in this language; a slow one may be as old as its clock allows.

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
        """Runs an act, one after the other, in a thread of its own: neither the event loop nor a document waits for it."""
        return await asyncio.get_running_loop().run_in_executor(self._acting, call)

    @staticmethod
    def _again(kept: _Kept) -> None:
        kept.due, kept.basis, kept.touched = 0.0, None, True

    # --- making -------------------------------------------------------------------------------------------------------

    async def _renewed(self, name: Name, kept: _Kept) -> None:
        health = self._health() if name == "operations" else {}
        loop, spent, kept.touched, kept.failed = asyncio.get_running_loop(), 0.0, False, None
        languages = frozenset(kept.languages)

        def timed() -> tuple[dict[Language, Document], object]:
            """The thread's own CPU time counts: on a busy machine the clock on the wall would make a cheap document late."""
            nonlocal spent
            began = time.thread_time()
            try:
                telling, basis = self._made(name, health, kept.basis)
                return ({} if telling is None else {each: telling(words(each)) for each in languages}), basis
            finally:
                spent = time.thread_time() - began

        try:
            made, basis = await loop.run_in_executor(self._slow if name in SLOW else self._quick, timed)
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

    def _made(self, name: Name, health: Mapping[str, Health], before: object) -> tuple[Telling | None, object]:
        """The document to be told and what it is made from; none when that is what it was made from before."""
        record = known(self.store, self.stage.id)
        match name:
            case "live":
                seen = self._leaderboard.snapshot()
                basis: object = (seen, record.status, record.paused_at)
                return (None if basis == before else self._live(seen, record)), basis
            case "operations":
                return self._operations(record, health), None
            case "exports":
                return self._exports(record), None
            case "trends":
                votes, rule, basis = self._followed()
                return (None if basis == before else self._trends(votes, rule, record)), basis
            case "integrity":
                votes, rule, basis = self._followed()
                basis = (basis, len(self.store.events.of_stage(self.stage.id, "ratings.seen")), record.status)
                return (None if basis == before else self._integrity(votes, rule, record)), basis

    def _followed(self) -> tuple[Chronicle, Rule, tuple[Any, ...]]:
        votes = self._chronicler.chronicle()
        excluded = {battle: reason.value for battle, reason in active_exclusions(self.store, self.stage.id).items()}
        removed = frozenset(removal.entrant for removal in removals(self.store, self.stage.id))
        rule = rule_of(self.stage, excluded, removed)
        return votes, rule, (len(votes), rule)

    def _live(self, seen: Snapshot, record: StageRecord) -> Telling:
        return lambda t: Document(
            clock(seen.as_of),
            live.tiles(seen, record.status, paused=record.paused_at is not None, t=t),
            (
                *live.sections(seen, self.stage.component_max, self.stage.planned_advance, t),
                *contests.sections(seen, t),
            ),
        )

    def _operations(self, record: StageRecord, health: Mapping[str, Health]) -> Telling:
        now, stage_id = datetime.now(UTC), self.stage.id
        facts = operations.Seen(
            t=words("ko"),
            stage=self.stage,
            record=record,
            now=now,
            votes=self.store.votes.count(stage_id),
            running=self._activity.running(stage_id, now),
            battles_by_minute=self._activity.battles_by_minute(stage_id, now - operations.HOUR),
            votes_by_minute=self._activity.votes_by_minute(stage_id, now - operations.HOUR),
            voids=self._activity.voids(stage_id, now - operations.DAY),
            failures=self._activity.failures(stage_id, now - operations.DAY),
            health=health,
            removed=removals(self.store, stage_id),
            events=self.store.events.of_stage(stage_id),
        )

        def tell(t: Words) -> Document:
            seen = replace(facts, t=t)
            return Document(clock(now), operations.tiles(seen), operations.sections(seen), forms.forms(seen))

        return tell

    def _exports(self, record: StageRecord) -> Telling:
        found, now = exports.shelved(self.shelf), datetime.now(UTC)
        events = self.store.events.of_stage(self.stage.id)
        return lambda t: Document(
            clock(now),
            exports.tiles(found, record.status, t),
            exports.sections(self.stage.id, found, self.checks, events, t),
            exports.forms(t) if record.opened_at else (),
        )

    def _trends(self, votes: Chronicle, rule: Rule, record: StageRecord) -> Telling:
        fits = Variants(self.stage, record.file_sha256)
        entrants, counted = fits.entrants(rule), votes.counted(rule)
        strata = self.stage.population.strata
        people = self.store.strata.of_voters(self.stage.id) if strata else {}
        compared = votes.comparisons(counted, entrants)
        ratings = fits.rated(votes, counted, entrants) if len(compared) else None
        needed, needed_all = _needed(ratings)
        facts = trends.Seen(
            t=words("ko"),
            stage=self.stage,
            votes=votes,
            elo=elo(compared, both_bad=self.stage.protocol.both_bad) if len(compared) else None,
            variants=fits.all(votes, rule, self._battles_proposed(votes, rule), people) if len(votes) else (),
            parts=fits.parts(votes, rule),
            needed=needed,
            needed_all=needed_all,
            fragile=self._fragile(ratings, compared),
            strata=strata_section(people, strata, rake(people, self.stage.population.margins) if people else None)
            if strata
            else (),
            draws=exposure((d.draw for d in self.store.battles.drawn(self.stage.id)), draw_rule_of(self.stage)),
        )
        now = datetime.now(UTC)

        def tell(t: Words) -> Document:
            seen = replace(facts, t=t)
            return Document(clock(now), (), (*trends.sections(seen), *certainty.sections(seen)))

        return tell

    def _integrity(self, votes: Chronicle, rule: Rule, record: StageRecord) -> Telling:
        found = self._proposed_for(votes, rule)
        self.proposals = {integrity.key_of(proposal): proposal for proposal in found}
        fits = Variants(self.stage, record.file_sha256)
        proposed = frozenset(battle for proposal in found for battle in proposal.battles)
        variants = [] if not len(votes) else fits.all(votes, rule, proposed, {})
        facts = integrity.Seen(
            t=words("ko"),
            stage=self.stage,
            status=record.status,
            votes=len(votes),
            proposals=found,
            effects=self._effects(fits, votes, rule, found),
            variants=[v for v in variants if v.name in ("raw", "declared", "cleaned")],
            history=history(self.store, self.stage.id),
            active=active_exclusions(self.store, self.stage.id),
            viewers=viewers(self.store, self.stage.id),
        )
        now = datetime.now(UTC)

        def tell(t: Words) -> Document:
            seen = replace(facts, t=t)
            return Document(clock(now), integrity.tiles(seen), integrity.sections(seen))

        return tell

    # --- parts of them ------------------------------------------------------------------------------------------------

    def _proposed_for(self, votes: Chronicle, rule: Rule) -> list[Proposal]:
        """The integrity tests, run once for the same votes and exclusions whichever tab asks."""
        basis = (len(votes), rule)
        if self._proposed[0] != basis:
            self._proposed = (basis, propose(self.store, self.stage))
        return self._proposed[1]

    def _battles_proposed(self, votes: Chronicle, rule: Rule) -> frozenset[str]:
        return frozenset(battle for proposal in self._proposed_for(votes, rule) for battle in proposal.battles)

    def _effects(
        self, fits: Variants, votes: Chronicle, rule: Rule, found: list[Proposal]
    ) -> dict[str, integrity.Effect]:
        """What each of the most striking proposals alone would do to the order."""
        entrants, counted = fits.entrants(rule), votes.counted(rule)
        before = fits.rated(votes, counted, entrants) if counted.any() else None
        if before is None:
            return {}
        effects: dict[str, integrity.Effect] = {}
        for proposal in found[:EFFECTS]:
            left = counted & ~votes.among(frozenset(proposal.battles))
            after = fits.rated(votes, left, entrants) if left.any() else None
            if after is not None:
                effects[integrity.key_of(proposal)] = _difference(before, after)
        return effects

    def _fragile(self, ratings: Ratings | None, compared: Any) -> tuple[Fragility, ...]:
        protocol = self.stage.protocol
        if ratings is None or protocol.prior == 0:
            return ()
        return robustness(compared, prior=protocol.prior, both_bad=protocol.both_bad)


def _difference(before: Ratings, after: Ratings) -> integrity.Effect:
    pairs = list(zip(before.rows, after.rows, strict=True))
    return integrity.Effect(
        tuple((was.model, was.rank, now.rank) for was, now in pairs if was.rank != now.rank),
        max((abs(b.rating - a.rating) for a, b in pairs if a.rating is not None and b.rating is not None), default=0.0),
    )


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
