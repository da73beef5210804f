"""The public dataset: what citizens agreed to, nothing else, and what is left out is counted by rule."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from arena.cli import app
from arena.domain import draw as pairing
from arena.domain.battle import Answer, new_battle_id
from arena.domain.citizen import Citizen
from arena.domain.errors import ArenaError
from arena.domain.stage import CONSENTS
from arena.domain.vote import Ballot, Winner, cast
from arena.record.keys import Keys
from arena.record.store import Store
from arena.results import lifecycle
from arena.results.export import verify
from arena.results.publish.dataset import BATTLES, LEFT_OUT, MADE, META, Release, release
from arena.results.publish.dataset_card import dataset_card
from arena.results.votes.exclusions import ExclusionReason
from arena.settings import ROOT
from tests.support.serving import SAYS, serving, stage_toml
from tests.support.serving import Citizen as HttpCitizen
from tests.support.stages import CLI, NOW, Room
from tests.support.voting import KEYS
from tests.support.words import refusing

YES = {consent.id: (consent.version, True) for consent in CONSENTS}


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """An open simulated stage, nobody has voted yet."""
    opened = Room(tmp_path)
    yield opened
    opened.close()


def play(
    room: Room,
    name: str,
    *,
    prompt: str = "서울의 봄을 한 줄로 써 주세요.",
    answer: str = "벚꽃이 한강을 덮습니다.",
    flags: tuple[str, ...] = (),
    agreed: dict[str, tuple[int, bool]] | None = None,
) -> str:
    """One citizen's battle with a vote; gives the battle's id."""
    store, stage = room.store, room.stage
    citizen = Citizen(name.ljust(32, "0"))
    store.citizens.enrol(citizen, YES if agreed is None else agreed, NOW)
    rule = pairing.rule_of(stage)

    def draw(seed: str, number: int, _removed: frozenset[str]) -> Any:
        return pairing.draw(seed, number, stage.entrant_ids, rule, {})

    battle = store.battles.open(new_battle_id(), stage.id, citizen.id, draw, NOW)
    store.battles.begin_turn(battle.id, citizen.id, prompt, max_turns=1, lease=("t", NOW), now=NOW, flags=flags)
    given = [Answer(side, "complete", answer, first_token_ms=90, total_ms=800) for side in ("a", "b")]
    store.battles.finish_turn(battle.id, 1, given, owner="t", void_reason=None, now=NOW)
    ballot = Ballot(Winner.MODEL_A, {"a": ("useful",), "b": ()}, "비밀 의견입니다")
    store.votes.cast(battle.id, citizen.id, ballot, lambda b: cast(b, citizen, ballot, NOW, room.keys.secret, KEYS))
    return battle.id


def rows(data: bytes, tmp_path: Path) -> pd.DataFrame:
    """A table as pandas reads it, by battle."""
    path = tmp_path / "read.parquet"
    path.write_bytes(data)
    return pd.read_parquet(path).set_index("question_id")


def test_the_release_gives_the_exports_ratings_when_everybody_agreed(room: Room, tmp_path: Path) -> None:
    """`arena rate` on the released file prints the export's ratings, intervals and points, excluded votes left out of both."""
    room.vote(600)
    for voter in {row.voter for row in room.store.votes.after(room.stage.id, 0)}:
        room.store.citizens.enrol(Citizen(voter), YES, NOW)
    room.freeze(room.propose(ExclusionReason.SPEED, room.battles()[:25]))
    exported = verify.verify(room.publish()).document
    data = {"ARENA_DATA_DIR": str(room.folder)}
    run = CliRunner()

    made = run.invoke(app, ["release", room.stage.id, "--out", str(tmp_path / "release")], env=data)
    rated = run.invoke(
        app, ["rate", str(tmp_path / "release" / BATTLES), "--out", str(tmp_path / "r.json")], env={"COLUMNS": "200"}
    )

    assert made.exit_code == 0, made.output
    assert rated.exit_code == 0, rated.output
    assert "600 of 600 votes" in made.output
    found = {row.pop("model"): row for row in orjson.loads((tmp_path / "r.json").read_bytes())["scores"]}
    for told in exported.to_json()["scores"]:
        row = found[told["team_id"]]
        for key in (
            "theta",
            "se",
            "rating",
            "rating_ci95",
            "win_probability",
            "points",
            "points_ci95",
            "n_votes",
            "rank",
        ):
            assert row[key] == pytest.approx(told[key], abs=1e-8), key
    document = orjson.loads((tmp_path / "release" / META).read_bytes())
    assert document["counts"]["votes_left_out_of_the_fit"] == {"speed": 25}
    assert all(row["exported"] == row["released"] for row in document["ratings"])
    assert len(pd.read_parquet(tmp_path / "release" / LEFT_OUT)) == 25
    assert "same ratings" in (tmp_path / "release" / "README.md").read_text("utf-8")


def test_only_what_a_citizen_agreed_to_is_released(room: Room, tmp_path: Path) -> None:
    """No vote without its consent, no text without a consent of its own, none of a citizen who withdrew, and comments never."""
    open_to_all = play(room, "a")
    newest, _ = YES["votes-release"]
    votes_only = play(room, "b", agreed={**YES, "texts-release": (newest, False)})
    nothing = play(room, "c", agreed={each: YES[each] for each in ("service", "teams")})
    older = play(room, "d", agreed={**YES, "votes-release": (newest - 1, True)})
    gone = play(room, "e")
    room.store.erasure.withdraw(Citizen("e".ljust(32, "0")), "nobody", NOW)
    changed_mind = play(room, "f")
    room.store.citizens.enrol(Citizen("f".ljust(32, "0")), {"votes-release": (newest, False)}, NOW)
    room.freeze().publish()

    document, files = release(room.store, room.keys, room.stage.id, NOW)

    found = rows(files[BATTLES], tmp_path)
    assert set(found.index) == {open_to_all, votes_only}
    assert not {nothing, older, gone, changed_mind} & set(found.index)
    [asked, answered] = found.loc[open_to_all, "conversation_a"]
    assert (asked["role"], asked["content"]) == ("user", "서울의 봄을 한 줄로 써 주세요.")
    assert (answered["role"], answered["content"]) == ("assistant", "벚꽃이 한강을 덮습니다.")
    assert found.loc[open_to_all, "language"] == "ko"
    assert found.loc[[votes_only], ["conversation_a", "conversation_b", "language"]].isna().all(axis=None)
    assert found.loc[votes_only, "first_token_ms_a"] == 90
    assert document.counts.votes_dropped.no_consent == 4
    assert document.counts.texts_dropped == {"no_consent": 1}
    tables = [
        str(rows(data, tmp_path).to_json(force_ascii=False))
        for name, data in files.items()
        if name.endswith(".parquet")
    ]
    plain = [data.decode() for name, data in files.items() if not name.endswith(".parquet")]
    assert len(tables) == 2
    assert "벚꽃이 한강을" in tables[0] + tables[1]
    assert "비밀" not in "".join([*tables, *plain])  # of the comment


def test_texts_with_personal_data_stay_behind(room: Room, tmp_path: Path) -> None:
    """A finding in a prompt, in an answer, or one that was masked when it was typed keeps the whole conversation back; the vote is released."""
    typed = play(room, "a", prompt="제 번호는 010-2345-6789인데 광고 문구를 써 주세요.")
    said = play(room, "b", answer="문의는 gildong@mail.co.kr로 하세요.")
    masked = play(room, "c", prompt="제 번호는 [전화번호]입니다.", flags=("masked:phone",))
    clean = play(room, "d")
    room.freeze().publish()

    document, files = release(room.store, room.keys, room.stage.id, NOW)

    found = rows(files[BATTLES], tmp_path)
    assert set(found.index) == {typed, said, masked, clean}
    assert found.loc[[typed, said, masked], "conversation_a"].isna().all()
    assert found.loc[clean, "conversation_b"] is not None
    assert document.counts.texts_dropped == {"personal_data": 3}
    assert document.counts.texts_released == 1
    [event] = room.store.events.of_stage(room.stage.id, MADE)
    assert event.data["texts_released"] == 1


def test_erased_texts_are_not_there_to_release(room: Room) -> None:
    """After the texts' time is up a release still has the votes, and says why there are no texts."""
    play(room, "a")
    room.freeze().publish()
    room.store.erasure.texts_before(room.stage.id, NOW.replace(year=2030), NOW)

    document, _ = release(room.store, room.keys, room.stage.id, NOW)

    assert document.counts.texts_dropped == {"erased": 1}


def test_consents_are_read_as_they_stand(store: Store) -> None:
    """Only the last answer to the asked version counts, on both databases."""
    for name, answers in (
        ("a", [(1, True)]),
        ("b", [(1, True), (1, False)]),
        ("c", [(1, False), (1, True)]),
        ("d", [(2, True)]),
    ):
        for version, granted in answers:
            store.citizens.enrol(Citizen(name * 32), {"votes-release": (version, granted), "teams": (1, True)}, NOW)

    assert store.citizens.agreeing("votes-release", 1) == {"a" * 32, "c" * 32}
    assert store.citizens.agreeing("never-asked", 1) == set()


def test_the_release_is_labelled_and_signed(room: Room, tmp_path: Path) -> None:
    """AI and SYNTHETIC stand in the Parquet metadata, in the description and on the card; the description is signed and has the files' hashes."""
    room.vote(60).freeze().publish()

    document, files = release(room.store, room.keys, room.stage.id, NOW)

    for name in (BATTLES, LEFT_OUT):
        path = tmp_path / name
        path.write_bytes(files[name])
        label = pq.read_schema(path).metadata
        assert b"generative AI" in label[b"ai_generated"]
        assert label[b"synthetic"] == b"true"
    verify.signature(Release.model_validate_json(files[META]), room.keys.jwks())
    assert "AI" in document.ai_generated.ko
    text = dataset_card(document, room.stage.protocol)
    assert "**SYNTHETIC**" in text
    assert "생성형 인공지능(AI)" in text
    assert f"| 모든 투표 · all sealed votes | {60:,} |" in text
    columns = pq.read_schema(tmp_path / BATTLES).names
    assert columns[:11] == [
        "question_id", "model_a", "model_b", "winner", "judge", "conversation_a", "conversation_b", "turn", "anony",
        "language", "tstamp",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ('disclosure = "winners_and_means"', "votes_not_disclosed"),
        (
            "[[consents]]\nid = 'service'\nrequired = true\ntitle = { ko = '운영', en = 'Service' }\ntext = { ko = '운영', en = 'Service' }",
            "never_asked",
        ),
    ],
)
def test_a_stage_that_may_not_be_released_is_refused(tmp_path: Path, more: str, code: str) -> None:
    """A stage whose scores are not all disclosed, or whose citizens were never asked, has no public dataset."""
    room = Room(tmp_path, more=more).vote(20).freeze()
    room.publish()

    with pytest.raises(ArenaError) as refused:
        release(room.store, room.keys, room.stage.id, NOW)

    assert refused.value.code == code
    room.close()


def test_an_open_stage_is_not_released(room: Room) -> None:
    """While voting goes on, and while votes are under review, nothing is released."""
    room.vote(20)
    for _ in range(2):
        with refusing(ArenaError, match="has no published result"):
            release(room.store, Keys.open(room.folder, {}), room.stage.id, NOW)
        room.freeze()


def test_battles_over_http_are_released_as_they_were_agreed_to(tmp_path: Path) -> None:
    """From a citizen's browser to the dataset: the consents given on the page decide, and a number that was masked when typed keeps its text back."""
    url = f"sqlite:///{tmp_path / 'arena.db'}"
    with serving(tmp_path, stage_toml(), database_url=url) as base:
        generous, careful = HttpCitizen(base), HttpCitizen(base)
        every = {"consents": ["service", "teams", "votes-release", "texts-release"], "age_ok": True}
        generous.http.post("/session", json=every).raise_for_status()
        careful.agree()
        voted = {}
        for who, prompt in (
            (generous, "봄을 한 줄로"),
            (generous, "010-2345-6789로 전화하는 법"),
            (careful, "여름을 한 줄로"),
        ):
            battle = who.open()
            who.ask(battle, prompt)
            who.vote(battle, "tie").raise_for_status()
            voted[prompt] = battle
    store = Store(url)
    keys = Keys.open(tmp_path, {})
    lifecycle.freeze(store, keys, "test", organizer=CLI, now=datetime.now(UTC))
    out = tmp_path / "exports" / "test"
    lifecycle.publish(store, keys, "test", out, ROOT, organizer=CLI, now=datetime.now(UTC))

    document, files = release(store, keys, "test", datetime.now(UTC))

    found = pd.concat([rows(files[name], tmp_path) for name in (BATTLES, LEFT_OUT)])  # an answer may name its author
    assert set(found.index) == {voted["봄을 한 줄로"], voted["010-2345-6789로 전화하는 법"]}
    assert document.counts.to_json() | {"texts_dropped": {}, "votes_left_out_of_the_fit": {}} == {
        "votes": 3, "votes_released": 2, "votes_dropped": {"no_consent": 1}, "votes_left_out_of_the_fit": {},
        "texts_released": 1, "texts_dropped": {},
    }  # fmt: skip
    assert document.counts.texts_dropped == {"personal_data": 1}
    clean = found.loc[voted["봄을 한 줄로"]]
    assert clean["conversation_a"][0]["content"] == "봄을 한 줄로"
    assert clean["conversation_a"][1]["content"] in SAYS.values()
    assert clean["seconds_to_vote"] > 0
    store.close()
