"""What an organizer stops is stopped for everybody: paused draws and removed entrants, in every process."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from arena.domain.errors import Unavailable
from arena.domain.stage import Stage
from arena.record.store import Store
from arena.results.votes.removals import remove_entrant
from tests.support.serving import Citizen, serving, stage_toml
from tests.support.voting import NOW, STAGE, draw, enrol, open_stage, ready, vote


def test_paused_draws_are_paused_for_every_process(store: Store) -> None:
    """While the draws are paused no battle opens, whoever asks; one that is open is voted on; afterwards battles open again."""
    open_stage(store)
    citizen = enrol(store)
    battle = ready(store, citizen)
    assert store.stages.pause(STAGE, NOW) is True
    assert store.stages.pause(STAGE, NOW) is False
    with pytest.raises(Unavailable) as refused:
        store.battles.open("x" * 24, STAGE, citizen.id, draw, NOW)
    assert refused.value.code == "pairing_paused"
    assert vote(store, battle, citizen)[1] is True
    assert store.stages.resume(STAGE) is True
    assert store.battles.open("y" * 24, STAGE, citizen.id, draw, NOW).draw.number == 2


def test_a_citizen_hears_of_the_pause_and_never_meets_a_removed_entrant(tmp_path: Path) -> None:
    """A paused stage answers 503 with a kind sentence and when to come back; a removed entrant is not drawn again, without a restart."""
    toml = stage_toml()
    with serving(tmp_path, toml) as base:
        beside = Store(f"sqlite:///{tmp_path / 'arena.db'}")
        citizen = Citizen(base).agree()
        beside.stages.pause("test", datetime.now(UTC))
        refused = citizen.http.post("/battles")
        assert (refused.status_code, refused.json()["code"]) == (503, "pairing_paused")
        assert "잠시 뒤 다시 시도" in refused.json()["ko"]
        assert int(refused.headers["retry-after"]) > 0
        beside.stages.resume("test")
        stage = Stage.from_toml(toml.encode(), "stage.toml")
        remove_entrant(beside, stage, "garam", reason="시험", organizer="o", now=datetime.now(UTC))
        for _ in range(8):
            citizen.open()
        drawn = {entrant for a, b, _, _ in beside.draws.by_state("test") for entrant in (a, b)}
        assert drawn == {"narae", "dasom"}
        beside.close()
