"""Who may open the organizer's console."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from arena.cli.common import opened, operator, refuse
from arena.i18n.terminal import t

LEAST = 10
"""Characters of a password."""

app = typer.Typer(no_args_is_help=True, help=t("help_organizer"))


@app.callback()
def organizers() -> None:
    """Who may open the organizer's console."""


@app.command("add", help=t("help_organizer_add"))
def add(
    name: str,
    password: Annotated[
        str,
        typer.Option(
            prompt=t("organizer_password"),
            hide_input=True,
            confirmation_prompt=True,
            envvar="ARENA_ORGANIZER_PASSWORD",
        ),
    ],
) -> None:
    """Add an organizer, or give a known one a new password."""
    if len(password) < LEAST:
        refuse(t("organizer_password_short", least=LEAST))
        raise typer.Exit(1)
    with opened() as store:
        ended = store.organizers.add(name, password, datetime.now(UTC), by=operator())
    typer.echo(t("organizer_added", name=name))
    if ended:
        typer.echo(t("organizer_ended", sessions=ended))


@app.command("remove", help=t("help_organizer_remove"))
def remove(name: str) -> None:
    """Remove an organizer, and end every session of that name at once; `console` is whoever came by the one-time link."""
    with opened() as store:
        ended = store.organizers.remove(name, datetime.now(UTC), by=operator())
    typer.echo(t("organizer_removed", name=name))
    typer.echo(t("organizer_ended", sessions=ended))


@app.command("list", help=t("help_organizer_list"))
def list_organizers() -> None:
    """List every organizer, and every session that goes on."""
    with opened() as store:
        known, sessions = store.organizers.all(), store.organizers.sessions(datetime.now(UTC))
    for organizer in known:
        typer.echo(t("organizer_line", name=organizer.name, since=t.when(organizer.created_at)))
    for session in sessions:
        told = {"entrance": session.entrance, "since": t.when(session.began_at), "seen": t.when(session.seen_at)}
        typer.echo(t("organizer_session", name=session.name, until=t.when(session.expires_at), **told))
    if not known and not sessions:
        typer.echo(t("organizer_none"))
