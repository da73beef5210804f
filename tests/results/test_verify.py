"""The stranger's check: whatever is changed in an export, it says so and names it; what it lets pass is what it says it cannot know."""

import hashlib
import json
import math
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import rfc8785
from typer.testing import CliRunner

from arena.cli import app as cli
from arena.i18n.catalogue import messages
from arena.record.keys import Keys
from arena.record.ledger import Ledger
from arena.results import lifecycle
from arena.results.export import tables
from arena.results.export.bundle import Bundle, export, make, sums, write
from arena.results.export.chain import remade
from arena.results.export.differing import differing
from arena.results.export.document import CHECKPOINTS, DRAWS, FILES, JSON, SCORES, STAGE, SUMS, VOTES
from arena.results.export.proofs import VerificationError
from arena.results.export.schema import Checkpoint
from arena.results.export.table_reader import TableFile
from arena.results.export.verify import verify, verify_files
from arena.results.integrity import review
from arena.results.votes.exclusions import ExclusionReason
from arena.results.votes.removals import remove_entrant
from arena.settings import ROOT
from tests.support.stages import CLI, NOW, Room
from tests.support.words import refusing, sentence

TEAMS = {i: (f"{i}팀", f"Team {i}") for i in ("garam", "narae", "dasom", "maru")}
POPULATION = """
[population]
kind = "panel"
[[population.strata]]
id = "sex"
title = { ko = "성별", en = "Sex" }
categories = [
  { id = "female", title = { ko = "여성", en = "Female" }, target = 0.5 },
  { id = "male", title = { ko = "남성", en = "Male" }, target = 0.5 },
]
"""
VOUCHED = {
    "created_at",
    "entrants.outage_minutes",
    "entrants.versions",
    "entrants.removed.at",
    "entrants.removed.reason",
    "exclusion_acts.rule",
    "export_id",
    "issuer.git_commit",
    "issuer.version",
    "population.strata.category",
    "population.strata.stratum",
    "population.strata.target",
    "population.strata.voters",
    "population.strata.weighted_share",
    "provenance.strata_file.name",
    "provenance.strata_file.rows",
    "provenance.strata_file.sha256",
    "review.looks.acts",
    "review.looks.at",
    "review.proposals.decided_at",
    "review.proposals.q",
    "review.proposals.rule",
    "review.proposals.why",
    "stage.opened_at",
    "stage.published_at",
    "supersedes",
    "correction",
}
"""What follows from nothing else in the folder: here only the signature speaks, as docs/verify.md says."""

SCHEMAS = {VOTES: tables.VOTES, DRAWS: tables.DRAWS}
RATED = (
    "scores",
    "covariance",
    "pairwise",
    "sensitivity",
    "exposure",
    "side_bias",
    "tests",
    "method",
    "warnings",
    "protocol",
)


@dataclass(frozen=True)
class Exported:
    """One export, its keys, and checkpoints that somebody kept while voting was open."""

    bundle: Bundle
    keys: Keys
    kept: tuple[Checkpoint, ...]

    def resealed(
        self, change: Callable[[dict[str, Any]], None], files: Mapping[str, bytes] = {}
    ) -> Mapping[str, bytes]:
        """What somebody with the arena's own key would publish: changed files with their new hashes, and a changed document."""
        document = orjson.loads(self.bundle.files[JSON])
        laid = {name: data for name, data in self.bundle.files.items() if name not in (JSON, SUMS)} | dict(files)
        for part in document["provenance"].values():
            if isinstance(part, dict) and part.get("name") in files:
                part["sha256"] = hashlib.sha256(files[part["name"]]).hexdigest()
        change(document)
        document["integrity"] = {"alg": "ES256", "kid": self.keys.kid}
        document["integrity"]["signature"] = self.keys.sign(canonical(document))
        laid[JSON] = canonical(document)
        return {**laid, SUMS: sums(laid)}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exported]:
    """A published stage with everything in it: strata, an entrant removed, a review and a look, a correction, checkpoints under way."""
    room = Room(tmp_path_factory.mktemp("verify"), teams=TEAMS, more=POPULATION).vote(150, voters=30)
    store, ledger = room.store, Ledger(room.store, room.keys)
    kept = [Checkpoint.model_validate(ledger.checkpoint(room.stage.id, NOW).to_json())]
    voters = sorted({row.voter for row in store.votes.after(room.stage.id, 0)})
    for n, voter in enumerate(voters[:-2]):
        store.strata.answer(voter, {"sex": "female" if n < 13 else "male"}, NOW)
    some = room.battles()[:9]
    remove_entrant(store, room.stage, "maru", reason="withdrew", organizer=CLI, now=NOW)
    fast, sided = room.propose(ExclusionReason.SPEED, some), room.propose(ExclusionReason.SIDE, room.battles()[20:24])
    room.freeze(fast, sided)
    acts = {"organizer": CLI, "now": NOW}
    export(store, room.keys, room.stage.id, room.folder / "out", NOW)
    review.follow(store, room.stage.id, fast.key, **acts)
    review.decline(store, room.stage.id, sided.key, why="explained", **acts)
    review.leave_out(store, room.stage.id, room.battles()[30:32], grounds="cast by a team", **acts)
    review.take_back(store, room.stage.id, 1, grounds="looked at", **acts)
    room.publish()
    correction = {"reason": "one of them was not", "organizer": CLI, "now": NOW + timedelta(days=1)}
    folder = lifecycle.correct(
        store, room.keys, room.stage.id, room.folder / "exports", ROOT, take_back=some[:1], **correction
    )
    bundle = remade(store, room.keys, store.finals.of_stage(room.stage.id)[-1])
    assert bundle.files == {path.name: path.read_bytes() for path in folder.iterdir()}
    yield Exported(bundle, room.keys, tuple(kept))
    room.close()


Path_ = tuple[str | int, ...]


def leaves(value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Every scalar of a document, and every empty list."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list) and value:
        for n, inner in enumerate(value):
            yield from leaves(inner, (*path, n))
    else:
        yield path, value


def other(value: Any) -> Any:
    """Something else of the same kind; in a number, the last digit."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        digits = len(repr(value).partition(".")[2])
        changed = round(value + 10**-digits, digits)
        return changed if changed != value else math.nextafter(value, math.inf)
    if isinstance(value, list):
        return ["x"]
    if re.fullmatch(r"[0-9a-f-]{32,64}", value):
        return value[:-1] + ("0" if value[-1] != "0" else "1")
    if re.match(r"\d{4}-\d\d-\d\dT", value):
        return value.replace("2026", "2025", 1)
    return value + "x"


def at(document: Any, path: Path_, value: Any) -> None:
    """Puts a value there."""
    for step in path[:-1]:
        document = document[step]
    document[path[-1]] = value


def pattern(path: Path_) -> str:
    """The path without the places in lists."""
    return ".".join(step for step in path if isinstance(step, str))


def refused(files: Mapping[str, bytes]) -> VerificationError | None:
    """How the check answers; None when it lets it pass."""
    try:
        verify_files(files)
    except VerificationError as error:
        return error
    return None


def test_a_whole_export_verifies(exported: Exported) -> None:
    """An untouched export passes, under trusted keys and with the checkpoints that somebody kept, and says what was checked."""
    verdict = verify_files(exported.bundle.files, exported.keys.jwks(), exported.kept)

    said = "\n".join(map(messages("en").of, verdict.checks))
    for check in ("files", "document", "signature", "hashes", "checkpoint", "inclusion", "consistency", "draws"):
        assert f"{check}: " in said
    assert "exclusions: " in said
    assert "numbers: " in said
    assert "kept checkpoint: the first 150 rows" in said
    document = verdict.document
    assert document.population.weighting is not None
    assert {e.reason for e in document.population.exclusions} == {"speed", "removed"}
    assert [act.action for act in document.exclusion_acts] == ["exclude", "exclude", "restore", "restore"]
    assert [each.decision for each in document.review.proposals] == ["followed", "declined"]
    assert (document.final, len(document.review.looks)) == (True, 1)
    assert document.sensitivity.style_controlled is not None
    assert document.sensitivity.style_controlled.n_votes > 0
    assert document.sensitivity.robustness


def test_every_field_is_under_the_signature(exported: Exported) -> None:
    """Any value of the document changed by somebody without the key is refused, whichever it is; also a field added or taken away."""
    told = orjson.loads(exported.bundle.files[JSON])
    passed = []
    for path, value in leaves(told):
        at(told, path, other(value))
        files = {**exported.bundle.files, JSON: canonical(told)}
        at(told, path, value)
        files[SUMS] = sums({name: files[name] for name in FILES})
        error = refused(files)
        if error is None or error.check not in ("document", "signature"):
            passed.append(pattern(path))
    assert passed == []
    for changed in ({**told, "more": 1}, {key: value for key, value in told.items() if key != "warnings"}):
        files = {**exported.bundle.files, JSON: canonical(changed)}
        files[SUMS] = sums({name: files[name] for name in FILES})
        assert getattr(refused(files), "check", None) == "document"


def canonical(document: Any) -> bytes:
    """RFC 8785."""
    return rfc8785.dumps(document)


def test_even_the_arena_itself_cannot_change_a_number(exported: Exported) -> None:
    """Signed anew by the arena's own key, every kind of value that follows from the evidence is still caught and named."""
    told = orjson.loads(exported.bundle.files[JSON])
    first: dict[str, tuple[Path_, Any]] = {}
    for path, value in leaves(told):
        if path[0] != "integrity" and (pattern(path) not in first or first[pattern(path)][1] is None):
            first[pattern(path)] = (path, value)
    tried = [name for name in first if name.partition(".")[0] not in RATED]
    tried += [name for part in RATED for name in random.Random(2).sample([n for n in first if n.startswith(part)], 1)]
    passed = set()
    for name in tried:
        path, value = first[name]
        error = refused(exported.resealed(lambda d, p=path, v=value: at(d, p, other(v))))
        if error is None:
            passed.add(name)
        elif error.check == "numbers":
            assert ("review.due" if name == "stage.frozen_at" else str(path[0])) in sentence(error)
    assert passed <= VOUCHED
    # Of the parts that are made of ratings alone: what the check makes again is what is told here, and each value of it is compared.
    made = orjson.loads(exported.bundle.files[JSON])
    for path, value in leaves(told):
        if path[0] in RATED:
            at(told, path, other(value))
            assert differing(told, made), path
            at(told, path, value)
    assert differing(told, made) is None


def changed_rows(exported: Exported, name: str, change: Callable[[list[dict[str, Any]]], None]) -> Mapping[str, bytes]:
    """The export with a table changed, hashed and signed anew by the arena's own key."""
    rows = list(map(dict, opened(exported, name).rows()))
    change(rows)
    file = tables.ParquetBuffer(SCHEMAS[name])
    file.add(rows)
    data = file.bytes()
    part = "votes_file" if name == VOTES else "draws_file"

    def counted(document: dict[str, Any]) -> None:
        document["provenance"][part]["rows"] = len(rows)

    return exported.resealed(counted, {name: data})


def opened(exported: Exported, name: str) -> TableFile:
    """One of the export's tables."""
    return TableFile(exported.bundle.files[name], SCHEMAS[name], name)


def wrong(column: str, row: dict[str, Any]) -> Any:
    """Another value that the column could hold."""
    value = row[column]
    choices = {
        "winner": "tie" if value != "tie" else "model_a",
        "left_out": "speed" if value is None else None,
        "outcome": "unvoted",
        "void_reason": "x",
        "identity_level": "verified",
        "topic": "x" if value is None else None,
        "question": "x" if value is None else None,
        "available": "garam,narae",
        "repeat_of": 1,
        "version_a": 7,
        "version_b": 7,
        "acts": [0],
        "tstamp": 1.0,
        "proposal": 1 if value == 0 else 0,
    }
    if column in choices:
        return choices[column]
    return [*value, "x"] if isinstance(value, list) else 1.5 if column == "weight" else other(value)


@pytest.mark.parametrize("name", [VOTES, DRAWS])
def test_every_column_of_the_evidence_is_held(exported: Exported, name: str) -> None:
    """A single cell of any column, a row taken out, put in twice or moved: refused, although hashed and signed anew."""
    columns = SCHEMAS[name].names
    counted = next(
        n
        for n, row in enumerate(opened(exported, VOTES).rows())
        if row["left_out"] is None and row["winner"] == "model_a"
    )

    def cell(column: str) -> Callable[[list[dict[str, Any]]], None]:
        return lambda rows: rows[counted].update({column: wrong(column, rows[counted])})

    passed = [column for column in columns if refused(changed_rows(exported, name, cell(column))) is None]
    assert passed == []
    moves: list[Callable[[list[Any]], Any]] = [
        lambda rows: rows.pop(3),
        lambda rows: rows.pop(),
        lambda rows: rows.insert(3, dict(rows[3])),
        lambda rows: rows.insert(0, rows.pop()),
    ]
    for move in moves:
        assert refused(changed_rows(exported, name, move)) is not None


def test_no_byte_of_no_file_can_be_changed(exported: Exported) -> None:
    """One byte flipped anywhere, a file missing, one too many: refused at the hashes, and the file is named."""
    rng = random.Random(5)
    for name, data in exported.bundle.files.items():
        for place in {0, max(0, len(data) - 1), *(rng.randrange(len(data) or 1) for _ in range(4))}:
            flipped = bytearray(data or b"\0")
            flipped[place] ^= 1
            error = refused({**exported.bundle.files, name: bytes(flipped)})
            assert error is not None
            assert error.check == "files"
        without = {n: d for n, d in exported.bundle.files.items() if n != name}
        with refusing(VerificationError, match=f"{name} is missing"):
            verify_files(without)
    with refusing(VerificationError, match=r"notes\.txt does not belong"):
        verify_files({**exported.bundle.files, "notes.txt": b""})


def test_the_stage_file_and_the_checkpoints_are_held(exported: Exported) -> None:
    """Another rule, entrant, seal or maximum in the stage file, and a checkpoint left out, moved or invented: all refused."""
    file = exported.bundle.files[STAGE].decode()
    for old, new in (
        ("planned_advance = 4", "planned_advance = 3"),
        ("component_max = 25", "component_max = 40"),
        ("Team narae", "Team Narae"),
        ('id = "narae"', 'id = "narai"'),
        ("target = 0.5 }", "target = 0.5 } "),
    ):
        assert old in file
        data = file.replace(old, new).encode()
        assert refused(exported.resealed(lambda d: None, {STAGE: data})) is not None
    listed = exported.bundle.files[CHECKPOINTS].splitlines(keepends=True)
    head = json.loads(listed[-1])
    for lines in (
        [],
        [*listed, listed[-1]],
        [canonical({**head, "root": "0" * 64}) + b"\n"],
        [canonical({**head, "size": 3}) + b"\n", *listed],
    ):

        def counted(document: dict[str, Any], rows: int = len(lines)) -> None:
            document["provenance"]["checkpoints_file"]["rows"] = rows

        error = refused(exported.resealed(counted, {CHECKPOINTS: b"".join(lines)}))
        assert error is not None
        assert error.check == "consistency"


def test_a_rewritten_ledger_meets_a_kept_checkpoint(exported: Exported, tmp_path: Path) -> None:
    """An arena that cast other votes and signed everything anew passes its own check, and fails whoever kept one checkpoint."""
    room = Room(tmp_path, teams=TEAMS, more=POPULATION).vote(150, voters=30, seed=8).freeze()
    rewritten = make(room.store, room.keys, room.stage.id, NOW)
    room.close()

    assert refused(rewritten.files) is None
    with refusing(VerificationError, match="kept checkpoint"):
        verify_files(rewritten.files, None, exported.kept)
    with refusing(VerificationError, match="is not among the given public keys"):
        verify_files(rewritten.files, exported.keys.jwks())


def test_the_command_says_what_it_checked_and_where_it_stops(exported: Exported, tmp_path: Path) -> None:
    """`arena verify` prints each check and ends with 0; on a mismatch it names the first one and ends with 1."""
    folder = write(exported.bundle, tmp_path)
    (tmp_path / "jwks.json").write_bytes(orjson.dumps(exported.keys.jwks()))
    (tmp_path / "kept.json").write_bytes(orjson.dumps(exported.kept[0].to_json()))
    trusted = ["--jwks", str(tmp_path / "jwks.json"), "--checkpoint", str(tmp_path / "kept.json")]

    good = CliRunner().invoke(cli, ["verify", str(tmp_path), *trusted])
    assert good.exit_code == 0, good.output
    verdict = verify(folder, exported.keys.jwks(), exported.kept)
    assert good.stdout.count("ok  ") == len(verdict.checks)
    assert good.stdout.count("note  ") == len(verdict.noticed) + 1
    assert "SYNTHETIC" in good.stdout
    scores = folder / SCORES
    scores.write_bytes(scores.read_bytes().replace(b"narae", b"garam", 1))
    bad = CliRunner().invoke(cli, ["verify", str(folder)])
    assert bad.exit_code == 1
    assert "files: scores.csv does not have the hash" in bad.stderr
    assert CliRunner().invoke(cli, ["verify", str(tmp_path / "nowhere")]).exit_code == 1
