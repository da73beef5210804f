"""Points that hang on who is first or last: intervals that cover near ties, and the bias that is told."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ratings import extremes, intervals
from ratings.anytime import Anytime
from ratings.fit import rate
from ratings.result import Ratings
from ratings.score import Transform
from tests.support.ratings_votes import votes

MANY = 1e9
"""So many voters that draws are normal."""
SCALES = {"top_normalised": extremes.of_top, "min_max": extremes.of_min_max}
PLAIN = {"top_normalised": extremes.top_normalised, "min_max": extremes.min_max}
TIED = np.array([0.4, 0.4, 0.4, 0.0, -0.5])
APART = np.array([1.5, 0.5, 0.0, -0.5, -1.5])


def simulated(theta: NDArray[np.float64], scale: str, stages: int, sd: float = 0.1) -> NDArray[np.float64]:
    """Estimates that scatter around the truth: (stages, 4, k) of error, bias, covered, covered by the draws' percentiles."""
    k = len(theta)
    centre = np.eye(k) - 1 / k
    covariance = centre * sd**2
    errors = intervals.difference_errors(covariance)
    truth, found = PLAIN[scale](theta), []
    sample = intervals.draws(covariance, MANY, seed=0, count=1000)
    for noise in np.random.default_rng(2).standard_normal((stages, k)) @ centre * sd:
        made = SCALES[scale](theta + noise, errors, sample)
        low, high = np.quantile(PLAIN[scale](theta + noise + sample), [0.025, 0.975], axis=0)
        assert made.bias is not None
        assert (made.low <= made.share).all()
        assert (made.share <= made.high).all()
        found.append(
            [
                made.share - truth,
                made.bias,
                (made.low <= truth + 1e-9) & (truth - 1e-9 <= made.high),
                (np.minimum(low, made.share) <= truth) & (truth <= np.maximum(high, made.share)),
            ]
        )
    return np.array(found, dtype=float)


@pytest.mark.parametrize("scale", SCALES)
def test_intervals_cover_where_leaders_are_equal(scale: str) -> None:
    """With three equal leaders 93–98 % of 250 stages' intervals hold the truth, and the bias that is told is the one there is."""
    error, bias, covered, drawn = np.moveaxis(simulated(TIED, scale, 250), 1, 0)
    assert 0.93 <= covered.mean() <= 0.98
    assert covered.mean(axis=0).min() >= 0.91
    assert drawn.mean(axis=0).min() < covered.mean(axis=0).min()
    leaders = slice(0, 3)
    assert error[:, leaders].mean() < -0.01
    assert bias[:, leaders].mean() == pytest.approx(error[:, leaders].mean(), rel=0.2)


@pytest.mark.parametrize("scale", SCALES)
def test_away_from_ties_nothing_is_told_and_nothing_lost(scale: str) -> None:
    """Where nobody is near the first or the last, the bias is nil, intervals hold and who is surely first has one point."""
    error, bias, covered, _ = np.moveaxis(simulated(APART, scale, 60), 1, 0)
    assert np.abs(bias).max() < 0.004
    assert np.abs(error.mean(axis=0)).max() < 0.01
    assert covered.mean() >= 0.93
    errors = np.sqrt(2) * 0.1 * (1 - np.eye(5))
    sample = intervals.draws((np.eye(5) - 0.2) * 0.01, MANY, seed=0)
    made = SCALES[scale](APART, errors, sample)
    assert (made.low[0], made.high[0]) == (1.0, 1.0)
    if scale == "min_max":
        assert (made.low[-1], made.high[-1]) == (0.0, 0.0)


def test_a_field_that_may_be_all_equal_has_no_scale() -> None:
    """Where everybody may be everybody's equal, min_max says nothing but its ends: nearly the whole range, and no bias."""
    errors = np.sqrt(2) * 0.1 * (1 - np.eye(4))
    sample = intervals.draws((np.eye(4) - 0.25) * 0.01, MANY, seed=0)
    made = extremes.of_min_max(np.array([0.06, 0.02, -0.03, -0.05]), errors, sample)
    assert made.bias is None
    assert (made.high - made.low).min() > 0.8


def rated(transform: str, names: str = "abcde", looks: Anytime | None = None) -> Ratings:
    """A stage in which three are about equal."""
    cast = votes([0.4, 0.4, 0.4, 0.0, -0.5], 100, 10, seed=3, taste=0.5)
    frame_of = dict(zip(cast.models, names, strict=True))
    order = sorted(range(5), key=lambda n: names[n])
    place = np.argsort(order)
    renamed = type(cast).from_codes(
        [frame_of[cast.models[n]] for n in order], place[cast.a], place[cast.b], cast.outcome, cast.voter
    )
    return rate(renamed, transform=Transform(transform), looks=looks)


@pytest.mark.parametrize("transform", SCALES)
def test_points_tell_their_bias_whatever_the_names(transform: str) -> None:
    """The same votes give the same intervals and bias under other names; looking early widens them and leaves the bias."""
    plain, again, renamed = rated(transform), rated(transform), rated(transform, "edcba")
    early = rated(transform, looks=Anytime(1000))
    assert plain.to_dict() == again.to_dict()
    for name, other in zip("abcde", "edcba", strict=True):
        row, same, wide = plain.row(name), renamed.row(other), early.row(name)
        assert (row.points_ci95, row.points_bias) == (same.points_ci95, same.points_bias)
        assert row.points_bias == wide.points_bias
        assert row.points_ci95 is not None
        assert wide.points_ci95 is not None
        assert wide.points_ci95[0] <= row.points_ci95[0] <= row.points_ci95[1] <= wide.points_ci95[1]
    leader = plain.by_rank()[0]
    assert leader.points == 25.0
    assert leader.points_bias is not None
    assert leader.points_bias < -0.2
    assert plain.to_dict()["scores"][0]["points_bias"] == plain.rows[0].points_bias


def test_a_scale_without_ends_has_no_such_bias() -> None:
    """The default tells none."""
    assert {row.points_bias for row in rated("win_probability").rows} == {None}
