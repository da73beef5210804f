"""The documents say what the program does: no route, refusal, command or file of which they are silent, and none that is not there."""

import ast
import re
from pathlib import Path
from typing import Any, get_args

import pytest
import typer.main

from arena.cli import app as command_line
from arena.domain import errors
from arena.i18n.catalogue import messages
from arena.settings import ROOT, Settings
from models.endpoint import finishes
from models.endpoint.quirks import Quirk
from models.errors import AnswerErrorKind

DOCS = {
    p.relative_to(ROOT).as_posix(): p.read_text("utf-8")
    for p in [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("docs/adr/*.md"))]
}


def routes(tmp_path: Path) -> set[str]:
    """`METHOD path` of every route in the OpenAPI schema of the demo stage."""
    import app  # with Gradio and torch: the other tests do not wait for them

    schema = app.build(Settings(data_dir=tmp_path)).openapi()
    return {f"{method.upper()} {path}" for path, methods in schema["paths"].items() for method in methods}


@pytest.mark.http
def test_the_api_page_lists_every_route_and_no_other(tmp_path: Path) -> None:
    """docs/api.md has a row for each route of the schema, and each row is a route."""
    rows = set(re.findall(r"^\| `((?:GET|POST|PUT|DELETE) /[^`?]*)`", DOCS["docs/api.md"], re.MULTILINE))
    assert rows == routes(tmp_path)


def refusals() -> dict[str, set[int]]:
    """Every code that the source raises for people, with its statuses."""
    statuses = {
        name: kind.status
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.ArenaError) and kind.status != 500
    }
    found: dict[str, set[int]] = {}
    for path in (ROOT / "arena").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in statuses
                and node.args
            ):
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    found.setdefault(first.value, set()).add(statuses[node.func.id])
    return found


def test_the_api_page_lists_every_refusal_and_no_other() -> None:
    """docs/api.md names each stable code under its status."""
    table = DOCS["docs/api.md"].partition("## Refusals")[2]
    listed: dict[str, set[int]] = {}
    for status, codes in re.findall(r"^\| (\d{3}) \| (.*) \|$", table, re.MULTILINE):
        for code in re.findall(r"`([a-z_]+)`", codes):
            listed.setdefault(code, set()).add(int(status))
    # Made outside the tree of errors: by the parser of requests, and for what nobody foresaw.
    outside = {"malformed": {400}, "not_found": {404}, "method_not_allowed": {405}, "internal": {500}}
    raised = {code: set(statuses) for code, statuses in refusals().items()}
    for code, statuses in outside.items():
        raised.setdefault(code, set()).update(statuses)
    raised.setdefault("unusable", set()).add(422)
    raised.setdefault("too_large", set()).add(413)
    assert listed == raised


def commands() -> list[str]:
    """Every command as it is typed after `python -m arena`."""
    group: Any = typer.main.get_command(command_line)
    found: list[str] = []
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        found += [f"{name} {sub}" for sub in getattr(command, "commands", {})] or [name]
    return found


@pytest.mark.parametrize("command", commands())
def test_every_command_is_in_a_document(command: str) -> None:
    """No command of which README and docs are silent."""
    said = "\n".join(DOCS.values())
    head, _, sub = command.partition(" ")
    grouped = re.search(rf"python -m arena {head} [a-z|-]*\b{sub}\b", said) if sub else None
    assert re.search(rf"(?:python -m arena |`){command}\b", said) or grouped


@pytest.mark.parametrize("page", sorted(DOCS))
def test_no_link_leads_nowhere(page: str) -> None:
    """Every relative link and picture of a page is there."""
    for target in re.findall(r"\]\(([^)#\s]+)", DOCS[page]):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), target


@pytest.mark.parametrize("page", sorted(set(DOCS) - {"CHANGELOG.md"}))
def test_every_file_that_a_document_names_is_there(page: str) -> None:
    """A path of ours in backticks leads to a file or a folder: documents move with the code."""
    named = re.findall(r"`((?:arena|models|ratings|tests|benchmarks|docs|examples|stages)/[\w./-]*)`", DOCS[page])
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_accessibility_is_told_item_by_item() -> None:
    """All 33 items of KWCAG 2.2 have a row that says how they were checked, and every test that is named is there."""
    page = DOCS["docs/accessibility.md"]
    rows = re.findall(r"^\| (\d\.\d\.\d) \| [^|]+ \| (met|not applicable) \| [^|]+ \|$", page, re.MULTILINE)
    assert len({number for number, _ in rows}) == len(rows) == 33
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
    }
    assert sorted(set(re.findall(r"`(test_\w+)`", page)) - defined) == []


def test_the_file_tree_of_the_readme_is_the_tree() -> None:
    """Every path in README's tree exists, and every room of the house is in it."""
    tree = DOCS["README.md"].partition("## What stands where")[2].partition("```\n")[2].partition("```")[0]
    listed: set[str] = set()
    above: dict[int, str] = {0: ""}
    for line in filter(str.strip, tree.splitlines()):
        depth = (len(line) - len(line.lstrip())) // 2
        path = above[depth] + line.split()[0]
        listed.add(path)
        above[depth + 1] = path
    assert sorted(path for path in listed if not (ROOT / path).exists()) == []
    assert {f"arena/{p.parent.name}/" for p in (ROOT / "arena").glob("*/__init__.py")} <= listed


def test_the_page_of_models_knows_every_end_of_an_answer() -> None:
    """docs/models.md names each finish reason beside what it does, each kind of failure, and each quirk with its sentence."""
    page = DOCS["docs/models.md"]
    for words, end in (
        (finishes.COMPLETE, "complete"),
        (finishes.TRUNCATED, "truncated"),
        (finishes.FILTERED, "failed, `filtered`"),
        (finishes.ABORTED, "failed, `aborted`"),
    ):
        assert f"| {', '.join(f'`{word}`' for word in words)} | {end} |" in page
    table = page.partition("| kind of failure |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`([a-z_]+)`", table)) == set(get_args(AnswerErrorKind))
    assert dict(
        re.findall(r"^\| `([a-z_]+)` \| (.*) \|$", page.partition("### Quirks")[2].partition("\n## ")[0], re.M)
    ) == {quirk: messages("en")(f"quirk_{quirk}") for quirk in get_args(Quirk)}
