"""One question to each entrant, as an organizer asks it before a stage opens."""

import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass

from models.base import Finish, Message, Sampling, Usage
from models.endpoint.quirks import Quirk
from models.errors import AnswerError
from models.reasoning import LEFT_OVER
from models.roster import Roster


@dataclass(frozen=True, slots=True)
class SmokeTest:
    """How one entrant answered. For organizers: the error may name whatever the endpoint said."""

    entrant_id: str
    finish: Finish | None
    error: AnswerError | None
    first_token_s: float | None
    total_s: float
    pieces: tuple[tuple[float, str], ...]
    """The answer as it came: seconds since the question, and text."""
    usage: Usage | None
    quirks: tuple[Quirk, ...] = ()
    """What was unusual since the roster was opened."""

    @property
    def text(self) -> str:
        """The whole answer."""
        return "".join(text for _, text in self.pieces)

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags of reasoning that stand in the answer: a citizen would see them, and perhaps what was thought."""
        return tuple(sorted({found[0] for found in LEFT_OVER.finditer(self.text)}))

    @property
    def failed(self) -> bool:
        """Whether the entrant must not be drawn like this."""
        return self.error is not None or bool(self.tags)

    @property
    def tokens_per_s(self) -> float | None:
        """After the first token, in the entrant's own tokens; nothing where it does not count them."""
        if self.usage is None or self.first_token_s is None or self.usage.completion_tokens < 2:
            return None
        return (self.usage.completion_tokens - 1) / max(self.total_s - self.first_token_s, 1e-6)


async def ask_all(
    roster: Roster, entrant_ids: Sequence[str], question: Sequence[Message], sampling: Sampling, times: int = 1
) -> list[list[SmokeTest]]:
    """Ask one after the other, so that nobody's speed depends on who else is asked, so many times; every entrant's answers, in this order."""
    rounds = [[await ask(roster, entrant_id, question, sampling) for entrant_id in entrant_ids] for _ in range(times)]
    return [list(answers) for answers in zip(*rounds, strict=True)]


async def ask(roster: Roster, entrant_id: str, question: Sequence[Message], sampling: Sampling) -> SmokeTest:
    """One answer, read to its end; a failure is part of what was found."""
    began = time.monotonic()
    first: float | None = None
    finish: Finish | None = None
    usage: Usage | None = None
    error: AnswerError | None = None
    pieces: list[tuple[float, str]] = []
    try:
        async with aclosing(roster.stream(entrant_id, question, sampling)) as deltas:
            async for delta in deltas:
                if first is None:
                    first = time.monotonic() - began
                pieces.append((time.monotonic() - began, delta.text))
                finish, usage = delta.finish, delta.usage or usage
    except AnswerError as failed:
        error = failed
    quirks = tuple(sorted(roster.health()[entrant_id].quirks))
    return SmokeTest(entrant_id, finish, error, first, time.monotonic() - began, tuple(pieces), usage, quirks)
