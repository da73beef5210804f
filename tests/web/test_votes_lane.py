"""Reading never stands in the way of votes: looks have bounds, and a vote waits for no thread, connection or writer that serves anything else."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from pathlib import Path

import pytest

import app
from arena.battles.arena import Arena
from arena.record.store import Store
from tests.support.serving import Citizen, serving, stage_toml
from tests.support.voting import NOW


def test_a_citizens_looks_have_a_bound_of_their_own(tmp_path: Path) -> None:
    """So many a minute, of whatever kind; then 429 with when to come back, while that citizen votes and others look."""
    with serving(tmp_path, stage_toml(limits="reads_per_minute = 20")) as base:
        citizen, other = Citizen(base).agree(), Citizen(base).agree()
        battle, theirs = citizen.open(), other.open()
        citizen.ask(battle)
        paths = [f"/battles/{battle}", "/battles", "/about-you", f"/battles/{battle}/turns/1/stream"]
        answers = [citizen.http.get(paths[n % len(paths)]) for n in range(48)]  # a minute may end among them
        statuses = [answer.status_code for answer in answers]
        assert statuses[:19] == [200] * 19  # the battle asked once what work it costs
        assert statuses.count(429) >= 8
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert refused.json()["code"] == "too_many"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert other.see(theirs)["battle_id"] == theirs
        assert citizen.vote(battle).status_code == 201


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Arena]:
    """The arenas that are served in this process."""
    made: list[Arena] = []

    def noted(*given: object, **more: object) -> Arena:
        made.append(Arena(*given, **more))  # type: ignore[arg-type]
        return made[-1]

    monkeypatch.setattr(app, "Arena", noted)
    return made


def test_a_vote_waits_for_nothing_else(tmp_path: Path, opened: list[Arena]) -> None:
    """Every thread of the record and of the views is held, every other connection is lent, and writers wait in line: a vote is cast meanwhile."""
    with serving(tmp_path, stage_toml()) as base:
        citizen, reader = Citizen(base).agree(), Citizen(base).agree()
        battle = citizen.open()
        citizen.ask(battle)
        (arena,) = opened
        free, store = threading.Event(), arena.store

        def held() -> None:
            with store.database.reading():
                free.wait(60)

        pools: list[Callable[[Callable[[], None]], object]] = [arena._threads.submit, arena._view_threads.submit]
        asked = [submit(held) for submit in pools for _ in range(16)]
        lent = [threading.Thread(target=held) for _ in range(7)]
        for thread in lent:
            thread.start()
        clients = ThreadPoolExecutor(24)
        try:
            looks = [clients.submit(reader.http.get, "/battles") for _ in range(24)]
            early = [look.result().status_code for look in islice(as_completed(looks, timeout=30), 8)]
            assert early == [429] * 8  # sixteen of one cookie wait, no more
            cast = citizen.http.post(f"/battles/{battle}/vote", json={"winner": "model_a"}, timeout=20)
            assert cast.status_code == 201
        finally:
            free.set()
            clients.shutdown()
            for thread in lent:
                thread.join()
        assert len(asked) == 32


def test_the_lane_is_the_same_database(database_url: str) -> None:
    """What is cast through the lane is what everybody reads, and what everybody has written is what the lane sees."""
    from tests.support import voting

    store = Store(database_url)
    voting.open_stage(store)
    citizen = voting.enrol(store)
    assert not store.voters.has_withdrawn(citizen.id)
    cast, new = voting.vote(store, voting.ready(store, citizen), citizen, at=NOW)
    assert new
    assert [row.receipt for row in store.votes.after(voting.STAGE, 0)] == [cast.receipt]
    store.erasure.withdraw(citizen, "s", NOW)
    assert store.voters.has_withdrawn(citizen.id)
    store.close()
