"""Who voted, as against who was meant to: asked with consent, weighted to the plan, never shown of fewer than ten."""

import hashlib
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.domain.stage import Population, Stage
from arena.results.export import statistics
from arena.results.export.bundle import make
from arena.results.export.statistics import StageVotes
from arena.results.export.verify import verify_files
from arena.results.votes.strata import StrataTable
from arena.results.votes.weighting import MOST, SMALL, effective, in_classes, published, rake
from arena.settings import ROOT
from arena.simulate import simulated_stage
from tests.support.serving import Citizen, serving, stage_toml
from tests.support.stages import NOW, Room
from tests.support.vote_tables import strata_table, vote_table

POPULATIONS = ROOT / "stages" / "populations"
SEX: dict[str, dict[str, float]] = {"sex": {"female": 0.5, "male": 0.5}}


def people(**counts: int) -> StrataTable:
    """So many voters of each sex; `unknown` said nothing."""
    said = {
        f"{sex}-{n}": {} if sex == "unknown" else {"sex": sex} for sex, count in counts.items() for n in range(count)
    }
    return strata_table(said, SEX)


@pytest.mark.parametrize("name", ["open", "panel-500"])
def test_a_stage_file_takes_a_population_in(name: str) -> None:
    """A population file put at the end of a stage file makes one file, sealed as a whole; the stage then asks for the consent that it needs."""
    text = stage_toml() + (POPULATIONS / f"{name}.toml").read_text("utf-8")

    stage = Stage.from_toml(text.encode(), name)

    alone = Population.model_validate(tomllib.loads((POPULATIONS / f"{name}.toml").read_text("utf-8"))["population"])
    assert stage.population == alone
    asked = {consent.id: consent.required for consent in stage.consents}
    assert asked["strata"] is False
    assert {stratum.id for stratum in stage.population.strata} <= {"sido", "region", "age", "sex", "ai-use"}


def test_the_panel_of_500_is_the_plan() -> None:
    """250 of each sex, 250 in the capital area and outside, 100 of each age band, 100/250/150 by use of AI; round 2 has exactly this population."""
    panel = tomllib.loads((POPULATIONS / "panel-500.toml").read_text("utf-8"))["population"]
    planned = Population.model_validate(panel)

    counts = {s: [round(500 * share) for share in margin.values()] for s, margin in planned.margins.items()}
    assert planned.planned_voters == 500
    assert counts == {"sex": [250, 250], "region": [250, 250], "age": [100] * 5, "ai-use": [100, 250, 150]}
    assert Stage.from_toml((ROOT / "stages" / "round-2.toml").read_bytes(), "").population == planned
    provinces = tomllib.loads((POPULATIONS / "open.toml").read_text("utf-8"))["population"]["strata"][0]
    assert (provinces["id"], len(provinces["categories"])) == ("sido", 17)


def test_raking_meets_the_margins() -> None:
    """A crowd of 30 women and 90 men weighs half and half, however often each of them votes."""
    raked = rake(people(female=30, male=90), SEX)

    assert raked is not None
    assert raked.achieved["sex"] == pytest.approx({"female": 0.5, "male": 0.5})
    assert sum(raked.weights.values()) == pytest.approx(120)
    assert raked.weights["female-0"] == pytest.approx(2)


def test_raking_knows_its_limits() -> None:
    """Fewer than ten of a category cannot stand for a share of the country; nobody weighs more than five; who says nothing keeps their share."""
    assert rake(people(female=SMALL - 1, male=90), SEX) is None
    rare = rake(people(female=10, male=990), SEX)
    assert rare is not None
    assert max(rare.weights.values()) == pytest.approx(MOST, rel=1e-3)
    assert rare.achieved["sex"]["female"] < 0.1
    silent = rake(people(female=20, male=40, unknown=40), SEX)
    assert silent is not None
    assert silent.achieved["sex"]["unknown"] == pytest.approx(0.4)


def test_effective_numbers() -> None:
    """Equal weights and equal numbers of votes cost nothing; Kish's number of votes falls with the spread of both."""
    ones = np.ones(40)
    assert effective(ones, np.full(40, 3)) == (120.0, 1.0)
    assert effective(np.array([1.0, 3.0]), np.array([1, 1])) == (1.6, 1.25)
    assert effective(np.ones(2), np.array([1, 9])) == (3.6, 2.7778)


@given(raw=st.lists(st.floats(0.2, 5), min_size=1, max_size=80))
def test_ten_people_share_each_weight(raw: list[float]) -> None:
    """Whoever holds a weight shares it with nine others, or with everybody; the mean and the order stay."""
    weights = np.array(raw)
    classes = in_classes(weights)
    assert np.unique(classes, return_counts=True)[1].min() >= min(SMALL, len(raw))
    assert classes.mean() == pytest.approx(weights.mean(), abs=1e-8)
    order = np.argsort(weights, kind="stable")
    assert (np.diff(classes[order]) >= 0).all()


@pytest.mark.parametrize("busier", [1, 3, 9])
def test_weighted_to_the_population_is_the_population(busier: int) -> None:
    """Half of the country and half of the voters like what the other half dislikes: the truth is 12.50 however often men vote;
    the export's weighted result holds it, and it says what share each half has in that very fit and what the busy ones cost."""
    stage, file = simulated_stage()
    rng = np.random.default_rng(busier)
    male = np.arange(300) % 2 == 1
    voter = np.repeat(np.arange(300), np.where(male, 6 * busier, 6))
    a = rng.integers(0, 5, len(voter))
    b = (a + rng.integers(1, 5, len(voter))) % 5
    gap = np.where(male[voter], -1.0, 1.0) * ((a == 0) * 1.0 - (b == 0))
    outcome = np.where(rng.random(len(voter)) < 1 / (1 + np.exp(-gap)), 0, 1)
    raked = rake(
        strata_table({f"voter-{n:05d}": {"sex": "male" if male[n] else "female"} for n in range(300)}, SEX), SEX
    )
    assert raked is not None
    weight = np.array([raked.weights[f"voter-{n:05d}"] for n in range(300)])
    votes = vote_table(stage.entrant_ids, voter, a, b, outcome, weight[voter])
    given = StageVotes(stage, hashlib.sha256(file).hexdigest(), votes, stage.entrant_ids, None)
    main = given.rated(votes.counted)

    for rows in (statistics.sensitivity(given, main).weighted, statistics.sensitivity(given, main).other_voice):
        [first] = [row for row in rows or () if row.team_id == stage.entrant_ids[0]]
        assert first.points_ci95 is not None
        assert first.points_ci95[0] <= 12.5 <= first.points_ci95[1]
    [by_vote] = [
        row for row in statistics.fit(main, stage, stage.entrant_ids).scores if row.team_id == stage.entrant_ids[0]
    ]
    assert by_vote.points is not None
    assert (by_vote.points < 10.5) == (busier > 1)
    told = statistics.weighting(stage, votes)
    assert told is not None
    assert raked.achieved == {"sex": {"female": 0.5, "male": 0.5}}
    assert told.classes == 1
    # (Σw)²/Σ(w²/n) by hand: all weights alike, half of the voters with n votes, half with `busier` times as many
    assert told.n_eff == pytest.approx(300**2 / (150 / 6 + 150 / (6 * busier)), abs=0.01)
    assert told.n_eff * told.design_effect == pytest.approx(len(voter), rel=1e-3)


def test_small_groups_are_hidden() -> None:
    """Groups under ten are not shown, and where the total would give a single one away, one more is hidden."""
    assert published({"a": 9, "b": 30, "c": 40}) == {"a": None, "b": None, "c": 40}
    assert published({"a": 9, "b": 3, "c": 40}) == {"a": None, "b": None, "c": 40}
    assert published({"a": 10, "b": 0}) == {"a": 10, "b": 0}


def test_the_export_tells_who_came(database_url: str, tmp_path: Path) -> None:
    """Strata against their targets, the weighted variant beside the raw scores, n_eff and the design effect, in both databases;
    and nobody's answers are in any file."""
    panel = (POPULATIONS / "panel-500.toml").read_text("utf-8")
    room = Room(tmp_path, url=database_url, more=panel).vote(400, voters=90)
    voters = sorted({row.voter for row in room.store.votes.after(room.stage.id, 0)})
    for n, voter in enumerate(voters[:-12]):
        answers = {"sex": "female" if n % 3 == 0 else "male", "age": "20s" if n < 3 else "30s", "region": "capital"}
        room.store.strata.answer(voter, answers, NOW)
    bundle = make(room.freeze().store, room.keys, room.stage.id, NOW)
    room.close()

    verify_files(bundle.files)
    told = bundle.document.population
    rows = {(row.stratum, row.category): row for row in told.strata or ()}
    assert (rows["sex", "female"].target, rows["sex", "female"].voters) == (0.5, (len(voters) - 10) // 3)
    assert rows["sex", "female"].weighted_share == pytest.approx((len(voters) - 12) / len(voters) / 2, abs=0.02)
    assert rows["age", "20s"].voters is None
    assert rows["sex", "unknown"].voters == 12
    assert [row.voters for row in rows.values() if row.stratum == "age"].count(None) == 2
    assert rows["region", "capital"].weighted_share is None
    weighting = told.weighting
    assert weighting is not None
    assert (told.kind, weighting.method) == ("panel", "raking")
    assert weighting.n_eff * weighting.design_effect == pytest.approx(told.n_votes_used, rel=1e-3)
    weighted = bundle.document.sensitivity.weighted or []
    assert [row.theta for row in weighted] != [row.theta for row in bundle.document.scores]
    evidence = bundle.files["votes.parquet"]
    assert b"female" not in evidence
    assert bundle.files["export.json"].count(b"20s") == 2  # who came, and a group without a result


def test_citizens_say_who_they_are_if_they_want(tmp_path: Path) -> None:
    """Over HTTP: questions without targets, answers only with the optional consent, none that the stage does not offer; consent taken
    back, the answers are gone; without any of it a citizen takes part all the same."""
    panel = (POPULATIONS / "panel-500.toml").read_text("utf-8").replace('identity = "oidc"', 'identity = "anonymous"')
    panel = panel.replace('kind = "panel"', 'kind = "open"')  # whoever they are: members are another matter
    with serving(tmp_path, stage_toml() + panel) as base:
        citizen = Citizen(base).agree()
        asked = citizen.http.get("/about-you").json()
        refused = citizen.http.put("/about-you", json={"answers": {"sex": "female"}})
        battle = citizen.open()
        assert citizen.ask(battle)[-1].data["votable"]
        citizen.http.put("/session", json={"consents": ["service", "teams", "strata"]}).raise_for_status()
        unknown = citizen.http.put("/about-you", json={"answers": {"sex": "x"}})
        assert citizen.http.put("/about-you", json={"answers": {"sex": "female", "age": "30s"}}).status_code == 204
        kept = citizen.http.get("/about-you").json()["answers"]
        citizen.http.put("/session", json={"consents": ["service", "teams"]}).raise_for_status()
        gone = citizen.http.get("/about-you").json()["answers"]

    assert [stratum["id"] for stratum in asked["strata"]] == ["sex", "region", "age", "ai-use"]
    assert asked["strata"][0]["title"]["ko"] == "성별"
    assert "target" not in json.dumps(asked)
    assert (refused.status_code, refused.json()["code"]) == (403, "strata_consent_needed")
    assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown_answer")
    assert kept == {"sex": "female", "age": "30s"}
    assert gone == {}
