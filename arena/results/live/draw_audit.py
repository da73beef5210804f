"""What the draws gave each entrant: exposure by pair and side with a test of balance, and every draw drawn again."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from arena.domain import draw as pairing
from arena.domain.battle import Draw
from arena.domain.coded import Fault
from arena.domain.draw import Pair, Rule
from arena.domain.repeat import is_due, shown_again


@dataclass(frozen=True, slots=True)
class Balance:
    """A chi-square test of the draws against the stage's rule. A small `p` says that they did not follow it."""

    statistic: float
    df: int
    p: float


@dataclass(frozen=True, slots=True)
class Cell:
    """One ordered pair."""

    a: str
    b: str
    drawn: int
    expected: float


@dataclass(frozen=True, slots=True)
class Share:
    """One entrant."""

    entrant: str
    on_a: int
    on_b: int
    expected: float
    """On both sides together."""


@dataclass(frozen=True, slots=True)
class ExposureTable:
    """How often each entrant, pair and side was drawn, and how often the rule lets one expect it."""

    draws: int
    cells: tuple[Cell, ...]
    shares: tuple[Share, ...]
    pairs: Balance
    """Over all ordered pairs."""
    sides: Balance
    """Side a against side b, entrant by entrant."""


def exposure(draws: Iterable[Draw], rule: Rule) -> ExposureTable:
    """Count the draws, all from the first one on and in order, repeats left out, against what the rule expects at each of them.

    With x the indicator of each draw's pair and p its probabilities at that draw, sum(x - p) has covariance V = sum(diag(p) - p p'); the statistic is
    its quadratic form in V's pseudo-inverse. With the same entrants throughout this is Pearson's; with outages and adaptive weights it stays right.
    """
    drawn: Counter[Pair] = Counter()
    strata: Counter[tuple[tuple[str, ...], int]] = Counter()
    seen: dict[int, Mapping[Pair, int]] = {0: {}}
    shown: Counter[Pair] = Counter()
    n = 0
    for draw in draws:
        if draw.repeat_of is not None:
            continue
        n += 1
        start = pairing.epoch_start(draw.number) if rule.pairing == "adaptive" else 0
        if start not in seen:
            seen[start] = dict(shown)
        strata[draw.available, start] += 1
        drawn[draw.a, draw.b] += 1
        shown[pairing.pair_of(draw.a, draw.b)] += 1
    chances = {key: pairing.chances(key[0], rule, seen[key[1]]) for key in strata}
    keys = sorted({pair for chance in chances.values() for pair in chance} | set(drawn))
    place = {pair: i for i, pair in enumerate(keys)}
    expected, v = np.zeros(len(keys)), np.zeros((len(keys), len(keys)))
    for key, times in strata.items():
        p = np.zeros(len(keys))
        for pair, chance in chances[key].items():
            p[place[pair]] = chance
        expected += times * p
        v += times * (np.diag(p) - np.outer(p, p))
    counted = np.array([drawn[pair] for pair in keys], float)
    entrants = sorted({entrant for pair in keys for entrant in pair})
    shape = (len(entrants), len(keys))  # said, because before the first draw there is neither
    side = np.array([[(pair[0] == e) - (pair[1] == e) for pair in keys] for e in entrants], float).reshape(shape)
    both = np.array([[e in pair for pair in keys] for e in entrants], float).reshape(shape)
    return ExposureTable(
        draws=n,
        cells=tuple(Cell(*pair, drawn[pair], float(expected[i])) for i, pair in enumerate(keys)),
        shares=tuple(
            Share(
                e,
                sum(count for (a, _), count in drawn.items() if a == e),
                sum(count for (_, b), count in drawn.items() if b == e),
                float(both[i] @ expected),
            )
            for i, e in enumerate(entrants)
        ),
        pairs=_balance(counted - expected, v),
        sides=_balance(side @ (counted - expected), side @ v @ side.T),
    )


def redraw(seed: str, draws: Iterable[Draw], rule: Rule, commitment: str | None = None) -> list[Fault]:
    """Draw every battle again, from the first one on; return what does not agree, empty when everything does.

    Args:
        seed: the stage's, revealed at its freeze.
        draws: all of the stage's draws, in order.
        rule: the stage's.
        commitment: what was published before the stage opened.
    """
    wrong: list[Fault] = []
    if commitment is not None and pairing.commitment(seed) != commitment:
        wrong.append(Fault("seed_not_committed"))
    shown: Counter[Pair] = Counter()
    known: Mapping[Pair, int] = {}
    pairs: list[Pair] = []
    same: dict[Pair, Pair] = {}
    for place, draw in enumerate(draws, start=1):
        if draw.number != place:
            wrong.append(Fault("draw_missing", n=place, next=draw.number))
            break
        if rule.pairing == "adaptive" and (draw.number - 1) % pairing.EPOCH == 0:
            known = dict(shown)
        if rule.repeats:
            pairs.append(same.setdefault(pair := (draw.a, draw.b), pair))
        is_new = draw.repeat_of is None
        try:
            if is_new:
                again = pairing.draw(seed, draw.number, draw.available, rule, known)
            else:
                again = repeated(seed, draw, rule, pairs)
        except ValueError:
            if is_new:
                wrong.append(Fault("draw_impossible", n=place, available=draw.available))
            else:
                wrong.append(Fault("draw_no_repeat", n=place, available=draw.available))
            continue
        if (draw.a, draw.b, draw.repeat_of) != (again.a, again.b, again.repeat_of):
            wrong.append(Fault("draw_differs", n=place, a=draw.a, b=draw.b, seed_a=again.a, seed_b=again.b))
        elif draw.probability != again.probability:
            wrong.append(Fault("draw_probability", n=place, told=draw.probability, made=again.probability))
        if is_new:
            shown[pairing.pair_of(draw.a, draw.b)] += 1
    return wrong


def repeated(seed: str, draw: Draw, rule: Rule, pairs: Sequence[Pair]) -> Draw:
    """Make a repeat again, from the draws that it was chosen among and the pairs of all draws up to it.

    Raises:
        ValueError: this number is not due for one, or what it was chosen among is no list of earlier draws in order.
    """
    numbers = [int(number) for number in draw.available]
    if not is_due(seed, draw.number, rule.repeats) or numbers != sorted(set(numbers) & set(range(1, draw.number))):
        raise ValueError(draw.number)
    return shown_again(seed, draw.number, rule.repeats, {n: pairs[n - 1] for n in numbers}, numbers)


def _balance(off: np.ndarray, v: np.ndarray) -> Balance:
    if not len(off):
        return Balance(0.0, 0, 1.0)
    values, vectors = np.linalg.eigh(v)
    solid = values > 1e-9 * max(1.0, float(values.max()))
    statistic = float((((vectors.T @ off)[solid] ** 2) / values[solid]).sum())
    df = int(solid.sum())
    return Balance(statistic, df, float(stats.chi2.sf(statistic, df)) if df else 1.0)
