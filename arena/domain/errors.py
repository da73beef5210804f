"""Everything the arena refuses, each with a stable code and what a sentence about it needs; the sentences are the catalogue's.

ArenaError
├── StageError                the stage file or a setting cannot be used (for organizers: names file, key and value)
├── Malformed        400      the request cannot be read
├── Unauthorized     401      no citizen session, or no organizer login
├── Forbidden        403      known, but not allowed: consent or age missing, wrong origin
├── NotFound         404      unknown, or somebody else's: the two are told apart by nobody
├── Conflict         409      the battle, the stage or the vote is in another state
├── TooLarge         413      longer than the stage allows
├── Unusable         422      readable, but no usable value: empty prompt, unknown winner
├── NotUpgraded      426      another protocol than HTTP
├── TooMany          429      a limit; `retry_after_s` says when
└── Unavailable      503      not saved, or no two models to draw: nothing was changed, try again
"""

from typing import Any, ClassVar

from arena.domain.coded import Coded


class ArenaError(Coded, Exception):
    """Anything the arena raises on purpose; `code` is stable, and `params` fill in the sentence of that code."""

    kind = "error"
    status: ClassVar[int] = 500


class StageError(ArenaError):
    """The stage file, or a setting, cannot be used as it stands."""


class Malformed(ArenaError):
    """The request cannot be read."""

    status = 400


class Unauthorized(ArenaError):
    """Nobody we know is asking."""

    status = 401


class Forbidden(ArenaError):
    """Known, but not allowed."""

    status = 403


class NotFound(ArenaError):
    """Unknown, or somebody else's."""

    status = 404


class Conflict(ArenaError):
    """Right request, wrong state."""

    status = 409


class TooLarge(ArenaError):
    """Longer than the stage allows."""

    status = 413


class Unusable(ArenaError):
    """Readable, but without a usable value."""

    status = 422


class NotUpgraded(ArenaError):
    """Asked for another protocol than HTTP."""

    status = 426


class TooMany(ArenaError):
    """A limit was reached."""

    status = 429

    def __init__(self, code: str, /, *, retry_after_s: float, **params: Any) -> None:
        super().__init__(code, **params)
        self.retry_after_s = retry_after_s


class Unavailable(ArenaError):
    """Nothing was changed; the same request may succeed soon."""

    status = 503

    def __init__(self, code: str, /, *, retry_after_s: float = 5, **params: Any) -> None:
        super().__init__(code, **params)
        self.retry_after_s = retry_after_s


def not_found() -> NotFound:
    """Give the one answer for an unknown battle and for somebody else's."""
    return NotFound("battle_not_found")
