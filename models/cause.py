"""Why an entrant left the draw, stays out of it, or is back: a code and its figures, for whoever tells it in words of their own."""

from dataclasses import dataclass
from typing import Literal

from models.errors import AnswerErrorKind

CauseKind = Literal[
    "answers_failed",  # citizens' questions, again and again
    "own_question_failed",  # after a failure that may have been the question's
    "silent_at_start",
    "failed_at_start",
    "asked_again",
    "still_failing",
    "answers_again",
    "worker_killed",
    "worker_exited",
    "worker_silent",
    "worker_back",
]


@dataclass(frozen=True, slots=True)
class Cause:
    """No text of an endpoint stands in it."""

    kind: CauseKind
    failure: AnswerErrorKind | Literal["fault"] | None = None
    """How the last answer failed; `fault` where it was ours."""
    seconds: float | None = None
    """How long the worker process has said nothing."""
    signal: int | None = None
    """What killed the worker process."""
    exit_code: int | None = None

    def __str__(self) -> str:
        """Write it for a log."""
        figures = {
            "failure": self.failure,
            "seconds": self.seconds,
            "signal": self.signal,
            "exit_code": self.exit_code,
        }
        return " ".join([self.kind, *(f"{name}={value}" for name, value in figures.items() if value is not None)])
