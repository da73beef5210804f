"""One table of votes, whoever reads it: the same rule by row and by column, rows that keep their places, and no byte too many."""

from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from arena.results.votes.exclusions import ExclusionReason, exclude
from arena.results.votes.feed import VoteFeed
from arena.results.votes.inclusion import REASONS, Rule
from arena.results.votes.removals import remove_entrant
from arena.results.votes.table import VoteTable
from tests.support.stages import CLI, NOW, Room

ENTRANTS = ("가", "나", "다", "bad")


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()).filter(lambda vote: vote[0] != vote[1]),
        max_size=30,
    ),
    st.sets(st.integers(0, 29)),
    st.booleans(),
    st.booleans(),
)
def test_the_rule_is_the_same_by_row_and_by_column(
    votes: list[tuple[int, int, bool]], chosen: set[int], leaves: bool, removed: bool
) -> None:
    """Whether a vote counts does not depend on who asks: the export asks vote by vote, the live view for all at once."""
    excluded = {n: "speed" for n in chosen if n < len(votes)}
    rated = frozenset(ENTRANTS[:2] if removed else ENTRANTS[:3])
    rule = Rule(rated, frozenset({"bad"}), leaves, {str(n): reason for n, reason in excluded.items()})
    a, b, leaks = (np.array([vote[n] for vote in votes]) for n in range(3))

    codes = rule.codes(ENTRANTS, a.astype(np.int16), b.astype(np.int16), leaks.astype(bool), excluded)

    by_row = [rule.left_out(str(n), ENTRANTS[x], ENTRANTS[y], marked=m) for n, (x, y, m) in enumerate(votes)]
    assert [REASONS[code] or None for code in codes] == by_row


def test_rows_keep_their_places(tmp_path: Path) -> None:
    """A later table only has more rows: what was read stays where it is, exclusions and removals change one column, and an old table does not change."""
    room = Room(tmp_path)
    feed = VoteFeed(room.store, room.stage, clock=lambda: NOW + timedelta(hours=1))
    assert len(feed.table()[0]) == 0
    room.vote(90)
    before, _ = feed.table(measured=True)
    battles = feed.battles_of(before.seq[[3, 5]].tolist())
    exclude(room.store, room.stage.id, battles, reason=ExclusionReason.SPEED, rule="too fast", organizer=CLI, now=NOW)
    remove_entrant(room.store, room.stage, "maru", reason="withdrew", organizer=CLI, now=NOW)

    after, rule = feed.table(measured=True)

    for name in (field.name for field in fields(VoteTable)):
        if name not in ("excluded_by", "circumstances"):
            assert np.array_equal(getattr(before, name), getattr(after, name)), name
    assert before.counted.all()
    assert "maru" not in rule.entrants
    removed = {REASONS[code] for code in after.excluded_by}
    assert {"", "removed"} <= removed
    assert not after.counted[[3, 5]].any()
    assert len(after.measured.turns) == len(after) == 90
    assert sorted(after.by_time().seq.tolist()) == sorted(after.seq.tolist())
    room.close()


def test_a_vote_takes_little_room(tmp_path: Path) -> None:
    """Without its circumstances a vote takes at most 64 bytes, and what was handed out cannot be written to."""
    room = Room(tmp_path).vote(60)
    table, _ = VoteFeed(room.store, room.stage).table()
    columns = [column for field in fields(table) if isinstance(column := getattr(table, field.name), np.ndarray)]
    assert sum(column.dtype.itemsize for column in columns) <= 64
    assert not any(column.flags.writeable for column in columns if column is not table.excluded_by)
    room.close()
