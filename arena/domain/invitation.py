"""An invitation to a panel: a code that its member types once. The stage file seals the list of their digests, and with it who may take part."""

import hashlib
import secrets
import unicodedata
from typing import Final

_ALPHABET: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""32 characters that nobody takes for another: 16 of them are 80 random bits, which nobody guesses, not even with the sealed list at home."""
_GROUPS, _IN_GROUP = 4, 4
CODE_CHARS: Final = 64
"""As much of what somebody types is looked at; a code needs 19."""


def new_code() -> str:
    """Make a code, such as `7KQM-X2PD-GHTN-4WZC`."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_IN_GROUP)) for _ in range(_GROUPS))


def code_digest(code: str) -> str:
    """Fingerprint a code as the stage file lists it, however its letters, spaces and hyphens were typed: SHA-256, 64 hex characters."""
    typed = "".join(filter(str.isalnum, unicodedata.normalize("NFKC", code).upper()))
    return hashlib.sha256(typed.encode()).hexdigest()
