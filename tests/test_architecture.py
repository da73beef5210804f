"""The house's plan holds: who may import whom, and which heavy library has which door."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# What each room may import of ours; an arrow only ever points down.
ALLOWED = {
    "models": {"models"},
    "ratings": {"ratings"},
    "arena.domain": {"arena.domain"},
    "arena.record": {"arena.record", "arena.domain"},
    "arena.battles": {"arena.battles", "arena.record", "arena.domain", "models"},
    "arena.results": {"arena.results", "arena.record", "arena.domain", "ratings", "arena"},
    "arena.web": {"arena.web", "arena.battles", "arena.results", "arena.record", "arena.domain", "models", "ratings"},
    "arena.simulate": {"arena.battles", "arena.results", "arena.record", "arena.domain", "ratings", "models"},
    "arena.settings": {"arena.domain"},
}

# Inside the results: each may import itself and what is named; votes stand lowest, the lifecycle on top.
INSIDE_RESULTS = {
    "votes": set[str](),
    "integrity": {"votes"},
    "live": {"votes"},
    "export": {"votes", "integrity", "live"},
    "programme": {"votes", "export"},
    "publish": {"votes", "live", "export"},
}

DOORS = {
    "torch": ("models/local", "models/demo/"),
    "transformers": ("models/local", "models/demo/"),
    "choix": ("ratings/bradley_terry.py",),
    "gradio": ("arena/web/citizen_page.py", "arena/web/organizer_page.py", "arena/web/site.py", "app.py"),
    "jinja2": ("arena/results/publish/html.py", "arena/web/layout.py"),
    "sqlalchemy": ("arena/record/",),
    "alembic": ("arena/record/",),
}


def sources() -> list[Path]:
    """Every module that ships."""
    return [p for room in ("arena", "models", "ratings") for p in sorted((ROOT / room).rglob("*.py"))] + [
        ROOT / "app.py"
    ]


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
    return "app" if parts[0] == "app" else None


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


@pytest.mark.parametrize("room", INSIDE_RESULTS)
def test_arrows_point_down_inside_the_results(room: str) -> None:
    """votes <- integrity, live <- export <- programme, publish <- lifecycle: no sub-room knows one above it or beside it."""
    for path in sorted((ROOT / "arena/results" / room).rglob("*.py")):
        for module in imported(path):
            if module.startswith("arena.results."):
                assert module.split(".")[2] in {room} | INSIDE_RESULTS[room], (
                    f"{path.relative_to(ROOT)} imports {module}"
                )


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
