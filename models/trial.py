"""One question to each entrant, as an organizer asks it before a stage opens."""

import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass

from models.base import Finish, Message, Sampling, Usage
from models.errors import AnswerError
from models.quirks import SENTENCES, Quirk
from models.reasoning import LEFT_OVER
from models.roster import Roster


@dataclass(frozen=True, slots=True)
class Trial:
    """How one entrant answered. For organizers: the error may name whatever the endpoint said."""

    entrant_id: str
    finish: Finish | None
    error: AnswerError | None
    first_token_s: float | None
    total_s: float
    text: str
    usage: Usage | None
    quirks: tuple[Quirk, ...] = ()
    """What was unusual since the roster was opened."""

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
    roster: Roster, entrant_ids: Sequence[str], question: Sequence[Message], sampling: Sampling
) -> list[Trial]:
    """Asks one after the other, so that nobody's speed depends on who else is asked."""
    return [await ask(roster, entrant_id, question, sampling) for entrant_id in entrant_ids]


async def ask(roster: Roster, entrant_id: str, question: Sequence[Message], sampling: Sampling) -> Trial:
    """One answer, read to its end; a failure is part of what was found."""
    began = time.monotonic()
    first: float | None = None
    finish: Finish | None = None
    usage: Usage | None = None
    error: AnswerError | None = None
    text: list[str] = []
    try:
        async with aclosing(roster.stream(entrant_id, question, sampling)) as deltas:
            async for delta in deltas:
                if first is None:
                    first = time.monotonic() - began
                text.append(delta.text)
                finish, usage = delta.finish, delta.usage or usage
    except AnswerError as failed:
        error = failed
    quirks = tuple(sorted(roster.health()[entrant_id].quirks))
    return Trial(entrant_id, finish, error, first, time.monotonic() - began, "".join(text), usage, quirks)


def table(trials: Sequence[Trial]) -> str:
    """One line for each entrant: first token, tokens per second, status, and the beginning of what it said or why it failed; then its quirks by name."""
    lines = [f"{'entrant':<16}{'first token':>12}{'tokens/s':>10}{'tokens':>8}  {'status':<10}answer"]
    for trial in trials:
        first = "–" if trial.first_token_s is None else f"{trial.first_token_s * 1000:.0f} ms"
        speed = "–" if trial.tokens_per_s is None else f"{trial.tokens_per_s:.0f}"
        tokens = "–" if trial.usage is None else str(trial.usage.completion_tokens)
        status = "failed" if trial.failed else "truncated" if trial.finish == "length" else "complete"
        said = str(trial.error) if trial.error else " ".join(trial.text.split())
        shown = said if len(said) <= 60 else said[:59] + "…"
        lines.append(f"{trial.entrant_id:<16}{first:>12}{speed:>10}{tokens:>8}  {status:<10}{shown}")
    for trial in trials:
        lines += [f"warning: {trial.entrant_id}: {quirk}: {SENTENCES[quirk]}" for quirk in trial.quirks]
    return "\n".join(lines)
