"""Members of a panel: their invitation codes, and the list of their digests that the stage file seals."""

import csv
import os
from pathlib import Path
from typing import Annotated

import typer

from arena.cli.common import refuse
from arena.domain.invitation import code_digest, new_code
from arena.i18n.terminal import t

MOST = 100_000

app = typer.Typer(no_args_is_help=True, help=t("help_panel"))


@app.callback()
def panel() -> None:
    """Who is a member of a panel, and their invitations."""


@app.command("invite", help=t("help_panel_invite"))
def invite(
    members: Annotated[int, typer.Argument(help=t("argument_members"), min=1, max=MOST)],
    out: Annotated[Path, typer.Option(help=t("option_invitations"))],
) -> None:
    """Make a code for each member in a file that only its owner reads; print what the stage file gets, which opens nothing to anybody."""
    codes = [new_code() for _ in range(members)]
    try:
        # Never over another: those codes may have been sent.
        file = os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", newline="")
    except FileExistsError:
        refuse(t("panel_file_exists", path=out))
        raise typer.Exit(1) from None
    with file:
        csv.writer(file).writerows([("member", "code"), *enumerate(codes, 1)])
    typer.echo("[population.panel]\nmembers = [")
    for digest in sorted(map(code_digest, codes)):  # in no order that tells which is whose
        typer.echo(f'  "{digest}",')
    typer.echo("]")
    typer.echo(t("panel_invited", members=members, path=out), err=True)
