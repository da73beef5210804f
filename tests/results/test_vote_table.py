"""One table of votes, whoever reads it: one rule, rows that keep their places, the same from the record and from a file, and no byte too many."""

from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.domain.citizen import Citizen
from arena.record.ledger import Ledger
from arena.results.export.table_reader import DrawTable, TableFile, draw_table, vote_table
from arena.results.export.tables import DRAWS, VOTES, EvidenceError, ParquetBuffer, draws_file, votes_file
from arena.results.integrity import review
from arena.results.votes.annotations import measured
from arena.results.votes.exclusions import ExclusionReason
from arena.results.votes.feed import VoteFeed
from arena.results.votes.inclusion import REASONS, Rule, rule_of
from arena.results.votes.removals import remove_entrant
from arena.results.votes.table import VoteTable
from tests.support.stages import CLI, NOW, Room

ENTRANTS = ("가", "나", "다", "bad")


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 3), *[st.booleans()] * 3).filter(lambda vote: vote[0] != vote[1]),
        max_size=30,
    ),
    st.sets(st.integers(0, 29)),
    st.booleans(),
    st.booleans(),
)
def test_a_vote_has_the_first_reason_that_holds(
    votes: list[tuple[int, int, bool, bool, bool]], chosen: set[int], leaves: bool, removed: bool
) -> None:
    """A battle shown again is one, and a check is a check, whatever else holds; then a removed entrant, then an organizer's decision, a leak, where the stage minds it, and at last that it was not read."""
    rated = frozenset(ENTRANTS[:2] if removed else ENTRANTS[:3])
    rule = Rule(rated, frozenset({"bad"}), 4 if leaves else 0, {})
    a, b, leaks, unread, again = (np.array([vote[n] for vote in votes]) for n in range(5))
    decided = np.array([REASONS.index("speed") if n in chosen else 0 for n in range(len(votes))], np.int8)

    sides = (a.astype(np.int16), b.astype(np.int16))
    told = (leaks.astype(np.int32) * 6, unread.astype(np.bool_), decided, again.astype(np.bool_))
    codes = rule.codes(ENTRANTS, *sides, *told)

    def reason(n: int, sides: set[str], leak: bool, unread: bool, again: bool) -> str:
        if again:
            return "repeat"
        if "bad" in sides:
            return "check"
        if not sides <= rated:
            return "removed"
        return "speed" if n in chosen else "leaks" if leak and leaves else "unread" if unread else ""

    expected = [reason(n, {ENTRANTS[x], ENTRANTS[y]}, *found) for n, (x, y, *found) in enumerate(votes)]
    assert [REASONS[code] for code in codes] == expected


def test_rows_keep_their_places(tmp_path: Path) -> None:
    """A later table only has more rows: what was read stays where it is, removals and a published review change one column, a review that is not published nothing, and an old table does not change."""
    room = Room(tmp_path)
    feed = VoteFeed(room.store, room.stage, clock=lambda: NOW + timedelta(hours=1))
    assert len(feed.table()[0]) == 0
    room.vote(90)
    before, _ = feed.table(measured=True)
    battles = feed.battles_of(before.seq[[3, 5]].tolist())
    remove_entrant(room.store, room.stage, "maru", reason="withdrew", organizer=CLI, now=NOW)
    room.freeze(room.propose(ExclusionReason.SPEED, battles))
    review.follow(room.store, room.stage.id, None, organizer=CLI, now=NOW)
    meanwhile, _ = feed.table(measured=True)
    room.publish()

    after, rule = feed.table(measured=True)

    for name in (field.name for field in fields(VoteTable)):
        if name not in ("excluded_by", "circumstances"):
            assert np.array_equal(getattr(before, name), getattr(after, name)), name
    assert before.counted.all()
    assert "maru" not in rule.entrants
    removed = {REASONS[code] for code in after.excluded_by}
    assert {"", "removed"} <= removed
    assert {REASONS[code] for code in meanwhile.excluded_by[[3, 5]]} <= {"", "removed"}
    assert not after.counted[[3, 5]].any()
    assert len(after.measured.turns) == len(after) == 90
    assert sorted(after.by_time().seq.tolist()) == sorted(after.seq.tolist())
    room.close()


def test_a_file_gives_the_table_of_the_record(tmp_path: Path) -> None:
    """What `votes.parquet` tells is what the record says, vote for vote; what it does not tell is unknown, and voters are sorted."""
    room = Room(tmp_path).vote(90)
    store, stage = room.store, room.stage
    remove_entrant(store, stage, "maru", reason="withdrew", organizer=CLI, now=NOW)
    gone = next(store.votes.after(stage.id, 0)).voter
    store.erasure.withdraw(Citizen(gone), "0" * 64, NOW)
    room.freeze(room.propose(ExclusionReason.SPEED, room.battles()[:20])).publish()

    live, rule = VoteFeed(store, stage, clock=lambda: NOW + timedelta(hours=1)).table(measured=True)
    sealed = store.votes.sealed(stage.id, Ledger(store, room.keys).checkpoint(stage.id, NOW).size)
    file = votes_file(sealed, stage, rule, measured(store, stage, None))
    told = vote_table(TableFile(file, VOTES, "votes.parquet"), stage, draws_of(room))

    assert told.voters == tuple(sorted(live.voters))
    assert [told.voters[n] for n in told.voter] == [live.voters[n] for n in live.voter]
    for name in ("entrants", "reasons", "a", "b", "outcome", "identity", "leaks", "draw", "repeat_of", "excluded_by"):
        assert np.array_equal(getattr(told, name), getattr(live, name)), name
    assert np.array_equal(told.cast_at // 1000, live.cast_at // 1000)
    assert np.array_equal(told.measured.turns, live.measured.turns)
    assert np.array_equal(told.measured.style, live.measured.style)
    assert told.winners() == live.winners()
    assert told.left_out() == live.left_out()
    assert set(told.left_out()) == {"speed", "removed"}
    assert np.array_equal(~told.measured.styled, told.voter == told.voters.index(gone))
    assert bytes_of(told) <= 64
    room.close()


def draws_of(room: Room) -> DrawTable:
    """Its draws as a file gives them."""
    file = draws_file(room.store.draws.of_stage(room.stage.id), np.empty(0, np.int64), None)
    return draw_table(TableFile(file, DRAWS, "draws.parquet"), room.stage)


def test_a_reason_that_nobody_knows_is_carried(tmp_path: Path) -> None:
    """A file of a later version may leave votes out for a reason of its own: they stay out here too, and are counted by it."""
    room = Room(tmp_path).vote(60)
    rows = room.store.votes.sealed(room.stage.id, Ledger(room.store, room.keys).checkpoint(room.stage.id, NOW).size)
    file = TableFile(votes_file(rows, room.stage, rule_of(room.stage, {})), VOTES, "votes.parquet")
    changed = [{**row, "left_out": "moonlight" if n < 7 else row["left_out"]} for n, row in enumerate(file.rows())]
    buffer = ParquetBuffer(VOTES)
    buffer.add(changed)

    told = vote_table(TableFile(buffer.bytes(), VOTES, "votes.parquet"), room.stage, draws_of(room))

    assert told.left_out() == {"moonlight": 7}
    assert told.in_scope.all()
    assert int(told.counted.sum()) == 53
    for column, value in (("model_a", "nobody"), ("winner", "both"), ("identity_level", "sworn")):
        buffer = ParquetBuffer(VOTES)
        buffer.add([{**changed[0], column: value}])
        with pytest.raises(EvidenceError, match=value):
            vote_table(TableFile(buffer.bytes(), VOTES, "votes.parquet"), room.stage, draws_of(room))
    room.close()


def bytes_of(table: VoteTable) -> int:
    """What a vote takes, its circumstances not counted."""
    columns = (getattr(table, field.name) for field in fields(table))
    return sum(column.dtype.itemsize for column in columns if isinstance(column, np.ndarray))


def test_a_vote_takes_little_room(tmp_path: Path) -> None:
    """Without its circumstances a vote takes at most 64 bytes, and what was handed out cannot be written to."""
    room = Room(tmp_path).vote(60)
    table, _ = VoteFeed(room.store, room.stage).table()
    columns = [column for field in fields(table) if isinstance(column := getattr(table, field.name), np.ndarray)]
    assert bytes_of(table) <= 64
    assert not any(column.flags.writeable for column in columns if column is not table.excluded_by)
    room.close()
