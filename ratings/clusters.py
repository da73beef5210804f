"""Votes bundled by voter: the sums that voter-clustered uncertainty is made of.

A voter's score is the sum of what surprised the fit in that voter's votes, s = Σ (y − p)(e_a − e_b), and the sandwich
needs Σ s sᵀ over voters at whatever p the fit has found. For whole votes those sums are made in fixed point: p is
rounded to a multiple of 2^-(q+1), with q as large as 64-bit integers allow (18 at a million votes by 50,000 voters), so
every sum is exact and the answer is the same to the last digit in any order of votes, from raw votes or from
`LiveRatings`. The rounding moves a standard error by about one part in a million. Where each citizen has one voice, the
votes of each count whole numbers of shares (`ratings.voices`), and the same sums stay exact.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FROM_LEFT = np.array([2, 0, 1, 1])
"""Twice the share of the win that an outcome gives to the left side, in the order of the outcome codes."""
_BLOCK = 10_000_000
"""Scores held at a time: bounds the memory for many voters and many models."""
_PART = 32_768
"""Votes read at a time, for the same reason as below."""
_LIMB = 20
_CACHED = 32_768
"""Scores multiplied at a time: they stay in the processor's cache."""


class Clusters(Protocol):
    """What the sandwich asks of the voters."""

    def sum_of_squares(self, members: NDArray[np.bool_]) -> float:
        """Σ n² over voters, n being a voter's fitted votes (or their weight) between the entrants in the mask."""
        ...

    def score_gram(self, p: NDArray[np.float64]) -> NDArray[np.float64]:
        """Σ s sᵀ over voters, (k, k), where `p[i, j]` is the probability that i beats j."""
        ...


def fixed_point_bits(sum_of_squares: int) -> int:
    """Find the q for which Σ (n · 2^(q+1))² stays below 2^62."""
    return max(0, min(30, (60 - int(sum_of_squares).bit_length()) // 2))


def fixed_point(p: NDArray[np.float64], bits: int) -> NDArray[np.int64]:
    """2p in units of 2^-bits, exactly complementary across the diagonal, so that swapped sides change nothing."""
    upper = np.triu(np.rint(np.ldexp(p, bits + 1)).astype(np.int64), 1)
    return upper + np.tril((2 << bits) - upper.T, -1)


def surprises(p: NDArray[np.float64], bits: int) -> NDArray[np.int64]:
    """2(y − p) in units of 2^-bits by what a vote is, left · 4k + right · 4 + outcome: how far it lies from what the fit expects for the left side."""
    return ((FROM_LEFT << bits) - fixed_point(p, bits)[:, :, None]).ravel()


class WholeVotes:
    """Raw votes with the voter's code beside each, read in parts, so that nothing is copied whole.

    Each counts once, or as many shares as its voter's votes have; `unit` is what one share is worth.
    """

    def __init__(
        self,
        k: int,
        a: NDArray[np.integer],
        b: NDArray[np.integer],
        outcome: NDArray[np.integer],
        voter: NDArray[np.integer],
        both_bad_counts: bool,
        shares: NDArray[np.int64] | None = None,
        unit: float = 1.0,
    ) -> None:
        self._k, self._a, self._b, self._outcome, self._voter = k, a, b, outcome, voter
        self._fitted = np.array([True, True, True, both_bad_counts])
        self._voters = int(voter.max()) + 1 if voter.size else 0
        self._shares, self._unit = shares, unit

    def sum_of_squares(self, members: NDArray[np.bool_]) -> float:
        """Σ n² over voters, exact but for the worth of a share."""
        return (self._all_squares if members.all() else self._squares(members)) * self._unit**2

    @cached_property
    def _all_squares(self) -> int:
        return self._squares(np.ones(self._k, bool))

    def _squares(self, members: NDArray[np.bool_]) -> int:
        fitted, inside = self._fitted.astype(np.int32), members.astype(np.int32)
        votes = np.zeros(self._voters, np.int32)
        for part in parts(len(self._a)):
            counted = fitted.take(self._outcome[part])
            if not members.all():
                counted *= inside.take(self._a[part])
            np.add.at(votes, self._voter[part].astype(np.intp), counted)
        total = votes.astype(np.int64) if self._shares is None else votes * self._shares
        return int(total @ total)

    def score_gram(self, p: NDArray[np.float64]) -> NDArray[np.float64]:
        """Σ s sᵀ over voters, exact in fixed point."""
        bits = fixed_point_bits(self._all_squares)
        return np.ldexp(self.exact_gram(p, bits).astype(np.float64), -2 * (bits + 1)) * self._unit**2

    def exact_gram(self, p: NDArray[np.float64], bits: int) -> NDArray[np.int64]:
        """Σ s sᵀ over voters in whole numbers of (2^-(bits + 1) shares)², for no more bits than `fixed_point_bits` allows."""
        k = self._k
        # No score reaches 2^31, by the choice of bits; small integers let more of the voters stay in the cache.
        surprise = (surprises(p, bits).reshape(k, k, 4) * self._fitted).ravel().astype(np.int32)
        gram = np.zeros((k, k), np.int64)
        # Voters in blocks, and all votes once for each block: the memory stays bounded whoever votes how often.
        block = max(1, _BLOCK // k)
        for start in range(0, self._voters, block):
            scores = np.zeros(min(block, self._voters - start) * k, np.int32)
            for part in parts(len(self._a)):
                self._score(scores, surprise, part, start)
            scores = scores.reshape(-1, k)
            if self._shares is not None:
                scores *= self._shares[start : start + len(scores), None].astype(np.int32)
            gram += _exact_gram(scores)
        return gram

    def _score(self, scores: NDArray[np.int32], surprise: NDArray[np.int32], part: slice, first_voter: int) -> None:
        """Add what a part of the votes gives to the scores (voters × k, flat) of the voters from `first_voter` on."""
        k = self._k
        left, right, row = (column[part].astype(np.intp) for column in (self._a, self._b, self._voter))
        outcome = self._outcome[part]
        row -= first_voter
        row *= k
        if len(scores) < self._voters * k:
            here = np.flatnonzero((row >= 0) & (row < len(scores)))
            left, right, row, outcome = left[here], right[here], row[here], outcome[here]
        # One lookup for each vote: the surprise of (left, right, outcome) stands in one flat table.
        key = left * k
        key += right
        key *= 4
        key += outcome
        surprises = surprise.take(key)
        left += row
        right += row
        # What surprised the fit in favour of one side did so against the other: the scores of a vote sum to 0.
        np.add.at(scores, left, surprises)
        np.subtract.at(scores, right, surprises)


def parts(votes: int, at_least: int = 0) -> Iterator[slice]:
    """Cut the votes into parts, small enough for a processor's cache."""
    step = max(_PART, at_least)
    for start in range(0, votes, step):
        yield slice(start, start + step)


def sums(place: NDArray[np.intp], values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Add up the values that belong to each place."""
    return np.asarray(np.bincount(place, values, minlength=size), dtype=np.float64)


def _exact_gram(scores: NDArray[np.int32]) -> NDArray[np.int64]:
    """SᵀS of whole numbers, exact; it has to fit 64 bits."""
    gram = np.zeros((scores.shape[1], scores.shape[1]), np.int64)
    rows = max(1, _CACHED // scores.shape[1])
    for start in range(0, len(scores), rows):
        part = scores[start : start + rows].astype(np.float64)
        whole = part.T @ part
        # No sum of products, in whatever order, is larger than the largest diagonal (Cauchy–Schwarz).
        exact = whole.diagonal().max() < 2.0**52
        gram += whole.astype(np.int64) if exact else whole_gram(scores[start : start + rows]).astype(np.int64)
    return gram


def whole_gram(scores: NDArray[np.integer]) -> NDArray[np.object_]:
    """SᵀS of whole numbers of any size, exact: in limbs of 20 bits, whose products BLAS adds up below 2^53."""
    k = scores.shape[1]
    limbs, rest = [], scores.astype(np.int64)
    while not limbs or rest.any():
        low = ((rest + (1 << _LIMB - 1)) & ((1 << _LIMB) - 1)) - (1 << _LIMB - 1)
        rest = (rest - low) >> _LIMB
        limbs.append(low.astype(np.float64))
    gram = np.zeros((k, k), object)
    for i, high in enumerate(limbs):
        for j, low in enumerate(limbs[: i + 1]):
            whole = np.zeros((k, k), np.int64)
            for start in range(0, len(high), _CACHED // 2):
                part = slice(start, start + _CACHED // 2)
                whole += (high[part].T @ low[part]).astype(np.int64)
            whole = whole if i == j else whole + whole.T
            gram += whole.astype(object) << _LIMB * (i + j)
    return gram


class IndependentVotes:
    """Votes without voters: each is its own, so counts are enough."""

    def __init__(self, counts: NDArray[np.int64], both_bad_counts: bool) -> None:
        self._counts = counts if both_bad_counts else counts * np.array([1, 1, 1, 0])

    def sum_of_squares(self, members: NDArray[np.bool_]) -> float:
        """Σ 1 over the fitted votes."""
        return float(self._counts[members].sum())

    def score_gram(self, p: NDArray[np.float64]) -> NDArray[np.float64]:
        """Σ s sᵀ over votes: each adds (y − p)² to its pair."""
        of_left = (self._counts * (FROM_LEFT / 2 - p[:, :, None]) ** 2).sum(axis=2)
        return laplacian(of_left + of_left.T)


class WeightedVotes:
    """Votes with weights, in canonical order: the same sums in floating point."""

    def __init__(
        self,
        k: int,
        key: NDArray[np.intp],
        voter: NDArray[np.integer],
        weight: NDArray[np.float64],
        both_bad_counts: bool,
    ) -> None:
        counted = np.ones(len(key), bool) if both_bad_counts else key % 4 != 3
        self._k, self._key, self._weight = k, key[counted], weight[counted]
        self._voter = np.unique(voter[counted], return_inverse=True)[1]

    def sum_of_squares(self, members: NDArray[np.bool_]) -> float:
        """Σ (a voter's weight)² over voters."""
        here = members[self._key // (4 * self._k)]
        weights = np.bincount(self._voter[here], self._weight[here], minlength=1)
        return float(weights @ weights)

    def score_gram(self, p: NDArray[np.float64]) -> NDArray[np.float64]:
        """Σ s sᵀ over voters, each vote's surprise times its weight."""
        k = self._k
        # Sums of floats depend on their order, so the votes have come in one that no file and no feed decides.
        surprise = (FROM_LEFT / 2 - p[:, :, None]).ravel()[self._key] * self._weight
        size = (int(self._voter.max()) + 1) * k if self._voter.size else 0
        rows = self._voter * k
        scores = sums(rows + self._key // (4 * k), surprise, size)
        scores -= sums(rows + self._key // 4 % k, surprise, size)
        scores = scores.reshape(-1, k)
        return scores.T @ scores


def laplacian(pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Σ pairs[i, j] (e_i − e_j)(e_i − e_j)ᵀ over i < j, for a symmetric matrix of pairs."""
    return np.diag(pairs.sum(axis=1)) - pairs
