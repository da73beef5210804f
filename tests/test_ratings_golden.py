"""Golden files: for fixed votes, the numbers of every algorithm stay what they were."""

from pathlib import Path

import numpy as np
import orjson
import pandas as pd
import pytest

from ratings import davidson, robustness, style
from ratings.comparison import Comparisons
from ratings.elo import elo
from ratings.errors import SeparatedError
from ratings.fit import rate

FILES = sorted((Path(__file__).parent / "data").glob("ratings-*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_numbers_stay(file: Path):
    """A change that moves any published digit shows here, and then needs a new method version."""
    golden = orjson.loads(file.read_bytes())
    expected = golden["expected"]
    table = pd.DataFrame(golden["rows"], columns=["model_a", "model_b", "winner", "voter"])
    comparisons = Comparisons.from_frame(table, golden["models"])
    if expected["bradley_terry"] is None:
        with pytest.raises(SeparatedError):
            rate(comparisons, prior=0)
    else:
        np.testing.assert_allclose(rate(comparisons, prior=0).theta, expected["bradley_terry"], atol=1e-8)
    ratings = rate(comparisons, seed=1)
    np.testing.assert_allclose(ratings.theta, expected["bradley_terry_prior_half"], atol=1e-8)
    np.testing.assert_allclose([row.se or 0 for row in ratings.rows], expected["standard_errors"], atol=1e-8)
    assert [row.points for row in ratings.rows] == expected["points"]
    assert [list(row.rank_ci95 or ()) for row in ratings.rows] == expected["rank_ci95"]
    np.testing.assert_allclose(rate(comparisons, both_bad="tie").theta, expected["both_bad_as_tie"], atol=1e-8)
    np.testing.assert_allclose(elo(comparisons).ratings[-1], expected["elo"], atol=1e-5)
    np.testing.assert_allclose(davidson.fit(comparisons.tally()).theta, expected["davidson"], atol=1e-5)
    assert [pair.votes for pair in robustness.robustness(comparisons)] == expected["fewest_votes"]
    assert style.controlled(comparisons).coefficients[0].value == pytest.approx(expected["side_a"], abs=1e-5)


def test_there_are_golden_files():
    """The golden files travel with the tests."""
    assert len(FILES) >= 2
