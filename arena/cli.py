"""The command line: each command reads its arguments, calls one function, and says what happened."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from arena import settings
from arena.domain.errors import ArenaError
from arena.domain.stage import Stage
from arena.record.keys import Keys
from arena.record.store import Store

# Read when the libraries are imported: no hub is asked for anything, and small matrices want one thread.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False, help=__doc__)
organizer = typer.Typer(no_args_is_help=True, help="Who may open the organizer's console.")
app.add_typer(organizer, name="organizer")
stages = typer.Typer(no_args_is_help=True, help="A stage's one way: draft → open → frozen → published.")
app.add_typer(stages, name="stage")

StageFile = Annotated[Path, typer.Argument(help="the stage file", exists=True, dir_okay=False)]


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


@app.command()
def simulate(
    votes: Annotated[int, typer.Option(min=1)] = 2000,
    seed: int = 7,
    voters: Annotated[int | None, typer.Option(min=1, help="one for every 20 votes unless given")] = None,
    id: Annotated[str, typer.Option(help="the simulated stage's name")] = "simulated",
) -> None:
    """Play citizens with a known taste through a synthetic stage of its own, and compare the ratings with what was planted."""
    from arena import simulate as simulation

    with opened() as store:
        stage, data = simulation.simulated_stage(id)
        path = settings.read().data_dir / "stages" / f"{id}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
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


@stages.command("check")
def stage_check(file: StageFile) -> None:
    """Read a stage file and say what it declares, without opening anything."""
    from arena.results import lifecycle

    with refusals():
        stage = Stage.from_toml(file.read_bytes(), str(file))
        typer.echo(lifecycle.described(stage, file.read_bytes()))


@stages.command("open")
def stage_open(file: StageFile) -> None:
    """Seal a stage file and open its stage."""
    from arena.results import lifecycle

    with opened() as store:
        stage = Stage.from_toml(file.read_bytes(), str(file))
        record = lifecycle.open_stage(store, stage, file.read_bytes(), organizer=operator(), now=datetime.now(UTC))
    typer.echo(f"{stage.id} is open, sealed as {record.file_sha256}")


@stages.command("freeze")
def stage_freeze(stage_id: str) -> None:
    """Close a stage for good: what is committed counts, everything later is refused, the final checkpoint is signed."""
    from arena.results import lifecycle

    with opened() as store:
        record, head = lifecycle.freeze(store, keys(), stage_id, organizer=operator(), now=datetime.now(UTC))
    typer.echo(f"{stage_id} is {record.status} with {head.size} votes, root {head.root}")


@stages.command("publish")
def stage_publish(stage_id: str) -> None:
    """Export a frozen stage, verify the export, and declare it the stage's result."""
    from arena.results import lifecycle

    with opened() as store:
        folder, record = lifecycle.publish(
            store, keys(), stage_id, exports(stage_id), settings.ROOT, organizer=operator(), now=datetime.now(UTC)
        )
    typer.echo(f"{stage_id} is {record.status}: {folder}")


@stages.command("show")
def stage_show(stage_id: Annotated[str | None, typer.Argument()] = None) -> None:
    """Say where a stage stands, or every stage of this database."""
    from arena.results import lifecycle

    with opened() as store:
        typer.echo(lifecycle.shown(store, stage_id))


@stages.command("remove")
def stage_remove(stage_id: str, entrant: str, reason: Annotated[str, typer.Option(prompt=True)]) -> None:
    """Take an entrant out of an open stage for good; the reason and the moment are published."""
    from arena.results import lifecycle, removal

    with opened() as store:
        stage = lifecycle.sealed_stage(store, stage_id)
        removal.remove_entrant(store, stage, entrant, reason=reason, organizer=operator(), now=datetime.now(UTC))
    typer.echo(f"{entrant} is out of {stage_id}: {reason}")


@app.command()
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


@app.command()
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


def keys() -> Keys:
    """The arena's keys."""
    return Keys.open(settings.read().data_dir, os.environ)


def exports(stage_id: str) -> Path:
    """Where a stage's exports are kept."""
    return settings.read().data_dir / "exports" / stage_id


def operator() -> str:
    """Who acts, for the record: never a person's name."""
    return "command line"
