"""The questions to begin with: real ones, others every day, and none that a stage's own would be lost under."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from arena.domain.clock import KST
from arena.domain.starters import SHOWN, every_starter, starters_for, starters_of_the_day
from tests.support.serving import stage_toml
from tests.support.stages import stage_of

MORNING = datetime(2026, 12, 1, 0, 0, tzinfo=UTC)


def test_every_question_has_its_turn_and_stays_for_a_day_of_koreas() -> None:
    """Within two days each of the 48 is shown, the same three of a topic all day long from midnight in Korea."""
    everything = {prompt.ko for topic in every_starter() for prompt in topic.prompts}
    assert len(everything) == 48
    assert len(every_starter()) == 8
    days = [starters_of_the_day(MORNING + timedelta(days=n)) for n in range(2)]
    assert all(len(topic.prompts) == SHOWN for day in days for topic in day)
    assert {prompt.ko for day in days for topic in day for prompt in topic.prompts} == everything
    midnight = datetime(2026, 12, 1, 15, tzinfo=UTC)
    assert starters_of_the_day(midnight - timedelta(seconds=1)) == days[0]
    assert starters_of_the_day(midnight) == days[1]


@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_question_invites_to_one_change(language: str) -> None:
    """Each has one place in brackets, and ends as a sentence does."""
    for topic in every_starter():
        for prompt in topic.prompts:
            text = getattr(prompt, language)
            assert len(re.findall(r"\[[^\[\]]+\]", text)) == 1, text
            assert text[-1] in ".?!]", text
            assert 15 <= len(text) <= 110, text


def test_a_theme_comes_on_its_day_alone() -> None:
    """What the stage declares for a day stands first on that day of Korea's calendar and is gone on the next; the others stay as they are."""
    theme = "[[starters]]\nday = 2026-12-01\ntopic = { ko = '김장', en = 'Kimchi' }\nprompts = [{ ko = '김장 순서를 알려 주세요.', en = 'How is kimchi made?' }]\n"
    stage = stage_of(stage_toml() + theme)
    first = datetime(2026, 12, 1, tzinfo=KST)
    for moment, themes in (
        (first, 1),
        (first + timedelta(hours=23), 1),
        (first + timedelta(days=1), 0),
        (first - timedelta(seconds=1), 0),
    ):
        shown = starters_for(stage, moment)
        assert [each.topic.ko for each in shown[:themes]] == ["김장"] * themes
        assert shown[themes:] == starters_of_the_day(moment)
