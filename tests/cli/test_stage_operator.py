"""`stage check` before a real stage: who answers for it has to be said in full, in both languages; what is invented may leave it out."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from arena.cli import app as cli
from arena.domain.stage import Stage
from arena.settings import ROOT
from tests.support.serving import OPERATOR, stage_toml

REAL = stage_toml().replace("synthetic = true", "synthetic = false")


def check(folder: Path, text: str) -> tuple[int, str, str]:
    """Exit code, output and refusal of `stage check`, without asking a model."""
    file = folder / "stage.toml"
    file.write_text(text, "utf-8")
    result = CliRunner().invoke(cli, ["stage", "check", str(file), "--no-ask"])
    return result.exit_code, result.stdout, result.stderr


def test_a_real_stage_says_who_answers_for_it(tmp_path: Path) -> None:
    """Without the table, every key that is missing is named; with it, the operator is shown to be read over."""
    code, _, refused = check(tmp_path, REAL)
    assert code == 1
    for key in ("institution", "address", "telephone", "mail", "privacy_officer", "policy"):
        assert f"operator.{key}" in refused

    code, told, refused = check(tmp_path, REAL + OPERATOR)
    assert (code, refused) == (0, "")
    for said in ("Invented Agency", "02-000-0000", "Data protection office Hong Gildong", "privacy@agency.example"):
        assert said in told
    assert "version 1.1, in force from 2026-12-01" in told
    assert "texts 365 days, battles without a vote 30 days, at the teams 0 days" in told


@pytest.mark.parametrize("key", ["recipients", "processors", "transfers"])
def test_that_there_are_none_is_said_too(key: str) -> None:
    """Recipients, processors and transfers abroad may be none; saying nothing of them is not saying so."""
    told = Stage.from_toml((REAL + OPERATOR).encode(), "stage.toml").operator
    assert told.missing() == []
    assert told.model_copy(update={key: ()}).missing() == []
    assert told.model_copy(update={key: None}).missing() == [key]


@pytest.mark.parametrize(
    ("spoiled", "right"),
    [
        ('telephone = "02-000-0000"', 'telephone = "later"'),
        ('mail = "arena@agency.example"', 'mail = "arena"'),
        ('institution = { ko = "가상정보원"', 'institution = { ko = " "'),
        ("effective = 2026-12-01", 'effective = "soon"'),
    ],
    ids=["telephone", "mail", "institution", "effective"],
)
def test_a_contact_that_reaches_nobody_is_refused(tmp_path: Path, spoiled: str, right: str) -> None:
    """A telephone without digits, an address that is none, an empty name, a date that is none: the key is named."""
    code, _, refused = check(tmp_path, REAL + OPERATOR.replace(spoiled, right))
    assert code == 1
    assert f"operator.{spoiled.split(' =')[0]}" in refused or "operator.policy.effective" in refused


def test_a_place_that_nothing_fills_is_refused(tmp_path: Path) -> None:
    """A consent's texts name only places that the stage fills."""
    own = "\n[[consents]]\nid = 'service'\nrequired = true\ntitle = { ko = '가', en = 'A' }\ntext = { ko = '{days}일', en = 'a' }\n"
    code, _, refused = check(tmp_path, stage_toml() + own)
    assert code == 1
    assert "nothing fills the place {days}" in refused


@pytest.mark.slow
def test_the_refusal_is_korean_too(tmp_path: Path) -> None:
    """In a Korean locale `stage check` says in Korean what is missing."""
    file = tmp_path / "stage.toml"
    file.write_text(REAL, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "arena", "stage", "check", str(file), "--no-ask"],
        cwd=ROOT,
        env={"LC_ALL": "ko_KR.UTF-8", "COLUMNS": "400"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "운영기관 정보를 모두 적어야 합니다" in done.stderr
    assert "operator.privacy_officer" in done.stderr


@pytest.mark.parametrize("name", ["demo", "round-1", "round-2"])
def test_the_shipped_stages_are_invented_and_say_so(name: str) -> None:
    """Every stage file of this repository is synthetic, so it needs no contact; its operator's name says that it is invented."""
    stage = Stage.from_toml((ROOT / "stages" / f"{name}.toml").read_bytes(), name)
    stage.require_operator(name)
    assert stage.synthetic
    assert "가상" in stage.operator.name.ko
    assert "invented" in stage.operator.name.en


@pytest.mark.parametrize(
    ("transform", "said"), [("top_normalised", True), ("min_max", True), ("win_probability", False)]
)
def test_a_transform_that_is_biased_near_ties_says_so(tmp_path: Path, transform: str, said: bool) -> None:
    """Where it is chosen, `stage check` says what it costs."""
    code, told, _ = check(tmp_path, stage_toml(protocol=f"transform = {{ id = '{transform}' }}"))
    assert code == 0
    assert ("near ties" in told) is said
