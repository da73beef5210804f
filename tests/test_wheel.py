"""The package as others install it: a wheel with everything in it, and `kai-arena rate` where only its libraries are."""

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from arena import __version__
from arena.settings import ROOT

pytestmark = pytest.mark.slow

PACKAGES = ("arena", "models", "ratings", "stages")
NEEDED = ("pyproject.toml", "setup.py", "requirements.txt", "README.md", "LICENSE", "app.py", *PACKAGES)


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a command far from the repository, with nothing of this process's environment that names it."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, env=kept | environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree, built from a copy of what `pip wheel .` needs."""
    folder = tmp_path_factory.mktemp("package")
    for name in NEEDED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / "tree" / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (folder / "tree").mkdir(exist_ok=True)
            shutil.copy(ROOT / name, folder / "tree" / name)
    built = run(sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", folder, folder / "tree", cwd=folder)
    assert built.returncode == 0, built.stdout + built.stderr
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_holds_every_file_of_the_program(wheel: Path) -> None:
    """Nothing that the program reads stays behind: weights, pages, stage files, migrations."""
    assert wheel.name == f"k_ai_arena-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    tree = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == tree | {"app.py"}


def test_the_app_is_built_from_what_the_wheel_holds(wheel: Path, tmp_path: Path) -> None:
    """Installed, the arena finds its stage file, its pages and its migrations beside itself."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    said = run(
        sys.executable,
        "-c",
        "import app\nfrom arena.settings import Settings\nprint(app.__file__, '/api/v1/battles' in app.build(Settings()).openapi()['paths'])",
        cwd=tmp_path,
        PYTHONPATH=str(tmp_path / "installed"),
    )
    assert said.stdout.strip() == f"{tmp_path / 'installed' / 'app.py'} True", said.stderr


def test_a_statistician_needs_only_the_ratings(wheel: Path, tmp_path: Path) -> None:
    """In an empty environment, `k-ai-arena[ratings]` rates a file of battles; torch, Gradio and a database are not there."""
    venv.create(tmp_path / "empty", with_pip=True)
    python = tmp_path / "empty" / "bin" / "python"
    installed = run(python, "-m", "pip", "install", "--no-compile", f"{wheel}[ratings]", cwd=tmp_path)
    assert installed.returncode == 0, installed.stdout + installed.stderr
    rows = [
        "model_a,model_b,winner",
        *["a,b,model_a"] * 7,
        *["a,b,model_b"] * 5,
        *["b,c,tie"] * 4,
        *["a,c,model_a"] * 6,
    ]
    (tmp_path / "battles.csv").write_text("\n".join(rows) + "\n", "utf-8")
    command = tmp_path / "empty" / "bin" / "kai-arena"
    rated = run(command, "rate", "battles.csv", "--out", "ratings.json", cwd=tmp_path)
    assert rated.returncode == 0, rated.stderr
    assert [each["model"] for each in json.loads((tmp_path / "ratings.json").read_bytes())["scores"]] == ["a", "b", "c"]

    listed = json.loads(run(python, "-m", "pip", "list", "--format", "json", cwd=tmp_path).stdout)
    assert {each["name"] for each in listed}.isdisjoint({"torch", "gradio", "transformers", "SQLAlchemy", "aiohttp"})
    assert "rate" in run(command, "--help", cwd=tmp_path).stdout
    refused = run(command, "verify", "somewhere", cwd=tmp_path)
    assert refused.returncode == 1
    assert "pip install 'k-ai-arena[serve]'" in refused.stderr
