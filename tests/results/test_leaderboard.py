"""The live view: it counts every vote once, whatever order votes commit in, and agrees with the fit from scratch."""

import threading
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from arena.domain.battle import Answer
from arena.domain.vote import Winner
from arena.results.integrity import review
from arena.results.live.leaderboard import Leaderboard
from arena.results.votes.exclusions import ExclusionReason
from arena.results.votes.feed import LATE
from arena.results.votes.inclusion import rating_seed
from arena.results.votes.removals import remove_entrant
from arena.results.votes.side_bias import side_bias
from arena.results.votes.warnings import warnings
from arena.simulate import SIMULATED
from ratings.anytime import Anytime
from ratings.comparison import Comparisons
from ratings.fit import rate
from tests.support.stages import CLI, NOW, Room
from tests.support.voting import OWNER, begin, enrol, opened, vote


def from_scratch(room: Room, out: set[str] | None = None, entrants: list[str] | None = None) -> dict:
    """The ratings of the counted votes, fitted without the live view."""
    names = entrants or list(room.stage.entrant_ids)
    rows = [row for row in room.store.votes.after(SIMULATED, 0) if row.battle_id not in (out or set())]
    frame = pd.DataFrame(
        [
            {"model_a": r.model_a, "model_b": r.model_b, "winner": r.winner.value, "judge": r.voter}
            for r in rows
            if r.model_a in names and r.model_b in names
        ]
    )
    record = room.store.stages.find(SIMULATED)
    assert record is not None
    looks = None if record.frozen_at else Anytime(room.stage.planned_votes)
    ratings = rate(Comparisons.from_frame(frame, names), seed=rating_seed(record.file_sha256), looks=looks)
    return {**ratings.to_dict("team_id"), "warnings": warnings(ratings.notices)}


def test_following_votes_equals_counting_them_anew(tmp_path: Path) -> None:
    """A view that was there from the first vote, one that starts cold, and a fit from scratch say the same to the last digit."""
    room = Room(tmp_path)
    early = Leaderboard(room.store, room.stage, clock=lambda: NOW)
    assert early.snapshot().ratings is None
    room.vote(700)

    live, cold = early.snapshot().to_json(), Leaderboard(room.store, room.stage).snapshot().to_json()

    expected = from_scratch(room)
    for key in ("scores", "covariance", "pairwise", "warnings"):
        assert live[key] == cold[key] == expected[key]
    assert live["n_votes_raw"] == cold["n_votes_raw"] == 700
    assert live["winners"] == cold["winners"]
    assert sum(live["winners"].values()) == 700
    assert sum(cell["drawn"] for cell in cold["exposure"]) == 700
    assert live["synthetic"] is True
    room.close()


def test_what_a_review_does_shows_once_it_is_published(tmp_path: Path) -> None:
    """While votes are under review a running view stays as it froze, whatever is left out or taken back; with the result it follows, reason and all."""
    room = Room(tmp_path).vote(400)
    board = Leaderboard(room.store, room.stage, clock=lambda: NOW)
    chosen = room.battles()[:60]
    room.freeze(room.propose(ExclusionReason.TARGET, chosen))
    frozen = board.snapshot().to_json()

    [act] = review.follow(room.store, SIMULATED, None, organizer=CLI, now=NOW)
    during = board.snapshot().to_json()
    cold = Leaderboard(room.store, room.stage, clock=lambda: NOW).snapshot().to_json()
    room.publish()
    after = board.snapshot()

    assert len(act.battles) == 60
    assert {**during, "as_of": None} == {**cold, "as_of": None} == {**frozen, "as_of": None}
    assert after.left_out == {"target": 60}
    assert after.n_votes_counted == 340
    assert after.to_json()["scores"] == from_scratch(room, set(chosen))["scores"] != frozen["scores"]
    assert Leaderboard(room.store, room.stage).snapshot().to_json()["scores"] == after.to_json()["scores"]
    room.close()


def test_a_removed_entrant_is_no_longer_rated(tmp_path: Path) -> None:
    """After a removal the others are rated from their own votes, and the votes of the one that left are counted as such."""
    room = Room(tmp_path).vote(400)
    board = Leaderboard(room.store, room.stage, clock=lambda: NOW)
    board.snapshot()

    remove_entrant(room.store, room.stage, "maru", reason="withdrew its model", organizer=CLI, now=NOW)
    snapshot = board.snapshot()

    assert snapshot.ratings is not None
    others = [e for e in room.stage.entrant_ids if e != "maru"]
    assert list(snapshot.ratings.models) == others
    assert snapshot.to_json()["scores"] == from_scratch(room, entrants=others)["scores"]
    assert snapshot.left_out["removed"] == sum(
        "maru" in (row.model_a, row.model_b) for row in room.store.votes.after(SIMULATED, 0)
    )
    room.close()


def test_a_vote_that_commits_late_is_counted(tmp_path: Path) -> None:
    """A vote whose number is smaller than one already seen, as PostgreSQL may commit them, is found as long as it can still come; none counts twice."""
    room = Room(tmp_path).vote(30)
    rows = list(room.store.vote_columns.after(SIMULATED, 0))
    visible = {row.seq for row in rows} - {rows[10].seq, rows[11].seq}
    now = [NOW]

    class Behind:
        """A record that does not show some votes yet."""

        def __getattr__(self, name: str) -> object:
            return getattr(room.store.vote_columns, name)

        def after(self, stage_id: str, seq: int) -> list:
            return [row for row in rows if row.seq > seq and row.seq in visible]

    class AllYoung:
        """None of them is old enough to be settled."""

        def last_before(self, stage_id: str, moment: object) -> int:
            return 0

    class Record:
        vote_columns = Behind()
        votes = AllYoung()

        def __getattr__(self, name: str) -> object:
            return getattr(room.store, name)

    board = Leaderboard(Record(), room.stage, clock=lambda: now[0])  # type: ignore[arg-type]
    assert board.snapshot().n_votes_raw == 28

    visible.add(rows[10].seq)
    assert board.snapshot().n_votes_raw == 29
    now[0] += LATE / 2
    visible.add(rows[11].seq)
    assert board.snapshot().n_votes_raw == 30
    now[0] += 2 * LATE
    assert board.snapshot().n_votes_raw == 30
    assert board.snapshot().to_json()["scores"] == from_scratch(room)["scores"]
    room.close()


def test_many_threads_ask_at_once(tmp_path: Path) -> None:
    """Threads that ask while votes come in never see a vote twice, and agree in the end."""
    room = Room(tmp_path)
    board = Leaderboard(room.store, room.stage)
    seen: list[int] = []

    def ask() -> None:
        seen.extend(board.snapshot().n_votes_raw for _ in range(20))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    room.vote(150)
    for thread in threads:
        thread.join()

    assert max(seen) <= 150
    assert board.snapshot().n_votes_raw == 150
    assert board.snapshot().to_json()["scores"] == from_scratch(room)["scores"]
    room.close()


@pytest.mark.parametrize("declared", [["asked", "self"], ["own"], []])
def test_votes_that_were_not_blind(database_url: str, tmp_path: Path, declared: list[str]) -> None:
    """A vote on a battle in which an answer named its author is in the fit or out of it as the stage declares; on both databases."""
    room = Room(tmp_path, url=database_url, more=f"[protocol]\nexcluded_leaks = {declared}").vote(40)
    board = Leaderboard(room.store, room.stage)
    board.snapshot()
    citizen = enrol(room.store)
    battle = opened(room.store, citizen, SIMULATED)
    begin(room.store, battle, citizen)
    given = [
        Answer("a", "complete", "저는 가람입니다.", leaks=("rival:나래", "self:가람")),
        Answer("b", "complete", "네."),
    ]
    room.store.battles.finish_turn(battle.id, 1, given, owner=OWNER, void_reason=None, now=NOW)
    vote(room.store, battle, citizen)

    warm, cold = board.snapshot(), Leaderboard(room.store, room.stage).snapshot()

    assert warm.left_out == cold.left_out == ({"leaks": 1} if "self" in declared else {})
    assert warm.to_json()["scores"] == cold.to_json()["scores"]
    room.close()


def test_side_bias_follows_votes_and_exclusions(tmp_path: Path) -> None:
    """The live view's side bias is, vote by vote and after exclusions, what all counted votes give at once, with the voters in its interval."""
    room = Room(tmp_path)
    board = Leaderboard(room.store, room.stage, clock=lambda: NOW + timedelta(hours=1))
    assert board.snapshot().side_bias.interval is None
    room.vote(200, voters=20)
    board.snapshot()
    room.freeze(room.propose(ExclusionReason.SPEED, room.battles()[:40]))
    frozen = board.snapshot().side_bias
    room.publish()
    found = board.snapshot().side_bias
    fresh = Leaderboard(room.store, room.stage, clock=lambda: NOW + timedelta(hours=1))

    assert found == fresh.snapshot().side_bias == side_bias(fresh.feed.table()[0], None)
    assert found.wins_a + found.wins_b < frozen.wins_a + frozen.wins_b
    assert 40 < found.wins_a + found.wins_b < 160
    low, high = found.interval or (1, 0)
    assert 0 < low < (found.share or 0) < high < 1
    room.close()


def test_winners_are_all_listed(tmp_path: Path) -> None:
    """Every decision has its number, also when it is zero."""
    room = Room(tmp_path)

    snapshot = Leaderboard(room.store, room.stage, clock=lambda: NOW + timedelta(hours=1)).snapshot()

    assert snapshot.winners == {winner.value: 0 for winner in Winner}
    assert snapshot.to_json()["scores"] == []
    room.close()
