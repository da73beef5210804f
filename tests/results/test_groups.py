"""Results by group and as the planned population would give them: in the export, recomputed or attested, and never of a group that is too small."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import unescape
from io import BytesIO
from itertools import product
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sqlalchemy import update

from arena.i18n.catalogue import LANGUAGES, messages
from arena.record import tables
from arena.results.export.bundle import Bundle, make
from arena.results.export.document import VOTES
from arena.results.export.groups_schema import Grouping
from arena.results.export.kept import hand_out
from arena.results.export.proofs import VerificationError
from arena.results.export.schema import UserScore
from arena.results.export.strata_file import read_strata
from arena.results.export.verify import verify_files
from arena.results.live.variants import Variants
from arena.results.publish.report import report, report_page
from arena.results.votes.feed import VoteFeed
from arena.results.votes.weighting import SMALL, published, rateable
from arena.settings import ROOT
from arena.simulate import Taste
from arena.web.console.tabs.groups import GroupFacts, sections
from tests.support.forgery import resealed
from tests.support.stages import CLI, NOW, Room
from tests.support.words import refusing

PANEL = (ROOT / "stages" / "populations" / "panel-500.toml").read_text("utf-8")
SAID = {"sex": "female", "region": "capital", "age": "20s"}


@dataclass(frozen=True)
class Frozen:
    """A frozen panel's export, and what an auditor gets."""

    room: Room
    bundle: Bundle
    strata: bytes


def answering(room: Room, *counts: tuple[Mapping[str, str], int]) -> Room:
    """So many voters, one after the other in the alphabet's order, say this of themselves; the others nothing."""
    voters = iter(sorted({row.voter for row in room.store.votes.after(room.stage.id, 0)}))
    for said, people in counts:
        for _ in range(people):
            room.store.strata.answer(next(voters), dict(said), NOW)
    return room


def frozen_panel(folder: Path, *counts: tuple[Mapping[str, str], int]) -> Frozen:
    """A panel of those, frozen: every one of them has votes in the fit."""
    people = sum(n for _, n in counts)
    room = Room(folder, more=PANEL).vote(10 * people, voters=people, taste=Taste(both_bad=0.0))
    room = answering(room, *counts).freeze()
    return Frozen(room, make(room.store, room.keys, room.stage.id, NOW), hand_out(room.store, room.stage.id, CLI, NOW))


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frozen]:
    """Ninety voters of two sexes, three ages, and two who did not say."""
    found = frozen_panel(
        tmp_path_factory.mktemp("groups"),
        (SAID, 40),
        (SAID | {"sex": "male", "age": "30s"}, 40),
        (SAID | {"sex": "male", "age": "40s", "region": "other"}, 8),
        ({}, 2),
    )
    found.room.publish()
    yield found
    found.room.close()


def of(document: UserScore, variable: str) -> Grouping:
    """One variable's."""
    return next(grouping for grouping in document.groups if grouping.variable == variable)


def told(grouping: Grouping) -> set[str]:
    """The groups that have a result."""
    return {group.name for group in grouping.groups if group.scores}


def test_the_export_tells_results_by_group(panel: Frozen) -> None:
    """By every declared stratum, whoever is in it, and by what the votes tell: each group has every team with its interval, and one number
    says how different they are. People are counted once, in `population`; of votes' groups here."""
    document, stage = panel.bundle.document, panel.room.stage
    kinds = [(grouping.kind, grouping.variable) for grouping in document.groups]
    assert kinds == [*(("stratum", s.id) for s in stage.population.strata), ("language", "language")]
    sex, language = of(document, "sex"), of(document, "language")
    assert told(sex) == {"female", "male"}
    for group in (*sex.groups, *(g for g in language.groups if g.scores)):
        assert [row.team_id for row in group.scores] == list(stage.entrant_ids)
        assert all(row.rating_ci95[0] < row.rating < row.rating_ci95[1] for row in group.scores)
        assert all(row.points_ci95[0] <= row.points <= row.points_ci95[1] for row in group.scores)
    assert all((group.voters, group.votes) == (None, None) for group in sex.groups)
    assert all((group.voters or 0) >= SMALL for group in language.groups if group.scores)
    assert sex.difference is not None
    assert sex.difference.sd_ci95[0] < sex.difference.sd < sex.difference.sd_ci95[1]
    assert sex.difference.p is not None
    assert told(of(document, "ai-use")) == set()


def test_the_population_gives_its_score(panel: Frozen) -> None:
    """Beside the result, never instead of it: poststratified to the strata that ten people or more have answered, all teams in it."""
    found = panel.bundle.document.sensitivity.representative
    assert found is not None
    assert (found.strata, found.cells) == (["sex", "region", "age"], 2 * 2 * 5)
    assert [row.team_id for row in found.scores] == list(panel.room.stage.entrant_ids)
    assert sorted(row.rank or 0 for row in found.scores) == [1, 2, 3, 4, 5]
    assert [row.rating for row in found.scores] != [row.rating for row in panel.bundle.document.scores]


def test_the_console_shows_them(panel: Frozen) -> None:
    """A section for each variable with its figure and its table, in the stage's own words; of a small group its name and that it is not told.
    The population's score is one of the other readings."""
    room = panel.room
    for language in LANGUAGES:
        facts = GroupFacts(messages(language), room.stage, panel.bundle.document.groups)
        shown = {section.id: section for section in sections(facts)}
        assert list(shown)[:2] == ["by-stratum-sex", "by-stratum-region"]
        ages = shown["by-stratum-age"]
        assert ages.figure is not None
        assert [trace["name"] for trace in ages.figure["data"]] == [
            facts.called(of(panel.bundle.document, "age"), g)
            for g in of(panel.bundle.document, "age").groups
            if g.scores
        ]
        assert {row[0] for row in ages.table.rows if row[4] is None} >= {
            messages(language).pick(room.stage.population.strata[2].categories[2].title)
        }
        assert all(row[1] is None for row in ages.table.rows)
        assert shown["by-stratum-ai-use"].figure is None
    feed = VoteFeed(room.store, room.stage)
    table, rule = feed.table(measured=True)
    every = Variants(room.stage, "0" * 64, None).all(table, rule, [], read_strata(panel.strata, room.stage))
    population = next(each for each in every if each.name == "representative")
    found = panel.bundle.document.sensitivity.representative
    assert found is not None
    assert [round(s.rating, 1) for s in population.standings] == [row.rating for row in found.scores]
    nobody = Variants(room.stage, "0" * 64, None).all(table, rule, [], None)
    assert next(each for each in nobody if each.name == "representative").why == "no_strata"


def test_the_report_shows_them(panel: Frozen) -> None:
    """Under each variable's own title, in both languages: a picture, a column for each group that is told, and the names of those that are not; the
    population's score stands beside the result."""
    room = panel.room
    found = report(room.store, room.stage.id, NOW)
    page = unescape(report_page(found))
    assert [by.title for by in found.groups][:4] == [stratum.title for stratum in room.stage.population.strata]
    for by, grouping in zip(found.groups, panel.bundle.document.groups, strict=True):
        assert len(by.told) == len(told(grouping))
        assert bool(by.plots) == bool(by.told)
        assert by.says.ko in page
        assert by.says.en in page
    assert {words.ko for words in found.groups[2].untold} >= {"50대", "60대 이상"}
    assert "representative" in [variant.key for variant in found.variants]
    assert found.plots.representative


def test_an_auditor_makes_them_again(panel: Frozen) -> None:
    """With the strata everything by stratum is recomputed; without them it is attested, and both say so."""
    with_strata = verify_files(panel.bundle.files, strata=panel.strata)
    assert with_strata.attested == ()
    assert any("the results by group follow from the strata" in messages("en").of(each) for each in with_strata.checks)
    [attested] = verify_files(panel.bundle.files).attested
    assert "results by stratum" in messages("en").of(attested)
    assert "다수준" in messages("ko").of(attested)


def test_forged_groups_are_refused(panel: Frozen) -> None:
    """A number of a stratum's group or of the population's score is refused to whoever has the strata; one of the votes' own groups to everybody.
    Both are signed with the arena's own key."""
    numbers = {
        "groups.0.groups.0.scores.0.rating": r"numbers by strata: groups\[0\]\.groups\[0\]\.scores\[0\]\.rating",
        "groups.2.difference.sd": r"numbers by strata: groups\[2\]\.difference\.sd",
        "sensitivity.representative.scores.1.points": r"numbers by strata: sensitivity\.representative\.scores\[1\]\.points",
    }
    for path, refused in numbers.items():
        forged = resealed(panel.room, panel.bundle, {path: 1.0})
        verify_files(forged)
        with refusing(VerificationError, match=refused):
            verify_files(forged, strata=panel.strata)
    place = next(n for n, each in enumerate(panel.bundle.document.groups) if each.kind == "language")
    forged = resealed(panel.room, panel.bundle, {f"groups.{place}.groups.0.scores.0.rating": 1.0})
    with refusing(VerificationError, match=rf"groups\[{place}\]\.groups\[0\]\.scores\[0\]\.rating"):
        verify_files(forged)


def test_what_no_stratum_can_say_is_refused(panel: Frozen, tmp_path: Path) -> None:
    """Without the strata too: a result of a group that nobody can know to be ten people, a stratum that the stage does not declare,
    and anything by stratum where it declares none."""
    scores = panel.bundle.document.to_json()["groups"][0]["groups"][0]["scores"]
    names = [group.name for group in of(panel.bundle.document, "age").groups]
    for category in ("40s", "60plus"):
        forged = resealed(panel.room, panel.bundle, {f"groups.2.groups.{names.index(category)}.scores": scores})
        with refusing(VerificationError, match=rf"age\.{category}: a result of a group .* 10 people"):
            verify_files(forged)
    with refusing(VerificationError, match="groups does not follow from the strata"):
        verify_files(resealed(panel.room, panel.bundle, {"groups.0.variable": "gender"}))
    room = Room(tmp_path).vote(200, voters=40).freeze()
    plain = make(room.store, room.keys, room.stage.id, NOW)
    assert (plain.document.sensitivity.representative, plain.document.population.strata) == (None, None)
    of_panel = panel.bundle.document.to_json()
    for change, where in (
        ({"sensitivity.representative": of_panel["sensitivity"]["representative"]}, "sensitivity.representative"),
        ({"groups": [*of_panel["groups"][:1], *plain.document.to_json()["groups"]]}, "groups"),
        ({"population.strata": of_panel["population"]["strata"]}, "population.strata"),
    ):
        with refusing(VerificationError, match=f"{where} does not follow from the strata"):
            verify_files(resealed(room, plain, change))
    room.close()


def test_a_small_group_is_told_nowhere(tmp_path: Path) -> None:
    """Nine men, and the group that a sum would tell with them, have neither result nor count where the sum is small; the model and the
    test know nothing of them either."""
    found = frozen_panel(tmp_path, (SAID, 9), (SAID | {"sex": "male"}, 9))
    document = found.bundle.document
    verify_files(found.bundle.files, strata=found.strata)
    found.room.close()
    sex = of(document, "sex")
    assert told(sex) == set()
    assert (sex.difference, sex.warnings) == (None, [])
    assert [row.voters for row in document.population.strata or [] if row.stratum == "sex"] == [None, None, 0]


def test_whoever_is_hidden_with_a_small_group_may_have_a_result_where_all_know_that_they_are_ten(
    tmp_path: Path,
) -> None:
    """Nine in their forties: the count of those in their thirties is not told, since the total would tell the nine, and their result is."""
    found = frozen_panel(tmp_path, (SAID, 30), (SAID | {"age": "30s"}, 20), (SAID | {"age": "40s"}, 9))
    document = found.bundle.document
    verify_files(found.bundle.files)
    verify_files(found.bundle.files, strata=found.strata)
    found.room.close()
    ages = {row.category: row.voters for row in document.population.strata or [] if row.stratum == "age"}
    assert (ages["20s"], ages["30s"], ages["40s"]) == (30, None, None)
    assert told(of(document, "age")) == {"20s", "30s"}


def test_a_result_tells_no_small_count() -> None:
    """Whatever the sizes: who has a result are ten or more, all that are counted are among them, and where one more is, every size from one to
    nine of the small group beside it still fits what everybody may know."""
    for sizes in product(range(24), repeat=3):
        counts = dict(zip("abc", sizes, strict=True))
        may, shown = rateable(counts), published(counts)
        assert all(counts[name] >= SMALL for name in may)
        assert {name for name, n in shown.items() if n} <= may
        if may - {name for name, n in shown.items() if n}:
            known = sum(counts[name] for name, n in shown.items() if n is None)
            assert all(known - small >= SMALL for small in range(1, SMALL))


def test_strata_that_were_erased_are_still_told(tmp_path: Path) -> None:
    """What was kept at the freeze is exported when the strata are not there any more, whether it had been exported before or not."""
    found = frozen_panel(tmp_path, (SAID, 30), (SAID | {"sex": "male"}, 30))
    store, stage = found.room.store, found.room.stage
    assert store.annotations.forget_strata(stage.id)
    again = make(store, found.room.keys, stage.id, NOW)
    found.room.close()
    assert told(of(again.document, "sex")) == {"female", "male"}
    assert again.document.groups == found.bundle.document.groups
    assert again.document.sensitivity == found.bundle.document.sensitivity
    verify_files(again.files)


def test_erased_texts_have_no_language(tmp_path: Path) -> None:
    """A vote whose texts were erased before the freeze is in no language's group; what was measured at the freeze stays."""
    room = Room(tmp_path).vote(300, voters=50)
    battles = room.battles()
    with room.store.database.writing() as connection:
        connection.execute(update(tables.turns).where(tables.turns.c.battle_id.in_(battles[:100])).values(prompt=""))
    room.freeze()
    first = make(room.store, room.keys, room.stage.id, NOW)
    with room.store.database.writing() as connection:
        connection.execute(update(tables.turns).values(prompt=""))
    second = make(room.store, room.keys, room.stage.id, NOW)
    room.close()
    column = pq.read_table(BytesIO(first.files[VOTES]))["language"].to_pylist()
    assert [code is None for code in column] == [True] * 100 + [False] * 200
    assert second.files[VOTES] == first.files[VOTES]
    assert sum(group.votes or 0 for group in of(first.document, "language").groups) <= 200
    verify_files(second.files)
