"""Retention: texts go when the stage file says so, votes stay, and reading one is logged first."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from arena.battles.retention import PURGED, READ, purge, read_conversation
from arena.cli import app
from arena.domain.errors import NotFound, Unusable
from arena.domain.stage import Stage, StageStatus, file_sha256
from arena.record import tables
from arena.record.store import Store
from arena.record.tables import stages
from tests.support import voting
from tests.support.serving import stage_toml
from tests.support.voting import NOW, STAGE

RULE = Stage.from_toml(
    stage_toml(top="[retention]\ntexts_days = 100\nunjudged_days = 30\n").replace('"test"', f'"{STAGE}"').encode(),
    "stage.toml",
)


def days(n: float) -> datetime:
    return NOW + timedelta(days=n)


@pytest.fixture
def battles(store: Store) -> tuple[str, str]:
    """A judged and an unjudged battle, both with texts, both last used now."""
    voting.open_stage(store)
    citizen = voting.enrol(store)
    judged, unjudged = voting.ready(store, citizen), voting.ready(store, citizen)
    voting.vote(store, judged, citizen, voting.ballot(comment="좋아요"))
    return judged.id, unjudged.id


def texts(store: Store, battle_id: str) -> str:
    battle = store.battles.get(battle_id)
    assert battle is not None
    return "".join(turn.prompt + "".join(a.text for a in turn.answers.values()) for turn in battle.turns)


def test_unjudged_texts_go_by_their_own_rule_and_judged_ones_wait_for_the_end(store, battles):
    """While the stage runs, only battles that nobody judged lose their texts, 30 days after their last use."""
    judged, unjudged = battles

    assert purge(store, RULE, days(29)).unjudged == 0
    report = purge(store, RULE, days(31))

    assert (report.judged, report.unjudged, report.texts_end) == (0, 1, None)
    assert texts(store, unjudged) == ""
    assert texts(store, judged) != ""


def test_judged_texts_go_after_the_end_of_the_stage_and_the_votes_stay(store, battles):
    """100 days after the freeze every text is gone, the vote and its receipt are not, and a second purge finds nothing."""
    judged, unjudged = battles
    before = list(store.votes.after(STAGE, 0))
    store.stages.move(STAGE, StageStatus.OPEN, StageStatus.FROZEN, days(40))

    assert purge(store, RULE, days(139)).judged == 0
    report = purge(store, RULE, days(141))
    again = purge(store, RULE, days(142))

    assert (report.judged, report.texts_end) == (1, days(140))
    assert (again.judged, again.unjudged) == (0, 0)
    assert texts(store, judged) == texts(store, unjudged) == ""
    assert list(store.votes.after(STAGE, 0)) == before


def test_who_has_come_is_forgotten_with_the_texts(store, battles):
    """Digests of logins and invitations, of those who have withdrawn too, go when the stage's texts go, and not before; it is in the audit log."""
    store.persons.subject_of(STAGE, "login", "a digest", "a subject")
    store.stages.move(STAGE, StageStatus.OPEN, StageStatus.FROZEN, days(40))

    purge(store, RULE, days(139))
    assert store.persons.subject_of(STAGE, "login", "a digest", "somebody new") == "a subject"
    purge(store, RULE, days(141))
    assert store.persons.subject_of(STAGE, "login", "a digest", "somebody new") == "somebody new"
    assert [event.data["persons"] for event in store.events.of_stage(STAGE, PURGED)] == [0, 1]


def test_a_purge_is_logged_once_with_what_it_did(store, battles):
    """The audit log holds the purge that erased something, and none of those that found nothing."""
    purge(store, RULE, days(1))
    purge(store, RULE, days(31))
    purge(store, RULE, days(32))

    [event] = store.events.of_stage(STAGE, PURGED)
    assert (event.actor, event.data["judged"], event.data["unjudged"]) == ("retention", 0, 1)


def test_a_stage_that_was_never_frozen_ends_when_it_closes(store, battles):
    """Forgetting to freeze a stage does not keep its texts for ever."""
    closed = RULE.model_copy(update={"closes": days(10)})

    assert purge(store, closed, days(9)).texts_end is None
    assert purge(store, closed, days(111)).judged == 1


def test_the_command_purges_every_stage_by_its_sealed_file(store, battles, monkeypatch):
    """`python -m arena purge` reads each stage's rule from the file that was sealed, says what it did, and refuses a stage that is not there."""
    file = stage_toml(top="[retention]\ntexts_days = 100\nunjudged_days = 30\n").replace('"test"', f'"{STAGE}"')
    with store.database.writing() as connection:
        connection.execute(update(stages).values(file=file, file_sha256=file_sha256(file.encode())))
        connection.execute(update(tables.battles).values(touched_at=days(-300)))
    monkeypatch.setenv("ARENA_DATABASE_URL", store.database.url.render_as_string(hide_password=False))

    done = CliRunner().invoke(app, ["purge"])
    again = CliRunner().invoke(app, ["purge", STAGE])
    unknown = CliRunner().invoke(app, ["purge", "no-such-stage"])

    assert done.exit_code == 0
    assert done.stdout.startswith(f"{STAGE}: erased the texts of 0 judged and 1 unjudged battles; ")
    assert "erased the texts of 0 judged and 0 unjudged" in again.stdout
    assert (unknown.exit_code, "no-such-stage" in unknown.stderr) == (1, True)
    assert [texts(store, battle) == "" for battle in battles] == [False, True]


def test_reading_a_conversation_is_logged_before_it_is_shown(store, battles):
    """Who read which conversation, when and why stands in the log; without a purpose, or for an unknown battle, nothing is shown."""
    judged, _ = battles

    shown = read_conversation(store, "kim", judged, days(2), purpose="신고 처리")

    [event] = store.events.of_stage(STAGE, READ)
    assert shown.turns[0].prompt == "안녕하세요?"
    assert (event.actor, event.at, event.data) == ("kim", days(2), {"battle": judged, "purpose": "신고 처리"})
    with pytest.raises(Unusable, match="purpose_needed"):
        read_conversation(store, "kim", judged, days(2), purpose="  ")
    with pytest.raises(NotFound):
        read_conversation(store, "kim", "no-such-battle", days(2), purpose="신고 처리")
    assert len(store.events.of_stage(STAGE, READ)) == 1
