"""Frozen stages with their exports as they once were: `python -m tests.support.golden` writes them, and only a change of what they promise may do so again.

The record itself is kept, so that every later version has to open it, migrate it, and come to the same numbers.
"""

import contextlib
import lzma
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson

from arena.i18n.facts import published_grounds
from arena.record.keys import Keys
from arena.record.store import Store
from arena.results.export import bundle as exports
from arena.results.export.document import JSON
from arena.results.integrity import review
from arena.results.integrity.proposals import Proposal, propose
from arena.results.live.leaderboard import Leaderboard
from arena.results.votes import exclusions, removals
from arena.results.votes.rating import compared, rate_stage
from arena.results.votes.sealed import sealed_stage
from arena.results.votes.warnings import warnings
from arena.settings import ROOT
from arena.simulate import Taste
from tests.support.stages import CLI, NOW, Room

FOLDER = Path(__file__).parents[1] / "data" / "golden"
LATER = NOW + timedelta(days=1)
KEPT = ("votes.parquet", "draws.parquet", "scores.csv")
VOLATILE = ("export_id", "supersedes", "created_at", "issuer", "integrity")
PANEL = (ROOT / "stages" / "populations" / "panel-500.toml").read_text("utf-8")
SEED = "5" * 64
"""Of the draws, so that a record made again has as much to propose as the one before."""
ADAPTIVE = '[protocol]\npairing = "adaptive"\nboth_bad = "tie"\ntransform = { id = "min_max", version = 1 }\n'


@dataclass(frozen=True)
class Golden:
    """One of them, opened from a copy."""

    name: str
    store: Store
    stage_id: str
    keys: Keys

    def outputs(self) -> dict[str, Any]:
        """Everything that the record decides: documents as JSON, files as bytes."""
        bundle = exports.make(self.store, self.keys, self.stage_id, LATER)
        document = {key: value for key, value in bundle.document.to_json().items() if key not in VOLATILE}
        del document["provenance"]["jwks_file"]  # of keys that are made for each run
        stage = sealed_stage(self.store, self.stage_id)
        board = Leaderboard(self.store, stage, clock=lambda: LATER)
        live = board.snapshot()
        table, rule = board.feed.table()
        rated = [e for e in stage.entrant_ids if e in rule.entrants]
        counted = compared(stage, table, table.counted, rated)
        record = self.store.stages.find(self.stage_id)
        without = None if record is None else rate_stage(stage, record.file_sha256, counted, looks=None)
        return {
            JSON: orjson.loads(orjson.dumps(document)),
            "live.json": orjson.loads(orjson.dumps(live.to_json())),
            "proposals.json": [_proposal(each) for each in propose(board.feed, self.store, stage)],
            "rated_without.json": None
            if without is None
            else orjson.loads(orjson.dumps({**without.to_dict("team_id"), "warnings": warnings(without.notices)})),
            **{name: bundle.files[name] for name in KEPT},
        }


def _proposal(found: Proposal) -> dict[str, Any]:
    return {
        "reason": found.reason.value,
        "rule": published_grounds(found.grounds),
        "q": found.q,
        "voters": list(found.voters),
        "battles": list(found.battles),
        "p": {test: float(f"{p:.3g}") for test, p in found.p.items()},
        "entrant": found.entrant,
    }


@contextlib.contextmanager
def opened(name: str) -> Iterator[Golden]:
    """Opens a copy of a kept record, migrated to today's tables."""
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder) / "arena.db"
        at.write_bytes(lzma.decompress((FOLDER / f"{name}.db.xz").read_bytes()))
        store = Store(f"sqlite:///{at}")
        try:
            yield Golden(name, store, name, Keys.open(Path(folder), {}))
        finally:
            store.close()


NAMES = ("plain", "busy")


def _plain(folder: Path) -> Room:
    return Room(folder, stage_id="plain", draw_seed=SEED).vote(360, voters=45)


def _busy(folder: Path) -> Room:
    """A panel with weights, adaptive draws, both_bad as a tie, an entrant removed, and a review: votes left out, and taken back."""
    room = Room(folder, stage_id="busy", more=ADAPTIVE + PANEL, draw_seed=SEED)
    room.vote(420, voters=60, taste=Taste(side=0.5, both_bad=0.2))
    voters = sorted({row.voter for row in room.store.votes.after(room.stage.id, 0)})
    for n, voter in enumerate(voters[:-9]):
        answers = {"sex": "female" if n % 3 else "male", "region": "capital" if n % 2 else "other", "age": "30s"}
        room.store.strata.answer(voter, answers, NOW)
    removals.remove_entrant(room.store, room.stage, "maru", reason="withdrawn", organizer=CLI, now=NOW)
    battles = room.battles()
    fast = room.propose(exclusions.ExclusionReason.SPEED, battles[:9], "too fast")
    sided = room.propose(exclusions.ExclusionReason.SIDE, battles[20:24], "one side")
    room.freeze(fast, sided)
    acts = {"organizer": CLI, "now": NOW}
    review.follow(room.store, "busy", None, **acts)
    review.decline(room.store, "busy", sided.key, why="a person who explained", **acts)
    review.leave_out(room.store, "busy", battles[30:32], grounds="cast by a team", **acts)
    return room


def _write() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    for name, make in zip(NAMES, (_plain, _busy), strict=True):
        with tempfile.TemporaryDirectory() as folder:
            room = make(Path(folder)).freeze()  # once more changes nothing
            room.close()
            with contextlib.closing(sqlite3.connect(Path(folder) / "arena.db")) as connection:
                connection.execute("PRAGMA journal_mode = DELETE")
                connection.execute("VACUUM")
            (FOLDER / f"{name}.db.xz").write_bytes(lzma.compress((Path(folder) / "arena.db").read_bytes(), preset=9))
        with opened(name) as golden:
            for file, data in golden.outputs().items():
                option = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS
                whole = data if isinstance(data, bytes) else orjson.dumps(data, option=option)
                (FOLDER / f"{name}.{file}").write_bytes(whole)
        print(name, {p.name: p.stat().st_size for p in FOLDER.glob(f"{name}.*")}, file=sys.stderr)


if __name__ == "__main__":
    _write()
