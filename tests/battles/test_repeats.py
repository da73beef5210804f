"""Repeats: a citizen's own battle once more, drawn by the sealed seed, judged like any other, never counted, and checked by anybody."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.domain import draw as pairing
from arena.domain.battle import Draw
from arena.domain.errors import StageError
from arena.domain.repeat import APART, Earlier, again, is_due, repeatable
from arena.record.keys import Keys
from arena.record.store import Store
from arena.results import lifecycle
from arena.results.export import bundle as exports
from arena.results.export.document import DRAWS, VOTES
from arena.results.export.proofs import VerificationError, repeats
from arena.results.export.table_reader import DrawTable, TableFile, draw_table, vote_table
from arena.results.export.tables import DRAWS as DRAWN
from arena.results.export.tables import VOTES as VOTED
from arena.results.export.verify import verify_files
from arena.results.integrity.proposals import propose
from arena.results.live.draw_audit import exposure, redraw
from arena.results.live.leaderboard import Leaderboard
from arena.results.votes.table import VoteTable
from arena.simulate import SIMULATED, Taste, simulated_stage
from tests.support.repeats import PROTOCOL, SHARE, due_at, plant
from tests.support.serving import Citizen, serving, stage_toml
from tests.support.stages import NOW, Room, stage_of
from tests.support.words import refusing

SEED = due_at(12)


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=40), st.integers(0, 5))
def test_what_can_be_shown_again(battles: list[tuple[bool, bool, bool]], repeated: int) -> None:
    """Voted, with its texts, between rated entrants, ten votes or more ago, no repeat, and not repeated before."""
    history = [
        Earlier(n, "garam", "narae" if rated else "bad", voted=voted, has_texts=texts, repeat_of=None)
        for n, (voted, texts, rated) in enumerate(battles, start=1)
    ]
    history += [Earlier(50 + n, "narae", "garam", voted=False, has_texts=True, repeat_of=n) for n in range(1, repeated)]
    found = repeatable(history, {"garam", "narae"})

    for battle in history:
        later = sum(other.voted and other.number > battle.number for other in history)
        fits = battle.voted and battle.has_texts and battle.b == "narae" and battle.repeat_of is None
        assert (battle in found) == (fits and later >= APART and not 1 <= battle.number < repeated)


def test_the_share_is_kept_and_a_repeat_is_the_pair_turned_round() -> None:
    """Over 20,000 draws about one in twenty is due; which of a citizen's battles it is depends on nothing but seed, number and list."""
    due = sum(is_due(SEED, number, SHARE) for number in range(1, 20_001))
    assert 850 < due < 1150
    assert not any(is_due(SEED, number, 0.0) for number in range(1, 1000))
    history = [Earlier(n, "garam", "narae", voted=True, has_texts=True, repeat_of=None) for n in range(1, 31)]
    made = [again(SEED, number, SHARE, history, {"garam", "narae"}) for number in range(31, 2031)]
    drawn = [draw for draw in made if draw is not None]
    assert len(drawn) == len(made)
    assert {(draw.a, draw.b) for draw in drawn} == {("narae", "garam")}
    counts = np.bincount([draw.repeat_of or 0 for draw in drawn], minlength=21)
    assert counts[0] == 0
    assert counts[1:].min() > 50
    assert drawn[0].available == tuple(str(n) for n in range(1, 21))
    assert drawn[0].probability == SHARE / 20
    assert again(SEED, 31, SHARE, history[:10], {"garam", "narae"}) is None


def test_a_stage_that_reveals_by_the_vote_repeats_nothing() -> None:
    """What was revealed cannot be judged blind: such a file is refused, and so is more than one in twenty."""
    for protocol, told in (('repeats = 0.01\nreveal = "after_vote"', "repeats"), ("repeats = 0.06", "repeats")):
        with pytest.raises(StageError) as refused:
            stage_of(stage_toml(protocol=protocol))
        assert told in str(refused.value.params)


def test_over_http(database_url: str, tmp_path: Path) -> None:
    """After eleven votes the first battle comes again, sides swapped, answers at once, no word of the earlier vote; it takes a vote and no question, once."""
    store = Store(database_url)
    text = stage_toml(protocol=PROTOCOL)
    stage = stage_of(text)
    store.stages.draft(stage, text.encode(), NOW)
    plant(store, stage.id, SEED)
    with serving(tmp_path, text, database_url=database_url) as base:
        citizen = Citizen(base).agree()
        battles = []
        for n in range(11):
            battles.append(citizen.open())
            citizen.ask(battles[-1], f"질문 {n}?")
            assert citizen.vote(battles[-1], "model_a", comment="좋아요").status_code == 201
        opened = citizen.http.post("/battles", json={}).raise_for_status().json()
        first, shown = citizen.see(battles[0]), citizen.see(opened["battle_id"])
        assert opened["repeat"] is True
        assert (shown["repeat"], first["repeat"]) == (True, False)
        assert (shown["state"], shown["votable"], shown["turns_left"]) == ("open", True, 0)
        assert (shown["vote"], shown["reveal"]) == (None, None)
        (turn,), (before,) = shown["turns"], first["turns"]
        assert turn["prompt"] == before["prompt"] == "질문 0?"
        assert turn["answers"] == {"a": before["answers"]["b"], "b": before["answers"]["a"]}
        refused = citizen.http.post(f"/battles/{opened['battle_id']}/turns", json={"prompt": "더?"})
        assert (refused.status_code, refused.json()["code"]) == (409, "battle_repeated")
        assert Citizen(base).agree().http.get(f"/battles/{opened['battle_id']}").status_code == 404
        thanks = citizen.vote(opened["battle_id"], "model_b")
        assert thanks.status_code == 201
        assert citizen.http.get(f"/receipts/{thanks.json()['receipt']}").status_code == 200
        assert "About 5% of battles" in httpx.get(f"{base}/rules?lang=en").text
        keys = Keys.open(tmp_path, {})
        lifecycle.freeze(store, keys, stage.id, organizer="t", now=(now := datetime.now(UTC)))
        bundle = exports.make(store, keys, stage.id, now)
    assert {check.code for check in verify_files(bundle.files).checks} >= {"repeats", "draws_repeated"}
    votes, draws = (pq.read_table(BytesIO(bundle.files[name])).to_pylist() for name in (VOTES, DRAWS))
    assert [row["repeat_of"] for row in draws] == [None] * 11 + [1]
    assert [row["left_out"] for row in votes] == [None] * 11 + ["repeat"]
    told = bundle.document
    assert told.tests.retest is not None
    assert (told.tests.retest.exact.times, told.tests.retest.exact.of) == (1, 1)
    assert (told.population.n_votes_raw, told.population.n_votes_counted, told.exposure.draws) == (12, 11, 11)
    store.close()


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """A stage whose citizens remember half of what they said."""
    declared = f'[protocol]\n{PROTOCOL}\npairing = "adaptive"\n'
    folder = tmp_path_factory.mktemp("repeats")
    store = Store(f"sqlite:///{folder / 'arena.db'}")
    store.stages.draft(*simulated_stage(more=declared), NOW)
    plant(store, SIMULATED, SEED)
    store.close()
    frozen = Room(folder, more=declared)
    yield frozen.vote(2400, voters=30, taste=Taste(ties=0.1)).freeze()
    frozen.close()


@pytest.fixture(scope="module")
def bundle(room: Room) -> exports.Bundle:
    """Its export."""
    return exports.make(room.store, room.keys, room.stage.id, NOW)


def read(room: Room, bundle: exports.Bundle) -> tuple[VoteTable, DrawTable]:
    """Its tables."""
    draws = draw_table(TableFile(bundle.files[DRAWS], DRAWN, DRAWS), room.stage)
    return vote_table(TableFile(bundle.files[VOTES], VOTED, VOTES), room.stage, draws), draws


def test_repeats_never_count_and_are_told(room: Room, bundle: exports.Bundle) -> None:
    """The export verifies; no repeat is in the fit, in exposure or in the tests of voters; live and export agree; people agree with themselves more than by chance."""
    assert "repeats" in {check.code for check in verify_files(bundle.files).checks}
    votes, draws = read(room, bundle)
    n = int((votes.repeat_of > 0).sum())
    told = bundle.document

    assert 60 < n < 170
    assert told.population.n_votes_counted == 2400 - n
    assert [(row.reason, row.count) for row in told.population.exclusions] == [("repeat", n)]
    assert told.exposure.draws == int(draws.outcomes().sum()) == 2400 - n
    assert told.exposure.balance.pairs.p > 1e-6
    retest = told.tests.retest
    assert retest is not None
    assert (retest.exact.of, retest.voters) == (n, len(np.unique(votes.voter[votes.repeat_of > 0])))
    assert retest.exact.share is not None
    assert retest.exact.chance is not None
    assert retest.exact.share > retest.exact.chance + 0.1
    assert retest.decided.of < n
    live = Leaderboard(room.store, room.stage, clock=lambda: NOW)
    ratings = live.snapshot().ratings
    assert ratings is not None
    assert [round(row.theta or 0, 9) for row in ratings.rows] == [row.theta for row in told.scores]
    assert all(proposal.reason.value != "duplicate" for proposal in propose(live.feed, room.store, room.stage))


def test_a_repeat_that_the_seed_does_not_give_is_found(room: Room, bundle: exports.Bundle) -> None:
    """Another battle than the formula's, sides as they were, a number that was not due, a list that is none: each is named by its draw."""
    _, draws = read(room, bundle)
    record, rule = room.store.stages.find(room.stage.id), pairing.rule_of(room.stage)
    assert record is not None
    made = list(draws)
    assert redraw(record.draw_seed, made, rule) == []
    assert exposure(made, rule).draws == int((draws.repeat_of == 0).sum())
    at = next(n for n, draw in enumerate(made) if draw.repeat_of and len(draw.available) > 1)
    draw, plain = made[at], next(n for n, draw in enumerate(made) if not is_due(record.draw_seed, draw.number, SHARE))
    other = next(number for number in map(int, draw.available) if number != draw.repeat_of)

    def found(changed: Draw) -> list[str]:
        listed = [*made[: changed.number - 1], changed, *made[changed.number :]]
        faults = redraw(record.draw_seed, listed, rule)
        return [fault.code for fault in faults if fault.params["n"] == changed.number]

    assert found(replace(draw, repeat_of=other)) == ["draw_differs"]
    assert found(replace(draw, a=draw.b, b=draw.a)) == ["draw_differs"]
    assert found(replace(draw, probability=0.5)) == ["draw_probability"]
    assert found(replace(draw, available=(*draw.available[::-1],))) == ["draw_no_repeat"]
    assert found(replace(draw, available=("many",))) == ["draw_no_repeat"]
    assert found(replace(made[plain], repeat_of=1, available=("1",))) == ["draw_no_repeat"]
    assert "draw_no_repeat" in {fault.code for fault in redraw(record.draw_seed, made, replace(rule, repeats=0.0))}


def test_a_repeat_of_somebody_elses_battle_is_refused(room: Room, bundle: exports.Bundle) -> None:
    """The check holds each repeat, and each battle that it was chosen among, against the votes of who judged it."""
    votes, draws = read(room, bundle)
    assert repeats(votes, draws).code == "repeats"
    own = np.flatnonzero(votes.repeat_of > 0)[0]
    strangers = votes.voter.copy()
    strangers[own] = (strangers[own] + 1) % len(votes.voters)
    first, later = np.flatnonzero(draws.repeat_of)[:2]
    twice, early = draws.repeat_of.copy(), draws.repeat_of.copy()
    twice[later], early[first] = twice[first], first  # the one before it, so that nothing lies between
    for other in (
        (replace(votes, voter=strangers), draws),
        (votes, replace(draws, repeat_of=twice)),
        (votes, replace(draws, repeat_of=early)),
        (votes, replace(draws, a=draws.b, b=np.where(draws.repeat_of > 0, draws.b, draws.a))),
    ):
        with refusing(VerificationError, match="shows an earlier battle again"):
            repeats(*other)


def test_texts_that_are_gone_are_not_shown_again(database_url: str, tmp_path: Path) -> None:
    """Where the first battle's texts were erased, a draw that is due is an ordinary one; so is one for somebody who has not voted enough."""
    store = Store(database_url)
    text = stage_toml(protocol=PROTOCOL)
    stage = stage_of(text)
    store.stages.draft(stage, text.encode(), NOW)
    plant(store, stage.id, due_at(1, 13))
    with serving(tmp_path, text, database_url=database_url) as base:
        citizen = Citizen(base).agree()
        for n in range(12):
            battle = citizen.open()
            citizen.ask(battle, f"질문 {n}?")
            citizen.vote(battle, "tie")
            if n == 1:
                store.erasure.texts_before(stage.id, NOW.replace(year=2100), NOW)
        opened = citizen.http.post("/battles", json={}).raise_for_status().json()
        assert opened["repeat"] is False
    assert [drawn.draw.repeat_of for drawn in store.draws.of_stage(stage.id)] == [None] * 13
    store.close()
