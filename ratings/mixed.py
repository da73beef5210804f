"""A mixed Bradley–Terry model, fitted by Laplace's method: effects of levels (sex, age, a topic), voters and questions, each drawn to 0 as far as it should be.

logit P(i beats j) of a vote is x·(θ + Σ_s β_s[level] + u[voter] + w[question]) with x = e_i − e_j, a tie half a win each way. The effects
of one kind (a variable's levels, the voters, the questions) are normal and independent, with one standard deviation σ for each kind; θ has
the phantom opponent of the plain fit (`ratings.bradley_terry`). Given all σ, strengths and effects are at their joint mode, found by
Newton's method, and the curvature there is the inverse of their covariance (Breslow & Clayton 1993). Each log σ is at the mode of
Laplace's approximation to its marginal posterior under σ ~ half-normal(1 logit) (Gelman 2006). There the mode is never at 0 (Chung,
Rabe-Hesketh, Dorie, Gelman & Liu 2013): with the two levels of sex, the likelihood alone would often say that nobody differs. In the
derivative of ½ log det H by way of the curvature of the votes, their leverage is taken at known strengths, levels and questions.

Voters are independent given the rest, so they are eliminated (Schur's complement): what is factored has the size of strengths, levels
and questions. Nothing is drawn; the votes are put in one order, so theirs does not matter.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse
from scipy.special import expit, log_expit

from ratings import bradley_terry
from ratings.errors import NotConvergedError
from ratings.mixed_votes import Votes

SCALE = 1.0
"""Of the half-normal prior of each σ, in logits."""
SHIFT = 1e-2
"""How far each log σ is moved, to see what follows."""
_START = 0.4
_LEAST, _MOST = float(np.log(1e-3)), float(np.log(5.0))
_STEPS = 100
_SETTLED = 1e-5
"""A step of log σ this small has arrived."""
_NEAR, _CLOSE, _ARRIVED = 1e-3, 1e-4, 1e-7
"""So has the last step of strengths and effects, in logits: on the way to σ, for the neighbours of the mode, and for the mode. What is left then is of the order of its square."""
_MANY = 50
"""Where voters' effects are so many times more than the others, what these add to a taste's variance (at most one part in as many) is left out."""

Array = NDArray[np.float64]
Codes = NDArray[np.integer]


@dataclass(frozen=True, slots=True, eq=False)
class Mode:
    """Strengths and effects at their joint mode, given every σ."""

    sd: Array
    """(kinds,): of each variable, then of voters, then of questions, those that the model has."""
    shared: Array
    """(blocks, k): θ, then the effects of each level of each variable, then those of each question."""
    own: Array
    """(voters, k): each voter's taste; zeros where it is not in the model."""
    covariance: Array
    """Of `shared`, (blocks · k, blocks · k), voters integrated out."""


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """The mode, and how it moves with what is known of every σ."""

    mode: Mode
    spread: Array
    """(kinds, kinds): covariance of log σ."""
    moved: tuple[Mode, ...]
    """The mode with each log σ in turn raised by `SHIFT`."""


class Model:
    """The model of some votes."""

    def __init__(self, votes: Votes, prior: float, names: Sequence[str]) -> None:
        """Look at who voted on what; `prior` is the phantom's wins, and losses, against every entrant; names are for a refusal only.

        Raises:
            SeparatedError: `prior` is 0 and no finite estimate exists.
        """
        self._plain = bradley_terry.fit(votes.wins, prior, names)
        self._votes, self._prior = votes, prior
        k, n = votes.k, len(votes.low)
        self.taste = bool((np.bincount(votes.voter) > 1).any())
        """Whether voters have effects: somebody voted more than once."""
        self.asks = votes.questions > 0
        """Whether questions have."""
        self.first = np.cumsum([1, *votes.levels])
        """The block of each variable's first level; behind them, of the first question."""
        self.blocks = int(self.first[-1]) + votes.questions
        """θ, levels and questions."""
        ends = [*self.first.tolist(), *([self.blocks] if votes.questions else [])]
        self._kinds = [slice(a * k, b * k) for a, b in itertools.pairwise(ends)]
        self._taste_at = len(votes.levels)
        # A vote falls into one cell of levels: cells and questions are what the votes see, and blocks what these are made of.
        cells, cell = np.unique(votes.level, axis=0, return_inverse=True)
        c, asked = len(cells), np.flatnonzero(votes.question >= 0)
        made_of = np.zeros((c + votes.questions, self.blocks))
        made_of[:c, 0] = 1
        for first, level in zip(self.first, cells.T, strict=False):
            made_of[np.arange(c), first + level] = 1
        made_of[np.arange(c, len(made_of)), self.first[-1] + np.arange(votes.questions)] = 1
        self._made_of = sparse.csr_array(sparse.kron(made_of, np.eye(k)))
        rows, question = np.arange(n), c + votes.question[asked]
        shared = _Sides((c + votes.questions) * k, votes, k).add(rows, cell.ravel()).add(asked, question)
        self._seen, self._seen_t = shared.matrix, sparse.csr_array(shared.matrix.T)
        self._core = _Weighted(shared, shared)
        if self.taste:
            person = _Sides(votes.voters * k, votes, k).add(rows, votes.voter)
            self._person, self._person_t = sparse.csr_array(person.matrix.T), person.matrix
            self._own, self._crossed = _Weighted(person, person), _Weighted(person, shared)
            self._crossed_t = _Weighted(shared, person)

    @property
    def kinds(self) -> int:
        """How many σ there are: of each variable, of voters, of questions, those that the model has."""
        return len(self._kinds) + self.taste

    def spread_of_people(self, sd: Array) -> float:
        """Variance of one person's liking of one entrant on one question: that of taste, and of questions as often as they have effects."""
        taste = float(sd[self._taste_at]) ** 2 if self.taste else 0.0
        asked = float((self._votes.question >= 0).mean())
        return taste + (asked * float(sd[-1]) ** 2 if self._votes.questions else 0.0)

    def fit(self) -> Fitted:
        """Find every σ, and the mode there.

        Raises:
            NotConvergedError: nothing unfinished is ever returned.
        """
        log_sd = np.full(self.kinds, np.log(_START))
        state = self._mode(np.exp(log_sd), self._start(), _NEAR)
        slope, curvature = self._slope(state)
        inverse = np.diag(1 / curvature)
        for _ in range(_STEPS if self.kinds else 0):
            step = np.clip(log_sd + np.clip(inverse @ slope, -1, 1), _LEAST, _MOST) - log_sd
            log_sd = log_sd + step
            near = min(_NEAR, float(np.abs(step).max()) / 10)
            state = self._mode(np.exp(log_sd), self._ahead(state, step), near)
            before, (slope, curvature) = slope, self._slope(state)
            if np.abs(step).max() < _SETTLED:
                break
            inverse = _learnt(inverse, step, before - slope, curvature)
        else:
            if self.kinds:
                raise NotConvergedError("multilevel", _STEPS)
        state = self._mode(np.exp(log_sd), state.mode, _ARRIVED)
        slope, moved, bend = self._slope(state)[0], [], np.zeros((self.kinds, self.kinds))
        for n in range(self.kinds):
            step = SHIFT * (np.arange(self.kinds) == n)
            other = self._mode(np.exp(log_sd + step), self._ahead(state, step), _CLOSE)
            moved.append(other.mode)
            bend[n] = (slope - self._slope(other)[0]) / SHIFT
        return Fitted(state.mode, _inverse((bend + bend.T) / 2), tuple(moved))

    def _start(self) -> Mode:
        """Take the plain fit, and no effects."""
        k, size = self._votes.k, self.blocks * self._votes.k
        shared = np.zeros((self.blocks, k))
        shared[0] = self._plain
        return Mode(np.zeros(0), shared, np.zeros((self._votes.voters, k)), np.zeros((size, size)))

    def _ahead(self, state: "_State", step: Array) -> Mode:
        """Follow the mode along its tangent to where each log σ has moved by `step`: H db = 2 step b / σ²."""
        mode, push = state.mode, np.zeros(state.mode.shared.size)
        sd, flat, of = mode.sd, mode.shared.ravel(), self._of_shared(step)
        for kind, each, by in zip(self._kinds, self._of_shared(sd).tolist(), of.tolist(), strict=True):
            push[kind] = 2 * by * flat[kind] / each**2
        own = mode.own.ravel() * (2 * step[self._taste_at] / sd[self._taste_at] ** 2 if self.taste else 0.0)
        shared, own = state.solve(push, own)
        return Mode(
            sd, mode.shared + shared.reshape(mode.shared.shape), mode.own + own.reshape(mode.own.shape), mode.covariance
        )

    def at(self, sd: Array, start: Mode) -> Mode:
        """Find the mode at any σ, from one nearby."""
        return self._mode(sd, start, _ARRIVED).mode

    def _mode(self, sd: Array, start: Mode, arrived: float) -> "_State":
        """Newton's method from `start`, halving steps that do not lead up; the curvature is that before the last step, which is this small."""
        votes, k = self._votes, self._votes.k
        shared, own = start.shared.ravel(), start.own.ravel()
        precision, of_voter = self._precision(sd)
        value, eta = self._value(shared, own, precision, of_voter)
        for _ in range(_STEPS):
            p, theta = expit(eta), shared[:k]
            state = self._curvature(p, theta, precision, of_voter)
            up = self._made_of.T @ (self._seen_t @ (votes.won - p)) - precision * shared
            up[:k] -= self._prior * (2 * expit(theta) - 1) if self._prior else theta.mean()
            up_own = self._person @ (votes.won - p) - of_voter * own if self.taste else own
            step, step_own = state.solve(up, up_own)
            largest, length = max(float(np.abs(step).max()), float(np.abs(step_own).max())), 1.0
            trial, eta = self._value(shared + step, own + step_own, precision, of_voter)
            while trial < value - 1e-12 * abs(value) and length > 1e-10:
                length /= 2
                trial, eta = self._value(shared + length * step, own + length * step_own, precision, of_voter)
            shared, own, value = shared + length * step, own + length * step_own, trial
            if largest < arrived:
                covariance = linalg.cho_solve(state.factor, np.eye(len(shared)))
                state.mode = Mode(sd, shared.reshape(-1, k), own.reshape(-1, k), (covariance + covariance.T) / 2)
                return state
        raise NotConvergedError("multilevel", _STEPS)

    def _precision(self, sd: Array) -> tuple[Array, float]:
        """1/σ² of each shared effect, 0 for θ; and of voters."""
        precision = np.zeros(self.blocks * self._votes.k)
        for kind, each in zip(self._kinds, self._of_shared(sd).tolist(), strict=True):
            precision[kind] = each**-2
        return precision, float(sd[self._taste_at]) ** -2 if self.taste else 0.0

    def _of_shared(self, sd: Array) -> Array:
        """Every σ but that of voters."""
        return np.delete(sd, self._taste_at) if self.taste else sd

    def _value(self, shared: Array, own: Array, precision: Array, of_voter: float) -> tuple[float, Array]:
        """Compute the log posterior density but for a constant, and each vote's logit."""
        theta, eta = shared[: self._votes.k], self._seen @ (self._made_of @ shared)
        if self.taste:
            eta = eta + self._person_t @ own
        value = float(self._votes.won @ eta - np.logaddexp(0, eta).sum())
        value -= float(precision @ shared**2 + of_voter * (own @ own)) / 2
        if self._prior:
            return value + self._prior * float((log_expit(theta) + log_expit(-theta)).sum()), eta
        return value - float(theta.sum()) ** 2 / len(theta) / 2, eta  # the level is free: hold its mean

    def _curvature(self, p: Array, theta: Array, precision: Array, of_voter: float) -> "_State":
        """Factor the negative Hessian, voters eliminated."""
        k, voters, slope = self._votes.k, self._votes.voters, p * (1 - p)
        core, state = self._core(slope), _State(p, self._made_of)
        if self.taste:
            blocks = np.zeros((voters, k, k))
            blocks.ravel()[self._own.flat_blocks(k)] = self._own.data(slope)
            blocks[:, np.arange(k), np.arange(k)] += of_voter
            state.inverse = np.asarray(np.linalg.inv(blocks), np.float64)
            every = np.arange(voters * k)
            columns = (every[:, None] // k * k + np.arange(k)).ravel()
            state.of_voters = sparse.csr_array((state.inverse.ravel(), columns, np.arange(voters * k + 1) * k))
            state.taken = state.of_voters @ self._crossed(slope)
            core = core - self._crossed_t(slope) @ state.taken
        matrix = (self._made_of.T @ core @ self._made_of).toarray() + np.diag(precision)
        phantom = expit(theta)
        matrix[np.arange(k), np.arange(k)] += 2 * self._prior * phantom * (1 - phantom)
        if not self._prior:
            matrix[:k, :k] += 1 / k
        state.factor = linalg.cho_factor((matrix + matrix.T) / 2, lower=True)
        return state

    def _slope(self, state: "_State") -> tuple[Array, Array]:
        """Compute the derivative of the log marginal posterior by each log σ, and a first guess at its curvature."""
        votes, mode = self._votes, state.mode
        sd, flat, own, variance = mode.sd, mode.shared.ravel(), mode.own.ravel(), np.diag(mode.covariance)
        pull, pull_own = np.zeros(len(flat)), np.zeros(len(own))
        if self.taste:
            x, v, i, j = state.inverse, votes.voter, votes.low, votes.high
            bend = (x[v, i, i] + x[v, j, j] - 2 * x[v, i, j]) * state.p * (1 - state.p) * (1 - 2 * state.p)
            pull, pull_own = state.solve(self._made_of.T @ (self._seen_t @ bend), self._person @ bend)
        # Of each kind: squares of the effects, the trace of their covariance, what the votes' curvature gives, how many they are.
        found = []
        for kind in self._kinds:
            b = flat[kind]
            found.append((float(b @ b), float(variance[kind].sum()), float(pull[kind] @ b), kind.stop - kind.start))
        if state.taken is not None:
            trace = float(np.trace(state.inverse, axis1=1, axis2=2).sum())
            if len(own) < _MANY * len(flat):
                trace += float(
                    (mode.covariance * (self._made_of.T @ (state.taken.T @ state.taken) @ self._made_of)).sum()
                )
            found.insert(self._taste_at, (float(own @ own), trace, float(pull_own @ own), len(own)))
        squares, traces, pulls, sizes = np.array(found).reshape(-1, 4).T
        free = sizes - traces / sd**2
        guess = np.maximum(2 * free**2 / sizes, 1.0) + 2 * (sd / SCALE) ** 2
        return (squares - pulls) / sd**2 - free + 1 - (sd / SCALE) ** 2, guess


class _State:
    """The factored curvature at one point."""

    mode: Mode
    factor: tuple[Array, bool]
    inverse: Array
    """(voters, k, k): of each voter's own block."""
    of_voters: sparse.csr_array
    """The same, as one matrix."""

    def __init__(self, p: Array, made_of: sparse.csr_array) -> None:
        self.p, self._made_of = p, made_of
        self.taken: sparse.csr_array | None = None

    def solve(self, shared: Array, own: Array) -> tuple[Array, Array]:
        """H⁻¹ times a vector of shared and own effects."""
        if self.taken is None:
            return linalg.cho_solve(self.factor, shared), own
        found = linalg.cho_solve(self.factor, shared - self._made_of.T @ (self.taken.T @ own))
        return found, self.of_voters @ own - self.taken @ (self._made_of @ found)


class _Sides:
    """Which columns each vote adds to, for the lower entrant, and takes from, for the higher."""

    def __init__(self, size: int, votes: Votes, k: int) -> None:
        self.shape, self._votes, self._k = (len(votes.low), size), votes, k
        self.parts: list[tuple[Codes, Codes, int]] = []

    def add(self, rows: Codes, block: Codes) -> "_Sides":
        """Add a block of k columns for each of these votes."""
        self.parts.append((rows, block * self._k + self._votes.low[rows], 1))
        self.parts.append((rows, block * self._k + self._votes.high[rows], -1))
        return self

    @cached_property
    def matrix(self) -> sparse.csr_array:
        """(votes, columns)."""
        rows, columns = (np.concatenate([part[n] for part in self.parts]) for n in (0, 1))
        signs = np.concatenate([np.full(len(part[0]), float(part[2])) for part in self.parts])
        return sparse.csr_array((signs, (rows, columns)), shape=self.shape)


class _Weighted:
    """Xᵀ diag(w) Y for many w: which cells are filled is found once."""

    def __init__(self, left: _Sides, right: _Sides) -> None:
        votes, (rows, columns) = left.shape[0], (left.shape[1], right.shape[1])
        cells, vote, signs = [], [], []
        for of, i, sign in left.parts:
            at = np.full(votes, -1)
            at[of] = i
            for also, j, other in right.parts:
                both = also[at[also] >= 0]
                cells.append(at[both] * columns + j[at[also] >= 0])
                vote.append(both)
                signs.append(np.full(len(both), float(sign * other)))
        self._filled, cell = np.unique(np.concatenate(cells), return_inverse=True)
        shape = (len(self._filled), votes)
        self._of = sparse.csr_array((np.concatenate(signs), (cell, np.concatenate(vote))), shape=shape)
        self._indices = self._filled % columns
        self._pointers = np.searchsorted(self._filled, np.arange(rows + 1) * columns)
        self._shape, self._columns = (rows, columns), columns

    def data(self, weight: Array) -> Array:
        """Give the filled cells, row by row."""
        return self._of @ weight

    def __call__(self, weight: Array) -> sparse.csr_array:
        """Give the product."""
        return sparse.csr_array((self.data(weight), self._indices, self._pointers), shape=self._shape)

    def flat_blocks(self, k: int) -> Codes:
        """Where the filled cells of a product with blocks on its diagonal stand, block by block."""
        row = self._filled // self._columns
        return row * k + self._indices % k


def _learnt(inverse: Array, step: Array, change: Array, curvature: Array) -> Array:
    """Update an inverse Jacobian as Broyden does (1965); take the first guess where it would not lead up."""
    guess = inverse @ change
    along = float(step @ guess)
    found = inverse + np.outer(step - guess, step @ inverse) / along if abs(along) > 1e-12 else inverse
    return found if np.linalg.eigvalsh((found + found.T) / 2).min(initial=1) > 0 else np.diag(1 / curvature)


def _inverse(curvature: Array) -> Array:
    """Invert a curvature, in no direction flatter than that of a σ of which the votes tell nothing."""
    values, vectors = np.linalg.eigh(curvature)
    return (vectors / np.maximum(values, 1.0)) @ vectors.T
