"""How each voter votes, against how everybody else does: one calibrated p-value a test, combined, with the false discoveries bounded.

Three tests need no model of honest taste, because the draw is random and blind: which side wins (`side`), which battles are left unjudged (`absence`), and
what is said of an answer that is bad on purpose (`check`). The others are held against the consensus of the others (leave-one-out) or the crowd's own
spread, robustly estimated. Honest voters differ: their personal taste has a variance, estimated here, and a test that forgot it would call taste fraud.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ratings import bradley_terry
from ratings.comparison import A_WINS, B_WINS, BOTH_BAD

TESTS = ("side", "outcome", "consensus", "target", "absence", "check", "speed", "burst", "repeat")
ROUNDS = 4
"""Fits of the consensus, each without the voters that the one before found."""
MIN_VOTES = 5
"""Below, a voter's habits are not looked at: only what they do together with others is (`campaigns`)."""
SMALLEST = 1e-15
_PRIOR = 0.5

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Ballots:
    """A stage's votes as columns of equal length, in the order they were cast; entrants, voters, networks and prompts as codes from 0."""

    k: int
    """Entrants."""
    voter: Codes
    a: Codes
    b: Codes
    outcome: Codes
    """As in `ratings.comparison`."""
    at: Floats
    """When it was cast, in seconds since the stage's first vote."""
    judged_s: Floats
    """From the moment both answers were shown to the vote; not a number where unknown."""
    network: Codes
    """-1 where unknown."""
    prompt: Codes
    """The first prompt, equal ones alike; -1 where erased."""
    drawn: Codes
    """Shape (voters, k): battles drawn for a voter in which the entrant stood, void ones left out."""
    drawn_total: Codes
    """Shape (voters,): battles drawn for a voter, void ones left out."""
    checks: Codes
    """Shape (voters, 2): checks seen, and how many of them the voter got wrong. Checks are not among the votes."""

    @property
    def voters(self) -> int:
        """How many there are."""
        return len(self.drawn_total)


@dataclass(frozen=True, slots=True, eq=False)
class Consensus:
    """What the trusted voters think, and how much honest people differ from it."""

    theta: Floats
    covariance: Floats
    taste: float
    """Variance of a voter's own strength of an entrant, in squared logits."""
    dispersion: float = 1.0
    """Variance of a vote over p(1 - p): below 1 where there are ties."""


@dataclass(frozen=True, slots=True, eq=False)
class Conduct:
    """Every voter's tests."""

    p: Mapping[str, Floats]
    """For each test, a p-value for each voter."""
    combined: Floats
    q: Floats
    """The smallest false-discovery rate at which a voter would be flagged (Benjamini–Hochberg)."""
    favourite: Codes
    """The entrant that each voter's `target` test is about."""
    votes: Codes
    entropy: Floats
    """Of a voter's outcomes, in bits."""
    consensus: Consensus

    def flagged(self, rate: float) -> Codes:
        """Find the voters who stand out at this false-discovery rate."""
        return np.flatnonzero(self.q <= rate)

    def reason(self, voter: int) -> str:
        """Name the test that says most."""
        return min(TESTS, key=lambda test: self.p[test][voter])


def examine(ballots: Ballots, rate: float = 0.05) -> Conduct:
    """Test every voter; the consensus is fitted again without those found, until nothing changes.

    Args:
        ballots: the votes.
        rate: the false-discovery rate at which a voter no longer counts towards the consensus.
    """
    trusted = np.ones(ballots.voters, bool)
    found = _examined(ballots, trusted)
    for _ in range(ROUNDS - 1):
        again = found.q > rate
        if (again == trusted).all():
            break
        trusted = again
        found = _examined(ballots, trusted)
    return found


def benjamini_hochberg(p: Floats, *, dependent: bool = False) -> Floats:
    """Give the q-values of a set of p-values (Benjamini & Hochberg 1995; under any dependence, Benjamini & Yekutieli 2001)."""
    n = len(p)
    order = np.argsort(p)
    scale = float((1 / np.arange(1, n + 1)).sum()) if dependent else 1.0
    raised = scale * n * p[order] / np.arange(1, n + 1)
    q = np.empty(n)
    q[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0)
    return q


def simes(p: Floats) -> Floats:
    """Make one p-value from each column of p-values (Simes 1986): valid for tests that are independent or rise together; (tests, voters) → (voters,)."""
    n = len(p)
    return np.minimum((np.sort(p, axis=0) * n / np.arange(1, n + 1)[:, None]).min(axis=0), 1.0)


# --- one round --------------------------------------------------------------------------------------------------------


def _examined(ballots: Ballots, trusted: NDArray[np.bool_]) -> Conduct:
    agreed = consensus(ballots, trusted)
    votes = np.bincount(ballots.voter, minlength=ballots.voters)
    outcomes = _count(ballots.voter, ballots.outcome, ballots.voters, 4)
    target, favourite = _target(ballots, agreed)
    p = {
        "side": _side(outcomes, trusted),
        "outcome": _outcome(outcomes, trusted),
        "consensus": _agreement(ballots, agreed),
        "target": target,
        "absence": absence(ballots.drawn, ballots.drawn_total, _faced(ballots), votes),
        "check": _check(ballots.checks, trusted),
        "speed": _slowness(_medians(np.log(np.maximum(ballots.judged_s, 0.1)), ballots.voter, ballots.voters), trusted),
        "burst": _slowness(_medians(_gaps(ballots), ballots.voter, ballots.voters), trusted),
        "repeat": _repeat(ballots, trusted),
    }
    p = {test: np.where(votes >= MIN_VOTES, np.clip(p[test], SMALLEST, 1.0), 1.0) for test in TESTS}
    combined = simes(np.stack(list(p.values())))
    combined = np.where(votes >= MIN_VOTES, combined, 1.0)
    shares = outcomes / np.maximum(votes, 1)[:, None]
    entropy = -(shares * np.log2(np.maximum(shares, SMALLEST))).sum(axis=1)
    return Conduct(p, combined, _q_of_active(combined, votes), favourite, votes, entropy, agreed)


def _q_of_active(p: Floats, votes: Codes) -> Floats:
    active = votes >= MIN_VOTES
    q = np.ones(len(p))
    if active.any():
        q[active] = benjamini_hochberg(p[active])
    return q


def consensus(ballots: Ballots, trusted: NDArray[np.bool_]) -> Consensus:
    """Fit the trusted voters' votes, and estimate the variance of honest taste by the method of moments."""
    use = trusted[ballots.voter] & (ballots.outcome != BOTH_BAD)
    kept = subset(ballots, use)
    wins = np.zeros((ballots.k, ballots.k))
    y = _score(kept.outcome)
    np.add.at(wins, (kept.a, kept.b), y)
    np.add.at(wins, (kept.b, kept.a), 1 - y)
    theta = bradley_terry.fit(wins, _PRIOR, [str(i) for i in range(ballots.k)])
    information = bradley_terry.information(wins, theta) + bradley_terry.phantom_information(theta, _PRIOR)
    agreed = Consensus(theta, np.linalg.inv(information).astype(np.float64), 0.0)
    _, chance = leave_one_out(kept, agreed)
    dispersion = float(((y - chance) ** 2).sum() / max((chance * (1 - chance)).sum(), 1e-9)) if len(y) else 1.0
    agreed = replace(agreed, dispersion=min(dispersion, 1.0))
    residual, own, spread = residuals(kept, agreed)
    # E[R²] = own + taste · spread, over all voters and entrants; sums, so that voters with many votes say more.
    taste = float((residual**2 - own).sum() / spread.sum()) if spread.sum() > 0 else 0.0
    return replace(agreed, taste=max(taste, 0.0))


# --- the tests --------------------------------------------------------------------------------------------------------


def _side(outcomes: Codes, trusted: NDArray[np.bool_]) -> Floats:
    """Exact: sides are drawn at random, so whatever a voter's taste, side a wins with one probability for all."""
    wins, decided = outcomes[:, A_WINS], outcomes[:, A_WINS] + outcomes[:, B_WINS]
    share = (wins[trusted].sum() + 0.5) / (decided[trusted].sum() + 1)
    return _two_sided(wins, decided, share)


def _outcome(outcomes: Codes, trusted: NDArray[np.bool_]) -> Floats:
    """Test the outcome a voter chooses most, against a crowd in which everybody has their own habits."""
    n = outcomes.sum(axis=1)
    tails = np.stack([_habit(outcomes[:, c], n, trusted) for c in range(4)], axis=1)
    return np.minimum(4 * tails[np.arange(len(n)), outcomes.argmax(axis=1)], 1.0)


def _agreement(ballots: Ballots, agreed: Consensus) -> Floats:
    """Test whether a voter goes with the others where these are sure; low agreement is what coins, and contrarians, have."""
    use = (ballots.outcome == A_WINS) | (ballots.outcome == B_WINS)
    kept = subset(ballots, use)
    gap, chance = leave_one_out(kept, agreed)
    w = chance * (1 - chance)
    score = np.bincount(kept.voter, (_score(kept.outcome) - chance) * gap, ballots.voters)
    own = np.bincount(kept.voter, w * gap**2, ballots.voters)
    lean = per_entrant(kept, w * gap, ballots.voters)
    deviation = np.maximum(np.sqrt(own + agreed.taste * (lean**2).sum(axis=1)), 1e-12)
    # A few surprises weigh more than many confirmations: over a dozen votes a normal tail would be several times too thin.
    skew = np.bincount(kept.voter, w * (1 - 2 * chance) * gap**3, ballots.voters) / deviation**3
    return np.where(own > 0, stats.pearson3.cdf(score / deviation, skew), 1.0)


def _target(ballots: Ballots, agreed: Consensus) -> tuple[Floats, Codes]:
    """Test whether a voter favours or fights one entrant more than taste explains; and which."""
    kept = subset(ballots, ballots.outcome != BOTH_BAD)
    residual, own, spread = residuals(kept, agreed)
    deviation = np.sqrt(own + agreed.taste * spread)
    z = np.maximum(np.abs(residual) - 0.5, 0) / np.maximum(deviation, 1e-12)  # ½: votes come in whole numbers
    favourite = z.argmax(axis=1)
    return np.minimum(2 * ballots.k * stats.norm.sf(z.max(axis=1)), 1.0), favourite


def absence(drawn: Codes, drawn_total: Codes, faced: Codes, votes: Codes) -> Floats:
    """Exact: whoever cannot know who answers leaves battles unjudged whoever stands in them (hypergeometric, both directions, all entrants)."""
    total, votes = np.maximum(drawn_total, votes)[:, None], votes[:, None]
    present = np.maximum(drawn, faced)
    more = stats.hypergeom.sf(faced - 1, total, present, votes)
    less = stats.hypergeom.cdf(faced, total, present, votes)
    return np.minimum(2 * drawn.shape[1] * np.minimum(more, less).min(axis=1), 1.0)


def _check(checks: Codes, trusted: NDArray[np.bool_]) -> Floats:
    """Test whether a voter calls bad answers good more often than careful people slip."""
    seen, wrong = checks.T
    slip = max((wrong[trusted].sum() + 1) / (seen[trusted].sum() + 20), 0.02)
    return np.where(seen > 0, stats.binom.sf(wrong - 1, np.maximum(seen, 1), slip), 1.0)


def _slowness(medians: tuple[Floats, Floats, Codes], trusted: NDArray[np.bool_]) -> Floats:
    """Test whether a voter is faster than the crowd's spread explains: medians of log seconds, centre and spread by median and MAD."""
    median, within, n = medians
    known = (n >= MIN_VOTES) & trusted
    if known.sum() < 10:
        return np.ones(len(median))
    centre = np.median(median[known])
    between = 1.4826 * np.median(np.abs(median[known] - centre))
    noise = 1.2533 * np.median(within[known]) / np.sqrt(np.maximum(n, 1))
    spread = np.sqrt(np.maximum(between**2, 0.15**2) + noise**2)
    # A t with few degrees: honest speeds have longer tails than a normal.
    return np.where(n >= MIN_VOTES, stats.t.cdf((median - centre) / spread, 8), 1.0)


def _repeat(ballots: Ballots, trusted: NDArray[np.bool_]) -> Floats:
    """How many votes repeat the voter's own earlier prompt; suggested prompts, which many voters use, do not count."""
    known = ballots.prompt >= 0
    pairs = np.unique(np.stack([ballots.prompt[known], ballots.voter[known]]), axis=1)
    users = np.bincount(pairs[0], minlength=int(ballots.prompt.max(initial=0)) + 1)
    use = known & (users[np.maximum(ballots.prompt, 0)] <= max(2, 0.03 * ballots.voters))
    n = np.bincount(ballots.voter[use], minlength=ballots.voters)
    distinct = np.unique(np.stack([ballots.voter[use], ballots.prompt[use]]), axis=1)
    x = n - np.bincount(distinct[0], minlength=ballots.voters)
    return np.where(n > 0, _habit(x, n, trusted), 1.0)


# --- arithmetic -------------------------------------------------------------------------------------------------------


def residuals(kept: Ballots, agreed: Consensus, *, leave_out: bool = True) -> tuple[Floats, Floats, Floats]:
    """Per voter and entrant: wins beyond the consensus, their variance by chance, and what a unit of taste variance adds to it."""
    if leave_out:
        _, chance = leave_one_out(kept, agreed)
    else:
        chance = 1 / (1 + np.exp(agreed.theta[kept.b] - agreed.theta[kept.a]))
    w = chance * (1 - chance)
    residual = per_entrant(kept, _score(kept.outcome) - chance, kept.voters)
    own = np.zeros((kept.voters, kept.k))
    np.add.at(own, (kept.voter, kept.a), w)
    np.add.at(own, (kept.voter, kept.b), w)
    # Var of Σ s(u_a - u_b)w over votes with e: entrant e's own taste weighs all its w, each rival's the w against it.
    against = np.zeros((kept.voters, kept.k, kept.k))
    np.add.at(against, (kept.voter, kept.a, kept.b), w)
    np.add.at(against, (kept.voter, kept.b, kept.a), w)
    return residual, agreed.dispersion * own, own**2 + (against**2).sum(axis=2)


def leave_one_out(kept: Ballots, agreed: Consensus) -> tuple[Floats, Floats]:
    """For each vote, the log-odds of side a in the eyes of the others, by one Newton step without the voter; and its probability."""
    gap = agreed.theta[kept.a] - agreed.theta[kept.b]
    off = _score(kept.outcome) - 1 / (1 + np.exp(-gap))
    others = agreed.theta - per_entrant(kept, off, kept.voters) @ agreed.covariance
    gap = others[kept.voter, kept.a] - others[kept.voter, kept.b]
    return gap, 1 / (1 + np.exp(-gap))


def per_entrant(kept: Ballots, value: Floats, voters: int) -> Floats:
    """Σ over a voter's votes of value · (e_a - e_b); shape (voters, k)."""
    total = np.zeros((voters, kept.k))
    np.add.at(total, (kept.voter, kept.a), value)
    np.add.at(total, (kept.voter, kept.b), -value)
    return total


def _score(outcome: Codes) -> Floats:
    return np.array([1.0, 0.0, 0.5, 0.5])[outcome]


def _faced(ballots: Ballots) -> Codes:
    return _count(ballots.voter, ballots.a, ballots.voters, ballots.k) + _count(
        ballots.voter, ballots.b, ballots.voters, ballots.k
    )


def _count(rows: Codes, columns: Codes, n: int, m: int) -> Codes:
    return np.bincount(rows * m + columns, minlength=n * m).reshape(n, m)


def _gaps(ballots: Ballots) -> Floats:
    """Log seconds since the voter's vote before; not a number for the first."""
    order = np.lexsort((ballots.at, ballots.voter))
    gap = np.full(len(order), np.nan)
    same = ballots.voter[order][1:] == ballots.voter[order][:-1]
    gap[order[1:][same]] = np.log(np.maximum(np.diff(ballots.at[order])[same], 0.1))
    return gap


def _medians(values: Floats, voter: Codes, voters: int) -> tuple[Floats, Floats, Codes]:
    """Per voter: median, spread (MAD as a standard deviation), and how many values are known."""
    median, within, n = np.zeros(voters), np.full(voters, np.nan), np.zeros(voters, np.int64)
    known = np.isfinite(values)
    order = np.argsort(voter[known], kind="stable")
    of, value = voter[known][order], values[known][order]
    for piece in np.split(np.arange(len(of)), np.flatnonzero(np.diff(of)) + 1):
        if len(piece):
            v, these = of[piece[0]], value[piece]
            median[v], n[v] = np.median(these), len(these)
            within[v] = 1.4826 * np.median(np.abs(these - median[v]))
    return median, np.nan_to_num(within), n


def _habit(x: Codes, n: Codes, trusted: NDArray[np.bool_]) -> Floats:
    """Compute the chance of x or more out of n, in a crowd whose habits spread as the trusted voters' do (beta-binomial by moments)."""
    m, y = n[trusted], x[trusted]
    share = (y.sum() + 0.5) / (m.sum() + 1)
    alone = share * (1 - share)
    # Var(x) = n·share(1 - share)·(1 + (n - 1)ρ)
    rho = float(np.clip((((y - m * share) ** 2).sum() / alone - m.sum()) / max((m * (m - 1)).sum(), 1), 1e-4, 0.98))
    weight = 1 / rho - 1
    return stats.betabinom.sf(x - 1, np.maximum(n, 1), weight * share, weight * (1 - share))


def _two_sided(x: Codes, n: Codes, p: float) -> Floats:
    tails = np.minimum(stats.binom.cdf(x, n, p), stats.binom.sf(x - 1, n, p))
    return np.minimum(2 * tails, 1.0)


def subset(ballots: Ballots, use: NDArray[np.bool_]) -> Ballots:
    """Take some of the votes, of the same voters."""
    columns = {
        name: getattr(ballots, name)[use]
        for name in ("voter", "a", "b", "outcome", "at", "judged_s", "network", "prompt")
    }
    return replace(ballots, **columns)
