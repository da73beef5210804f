"""What can go wrong between us and a language model.

ModelError
├── RosterError          the stage's entrants cannot be opened: names file, key and value
└── AnswerError          one answer failed; `kind` says how, `str()` is for organizers' eyes only

An answer's error text may carry a path, a host or a model's name: it goes to the log and the record, never to a citizen.
"""

from typing import Literal

AnswerErrorKind = Literal[
    "busy",  # our own queue is full
    "connect",  # the endpoint could not be reached
    "timeout",  # first token, between tokens, or in all
    "refused",  # 4xx: the endpoint does not want the request
    "rejected",  # 400, 413, 422: it does not take this question, even alone
    "too_long",  # it says that the question, even alone, is too long for its model
    "filtered",  # its content filter cut the answer or did not take the question
    "upstream",  # 5xx, an error inside the stream, or a broken connection
    "aborted",  # it finished with a reason that says that it gave up
    "unfinished",  # it ended without a finish reason that is known to end an answer
    "protocol",  # it spoke, but not the protocol
    "leaked",  # a reasoning block ended after it had been shown as the answer
    "crashed",  # our worker process died
    "empty",  # the model ended without a visible character
]

NO_OUTAGE: frozenset[AnswerErrorKind] = frozenset({"busy", "crashed", "too_long", "filtered"})
"""Failures of ours, a conversation that outgrew a model, a team's own filter: counted apart, and no reason to take an entrant out."""
PATIENCE = 3
"""So often in a row our own question may be filtered, or too long, before the entrant is ill: each alone is no outage."""
PROMPTS_OWN: frozenset[AnswerErrorKind] = frozenset({"rejected", "empty"})
"""Failures that a prompt can ask for, a refusal or an answer of nothing: however many there are, only a question of our own shows whether the entrant is ill."""


class ModelError(Exception):
    """Anything this package raises on purpose."""


class RosterError(ModelError):
    """An entrant cannot be opened as its specification says."""


class AnswerError(ModelError):
    """One answer failed. The text is for logs and organizers, never for a citizen."""

    def __init__(
        self, kind: AnswerErrorKind, detail: str = "", *, retry_after_s: float | None = None, alive: bool = False
    ) -> None:
        """`alive`: the model was at work when it was cut, so it has answered as far as one can know."""
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind: AnswerErrorKind = kind
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.alive = alive

    @property
    def is_prompts_own(self) -> bool:
        """Tell whether the prompt may have asked for it; not of who was cut while still thinking."""
        return self.kind in PROMPTS_OWN and not self.alive
