"""`python -m arena simulate`: a stage of simulated citizens, labelled synthetic wherever it shows."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arena import settings
from arena.cli.common import keys, opened, read_stage
from arena.cli.progress import working
from arena.cli.stage_page import padded
from arena.i18n.terminal import t

if TYPE_CHECKING:
    from arena.simulate import SimulationReport


def simulate(
    votes: Annotated[int, typer.Option(min=1)] = 2000,
    seed: int = 7,
    voters: Annotated[int | None, typer.Option(min=1, help=t("option_voters"))] = None,
    id: Annotated[str, typer.Option(help=t("option_simulated_id"))] = "simulated",
    stage_file: Annotated[
        Path | None,
        typer.Option("--stage", help=t("option_simulated_stage"), exists=True),
    ] = None,
) -> None:
    """Play citizens with a known taste through a synthetic stage of its own, and compare the ratings with what was planted."""
    from arena import simulate as simulation
    from arena.record.private_files import make_folder
    from arena.results.export.atomic_write import write_file

    with opened() as store:
        if stage_file is None:
            stage, data = simulation.simulated_stage(id)
            path = settings.read().data_dir / "stages" / f"{id}.toml"
            make_folder(path.parent)
            write_file(data, path)
        else:
            path, data = stage_file, stage_file.read_bytes()
            stage = read_stage(path)
        simulation.open_simulated(store, stage, data, datetime.now(UTC))
        with working(t("working_simulate"), total=votes) as progress:
            report = simulation.simulate(
                store,
                stage,
                votes,
                seed,
                voters,
                secret=keys().secret,
                progress=progress,
            )
    typer.echo(table(report))
    typer.echo(t("simulate_see", path=path))


def table(report: "SimulationReport") -> str:
    """Return what was planted and what the ratings found, an entrant a line."""
    heads = ("simulate_planted", "simulate_fitted", "± 95 %", "simulate_rating", "simulate_points", "simulate_rank")
    figures = [padded(t(head) if head in t else head, 8 if head != heads[-1] else 6, right=True) for head in heads]
    told = {"stage": report.stage_id, "votes": report.votes, "voters": report.voters, "seed": report.seed}
    lines = [t("simulate_title", **told), padded(t("simulate_entrant"), 16) + "".join(figures)]
    for row in report.ratings.by_rank():
        low, high = row.rank_ci95 or (0, 0)
        lines.append(
            f"{row.model:<16}{report.planted[row.model]:>8.3f}{row.theta or 0:>8.3f}{1.96 * (row.se or 0):>8.3f}"
            f"{row.rating or 0:>8.0f}{row.points or 0:>8.2f}{f'{low}–{high}' if low != high else low:>6}"
        )
    lines.append(t("simulate_recovered" if report.recovered else "simulate_not_recovered"))
    return "\n".join(lines)
