"""What is installed: each dependency named once, and a lock that holds every one of them by the hash of its files."""

import json
import re
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from arena.settings import ROOT
from setup import groups

LOCKS = ("requirements", "requirements-dev")


def locked(name: str) -> dict[str, str]:
    """Every package of a lock with its version; each line that names one ends in its hashes."""
    text = (ROOT / f"{name}.lock").read_text("utf-8")
    body = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)
    entries = re.findall(
        r"^([a-z0-9.-]+)==(\S+)(?: ; [^\\\n]*)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", body, re.M
    )
    assert sum(1 + hashes.count("\n") for _, _, hashes in entries) == body.count("\n")
    return {name: version for name, version, _ in entries}


def asked(name: str) -> list[Requirement]:
    """What a file of ranges asks for, besides the file it includes."""
    lines = (ROOT / f"{name}.txt").read_text("utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-r"))]


def test_each_dependency_is_named_once() -> None:
    """requirements.txt is three groups that share no name, and every line of it stands in one of them."""
    named = groups((ROOT / "requirements.txt").read_text("utf-8"))
    assert sorted(named) == ["command", "ratings", "serve"]
    names = [Requirement(line).name for group in named.values() for line in group]
    assert sorted(names) == sorted(set(names))
    with pytest.raises(ValueError, match="stands under no heading"):
        groups("torch\n# [serve]\n")


@pytest.mark.parametrize("name", LOCKS)
def test_the_lock_keeps_within_the_ranges(name: str) -> None:
    """Every requirement but torch, which comes as it is pinned, is locked to a release that its range allows."""
    versions = locked(name)
    for requirement in asked(name):
        if requirement.name != "torch":
            assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), requirement
    assert "torch" not in versions
    assert not [package for package in versions if package.startswith("nvidia-")]


def test_the_locks_agree() -> None:
    """`make test` tests what `make run` serves: no release of the program's lock is another in the developers'."""
    assert locked("requirements").items() <= locked("requirements-dev").items()


def test_the_scripts_checkers_are_locked() -> None:
    """npm's lock holds what package.json pins, every package by the hash of its file and none by an address."""
    wanted = json.loads((ROOT / "package.json").read_bytes())["devDependencies"]
    packages: dict[str, dict[str, Any]] = json.loads((ROOT / "package-lock.json").read_bytes())["packages"]
    assert packages.pop("")["devDependencies"] == wanted
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert [path for path, each in packages.items() if not each.get("integrity", "").startswith("sha512-")] == []
    assert [path for path, each in packages.items() if "resolved" in each] == []


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_no_lock_names_a_registry(name: str) -> None:
    """Whoever installs chooses where the files come from; what they are is in the hashes."""
    assert "://" not in (ROOT / name).read_text("utf-8")
