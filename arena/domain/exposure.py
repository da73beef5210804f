"""Exposure: how much of both answers, and for how long, a citizen must have had before their eyes for the vote to count as a judgement."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from arena.domain.battle import SIDES, Answer, Side, Turn
from arena.domain.declared import Declared

UNREAD = "vote:unread"
"""The mark, in the sealed record, of a vote that was cast below the stage's minimum."""


class Exposure(Declared):
    """The least that must have been shown before a vote, over all turns of its battle. Zeros ask for nothing."""

    chars: Annotated[int, Field(ge=0, le=4000)] = 40
    """Characters of each answer that the citizen was handed; less is enough of one that ended by itself, if it was all of it."""
    seconds: Annotated[float, Field(ge=0, le=60)] = 1
    """From the moment when they had been handed something of both answers."""

    def is_met(self, turns: Sequence[Turn], now: datetime) -> bool:
        """Tell whether a vote that is cast now on these turns counts as one that was read."""
        return self._is_patient(turns, now) and all(self._is_seen(turns, side) for side in SIDES)

    def _is_patient(self, turns: Sequence[Turn], now: datetime) -> bool:
        began = [moment for turn in turns if (moment := _began(turn)) is not None]
        return not self.seconds or (bool(began) and now - min(began) >= timedelta(seconds=self.seconds))

    def _is_seen(self, turns: Sequence[Turn], side: Side) -> bool:
        given = [turn.answers[side] for turn in turns if side in turn.answers]
        return any(map(_is_whole, given)) or sum(answer.shown_chars for answer in given) >= self.chars


def _is_whole(answer: Answer) -> bool:
    """Whether the citizen was handed all of an answer that ended by itself."""
    return answer.status in ("complete", "truncated") and answer.shown_chars >= len(answer.text)


def _began(turn: Turn) -> datetime | None:
    """When the citizen had been handed something of both answers of this turn; None where they were not."""
    shown = [turn.answers[side].first_shown_ms for side in SIDES if side in turn.answers]
    known = [ms for ms in shown if ms is not None]
    return turn.asked_at + timedelta(milliseconds=max(known)) if len(known) == len(SIDES) else None
