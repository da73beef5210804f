"""Who meets whom: one public formula, so that a stranger with the stage's seed can draw every battle again.

The rule `uniform`, in full. Let S be the entrants that can be drawn, sorted, and n how many they are; let the ordered pairs of S stand in
lexicographic order, M = n(n-1) of them. Draw k is

    d = HMAC-SHA-256(key = seed, message = "kai.draw/1|" + k + "|" + S joined by ",")      seed and message in ASCII, k in decimal
    pair number floor(d * M / 2**256), counted from 0                                      d read as a big-endian integer

so that each ordered pair has probability 1/M (to within 2**-250) whatever was drawn before: seeing every earlier reveal teaches nothing.
"""

import hashlib
import hmac
from collections.abc import Sequence
from itertools import permutations

from arena.domain.battle import Draw


def draw(seed: str, number: int, available: Sequence[str]) -> Draw:
    """The stage's draw with this number.

    Args:
        seed: the stage's secret, published when it freezes; `commitment(seed)` is published before it opens.
        number: counts the stage's draws from 1.
        available: ids of the entrants that can be drawn; their order does not matter.

    Raises:
        ValueError: fewer than two entrants.
    """
    entrants = tuple(sorted(set(available)))
    if len(entrants) < 2:
        raise ValueError(f"two entrants are needed to draw a battle; available: {', '.join(entrants) or 'none'}")
    pairs = list(permutations(entrants, 2))
    a, b = pairs[below(seed, f"kai.draw/1|{number}|{','.join(entrants)}", len(pairs))]
    return Draw(a, b, number, entrants, 1 / len(pairs))


def commitment(seed: str) -> str:
    """SHA-256 of the seed: published before the stage opens, so that the seed revealed at its freeze cannot be another."""
    return hashlib.sha256(seed.encode("ascii")).hexdigest()


def below(seed: str, message: str, n: int) -> int:
    """A number from 0 to n-1 that only the seed's owner can foresee, and that everybody can check afterwards."""
    digest = hmac.new(seed.encode("ascii"), message.encode("ascii"), hashlib.sha256).digest()
    return int.from_bytes(digest, "big") * n >> 256
