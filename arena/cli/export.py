"""`python -m arena export` and `verify`: the score leaves, and a stranger checks it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from arena import settings
from arena.cli.common import exports, keys, opened, refusals


def export(
    stage_id: str, out: Annotated[Path | None, typer.Option(help="ARENA_DATA_DIR/exports/STAGE unless given")] = None
) -> None:
    """Write the signed export of a stage into a folder of its own under OUT, and point OUT/latest at it."""
    from arena.results import export as exporting

    with opened() as store:
        commit = exporting.git_commit(settings.ROOT)
        folder = exporting.export(
            store, keys(), stage_id, out or exports(stage_id), datetime.now(UTC), git_commit=commit
        )
    typer.echo(f"{folder} is written and verified")


def verify(
    folder: Path,
    jwks: Annotated[Path | None, typer.Option(help="the public keys you trust, got from the arena another way")] = None,
) -> None:
    """Check an export from its files alone and recompute every number; exit code 1 names the first thing that does not hold."""
    from arena.results import verify as verifying

    with refusals():
        trusted = None if jwks is None else verifying.read_jwks(jwks.read_bytes(), str(jwks))
        verdict = verifying.verify(folder, trusted)
    for check in verdict.checks:
        typer.echo(f"ok  {check}")
    if verdict.document["synthetic"]:
        typer.echo("note  SYNTHETIC: nothing in this export was judged by people")
