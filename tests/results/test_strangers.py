"""Whoever has an export and none of our code makes it again, in Python or in SQL, and stops where anything was changed."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest

from arena.record.ledger import Ledger
from arena.results.export.bundle import Bundle, make, sums, write
from arena.results.export.document import FILES, JSON, SUMS
from arena.results.export.schema import Checkpoint
from arena.results.integrity import review
from arena.results.votes.exclusions import ExclusionReason
from arena.simulate import Taste
from tests.results.test_verify import POPULATION, TEAMS, Exported
from tests.support.stages import CLI, NOW, Room
from tests.support.strangers import PAGE, by_a_stranger, in_sql

Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exported]:
    """A frozen panel with weights, ties and both bad, votes left out, and a checkpoint that somebody kept under way."""
    room = Room(tmp_path_factory.mktemp("strangers"), teams=TEAMS, more=POPULATION)
    room.vote(150, voters=30, taste=Taste(side=0.3, both_bad=0.2))
    kept = Checkpoint.model_validate(Ledger(room.store, room.keys).checkpoint(room.stage.id, NOW).to_json())
    for n, voter in enumerate(sorted({row.voter for row in room.store.votes.after(room.stage.id, 0)})):
        room.store.strata.answer(voter, {"sex": "female" if n < 13 else "male"}, NOW)
    room.freeze(room.propose(ExclusionReason.SPEED, room.battles()[:9]))
    review.follow(room.store, room.stage.id, None, organizer=CLI, now=NOW)
    yield Exported(make(room.store, room.keys, room.stage.id, NOW), room.keys, (kept,))
    room.close()


def laid(files: dict[str, bytes], folder: Path) -> Path:
    """Puts files into a new folder."""
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def saved(path: Path, told: object) -> Path:
    """Keeps what somebody noted."""
    path.write_bytes(orjson.dumps(told))
    return path


def test_a_stranger_without_our_code_agrees(exported: Exported, tmp_path: Path) -> None:
    """One page on public libraries, importing nothing of ours, makes the same numbers from the same folder, and holds against it what
    somebody noted: a checkpoint, and what was told of the draws before the first vote."""
    imported = re.findall(r"^(?:import|from) (\w+)", PAGE.read_text("utf-8"), re.MULTILINE)
    assert not {"arena", "ratings", "models", "app"} & set(imported)
    folder = write(exported.bundle, tmp_path / "good")
    document = exported.bundle.document
    stages = {"draw_commitment": document.draws.commitment, "file_sha256": document.stage.file_sha256}
    good = by_a_stranger(
        folder,
        saved(tmp_path / "trusted.json", exported.keys.jwks()),
        saved(tmp_path / "kept.json", exported.kept[0].to_json()),
        saved(tmp_path / "stage.json", {"draws": {"commitment": document.draws.commitment, "seed": None}}),
        saved(tmp_path / "stages.json", stages),
    )
    assert good.returncode == 0, good.stderr
    for said in (
        "150 are what was sealed",
        "kept.json: its 150 votes are the first ones here",
        "stage.json: the commitment to the draws",
        "stages.json: the stage file",
        "each from the seed",
        f"{document.population.n_voters} voters, 150 votes, 141 that count",
        "pairwise: garam and narae",
        "exposure: 150 draws",
        "theta",
        "standard error",
        "covariance",
        "points out of 25",
        "side a's share",
        *(
            f"sensitivity: {choice}, rank_ci95"
            for choice, scores in document.sensitivity.to_json().items()
            if scores is not None and choice not in ("style_controlled", "robustness", "representative")
        ),
    ):
        assert said in good.stdout
    assert "sensitivity: weighted" in good.stdout


@pytest.mark.parametrize(
    ("says", "change"),
    [
        ("scores: points", lambda d: d["scores"][0].update(points=d["scores"][0]["points"] + 0.02)),
        ("scores: votes on garam", lambda d: d["scores"][0].update(both_bad=d["scores"][0]["both_bad"] + 1)),
        ("side: side a's share", lambda d: d["side_bias"].update(share_a_ci95=[0.4, 0.6])),
        ("side: wins", lambda d: d["side_bias"].update(wins_a=d["side_bias"]["wins_a"] + 1)),
        ("covariance", lambda d: d["covariance"][0].__setitem__(1, d["covariance"][0][1] + 1e-3)),
        ("method: ", lambda d: d["method"].update(n_eff_voters=d["method"]["n_eff_voters"] + 1)),
        ("pairwise: garam and narae", lambda d: d["pairwise"][0].update(wins_a=d["pairwise"][0]["wins_a"] + 1)),
        ("pairwise: who", lambda d: d["pairwise"][0].update(separated=not d["pairwise"][0]["separated"])),
        ("population: ", lambda d: d["population"].update(n_voters=31)),
        ("population: outcomes", lambda d: d["population"]["winners"].update(tie=0)),
        ("exposure: 150 draws", lambda d: d["exposure"]["pairs"][0].update(voted=d["exposure"]["pairs"][0]["voted"] + 1)),
        ("scores: groups", lambda d: d["scores"][0].update(group=1)),
        ("draws: the seed is told", lambda d: d["draws"].update(seed=None)),
        ("draws: uniform", lambda d: d["draws"].update(rule="balanced")),
        ("exposure: sides", lambda d: d["exposure"]["entrants"][0].update(on_a=d["exposure"]["entrants"][0]["on_a"] + 1)),
        *(
            (f"sensitivity: {choice}, {name}", lambda d, c=choice, n=name, v=value: d["sensitivity"][c][0].update({n: v}))
            for choice, name, value in (
                ("both_bad_tie", "theta", 0.5),
                ("leaks_excluded", "se", 0.01),
                ("leaks_included", "rank", 9),
                ("nothing_excluded", "rank_ci95", [1, 1]),
                ("other_voice", "rating_ci95", [900, 901]),
                ("voter_only", "theta", 0.5),
                ("weighted", "theta", 0.5),
            )
        ),
    ],
)  # fmt: skip
def test_what_the_arena_itself_signed_wrongly_is_refused(
    exported: Exported, tmp_path: Path, says: str, change: Change
) -> None:
    """A number that does not follow from the votes is named, although the signature is good."""
    answer = by_a_stranger(laid(dict(exported.resealed(change)), tmp_path / "bad"))
    assert answer.returncode == 1
    assert f"DOES NOT HOLD  {says}" in answer.stderr


def test_a_byte_or_another_history_is_refused(exported: Exported, tmp_path: Path) -> None:
    """So is a byte that was changed after the signing, and a checkpoint or a commitment that was noted of another history."""
    turned = {**exported.bundle.files, JSON: exported.bundle.files[JSON].replace(b'"round":1', b'"round":2')}
    turned[SUMS] = sums({name: turned[name] for name in FILES})
    assert "DOES NOT HOLD  signature" in by_a_stranger(laid(turned, tmp_path / "turned")).stderr

    folder, told = write(exported.bundle, tmp_path / "good"), exported.kept[0].to_json()
    jwks = saved(tmp_path / "trusted.json", exported.keys.jwks())
    flipped = {**told, "root": "0" * 64}
    facts = {"draw_commitment": "0" * 64, "file_sha256": exported.bundle.document.stage.file_sha256}
    for noted, says in ((flipped, "a checkpoint that was signed"), (facts, "the commitment to the draws")):
        answer = by_a_stranger(folder, jwks, saved(tmp_path / "noted.json", noted))
        assert answer.returncode == 1
        assert f"DOES NOT HOLD  noted.json: {says}" in answer.stderr


def counts(bundle: Bundle) -> int:
    """How many votes count."""
    return bundle.document.population.n_votes_counted


def test_sql_alone_gives_the_pair_counts(exported: Exported, tmp_path: Path) -> None:
    """A page of SQL over the files counts every pair anew, and stops where the document says another number or leaves a pair out."""
    assert in_sql(write(exported.bundle, tmp_path / "good")) == [
        "ok  pairwise",
        f"ok  {counts(exported.bundle)} votes that count",
    ]
    for name, says, change in (
        ("count", "garam and narae", lambda d: d["pairwise"][0].update(ties=d["pairwise"][0]["ties"] + 1)),
        ("pair", "stand on no pair", lambda d: d["pairwise"].pop()),
    ):
        folder = laid(dict(exported.resealed(change)), tmp_path / name)
        with pytest.raises(duckdb.Error, match=f"DOES NOT HOLD .*{says}"):
            in_sql(folder)
