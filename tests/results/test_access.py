"""Who saw live ratings is on record before they are shown."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from arena.record.store import Store
from arena.results.live.access_log import SEEN, LiveViews, viewers
from tests.support.serving import serving, stage_toml
from tests.support.stages import NOW, Room


def test_an_organizer_who_sees_live_ratings_is_on_record(tmp_path: Path) -> None:
    """The API and the console both record who looks, once an hour; strangers see nothing and leave nothing."""
    store = Store(f"sqlite:///{tmp_path / 'arena.db'}")
    store.organizers.add("evaluation-office", "a long password", datetime.now(UTC))

    with serving(tmp_path, stage_toml(), database_url=f"sqlite:///{tmp_path / 'arena.db'}") as base:
        with httpx.Client(base_url=base, headers={"origin": base}) as stranger:
            assert stranger.get("/api/v1/leaderboard").status_code == 403
            assert stranger.get("/organizer/config").status_code == 401
        assert store.events.of_stage("test", SEEN) == []
        with httpx.Client(base_url=base, headers={"origin": base}, timeout=30) as organizer:
            login = {"name": "evaluation-office", "password": "a long password"}
            organizer.post("/organizer/login", data=login)
            assert organizer.get("/organizer/config").status_code == 200
            assert [event.actor for event in store.events.of_stage("test", SEEN)] == ["evaluation-office"]
            assert organizer.get("/api/v1/leaderboard").status_code == 200

    assert [(viewer.organizer, viewer.hours) for viewer in viewers(store, "test")] == [("evaluation-office", 1)]
    store.close()


def test_looks_are_counted_by_the_hour_until_the_freeze(tmp_path: Path) -> None:
    """A page that refreshes every two seconds leaves one event an hour; after the freeze ratings are no longer live."""
    room = Room(tmp_path).vote(20)
    clock = [NOW]
    views = LiveViews(room.store, room.stage.id, clock=lambda: clock[0])

    for minutes in (0, 1, 61, 62, 200):
        clock[0] = NOW + timedelta(minutes=minutes)
        views.note("office")
    room.freeze()
    clock[0] = NOW + timedelta(hours=9)
    views.note("office")

    [seen] = viewers(room.store, room.stage.id)
    assert (seen.organizer, seen.first, seen.last, seen.hours) == ("office", NOW, NOW + timedelta(minutes=200), 3)
    room.close()
