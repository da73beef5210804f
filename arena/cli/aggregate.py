"""`python -m arena aggregate`: the user score and the other components become the programme's total."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import rfc8785
import typer
from rich.console import Console
from rich.table import Table

from arena.cli.common import keys, refusals
from arena.cli.progress import working
from arena.i18n.terminal import t

if TYPE_CHECKING:
    from arena.results.programme.schema import Total

GATES = {
    "eligible": "aggregate_gate_eligible",
    "ineligible": "aggregate_gate_ineligible",
    "pending": "aggregate_gate_pending",
}
"""How each status of the gate is told."""
TIES = {"points": "aggregate_tie_points", "components": "aggregate_tie_components", "hold": "aggregate_tie_hold"}
"""How it is told what follows from a statistical tie."""


def command(
    stage: Annotated[Path, typer.Option(help=t("option_programme_stage"), exists=True, dir_okay=False)],
    user: Annotated[Path, typer.Option(help=t("option_user"), exists=True, file_okay=False)],
    eligibility: Annotated[Path, typer.Option(help=t("option_eligibility"), exists=True, dir_okay=False)],
    out: Annotated[Path, typer.Option(help=t("option_new_folder"))],
    benchmark: Annotated[Path | None, typer.Option(help=t("option_benchmark"), exists=True)] = None,
    expert: Annotated[Path | None, typer.Option(help=t("option_expert"), exists=True)] = None,
    component: Annotated[list[str] | None, typer.Option(help=t("option_component"))] = None,
    jwks: Annotated[Path | None, typer.Option(help=t("option_trusted_jwks"), exists=True)] = None,
    exports: Annotated[Path | None, typer.Option(help=t("option_exports"), exists=True, dir_okay=False)] = None,
    provisional: Annotated[bool, typer.Option("--provisional", help=t("option_provisional"))] = False,
) -> None:
    """Verify the user score, add the components up, draw the cut and then apply the gate; write it signed, as JSON and as a page."""
    with refusals():
        named = {"benchmark": benchmark, "expert": expert}
        given = {name: path for name, path in named.items() if path is not None} | _further(component)
        run(stage, user, given, eligibility, out, jwks, exports, provisional=provisional)


def run(
    stage: Path,
    user: Path,
    components: Mapping[str, Path],
    eligibility: Path,
    out: Path,
    jwks: Path | None,
    exports: Path | None,
    *,
    provisional: bool,
) -> None:
    """Do what the command does.

    Raises:
        ArenaError: says what does not fit, and where.
    """
    from arena.results.export import verify
    from arena.results.export.atomic_write import write_directory
    from arena.results.export.export_list import read_list
    from arena.results.programme.aggregate import Handed, aggregate
    from arena.results.publish.html import total_page

    with working(t("working_aggregate", stage=stage.name)):
        trusted = None if jwks is None else verify.read_jwks(jwks.read_bytes(), str(jwks))
        chain = None if exports is None else read_list(exports.read_bytes(), str(exports))
        export = verify.verify(user, trusted, exports=chain).document
        signer = keys()
        document = aggregate(
            Handed(stage.name, stage.read_bytes()),
            export,
            {component: Handed(path.name, path.read_bytes()) for component, path in components.items()},
            Handed(eligibility.name, eligibility.read_bytes()),
            signer,
            datetime.now(UTC),
            trusted=trusted is not None,
            provisional=provisional,
        )
        files = {
            "total.json": document.canonical(),
            "total.html": total_page(document).encode(),
            "jwks.json": rfc8785.dumps(signer.jwks()),
        }
        write_directory(files, out)
    show(document, Console())
    typer.echo(t("aggregate_written", out=out))


def show(document: "Total", console: Console) -> None:
    """Print the decision as a table, and what to know with it."""
    title = "aggregate_title_synthetic" if document.synthetic else "aggregate_title"
    table = Table(title=t(title, stage=document.stage.id, round=document.stage.round))
    table.add_column(t("aggregate_rank"), justify="right")
    table.add_column(t("aggregate_team"))
    for part in document.components:
        table.add_column(f"{part.id} /{part.max:g}", justify="right")
    for name in (t("aggregate_total"), "95 %", t("aggregate_p_cut"), t("aggregate_p_advance")):
        table.add_column(name, justify="right")
    table.add_column(t("aggregate_gate"))
    table.add_column(t("aggregate_result"))
    for n, team in enumerate(document.teams, start=1):
        low, high = team.total_ci95
        table.add_row(
            str(team.rank),
            team.team_id,
            *(f"{team.components[part.id]:g}" for part in document.components),
            f"{team.total:g}",
            f"{low:.1f} – {high:.1f}",
            f"{team.p_in_cut:.2f}",
            "–" if team.p_advance is None else f"{team.p_advance:.2f}",
            t(GATES[team.gate.status]),
            team.reason,
            end_section=n == document.rule.places,
        )
    console.print(table)
    places = {"vacancy": document.vacancy, "places": document.rule.places}
    console.print(t("aggregate_advance", teams=document.advance, **places), highlight=False)
    decides = document.user_component.decides
    console.print(t("aggregate_user_decides" if decides else "aggregate_user_does_not"), highlight=False)
    for line in _at_cut(document):
        console.print(line, highlight=False)
    if document.user_score.status == "provisional":
        console.print(t("aggregate_provisional"), highlight=False)
    if document.user_score.key == "unconfirmed":
        console.print(t("aggregate_key_unconfirmed"), highlight=False)


def _at_cut(document: "Total") -> list[str]:
    """Say whether the cut is a statistical tie, on the total and on the user component, and what follows."""
    told = []
    if document.at_cut is not None:
        maybe = [team.team_id for team in document.teams if team.in_first_k == "maybe"]
        key = TIES[document.at_cut.rule] if maybe else "aggregate_no_tie"
        told.append(t(key, teams=maybe, places=document.rule.places))
    if (own := document.user_component.at_cut) is not None and not own.separated:
        told.append(t("aggregate_user_tie", teams=[own.last_in, own.first_out]))
    return told


def _further(given: list[str] | None) -> dict[str, Path]:
    """`ID=CSV`, read."""
    found: dict[str, Path] = {}
    for text in given or []:
        name, separator, path = text.partition("=")
        if not separator or not Path(path).is_file():
            raise typer.BadParameter(t("aggregate_component_form", text=text), param_hint="--component")
        found[name] = Path(path)
    return found
