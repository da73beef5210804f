"""`python -m arena simulate`: a stage of simulated citizens, labelled synthetic wherever it shows."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from arena import settings
from arena.cli.common import keys, opened
from arena.domain.stage import Stage


def simulate(
    votes: Annotated[int, typer.Option(min=1)] = 2000,
    seed: int = 7,
    voters: Annotated[int | None, typer.Option(min=1, help="one for every 20 votes unless given")] = None,
    id: Annotated[str, typer.Option(help="the simulated stage's name")] = "simulated",
    stage_file: Annotated[
        Path | None,
        typer.Option("--stage", help="a synthetic stage file to play in, instead of one made here", exists=True),
    ] = None,
) -> None:
    """Play citizens with a known taste through a synthetic stage of its own, and compare the ratings with what was planted."""
    from arena import simulate as simulation

    with opened() as store:
        if stage_file is None:
            stage, data = simulation.simulated_stage(id)
            path = settings.read().data_dir / "stages" / f"{id}.toml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        else:
            path, data = stage_file, stage_file.read_bytes()
            stage = Stage.from_toml(data, str(path))
        simulation.open_simulated(store, stage, data, datetime.now(UTC))
        with typer.progressbar(length=votes, label="SYNTHETIC votes") as bar:
            report = simulation.simulate(
                store,
                stage,
                votes,
                seed,
                voters,
                secret=keys().secret,
                progress=lambda done: bar.update(done - bar.pos),
            )
    typer.echo(report.table())
    typer.echo(f"see it: ARENA_STAGE={path} python -m arena serve")
