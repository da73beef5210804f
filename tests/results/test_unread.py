"""Proof of reading: a vote below the stage's minimum of exposure is taken, sealed as unread, left out of the fit, and counted where the result is published."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from arena.domain.battle import SIDES, Answer, AnswerStatus, Side, Turn
from arena.domain.exposure import UNREAD, Exposure
from arena.record.keys import Keys
from arena.record.store import Store
from arena.results import lifecycle
from arena.results.export import tables
from arena.results.export.bundle import make
from arena.results.export.decisions import left_out
from arena.results.export.document import VOTES
from arena.results.export.proofs import VerificationError
from arena.results.export.table_reader import TableFile
from arena.results.export.verify import verify_files
from arena.results.votes.feed import VoteFeed
from arena.results.votes.sealed import sealed_stage
from tests.support.serving import SAYS, Citizen, events, serving, stage_toml
from tests.support.stages import CLI, NOW

LONG = "하나씩 차근차근 말씀드리면 이렇습니다. " * 40


Given = tuple[AnswerStatus, int, int | None]


def turn(a: Given, b: Given, n: int = 1, *, handed: int = 10_000) -> Turn:
    """A turn asked at `NOW`, each side's answer as its status, its length, and when the first of it was handed over; so many characters at most were."""
    given: dict[Side, Answer] = {
        side: Answer(side, status, "가" * chars, first_shown_ms=ms, shown_chars=0 if ms is None else min(chars, handed))
        for side, (status, chars, ms) in zip(SIDES, (a, b), strict=True)
    }
    return Turn(n, "?", NOW, given)


@pytest.mark.parametrize(
    ("turns", "after_s", "met"),
    [
        ([turn(("complete", 2, 500), ("complete", 1, 500))], 1.5, True),  # one word each, and a moment to read it
        ([turn(("complete", 2, 500), ("complete", 1, 500))], 1.4, False),
        (
            [turn(("complete", 900, 500), ("complete", 900, 5000))],
            5.9,
            False,
        ),  # the second was shown for less than a second
        ([turn(("stopped", 40, 500), ("stopped", 40, 500))], 9, True),
        ([turn(("stopped", 40, 500), ("stopped", 39, 500))], 9, False),
        ([turn(("stopped", 3, 500), ("complete", 3, 500))], 9, False),
        ([turn(("truncated", 3, 500), ("complete", 3, 500))], 9, True),
        ([turn(("stopped", 20, 500), ("stopped", 20, 500)), turn(("stopped", 20, 1), ("stopped", 20, 1), 2)], 9, True),
        ([turn(("complete", 900, None), ("complete", 900, None))], 60, False),  # nobody listened
        ([turn(("complete", 900, 500), ("complete", 900, None))], 60, False),
        ([turn(("complete", 900, 500), ("complete", 900, 500), handed=39)], 60, False),
        ([turn(("complete", 900, 500), ("complete", 900, 500), handed=40)], 60, True),
    ],
)
def test_what_counts_as_read(turns: list[Turn], after_s: float, met: bool) -> None:
    """All of an answer that ended by itself is enough, else so many characters, of both sides and for the time declared; what nobody was handed is nothing."""
    assert Exposure(chars=40, seconds=1).is_met(turns, NOW + timedelta(seconds=after_s)) is met


@pytest.fixture
def base(tmp_path: Path) -> Iterator[str]:
    """An arena whose entrants say much and whose stage asks for 300 characters and no time."""
    text = stage_toml(protocol="min_exposure = { chars = 300, seconds = 0 }")
    text = text.replace("pacing_graphemes_per_s = 400", "pacing_graphemes_per_s = 100")
    for said in SAYS.values():
        text = text.replace(json.dumps(said, ensure_ascii=False), json.dumps(LONG, ensure_ascii=False))
    with serving(tmp_path, text) as address:
        yield address


def stopped(citizen: Citizen, chars: int) -> str:
    """Stop a battle's answers when so many characters of both have come; its id."""
    battle = citizen.open()
    shown = dict.fromkeys("ab", 0)
    with citizen.http.stream("POST", f"/battles/{battle}/turns", json={"prompt": "안녕하세요?"}) as response:
        asked = False
        for event in events(response):
            if event.name == "delta":
                for side in event.data:
                    shown[side] += len(event.data[side]["text"])
                if not asked and min(shown.values()) >= chars:
                    asked = bool(citizen.http.post(f"/battles/{battle}/stop").raise_for_status())
    return battle


def test_a_vote_on_a_few_characters_is_kept_and_does_not_count(base: str, tmp_path: Path) -> None:
    """Stop at the first event and vote: a receipt as for every vote, `vote:unread` in its record, no place in the fit, its number in the export."""
    citizen = Citizen(base).agree()
    hasty, honest = stopped(citizen, 1), stopped(citizen, 320)
    assert all(0 < len(citizen.see(hasty)["turns"][0]["answers"][side]["text"]) < 300 for side in "ab")
    for battle in (hasty, honest):
        assert citizen.vote(battle).status_code == 201

    store, keys = Store(f"sqlite:///{tmp_path / 'arena.db'}"), Keys.open(tmp_path, {})
    stage, now = sealed_stage(store, "test"), datetime.now(UTC)
    leaks = {row.battle_id: row.leaks for row in store.votes.after("test", 0)}
    assert {battle: UNREAD in found for battle, found in leaks.items()} == {hasty: True, honest: False}
    table, _ = VoteFeed(store, stage).table()
    assert table.left_out() == {"unread": 1}

    lifecycle.freeze(store, keys, "test", organizer=CLI, now=now)
    bundle = make(store, keys, "test", now)
    assert [(row.reason, row.count) for row in bundle.document.population.exclusions] == [("unread", 1)]
    assert bundle.document.protocol["min_exposure"] == {"chars": 300, "seconds": 0.0}
    assert verify_files(bundle.files).document.population.n_votes_used == 1
    counted = replace(table, excluded_by=np.zeros_like(table.excluded_by))
    with pytest.raises(VerificationError, match="unread"):
        list(left_out(bundle.document, stage, TableFile(bundle.files[VOTES], tables.VOTES, VOTES), counted))
    store.close()


def test_a_vote_that_comes_at_once_is_unread_where_the_stage_asks_for_time(tmp_path: Path) -> None:
    """Both answers whole, and the vote before the declared seconds are over: the server's own clock says when showing began."""
    with serving(tmp_path, stage_toml(protocol="min_exposure = { chars = 40, seconds = 60 }")) as base:
        citizen = Citizen(base).agree()
        battle = citizen.open()
        citizen.ask(battle)
        assert citizen.vote(battle).status_code == 201
    store = Store(f"sqlite:///{tmp_path / 'arena.db'}")
    (row,) = store.votes.after("test", 0)
    assert UNREAD in row.leaks
    store.close()


def unheard(citizen: Citizen) -> str:
    """Ask, hang up at once, and wait until both answers are kept; the battle's id."""
    battle = citizen.open()
    with citizen.http.stream("POST", f"/battles/{battle}/turns", json={"prompt": "안녕하세요?"}):
        pass
    for _ in range(200):
        listed = citizen.http.get("/battles").raise_for_status().json()
        if any(each["battle_id"] == battle and each["votable"] for each in listed):
            return battle
        time.sleep(0.05)
    pytest.fail("the answers were never kept")


def test_who_hung_up_has_read_nothing_until_they_come_back(tmp_path: Path) -> None:
    """Answers that nobody listened to were not shown, however long ago they were written; a look at the battle or its stream picked up again shows them."""
    with serving(tmp_path, stage_toml(protocol="min_exposure = { chars = 5, seconds = 0.1 }")) as base:
        citizen = Citizen(base).agree()
        never, seen, resumed = (unheard(citizen) for _ in range(3))
        citizen.see(seen)
        citizen.http.get(f"/battles/{resumed}/turns/1/stream").raise_for_status()
        time.sleep(0.2)
        for battle in (never, seen, resumed):
            assert citizen.vote(battle).status_code == 201
    store = Store(f"sqlite:///{tmp_path / 'arena.db'}")
    unread = {row.battle_id: UNREAD in row.leaks for row in store.votes.after("test", 0)}
    assert unread == {never: True, seen: False, resumed: False}
    store.close()
