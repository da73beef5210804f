"""Who meets whom: one public formula, so that a stranger with the stage's seed can draw every battle again.

Let S be the entrants that can be drawn, sorted, P their pairs, and for a text m let

    h(m, n) = floor(HMAC-SHA-256(key = seed, message = m) * n / 2**256)      seed and m in ASCII, the digest a big-endian integer

which is a number from 0 to n-1. A repeat (`arena.domain.repeat`) comes before all of this. `seed` is the stage's secret, mixed with what its beacon said where it has one (`mixed`). `k` is the draw's number in decimal, `S` the ids joined by ",". Draw k, in this order:

check     only where the stage has a golden rate g and a control can be drawn: it is a check if h("kai.check/1|k|S", 10**9) < g * 10**9;
          then entrant, control and sides are number h("kai.check-pair/1|k|S", 2*|S|*|controls|) of all ordered (entrant, control) and (control, entrant).
uniform   number h("kai.draw/1|k|S", M) of the M = |S|(|S|-1) ordered pairs in lexicographic order.
adaptive  the same list, each ordered pair with a whole weight: n/d being the stage's uniform share, s(p) how often pair p was drawn (without checks)
          before this hundred of draws, and gap(p) = max(s) - s(p):  weight(p) = n * sum(gap) + (d - n) * |P| * gap(p), or 1 where all gaps are 0.
balanced  blocks of M draws: the first half holds every pair once, in the order of h("kai.block/1|b|p|S", 2**256), b the block's number from 0, p "x,y";
          x stands on side a if h("kai.side/1|b|p|S", 2) is 0. The second half holds every pair the other way round, ordered by h("kai.block/2|b|p|S", 2**256).

Every ordered pair has the probability that is stored with the draw. `uniform` and `adaptive` draws are independent of each other given S and the counts,
so reveals teach nothing about the next pair; a balanced block's end can be foreseen by whoever saw its beginning (`docs/integrity.md` has the figures).
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import combinations, permutations
from typing import Literal

from arena.domain.battle import Draw
from arena.domain.stage import Stage

EPOCH = 100
"""Adaptive pairing looks at the counts once in so many draws, so that every process and every stranger sees the same ones."""
_BILLION = 10**9

Pair = tuple[str, str]
"""Two ids: side a and side b; or, where sides do not matter, in the order of the alphabet."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What the stage declares about its draws."""

    pairing: Literal["uniform", "balanced", "adaptive"] = "uniform"
    uniform_share: float = 1.0
    golden_rate: float = 0.0
    controls: frozenset[str] = frozenset()
    repeats: float = 0.0


UNIFORM = Rule()


def rule_of(stage: Stage) -> Rule:
    """Return the stage's rule."""
    protocol = stage.protocol
    controls = frozenset(control.id for control in stage.controls)
    return Rule(protocol.pairing, protocol.uniform_share, protocol.golden_rate, controls, protocol.repeats)


def draw(
    seed: str, number: int, available: Sequence[str], rule: Rule = UNIFORM, shown: Mapping[Pair, int] | None = None
) -> Draw:
    """Make the stage's draw with this number.

    Args:
        seed: the stage's, as `mixed` makes it.
        number: counts the stage's draws from 1.
        available: ids of the entrants, and controls, that can be drawn; their order does not matter.
        rule: the stage's.
        shown: for adaptive pairing, how often each pair was drawn up to `epoch_start(number)`.

    Raises:
        ValueError: fewer than two entrants besides controls.
    """
    everyone, entrants, controls = _sorted_out(available, rule)
    where = f"{number}|{','.join(entrants)}"
    checks = _checks(rule, controls)
    if checks and below(seed, f"kai.check/1|{where}", _BILLION) < checks:
        pairs = _check_pairs(entrants, controls)
        a, b = pairs[below(seed, f"kai.check-pair/1|{where}", len(pairs))]
        return Draw(a, b, number, everyone, checks / _BILLION / len(pairs))
    left = 1 - checks / _BILLION
    pairs = _ordered(tuple(entrants))
    if rule.pairing == "uniform":
        a, b = pairs[below(seed, f"kai.draw/1|{where}", len(pairs))]
        return Draw(a, b, number, everyone, left / len(pairs))
    if rule.pairing == "balanced":
        a, b = _block(seed, (number - 1) // len(pairs), entrants)[(number - 1) % len(pairs)]
        return Draw(a, b, number, everyone, left / len(pairs))
    weights = _weights(rule, entrants, shown or {})
    total = 2 * sum(weights.values())
    point = below(seed, f"kai.draw/1|{where}", total)
    for a, b in pairs:
        weight = weights[pair_of(a, b)]
        if point < weight:
            return Draw(a, b, number, everyone, left * weight / total)
        point -= weight
    raise AssertionError("a point below the total lies in one of the weights")


def chances(
    available: Sequence[str], rule: Rule = UNIFORM, shown: Mapping[Pair, int] | None = None
) -> dict[Pair, float]:
    """Compute the probability of every ordered pair `(side a, side b)` that could be drawn; they sum to 1.

    Raises:
        ValueError: fewer than two entrants besides controls.
    """
    _, entrants, controls = _sorted_out(available, rule)
    check = _checks(rule, controls) / _BILLION
    weights = _weights(rule, entrants, shown or {})
    total = 2 * sum(weights.values())
    chance = {(a, b): (1 - check) * weights[pair_of(a, b)] / total for a, b in permutations(entrants, 2)}
    if check:
        pairs = _check_pairs(entrants, controls)
        chance |= dict.fromkeys(pairs, check / len(pairs))
    return chance


def epoch_start(number: int) -> int:
    """Find the last draw whose outcome adaptive pairing knows at this draw."""
    return (number - 1) // EPOCH * EPOCH


def pair_of(a: str, b: str) -> Pair:
    """Return the pair, whatever the sides."""
    return (a, b) if a < b else (b, a)


def commitment(seed: str) -> str:
    """SHA-256 of the secret seed: published before the stage opens, so that the one revealed at its freeze cannot be another."""
    return hashlib.sha256(seed.encode("ascii")).hexdigest()


def mixed(secret: str, beacon: str | None) -> str:
    """Make the seed that draws use: the secret itself, or SHA-256 of `kai.seed/1|secret|beacon` in hexadecimal.

    The secret was committed to before the beacon existed, and the beacon is nobody's to choose: so nobody has chosen what comes of both.
    """
    return secret if beacon is None else hashlib.sha256(f"kai.seed/1|{secret}|{beacon}".encode("ascii")).hexdigest()


def below(seed: str, message: str, n: int) -> int:
    """Derive a number from 0 to n-1 that only the seed's owner can foresee, and that everybody can check afterwards."""
    digest = hmac.digest(seed.encode("ascii"), message.encode("ascii"), "sha256")
    return int.from_bytes(digest, "big") * n >> 256


@lru_cache(maxsize=1024)
def _ordered(entrants: tuple[str, ...]) -> list[Pair]:
    return list(permutations(entrants, 2))


def _sorted_out(available: Sequence[str], rule: Rule) -> tuple[tuple[str, ...], list[str], list[str]]:
    everyone = tuple(sorted(set(available)))
    entrants = [e for e in everyone if e not in rule.controls]
    if len(entrants) < 2:
        raise ValueError(f"two entrants are needed to draw a battle; available: {', '.join(entrants) or 'none'}")
    return everyone, entrants, [e for e in everyone if e in rule.controls]


def _checks(rule: Rule, controls: Sequence[str]) -> int:
    """How many of a billion draws are checks."""
    return round(rule.golden_rate * _BILLION) if controls else 0


def _check_pairs(entrants: Sequence[str], controls: Sequence[str]) -> list[Pair]:
    return sorted(pair for e in entrants for c in controls for pair in ((e, c), (c, e)))


def _weights(rule: Rule, entrants: Sequence[str], shown: Mapping[Pair, int]) -> dict[Pair, int]:
    """Whole numbers, so that every machine draws the same."""
    pairs = list(combinations(entrants, 2))
    if rule.pairing != "adaptive":
        return dict.fromkeys(pairs, 1)
    most = max(shown.get(p, 0) for p in pairs)
    gaps = {p: most - shown.get(p, 0) for p in pairs}
    share = Fraction(str(rule.uniform_share))
    even = share.numerator * sum(gaps.values())
    if not sum(gaps.values()):
        return dict.fromkeys(pairs, 1)
    return {p: even + (share.denominator - share.numerator) * len(pairs) * gap for p, gap in gaps.items()}


def _block(seed: str, block: int, entrants: Sequence[str]) -> list[Pair]:
    """One block: every pair once, then every pair once more with the sides changed."""
    everyone = ",".join(entrants)
    pairs = list(combinations(entrants, 2))

    def shuffled(half: int) -> list[Pair]:
        return sorted(pairs, key=lambda p: below(seed, f"kai.block/{half}|{block}|{p[0]},{p[1]}|{everyone}", 1 << 256))

    swapped = {p: below(seed, f"kai.side/1|{block}|{p[0]},{p[1]}|{everyone}", 2) == 1 for p in pairs}
    first = [(y, x) if swapped[x, y] else (x, y) for x, y in shuffled(1)]
    return first + [(x, y) if swapped[x, y] else (y, x) for x, y in shuffled(2)]
