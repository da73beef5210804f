"""A promise: the arena's signed word, given with the thank-you, that a vote will stand in the ledger by a moment.

In the manner of certificate transparency (RFC 6962, section 3: the signed certificate timestamp and the maximum merge delay). It is signed before
the vote is committed and kept with it, so the same vote asked for again has the same one. Whoever holds it can show that it was broken.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

import orjson

from arena.domain.vote import Vote, canonical_plain

PROMISE_SCHEMA = "kai.promise/1"


@dataclass(frozen=True, slots=True)
class Promise:
    """That the vote with this receipt, cast at this moment, will be under a signed checkpoint by another."""

    stage_id: str
    receipt: str
    cast_at: datetime
    include_by: datetime

    @classmethod
    def of(cls, vote: Vote, merge_delay: timedelta) -> Self:
        """Make the one for a vote that is about to be kept."""
        return cls(vote.stage_id, vote.receipt, vote.cast_at, vote.cast_at + merge_delay)

    @classmethod
    def read(cls, payload: bytes) -> Self:
        """Read what was signed.

        Raises:
            ValueError: it is no promise, or not written as `payload` writes one.
        """
        try:
            told = orjson.loads(payload)
            moments = (datetime.fromisoformat(told[name]) for name in ("cast_at", "include_by"))
            made = cls(told["stage"], told["receipt"], *moments)
            same = made.payload() == payload
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError("no promise") from error
        if not same:
            raise ValueError("no promise in its canonical form")
        return made

    def payload(self) -> bytes:
        """Write the canonical bytes that are signed."""
        return canonical_plain(
            {
                "schema": PROMISE_SCHEMA,
                "stage": self.stage_id,
                "receipt": self.receipt,
                "cast_at": self.cast_at.isoformat(timespec="milliseconds"),
                "include_by": self.include_by.isoformat(timespec="milliseconds"),
            }
        )
