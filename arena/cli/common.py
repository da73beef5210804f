"""What the commands share: the record, the keys, and how a refusal is said."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from arena import settings
from arena.domain.errors import ArenaError, StageError
from arena.i18n.terminal import said, t
from models.errors import ModelError
from ratings.errors import RatingsError
from ratings.listing import printable

# `rate` needs neither database nor signatures: whoever has only its libraries can run it.
if TYPE_CHECKING:
    from arena.domain.stage import Stage
    from arena.record.keys import Keys
    from arena.record.store import Store


@contextmanager
def opened() -> "Iterator[Store]":
    """Open the record of these settings; a refusal ends the command with its sentence and exit code 1."""
    from arena.record.database import sqlite_file
    from arena.record.private_files import made_here, mend
    from arena.record.store import Store

    with refusals():
        chosen = settings.read()
        mended, _ = mend(made_here(chosen.data_dir, sqlite_file(chosen.resolved_database_url)))
        if mended:
            typer.echo(t("files_mended", paths=mended), err=True)
        store = Store(chosen.resolved_database_url)
        try:
            yield store
        finally:
            store.close()


@contextmanager
def refusals(passing: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Turn what the arena refuses into one sentence on standard error and exit code 1; what is `passing` is the caller's."""
    try:
        yield
    except passing:
        raise
    except (ArenaError, ModelError, RatingsError, OSError) as error:
        refuse(said(error))
        raise typer.Exit(1) from None


def read_stage(file: Path) -> "Stage":
    """Read a stage file, with the keys that say where its entrants run.

    Raises:
        StageError: it cannot be used, or holds a secret; names the key.
    """
    from arena.domain.stage import Stage
    from models.published import refuse_secrets
    from models.specification import parse_entrants

    data = file.read_bytes()
    try:
        refuse_secrets(data)  # before anything in it is quoted
        stage = Stage.from_toml(data, str(file))
        parse_entrants(stage.served())
    except ModelError as error:
        raise StageError("stage_file", file=str(file), cause=str(error)) from None
    return stage


def refuse(sentence: str) -> None:
    """Say on standard error what is wrong."""
    lines = t("cli_error", said=sentence).splitlines()
    typer.echo("\n".join(map(printable, lines)), err=True)  # a file's name or a cell may hold a command to the terminal


def keys() -> "Keys":
    """Open the arena's keys."""
    from arena.record.keys import Keys

    return Keys.open(settings.read().data_dir, os.environ)


def exports(stage_id: str) -> Path:
    """Where a stage's exports are kept."""
    return settings.read().data_dir / "exports" / stage_id


def evidence() -> Path:
    """Where the entrants' keys to the evidence wait for whoever hands them over, in a folder for each stage."""
    return settings.read().data_dir / "evidence"


def battles_in(store: "Store", stage_id: str, receipts: Path | None) -> list[str]:
    """Read a file of receipts, one a line, as the battles of their votes; no file names none.

    Raises:
        Unusable: a line is no receipt of a vote in this stage.
    """
    from arena.domain.errors import Unusable

    lines = [] if receipts is None else [line.strip() for line in receipts.read_text("utf-8").splitlines()]
    wanted = [line for line in lines if line]
    found = store.votes.battles_of(stage_id, wanted)
    for receipt in wanted:
        if receipt not in found:
            raise Unusable("no_such_receipt", receipt=receipt[:64], stage=stage_id)
    return [found[receipt] for receipt in wanted]


def operator() -> str:
    """Who acts, for the record: never a person's name."""
    return "command line"
