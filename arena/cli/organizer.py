"""Who may open the organizer's console."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from arena.cli.common import opened

app = typer.Typer(no_args_is_help=True, help=__doc__)


@app.callback()
def organizers() -> None:
    """Who may open the organizer's console."""


@app.command("add")
def add(
    name: str,
    password: Annotated[
        str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True, envvar="ARENA_ORGANIZER_PASSWORD")
    ],
) -> None:
    """Add an organizer, or give a known one a new password."""
    if len(password) < 10:
        typer.echo("error: a password needs 10 characters or more", err=True)
        raise typer.Exit(1)
    with opened() as store:
        store.organizers.add(name, password, datetime.now(UTC))
    typer.echo(f"organizer {name} can log in at /organizer")
