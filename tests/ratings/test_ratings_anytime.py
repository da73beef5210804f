"""Looking while people vote: what is said holds at all looks together, and is little wider at the planned size than for one look."""

from dataclasses import replace
from itertools import permutations
from math import exp, log, sqrt

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from ratings import anytime, intervals
from ratings.anytime import Anytime
from ratings.comparison import Comparisons
from ratings.fit import rate
from ratings.live import LiveRatings
from ratings.score import Transform
from tests.support.ratings_votes import frame, votes

MANY = 1e9
"""So many voters that quantiles are normal."""


@pytest.mark.parametrize("error", [0.05, 0.002])
def test_the_boundary_is_the_papers(error: float) -> None:
    """Waudby-Smith et al. 2024, theorem 2.2: σ̂ √(2(tρ² + 1)/(t²ρ²) · log(√(tρ² + 1)/α)), here in units of σ̂/√t."""
    for rho in (0.03, 0.2):
        for t in (5, 70, 4000):
            reach = sqrt(2 * (t * rho**2 + 1) / (t**2 * rho**2) * log(sqrt(t * rho**2 + 1) / error))
            assert anytime.boundary(t * rho**2, error) == pytest.approx(reach * sqrt(t), rel=1e-12)


def test_the_boundary_is_where_the_mixture_says_so() -> None:
    """∫ exp(λW − λ²V/2) dN(λ; 0, ρ²), integrated by number, is 1/α at the boundary; over λ > 0 alone, about a mean above 0, at the one-sided one."""
    v, rho, error = 40.0, 0.3, 0.01
    clock = rho**2 * v

    def mixed(z: float, low: float, lean: float = 0.0) -> float:
        def at(slope: float) -> float:
            return exp(slope * z * sqrt(v) - slope**2 * v / 2) * float(norm.pdf(slope, lean * rho, rho))

        return quad(at, low, 10, points=[0.0, z / sqrt(v)])[0]

    assert mixed(anytime.boundary(clock, error), -10) == pytest.approx(1 / error, rel=1e-6)
    for lean in (0.0, anytime.LEAN):
        above = mixed(anytime.one_sided(clock, error, lean), 0, lean) / float(norm.cdf(lean))
        assert above == pytest.approx(1 / error, rel=1e-6)


@pytest.mark.parametrize("error", [0.05, 0.05 / 6, 0.05 / 190])
def test_the_boundary_is_least_at_the_planned_size(error: float) -> None:
    """Nowhere on a fine grid of clocks is it less than at `tightest`, where it is √(x + 1)."""
    best = anytime.tightest(error)
    least = anytime.boundary(best, error)
    assert least == pytest.approx(sqrt(best + 1), rel=1e-12)
    assert all(anytime.boundary(best * factor, error) >= least for factor in np.geomspace(0.01, 100, 400))
    best = anytime.tightest_claim(error)
    least = anytime.one_sided(best, error) * (1 - 1e-9)
    assert all(anytime.one_sided(best * factor, error) >= least for factor in np.geomspace(0.01, 100, 100))


def test_random_walks_cross_as_seldom_as_promised() -> None:
    """Of 4,000 walks of 1,500 steps no more ever cross than the error says, either way and upwards, and not so few that width is given away."""
    steps, paths = 1500, 4000
    rng = np.random.default_rng(7)
    times = np.arange(1, steps + 1)
    for error in (0.05, 0.2):
        clock = anytime.tightest(error) * times / 50
        both = np.array([anytime.boundary(x, error) for x in clock])
        above = np.array([anytime.one_sided(x, error) for x in anytime.tightest_claim(error) * times / 50])
        crossed = np.zeros(2)
        for _ in range(4):
            z = rng.standard_normal((paths // 4, steps)).cumsum(axis=1) / np.sqrt(times)
            crossed += (np.abs(z) > both).any(axis=1).sum(), (z > above).any(axis=1).sum()
        noise = 3 * sqrt(error * (1 - error) / paths)
        assert (crossed / paths <= error + noise).all()
        assert (crossed / paths >= error / 3).all()


@pytest.mark.parametrize("k", [2, 3, 4, 5, 20])
def test_at_the_planned_size_it_costs_at_most_this(k: int) -> None:
    """One interval at most 1.65 times the fixed width, pairs 1.5 times, of two entrants too."""
    looks, covariance = Anytime(3000), np.eye(k) - 1 / k
    fixed = intervals.simultaneous(np.zeros(k), covariance, intervals.draws(covariance, MANY, 0, 20_000)).critical
    assert looks.simultaneous(np.zeros(k), covariance, 3000, MANY).critical <= 1.5 * fixed
    assert all(looks.quantile(3000, n) <= 1.65 * intervals.quantile(n) for n in (12, 25, 49, MANY))


def test_few_voters_widen_it_as_they_do_without_looks() -> None:
    """The multiple of the standard error falls with the voters, down to the normal's, and by more than it does for one look."""
    looks = Anytime(100)
    reach = [looks.quantile(100, voters) for voters in (4, 10, 49, 60)]
    assert reach == sorted(reach, reverse=True)
    assert reach[-1] == looks.quantile(100, MANY)
    assert reach[1] / reach[-1] > intervals.quantile(10) / intervals.quantile(MANY)


@pytest.mark.parametrize("clusters", [8, 12, 25])
def test_few_clusters_fail_no_more_often(clusters: int) -> None:
    """Means of so many clusters that come one after the other, and of as many again, with the error estimated from them: 5 % of sequences ever miss."""
    paths, n = 10_000, np.arange(2, 2 * clusters + 1)
    drawn = np.random.default_rng(5).standard_normal((paths, 2 * clusters))
    mean = drawn.cumsum(axis=1)[:, 1:] / n
    squares = (drawn**2).cumsum(axis=1)[:, 1:] - n * mean**2
    off = np.abs(mean) / np.sqrt(squares / (n - 1) / n)
    reach = np.array([Anytime(clusters).quantile(int(each), int(each)) for each in n])
    ever = (off > reach).any(axis=1).mean()
    assert 0.02 < ever < 0.05 + 2 * sqrt(0.05 * 0.95 / paths)


def test_claims_are_holms_and_never_more_than_at_one_look() -> None:
    """On random fields they are those of Holm's procedure, written out claim by claim, and the fixed ones hold all of them."""
    rng = np.random.default_rng(0)
    made = 0
    for seed in range(60):
        k = int(rng.integers(2, 9))
        mixed = rng.standard_normal((k, k)) * 0.1
        covariance, theta = mixed @ mixed.T, rng.standard_normal(k) * rng.choice([0.3, 1.0])
        n = float(rng.choice([100, 1000, 5000]))
        at_once = Anytime(1000).simultaneous(theta, covariance, n, MANY)
        clock = anytime.tightest_claim(0.05 / (k * (k - 1))) * n / 1000
        error = intervals.difference_errors(covariance)
        p = {
            (i, j): 1 / exp(float(anytime.log_evidence((theta[i] - theta[j]) / error[i, j], clock)))
            for i, j in permutations(range(k), 2)
        }
        above = np.zeros((k, k), bool)
        for place, (i, j) in enumerate(sorted(p, key=lambda pair: p[pair])):
            if p[i, j] > 0.05 / (len(p) - place):
                break
            above[i, j] = True
        np.testing.assert_array_equal(at_once.separated, above | above.T)
        np.testing.assert_array_equal(at_once.rank_low, 1 + above.sum(axis=0))
        np.testing.assert_array_equal(at_once.rank_high, k - above.sum(axis=1))
        fixed = intervals.simultaneous(theta, covariance, intervals.draws_by_strength(theta, covariance, MANY, seed))
        assert not (at_once.separated & ~fixed.separated).any()
        made += int(above.sum())
    assert made


def test_four_equal_teams_are_not_told_apart_by_looking_often() -> None:
    """Of 40 stages looked at ten times fixed pairs come apart at some look in many; anytime ones, and anytime intervals off the truth, in hardly any."""
    stages, cast, looks = 40, 1500, Anytime(1500)
    ever = np.zeros(3)
    for seed in range(stages):
        all_votes = votes(np.zeros(4), 150, 10, seed, taste=0.7)
        seen = np.zeros(3, bool)
        for n in range(150, cast + 1, 150):
            voter = None if all_votes.voter is None else all_votes.voter[:n]
            part = Comparisons.from_codes(
                all_votes.models, all_votes.a[:n], all_votes.b[:n], all_votes.outcome[:n], voter
            )
            fixed, safe = rate(part), rate(part, looks=looks)
            low, high = safe.rows[0].points_ci95 or (0, 25)
            seen |= [
                any(pair.separated for pair in fixed.pairwise),
                any(pair.separated for pair in safe.pairwise),
                not low <= 12.5 <= high,
            ]
        ever += seen
    fixed, apart, missed = ever / stages
    assert fixed > 0.1
    assert apart <= 0.05
    assert missed <= 0.05 + 2 * sqrt(0.05 * 0.95 / stages)


@pytest.mark.parametrize("transform", ["win_probability", "top_normalised", "min_max"])
def test_a_fit_that_is_looked_at_says_so_and_is_wider_everywhere(transform: str) -> None:
    """Estimates and covariance stay; every interval holds the fixed one; `method` names the intervals and the plan."""
    cast = votes([0.4, 0.1, 0, -0.6], 200, 20, 3, taste=0.5)
    fixed, safe = (rate(cast, transform=Transform(transform), looks=looks) for looks in (None, Anytime(4000)))
    np.testing.assert_array_equal(fixed.theta, safe.theta)
    np.testing.assert_array_equal(fixed.covariance, safe.covariance)
    for once, ever in zip(fixed.rows, safe.rows, strict=True):
        for name in ("rating_ci95", "win_probability_ci95", "points_ci95", "rank_ci95"):
            (low, high), (wide_low, wide_high) = getattr(once, name), getattr(ever, name)
            assert wide_low <= low
            assert high <= wide_high
        assert replace(ever, rating_ci95=None).rating == once.rating
    told = [fit.to_dict()["method"] for fit in (fixed, safe)]
    assert [(each["intervals"], each["planned_votes"]) for each in told] == [("fixed", None), ("anytime", 4000)]


def test_live_says_what_the_batch_says() -> None:
    """A snapshot that is looked at is the looked-at fit of the same votes, to the last digit."""
    cast = votes([0.4, 0.1, 0, -0.6], 80, 20, 3, taste=0.5)
    live = LiveRatings(cast.models)
    live.add_many(frame(cast))
    looks = Anytime(1000)
    assert live.snapshot(looks=looks).to_dict() == rate(cast, looks=looks).to_dict()
