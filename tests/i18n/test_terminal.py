"""The command line's language: the locale's, for every sentence and for the help."""

import os
import subprocess
import sys

import pytest
import typer.main

from arena.cli import app
from arena.domain.errors import Conflict
from arena.i18n.terminal import language, said
from arena.settings import ROOT
from ratings.errors import ComparisonError


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "en"),
        ({"LANG": "ko_KR.UTF-8"}, "ko"),
        ({"LANG": "ko"}, "ko"),
        ({"LANG": "ko.UTF-8"}, "ko"),
        ({"LANG": "ko-KR"}, "ko"),
        ({"LANG": "kok_IN"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LC_MESSAGES": "ko_KR.UTF-8", "LANG": "en_GB.UTF-8"}, "ko"),
        ({"LC_ALL": "C.UTF-8", "LC_MESSAGES": "ko_KR.UTF-8", "LANG": "ko_KR.UTF-8"}, "en"),
        ({"LC_ALL": "", "LANG": "ko_KR.UTF-8"}, "ko"),
    ],
)
def test_the_locale_decides(environ: dict[str, str], expected: str) -> None:
    """LC_ALL before LC_MESSAGES before LANG; an empty one says nothing, and what is not Korean is English."""
    assert language(environ) == expected


def test_an_error_is_told_with_its_place() -> None:
    """The code of the arena's errors, the row of a file's, and of other people's errors what they say themselves."""
    assert said(Conflict("published")) == "published: A published result does not change."
    assert said(ComparisonError("cell_empty", column="winner", row=3)) == "row 3: winner is empty"
    assert said(OSError("no such thing")) == "no such thing"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "spoken"),
    [
        (["verify", "nowhere"], "오류: not_verified: 파일: nowhere은(는) 폴더가 아닙니다"),
        (["stage", "--help"], "단계 파일을 봉인하고 단계를 엽니다."),
        (["rate", "README.md"], "오류: 'README.md': .parquet"),
    ],
)
def test_the_command_line_speaks_korean(arguments: list[str], spoken: str) -> None:
    """In a Korean locale help and refusals are Korean."""
    done = subprocess.run(
        [sys.executable, "-m", "arena", *arguments],
        cwd=ROOT,
        env={**os.environ, "LC_ALL": "ko_KR.UTF-8", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert spoken in done.stdout + done.stderr


def test_no_command_is_without_help() -> None:
    """Every command and every group says what it does."""
    group = typer.main.get_command(app)
    commands = [group.get_command(None, name) for name in group.list_commands(None)]  # type: ignore[attr-defined, arg-type]
    commands += [sub for command in commands for sub in getattr(command, "commands", {}).values()]
    assert [command.name for command in commands if not command.help] == []
