"""From ratings to points: the declared transforms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratings.errors import TransformError
from ratings.fit import rate
from ratings.score import Transform, rounded
from tests.support.ratings_votes import votes
from tests.support.words import refusing

COMPARISONS = votes([0.8, 0.3, 0.0, -0.3, -0.8], 120, 10, seed=6, taste=0.5, ties=0.1)
TRANSFORMS = [
    Transform(),
    Transform("anchored", params={"anchor": "m2"}),
    Transform("anchored", params={"panel": {"m1": 0.4, "m3": -0.2}}),
    Transform("top_normalised"),
    Transform("min_max"),
]


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda t: f"{t.id}-{'-'.join(t.params)}")
@pytest.mark.parametrize("maximum", [25.0, 100.0])
def test_points_stay_in_range_with_the_order(transform: Transform, maximum: float):
    """Every transform keeps the order, stays within 0 and the maximum, holds the score in its interval, and is declared."""
    ratings = rate(COMPARISONS, transform=transform, component_max=maximum)
    rows = ratings.by_rank()
    points = [row.points for row in rows if row.points is not None]
    assert points == sorted(points, reverse=True)
    for row in rows:
        assert row.points is not None
        assert row.points_ci95 is not None
        assert 0 <= row.points_ci95[0] <= row.points <= row.points_ci95[1] <= maximum
    declared = ratings.to_dict()["method"]["transform"]
    assert (declared["id"], declared["version"], declared["scale"]) == (transform.id, 1, [0, maximum])
    assert declared["rounding"] == {"decimals": 2, "mode": "half_even"}


def test_win_probability_is_the_mean_over_the_others():
    """The default score is the maximum times the mean probability to beat each other entrant; half for the average."""
    ratings = rate(COMPARISONS)
    theta = ratings.theta
    for n, row in enumerate(ratings.rows):
        chances = [1 / (1 + np.exp(theta[j] - theta[n])) for j in range(5) if j != n]
        assert row.win_probability == pytest.approx(np.mean(chances), abs=1e-12)
        assert row.points == round(25 * float(np.mean(chances)), 2)
    assert sum(row.points for row in ratings.rows if row.points) == pytest.approx(5 * 12.5, abs=0.03)


def test_the_corners_of_the_other_scales():
    """top_normalised gives the leader the maximum, min_max the last nothing, anchored the anchor exactly half."""
    top = rate(COMPARISONS, transform=Transform("top_normalised")).by_rank()
    assert top[0].points == 25.0
    spread = rate(COMPARISONS, transform=Transform("min_max")).by_rank()
    assert (spread[0].points, spread[-1].points) == (25.0, 0.0)
    anchored = rate(COMPARISONS, transform=Transform("anchored", params={"anchor": "m2"})).row("m2")
    assert (anchored.points, anchored.points_ci95) == (12.5, (12.5, 12.5))


def test_a_frozen_panel_keeps_its_scale():
    """Against a panel frozen at its own strengths, the points are those of the probability to beat the panel."""
    ratings = rate(COMPARISONS)
    panel = {"m0": float(ratings.theta[0]), "m4": float(ratings.theta[4])}
    anchored = rate(COMPARISONS, transform=Transform("anchored", params={"panel": panel}))
    theta = ratings.theta
    expected = [25 * np.mean([1 / (1 + np.exp(t - theta[n])) for t in panel.values()]) for n in range(5)]
    assert [row.points for row in anchored.rows] == [round(float(e), 2) for e in expected]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Transform("softmax"), "unknown; choose one of win_probability"),
        (lambda: Transform(version=2), "version 2 is unknown"),
        (lambda: Transform(params={"anchor": "x"}), "does not know the parameter 'anchor'"),
        (lambda: Transform("anchored"), "needs either"),
        (lambda: rate(COMPARISONS, transform=Transform("anchored", params={"anchor": "m9"})), "'m9' was not compared"),
    ],
)
def test_an_ill_declared_transform_is_refused(make, words: str):
    """A transform that is unknown or misses its anchor never scores anybody."""
    with refusing(TransformError, match=words):
        make()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2500))
def test_rounding_is_half_to_even_as_printed(cents: int):
    """Halves of the last decimal go to the even neighbour, judged on the number as it is printed."""
    value = cents / 100 + 0.005
    lower = cents if cents % 2 == 0 else cents + 1
    assert rounded(round(value, 3), 2) == lower / 100


def test_an_anchor_entrant_stands_at_a_thousand():
    """With an anchor entrant its rating is exactly 1000 without error, and differences and points stay as they were."""
    free, held = rate(COMPARISONS), rate(COMPARISONS, anchor="m3")
    assert held.row("m3").rating == 1000.0
    assert held.row("m3").se == 0.0
    np.testing.assert_allclose(np.diff(held.theta), np.diff(free.theta), atol=1e-12)
    assert [r.points for r in held.rows] == [r.points for r in free.rows]
    assert [r.rank_ci95 for r in held.rows] == [r.rank_ci95 for r in free.rows]
