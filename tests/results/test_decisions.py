"""Acts bind rows: an operator who forges one, or one row more, with the arena's own key is refused, and told which act or row."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from arena.domain.clock import kst
from arena.domain.grounds import WrittenGrounds
from arena.record.merkle import roots_of
from arena.results.export.bundle import make
from arena.results.export.document import VOTES
from arena.results.export.verify import verify_files
from arena.results.votes.exclusions import ExclusionReason, exclude, restore, root_over
from tests.results.test_verify import Exported, changed_rows, opened, refused
from tests.support.stages import CLI, NOW, Room
from tests.support.strangers import by_a_stranger

Rows = list[dict[str, Any]]
Forge = Callable[[dict[str, Any], Rows], None]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exported]:
    """Nine votes left out, one of them taken back and left out again for another reason, four more left out."""
    room = Room(tmp_path_factory.mktemp("decisions")).vote(120, voters=30)
    battles = room.battles()
    for hours, (action, some) in enumerate(
        (
            (ExclusionReason.SPEED, battles[:9]),
            (None, battles[:1]),
            (ExclusionReason.TARGET, battles[:1]),
            (ExclusionReason.SIDE, battles[20:24]),
        )
    ):
        grounds, now = WrittenGrounds(text=f"act {hours}"), NOW + timedelta(hours=hours)
        acting: dict[str, Any] = {"grounds": grounds, "organizer": CLI, "now": now}
        if action is None:
            restore(room.store, room.stage.id, some, **acting)
        else:
            exclude(room.store, room.stage.id, some, reason=action, **acting)
    room.freeze()
    yield Exported(make(room.store, room.keys, room.stage.id, NOW + timedelta(days=1)), room.keys, ())
    room.close()


def forged(exported: Exported, forge: Forge) -> dict[str, bytes]:
    """The export with acts and rows as an operator would rather have them, hashed and signed anew with the arena's own key."""
    document: dict[str, Any] = {}

    def take(rows: Rows) -> None:
        forge(document, rows)

    document.update(exported.bundle.document.to_json())
    files = changed_rows(exported, VOTES, take)

    def change(told: dict[str, Any]) -> None:
        told["exclusion_acts"] = document["exclusion_acts"]

    return dict(exported.resealed(change, {VOTES: files[VOTES]}))


def named(rows: Rows, act: int) -> Rows:
    """The rows that name an act."""
    return [row for row in rows if act in row["acts"]]


def one_more_row(document: dict[str, Any], rows: Rows) -> None:
    """A vote that the operator dislikes, under an act that was about others."""
    next(row for row in rows if not row["acts"]).update(acts=[0], left_out="speed")


def one_more_row_counted(document: dict[str, Any], rows: Rows) -> None:
    """The same, and the act's number changed along."""
    one_more_row(document, rows)
    document["exclusion_acts"][0]["votes"] += 1


def without_an_act(document: dict[str, Any], rows: Rows) -> None:
    """The same, under no act at all, for a reason that an act carries."""
    next(row for row in rows if not row["acts"]).update(left_out="speed")


def another_row(document: dict[str, Any], rows: Rows) -> None:
    """One vote in, another out: the number is right."""
    out = next(row for row in rows if row["acts"] == [0])
    one_more_row(document, rows)
    out.update(acts=[], left_out=None)


def back_in(document: dict[str, Any], rows: Rows) -> None:
    """A vote that an act leaves out is counted all the same."""
    next(row for row in rows if row["acts"] == [0]).update(left_out=None)


def another_reason(document: dict[str, Any], rows: Rows) -> None:
    """Out for a reason that another act carries."""
    next(row for row in rows if row["acts"] == [0]).update(left_out="side")


def act_dropped(document: dict[str, Any], rows: Rows) -> None:
    """The last act is published no more; its rows name it still."""
    document["exclusion_acts"].pop()


def not_in_order(document: dict[str, Any], rows: Rows) -> None:
    """A row follows its acts in another order."""
    row = next(row for row in rows if row["acts"] == [0, 1, 2])
    row.update(acts=[0, 2, 1], left_out=None)


def twice(document: dict[str, Any], rows: Rows) -> None:
    """A vote is left out that is out already."""
    next(row for row in rows if row["acts"] == [0]).update(acts=[0, 3], left_out="side")


def on_nothing(document: dict[str, Any], rows: Rows) -> None:
    """A vote is taken back that was in."""
    next(row for row in rows if not row["acts"]).update(acts=[1])


def a_restore_made_an_exclusion(document: dict[str, Any], rows: Rows) -> None:
    """An act says that it did the opposite."""
    document["exclusion_acts"][1].update(action="exclude")


def a_reason_for_taking_back(document: dict[str, Any], rows: Rows) -> None:
    """Taking back has no reason code."""
    document["exclusion_acts"][1].update(reason="speed")


def an_unknown_reason(document: dict[str, Any], rows: Rows) -> None:
    """A reason that no arena has."""
    document["exclusion_acts"][3].update(reason="moonlight")
    for row in named(rows, 3):
        row["left_out"] = "moonlight"


def back_dated(document: dict[str, Any], rows: Rows) -> None:
    """An act before the one before it."""
    document["exclusion_acts"][3]["at"] = document["exclusion_acts"][0]["at"]


def before_the_opening(document: dict[str, Any], rows: Rows) -> None:
    """An act before there was a stage."""
    document["exclusion_acts"][0]["at"] = "2026-11-01T00:00:00.000+09:00"


def after_the_export(document: dict[str, Any], rows: Rows) -> None:
    """An act that was not made yet."""
    document["exclusion_acts"][3]["at"] = "2026-12-24T00:00:00.000+09:00"


FORGERIES: dict[Forge, str] = {
    one_more_row: "act_votes",
    one_more_row_counted: "act_root",
    without_an_act: "row_left_out",
    another_row: "act_root",
    back_in: "row_left_out",
    another_reason: "row_left_out",
    act_dropped: "row_acts",
    not_in_order: "row_acts",
    twice: "act_again",
    on_nothing: "act_on_nothing",
    a_restore_made_an_exclusion: "act_reason",
    a_reason_for_taking_back: "act_reason",
    an_unknown_reason: "act_reason",
    back_dated: "act_out_of_time",
    before_the_opening: "act_out_of_time",
    after_the_export: "act_out_of_time",
}


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_what_no_act_carries_is_refused(exported: Exported, forge: Forge) -> None:
    """Rows left out beyond the acts, acts about other rows, out of order, out of time or unsaid: signed with the arena's own key, each is refused by name."""
    assert refused(exported.bundle.files) is None
    error = refused(forged(exported, forge))

    assert error is not None
    assert (error.check, error.fault.code) == ("exclusions", FORGERIES[forge])


def test_an_act_before_its_votes_is_refused(tmp_path: Any) -> None:
    """An act dated before a vote that it names was cast cannot have been about it."""
    room = Room(tmp_path).vote(60)
    last = room.battles()[-1]
    exclude(
        room.store,
        room.stage.id,
        [last],
        reason=ExclusionReason.SPEED,
        grounds=WrittenGrounds(text="q"),
        organizer=CLI,
        now=NOW + timedelta(hours=1),
    )
    whole = Exported(make(room.store, room.keys, room.stage.id, NOW + timedelta(hours=2)), room.keys, ())
    cast = next(row["cast_at"] for row in opened(whole, VOTES).rows() if row["question_id"] == last)
    before = datetime.fromisoformat(cast) - timedelta(milliseconds=1)
    assert refused(whole.bundle.files) is None

    def back_dated(document: dict[str, Any]) -> None:
        document["stage"]["opened_at"] = "2026-11-01T00:00:00.000+09:00"
        document["exclusion_acts"][0]["at"] = kst(before)

    error = refused(whole.resealed(back_dated))
    room.close()

    assert error is not None
    assert error.fault.code == "act_before_votes"


def test_the_root_is_rebuilt_from_the_rows_alone(exported: Exported) -> None:
    """Whoever has the folder finds each act's votes, their number and their root in the rows, whatever their order there."""
    rows = [dict(row) for row in opened(exported, VOTES).rows()]
    for n, act in enumerate(verify_files(exported.bundle.files).document.exclusion_acts):
        receipts = sorted(row["receipt"] for row in named(rows, n))
        assert (len(receipts), root_over(reversed(receipts))) == (act.votes, act.root)
        assert roots_of(receipts, [len(receipts)]) == {len(receipts): act.root}


@pytest.mark.parametrize("forge", [one_more_row, one_more_row_counted, without_an_act, another_row, twice])
def test_the_stranger_refuses_the_same(exported: Exported, forge: Forge, tmp_path: Any) -> None:
    """The page of Python without our code stops at the same rows."""
    for name, data in forged(exported, forge).items():
        (tmp_path / name).write_bytes(data)

    answer = by_a_stranger(tmp_path)

    assert answer.returncode == 1
    assert "DOES NOT HOLD  exclusions" in answer.stderr
