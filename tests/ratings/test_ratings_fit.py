"""The fit: what goes in, what comes out, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratings import bradley_terry
from ratings.comparison import OUTCOMES, Comparisons
from ratings.errors import ComparisonError, NothingToRateError, SeparatedError
from ratings.fit import PER_LOGIT, rate
from tests.support.ratings_votes import frame, optimum, votes
from tests.support.words import refusing

ROWS = pd.DataFrame(
    {
        "model_a": ["x", "y", "x", "z"],
        "model_b": ["y", "z", "z", "x"],
        "winner": ["model_a", "tie", "model_b", "both_bad"],
        "voter": ["u1", "u2", "u1", "u3"],
    }
)


@pytest.mark.parametrize("prior", [0.0, 0.5, 2.0])
def test_fit_is_the_converged_optimum(prior: float):
    """The strengths agree with an independent optimiser's to 1e-6, with and without the prior."""
    wins = votes([0.9, 0.3, 0.0, -0.2, -1.0], voters=60, each=10, seed=3, ties=0.2).tally().wins
    fitted = bradley_terry.fit(wins, prior)
    np.testing.assert_allclose(fitted, optimum(wins, prior), atol=1e-6)


def test_fit_arrives_on_a_long_chain():
    """Where comparisons form a ring, on which ILSR crawls, the gradient at the answer is still zero."""
    k = 60
    wins = np.zeros((k, k))
    for i in range(k):
        wins[i, (i + 1) % k], wins[(i + 1) % k, i] = 30 + i % 7, 20
    theta = bradley_terry.fit(wins, 0)
    p = bradley_terry.probabilities(theta)
    assert np.abs((wins - (wins + wins.T) * p).sum(axis=1)).max() < 1e-8


@pytest.mark.parametrize(
    ("change", "row", "words"),
    [
        ({"winner": ["model_a", "tie", "left", "tie"]}, 2, "winner is 'left'"),
        ({"model_b": ["y", "y", "z", "x"]}, 1, "compared with itself"),
        ({"model_a": ["x", None, "x", "z"]}, 1, "model_a is empty"),
        ({"voter": ["u1", "u2", "u3", float("nan")]}, 3, "voter is empty"),
        ({"weight": [1.0, 1.0, -0.5, 1.0]}, 2, "weight is -0.5"),
        ({"weight": [1.0, float("nan"), 1.0, 1.0]}, 1, "weight is nan"),
    ],
)
def test_a_wrong_row_is_named(change: dict, row: int, words: str):
    """An unreadable row is an error that says which row and what is wrong, never a silent tie."""
    with refusing(ComparisonError, match=rf"row {row}: .*{words}") as caught:
        Comparisons.from_frame(ROWS.assign(**change))
    assert caught.value.row == row


def test_missing_columns_are_named():
    """Without the field's columns, the message lists what must exist."""
    with refusing(ComparisonError, match=r"'winner' is missing.*model_a, model_b, winner"):
        Comparisons.from_frame(ROWS.drop(columns="winner"))


def test_undeclared_entrant_is_an_error():
    """With the entrants declared, a vote for any other name is refused."""
    with refusing(ComparisonError, match="row 3: model_a is 'z'"):
        Comparisons.from_frame(ROWS, models=["x", "y"])


def test_judge_is_a_voter():
    """The field's `judge` column is read where there is no `voter`."""
    pd.testing.assert_series_equal(
        pd.Series(Comparisons.from_frame(ROWS).voter),
        pd.Series(Comparisons.from_frame(ROWS.rename(columns={"voter": "judge"})).voter),
    )


def test_entrant_without_votes_is_listed_unranked():
    """A declared entrant whom no vote mentions is reported without rating, and breaks nothing."""
    ratings = rate(Comparisons.from_frame(ROWS, models=["newcomer", "x", "y", "z"]))
    row = ratings.row("newcomer")
    assert (row.rating, row.rank, row.points, row.n_votes, row.provisional) == (None, None, None, 0, True)
    assert [n.entrants for n in ratings.notices if n.code == "no_votes"] == [("newcomer",)]
    assert ratings.to_dict()["covariance"][0] == [None] * 4


def test_no_countable_vote_is_refused():
    """No votes, or only both_bad ones, give no rating at all."""
    with pytest.raises(NothingToRateError):
        rate(Comparisons.from_frame(ROWS.iloc[3:]))
    with pytest.raises(NothingToRateError):
        rate(Comparisons.from_frame(ROWS.iloc[:0], models=["x", "y"]))


def test_never_compared_groups_are_ranked_apart():
    """Entrants that never met, not even through others, are ranked in their own groups and the answer says who."""
    left, right = votes([0.5, -0.5], 40, 5, 1), votes([1.0, 0.0, -1.0], 40, 5, 2)
    both = pd.concat([frame(left), frame(right).replace({"m0": "n0", "m1": "n1", "m2": "n2"})])
    ratings = rate(Comparisons.from_frame(both))
    assert [(r.group, r.rank) for r in ratings.rows] == [(0, 1), (0, 2), (1, 1), (1, 2), (1, 3)]
    [notice] = [n for n in ratings.notices if n.code == "never_compared"]
    assert notice.entrants == ("m0", "m1", "n0", "n1", "n2")
    assert {p.separated for p in ratings.pairwise if p.a[0] != p.b[0]} == {None}
    assert np.isnan(ratings.covariance[0, 2])
    alone = rate(Comparisons.from_frame(frame(left)))
    np.testing.assert_allclose(ratings.theta[:2], alone.theta, atol=1e-12)


def test_separation_is_named_and_refused_without_a_prior():
    """An undefeated group is named; plain maximum likelihood, which does not exist then, is refused."""
    rows = [("top", "x"), ("top", "y"), ("x", "y"), ("y", "x"), ("x", "last"), ("y", "last")] * 120
    data = pd.DataFrame(rows, columns=["model_a", "model_b"]).assign(winner="model_a")
    comparisons = Comparisons.from_frame(data)
    with refusing(SeparatedError, match="top never lost to last, x, y"):
        rate(comparisons, prior=0)
    ratings = rate(comparisons)
    assert next(n.entrants[0] for n in ratings.notices if n.code == "separated") == "top"
    assert {r.model for r in ratings.rows if r.provisional} == {"top", "last"}
    assert np.isfinite(ratings.theta).all()


def test_provisional_below_thirty_votes():
    """Under 30 votes, or beyond ±50 rating points, an entrant is provisional and the reason is said."""
    many, few = votes([0.3, 0.0, -0.3], 300, 10, 4), votes([0.3, 0.0, -0.3], 12, 2, 5)
    assert not any(r.provisional for r in rate(many).rows)
    ratings = rate(few)
    assert all(r.provisional for r in ratings.rows)
    assert {"few_votes", "few_voters"} <= {n.code for n in ratings.notices}


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), shuffle=st.integers(0, 2**32 - 1))
def test_order_and_sides_change_no_digit(seed: int, shuffle: int):
    """Votes in another order, or with sides swapped and outcomes mirrored, give the same ratings to the last digit."""
    first = votes([0.6, 0.1, -0.2, -0.5], voters=17, each=9, seed=seed, taste=1, ties=0.2, both_bad=0.1)
    rng = np.random.default_rng(shuffle)
    table = frame(first)
    swap = rng.random(len(table)) < 0.5
    mirror = {"model_a": "model_b", "model_b": "model_a", "tie": "tie", "both_bad": "both_bad"}
    mixed = table.copy()
    mixed.loc[swap, "model_a"], mixed.loc[swap, "model_b"] = table.loc[swap, "model_b"], table.loc[swap, "model_a"]
    mixed.loc[swap, "winner"] = table.loc[swap, "winner"].map(mirror)
    mixed = mixed.sample(frac=1, random_state=int(rng.integers(2**31)))
    one, other = rate(Comparisons.from_frame(table), seed=5), rate(Comparisons.from_frame(mixed), seed=5)
    assert one.rows == other.rows
    np.testing.assert_array_equal(one.covariance, other.covariance)


def test_weighted_votes_are_as_deterministic():
    """Weights do not cost the last digit either: any order of rows gives the same."""
    table = frame(votes([0.6, 0.1, -0.7], 30, 8, seed=11, ties=0.1))
    table["weight"] = np.random.default_rng(0).uniform(0.2, 3, len(table))
    mixed = table.sample(frac=1, random_state=3)
    assert rate(Comparisons.from_frame(table)).to_dict() == rate(Comparisons.from_frame(mixed)).to_dict()
    assert rate(Comparisons.from_frame(table)).rows == rate(Comparisons.from_frame(mixed)).rows


def test_renaming_models_renames_rows():
    """Other names, in another order, give the same numbers to the renamed."""
    table = frame(votes([0.6, 0.1, -0.7], 60, 8, seed=12, ties=0.1))
    rename = {"m0": "zebra", "m1": "apple", "m2": "mango"}
    one = rate(Comparisons.from_frame(table))
    other = rate(Comparisons.from_frame(table.replace(rename)))
    for row in one.rows:
        twin = other.row(rename[row.model])
        assert (twin.rank, twin.points, twin.n_votes) == (row.rank, row.points, row.n_votes)
        assert twin.rating == pytest.approx(row.rating, abs=1e-8)


def test_a_known_answer():
    """Agresti's 1987 American League home records: the published Bradley–Terry strengths, relative to Baltimore."""
    teams = ["Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore"]
    wins = np.array(  # Agresti, Categorical Data Analysis, 2nd ed. (2002), table 10.10: row's team over column's, of 13
        [
            [0, 7, 9, 7, 7, 9, 11],
            [6, 0, 7, 5, 11, 9, 9],
            [4, 6, 0, 7, 7, 8, 12],
            [6, 8, 6, 0, 6, 7, 10],
            [6, 2, 6, 7, 0, 7, 12],
            [4, 4, 5, 6, 6, 0, 6],
            [2, 4, 1, 3, 1, 7, 0],
        ]
    )
    assert (wins + wins.T)[~np.eye(7, dtype=bool)].tolist() == [13] * 42
    codes = [(i, j) for i in range(7) for j in range(7) for _ in range(wins[i, j])]
    a, b = np.array(codes).T
    ratings = rate(Comparisons.from_codes(teams, a, b, np.zeros(len(a), int)), prior=0, anchor="Baltimore")
    published = [1.58, 1.44, 1.29, 1.25, 1.11, 0.68, 0.0]
    np.testing.assert_allclose(ratings.theta, published, atol=0.0051)


def test_another_known_answer():
    """The worked example of Wikipedia's "Bradley–Terry model": p = 0.640, 1.043, 0.660, 2.270, of geometric mean 1."""
    wins = {"AB": 2, "AD": 1, "BA": 3, "BC": 5, "CB": 3, "CD": 1, "DA": 4, "DC": 3}
    rows = pd.DataFrame([tuple(pair) for pair, n in wins.items() for _ in range(n)], columns=["model_a", "model_b"])
    strengths = np.exp(rate(Comparisons.from_frame(rows.assign(winner="model_a")), prior=0).theta)
    np.testing.assert_allclose(strengths, [0.640, 1.043, 0.660, 2.270], atol=0.0005)


def test_outcomes_are_the_codes():
    """The outcome codes that databases and files store never move."""
    assert [o.value for o in OUTCOMES] == ["model_a", "model_b", "tie", "both_bad"]
    assert pytest.approx(173.7177927613007) == PER_LOGIT
