"""Acts bind rows: an operator who forges one, or one row more, with the arena's own key is refused, and told which act or row."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from arena.domain.clock import kst
from arena.record.merkle import roots_of
from arena.results.export.bundle import make
from arena.results.export.chain import remade
from arena.results.export.document import VOTES
from arena.results.export.verify import verify_files
from arena.results.integrity import review
from arena.results.votes.exclusions import ExclusionReason, root_over
from tests.results.test_verify import Exported, changed_rows, opened, refused
from tests.support.stages import CLI, NOW, Room
from tests.support.strangers import by_a_stranger

Rows = list[dict[str, Any]]
Forge = Callable[[dict[str, Any], Rows], None]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exported]:
    """Nine votes proposed and left out, two more that a team cast, these taken back; four proposed and left to count; then published."""
    room = Room(tmp_path_factory.mktemp("decisions")).vote(120, voters=30)
    battles, stage = room.battles(), room.stage.id
    proposed = [room.propose(ExclusionReason.SPEED, battles[:9]), room.propose(ExclusionReason.SIDE, battles[20:24])]
    room.freeze(*proposed)

    def at(hours: int) -> dict[str, Any]:
        return {"organizer": CLI, "now": NOW + timedelta(hours=hours)}

    review.follow(room.store, stage, proposed[0].key, **at(1))
    review.leave_out(room.store, stage, battles[40:42], grounds="cast by a team", **at(2))
    review.take_back(room.store, stage, 1, grounds="by another team", **at(3))
    review.leave_out(room.store, stage, battles[41:43], grounds="cast by a team", **at(4))
    review.decline(room.store, stage, proposed[1].key, why="explained", **at(5))
    room.publish(now=NOW + timedelta(hours=6))
    yield Exported(remade(room.store, room.keys, room.store.finals.of_stage(stage)[0]), room.keys, ())
    room.close()


def forged(exported: Exported, forge: Forge) -> dict[str, bytes]:
    """The export with acts and rows as an operator would rather have them, hashed and signed anew with the arena's own key."""
    document: dict[str, Any] = {}

    def take(rows: Rows) -> None:
        forge(document, rows)

    document.update(exported.bundle.document.to_json())
    files = changed_rows(exported, VOTES, take)

    def change(told: dict[str, Any]) -> None:
        rows = told["provenance"]["votes_file"]["rows"]
        told.update(document)
        told["provenance"]["votes_file"].update(rows=rows, sha256=sha256(files[VOTES]).hexdigest())

    return dict(exported.resealed(change, {VOTES: files[VOTES]}))


def one_more_row(document: dict[str, Any], rows: Rows) -> None:
    """A vote that the operator dislikes, under an act that was about others."""
    next(row for row in rows if not row["acts"]).update(acts=[3], left_out="operator")


def one_more_row_counted(document: dict[str, Any], rows: Rows) -> None:
    """The same, and the act's number changed along."""
    one_more_row(document, rows)
    document["exclusion_acts"][3]["votes"] += 1


def without_an_act(document: dict[str, Any], rows: Rows) -> None:
    """The same, under no act at all, for a reason that an act carries."""
    next(row for row in rows if not row["acts"]).update(left_out="speed")


def another_row(document: dict[str, Any], rows: Rows) -> None:
    """One vote in, another out: the number is right."""
    out = next(row for row in rows if row["acts"] == [3])
    one_more_row(document, rows)
    out.update(acts=[], left_out=None)


def back_in(document: dict[str, Any], rows: Rows) -> None:
    """A vote that an act leaves out is counted all the same."""
    next(row for row in rows if row["acts"] == [0]).update(left_out=None)


def another_reason(document: dict[str, Any], rows: Rows) -> None:
    """Out for a reason that another act carries."""
    next(row for row in rows if row["acts"] == [0]).update(left_out="operator")


def act_dropped(document: dict[str, Any], rows: Rows) -> None:
    """The last act is published no more; its rows name it still."""
    document["exclusion_acts"].pop()


def not_in_order(document: dict[str, Any], rows: Rows) -> None:
    """A row follows its acts in another order."""
    row = next(row for row in rows if row["acts"] == [1, 2, 3])
    row.update(acts=[1, 3, 2], left_out=None)


def twice(document: dict[str, Any], rows: Rows) -> None:
    """A vote is left out that is out already."""
    next(row for row in rows if row["acts"] == [0]).update(acts=[0, 3], left_out="operator")


def on_nothing(document: dict[str, Any], rows: Rows) -> None:
    """A vote is taken back that was in."""
    next(row for row in rows if not row["acts"]).update(acts=[2])


def of_another(document: dict[str, Any], rows: Rows) -> None:
    """A vote that a followed proposal leaves out is taken back by an act of its own."""
    next(row for row in rows if row["acts"] == [0]).update(acts=[0, 2], left_out=None)


def a_restore_made_an_exclusion(document: dict[str, Any], rows: Rows) -> None:
    """An act says that it did the opposite."""
    document["exclusion_acts"][2].update(action="exclude")


def a_reason_for_taking_back(document: dict[str, Any], rows: Rows) -> None:
    """Taking back has no reason code."""
    document["exclusion_acts"][2].update(reason="operator")


def an_unknown_reason(document: dict[str, Any], rows: Rows) -> None:
    """A reason that no arena has."""
    document["exclusion_acts"][3].update(reason="moonlight")
    for row in rows:
        if 3 in row["acts"]:
            row["left_out"] = "moonlight"


def back_dated(document: dict[str, Any], rows: Rows) -> None:
    """An act before the one before it."""
    document["exclusion_acts"][3]["at"] = document["exclusion_acts"][0]["at"]


def before_the_freeze(document: dict[str, Any], rows: Rows) -> None:
    """An act while votes were still coming in."""
    document["exclusion_acts"][0]["at"] = LONG_BEFORE


def after_the_export(document: dict[str, Any], rows: Rows) -> None:
    """An act that was not made yet."""
    document["exclusion_acts"][3]["at"] = LONG_AFTER


def of_no_proposal(document: dict[str, Any], rows: Rows) -> None:
    """A test's reason that no test gave at the freeze."""
    document["exclusion_acts"][3].update(reason="target")


def of_another_proposal(document: dict[str, Any], rows: Rows) -> None:
    """An act says that it follows a proposal of other votes."""
    document["exclusion_acts"][0]["proposal"] = document["review"]["proposals"][1]["key"]


def after_the_review(document: dict[str, Any], rows: Rows) -> None:
    """A correction that follows a proposal, as if the review were still going on."""
    document["stage"]["published_at"] = document["stage"]["frozen_at"]
    document.update(supersedes=document["export_id"], correction="x")


def undecided(document: dict[str, Any], rows: Rows) -> None:
    """Published before everything was decided on."""
    document["review"]["proposals"][1].update(decision=None, decided_at=None, why=None)


def unsaid_why(document: dict[str, Any], rows: Rows) -> None:
    """Declined, and nobody says why."""
    document["review"]["proposals"][1].update(why=None)


def said_to_be_followed(document: dict[str, Any], rows: Rows) -> None:
    """Followed by word alone."""
    document["review"]["proposals"][1].update(decision="followed", why=None)


def said_to_be_declined(document: dict[str, Any], rows: Rows) -> None:
    """Declined by word, while its votes stay out."""
    document["review"]["proposals"][0].update(decision="declined", why="x")


def decided_too_early(document: dict[str, Any], rows: Rows) -> None:
    """Decided on before it was proposed."""
    document["review"]["proposals"][1]["decided_at"] = LONG_BEFORE


def not_so_sure(document: dict[str, Any], rows: Rows) -> None:
    """Proposed beyond the rate of false discoveries that the stage sealed."""
    document["review"]["proposals"][1]["q"] = 0.051


def proposal_dropped(document: dict[str, Any], rows: Rows) -> None:
    """A proposal that was declined is published no more; its rows name it still."""
    document["review"]["proposals"].pop()


def proposal_of_other_votes(document: dict[str, Any], rows: Rows) -> None:
    """Another vote is said to have been proposed."""
    next(row for row in rows if row["proposal"] is None)["proposal"] = 1


def proposal_for_another_reason(document: dict[str, Any], rows: Rows) -> None:
    """It was another test, they say."""
    document["review"]["proposals"][1]["reason"] = "speed"


def proposal_twice(document: dict[str, Any], rows: Rows) -> None:
    """One proposal counts as two."""
    document["review"]["proposals"].append(document["review"]["proposals"][1])


def looked_before(document: dict[str, Any], rows: Rows) -> None:
    """A look at a time when there was nothing to see."""
    document["review"]["looks"] = [{"at": LONG_BEFORE, "acts": 0}]


def not_final(document: dict[str, Any], rows: Rows) -> None:
    """A published result that says that it is none."""
    document["final"] = False


def final_while_frozen(document: dict[str, Any], rows: Rows) -> None:
    """A final result of a stage that is under review."""
    document["stage"].update(status="frozen", published_at=None)


def published_early(document: dict[str, Any], rows: Rows) -> None:
    """Published before it froze."""
    document["stage"]["published_at"] = LONG_BEFORE


def published_otherwise(document: dict[str, Any], rows: Rows) -> None:
    """A first result that was not made when the stage was published."""
    document["created_at"] = LONG_AFTER


def corrected_without_reason(document: dict[str, Any], rows: Rows) -> None:
    """It takes another's place and nobody says why."""
    document["supersedes"] = document["export_id"]


LONG_BEFORE, LONG_AFTER = "2026-11-01T00:00:00.000+09:00", "2026-12-24T00:00:00.000+09:00"
FORGERIES: dict[Forge, tuple[str, str]] = {
    one_more_row: ("exclusions", "act_votes"),
    one_more_row_counted: ("exclusions", "act_root"),
    without_an_act: ("exclusions", "row_left_out"),
    another_row: ("exclusions", "act_root"),
    back_in: ("exclusions", "row_left_out"),
    another_reason: ("exclusions", "row_left_out"),
    act_dropped: ("exclusions", "row_acts"),
    not_in_order: ("exclusions", "row_acts"),
    twice: ("exclusions", "act_again"),
    on_nothing: ("exclusions", "act_on_nothing"),
    of_another: ("exclusions", "act_of_another"),
    a_restore_made_an_exclusion: ("exclusions", "act_reason"),
    a_reason_for_taking_back: ("exclusions", "act_reason"),
    an_unknown_reason: ("exclusions", "act_reason"),
    back_dated: ("exclusions", "act_out_of_time"),
    before_the_freeze: ("exclusions", "act_out_of_time"),
    after_the_export: ("exclusions", "act_out_of_time"),
    of_no_proposal: ("review", "act_without_proposal"),
    of_another_proposal: ("review", "act_beyond_proposal"),
    after_the_review: ("review", "act_after_review"),
    undecided: ("review", "final_undecided"),
    unsaid_why: ("review", "decision_incomplete"),
    said_to_be_followed: ("review", "decision_contradicts"),
    said_to_be_declined: ("review", "decision_contradicts"),
    decided_too_early: ("review", "decision_out_of_time"),
    not_so_sure: ("review", "proposal_beyond_rate"),
    proposal_dropped: ("review", "row_proposal"),
    proposal_of_other_votes: ("review", "proposal_votes"),
    proposal_for_another_reason: ("review", "proposal_votes"),
    proposal_twice: ("review", "proposal_twice"),
    looked_before: ("review", "look_out_of_time"),
    not_final: ("stage", "final_contradicts"),
    final_while_frozen: ("stage", "final_contradicts"),
    published_early: ("stage", "published_out_of_time"),
    published_otherwise: ("stage", "published_out_of_time"),
    corrected_without_reason: ("stage", "correction_contradicts"),
}


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_what_no_act_carries_is_refused(exported: Exported, forge: Forge) -> None:
    """Rows left out beyond the acts, acts about other rows, out of order, out of time or unsaid: signed with the arena's own key, each is refused by name."""
    assert refused(exported.bundle.files) is None
    error = refused(forged(exported, forge))

    assert error is not None
    assert (error.check, error.fault.code) == FORGERIES[forge]


def test_an_act_before_its_votes_is_refused(tmp_path: Path) -> None:
    """An act dated before a vote that it names was cast cannot have been about it."""
    room = Room(tmp_path).vote(60)
    last = room.battles()[-1]
    room.freeze()
    now = NOW + timedelta(hours=1)
    review.leave_out(room.store, room.stage.id, [last], grounds="cast by a team", organizer=CLI, now=now)
    whole = Exported(make(room.store, room.keys, room.stage.id, now), room.keys, ())
    cast = next(row["cast_at"] for row in opened(whole, VOTES).rows() if row["question_id"] == last)
    before = datetime.fromisoformat(cast) - timedelta(milliseconds=1)
    assert refused(whole.bundle.files) is None

    def back_dated(document: dict[str, Any]) -> None:
        document["stage"]["frozen_at"] = kst(before)  # by a clock that may differ from the one of the votes
        document["exclusion_acts"][0]["at"] = kst(before)

    error = refused(whole.resealed(back_dated))
    room.close()

    assert error is not None
    assert error.fault.code == "act_before_votes"


def test_an_open_stage_has_had_no_review(tmp_path: Path) -> None:
    """While votes come in there is nothing proposed, done or looked at, whatever a document says."""
    room = Room(tmp_path).vote(60)
    whole = Exported(make(room.store, room.keys, room.stage.id, NOW), room.keys, ())
    room.close()

    error = refused(whole.resealed(lambda document: document["review"].update(looks=[{"at": LONG_BEFORE, "acts": 0}])))

    assert refused(whole.bundle.files) is None
    assert error is not None
    assert error.fault.code == "review_while_open"


def test_what_the_stage_seals_to_follow_cannot_be_declined(tmp_path: Path) -> None:
    """Under `follow_all` no export with a proposal that was declined verifies, whoever signs it."""
    room = Room(tmp_path, more='[review]\nrule = "follow_all"\n').vote(60)
    room.freeze(room.propose(ExclusionReason.SPEED, room.battles()[:4]))
    whole = Exported(make(room.store, room.keys, room.stage.id, NOW), room.keys, ())
    room.close()

    def decline(document: dict[str, Any]) -> None:
        at = document["stage"]["frozen_at"]
        document["review"]["proposals"][0].update(decision="declined", decided_at=at, why="x")

    error = refused(whole.resealed(decline))

    assert refused(whole.bundle.files) is None
    assert error is not None
    assert error.fault.code == "review_declined"


def test_the_root_is_rebuilt_from_the_rows_alone(exported: Exported) -> None:
    """Whoever has the folder finds each act's votes, their number and their root in the rows, whatever their order there."""
    rows = [dict(row) for row in opened(exported, VOTES).rows()]
    for n, act in enumerate(verify_files(exported.bundle.files).document.exclusion_acts):
        receipts = sorted(row["receipt"] for row in rows if n in row["acts"])
        assert (len(receipts), root_over(reversed(receipts))) == (act.votes, act.root)
        assert roots_of(receipts, [len(receipts)]) == {len(receipts): act.root}


@pytest.mark.parametrize(
    "forge",
    [one_more_row, one_more_row_counted, without_an_act, another_row, twice, undecided, proposal_of_other_votes],
)
def test_the_stranger_refuses_the_same(exported: Exported, forge: Forge, tmp_path: Path) -> None:
    """The page of Python without our code stops at the same rows."""
    for name, data in forged(exported, forge).items():
        (tmp_path / name).write_bytes(data)

    answer = by_a_stranger(tmp_path)

    assert answer.returncode == 1
    assert f"DOES NOT HOLD  {FORGERIES[forge][0]}" in answer.stderr
