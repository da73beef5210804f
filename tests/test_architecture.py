"""The house's plan holds: who may import whom, and which heavy library has which door."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from setup import groups

ROOT = Path(__file__).resolve().parent.parent

# What each room may import of ours; an arrow only ever points down.
ALLOWED = {
    "models": {"models"},
    "ratings": {"ratings"},
    "arena.domain": {"arena.domain"},
    "arena.i18n": {"arena.i18n", "arena.domain"},
    "arena.record": {"arena.record", "arena.domain"},
    "arena.battles": {"arena.battles", "arena.record", "arena.domain", "models"},
    "arena.results": {"arena.results", "arena.record", "arena.i18n", "arena.domain", "ratings", "arena"},
    "arena.web": {
        "arena.web",
        "arena.battles",
        "arena.results",
        "arena.record",
        "arena.i18n",
        "arena.domain",
        "models",
        "ratings",
    },
    "arena.simulate": {"arena.battles", "arena.results", "arena.record", "arena.domain", "ratings", "models"},
    "arena.settings": {"arena.domain"},
    "arena.cli": {
        "arena.cli",
        "arena.simulate",
        "arena.settings",
        "arena.battles",
        "arena.results",
        "arena.record",
        "arena.i18n",
        "arena.domain",
        "models",
        "ratings",
        "app",
    },
    "arena.__main__": {"arena.cli"},
    "app": {
        "arena",
        "arena.settings",
        "arena.web",
        "arena.battles",
        "arena.results",
        "arena.record",
        "arena.i18n",
        "arena.domain",
        "models",
    },
    "setup": set(),
}
"""`arena` alone is its version; `app` wires and is wired by nobody but the command line's `serve`."""

# Inside two rooms: each sub-room may import itself and what is named; the lifecycle, and the mount, stand on top.
INSIDE = {
    "arena.results": {
        "votes": set[str](),
        "integrity": {"votes"},
        "live": {"votes"},
        "witness": set(),
        "export": {"votes", "integrity", "live", "witness"},
        "programme": {"votes", "export"},
        "publish": {"votes", "live", "export", "programme"},
    },
    "arena.web": {
        "core": set[str](),
        "api": {"core"},
        "auth": {"core"},
        "console": {"core"},
        "pages": {"core", "api"},
        "middleware": {"core", "pages"},
    },
}

DOORS = {
    "torch": ("models/local/", "models/demo/"),
    "transformers": ("models/local/", "models/demo/"),
    "choix": ("ratings/bradley_terry.py",),
    "gradio": (
        "arena/web/pages/citizen.py",
        "arena/web/pages/organizer.py",
        "arena/web/api/gradio_client.py",
        "arena/web/mount.py",
        "app.py",
    ),
    "jinja2": ("arena/results/publish/html.py",),
    "rfc3161_client": ("arena/results/witness/stamps.py",),
    "sqlalchemy": ("arena/record/",),
    "alembic": ("arena/record/",),
}


def sources() -> list[Path]:
    """Every module that ships."""
    return [p for room in ("arena", "models", "ratings") for p in sorted((ROOT / room).rglob("*.py"))] + [
        ROOT / "app.py",
        ROOT / "setup.py",
    ]


@cache
def imported(path: Path) -> set[str]:
    """Every module this file imports, wherever in the file it does so."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            pytest.fail(f"{path.relative_to(ROOT)}: relative imports hide the direction of an arrow")
    return names


def room_of(module: str) -> str | None:
    """The room a module of ours stands in; nothing for somebody else's, or for a name inside a room's `__init__`."""
    parts = module.split(".")
    if parts[0] in ("models", "ratings"):
        return parts[0]
    if parts[0] == "arena":
        return ".".join(parts[:2]) if len(parts) > 1 and ".".join(parts[:2]) in ALLOWED else "arena"
    return parts[0] if parts[0] in ALLOWED else None


def room_holding(path: Path) -> str | None:
    """The room that a file of ours stands in."""
    return room_of(".".join(path.relative_to(ROOT).with_suffix("").parts))


def test_every_module_stands_in_a_room() -> None:
    """What ships has a line in the plan: nothing may import at will because nobody thought of it."""
    assert [str(path) for path in sources() if room_holding(path) not in {*ALLOWED, "arena"}] == []
    assert [path.name for path in sources() if room_holding(path) == "arena"] == ["__init__.py"]
    assert {room for room in ALLOWED if not any(room_holding(path) == room for path in sources())} == set()


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_arrows_point_down(room: str) -> None:
    """A room imports only what stands below it: ratings and models know nobody, battles know no ratings, results no models."""
    base = ROOT / room.replace(".", "/")
    files = sorted(base.rglob("*.py")) if base.is_dir() else [base.with_suffix(".py")]
    assert files
    for path in files:
        for module in imported(path):
            target = room_of(module)
            if target is None or (target == "arena" and module.startswith("arena.__")):
                continue
            # `from arena import results` names a room through the package; the longer name was added beside it.
            if target == "arena" and module in ("arena",):
                continue
            assert target in ALLOWED[room], f"{path.relative_to(ROOT)} imports {module}"


@pytest.mark.parametrize(("room", "part"), [(room, part) for room, parts in INSIDE.items() for part in parts])
def test_arrows_point_down_inside_a_room(room: str, part: str) -> None:
    """No sub-room of the results or of the web knows one above it or beside it."""
    files = sorted((ROOT / room.replace(".", "/") / part).rglob("*.py"))
    assert files
    for path in files:
        for module in imported(path):
            if module.startswith(f"{room}."):
                assert module.split(".")[2] in {part} | INSIDE[room][part], f"{path.relative_to(ROOT)} imports {module}"


@pytest.mark.parametrize("room", INSIDE)
def test_every_sub_room_has_its_line(room: str) -> None:
    """A new folder of the results or of the web gets its arrows before it gets its second module."""
    folders = {path.parent.name for path in (ROOT / room.replace(".", "/")).glob("*/__init__.py")}
    assert folders == set(INSIDE[room])


@pytest.mark.parametrize("library", sorted(DOORS))
def test_each_heavy_library_has_one_door(library: str) -> None:
    """torch, transformers, choix, gradio and SQL are imported only behind their one door, and that door is in use."""
    users = {
        path.relative_to(ROOT).as_posix()
        for path in sources()
        if any(module == library or module.startswith(library + ".") for module in imported(path))
    }
    assert users
    strangers = sorted(user for user in users if not user.startswith(DOORS[library]))
    assert strangers == []


def test_no_module_outgrows_its_noun() -> None:
    """A module past 500 lines has a second noun in it."""
    long = {p.relative_to(ROOT).as_posix(): n for p in sources() if (n := len(p.read_text("utf-8").splitlines())) > 500}
    assert long == {}


@pytest.mark.slow
def test_rate_needs_only_its_own_libraries() -> None:
    """`kai-arena rate` starts with the groups `command` and `ratings` of requirements.txt and nothing of `serve`."""
    said = subprocess.run(
        [sys.executable, "-c", "import sys, arena.cli, arena.cli.rate\nprint(*sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {name.partition(".")[0] for name in said.stdout.split()}
    served = {
        Requirement(line).name.replace("-", "_")
        for line in groups((ROOT / "requirements.txt").read_text("utf-8"))["serve"]
    }
    # These come with Rich and Typer.
    assert loaded & (served - {"pygments"}) == set()
    assert {"pandas", "choix"} <= loaded
