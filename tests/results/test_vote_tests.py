"""What else the votes say: made from votes and draws alone, told in plain words, and never a change of the fit."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from arena.domain import draw as pairing
from arena.domain.battle import Draw, new_battle_id
from arena.domain.citizen import Citizen
from arena.domain.declared import Bilingual
from arena.domain.outage import Cause
from arena.results.export.proofs import VerificationError
from arena.results.export.schema import SideBiasPart
from arena.results.export.verify import verify_files
from arena.results.export.vote_findings import TestName, findings
from arena.results.export.vote_tests import periods
from arena.results.export.vote_tests_schema import (
    Agreed,
    AgreementTest,
    Alpha,
    DriftTest,
    EntrantDrift,
    EntrantVersions,
    MisfitTest,
    PairMisfit,
    Quadratic,
    Retest,
    ShareTest,
    SideTest,
    VersionShift,
    VoteTests,
)
from arena.results.live.leaderboard import Leaderboard
from arena.results.publish.report import report, report_page
from arena.simulate import Taste
from tests.support.stages import NOW, Room
from tests.support.words import refusing

NAMES = {"garam": Bilingual(ko="가람팀", en="Team Garam"), "narae": Bilingual(ko="나래팀", en="Team Narae")}


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """A frozen stage whose citizens like side a."""
    frozen = Room(tmp_path_factory.mktemp("says")).vote(600, voters=90, taste=Taste(side=0.9, both_bad=0.15)).freeze()
    yield frozen
    frozen.close()


def microseconds(*days: float) -> np.ndarray:
    """Moments so many days after midnight in Korea."""
    start = datetime(2026, 11, 30, 15, tzinfo=UTC)
    return np.array([int((start + timedelta(days=day)).timestamp() * 1e6) for day in days], np.int64)


def test_days_are_koreas_and_few_days_are_halves() -> None:
    """A period is a day in Korea, several together where there would be more than ten; of one or two days, the earlier and the later half of the votes."""
    code, found = periods(microseconds(0.01, 0.99, 1.01, 4.5))
    assert code.tolist() == [0, 0, 1, 2]
    assert [(period.first, period.last, period.votes) for period in found] == [
        ("2026-12-01", "2026-12-01", 2),
        ("2026-12-02", "2026-12-02", 1),
        ("2026-12-05", "2026-12-05", 1),
    ]
    code, found = periods(microseconds(*range(25)))
    assert [period.votes for period in found] == [3] * 8 + [1]
    code, found = periods(microseconds(0.9, 0.1, 0.2, 1.3, 0.5))
    assert code.tolist() == [1, 0, 0, 1, 0]
    assert [period.last for period in found] == ["2026-12-01", "2026-12-02"]
    assert len(periods(microseconds(0.5, 0.5))[1]) == 1
    assert periods(microseconds())[1] == []


def test_the_export_has_the_tests_and_is_verified(room: Room) -> None:
    """Every entrant and side, every pair, every period is there, made again by the check; the preferred side is found, and the live view tells the same."""
    bundle = room.bundle()
    tests = bundle.document.tests

    assert any(check.code == "balance" for check in verify_files(bundle.files).checks)
    assert tests.side.p is not None
    assert tests.side.p < 0.001
    rows = [(entrant, side) for entrant in room.stage.entrant_ids for side in (None, "a", "b")]
    for family in (tests.both_bad, tests.unvoted):
        assert [(row.team_id, row.side) for row in family] == rows
    both_bad = {row.team_id: row.times for row in tests.both_bad if row.side is None}
    assert both_bad == {row.team_id: row.both_bad for row in bundle.document.scores}
    assert tests.misfit is not None
    assert tests.drift is not None
    assert {(pair.a, pair.b): pair.votes for pair in tests.misfit.pairs} == {
        (pair.a, pair.b): pair.wins_a + pair.wins_b + pair.ties for pair in bundle.document.pairwise
    }
    assert sum(period.votes for period in tests.drift.periods) == bundle.document.population.n_votes_counted
    live = Leaderboard(room.store, room.stage, clock=lambda: NOW).snapshot().to_json()["side_bias"]
    assert (live["p"], list(live["share_a_ci95"])) == (tests.side.p, bundle.document.side_bias.share_a_ci95)


def test_the_report_says_what_was_found(room: Room) -> None:
    """Every finding is in the report in both languages; the preferred side is told with its share and interval."""
    room.publish()
    page = report_page(report(room.store, room.stage.id, NOW))
    document = room.bundle().document
    names = {entrant.id: entrant.team for entrant in room.stage.entrants}

    told = findings(document.tests, document.side_bias)
    assert [found.test for found in told] == list(get_args(TestName))
    assert told[0].remarkable
    for found in told:
        for words in (found.in_both(names).ko, found.in_both(names).en):
            assert words in page
    assert "people preferred a side" in page


def quiet(**found: object) -> VoteTests:
    """Tests without a finding, but for what is given."""
    nothing: dict[str, object] = {
        "side": SideTest(p=0.5, n_eff_voters=40),
        "both_bad": [share("garam", 0.1, 0.1, 0.9)],
        "unvoted": [share("garam", 0.1, 0.1, 0.9)],
        "misfit": MisfitTest(overall=quadratic(0.5), pairs=[pair(0.9)]),
        "drift": DriftTest(periods=[], overall=quadratic(0.5), entrants=[drifting(0.9)], versions=[]),
        "retest": None,
        "agreement": AgreementTest(nominal=None, ordinal=None),
    }
    return VoteTests.model_validate(nothing | found)


def share(team: str, own: float, others: float, p: float | None, times: int = 10) -> ShareTest:
    """One row."""
    return ShareTest(team_id=team, side=None, times=times, of=100, share=own, others=others, p=p, p_holm=p)


def quadratic(p: float) -> Quadratic:
    """A test with this p."""
    return Quadratic(f=1, df=[3, 90], p=p)


def pair(p: float) -> PairMisfit:
    """The two teams."""
    return PairMisfit(a="garam", b="narae", votes=1200, observed=700.5, expected=600.25, z=4, p=p, p_holm=p)


def drifting(p: float) -> EntrantDrift:
    """One team."""
    return EntrantDrift(team_id="garam", excess=[9, -9], test=quadratic(p), p_holm=p)


def agreeing(interval: list[float] | None) -> AgreementTest:
    """People who agree somewhat."""
    alpha = Alpha(units=34, judgements=90, n_eff_voters=25, alpha=0.41, alpha_ci95=interval)
    return AgreementTest(nominal=alpha, ordinal=alpha)


def changed(p: float) -> DriftTest:
    """A team whose versions may differ, and nothing else does."""
    shifts = [VersionShift(version=n, votes=50, excess=3, shift=0.3) for n in (0, 1)]
    versions = [EntrantVersions(team_id="garam", versions=shifts, test=quadratic(p), p_holm=p)]
    return DriftTest(periods=[], overall=quadratic(0.5), entrants=[], versions=versions)


STEADY = Retest(
    voters=20, exact=(half := Agreed(times=30, of=40, share=0.75, share_ci95=[0.6, 0.85], chance=0.4)), decided=half
)
SIDE = SideBiasPart(wins_a=60, wins_b=40, share_a=0.6, share_a_ci95=[0.5, 0.7])


@pytest.mark.parametrize(
    ("test", "found", "says", "remarkable"),
    [
        ("side", {"side": SideTest(p=0.001, n_eff_voters=40)}, "side A won 60.0% (95% interval 50.0% ~ 70.0%)", True),
        ("side", {}, "No sign that the side mattered", False),
        ("side", {"side": SideTest(p=None, n_eff_voters=1)}, "Not known yet", False),
        ("both_bad", {"both_bad": [share("garam", 0.3, 0.1, 0.001)]}, "more often than the others' for Team Garam", True),
        ("both_bad", {"both_bad": [share("garam", 0.1, 0.3, 0.001)]}, "less often than the others' for Team Garam", True),
        ("both_bad", {"both_bad": [share("garam", 0, 0, None, 0)]}, "Nobody said", False),
        ("unvoted", {"unvoted": [share("narae", 0.3, 0.1, 0.001)]}, "without a vote more often than the others'", True),
        ("unvoted", {}, "No sign that battles", False),
        ("unvoted", {"unvoted": []}, "Not known yet", False),
        ("misfit", {"misfit": MisfitTest(overall=quadratic(0.5), pairs=[pair(0.001)])}, "700.5 wins of Team Garam", True),
        ("misfit", {"misfit": MisfitTest(overall=quadratic(0.001), pairs=[])}, "does not explain every pair", True),
        ("misfit", {"misfit": None}, "it takes three teams", False),
        ("drift", {"drift": DriftTest(periods=[], overall=quadratic(0.5), entrants=[drifting(0.001)], versions=[])}, "did Team Garam", True),
        ("drift", {"drift": DriftTest(periods=[], overall=quadratic(0.001), entrants=[], versions=[])}, "do not tell which", True),
        ("drift", {"drift": changed(0.001)}, "Not equally strong in all its versions was Team Garam", True),
        ("drift", {"drift": changed(0.2)}, "No sign that any team did better or worse over time", False),
        ("drift", {}, "No sign that any team did better or worse over time", False),
        ("drift", {"drift": None}, "Not known yet", False),
        ("retest", {"retest": STEADY}, "said the same in 75.0% of 40 pairs (95% interval 60.0% ~ 85.0%); 40.0% would be chance", False),
        ("retest", {}, "it takes a stage with repeats", False),
        ("agreement", {"agreement": agreeing([0.2, 0.6])}, "α = 0.41 (Krippendorff; 95% interval 0.20 ~ 0.60; 34 questions", False),
        ("agreement", {"agreement": agreeing(None)}, "Too few people for an interval", False),
        ("agreement", {}, "it takes ten questions", False),
    ],
)  # fmt: skip
def test_each_finding_has_its_sentence(test: str, found: dict[str, object], says: str, remarkable: bool) -> None:
    """In both languages, with the teams' names; only below 1 % after the correction is anything told as found."""
    told = next(each for each in findings(quiet(**found), SIDE) if each.test == test)

    assert told.remarkable is remarkable
    assert says in told.in_both(NAMES).en
    assert told.in_both(NAMES).ko
    assert "garam" not in told.in_both(NAMES).ko


def test_draws_ground_until_they_favour_a_team_are_refused(tmp_path: Path) -> None:
    """Every draw follows from the committed seed; but who "could be drawn" was chosen, with outages to excuse it, so that one team never stands on side b. Verify refuses it."""
    room = Room(tmp_path).vote(60)
    entrants, rule, citizen = room.stage.entrant_ids, pairing.rule_of(room.stage), Citizen("v" * 32)
    choices = [list(entrants), *(list(some) for some in combinations(entrants, 4))]
    room.store.citizens.enrol(citizen, {"service": (1, True)}, NOW)

    def ground(seed: str, number: int, _: frozenset[str]) -> Draw:
        drawn = [pairing.draw(seed, number, some, rule, {}) for some in choices]
        return next((draw for draw in drawn if draw.a == "garam"), next(d for d in drawn if d.b != "garam"))

    honest = room.bundle()
    assert verify_files(honest.files)
    for entrant in entrants:  # the operator says that each was away
        room.store.outages.left(NOW, room.stage.id, entrant, "one", Cause(kind="probe_failed"))
    for _ in range(120):
        room.store.battles.open(new_battle_id(), room.stage.id, citizen.id, ground, NOW)
    bundle = room.freeze().bundle()
    room.close()
    with refusing(VerificationError, match="the draws do not follow the sealed rule"):
        verify_files(bundle.files)


def test_a_preliminary_export_of_nothing_has_nothing_to_say(tmp_path: Path) -> None:
    """Before the first vote every test is there, and tells nothing."""
    room = Room(tmp_path)
    bundle = room.bundle()
    room.close()

    assert verify_files(bundle.files)
    told = findings(bundle.document.tests, bundle.document.side_bias)
    assert {(found.p, found.remarkable) for found in told} == {(None, False)}
