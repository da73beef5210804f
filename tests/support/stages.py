"""Simulated stages for the tests of the results: small ones in a moment, and one of 100,000 votes once in a run."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import update

from arena.domain.grounds import WrittenGrounds
from arena.domain.stage import Stage
from arena.record.keys import Keys
from arena.record.store import Store
from arena.record.tables import stages
from arena.results import lifecycle
from arena.results.export.bundle import Bundle, make
from arena.results.export.chain import remade
from arena.results.integrity import review
from arena.results.integrity.proposals import Proposal
from arena.results.votes.exclusions import ExclusionReason
from arena.settings import ROOT
from arena.simulate import OPEN_FOR, Taste, open_simulated, simulate, simulated_stage

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
CLI = "command line"


class Room:
    """A database, its keys, and one simulated stage in it."""

    def __init__(
        self,
        folder: Path,
        *,
        url: str | None = None,
        stage_id: str = "simulated",
        beacon: str | None = None,
        draw_seed: str | None = None,
        clock: Callable[[], datetime] = lambda: NOW,
        **declared: Any,
    ) -> None:
        """Opens the stage, known since the day before; nobody has voted yet."""
        self.folder = folder
        self.clock = clock
        self.store = Store(url or f"sqlite:///{folder / 'arena.db'}")
        self.keys = Keys.open(folder, {})
        self.stage, self.file = simulated_stage(stage_id, **declared)
        now = clock()
        opened = now - OPEN_FOR
        self.store.stages.draft(self.stage, self.file, opened - timedelta(days=1))
        if draw_seed is not None:
            with self.store.database.writing() as connection:
                connection.execute(update(stages).values(draw_seed=draw_seed))
        if beacon is not None:
            lifecycle.open_stage(self.store, self.keys, self.stage, self.file, organizer=CLI, now=opened, beacon=beacon)
        open_simulated(self.store, self.stage, self.file, now)

    def vote(
        self,
        votes: int,
        *,
        seed: int = 7,
        voters: int | None = None,
        strengths: Mapping[str, float] | None = None,
        taste: Taste | None = None,
    ) -> "Room":
        """Simulates."""
        simulate(
            self.store,
            self.stage,
            votes,
            seed,
            voters,
            secret=self.keys.secret,
            strengths=strengths,
            taste=taste,
            ends=self.clock(),
        )
        return self

    def freeze(self, *proposed: Proposal) -> "Room":
        """Freeze, with these as what is proposed: the tests themselves might by chance propose honest voters."""
        review.keep(self.store, self.stage.id, proposed, self.clock())
        lifecycle.freeze(self.store, self.keys, self.stage.id, organizer=CLI, now=self.clock())
        return self

    def propose(self, reason: ExclusionReason, battles: Sequence[str], text: str = "q <= 0.05") -> Proposal:
        """Make a proposal on these votes, for `freeze` to keep."""
        return Proposal(reason, WrittenGrounds(text=text), 0.001, (), (), tuple(battles), {}, None)

    def publish(self, *, now: datetime = NOW) -> Path:
        """Publish, whatever is proposed being left out; return the folder of the result."""
        review.follow(self.store, self.stage.id, None, organizer=CLI, now=now)
        out = self.folder / "exports" / self.stage.id
        folder, _ = lifecycle.publish(self.store, self.keys, self.stage.id, out, ROOT, organizer=CLI, now=now)
        return folder

    def bundle(self) -> Bundle:
        """Its export: the result of a published stage, a new one of any other."""
        final = self.store.finals.newest(self.stage.id)
        if final is None:
            return make(self.store, self.keys, self.stage.id, NOW)
        return remade(self.store, self.keys, final)

    def battles(self) -> list[str]:
        """The battles that were voted on, in order."""
        return [row.battle_id for row in self.store.votes.after(self.stage.id, 0)]

    def close(self) -> None:
        """Gives the database back."""
        self.store.close()


def stage_of(text: str) -> Stage:
    """A stage from its file's text."""
    return Stage.from_toml(text.encode(), "stage.toml")
