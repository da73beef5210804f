"""Does one number per entrant explain the votes: pair by pair (is strength transitive?), day by day (does it drift?), version by version.

Both are score tests beside the fit. Of cells c of votes (a pair; an entrant on one day, or in one version) the surprises S_c = Σ (y − p) are held against their information
D_c = Σ p(1 − p) by X² = Σ S²/D. Votes of one person are alike, so X² is not chi-square but Σ λ χ²₁ with λ the eigenvalues of D^(-½) C D^(-½), where C is the
covariance of S, clustered by voter and reduced by what the fit has taken from it. Rao and Scott's second-order correction (1984) in its F form (Rao & Thomas
1989) needs of them only Σλ and Σλ²: F = X²/Σλ with d = (Σλ)²/Σλ² and d(V − 1) degrees of freedom, V the effective number of voters (Kish 1965). So it
holds where there are more cells than voters, which a Wald test does not. No variance is taken for smaller than that of independent votes with the ties there
are: where a cell nearly always goes one way, the votes alone would make it so.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats

from ratings import bradley_terry
from ratings.clusters import FROM_LEFT
from ratings.comparison import A_WINS, B_WINS, BOTH_BAD, TIE, BothBad, Comparisons, win_matrix
from ratings.connectivity import groups
from ratings.shares import holm

_UNIT = 2.0**-32
"""Surprises are rounded to so many wins, so that their sums are exact in any order of the votes."""
_DENSE = 0.04
"""From this share of filled cells on, a matrix is multiplied faster as it stands than by its filled cells alone."""
_BLOCK = 1_000_000
"""Cells held at a time."""
_NOTHING = 1e-9
"""A variance this small, as a share of what independent votes would have, is rounding."""


@dataclass(frozen=True, slots=True)
class Quadratic:
    """A test over many cells at once."""

    f: float
    """The mean square of what the fit does not explain over what chance and voters lead one to expect; about 1 where it explains all."""
    df: tuple[float, float]
    p: float


@dataclass(frozen=True, slots=True)
class PairMisfit:
    """Two entrants' votes beside what their strengths lead one to expect."""

    a: str
    b: str
    votes: int
    """In the fit."""
    observed: float
    """Wins of a, a tie as half a win."""
    expected: float
    z: float | None
    """What is between them, in standard errors; None where the fit must agree, since nothing else ties the two together."""
    p: float | None
    """Two-sided."""
    adjusted: float | None
    """The same by Holm, over the pairs."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """All pairs that met, and the test over all of them."""

    overall: Quadratic
    pairs: tuple[PairMisfit, ...]


@dataclass(frozen=True, slots=True)
class EntrantDrift:
    """One entrant's wins beyond what its one strength leads one to expect, period by period."""

    model: str
    excess: tuple[float, ...]
    """In wins; they add up to about 0."""
    test: Quadratic | None
    """None where it was in one period only."""
    adjusted: float | None
    """The test's p by Holm, over the entrants."""


@dataclass(frozen=True, slots=True)
class VersionShift:
    """One version of an entrant beside the strength of all its votes together."""

    version: int
    """Its code."""
    votes: int
    excess: float
    """Wins beyond what the one strength leads one to expect."""
    shift: float
    """What that is in strength, in logits: one step from the fit."""


@dataclass(frozen=True, slots=True)
class EntrantVersions:
    """One entrant's versions."""

    model: str
    versions: tuple[VersionShift, ...]
    test: Quadratic | None
    """Whether they are equally strong."""
    adjusted: float | None
    """The test's p by Holm, over the entrants with several versions."""


@dataclass(frozen=True, slots=True)
class Drift:
    """All entrants, and the test over all of them."""

    overall: Quadratic
    entrants: tuple[EntrantDrift, ...]


def misfit(comparisons: Comparisons, *, prior: float = 0.5, both_bad: BothBad = "exclude") -> Misfit | None:
    """Test whether the strengths explain each pair's votes. Weights are not looked at.

    Returns:
        None where nothing can be told: fewer pairs than strengths explain by themselves (two entrants, a chain of them), or one voter.

    Raises:
        SeparatedError: `prior` is 0 and no finite estimate exists.
    """
    fit = _Fit(comparisons, prior, both_bad)
    met = np.flatnonzero(fit.games)
    if len(met) <= fit.free or fit.voters <= 1 + _NOTHING:
        return None
    place = np.zeros(len(fit.games), np.intp)
    place[met] = np.arange(len(met))
    column = place[fit.pair]
    scores = _Scores(fit.voter, column, fit.surprise, len(met))
    information = fit.information[met]
    incidence = np.zeros((len(met), fit.k))
    first, second = np.divmod(met, fit.k)
    incidence[np.arange(len(met)), first], incidence[np.arange(len(met)), second] = 1, -1
    # What is left of a pair's surprise when the strengths have followed it.
    left = np.eye(len(met)) - (information[:, None] * incidence) @ fit.inverse @ incidence.T
    covariance = fit.small_sample * left @ scores.gram() @ left.T
    least = fit.dispersion * ((left * information) * left).sum(axis=1)
    off = scores.sums()
    overall = _quadratic(off, information, covariance, least, fit.voters)
    if overall is None:
        return None
    games, variance = fit.games[met], np.maximum(np.diag(covariance), least)
    variance[variance <= _NOTHING * information] = np.nan
    z = off / np.sqrt(variance)
    voters = games**2 / _squares(fit.voter, column, len(met))
    p = np.where(voters > 1 + _NOTHING, 2 * stats.t.sf(np.abs(z), np.maximum(1, voters - 1)), np.nan)
    told = [None if np.isnan(value) else float(value) for value in p]
    pairs = [
        PairMisfit(
            a=fit.models[i],
            b=fit.models[j],
            votes=int(games[n]),
            observed=float(fit.wins[i, j]),
            expected=float(games[n] * fit.p[i, j]),
            z=None if np.isnan(z[n]) else float(z[n]),
            p=told[n],
            adjusted=adjusted,
        )
        for n, (i, j, adjusted) in enumerate(zip(first.tolist(), second.tolist(), holm(told), strict=True))
    ]
    return Misfit(overall, tuple(pairs))


def drift(
    comparisons: Comparisons, period: NDArray[np.integer], *, prior: float = 0.5, both_bad: BothBad = "exclude"
) -> Drift | None:
    """Test whether each entrant was as strong in every period. Weights are not looked at.

    Args:
        comparisons: the votes.
        period: of each vote, 0 … T − 1.
        prior: as in the fit.
        both_bad: as in the fit.

    Returns:
        None where nothing can be told: no vote, one period, or one voter.

    Raises:
        SeparatedError: `prior` is 0 and no finite estimate exists.
    """
    fit = _Fit(comparisons, prior, both_bad)
    when = np.asarray(period, np.intp)
    if not len(fit.pair) or fit.voters <= 1 + _NOTHING:
        return None
    periods = int(when.max()) + 1
    cells = _Cells(fit, when[fit.kept], when[fit.kept], periods)
    overall = cells.test(slice(None))
    if overall is None or (np.count_nonzero(cells.information.reshape(fit.k, periods), axis=1) <= 1).all():
        return None
    blocks = [slice(i * periods, (i + 1) * periods) for i in range(fit.k)]
    tests = [cells.test(own) if np.count_nonzero(cells.information[own]) > 1 else None for own in blocks]
    adjusted = holm([None if test is None else test.p for test in tests])
    entrants = [
        EntrantDrift(model, tuple(cells.off[own].tolist()), test, each)
        for model, own, test, each in zip(fit.models, blocks, tests, adjusted, strict=True)
    ]
    return Drift(overall, tuple(entrants))


def by_version(
    comparisons: Comparisons,
    version_a: NDArray[np.integer],
    version_b: NDArray[np.integer],
    *,
    prior: float = 0.5,
    both_bad: BothBad = "exclude",
) -> tuple[EntrantVersions, ...]:
    """Test whether an entrant's versions were equally strong; only entrants of which two are known. Weights are not looked at.

    Args:
        comparisons: the votes.
        version_a: which version stood on side a, a code of that entrant's from 0; -1 where it is not known.
        version_b: on side b.
        prior: as in the fit.
        both_bad: as in the fit.

    Raises:
        SeparatedError: `prior` is 0 and no finite estimate exists.
    """
    told = [np.asarray(codes, np.intp) + 1 for codes in (version_a, version_b)]  # 0 is what is not known
    if max(int(codes.max(initial=0)) for codes in told) < 2:
        return ()
    fit = _Fit(comparisons, prior, both_bad)
    if not len(fit.pair) or fit.voters <= 1 + _NOTHING:
        return ()
    lower = (comparisons.a < comparisons.b)[fit.kept]
    first, second = (np.where(lower, told[side][fit.kept], told[1 - side][fit.kept]) for side in (0, 1))
    versions = int(max(first.max(), second.max())) + 1
    cells = _Cells(fit, first, second, versions)
    found = []
    for i, model in enumerate(fit.models):
        own = np.arange(i * versions + 1, (i + 1) * versions)
        met = own[cells.votes[own] > 0]
        if len(met) > 1:
            shifts = tuple(
                VersionShift(int(cell - own[0]), int(cells.votes[cell]), float(cells.off[cell]), cells.shift(int(cell)))
                for cell in met
            )
            found.append((model, shifts, cells.test(met)))
    adjusted = holm([None if test is None else test.p for _, _, test in found])
    return tuple(
        EntrantVersions(model, shifts, test, p) for (model, shifts, test), p in zip(found, adjusted, strict=True)
    )


class _Cells:
    """Surprises of entrants in parts of their votes (periods, versions): cell i · parts + t is entrant i in its part t."""

    def __init__(self, fit: "_Fit", first: NDArray[np.intp], second: NDArray[np.intp], parts: int) -> None:
        """`first` is each vote's part for the entrant with the lower code, `second` for the other."""
        k = fit.k
        low, high = np.divmod(fit.pair, k)
        own = np.concatenate([low * parts + first, high * parts + second])
        scores = _Scores(
            np.concatenate([fit.voter, fit.voter]), own, np.concatenate([fit.surprise, -fit.surprise]), k * parts
        )
        games = np.bincount((low * k + high) * parts + first, minlength=k * k * parts)
        games += np.bincount((high * k + low) * parts + second, minlength=k * k * parts)
        slope = games.reshape(k, k, parts) * (fit.p * (1 - fit.p))[:, :, None]
        information = slope.sum(axis=1)
        # What a strength of its own in one part shares with the strengths of the fit: a row of that part's information.
        shared = -slope.transpose(0, 2, 1)
        shared[np.arange(k), :, np.arange(k)] += information
        shared = shared.reshape(k * parts, k)
        taken = shared @ fit.inverse
        whole = shared.reshape(k, parts, k).sum(axis=1)
        self._voters = fit.voters
        self.votes = np.bincount(own, minlength=k * parts)
        self.off, self.information = scores.sums(), information.ravel()
        self._covariance = fit.small_sample * _without(scores.gram(), taken, parts)
        self._least = fit.dispersion * (
            self.information - 2 * (taken * shared).sum(axis=1) + ((taken @ whole) * taken).sum(axis=1)
        )

    def test(self, which: slice | NDArray[np.intp]) -> Quadratic | None:
        """Test these cells together; None where nothing varies."""
        block = self._covariance[which][:, which]
        return _quadratic(self.off[which], self.information[which], block, self._least[which], self._voters)

    def shift(self, cell: int) -> float:
        """Estimate how much stronger the entrant was in this part than over all, in logits: one step from the fit."""
        return float(self.off[cell] / self.information[cell])


def _without(gram: NDArray[np.float64], taken: NDArray[np.float64], periods: int) -> NDArray[np.float64]:
    """(I − A M) G (I − A M)ᵀ, where M adds up an entrant's periods and A is what the fit takes of the sum; without a product of three large matrices."""
    k = len(gram) // periods
    summed = gram.reshape(k, periods, len(gram)).sum(axis=1)
    cross = taken @ summed
    return gram - cross - cross.T + taken @ summed.reshape(k, k, periods).sum(axis=2) @ taken.T


class _Fit:
    """The votes of the fit, each as its pair (the lower code first), with what surprised the fit in it."""

    def __init__(self, comparisons: Comparisons, prior: float, both_bad: BothBad) -> None:
        self.models, self.k = comparisons.models, len(comparisons.models)
        k = self.k
        outcome = comparisons.outcome
        self.kept = np.flatnonzero(outcome != BOTH_BAD) if both_bad == "exclude" else np.arange(len(outcome))
        a, b = comparisons.a[self.kept].astype(np.intp), comparisons.b[self.kept].astype(np.intp)
        key = (a * k + b) * 4 + outcome[self.kept]
        counts = np.bincount(key, minlength=4 * k * k).reshape(k, k, 4)
        self.wins = wins = win_matrix(counts, both_bad)
        theta, phantom, found = np.zeros(k), np.zeros((k, k)), groups(wins)
        for group in (group for group in found if len(group) > 1):
            block = np.ix_(group, group)
            theta[list(group)] = bradley_terry.fit(wins[block], prior, [self.models[i] for i in group])
            phantom[block] = bradley_terry.phantom_information(theta[list(group)], prior)
        self.free = k - len(found)
        """Strengths that the fit was free to choose."""
        self.p = bradley_terry.probabilities(theta)
        self.inverse = np.linalg.pinv(bradley_terry.information(wins, theta) + phantom, hermitian=True)
        games = np.triu(wins + wins.T)
        self.games, self.information = games.ravel(), (games * self.p * (1 - self.p)).ravel()
        self.pair = np.minimum(a, b) * k + np.maximum(a, b)
        # Each key's surprise in favour of the lower code, from the upper triangle: swapped sides change nothing.
        lower_wins = np.triu(np.ones((k, k), bool))
        upper = np.where(lower_wins, self.p, self.p.T)
        won = np.where(lower_wins[:, :, None], FROM_LEFT / 2, 1 - FROM_LEFT / 2)
        table = np.rint((won - upper[:, :, None]) / _UNIT).astype(np.int64)
        self.surprise = table.ravel()[key]
        either_side = counts + counts.transpose(1, 0, 2)[:, :, [B_WINS, A_WINS, TIE, BOTH_BAD]]
        squared = float((either_side * (table * _UNIT) ** 2)[np.triu_indices(k, 1)].sum())
        self.dispersion = squared / max(float(self.information.sum()), _NOTHING)
        """Of one vote, as a share of p(1 − p): below 1 where there are ties."""
        voter = np.arange(len(outcome)) if comparisons.voter is None else comparisons.voter
        self.voter = voter[self.kept].astype(np.intp)
        votes = np.bincount(self.voter, minlength=1)
        squares = int(votes @ votes)
        self.voters = len(self.pair) ** 2 / squares if squares else 0.0
        """Effective ones."""
        self.small_sample = self.voters / (self.voters - 1) if self.voters > 1 else 1.0


class _Scores:
    """Surprises added up by voter and column, exactly; in wins."""

    def __init__(
        self, voter: NDArray[np.intp], column: NDArray[np.intp], surprise: NDArray[np.int64], columns: int
    ) -> None:
        self._rows, self._columns = int(voter.max()) + 1, columns
        whole = sparse.coo_array((surprise, (voter, column)), shape=(self._rows, columns)).tocsr()
        self._cells = sparse.csr_array((whole.data * _UNIT, whole.indices, whole.indptr), shape=whole.shape)

    def sums(self) -> NDArray[np.float64]:
        """Σ s over voters."""
        return np.asarray(self._cells.sum(axis=0), np.float64).ravel()

    def gram(self) -> NDArray[np.float64]:
        """Σ s sᵀ over voters: of few filled cells by them alone, else block by block."""
        if self._cells.nnz < _DENSE * self._rows * self._columns:
            return (self._cells.T @ self._cells).toarray()
        gram, step = np.zeros((self._columns, self._columns)), max(1, _BLOCK // self._columns)
        for start in range(0, self._rows, step):
            part = self._cells[start : start + step].toarray()
            gram += part.T @ part
        return gram


def _squares(voter: NDArray[np.intp], column: NDArray[np.intp], columns: int) -> NDArray[np.float64]:
    """Σ n² over voters, n being a voter's votes in the column."""
    shape = (int(voter.max()) + 1, columns)
    votes = sparse.coo_array((np.ones(len(voter)), (voter, column)), shape=shape).tocsr()
    return np.asarray((votes * votes).sum(axis=0), np.float64).ravel()


def _quadratic(
    off: NDArray[np.float64],
    information: NDArray[np.float64],
    covariance: NDArray[np.float64],
    least: NDArray[np.float64],
    voters: float,
) -> Quadratic | None:
    """Rao and Scott's test over the cells that have votes; None where nothing varies."""
    cells = np.flatnonzero(information > 0)
    scale = np.sqrt(information[cells])
    standard = covariance[np.ix_(cells, cells)] / np.outer(scale, scale)
    total, squares = float(np.trace(standard)), float((standard**2).sum())
    if total <= _NOTHING * max(1, len(cells)):
        return None
    d, expected = total**2 / squares, max(total, float((least[cells] / information[cells]).sum()))
    f, df = float(((off[cells] / scale) ** 2).sum()) / expected, (d, d * (voters - 1))
    return Quadratic(f, df, float(stats.f.sf(f, *df)))
