"""The words every model speaks in: messages and sampling in, a stream of deltas out."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

Role = Literal["system", "user", "assistant"]
Finish = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Message:
    """One utterance of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How an answer is drawn: from the stage's protocol, the same for every entrant."""

    temperature: float = 0.7
    top_p: float = 0.95
    max_tokens: int = 512
    max_chars: int = 4000
    """Tokenizers differ, so an answer is bounded in characters too; reaching it finishes with "length"."""
    context_chars: int = 16000
    """The oldest turns are dropped until the conversation fits; the same rule for every entrant."""
    stop: tuple[str, ...] = ()
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long anybody waits for an answer, in seconds: the same for every entrant, wherever its model runs."""

    first_token_s: float = 30.0
    between_tokens_s: float = 20.0
    total_s: float = 180.0


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer cost, in the entrant's own tokens."""

    prompt_tokens: int
    completion_tokens: int


class Delta(NamedTuple):
    """A piece of a streaming answer: whole characters only, never half of one.

    `finish` and `sent` stand on the last delta and only there; `usage`, `dropped_turns` and `version` may stand on any, and the last one counts.
    `dropped_turns` counts the oldest turns the model was not given; a question that lost its beginning counts as one. `sent` is the whole
    text as the model sent it, where that is not the plain form (`models.text`) in which the deltas are. A delta without words says that the
    model has begun, though nothing may be shown yet. `version` is what answers, as far as the endpoint or the artifact says.
    """

    text: str = ""
    reasoning: str = ""
    usage: Usage | None = None
    dropped_turns: int = 0
    finish: Finish | None = None
    sent: str | None = None
    version: str | None = None


class Model(Protocol):
    """One entrant's language model, wherever it runs."""

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> AsyncGenerator[Delta]:
        """Yield the answer as it is made; the last delta has `finish`.

        Closing the generator (or cancelling the task that reads it) stops the model and frees its place at once.

        Raises:
            AnswerError: the answer failed; what was yielded before stays valid.
        """
        ...
