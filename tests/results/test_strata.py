"""What voters said of themselves: frozen with the stage, given to auditors alone, and all that the weights are made of."""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
import rfc8785
from sqlalchemy import update
from typer.testing import CliRunner

from arena.battles.retention import PURGED, purge
from arena.cli import app as cli
from arena.domain.citizen import Citizen
from arena.domain.errors import Conflict, NotFound, StageError
from arena.domain.stage import StageStatus, Stratum
from arena.i18n.catalogue import messages
from arena.record import tables
from arena.record.store import Store
from arena.results.export.bundle import Bundle, export, make, sums
from arena.results.export.document import FILES, JSON, SUMS, VOTES
from arena.results.export.kept import READ, hand_out, strata_of
from arena.results.export.proofs import VerificationError
from arena.results.export.strata_file import STRATA, read_strata, strata_file
from arena.results.export.verify import verify, verify_files
from arena.results.integrity import review
from arena.results.votes.strata import StrataTable
from arena.settings import ROOT
from tests.support.stages import CLI, NOW, Room
from tests.support.vote_tables import strata_table
from tests.support.words import refusing, sentence

PANEL = (ROOT / "stages" / "populations" / "panel-500.toml").read_text("utf-8")
KEPT_DAYS = "\n[retention]\ntexts_days = 100\n"
NONCE = "0" * 64


def answered(room: Room) -> list[str]:
    """Every voter but five says a sex, a region, and one of two ages; the voters, in the alphabet's order."""
    voters = sorted({row.voter for row in room.store.votes.after(room.stage.id, 0)})
    for n, voter in enumerate(voters[:-5]):
        said = {"sex": "female" if n % 3 == 0 else "male", "region": "capital" if n % 2 else "other"}
        room.store.strata.answer(voter, {**said, "age": "20s" if n % 2 else "30s"}, NOW)
    return voters


@dataclass(frozen=True)
class Frozen:
    """A frozen stage's export with the strata that an auditor gets."""

    room: Room
    voters: list[str]
    bundle: Bundle
    file: bytes

    @property
    def table(self) -> StrataTable:
        """The file, read."""
        return read_strata(self.file, self.room.stage)

    def resealed(self, file: bytes, rows: int) -> dict[str, bytes]:
        """What somebody with the arena's own key would publish: the hash of other strata under a good signature."""
        document = orjson.loads(self.bundle.files[JSON])
        document["provenance"]["strata_file"] |= {"sha256": hashlib.sha256(file).hexdigest(), "rows": rows}
        document["integrity"] = {"alg": "ES256", "kid": self.room.keys.kid}
        document["integrity"]["signature"] = self.room.keys.sign(rfc8785.dumps(document))
        laid = {name: data for name, data in self.bundle.files.items() if name not in (JSON, SUMS)}
        laid[JSON] = rfc8785.dumps(document)
        return {**laid, SUMS: sums(laid)}


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frozen]:
    """Ninety voters with strata, frozen."""
    room = Room(tmp_path_factory.mktemp("strata"), more=PANEL).vote(400, voters=90)
    voters = answered(room)
    room.freeze()
    bundle = make(room.store, room.keys, room.stage.id, NOW)
    yield Frozen(room, voters, bundle, hand_out(room.store, room.stage.id, CLI, NOW))
    room.close()


def said_by(verdict_checks: Any) -> str:
    """The sentences of a verdict, in English."""
    return "\n".join(map(messages("en").of, verdict_checks))


def test_strata_are_frozen_with_the_stage(database_url: str, tmp_path: Path) -> None:
    """The freeze keeps a row for each voter: whoever changes an answer, takes it back or withdraws afterwards, the file, its hash in the
    export and every number made of it stay, in both databases; and neither the file nor an answer is in anything that the public gets."""
    room = Room(tmp_path, url=database_url, more=PANEL).vote(300, voters=70)
    voters = answered(room)
    open_ = make(room.store, room.keys, room.stage.id, NOW)
    room.freeze()
    first, file = make(room.store, room.keys, room.stage.id, NOW), hand_out(room.store, room.stage.id, CLI, NOW)
    room.store.strata.answer(voters[0], {"sex": "male"}, NOW)
    room.store.strata.answer(voters[1], {}, NOW)
    room.store.erasure.withdraw(Citizen(voters[2]), "0" * 64, NOW)
    second = make(room.store, room.keys, room.stage.id, NOW)
    again = hand_out(room.store, room.stage.id, CLI, NOW)
    room.close()

    assert open_.document.provenance.strata_file is None
    assert again == file
    committed = first.document.provenance.strata_file
    assert committed is not None
    assert (committed.name, committed.rows) == (STRATA, len(voters))
    assert committed.sha256 == hashlib.sha256(file).hexdigest()
    assert second.document.provenance.strata_file == committed
    assert second.files[VOTES] == first.files[VOTES]
    assert second.document.population == first.document.population
    told = pd.read_parquet(io.BytesIO(file))
    assert list(told.columns) == ["judge", "sex", "region", "age", "ai-use"]
    assert told["judge"].tolist() == voters
    assert told["sex"].tolist()[:3] == ["female", "male", "male"]
    assert told["sex"].isna().tolist() == [False] * (len(voters) - 5) + [True] * 5
    assert told["ai-use"].isna().tolist() == [True] * len(voters)
    assert set(second.files) == {*FILES, SUMS}
    assert file not in second.files.values()
    assert b"female" not in second.files[VOTES]
    verify_files(first.files, strata=file)
    verify_files(second.files, strata=again)


def test_the_same_strata_give_the_same_bytes(frozen: Frozen) -> None:
    """Voters in the alphabet's order, whatever order they came in; read and written again it is the same file, but for a nonce of its own."""
    table, stage = frozen.table, frozen.room.stage
    people = {v: {s: c for s in table.strata if (c := table.among([v]).named(s)[0])} for v in reversed(table.voters)}
    assert strata_file(StrataTable.of(stage, people), stage, NONCE) == strata_file(table, stage, NONCE)
    assert strata_file(table, stage) != strata_file(table, stage)


def test_an_auditor_makes_the_weights_again(frozen: Frozen) -> None:
    """With the file, weights and numbers by strata are recomputed and said to be; without it they are attested, in both languages."""
    verdict = verify_files(frozen.bundle.files, strata=frozen.file)
    assert verdict.attested == ()
    assert f"strata: strata.parquet is what was frozen: {len(frozen.voters)} voters" in said_by(verdict.checks)
    assert "weights: those in votes.parquet follow from the strata" in said_by(verdict.checks)
    assert "numbers by strata: " in said_by(verdict.checks)
    assert frozen.bundle.document.sensitivity.weighted is not None

    without = verify_files(frozen.bundle.files)
    assert "weights" not in said_by(without.checks)
    [attested] = without.attested
    assert messages("en").of(attested).startswith("attested, not recomputed: the weights in votes.parquet")
    assert messages("ko").of(attested).startswith("서명으로만 확인, 재계산하지 않음")


def moved(table: StrataTable, stratum: str, voter: int, category: str) -> StrataTable:
    """One person in another category."""
    codes, column = table.codes.copy(), table.strata.index(stratum)
    codes[voter, column] = table.categories[column].index(category)
    return replace(table, codes=codes)


def left_out(table: StrataTable) -> StrataTable:
    """Without the third voter."""
    return table.among([*table.voters[:2], *table.voters[3:]])


def added(table: StrataTable) -> StrataTable:
    """With somebody who never voted."""
    return table.among([*table.voters, "f" * 40])


def swapped(table: StrataTable) -> StrataTable:
    """Two columns in each other's place, names and all."""
    order = [1, 0, 2, 3]
    strata, categories = tuple(table.strata[n] for n in order), tuple(table.categories[n] for n in order)
    return StrataTable(table.voters, strata, categories, table.codes[:, order])


def test_whatever_is_changed_in_the_strata_is_named(frozen: Frozen) -> None:
    """One person's category, one person left out or added, another order of the columns, another stage's file: each is refused with its own
    fault, and so when the arena itself has signed the changed file's hash."""
    stage, table = frozen.room.stage, frozen.table
    elsewhere = stage.model_copy(update={"id": "elsewhere"})
    columns = stage.model_copy(
        update={
            "population": stage.population.model_copy(
                update={"strata": tuple(stage.population.strata[n] for n in (1, 0, 2, 3))}
            )
        }
    )
    cases: list[tuple[bytes, int, str, str]] = [
        (strata_file(moved(table, "sex", 0, "male"), stage), 0, "strata: .* is not the file that was frozen", "weights: .*row .* does not follow"),
        (strata_file(moved(table, "age", 0, "20s"), stage), 0, "strata: .* is not the file that was frozen", r"numbers by strata: groups\[2\]\."),
        (strata_file(left_out(table), stage), -1, "1 voter of votes.parquet is not in it", ""),
        (strata_file(added(table), stage), 1, "1 voter in it without a vote", ""),
        (strata_file(swapped(table), columns), 0, "its columns are not those", ""),
        (strata_file(table, elsewhere), 0, "it is not the strata of stage simulated", ""),
        (strata_file(replace(table, voters=(*table.voters[1:], table.voters[0])), stage), 0, "out of the order", ""),
        (b"PAR1", 0, "not a Parquet file", ""),
        (strata_file(table, stage), 0, "is not the file that was frozen", "nothing"),
    ]  # fmt: skip
    for file, more, refused, resealed in cases:
        with refusing(VerificationError, match=refused):
            verify_files(frozen.bundle.files, strata=file)
        laid = frozen.resealed(file, len(table) + more)
        if resealed == "nothing":  # the same answers under another nonce: what was signed is what was given
            verify_files(laid, strata=file)
            continue
        with refusing(VerificationError, match=resealed or refused):
            verify_files(laid, strata=file)
    # Somebody else's categories under this stage's names.
    ages = pd.read_parquet(io.BytesIO(frozen.file)).assign(sex="30s")
    strange = strata_table({row["judge"]: {"sex": row["sex"]} for row in ages.to_dict("records")}, {"sex": ["30s"]})
    named = replace(table, categories=(strange.categories[0], *table.categories[1:]), codes=np.zeros_like(table.codes))
    with refusing(VerificationError, match="sex is '30s', which there is not in this stage"):
        verify_files(frozen.bundle.files, strata=strata_file(named, stage))


def test_votes_left_out_after_the_freeze_change_the_weights(tmp_path: Path) -> None:
    """Weights are of those whose votes count, whenever they were left out or taken back: each export's follow from the frozen strata."""
    room = Room(tmp_path, more=PANEL).vote(400, voters=90)
    answered(room)
    some = [row.battle_id for row in room.store.votes.after(room.stage.id, 0)][:150]
    acts: dict[str, Any] = {"grounds": "a test", "organizer": CLI, "now": NOW}
    room.freeze()
    review.leave_out(room.store, room.stage.id, some, **acts)
    file = hand_out(room.store, room.stage.id, CLI, NOW)
    fewer = make(room.store, room.keys, room.stage.id, NOW)
    review.take_back(room.store, room.stage.id, 0, **acts)
    more = make(room.store, room.keys, room.stage.id, NOW)
    room.close()

    assert fewer.document.population.strata != more.document.population.strata
    assert fewer.files[VOTES] != more.files[VOTES]
    for bundle in (fewer, more):
        verify_files(bundle.files, strata=file)
        assert bundle.document.population.weighting is not None
        assert bundle.document.sensitivity.weighted is not None


def test_what_is_not_there_is_given_to_nobody(tmp_path: Path) -> None:
    """An open stage, one without strata and an unknown one have no file, their exports no hash of one, and no file fits them."""
    plain = Room(tmp_path).vote(60)
    panel = Room(tmp_path, stage_id="panel", more=PANEL).vote(60)
    with refusing(Conflict, match="not frozen"):
        hand_out(panel.store, "panel", CLI, NOW)
    with refusing(NotFound, match="asks its voters nothing"):
        hand_out(plain.store, plain.stage.id, CLI, NOW)
    with refusing(NotFound, match="Known stages"):
        hand_out(plain.store, "nowhere", CLI, NOW)
    preliminary = make(panel.store, panel.keys, "panel", NOW)
    file = hand_out(panel.freeze().store, "panel", CLI, NOW)
    final = make(plain.freeze().store, plain.keys, plain.stage.id, NOW)
    reads = [event.data["sha256"] for event in panel.store.events.of_stage("panel", READ)]
    panel.close()
    plain.close()

    assert reads == [hashlib.sha256(file).hexdigest()]
    assert verify_files(final.files).attested == ()
    assert len(verify_files(preliminary.files).attested) == 1
    for bundle in (preliminary, final):
        assert bundle.document.provenance.strata_file is None
        with refusing(VerificationError, match="names no strata.parquet"):
            verify_files(bundle.files, strata=file)


def test_an_interrupted_freeze_commits_to_its_strata(tmp_path: Path) -> None:
    """A freeze that died before it kept anything: nobody is given the strata yet, and whoever makes the export first keeps them."""
    room = Room(tmp_path, more=PANEL).vote(60)
    answered(room)
    room.store.stages.move(room.stage.id, StageStatus.OPEN, StageStatus.FROZEN, NOW)
    with refusing(Conflict, match="not frozen"):
        hand_out(room.store, room.stage.id, CLI, NOW)
    first = make(room.store, room.keys, room.stage.id, NOW)
    room.freeze()
    second = make(room.store, room.keys, room.stage.id, NOW)
    file = hand_out(room.store, room.stage.id, CLI, NOW)
    room.close()

    assert first.document.provenance.strata_file is not None
    assert first.document.provenance == second.document.provenance
    verify_files(first.files, strata=file)


def test_strata_go_with_the_texts(database_url: str, tmp_path: Path) -> None:
    """When the stage's retention ends, the frozen strata and the answers behind them are erased, but for those of people who have voted
    in a later stage; the hash stays, and the stage exports the same numbers as before, in both databases."""
    room = Room(tmp_path, url=database_url, more=PANEL + KEPT_DAYS).vote(300, voters=70)
    store, stage = room.store, room.stage
    voters = answered(room)
    room.freeze()
    some = room.battles()[:40]
    review.leave_out(store, stage.id, some, grounds="x", organizer=CLI, now=NOW)
    folder = export(store, room.keys, stage.id, tmp_path / "out", NOW)
    before = orjson.loads((folder / JSON).read_bytes())
    later = Room(tmp_path, url=database_url, stage_id="later").vote(5, voters=2)
    move_votes(later, voters[0])

    early = purge(store, stage, NOW + timedelta(days=99))
    assert not early.strata
    assert strata_of(store, stage) is not None
    due = purge(store, stage, NOW + timedelta(days=101))
    assert due.strata
    assert store.events.of_stage(stage.id, PURGED)[-1].data["strata"] is True
    assert not purge(store, stage, NOW + timedelta(days=102)).strata
    assert strata_of(store, stage) is None
    assert store.strata.of_citizen(voters[0]) != {}
    assert [voter for voter in voters[1:] if store.strata.of_citizen(voter)] == []
    with refusing(NotFound, match="not kept any more"):
        hand_out(store, stage.id, CLI, NOW)
    after = make(store, room.keys, stage.id, NOW + timedelta(days=103))
    told = orjson.loads(after.files[JSON])
    later.close()
    room.close()

    assert after.files[VOTES] == (folder / VOTES).read_bytes()
    for part in ("population", "sensitivity", "provenance", "scores"):
        assert told[part] == before[part], part
    assert told["provenance"]["strata_file"]["rows"] == len(voters)
    assert len(verify_files(after.files).attested) == 1


def move_votes(room: Room, voter: str) -> None:
    """Lets this citizen have cast the first vote of the room; it opens after the other one."""
    first = room.battles()[0]
    with room.store.database.writing() as connection:
        connection.execute(update(tables.battles).where(tables.battles.c.id == first).values(citizen_id=voter))
        connection.execute(update(tables.votes).where(tables.votes.c.battle_id == first).values(citizen_id=voter))
        opened = {"opened_at": NOW + timedelta(days=1)}
        connection.execute(update(tables.stages).where(tables.stages.c.id == room.stage.id).values(opened))


def test_the_operator_hands_the_file_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`export --strata FILE` writes it for its owner alone, once, never into an export's folder, and the log has it; `verify --strata FILE`
    recomputes from it, and without it says what is attested; `purge` says that it is gone."""
    room = Room(tmp_path, more=PANEL + KEPT_DAYS).vote(300, voters=70)
    answered(room)
    room.freeze()
    room.close()
    monkeypatch.setenv("ARENA_DATA_DIR", str(tmp_path))
    file = tmp_path / "audit" / STRATA
    file.parent.mkdir()

    def run(*args: str, code: int = 0) -> str:
        done = CliRunner().invoke(cli, list(args))
        assert done.exit_code == code, done.output
        return done.output

    run("export", "simulated")
    latest = tmp_path / "exports" / "simulated" / "latest"
    assert "is written" in run("export", "simulated", "--strata", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    assert "nothing is overwritten" in run("export", "simulated", "--strata", str(file), code=1)
    assert "is in the folder of an export" in run("export", "simulated", "--strata", str(latest / STRATA), code=1)
    assert {path.name for path in latest.iterdir()} == {*FILES, SUMS}
    said = run("verify", str(latest), "--strata", str(file))
    assert "ok  weights: " in said
    assert "attested" not in said
    assert "--  attested, not recomputed" in run("verify", str(latest))
    other = tmp_path / "other"
    other.write_bytes(file.read_bytes()[:-9])
    assert "strata: strata.parquet" in run("verify", str(latest), "--strata", str(other), code=1)
    assert len(verify(latest, strata=file.read_bytes()).attested) == 0
    store = Store(f"sqlite:///{tmp_path / 'arena.db'}")
    events = store.events.of_stage("simulated", READ)
    assert [event.actor for event in events] == [CLI]
    with store.database.writing() as connection:
        long_ago = {"frozen_at": NOW - timedelta(days=3650)}
        connection.execute(update(tables.stages).where(tables.stages.c.id == "simulated").values(long_ago))
    store.close()
    assert "erased what its voters had said of themselves; the hash" in run("purge", "simulated")
    assert "erased what its voters" not in run("purge", "simulated")
    assert "not kept any more" in run("export", "simulated", "--strata", str(tmp_path / "late"), code=1)
    assert not (tmp_path / "late").exists()


def test_a_stratum_is_not_called_like_the_voter() -> None:
    """The file's first column is the voter's: a stage whose stratum has its name is refused."""
    Stratum.model_validate(stage_of_strata("judges"))
    with pytest.raises(StageError) as caught:
        Stratum.model_validate(stage_of_strata("judge"))
    assert "cannot be called 'judge'" in sentence(caught.value)


def stage_of_strata(name: str) -> dict[str, Any]:
    """One stratum of two categories."""
    title = {"ko": "가", "en": "a"}
    return {"id": name, "title": title, "categories": [{"id": "a", "title": title}, {"id": "b", "title": title}]}
