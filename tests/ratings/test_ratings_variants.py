"""Beside the raw fit: ties, style, weights, robustness, Elo, and how many more votes."""

import evalica
import numpy as np
import orjson
import pandas as pd
import pytest
from scipy.special import expit

from arena.results.votes import weighting
from ratings import davidson, planning, robustness, sensitivity, style, weights
from ratings.comparison import Comparisons
from ratings.elo import elo
from ratings.errors import ComparisonError, NotConvergedError, RatingsError
from ratings.fit import rate
from tests.support.ratings_votes import frame, votes
from tests.support.vote_tables import strata_table
from tests.support.words import refusing

COMPARISONS = votes([0.5, 0.35, 0.0, -0.3, -0.5], 150, 20, seed=8, taste=0.5, ties=0.2, both_bad=0.05)


# ---- an independent oracle


@pytest.mark.parametrize("seed", range(5))
def test_evalica_agrees_on_the_point_estimate(seed: int):
    """evalica, which shares no code with choix or this package, finds the same strengths."""
    comparisons = votes([0.9, 0.2, 0.0, -0.4, -0.7], 80, 20, seed=seed, ties=0.15)
    table = frame(comparisons)
    winner = {"model_a": evalica.Winner.X, "model_b": evalica.Winner.Y, "tie": evalica.Winner.Draw}
    result = evalica.bradley_terry(
        table["model_a"].tolist(), table["model_b"].tolist(), [winner[w] for w in table["winner"]], tolerance=1e-12
    )
    theirs = np.log([result.scores[name] for name in comparisons.models])
    np.testing.assert_allclose(rate(comparisons, prior=0).theta, theirs - theirs.mean(), atol=1e-5)


def test_evalica_agrees_on_elo():
    """Online Elo, vote by vote, is evalica's."""
    comparisons = votes([0.9, 0.2, -0.7], 40, 10, seed=1, ties=0.15)
    table = frame(comparisons)
    winner = {"model_a": evalica.Winner.X, "model_b": evalica.Winner.Y, "tie": evalica.Winner.Draw}
    result = evalica.elo(
        table["model_a"].tolist(),
        table["model_b"].tolist(),
        [winner[w] for w in table["winner"]],
        initial=1000.0,
        k=4.0,
    )
    trace = elo(comparisons)
    np.testing.assert_allclose(trace.ratings[-1], [result.scores[name] for name in comparisons.models], atol=1e-9)


# ---- Elo


def test_elo_depends_on_the_order_and_says_its_seed():
    """The same votes in another seeded order end elsewhere; the same seed ends at the same place."""
    first, again, other = (elo(COMPARISONS, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.ratings, again.ratings)
    assert np.abs(first.ratings[-1] - other.ratings[-1]).max() > 0.5
    assert (first.seed, elo(COMPARISONS).seed) == (1, None)
    np.testing.assert_allclose(first.ratings.sum(axis=1), 5000, atol=1e-6)
    assert first.votes[-1] == rate(COMPARISONS).n_used


# ---- ties and both_bad


def test_the_tie_model_recovers_its_own_data():
    """Votes drawn from Davidson's model give back its strengths and its readiness to call a tie."""
    rng, theta, nu, n = np.random.default_rng(3), np.array([0.8, 0.2, -0.3, -0.7]), 0.6, 60_000
    a = rng.integers(0, 4, n)
    b = (a + rng.integers(1, 4, n)) % 4
    d = theta[a] - theta[b]
    odds = np.stack([np.exp(d / 2), np.exp(-d / 2), np.full(n, nu)], axis=1)
    outcome = (rng.random(n)[:, None] > np.cumsum(odds / odds.sum(axis=1, keepdims=True), axis=1)).sum(axis=1)
    fitted = davidson.fit(Comparisons.from_codes(list("wxyz"), a, b, outcome).tally())
    np.testing.assert_allclose(fitted.theta, theta, atol=0.04)
    assert fitted.nu == pytest.approx(nu, abs=0.02)


def test_the_tie_model_needs_ties():
    """Without a tie there is no tie parameter, and the check says so instead of returning a limit."""
    with pytest.raises(NotConvergedError):
        davidson.fit(votes([0.3, 0.0, -0.3], 30, 10, 1).tally())
    assert sensitivity.sensitivity(votes([0.3, 0.0, -0.3], 30, 10, 1)).tie_model is None


def test_a_side_that_always_wins_has_no_controlled_fit() -> None:
    """When every vote is for side a, no finite side effect explains it: that is said, and nothing else breaks."""
    told = pd.DataFrame({"model_a": ["가람", "나래"] * 2, "model_b": ["나래", "가람"] * 2, "winner": ["model_a"] * 4})

    with pytest.raises(NotConvergedError):
        style.controlled(Comparisons.from_frame(told), np.zeros((4, 4)))


def test_sensitivity_shows_the_other_choices():
    """both_bad the other way, its share per entrant with an interval, and the tie model stand beside the declared fit."""
    seen = sensitivity.sensitivity(COMPARISONS)
    assert seen.declared.to_dict() == rate(COMPARISONS).to_dict()
    assert seen.other is not None
    assert seen.other.to_dict() == rate(COMPARISONS, both_bad="tie").to_dict()
    assert seen.other.n_used == seen.declared.n_votes > seen.declared.n_used
    for share, row in zip(seen.shares, seen.declared.rows, strict=True):
        assert share.low < 0.05 < share.high
        assert share.votes == row.n_votes + row.both_bad
    document = orjson.loads(orjson.dumps(seen.to_dict()))
    assert document["both_bad_tie"][0]["model"] == "m0"
    assert document["davidson"]["swapped"] == []


# ---- style


def test_style_control_finds_what_style_did():
    """When long answers win for being long, the raw rating is wrong by it, and the controlled one is not."""
    rng, theta, n, k = np.random.default_rng(6), np.array([0.0, 0.5, 0.0, -0.5]), 40_000, 4
    a = rng.integers(0, k, n)
    b = (a + rng.integers(1, k, n)) % k
    habit = np.array([900.0, 300, 300, 300])  # m0 is wordy, and no better than m2
    columns = {f"{name}_{side}": rng.poisson(3, n).astype(float) for name in style.MARKS for side in "ab"}
    columns["length_a"], columns["length_b"] = habit[a] * rng.lognormal(0, 0.4, n), habit[b] * rng.lognormal(0, 0.4, n)
    x = style.differences(columns)
    spread = x[:, 0].std()
    won = rng.random(n) < expit(theta[a] - theta[b] + 0.6 * x[:, 0] / spread + 0.1)
    comparisons = Comparisons.from_codes(
        [f"m{i}" for i in range(k)], a, b, np.where(won, 0, 1), rng.integers(0, 800, n)
    )
    raw, fit = rate(comparisons), style.controlled(comparisons, x)
    assert raw.theta[0] - raw.theta[2] > 0.4
    assert abs(fit.theta[0] - fit.theta[2]) < 0.1
    length, *others, side = fit.coefficients
    assert (length.name, side.name) == ("length", "side_a")
    assert length.low < 0.6 < length.high
    assert side.low < 0.1 < side.high
    assert all(abs(c.value) < 0.05 for c in others)
    shown = fit.to_dict(raw)
    assert shown["scores"][0]["rank_raw"] < shown["scores"][0]["rank"]


def test_without_covariates_the_fit_is_the_raw_one():
    """Style control without style is the raw fit: same strengths, and the left side favoured by nothing."""
    comparisons = votes([0.5, 0.0, -0.5], 100, 20, seed=2)
    fit = style.controlled(comparisons, None)
    np.testing.assert_allclose(fit.theta, rate(comparisons).theta, atol=0.01)
    bias = style.position_bias(comparisons)
    assert bias.low < 0.5 < bias.high


def test_position_bias_is_a_number():
    """When the left answer wins 60 of 100 between equals, the position bias is about 0.6 with its interval."""
    rng, n = np.random.default_rng(1), 20_000
    a = rng.integers(0, 3, n)
    won = rng.random(n) < 0.6
    comparisons = Comparisons.from_codes(
        list("xyz"), a, (a + rng.integers(1, 3, n)) % 3, np.where(won, 0, 1), rng.integers(0, 500, n)
    )
    bias = style.position_bias(comparisons)
    assert bias.low < 0.6 < bias.high
    assert bias.high - bias.low < 0.03


def test_a_covariate_that_is_no_number_names_its_row():
    """A missing style count or covariate is an error that says which vote and which column, never a silent zero."""
    comparisons = votes([0.5, -0.5], 5, 2, seed=2)
    counts = {f"{name}_{side}": np.ones(10) for name in style.MARKS for side in "ab"}
    counts["bold_b"][7] = np.nan
    with refusing(ComparisonError, match="row 7: bold"):
        style.differences(counts)
    x = np.zeros((10, 4))
    x[3, 1] = np.inf
    with refusing(ComparisonError, match="row 3: covariate 'headers' is inf"):
        style.controlled(comparisons, x)


def test_marks_are_counted_outside_code():
    """Headers, bold spans and list items count in prose, not in code blocks; Korean length is in characters."""
    text = "# 제목\n\n**굵게** 그리고 __또__\n\n- 하나\n- 둘\n1. 셋\n\n```\n# 코드\n- 아님\n```\n"
    assert style.marks(text) == (len(text), 1, 2, 3)
    assert style.marks("") == (0, 0, 0, 0)


# ---- weights


def test_raking_meets_the_targets():
    """Weights bring every margin to its target, say what they cost, and the weighted fit is shown beside."""
    rng = np.random.default_rng(2)
    traits = pd.DataFrame({"sex": rng.choice(["f", "m"], 150, p=[0.4, 0.6]), "age": rng.choice(["~39", "40~"], 150)})
    targets = {"sex": {"f": 0.5, "m": 0.5}, "age": {"~39": 0.4, "40~": 0.6}}
    assert COMPARISONS.voter is not None
    cast = np.bincount(COMPARISONS.voter)
    raked = weights.rake(traits, targets, cast)
    for margin in raked.margins:
        assert margin.achieved == pytest.approx(margin.target, abs=1e-8)
    assert 1 < raked.design_effect < 1.3
    assert raked.n_eff == pytest.approx(3000 / raked.design_effect)
    plain, weighted = rate(COMPARISONS), rate(weights.weighted(COMPARISONS, raked.weights))
    assert weighted.n_used != plain.n_used
    assert np.abs(weighted.theta - plain.theta).max() < 0.1
    assert (weighted.row("m0").se or 0) > 0


def test_raking_is_capped_and_says_so():
    """A rare group is not blown up beyond the cap, and the margin that is missed is reported."""
    traits = pd.DataFrame({"age": ["young"] * 98 + ["old"] * 2})
    raked = weights.rake(traits, {"age": {"young": 0.5, "old": 0.5}}, cap=4)
    assert raked.weights.max() <= 4 * (1 + 1e-9)
    assert raked.capped >= 2
    old = next(m for m in raked.margins if m.level == "old")
    assert old.before == 0.02
    assert 0.05 < old.achieved < old.target


def test_raking_leaves_the_unknown_their_share():
    """Voters who did not say keep the share that they had together; the others meet the targets among themselves."""
    traits = pd.DataFrame({"sex": ["f"] * 20 + ["m"] * 60 + [None] * 20})
    raked = weights.rake(traits, {"sex": {"f": 0.5, "m": 0.5}})
    np.testing.assert_allclose(raked.weights, [2.0] * 20 + [2 / 3] * 60 + [1.0] * 20, atol=1e-9)
    assert [(m.before, round(m.achieved, 9)) for m in raked.margins] == [(0.25, 0.5), (0.75, 0.5)]


def test_the_export_rakes_with_the_same_weights():
    """What the arena publishes as voters' weights are these weights, over the strata that are large enough."""
    rng = np.random.default_rng(5)
    people = {
        f"v{n:03d}": {"sex": str(rng.choice(["f", "m"], p=[0.3, 0.7])), "age": str(rng.choice(["~39", "40~", "-"]))}
        for n in range(200)
    }
    sexes = {"sex": {"f": 0.5, "m": 0.5}}
    published = weighting.rake(
        strata_table(people, {"sex": "fm", "age": ["~39", "40~", "-", "90~"]}),
        sexes | {"age": {"~39": 0.4, "40~": 0.5, "90~": 0.1}},
    )
    assert published is not None
    traits = pd.DataFrame({"sex": [people[name]["sex"] for name in sorted(people)]})
    raked = weights.rake(traits, sexes)
    np.testing.assert_allclose([published.weights[name] for name in sorted(people)], raked.weights, atol=1e-9)
    assert set(published.achieved) == {"sex"}


def test_raking_refuses_what_it_cannot_weigh():
    """A trait without a target names the row; a target that nobody meets and shares that do not add up are refused."""
    traits = pd.DataFrame({"sex": ["f", "m", "?"]})
    with refusing(ComparisonError, match="row 2: sex"):
        weights.rake(traits, {"sex": {"f": 0.5, "m": 0.5}})
    with refusing(RatingsError, match="no voter has sex = 'x'"):
        weights.rake(traits.iloc[:2], {"sex": {"f": 0.4, "m": 0.4, "x": 0.2}})
    with refusing(RatingsError, match="add up to 1"):
        weights.rake(traits.iloc[:2], {"sex": {"f": 0.5, "m": 0.6}})


# ---- robustness


def test_so_few_votes_swap_neighbours():
    """Removing the reported number of votes or voters swaps the pair; for the closest pair one vote less does not."""
    found = robustness.robustness(COMPARISONS)
    assert [(f.upper, f.lower) for f in found] == [("m0", "m1"), ("m1", "m2"), ("m2", "m3"), ("m3", "m4")]
    for pair in found:
        assert pair.votes is not None
        assert pair.voters is not None
        assert 0 < pair.voters < pair.votes
    closest = min(found, key=lambda f: f.gap)
    assert closest.votes == min(f.votes for f in found if f.votes)
    table = frame(COMPARISONS)
    upper, lower = closest.upper, closest.lower
    beaten = ((table["model_a"] == upper) & (table["model_b"] == lower) & (table["winner"] == "model_a")) | (
        (table["model_a"] == lower) & (table["model_b"] == upper) & (table["winner"] == "model_b")
    )
    rows = np.flatnonzero(beaten.to_numpy())
    assert closest.votes is not None
    assert len(rows) >= closest.votes, "head-to-head wins of the upper are the votes that count most"
    fewer = table.drop(index=rows[: closest.votes])
    after = rate(Comparisons.from_frame(fewer, models=COMPARISONS.models))
    assert (after.row(upper).rank or 0) > (after.row(lower).rank or 0)
    less = table.drop(index=rows[: closest.votes - 1])
    before = rate(Comparisons.from_frame(less, models=COMPARISONS.models))
    assert (before.row(upper).rank or 0) < (before.row(lower).rank or 0)


# ---- planning


def test_planned_votes_are_about_what_it_takes():
    """After as many more uniform votes as planned, the interval of the score has about the planned width."""
    theta = [0.5, 0.25, 0.0, -0.25, -0.5]
    first = rate(votes(theta, 100, 20, seed=1, taste=0.5))
    plan = planning.votes_to_half_width(first, 0.5)
    more = plan.votes[50]
    assert more is not None
    then = rate(votes(theta, 100 + more // 20, 20, seed=2, taste=0.5))
    widest = max((row.points_ci95[1] - row.points_ci95[0]) / 2 for row in then.rows if row.points_ci95)
    assert widest == pytest.approx(0.5, rel=0.12)


def test_a_promised_chance_is_kept():
    """After as many more votes as it says, a pair is told apart about as often as promised; one that is apart needs none."""
    theta = [0.6, 0.2, -0.1, -0.7]
    first = rate(votes(theta, 40, 10, seed=4))
    i, j = first.models.index("m1"), first.models.index("m2")
    drift = first.theta.tolist()
    plan = planning.votes_to_separate(first, "m1", "m2")
    assert drift[i] > drift[j]
    for power in (50, 90):
        more = plan.votes[power]
        assert more is not None
        stages = 60
        apart = 0
        for seed in range(stages):
            fit = rate(votes(drift, 40 + more // 10, 10, seed=100 + seed))
            apart += bool(next(pair.separated for pair in fit.pairwise if {pair.a, pair.b} == {"m1", "m2"}))
        assert apart / stages == pytest.approx(power / 100, abs=0.15)
    assert planning.votes_to_separate(first, "m0", "m3").votes[90] == 0
    every = planning.votes_to_separate_all(first).votes
    assert all((every[power] or planning.MOST) >= (plan.votes[power] or 0) for power in planning.POWERS)
    with pytest.raises(RatingsError):
        planning.votes_to_half_width(first, 0)
