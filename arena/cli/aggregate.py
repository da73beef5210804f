"""`python -m arena aggregate`: the user score and the other components become the programme's total."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import rfc8785
import typer
from rich.console import Console
from rich.table import Table

from arena.cli.common import keys, refusals

GATES = {"eligible": "eligible", "ineligible": "NOT eligible", "pending": "pending"}


def command(
    stage: Annotated[
        Path, typer.Option(help="the programme's own copy of the stage file", exists=True, dir_okay=False)
    ],
    user: Annotated[Path, typer.Option(help="the export's folder", exists=True, file_okay=False)],
    eligibility: Annotated[Path, typer.Option(help="CSV of the eligibility decisions", exists=True, dir_okay=False)],
    out: Annotated[Path, typer.Option(help="a folder that does not exist yet")],
    benchmark: Annotated[Path | None, typer.Option(help="CSV of the component `benchmark`", exists=True)] = None,
    expert: Annotated[Path | None, typer.Option(help="CSV of the component `expert`", exists=True)] = None,
    component: Annotated[
        list[str] | None, typer.Option(help="ID=CSV for any other component of the stage; may be repeated")
    ] = None,
    jwks: Annotated[
        Path | None, typer.Option(help="the arena's public keys, got another way than with the export", exists=True)
    ] = None,
) -> None:
    """Verify the user score, add the components up, draw the cut and then apply the gate; write it signed, as JSON and as a page."""
    with refusals():
        named = {"benchmark": benchmark, "expert": expert}
        given = {name: path for name, path in named.items() if path is not None} | _further(component)
        run(stage, user, given, eligibility, out, jwks)


def run(
    stage: Path, user: Path, components: Mapping[str, Path], eligibility: Path, out: Path, jwks: Path | None
) -> None:
    """What the command does.

    Raises:
        ArenaError: says what does not fit, and where.
    """
    from arena.results.export import verify
    from arena.results.export.atomic_write import lay
    from arena.results.programme.aggregate import Handed, aggregate
    from arena.results.publish.html import total_page

    trusted = None if jwks is None else verify.read_jwks(jwks.read_bytes(), str(jwks))
    export = verify.verify(user, trusted).document
    signer = keys()
    document = aggregate(
        Handed(stage.name, stage.read_bytes()),
        export,
        {component: Handed(path.name, path.read_bytes()) for component, path in components.items()},
        Handed(eligibility.name, eligibility.read_bytes()),
        signer,
        datetime.now(UTC),
        trusted=trusted is not None,
    )
    files = {
        "total.json": rfc8785.dumps(document),
        "total.html": total_page(document).encode(),
        "jwks.json": rfc8785.dumps(signer.jwks()),
    }
    lay(files, out)
    show(document, Console())
    typer.echo(f"{out} holds total.json (signed), total.html and jwks.json")


def show(document: Mapping[str, Any], console: Console) -> None:
    """Prints the decision as a table, and what to know with it."""
    title = f"{document['stage']['id']}, round {document['stage']['round']}" + (
        " (SYNTHETIC)" if document["synthetic"] else ""
    )
    table = Table(title=title)
    table.add_column("rank", justify="right")
    table.add_column("team")
    for part in document["components"]:
        table.add_column(f"{part['id']} /{part['max']:g}", justify="right")
    for name in ("total", "95 %", "P(in cut)", "P(advance)"):
        table.add_column(name, justify="right")
    table.add_column("gate")
    table.add_column("result")
    for n, team in enumerate(document["teams"], start=1):
        low, high = team["total_ci95"]
        table.add_row(
            str(team["rank"]),
            team["team_id"],
            *(f"{team['components'][part['id']]:g}" for part in document["components"]),
            f"{team['total']:g}",
            f"{low:.1f} – {high:.1f}",
            f"{team['p_in_cut']:.2f}",
            "–" if team["p_advance"] is None else f"{team['p_advance']:.2f}",
            GATES[team["gate"]["status"]],
            team["reason"],
            end_section=n == document["rule"]["places"],
        )
    console.print(table)
    console.print(
        f"advance: {', '.join(document['advance']) or 'nobody'}; vacant: {document['vacancy']} of {document['rule']['places']}",
        highlight=False,
    )
    user = document["user_component"]
    decides = "decides the cut" if user["decides"] else "does not change the cut"
    console.print(f"the user component alone {decides}", highlight=False)
    if document["user_score"]["key"] == "unconfirmed":
        console.print("- the export's key came with the export: give --jwks to know who signed", highlight=False)


def _further(given: list[str] | None) -> dict[str, Path]:
    """`ID=CSV`, read."""
    found: dict[str, Path] = {}
    for text in given or []:
        name, separator, path = text.partition("=")
        if not separator or not Path(path).is_file():
            raise typer.BadParameter(f"{text!r}: give ID=CSV, with a file that exists", param_hint="--component")
        found[name] = Path(path)
    return found
