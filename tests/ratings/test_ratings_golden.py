"""Golden files: for fixed votes, the numbers of every algorithm stay what they were."""

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest

from ratings import davidson, planning, robustness, sensitivity, style, weights
from ratings.comparison import Comparisons
from ratings.elo import elo
from ratings.errors import SeparatedError
from ratings.fit import rate
from ratings.score import Transform

FILES = sorted((Path(__file__).parents[1] / "data").glob("ratings-*.json"))
TRANSFORMS = {
    "win_probability": {},
    "anchored": {"panel": {"m1": 0.3, "m2": 0.0}},
    "top_normalised": {},
    "min_max": {},
}
LOOSE = {"davidson": 1e-5, "side_a": 1e-5, "elo": 1e-5}
"""Absolute tolerances of what a general optimiser or a long recursion gives; all else holds to 1e-8."""


def numbers(comparisons: Comparisons) -> dict[str, Any]:
    """What every algorithm says of these votes."""
    ratings = rate(comparisons, seed=1)
    fragile = robustness.robustness(comparisons)
    assert comparisons.voter is not None
    voters = int(comparisons.voter.max()) + 1
    region = pd.DataFrame({"region": ["capital" if n % 3 else "other" for n in range(voters)]})
    raked = weights.rake(region, {"region": {"capital": 0.5, "other": 0.5}}, np.bincount(comparisons.voter))
    try:
        plain = rate(comparisons, prior=0).theta
    except SeparatedError:
        plain = None
    points = {
        name: rate(comparisons, seed=1, transform=Transform(name, params=params)).rows
        for name, params in TRANSFORMS.items()
    }
    return {
        "bradley_terry": plain,
        "bradley_terry_prior_half": ratings.theta,
        "standard_errors": [row.se for row in ratings.rows],
        "rank_ci95": [row.rank_ci95 for row in ratings.rows],
        "points": {name: [(row.points, *(row.points_ci95 or ())) for row in rows] for name, rows in points.items()},
        "both_bad_as_tie": rate(comparisons, both_bad="tie").theta,
        "both_bad_share": [(s.share, s.low, s.high) for s in sensitivity.both_bad_shares(comparisons)],
        "elo": elo(comparisons).ratings[-1],
        "davidson": davidson.fit(comparisons.tally()).theta,
        "fewest_votes": [pair.votes for pair in fragile],
        "fewest_voters": [pair.voters or 0 for pair in fragile],
        "side_a": [(c.value, c.low, c.high) for c in style.controlled(comparisons).coefficients],
        "raked_weights": raked.weights[:3],
        "weighted": rate(weights.weighted(comparisons, raked.weights)).theta,
        "votes_to_half_width": planning.votes_to_half_width(ratings, 0.5).votes[50],
    }


def comparisons_of(golden: dict[str, Any]) -> Comparisons:
    """The votes of a golden file."""
    return Comparisons.from_frame(
        pd.DataFrame(golden["rows"], columns=["model_a", "model_b", "winner", "voter"]), golden["models"]
    )


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_numbers_stay(file: Path):
    """A change that moves any published digit shows here, and then needs a new method version."""
    golden = orjson.loads(file.read_bytes())
    found = numbers(comparisons_of(golden))
    assert found.keys() == golden["expected"].keys()
    for name, expected in golden["expected"].items():
        if expected is None:
            assert found[name] is None
        elif isinstance(expected, dict):
            for part, values in expected.items():
                np.testing.assert_allclose(found[name][part], values, atol=1e-8, err_msg=f"{name} {part}")
        else:
            np.testing.assert_allclose(found[name], expected, atol=LOOSE.get(name, 1e-8), rtol=0, err_msg=name)


def test_there_are_golden_files():
    """The golden files travel with the tests."""
    assert len(FILES) >= 2


def write() -> None:
    """Replaces the expected numbers by today's: `python -m tests.ratings.test_ratings_golden`, once a change of digits is meant."""
    for file in FILES:
        golden = orjson.loads(file.read_bytes())
        golden["expected"] = numbers(comparisons_of(golden))
        file.write_bytes(orjson.dumps(golden, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE))


if __name__ == "__main__":
    write()
