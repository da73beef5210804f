"""The command line: each command reads its arguments, calls one function, and says what happened."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer

from arena import settings
from arena.domain.errors import ArenaError
from arena.domain.stage import Stage
from arena.record.store import Store

# Read when the libraries are imported: no hub is asked for anything, and small matrices want one thread.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False, help=__doc__)
organizer = typer.Typer(no_args_is_help=True, help="Who may open the organizer's console.")
app.add_typer(organizer, name="organizer")


@contextmanager
def opened() -> Iterator[Store]:
    """The record of these settings; a refusal ends the command with its sentence and exit code 1."""
    with refusals():
        store = Store(settings.read().resolved_database_url)
        try:
            yield store
        finally:
            store.close()


@contextmanager
def refusals() -> Iterator[None]:
    """Turns what the arena refuses into one sentence on standard error and exit code 1."""
    try:
        yield
    except (ArenaError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None


def stage_file() -> tuple[Stage, bytes]:
    """The stage of these settings and its file's bytes."""
    path = settings.read().stage
    data = path.read_bytes()
    return Stage.from_toml(data, str(path)), data


@app.command()
def serve() -> None:
    """Serve the arena; the environment says where (ARENA_DATA_DIR, ARENA_DATABASE_URL, ARENA_STAGE, PORT)."""
    sys.path.insert(0, str(settings.ROOT))
    import app as application  # the composition root imports every heavy library; no other command waits for them

    application.main()


@organizer.command("add")
def organizer_add(
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
