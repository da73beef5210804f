"""`python -m arena panel`: codes for the members, and the list that the stage file seals."""

import csv
import re
from pathlib import Path

from typer.testing import CliRunner

from arena.cli import app
from arena.domain.errors import StageError, Unusable
from arena.domain.invitation import code_digest, new_code
from arena.domain.stage import Stage
from arena.record.keys import Keys
from arena.record.store import Store
from arena.results import lifecycle
from arena.settings import ROOT
from tests.support.serving import OPERATOR, TEAMS, stage_toml
from tests.support.voting import NOW
from tests.support.words import refusing

POPULATION = (ROOT / "stages" / "populations" / "panel-500.toml").read_text("utf-8")


def test_invitations_are_codes_for_members_and_a_list_for_the_stage(tmp_path: Path) -> None:
    """Each code once, in a file for its owner's eyes; what is printed ends a stage file, in an order that tells nothing. Codes are never written over."""
    out = tmp_path / "invitations.csv"
    made = CliRunner().invoke(app, ["panel", "invite", "500", "--out", str(out)])
    assert made.exit_code == 0
    assert out.stat().st_mode & 0o777 == 0o600
    codes = [row["code"] for row in csv.DictReader(out.open(encoding="utf-8"))]
    assert len(set(codes)) == 500
    assert all(re.fullmatch(r"([2-9A-HJ-NP-Z]{4}-){3}[2-9A-HJ-NP-Z]{4}", code) for code in codes)
    stage = Stage.from_toml((stage_toml() + POPULATION + made.stdout).encode(), "stage.toml")
    assert list(stage.population.panel.members) == sorted(map(code_digest, codes))
    assert not [code for code in codes if code in made.output]
    again = CliRunner().invoke(app, ["panel", "invite", "5", "--out", str(out)])
    assert (again.exit_code, "is there already" in again.stderr) == (1, True)
    assert [row["code"] for row in csv.DictReader(out.open(encoding="utf-8"))] == codes


def test_a_real_panel_does_not_open_without_its_members(store: Store, tmp_path: Path) -> None:
    """Nobody could take part in it: it is refused with the way to make the list. A list without a panel is refused, too, and one that names a member twice."""
    sealed = dict.fromkeys(TEAMS, f'sha256 = "{"a" * 64}"')
    real = stage_toml(extra=sealed).replace("synthetic = true", "synthetic = false") + OPERATOR
    member = f'"{code_digest(new_code())}"'
    members = f"[population.panel]\nmembers = [{member}]\n"

    def opens(file: str) -> None:
        stage = Stage.from_toml(file.encode(), "stage.toml")
        lifecycle.open_stage(store, Keys.open(tmp_path, {}), stage, file.encode(), organizer="command line", now=NOW)

    with refusing(Unusable, match="panel invite"):
        opens(real + POPULATION)
    with refusing(StageError, match="only a stage with kind"):
        opens(real + "[population]\n" + members)
    with refusing(StageError, match="population.panel.members"):
        opens(real + POPULATION + members.replace(member, f"{member}, {member}"))
    opens(real + POPULATION + members)
