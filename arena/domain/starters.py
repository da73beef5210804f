"""The questions to begin with, of a stage that declares none of its own: some of each topic, others every day."""

import tomllib
from datetime import datetime
from functools import cache
from pathlib import Path

from arena.domain.clock import KST
from arena.domain.stage import Bilingual, Stage, Starters

SHOWN = 3
"""Of each topic, a day."""


def starters_for(stage: Stage, now: datetime) -> tuple[Starters, ...]:
    """Give the theme of the day, if the stage has one for it, and the stage's own questions or those of the day."""
    today = now.astimezone(KST).date()
    themes = [starters for starters in stage.starters if starters.day == today]
    always = [starters for starters in stage.starters if starters.day is None]
    return (*themes, *(always or starters_of_the_day(now)))


def topics_of(stage: Stage) -> dict[str, Bilingual]:
    """Name the topics that a citizen may give their first question: `{id: name}`."""
    declared = [starters for starters in stage.starters if starters.day is None] or every_starter()
    return {starters.id: starters.topic for starters in declared if starters.id is not None}


def starters_of_the_day(now: datetime) -> tuple[Starters, ...]:
    """Give three questions of every topic; the next three on the next day of Korea's calendar, and so on in a round."""
    first = now.astimezone(KST).toordinal() * SHOWN
    return tuple(
        topic.model_copy(
            update={"prompts": tuple(topic.prompts[(first + n) % len(topic.prompts)] for n in range(SHOWN))}
        )
        for topic in every_starter()
    )


@cache
def every_starter() -> tuple[Starters, ...]:
    """Read those of `starters.toml`, by topic."""
    declared = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    return tuple(Starters.model_validate(starters) for starters in declared["starters"])
