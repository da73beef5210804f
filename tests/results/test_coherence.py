"""What cannot be true is refused by name, although the operator's own key has sealed and signed it; what is only odd is pointed out."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arena.domain.clock import KST
from arena.domain.exposure import Exposure
from arena.domain.outage import Cause
from arena.i18n.catalogue import messages
from arena.record.ledger import Ledger
from arena.results.export import tables
from arena.results.export.coherence import weighed
from arena.results.export.document import DRAWS, VOTES
from arena.results.export.proofs import VerificationError
from arena.results.export.table_reader import TableFile, draw_table, vote_table
from arena.results.export.verify import verify_files
from arena.results.votes.removals import remove_entrant
from tests.support.forgery import START, Forged, exported, forge, resealed
from tests.support.stages import CLI, NOW, Room

ONE = timedelta(minutes=10)
HONEST = [Forged() for _ in range(12)]
CLOSES = f'closes = "{(START + 5 * ONE).isoformat()}"'.replace('"', "")
NO_MINIMUM = "[protocol]\nmin_exposure = { chars = 0, seconds = 0 }\n"


def refusal(files: Any) -> tuple[str, str]:
    """The check that refuses, and its code."""
    with pytest.raises(VerificationError) as raised:
        verify_files(files)
    assert all(messages(language).of(raised.value) for language in ("ko", "en"))
    return raised.value.check, raised.value.fault.code


def noticed(room: Room) -> set[str]:
    """What is pointed out of a room's export, which verifies."""
    return {check.code for check in verify_files(exported(room).files).noticed}


def test_an_honest_stage_has_nothing_to_point_out(tmp_path: Path) -> None:
    """Votes within the window, sealed soon, by people who keep to the limits: all of it holds, and every check says so."""
    room = Room(tmp_path, more="[protocol]\nmerge_delay_minutes = 1440\n")
    for _ in range(12):
        forge(room, [Forged()])
    ledger = Ledger(room.store, room.keys)
    assert ledger.checkpoint(room.stage.id, START + ONE).size == 12
    verdict = verify_files(exported(room.freeze()).files)
    room.close()
    codes = [check.code for check in verdict.checks]
    assert {"moments", "within", "gaps", "in_pace", "of_stage", "away"} <= set(codes)


@pytest.mark.parametrize(
    ("code", "votes"),
    [
        ("vote_out_of_time", [*HONEST, Forged(at=NOW + timedelta(minutes=3))]),
        ("draw_out_of_time", [Forged(drawn=timedelta(days=21)), *HONEST]),
        ("vote_before_draw", [*HONEST, Forged(drawn=timedelta(minutes=-5))]),
        ("draws_out_of_order", [Forged(at=START), Forged(at=START + ONE, drawn=timedelta(minutes=15))]),
        ("vote_behind_ledger", [Forged(at=START + ONE, drawn=ONE), Forged(at=START + ONE / 2, drawn=ONE / 2)]),
        ("over_limit", [Forged(at=START + timedelta(seconds=25 * n), voter="busy") for n in range(125)]),
        ("identity_of_another", [*HONEST, Forged(level="verified")]),
        ("turns_beyond", [*HONEST, Forged(turns=11)]),
        ("topic_unknown", [*HONEST, Forged(topic="nowhere")]),
        ("reason_unknown", [*HONEST, Forged(reasons={"a": ("bribed",)})]),
        ("leak_of_another", [*HONEST, Forged(leaks={"a": ("self:{other}",)})]),
        ("leak_of_another", [*HONEST, Forged(leaks={"b": ("rival:{own}",)})]),
        ("leak_of_another", [*HONEST, Forged(leaks={"b": ("rival:nobody",)})]),
        ("absent_without_outage", [*HONEST, Forged(without="garam")]),
    ],
)  # fmt: skip
def test_votes_that_cannot_be_are_refused(tmp_path: Path, code: str, votes: Sequence[Forged]) -> None:
    """Votes and draws at moments, by people, in numbers or with contents that this stage cannot have had."""
    room = forge(Room(tmp_path), votes)
    files = exported(room.freeze()).files
    room.close()
    assert refusal(files) == ("coherence", code)


def test_votes_after_the_close_are_refused(tmp_path: Path) -> None:
    """The stage file says until when; a vote that was cast later is none, whatever the freeze says."""
    room = forge(Room(tmp_path, more=CLOSES), HONEST)
    files = exported(room.freeze()).files
    room.close()
    assert refusal(files) == ("coherence", "vote_after_closes")


def test_a_rule_that_the_stage_does_not_have_leaves_nobody_out(tmp_path: Path) -> None:
    """A vote marked as unread, in a stage that asks for no exposure."""
    strict = Exposure(chars=4000, seconds=60)
    room = forge(Room(tmp_path, more=NO_MINIMUM), [*HONEST, Forged(exposure=strict)])
    files = exported(room.freeze()).files
    room.close()
    assert refusal(files) == ("coherence", "unread_without_rule")


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("frozen_before_opened", {"stage.frozen_at": (NOW - timedelta(days=31)).isoformat(timespec="milliseconds")}),
        ("made_before_frozen", {"created_at": (NOW - timedelta(days=1)).isoformat(timespec="milliseconds")}),
        ("vote_out_of_time", {"stage.frozen_at": (START + 7 * ONE).isoformat(timespec="milliseconds")}),
        (
            "removed_out_of_time",
            {"entrants.0.removed": {"at": (NOW + timedelta(days=3)).isoformat(timespec="milliseconds"), "reason": "x"}},
        ),
        (
            "drawn_after_removal",
            {"entrants.0.removed": {"at": START.isoformat(timespec="milliseconds"), "reason": "x"}},
        ),
    ],
)
def test_moments_of_the_stage_that_cannot_be_are_refused(tmp_path: Path, code: str, change: dict[str, Any]) -> None:
    """Opening, freeze, removal and the export's own moment, moved by whoever holds the key."""
    room = forge(Room(tmp_path), HONEST).freeze()
    moved = {path: _kst(value) for path, value in change.items()}
    files = resealed(room, exported(room), moved)
    room.close()
    assert refusal(files) == ("coherence", code)


def _kst(value: Any) -> Any:
    """As documents write moments: in Korea's time."""
    if isinstance(value, dict):
        return {key: _kst(inner) if key == "at" else inner for key, inner in value.items()}
    return datetime.fromisoformat(value).astimezone(KST).isoformat(timespec="milliseconds")


def test_checkpoints_bind_moments(tmp_path: Path) -> None:
    """A vote that was cast after the checkpoint that covers it, or a checkpoint older than a smaller one, cannot be."""
    room = forge(Room(tmp_path / "vote"), HONEST)
    Ledger(room.store, room.keys).checkpoint(room.stage.id, START + ONE)
    files = exported(room.freeze()).files
    room.close()
    assert refusal(files) == ("coherence", "vote_after_checkpoint")
    room = forge(Room(tmp_path / "head"), HONEST)
    ledger = Ledger(room.store, room.keys)
    ledger.checkpoint(room.stage.id, NOW)
    forge(room, [Forged(at=START + 13 * ONE)])
    ledger.checkpoint(room.stage.id, NOW - timedelta(hours=1))
    files = exported(room.freeze()).files
    room.close()
    assert refusal(files) == ("coherence", "checkpoint_behind")


def test_what_is_odd_is_pointed_out(tmp_path: Path) -> None:
    """A voter between the limit and twice the limit, votes that waited long for a checkpoint, many under one: the verdict says so, and holds."""
    busy = [Forged(at=START + timedelta(seconds=50 * n), voter="busy") for n in range(70)]
    room = forge(Room(tmp_path, more="[ledger]\ngap_votes = 50\n"), busy).freeze()
    found = noticed(room)
    room.close()
    assert {"near_limit", "gap_minutes", "gap_votes"} <= found


def test_an_outage_and_a_removal_excuse_an_absence(tmp_path: Path) -> None:
    """An entrant that is out on record, or removed, need not be among those that could be drawn."""
    room = forge(Room(tmp_path), HONEST)
    away = START + 13 * ONE
    cause = Cause(kind="probe_failed")
    room.store.outages.left(away - timedelta(minutes=1), room.stage.id, "garam", "one", cause)
    forge(room, [Forged(at=away, without="garam")])
    room.store.outages.back(away + timedelta(minutes=1), room.stage.id, "garam", "one", cause)
    removed = away + ONE
    remove_entrant(room.store, room.stage, "narae", reason="withdrew", organizer=CLI, now=removed)
    forge(room, [Forged(at=removed + ONE, without="narae")])
    verdict = verify_files(exported(room.freeze()).files)
    room.store.outages.left(away + 2 * ONE, room.stage.id, "dasom", "one", cause)
    room.store.outages.back(away + ONE, room.stage.id, "dasom", "one", cause)  # before it began
    assert refusal(exported(room).files) == ("coherence", "outage_out_of_time")
    room.close()
    assert "away" in {check.code for check in verdict.checks}
    assert [len(entrant.outages) for entrant in verdict.document.entrants if entrant.team_id == "garam"] == [1]


def test_weights_keep_their_rule(tmp_path: Path) -> None:
    """Weights beyond the cap, not of mean 1, of fewer people than ten, or in a stage without targets cannot be."""
    more = (
        '[population]\n[[population.strata]]\nid = "sex"\ntitle = { ko = "성별", en = "Sex" }\ncategories = [\n'
        '{ id = "f", title = { ko = "여", en = "F" }, target = 0.5 },\n{ id = "m", title = { ko = "남", en = "M" }, target = 0.5 }]\n'
    )
    room = forge(Room(tmp_path / "with", more=more), [Forged() for _ in range(40)])
    plain = forge(Room(tmp_path / "without"), [Forged()])
    files = exported(room).files
    draws = draw_table(TableFile(files[DRAWS], tables.DRAWS, DRAWS), room.stage)
    votes = vote_table(TableFile(files[VOTES], tables.VOTES, VOTES), room.stage, draws)
    half = np.where(votes.voter < 20, 0.8, 1.2)
    weighed(room.stage, replace(votes, weight=half))
    for code, weight, stage in (
        ("weight_beyond_cap", np.where(votes.voter < 30, 0.1, 3.7), room.stage),
        ("weights_not_scaled", half * 1.1, room.stage),
        ("weight_of_few", np.where(votes.voter < 5, 0.65, 1.05), room.stage),
        ("weights_without_target", half, plain.stage),
    ):
        with pytest.raises(VerificationError) as raised:
            weighed(stage, replace(votes, weight=weight))
        assert raised.value.fault.code == code
    for each in (room, plain):
        each.close()
