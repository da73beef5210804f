"""A citizen: who asks and votes, known only by a keyed pseudonym."""

import hmac
from dataclasses import dataclass
from typing import Literal

IdentityLevel = Literal["anonymous", "email", "verified", "invited"]


@dataclass(frozen=True, slots=True)
class Citizen:
    """Who is asking, as far as the arena may know."""

    id: str
    """The pseudonym: 32 hexadecimal characters."""
    identity_level: IdentityLevel = "anonymous"


def pseudonym(secret: bytes, subject: str) -> str:
    """HMAC-SHA-256 of the subject under the arena's secret, cut to 128 bits: without the secret nobody can go back."""
    return keyed_digest(secret, "citizen", subject)[:32]


def keyed_digest(secret: bytes, purpose: str, text: str) -> str:
    """Stand in the ledger where a text would: it proves nothing was changed and gives nothing away. 64 hex characters."""
    return hmac.digest(secret, f"{purpose}\x00{text}".encode(), "sha256").hex()
