"""Exposure: how much of both answers, and for how long, a citizen must have had before their eyes for the vote to count as a judgement."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from arena.domain.battle import SIDES, Side, Turn
from arena.domain.declared import Declared

UNREAD = "vote:unread"
"""The mark, in the sealed record, of a vote that was cast below the stage's minimum."""


class Exposure(Declared):
    """The least that must have been shown before a vote, over all turns of its battle. Zeros ask for nothing."""

    chars: Annotated[int, Field(ge=0, le=4000)] = 40
    """Characters of each answer, where it was stopped: one that ended by itself was shown whole, however short."""
    seconds: Annotated[float, Field(ge=0, le=60)] = 1
    """From the moment when something of both answers was shown."""

    def is_met(self, turns: Sequence[Turn], now: datetime) -> bool:
        """Tell whether a vote that is cast now on these turns counts as one that was read."""
        began = [moment for turn in turns if (moment := _began(turn)) is not None]
        # Where nobody noted when answers were shown, such as in a simulation, time tells nothing against a vote.
        patient = not began or now - min(began) >= timedelta(seconds=self.seconds)
        return patient and all(self._is_seen(turns, side) for side in SIDES)

    def _is_seen(self, turns: Sequence[Turn], side: Side) -> bool:
        given = [turn.answers[side] for turn in turns if side in turn.answers]
        whole = any(answer.status in ("complete", "truncated") for answer in given)
        return whole or sum(len(answer.text) for answer in given) >= self.chars


def _began(turn: Turn) -> datetime | None:
    """When something of both answers of this turn was shown; None where that is not known."""
    shown = [turn.answers[side].first_shown_ms for side in SIDES if side in turn.answers]
    known = [ms for ms in shown if ms is not None]
    return turn.asked_at + timedelta(milliseconds=max(known)) if len(known) == len(SIDES) else None
