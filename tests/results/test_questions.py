"""What was asked is sealed as a key: equal questions are one, nobody can read any, and the intervals know that they were shared."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from arena.battles.retention import purge
from arena.domain import questions
from arena.domain.questions import QuestionKeys
from arena.domain.stage import Stage
from arena.domain.starters import every_starter
from arena.record.keys import Keys
from arena.record.ledger import Ledger
from arena.record.store import Store
from arena.record.tables import stages, votes
from arena.results.export.bundle import make
from arena.results.export.verify import verify_files
from arena.results.publish.dataset import release
from arena.results.votes.feed import VoteFeed
from arena.settings import ROOT
from ratings import questions as rated
from tests.support.serving import Citizen, serving, stage_toml
from tests.support.stages import NOW, Room, stage_of

KEYS = QuestionKeys.of_stage(Stage.from_toml((ROOT / "stages" / "demo.toml").read_bytes(), "demo"), "ab" * 32)


@pytest.mark.parametrize(
    ("prompt", "key"),
    [
        ("전입신고는 언제까지, 어떻게 해야 하나요? 준비물도 알려 주세요.", "starter:civil:0"),
        ("What do I need for registering a move in Korea, and by when?", "starter:civil:0"),
        ("[주민등록등본]은 인터넷으로 어떻게 떼나요?", "starter:civil:1"),
        ("가족관계증명서는\n인터넷으로 어떻게 떼나요", None),
        ("건축물대장 은 인터넷으로 어떻게 떼나요?!", "starter:civil:1"),
        ("은 인터넷으로 어떻게 떼나요?", None),
        ("?!… ", None),
    ],
)
def test_an_offered_question_is_known_whatever_stands_in_its_brackets(prompt: str, key: str | None) -> None:
    """In either language, edited in its brackets, spaced and marked otherwise: the key is the offer's; another wording has another key."""
    found = KEYS.of(prompt)
    assert found == key or (key is None and not (found or "").startswith("starter:"))


def test_equal_questions_have_equal_keys() -> None:
    """Case, spaces, marks, width and the composition of Hangul make no other question; another stage's key does."""
    one = KEYS.of("GPU와 CPU는 무엇이 다른가요?")
    assert one is not None
    assert {KEYS.of(text) for text in ("gpu와 cpu는 무엇이 다른가요", "ＧＰＵ와  CPU는 무엇이\n다른가요!")} == {one}
    assert KEYS.of("GPU와 CPU는 무엇이 같은가요?") != one
    assert QuestionKeys((), "cd" * 32).of("GPU와 CPU는 무엇이 다른가요?") != one
    assert len(one) == 32


@given(text=st.text())
def test_a_file_is_read_with_the_same_eyes(text: str) -> None:
    """What makes two questions the same in the arena does so in a file that `rate` reads."""
    assert questions.question_text(text) == rated.question_text(text)


def test_every_question_of_the_page_has_a_key_of_its_own() -> None:
    """As it is offered, without a change, in both languages: no two offers are taken for each other."""
    keys = QuestionKeys(every_starter(), "ab" * 32)
    offered = [
        (starters.id, n, text)
        for starters in every_starter()
        for n, prompt in enumerate(starters.prompts)
        for text in (prompt.ko, prompt.en)
    ]
    assert {keys.of(text): f"starter:{topic}:{n}" for topic, n, text in offered} == {
        key: key for key in (f"starter:{topic}:{n}" for topic, n, _ in offered)
    }


def test_votes_over_http_are_sealed_with_their_questions(tmp_path: Path, database_url: str) -> None:
    """Two citizens' equal questions have one key, in the record and in the sealed leaf; the text is in no evidence; a changed column is found."""
    with serving(tmp_path, stage_toml(), database_url=database_url) as base:
        for prompt in ("비밀스러운 질문입니다", "비밀스러운  질문입니다.", "다른 질문"):
            citizen = Citizen(base).agree()
            battle = citizen.open()
            citizen.ask(battle, prompt)
            citizen.vote(battle, "model_a").raise_for_status()
    store = Store(database_url)
    stage = stage_of(stage_toml())
    with store.database.reading() as connection:
        found = connection.execute(select(votes.c.question).order_by(votes.c.seq)).scalars().all()
    assert found[0] == found[1] != found[2]
    assert all(len(each) == 32 for each in found)
    table, _ = VoteFeed(store, stage).table()
    assert table.question.tolist() == [0, 0, 1]
    ledger = Ledger(store, Keys.open(tmp_path, {}))
    ledger.checkpoint(stage.id, datetime.now(UTC))
    assert ledger.audit(stage.id) == []
    with store.database.writing() as connection:
        connection.execute(votes.update().where(votes.c.question == found[2]).values(question=found[0]))
    assert [fault.code for fault in ledger.audit(stage.id)] == ["vote_contradicts"]
    store.close()


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """A frozen stage in which many asked the same."""
    made = Room(tmp_path_factory.mktemp("questions")).vote(300, voters=40).freeze()
    yield made
    made.close()


def test_the_export_clusters_by_question(room: Room) -> None:
    """The main interval knows voters and questions, `voter_only` stands beside it with the same points, and both are recomputed from the file."""
    bundle = room.bundle()
    verify_files(bundle.files)
    told = bundle.document
    assert told.method is not None
    assert told.method.covariance == "sandwich clustered by voter and question"
    assert told.method.n_eff_questions is not None
    alone = {row.team_id: row for row in told.sensitivity.voter_only or ()}
    assert [row.points for row in told.scores] == [alone[row.team_id].points for row in told.scores]
    assert [row.se for row in told.scores] != [alone[row.team_id].se for row in told.scores]
    asked = pq.read_table(BytesIO(bundle.files["votes.parquet"])).column("question").to_pylist()
    assert 1 < len(set(asked)) < len(asked)


def test_the_public_numbers_only_what_many_asked(room: Room) -> None:
    """The public dataset has no key: a number where ten voters or more asked the same, nothing where fewer did."""
    room.publish()
    _, files = release(room.store, room.keys, room.stage.id, NOW)
    rows = pq.read_table(BytesIO(files["battles.parquet"])).to_pylist()
    evidence = pq.read_table(BytesIO(room.bundle().files["votes.parquet"])).to_pylist()
    voters: dict[str, set[str]] = {}
    for row in evidence:
        voters.setdefault(row["question"], set()).add(row["judge"])
    key_of = {row["question_id"]: row["question"] for row in evidence}
    numbered = {key_of[row["question_id"]]: row["question_number"] for row in rows}
    assert {key for key, number in numbered.items() if number is not None} == {
        key for key in numbered if len(voters[key]) >= 10
    }
    assert any(number is not None for number in numbered.values())
    assert not any(key.encode() in data for key in voters for data in files.values())


def test_the_key_goes_with_the_texts(tmp_path: Path) -> None:
    """Until the texts are erased their key is there; then nobody can find out any more which key a text would have."""
    held = Room(tmp_path).vote(30).freeze()
    frozen = held.store.stages.find(held.stage.id)
    assert frozen is not None
    assert frozen.question_key is not None
    end = NOW + timedelta(days=held.stage.retention.texts_days + 1)
    purge(held.store, held.stage, end - timedelta(days=2))
    with held.store.database.reading() as connection:
        assert connection.execute(select(stages.c.question_key)).scalar_one() is not None
    purge(held.store, held.stage, end)
    with held.store.database.reading() as connection:
        assert connection.execute(select(stages.c.question_key)).scalar_one() is None
    held.close()


@pytest.mark.parametrize(("asked", "covariance"), [("fixed", "voter"), ("topic", "voter")])
def test_a_stage_says_over_what_it_generalises(tmp_path: Path, asked: str, covariance: str) -> None:
    """For these very questions, or over topics where nobody named one: the intervals are those by voter."""
    more = f'[protocol]\nquestions = "{asked}"\n'
    held = Room(tmp_path, more=more).vote(120, voters=20).freeze()
    told = make(held.store, held.keys, held.stage.id, NOW).document
    held.close()
    assert told.method is not None
    assert told.method.covariance.startswith(f"sandwich clustered by {covariance}")
    alone = {row.team_id: row.se for row in told.sensitivity.voter_only or ()}
    assert {row.team_id: row.se for row in told.scores} == alone
