"""A battle: one conversation with two hidden entrants, and its one way from open to the vote."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

Side = Literal["a", "b"]
SIDES: tuple[Side, Side] = ("a", "b")
AnswerStatus = Literal["complete", "truncated", "stopped", "failed"]
ASKS_IDENTITY = "asks_identity"
PROMPTED = ":prompted"
"""Ends a leak of an answer whose question had asked for it, or had brought the name up."""
VoidReason = Literal["answer_failed", "answer_filtered", "too_long"]
TOO_LONG = "too_long"
"""A question that did not fit a model's context, even alone: nobody's failure, so it is published as none."""


class BattleState(StrEnum):
    """open → answering → open → voted, or → revealed where the vote itself reveals; or void, or abandoned."""

    OPEN = "open"
    ANSWERING = "answering"
    VOTED = "voted"
    REVEALED = "revealed"
    VOID = "void"
    ABANDONED = "abandoned"


_GRAPHEME_CHARS = 16
"""A grapheme is never cut, so a text may end a few characters before its bound."""


@dataclass(frozen=True, slots=True)
class Draw:
    """Who meets whom, and how it came to be: anyone with the stage's seed can run it again."""

    a: str
    b: str
    number: int
    """Counts the stage's draws from 1."""
    available: tuple[str, ...]
    """The entrants that could be drawn at that moment; of a repeat, the numbers of the draws that could be shown again."""
    probability: float
    """Of this ordered pair (sides included) among all that could be drawn."""
    repeat_of: int | None = None
    """The number of the draw that this one shows again, sides swapped (`arena.domain.repeat`)."""


@dataclass(frozen=True, slots=True)
class Shown:
    """How much of an answer its citizen has been handed, by a stream or by their view of the battle."""

    first_ms: int | None = None
    """When the first of it was, in milliseconds since the question."""
    chars: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What one side said in one turn, and how it went. Times in milliseconds since both sides were started."""

    side: Side
    status: AnswerStatus
    text: str = ""
    reasoning: str = ""
    error_kind: str | None = None
    error_detail: str | None = None
    first_token_ms: int | None = None
    total_ms: int | None = None
    first_shown_ms: int | None = None
    """When the citizen was handed the first of it; None while they were not."""
    shown_chars: int = 0
    """How much of it they were handed."""
    shown_ms: int | None = None
    """When the citizen had seen all of it: what they waited, as against what the model took."""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    dropped_turns: int = 0
    sent: str | None = None
    """The text as the model sent it, where that is not the plain form that is shown, judged and bounded."""
    version: str | None = None
    """What answered, as far as the endpoint or the artifact says; no citizen sees it."""
    leaks: tuple[str, ...] = ()
    """What the answer gives away of who wrote it (`arena.domain.leaks`): `self:…`, `posing:…`, `own:…` or `rival:…`, perhaps `:prompted`."""

    def told_status(self, answer_chars: int) -> AnswerStatus:
        """Tell how it ended, as a citizen may know: `truncated` at the stage's bound in characters and nowhere else.

        Where a model's tokens ran out, the length of the text would say how much its tokenizer puts into one: to a citizen it has simply ended.
        """
        at_the_bound = len(self.text) > answer_chars - _GRAPHEME_CHARS
        return "complete" if self.status == "truncated" and not at_the_bound else self.status


def void_reason(answers: Iterable[Answer]) -> VoidReason | None:
    """Why a battle with these answers must not be judged: the gravest reason there is; none when both were given."""
    kinds = {answer.error_kind for answer in answers if answer.status == "failed"}
    if not kinds:
        return None
    if kinds - {"filtered", TOO_LONG}:
        return "answer_failed"
    return "answer_filtered" if "filtered" in kinds else "too_long"


@dataclass(frozen=True, slots=True)
class Turn:
    """A prompt and its two answers; no answers while they are being written."""

    n: int
    """Counts from 1."""
    prompt: str
    asked_at: datetime
    answers: dict[Side, Answer] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    """`asks_identity`, and `masked:…` for each kind of personal data that was taken out."""


@dataclass(frozen=True, slots=True)
class Battle:
    """One conversation with two hidden entrants. Never leaves the server as it is: it knows who they are."""

    id: str
    stage_id: str
    citizen_id: str
    state: BattleState
    draw: Draw
    opened_at: datetime
    turns: tuple[Turn, ...] = ()
    void_reason: str | None = None
    topic: str | None = None
    """What the citizen says the first question is about: one of the stage's `starters`, by its id."""

    @property
    def votable(self) -> bool:
        """Whether the server would accept a vote now: both sides of the last turn have said something."""
        if self.state is not BattleState.OPEN or not self.turns:
            return False
        given = self.turns[-1].answers
        return all(side in given and given[side].text.strip() for side in SIDES)

    @property
    def leaks(self) -> tuple[str, ...]:
        """What may have told the citizen who is who, as `prompt:…` or `side:…`; the stage says which of it leaves the fit."""
        found = {f"prompt:{flag}" for turn in self.turns for flag in turn.flags if flag == ASKS_IDENTITY}
        for turn in self.turns:
            for side, answer in turn.answers.items():
                found |= {f"{side}:{leak}" for leak in answer.leaks}
        return tuple(sorted(found))

    def entrant(self, side: Side) -> str:
        """Who stands on this side."""
        return self.draw.a if side == "a" else self.draw.b


def new_battle_id() -> str:
    """Unguessable: 144 random bits."""
    return secrets.token_urlsafe(18)
