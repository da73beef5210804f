"""What the commands share: the record, the keys, and how a refusal is said."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from arena import settings
from arena.domain.errors import ArenaError
from models.errors import ModelError
from ratings.errors import RatingsError
from ratings.listing import printable

# `rate` needs neither database nor signatures: whoever has only its libraries can run it.
if TYPE_CHECKING:
    from arena.record.keys import Keys
    from arena.record.store import Store


@contextmanager
def opened() -> "Iterator[Store]":
    """The record of these settings; a refusal ends the command with its sentence and exit code 1."""
    from arena.record.store import Store

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
    except (ArenaError, ModelError, RatingsError, OSError) as error:
        lines = f"error: {error}".splitlines()
        typer.echo(
            "\n".join(map(printable, lines)), err=True
        )  # a file's name or a cell may hold a command to the terminal
        raise typer.Exit(1) from None


def keys() -> "Keys":
    """The arena's keys."""
    from arena.record.keys import Keys

    return Keys.open(settings.read().data_dir, os.environ)


def exports(stage_id: str) -> Path:
    """Where a stage's exports are kept."""
    return settings.read().data_dir / "exports" / stage_id


def operator() -> str:
    """Who acts, for the record: never a person's name."""
    return "command line"
