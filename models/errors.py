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
    "upstream",  # 5xx, or an error inside the stream
    "protocol",  # the endpoint spoke, but not the protocol
    "crashed",  # our worker process died
    "empty",  # the model ended without a visible character
]


class ModelError(Exception):
    """Anything this package raises on purpose."""


class RosterError(ModelError):
    """An entrant cannot be opened as its specification says."""


class AnswerError(ModelError):
    """One answer failed. The text is for logs and organizers, never for a citizen."""

    def __init__(self, kind: AnswerErrorKind, detail: str = "", *, retry_after_s: float | None = None) -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind: AnswerErrorKind = kind
        self.detail = detail
        self.retry_after_s = retry_after_s
