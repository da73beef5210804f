"""Simulated stages: the ratings find what was planted, and nobody can mistake them for real ones."""

from collections import Counter
from pathlib import Path

import pytest

from arena.cli.simulate import table
from arena.domain.battle import BattleState
from arena.domain.errors import ArenaError
from arena.record.ledger import Ledger
from arena.results.export import tables
from arena.results.export.table_reader import TableFile
from arena.results.votes.inclusion import rule_of
from arena.simulate import BY_VERBS, SIMULATED, Taste, simulate
from tests.support.stages import NOW, Room


@pytest.mark.parametrize("seed", [1, 7, 2026])
def test_the_fitted_order_is_the_planted_one(tmp_path: Path, seed: int) -> None:
    """2,000 simulated votes give back the order of strengths planted .7 apart (five standard errors: the draws have a seed of their own each time)."""
    room = Room(tmp_path)

    report = simulate(room.store, room.stage, 2000, seed, secret=room.keys.secret, taste=Taste(spread=2.8), ends=NOW)

    assert report.planted_order == report.fitted_order
    assert report.recovered
    assert "SYNTHETIC" in table(report)
    assert report.to_json()["synthetic"] is True
    room.close()


def test_a_simulation_leaves_the_record_whole(tmp_path: Path) -> None:
    """Votes kept in bulk are the same as votes cast by the verbs: sealed, drawn by the committed seed, without a gap, and they stand every audit."""
    room = Room(tmp_path).vote(BY_VERBS + 150)
    Ledger(room.store, room.keys).checkpoint(SIMULATED, NOW, final=True)

    assert Ledger(room.store, room.keys).audit(SIMULATED) == []
    drawn = list(room.store.draws.of_stage(SIMULATED))
    assert [battle.draw.number for battle in drawn] == list(range(1, BY_VERBS + 151))
    assert {battle.state for battle in drawn} <= {BattleState.VOTED, BattleState.REVEALED}
    one, other = (room.store.battles.get(drawn[n].battle_id) for n in (0, BY_VERBS))
    assert one is not None
    assert other is not None
    assert [turn.answers.keys() for turn in one.turns] == [turn.answers.keys() for turn in other.turns]
    file = tables.votes_file(room.store.votes.sealed(SIMULATED, 400), room.stage, rule_of(room.stage, {}))
    assert len(TableFile(file, tables.VOTES, "votes.parquet")) == BY_VERBS + 150
    room.close()


def test_the_same_seed_gives_the_same_citizens(tmp_path: Path) -> None:
    """A simulation can be repeated: who votes, what they ask and when follow from the seed; only the draws have the stage's own."""
    rooms = [Room(tmp_path / name).vote(BY_VERBS + 40, seed=5, voters=9) for name in ("one", "two")]

    told = []
    for room in rooms:
        subject = {
            citizen: n for n, citizen in enumerate(dict.fromkeys(r.voter for r in room.store.votes.after(SIMULATED, 0)))
        }
        rows = [(subject[row.voter], row.cast_at, row.battle_id) for row in room.store.votes.after(SIMULATED, 0)]
        told.append([(who, at, room.store.battles.get(battle).turns[0].prompt) for who, at, battle in rows])  # type: ignore[union-attr]
        room.close()

    assert told[0] == told[1]
    assert len({prompt for _, _, prompt in told[0]}) > 20


def test_taste_for_a_side_shows(tmp_path: Path) -> None:
    """A planted liking of side a is in the votes: what the side-bias figure is there to find."""
    room = Room(tmp_path).vote(1500, taste=Taste(side=0.6, ties=0, both_bad=0))

    winners = Counter(row.winner.value for row in room.store.votes.after(SIMULATED, 0))

    assert winners["model_a"] / 1500 > 0.57
    room.close()


def test_simulated_votes_never_meet_real_ones(tmp_path: Path) -> None:
    """A stage that is not declared synthetic, or that has battles already, takes no simulated vote."""
    room = Room(tmp_path).vote(20)
    real = room.stage.model_copy(update={"synthetic": False, "id": "real"})

    with pytest.raises(ArenaError, match="not_synthetic"):
        simulate(room.store, real, 10, 1, secret=room.keys.secret)
    with pytest.raises(ArenaError, match="has_battles"):
        simulate(room.store, room.stage, 10, 1, secret=room.keys.secret)
    assert room.store.votes.count(SIMULATED) == 20
    room.close()
