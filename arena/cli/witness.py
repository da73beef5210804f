"""`python -m arena witness`: keep and cosign the checkpoints of an arena that somebody else runs."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arena.cli.common import refusals, refuse
from arena.i18n.terminal import said, t

if TYPE_CHECKING:
    from arena.results.witness.follow import Round

CONTRADICTION = 3
"""The exit code where the arena has contradicted itself."""
TRIES = 4
"""So often one round is tried with `--once`."""
LONGEST_WAIT_S = 600.0


def witness(
    url: str,
    folder: Annotated[Path, typer.Option("--dir", help=t("option_witness_dir"))],
    name: Annotated[str, typer.Option(help=t("option_witness_name"))] = "witness",
    stage: Annotated[str | None, typer.Option(help=t("option_witness_stage"))] = None,
    key: Annotated[Path | None, typer.Option(help=t("option_witness_key"))] = None,
    jwks: Annotated[Path | None, typer.Option(help=t("option_trusted_jwks"), exists=True, dir_okay=False)] = None,
    every: Annotated[float, typer.Option(help=t("option_witness_every"), min=1)] = 60.0,
    once: Annotated[bool, typer.Option(help=t("option_witness_once"))] = False,
) -> None:
    """Follow an arena's checkpoints, prove that each continues those before, keep and cosign them; exit code 3 and a file of evidence at a contradiction."""
    from arena.results.export.verify import read_jwks
    from arena.results.witness.arena_client import ArenaClient, Unreachable
    from arena.results.witness.follow import Contradiction, Round, follow
    from arena.results.witness.notebook import WITNESS, Identity

    with refusals():
        new = not (folder / WITNESS).exists()
        own = Identity.open(folder, name, key)
        trusted = None if jwks is None else read_jwks(jwks.read_bytes(), str(jwks))
    if new:
        public = own.to_json()
        typer.echo(t("witness_new", id=public["id"], x=public["x"], y=public["y"], file=folder / WITNESS))
    client, failures, told = ArenaClient(url), 0, Round("", None, 0, accepted=False)
    while True:
        try:
            with refusals(passing=(Unreachable, Contradiction)):
                done = follow(client, folder, own, datetime.now(UTC), stage=stage, jwks=trusted)
        except Contradiction as error:
            refuse(said(error))
            raise typer.Exit(CONTRADICTION) from None
        except Unreachable as error:
            failures += 1
            refuse(said(error))
            if once and failures == TRIES:
                raise typer.Exit(1) from None
            time.sleep(min(LONGEST_WAIT_S, 2.0**failures / 2))
            continue
        failures = 0
        if once or (done.size, done.refused) != (told.size, told.refused):
            typer.echo(_line(done))
        told = done
        if once:
            return
        time.sleep(every)


def _line(done: "Round") -> str:
    if done.size is None:
        return t("witness_waiting", stage=done.stage)
    return t("witness_refused" if done.refused else "witness_cosigned", stage=done.stage, size=done.size, new=done.new)
