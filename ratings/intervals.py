"""Uncertainty that knows votes come in voters: sandwich covariance, simultaneous differences, rank intervals.

The covariance is the voter-clustered sandwich H⁻¹ M H⁻¹ (Huber 1967; Liang & Zeger 1986) with the phantom opponent in
both H and M, and the small-sample correction of Morel, Bokossa & Neerchal (2003), which keeps a handful of voters from
looking certain: M = c Σ s sᵀ + δ φ H + phantom with c = V/(V − 1), δ = min(½, d/(V − d)), φ = max(1, tr(H⁻¹ c Σ s sᵀ)/d),
for d = k − 1 free strengths and V the effective number of voters (Σn)²/Σn² (Kish 1965). Where questions are clusters too
(`ratings.questions`), M gets their part with a c of its own, and Student's t the smaller of the two numbers of clusters.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from ratings import bradley_terry
from ratings.comparison import BothBad, Comparisons, win_matrix

FEW_VOTERS = 50
"""Below this many effective voters, quantiles come from Student's t."""
_DRAWS = 4000
"""Draws of the maximum in simultaneous comparisons; the 95 % point is then good to 0.35 percentage points."""


FEWEST_QUESTIONS = 5
"""Below this many effective questions the intervals are by voter alone, and say so: a handful tells nothing of the others."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What the questions add to the voters' part."""

    excess: NDArray[np.float64]
    """Σ s sᵀ over questions less Σ s sᵀ over each voter's votes on each, (k, k)."""
    questions: float
    """The effective number of questions (Σn)²/Σn²."""


@dataclass(frozen=True, slots=True, eq=False)
class Simultaneous:
    """All pairs of a group at once: with 95 % confidence every claim of who is above whom is right (step-down max-t)."""

    critical: float
    """How many standard errors of its difference a pair must lie apart, in the last step."""
    separated: NDArray[np.bool_]
    """(k, k): row's model is above column's, or below it, beyond chance."""
    rank_low: NDArray[np.int64]
    """1 + how many are separately better."""
    rank_high: NDArray[np.int64]
    """k − how many are separately worse."""


def sandwich(
    information: NDArray[np.float64],
    gram: NDArray[np.float64],
    phantom: NDArray[np.float64],
    voters: float,
    asked: Asked | None = None,
) -> NDArray[np.float64]:
    """Compute the covariance of θ with mean 0, (k, k), in squared logits.

    Args:
        information: of the votes, without the phantom.
        gram: Σ s sᵀ over voters.
        phantom: the phantom's information; zero without a prior.
        voters: the effective number of voters.
        asked: the questions' part; None clusters by voter alone.
    """
    k = len(information)
    centre = np.eye(k) - 1 / k
    return centre @ clustered(information, gram, phantom, voters, free=k - 1, asked=asked) @ centre


def clustered(
    information: NDArray[np.float64],
    gram: NDArray[np.float64],
    regular: NDArray[np.float64],
    voters: float,
    free: int,
    asked: Asked | None = None,
) -> NDArray[np.float64]:
    """H⁻¹ M H⁻¹ for any parameters: `regular` is the regularisation's part of H and M, `free` their free number."""
    bread = np.linalg.pinv(information + regular, hermitian=True)
    meat = gram * _small(voters)
    delta = min(0.5, free / (voters - free)) if voters > free else 0.5
    phi = max(1.0, float(np.trace(bread @ meat)) / free)
    meat = meat + delta * phi * information
    if asked is not None:
        meat = _positive(meat + asked.excess * _small(asked.questions))
    covariance = bread @ (meat + regular) @ bread
    return (covariance + covariance.T) / 2


def _small(clusters: float) -> float:
    return clusters / (clusters - 1) if clusters > 1 else 1.0


def _positive(meat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take away what a difference of sums of squares may have below zero (Cameron, Gelbach & Miller 2011, section 2.3)."""
    values, vectors = np.linalg.eigh((meat + meat.T) / 2)
    if values[0] >= -1e-9 * values[-1]:  # rounding aside, nothing is
        return meat
    return (vectors * np.maximum(values, 0)) @ vectors.T


def clusters(voters: float, questions: float | None) -> float:
    """Give the smaller of the effective numbers that a covariance rests on; fewer questions than `FEWEST_QUESTIONS` are not among them."""
    return voters if questions is None or questions < FEWEST_QUESTIONS else min(voters, questions)


def degrees_of_freedom(voters: float) -> float:
    """Student's t below 50 effective voters, the normal above."""
    return max(1.0, voters - 1) if voters < FEW_VOTERS else np.inf


def quantile(voters: float, level: float = 0.95) -> float:
    """How many standard errors a two-sided interval of this level reaches out."""
    df = degrees_of_freedom(voters)
    return float(norm.ppf(0.5 + level / 2) if np.isinf(df) else t.ppf(0.5 + level / 2, df))


def difference_errors(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the (k, k) standard errors of θ_i − θ_j; these, never overlapping bars, say who is apart."""
    variance = np.diag(covariance)
    return np.sqrt(np.maximum(variance[:, None] + variance[None, :] - 2 * covariance, 0))


def draws(covariance: NDArray[np.float64], voters: float, seed: int, count: int = _DRAWS) -> NDArray[np.float64]:
    """(count, k) seeded errors of θ: normal, or multivariate t for few voters.

    They go through the symmetric root of the covariance, so rounding in it moves them by as little.
    """
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    df = degrees_of_freedom(voters)
    if np.isinf(df):
        return _normals(seed, count, len(values)) @ root
    rng = np.random.default_rng(seed)
    errors = rng.standard_normal((count, len(values))) @ root
    return errors / np.sqrt(rng.chisquare(df, (count, 1)) / df)


@lru_cache(maxsize=2)
def _normals(seed: int, count: int, k: int) -> NDArray[np.float64]:
    """Kept, since live ratings ask for the same ones at every refresh."""
    drawn = np.random.default_rng(seed).standard_normal((count, k))
    drawn.flags.writeable = False
    return drawn


def draws_by_strength(
    theta: NDArray[np.float64], covariance: NDArray[np.float64], voters: float, seed: int
) -> NDArray[np.float64]:
    """Draw the same in the order of the strengths: what entrants are called must not decide who is apart."""
    order = np.argsort(-theta, kind="stable")
    return draws(covariance[np.ix_(order, order)], voters, seed)[:, np.argsort(order)]


def simultaneous(
    theta: NDArray[np.float64],
    covariance: NDArray[np.float64],
    sample: NDArray[np.float64],
    level: float = 0.95,
) -> Simultaneous:
    """Which pairs are apart, all claims together at this level, by step-down max-t.

    A claim is that i is above j; its null hypothesis θ_i ≤ θ_j is one of k(k − 1). The first critical value is the `level`
    quantile of the largest statistic of all hypotheses (Hothorn, Bretz & Westfall 2008); those it rejects are taken out and the
    value is taken again over the rest, until nothing more is rejected (Romano & Wolf 2005). So familywise error is
    controlled strongly, that of a wrong direction included, since the opposite of a claim stays among the rest (Mogstad,
    Romano, Shaikh & Wilhelm 2024, who take ranks from it), and nothing is ever wider than with the first value.

    Args:
        theta: log-strengths of one group; or other estimates, such as totals.
        covariance: of θ.
        sample: (count, k) seeded errors of θ, from `draws_by_strength`.
        level: that all claims are right at once.
    """
    order = np.argsort(-theta, kind="stable")
    gaps = theta[order, None] - theta[order]
    errors = difference_errors(covariance)[np.ix_(order, order)]
    precision = np.divide(1, errors, out=np.zeros_like(errors), where=errors > 0)
    by_model = np.ascontiguousarray(sample.T[order])
    above = np.zeros(errors.shape, bool)
    largest = _largest(by_model, precision, above)
    while True:
        critical = float(np.quantile(largest, level))
        found = np.triu(gaps > critical * errors, 1)
        if (found == above).all():
            break
        above = found
        _take_out(largest, by_model, precision, above, level)
    place = np.argsort(order)
    above = above[np.ix_(place, place)]
    return Simultaneous(critical, above | above.T, 1 + above.sum(axis=0), len(theta) - above.sum(axis=1))


def _largest(
    by_model: NDArray[np.float64], precision: NDArray[np.float64], above: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Find in each draw the largest statistic of all hypotheses but the rejected, `above`: of a rejected pair the opposite is left."""
    largest = np.zeros(by_model.shape[1])
    for i in range(len(by_model) - 1):
        opposite = by_model[i + 1 :] - by_model[i]
        opposite *= precision[i, i + 1 :, None]
        np.maximum(largest, opposite.max(axis=0), out=largest)
        rest = ~above[i, i + 1 :]
        if rest.any():
            np.maximum(largest, -(opposite if rest.all() else opposite[rest]).min(axis=0), out=largest)
    return largest


def _take_out(
    largest: NDArray[np.float64],
    by_model: NDArray[np.float64],
    precision: NDArray[np.float64],
    above: NDArray[np.bool_],
    level: float,
) -> None:
    """Bring `largest` to date for the draws that the quantile hangs on; fewer hypotheses never raise a draw's maximum.

    So once as many draws as lie at the quantile or beyond it are known, those whose old maximum is no more than the least of
    them stay below the quantile, whatever their new one.
    """
    count = len(largest)
    beyond = count - int(level * (count - 1))
    first = np.argpartition(largest, count - beyond)[count - beyond :]
    largest[first] = _largest(by_model.take(first, axis=1), precision, above)
    rest = largest > largest[first].min()
    rest[first] = False
    largest[rest] = _largest(by_model.compress(rest, axis=1), precision, above)


def voter_bootstrap(
    comparisons: Comparisons, rounds: int, seed: int, prior: float = 0.5, both_bad: BothBad = "exclude"
) -> NDArray[np.float64]:
    """Compute (rounds, k) strengths refitted on voters drawn with replacement: the cross-check of the sandwich.

    Every model must be compared with every other, directly or through others, in each draw, or `prior` be above 0.
    """
    rng = np.random.default_rng(seed)
    k = len(comparisons.models)
    voter = np.arange(len(comparisons)) if comparisons.voter is None else comparisons.voter
    present, code = np.unique(voter, return_inverse=True)
    weight = np.ones(len(comparisons)) if comparisons.weight is None else comparisons.weight
    key = (comparisons.a.astype(np.intp) * k + comparisons.b) * 4 + comparisons.outcome
    order = np.lexsort((weight, key, code))
    key, code, weight = key[order], code[order], weight[order]
    fits = np.empty((rounds, k))
    for n in range(rounds):
        times = rng.multinomial(len(present), np.full(len(present), 1 / len(present)))
        counts = np.bincount(key, times[code] * weight, minlength=4 * k * k).reshape(k, k, 4)
        fits[n] = bradley_terry.fit(win_matrix(counts, both_bad), prior)
    return fits
