"""Each team's own sheet of a published stage: what is in it, what is not, who can check it, and when there is none."""

import json
import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from arena.cli import app as cli
from arena.domain.outage import Cause
from arena.record.keys import Keys
from arena.results.export.verify import verify
from arena.results.integrity import review
from arena.results.programme.letter import Letter
from arena.results.publish.letters import WRITTEN
from arena.results.votes import removals
from arena.results.votes.exclusions import ExclusionReason
from arena.settings import ROOT
from arena.simulate import Taste
from tests.support.stages import CLI, NOW, Room

TEAMS = {"garam": ("가람팀", "Team Garam"), "narae": ("나래팀", "Team Narae"), "maru": ("마루팀", "Team Maru")}
PANEL = (ROOT / "stages" / "populations" / "panel-500.toml").read_text("utf-8")
DISCLOSURES = ("full", "winners_and_means", "means_and_gaps", "sealed")


def published(folder: Path, disclosure: str, url: str | None = None, *, remove: str | None = None) -> Room:
    """A published stage with decisions on votes, an outage, and perhaps an entrant that left."""
    room = Room(folder, draw_seed="5a" * 32, url=url, stage_id="s", more=f'disclosure = "{disclosure}"', teams=TEAMS)
    room.vote(240, strengths={"garam": -0.8, "narae": 0.9, "maru": 0.1}, taste=Taste(side=0.2, both_bad=0.1))
    battles = room.battles()
    fast = room.propose(ExclusionReason.SPEED, battles[:9])
    cause = Cause(kind="failures", failure="timeout")
    room.store.outages.left(NOW - timedelta(minutes=5), "s", "maru", "process-1", cause)
    room.store.outages.back(NOW - timedelta(minutes=2), "s", "maru", "process-1", cause)
    if remove:
        removals.remove_entrant(room.store, room.stage, remove, reason="withdrawn", organizer=CLI, now=NOW)
    room.freeze(fast)
    acts: dict[str, Any] = {"organizer": CLI, "now": NOW}
    review.follow(room.store, "s", fast.key, **acts)
    review.leave_out(room.store, "s", battles[9:11], grounds="cast by a team", **acts)
    review.take_back(room.store, "s", 1, grounds="by none of them", **acts)
    room.publish()
    return room


def run(*args: str | Path) -> Any:
    """The command line."""
    return CliRunner().invoke(cli, [str(arg) for arg in args])


def written(folder: Path, monkeypatch: pytest.MonkeyPatch, url: str = "") -> tuple[Path, dict[str, Letter]]:
    """The letters that the command writes, and their folder."""
    monkeypatch.setenv("ARENA_DATA_DIR", str(folder))
    if url:
        monkeypatch.setenv("ARENA_DATABASE_URL", url)
    done = run("letters", "s", "--out", folder / "letters")
    assert done.exit_code == 0, done.output
    found = {path.name: path / "letter.json" for path in (folder / "letters").iterdir()}
    return folder / "letters", {team: Letter.model_validate_json(path.read_bytes()) for team, path in found.items()}


class Text(HTMLParser):
    """What a page says."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self.feed(page)

    def handle_data(self, data: str) -> None:
        """Collect."""
        self.said.append(data)


def test_a_letter_says_what_the_export_says_of_its_team(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores, votes, exposure, decisions, outages and keys are those of the export, team by team; each verifies alone, and against the export."""
    room = published(tmp_path, "sealed", database_url)
    folder, letters = written(tmp_path, monkeypatch, database_url)
    assert set(letters) == set(TEAMS)
    [shelved] = [path for path in (tmp_path / "exports" / "s").iterdir() if path.is_dir() and not path.is_symlink()]
    document = verify(shelved).document
    for team, letter in letters.items():
        assert letter.score == next(row for row in document.scores if row.team_id == team)
        pairs = [pair for pair in document.pairwise if team in (pair.a, pair.b)]
        assert letter.decisions.wins == sum(pair.wins_a if pair.a == team else pair.wins_b for pair in pairs)
        assert letter.decisions.losses == sum(pair.wins_b if pair.a == team else pair.wins_a for pair in pairs)
        assert (letter.decisions.ties, letter.decisions.both_bad) == tuple(
            sum(getattr(pair, name) for pair in pairs) for name in ("ties", "both_bad")
        )
        assert letter.exposure.on_a + letter.exposure.on_b == (
            letter.exposure.voted + letter.exposure.void + letter.exposure.unvoted
        )
        assert [key.team_id for key in letter.evidence_keys] == [team]
        assert [each.name for each in letter.variants][:1] == ["nothing_excluded"]
    # A decision on a vote is told to both teams whose answers it judged.
    assert sum(act.own for letter in letters.values() for act in letter.acts if act.action == "exclude") == 22
    assert sum(act.own for letter in letters.values() for act in letter.acts if act.action == "restore") == 4
    out = sum(sum(each.decisions.to_json().values()) for letter in letters.values() for each in letter.left_out)
    assert out == 2 * 9
    [spell], [cause] = letters["maru"].team.outages, letters["maru"].outage_causes
    assert spell.ended is not None
    assert (spell.ended - spell.began, cause.failure) == (timedelta(minutes=3), "timeout")
    assert (letters["garam"].team.outages, letters["garam"].outage_causes) == ([], [])
    for team in TEAMS:
        alone = run("verify", folder / team / "letter.json")
        assert alone.exit_code == 0, alone.output
        both = run("verify", folder / team / "letter.json", "--against", shelved)
        assert both.exit_code == 0, both.output
        assert "its numbers are those of export.json" in both.output
    room.close()


@pytest.mark.parametrize("disclosure", DISCLOSURES)
def test_a_letter_holds_nobody_elses_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disclosure: str) -> None:
    """Beyond what the stage opens to everybody, neither the document nor the page names another team or has a number of one."""
    room = published(tmp_path, disclosure)
    folder, letters = written(tmp_path, monkeypatch)
    [shelved] = [path for path in (tmp_path / "exports" / "s").iterdir() if path.is_dir() and not path.is_symlink()]
    scores = json.loads((shelved / "export.json").read_bytes())["scores"]
    best = max(scores, key=lambda row: row["points"])["team_id"]
    open_to_all = {"full": set(TEAMS), "winners_and_means": {best}}.get(disclosure, set())
    for team, letter in letters.items():
        data, page = (
            letter.canonical().decode(),
            " ".join(Text((folder / team / "letter.html").read_text("utf-8")).said),
        )
        for row in scores:
            other = row["team_id"]
            if other == team or other in open_to_all:
                continue
            assert f'"{other}"' not in data
            assert not any(name in data or name in page for name in TEAMS[other])
            own = [row["rating"], row["theta"], row["win_probability"], *row["points_ci95"], *row["rating_ci95"]]
            secret = [repr(value) for value in own if len(repr(value)) > 4]  # a shorter one may be any number
            found = [value for value in secret if re.search(rf"(?<![\d.]){re.escape(value)}(?!\d)", data)]
            assert found == []
            low, high = row["points_ci95"]
            assert f"{low:.2f}–{high:.2f}" not in page
    room.close()


def test_a_letter_that_was_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed figure breaks the signature; one that the operator signs does not agree with the export; another export's, another file, and a missing key are told."""
    room = published(tmp_path, "sealed")
    folder, letters = written(tmp_path, monkeypatch)
    [shelved] = [path for path in (tmp_path / "exports" / "s").iterdir() if path.is_dir() and not path.is_symlink()]
    file, letter = folder / "garam" / "letter.json", letters["garam"]
    score = letter.score
    assert score is not None
    assert score.points is not None
    lower = letter.model_copy(update={"score": score.model_copy(update={"points": score.points - 1})})
    file.write_bytes(lower.canonical())
    assert "changed after the signing" in run("verify", file).stderr
    file.write_bytes(lower.signed(room.keys).canonical())
    assert run("verify", file).exit_code == 0
    assert "score.points of the letter is not what the export gives" in run("verify", file, "--against", shelved).stderr
    other = letter.model_copy(update={"export_sha256": "0" * 64}).signed(room.keys)
    file.write_bytes(other.canonical())
    assert "of another export" in run("verify", file, "--against", shelved).stderr
    nobody = letter.model_copy(update={"team": letter.team.model_copy(update={"team_id": "nobody"})})
    file.write_bytes(nobody.signed(room.keys).canonical())
    assert "no team nobody" in run("verify", file, "--against", shelved).stderr
    file.write_bytes(b'{"schema":"kai.letter/1"}')
    assert "not a letter" in run("verify", file).stderr
    strange = tmp_path / "strange"
    strange.mkdir()
    file.write_bytes(letter.signed(Keys.open(strange, {})).canonical())
    assert "not among the given public keys" in run("verify", file).stderr
    file.write_bytes(letter.canonical())
    (folder / "garam" / "jwks.json").unlink()
    assert "--jwks" in run("verify", file).stderr
    room.close()


def test_there_are_letters_of_what_is_published_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An open or a frozen stage has none; nothing is overwritten; where the folder of the published export was damaged, it is made again first."""
    room = Room(tmp_path, stage_id="s", teams=TEAMS).vote(40)
    monkeypatch.setenv("ARENA_DATA_DIR", str(tmp_path))
    for step in (lambda: None, room.freeze):
        step()
        refused = run("letters", "s", "--out", tmp_path / "letters")
        assert (refused.exit_code, "letters are of what is published" in refused.stderr) == (1, True)
    room.publish()
    assert run("letters", "s", "--out", tmp_path / "letters").exit_code == 0
    assert "letters" in run("letters", "s", "--out", tmp_path / "letters").stderr
    [shelved] = [path for path in (tmp_path / "exports" / "s").iterdir() if path.is_dir() and not path.is_symlink()]
    told = (shelved / "export.json").read_bytes()
    (shelved / "export.json").write_bytes(b"{}")
    assert run("letters", "s", "--out", tmp_path / "again").exit_code == 0
    assert (shelved / "export.json").read_bytes() == told
    assert len(room.store.events.of_stage("s", WRITTEN)) == 2
    room.close()


def test_a_panels_letter_has_the_populations_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the stage plans its population, each team reads what the weights and the multilevel model make of its score; it verifies without the strata."""
    room = Room(tmp_path, stage_id="s", more=f'disclosure = "sealed"\n{PANEL}', teams=TEAMS).vote(300, voters=60)
    for n, voter in enumerate(sorted({row.voter for row in room.store.votes.after("s", 0)})):
        room.store.strata.answer(voter, {"sex": "female" if n % 3 else "male"}, NOW)
    room.freeze()
    shelved = room.publish()
    told = verify(shelved).document.sensitivity
    assert told.weighted is not None
    assert told.representative is not None
    folder, letters = written(tmp_path, monkeypatch)
    for team, letter in letters.items():
        points = {each.name: each.points for each in letter.variants}
        assert points["weighted"] == next(row.points for row in told.weighted if row.team_id == team)
        assert points["representative"] == next(row.points for row in told.representative.scores if row.team_id == team)
        assert run("verify", folder / team / "letter.json", "--against", shelved).exit_code == 0
        assert "다수준 모형" in (folder / team / "letter.html").read_text("utf-8")
    room.close()


def test_who_has_left_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entrant that was removed has a letter without a score: when it left and why, and its votes as left out."""
    room = published(tmp_path, "means_and_gaps", remove="maru")
    folder, letters = written(tmp_path, monkeypatch)
    gone = letters["maru"]
    assert gone.score is None
    assert gone.variants == []
    assert gone.team.removed is not None
    assert sum(gone.decisions.to_json().values()) == 0
    assert "removed" in [each.reason for each in gone.left_out]
    page = (folder / "maru" / "letter.html").read_text("utf-8")
    assert "withdrawn" in page
    [shelved] = [path for path in (tmp_path / "exports" / "s").iterdir() if path.is_dir() and not path.is_symlink()]
    assert run("verify", folder / "maru" / "letter.json", "--against", shelved).exit_code == 0
    room.close()


def test_of_a_stage_without_votes_there_are_letters_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody voted, nothing was drawn: the letter says so, and has no score."""
    room = Room(tmp_path, stage_id="s", teams=TEAMS).freeze()
    room.publish()
    room.close()
    _, letters = written(tmp_path, monkeypatch)
    assert len(letters) == len(TEAMS)
    assert {(letter.score, letter.exposure.on_a, letter.exposure.voted) for letter in letters.values()} == {
        (None, 0, 0)
    }
