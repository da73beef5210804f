"""What runs before a commit and after a push is what a developer runs: nothing in it is out of date."""

import os
import re
from typing import Any

import yaml

from arena.settings import ROOT


def read(name: str) -> Any:
    """A YAML file of the repository."""
    return yaml.safe_load((ROOT / name).read_text("utf-8"))


def test_ci_runs_what_anybody_can() -> None:
    """Every command of the workflow is `.ci/run`, and that calls targets that are there."""
    jobs = read(".github/workflows/ci.yml")["jobs"].values()
    assert [step["run"] for job in jobs for step in job["steps"] if "run" in step] == [".ci/run"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    called = set(re.findall(r"^make (\S+)$", (ROOT / ".ci" / "run").read_text("utf-8"), re.M))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    assert called == {"lint", "test"} & targets


def test_hooks_run_what_make_has_installed() -> None:
    """Each hook starts a program of the environment that make builds, on files that are there; nothing is fetched."""
    (repo,) = read(".pre-commit-config.yaml")["repos"]
    assert repo["repo"] == "local"
    for hook in repo["hooks"]:
        program, *words = hook["entry"].split()
        assert hook["language"] == "system"
        assert program.startswith(".venv/bin/")
        assert [word for word in (program, *words) if "/" in word and not (ROOT / word).exists()] == []
