"""A stage's one way: draft → open → frozen → published."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arena import settings
from arena.cli.common import exports, keys, opened, operator, refusals
from arena.domain.errors import StageError, Unusable
from arena.domain.stage import Stage
from models.errors import ModelError

if TYPE_CHECKING:
    from models.trial import Trial
from models import artifacts
from models.errors import RosterError
from models.specification import TransformersSpecification, parse_entrant

app = typer.Typer(no_args_is_help=True, help=__doc__)

StageFile = Annotated[Path, typer.Argument(help="the stage file", exists=True, dir_okay=False)]


@app.command("check")
def check_stage(
    file: StageFile,
    question: Annotated[str, typer.Option(help="what every entrant is asked")] = "안녕하세요?",
    ask: Annotated[bool, typer.Option(help="load every entrant and ask it; without, only the file is read")] = True,
) -> None:
    """Read a stage file, say what it declares, load every entrant and ask each one question; exit code 1 if one does not answer, or shows a tag of its reasoning."""
    from arena.results import lifecycle

    with refusals():
        stage = Stage.from_toml(file.read_bytes(), str(file))
        typer.echo(lifecycle.described(stage, file.read_bytes()))
        if not ask:
            return
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        try:
            trials = asyncio.run(_asked(stage, question))
        except ModelError as error:
            raise StageError(f"{file}: {error}") from None
    from models.trial import table

    typer.echo(f"\n{table(trials)}")
    for trial in trials:
        if trial.error:
            typer.echo(f"error: {file}: no answer from {trial.entrant_id}", err=True)
        elif trial.tags:
            typer.echo(
                f"error: {file}: {', '.join(trial.tags)} stands in the answer of {trial.entrant_id}: a citizen would read what it thinks. "
                "Declare opens_reasoning, or let the endpoint part reasoning from the answer.",
                err=True,
            )
    if any(trial.failed for trial in trials):
        raise typer.Exit(1)


async def _asked(stage: Stage, question: str) -> "list[Trial]":
    """Every entrant's answer, in the file's order, under the stage's own conditions."""
    from arena.battles.turn import sampling_of
    from models.base import Deadlines, Message
    from models.roster import Roster
    from models.trial import ask_all

    entrants = (*stage.entrants, *stage.controls)
    limits, system = stage.limits, stage.protocol.system_prompt
    messages = [*([Message("system", system)] if system else []), Message("user", question)]
    async with Roster.open(
        {entrant.id: entrant.served() for entrant in entrants},
        base_dir=settings.ROOT,
        progress=lambda line: typer.echo(line, err=True),
        deadlines=Deadlines(limits.first_token_s, limits.between_tokens_s, limits.answer_s),
    ) as roster:
        return await ask_all(roster, [entrant.id for entrant in entrants], messages, sampling_of(stage.protocol))


@app.command("open")
def open_stage(file: StageFile) -> None:
    """Seal a stage file and open its stage."""
    from arena.results import lifecycle

    with opened() as store:
        stage = Stage.from_toml(file.read_bytes(), str(file))
        require_artifacts(stage)
        record = lifecycle.open_stage(store, stage, file.read_bytes(), organizer=operator(), now=datetime.now(UTC))
    typer.echo(f"{stage.id} is open, sealed as {record.file_sha256}")


def require_artifacts(stage: Stage) -> None:
    """Holds every entrant that runs from a folder here against its seal.

    Raises:
        Unusable: no model lies there, or another one; names both hashes.
    """
    for entrant in stage.entrants:
        try:
            specification = parse_entrant(entrant.id, entrant.served())
            if not isinstance(specification, TransformersSpecification):
                continue
            model = specification.checkpoint(entrant.id, settings.ROOT)
        except RosterError as error:
            raise Unusable("entrant_unusable", str(error), str(error)) from None
        if model.path is None or model.sha256 is None:
            continue
        found = artifacts.digest(model.path, model.template)
        if found != model.sha256:
            raise Unusable(
                "artifact_differs",
                f"{entrant.id}: 단계 파일의 sha256은 {model.sha256}인데 {model.path}의 값은 {found}입니다.",
                f"{entrant.id}: the stage file says {model.sha256}, {model.path} has {found}: not the sealed model.",
            )


@app.command("freeze")
def freeze_stage(stage_id: str) -> None:
    """Close a stage for good: what is committed counts, everything later is refused, the final checkpoint is signed."""
    from arena.results import lifecycle

    with opened() as store:
        record, head = lifecycle.freeze(store, keys(), stage_id, organizer=operator(), now=datetime.now(UTC))
    typer.echo(f"{stage_id} is {record.status} with {head.size} votes, root {head.root}")


@app.command("publish")
def publish_stage(stage_id: str) -> None:
    """Export a frozen stage, verify the export, and declare it the stage's result."""
    from arena.results import lifecycle

    with opened() as store:
        folder, record = lifecycle.publish(
            store,
            keys(),
            stage_id,
            exports(stage_id),
            settings.ROOT,
            organizer=operator(),
            now=datetime.now(UTC),
            webhooks=settings.read().webhook_urls,
        )
    typer.echo(f"{stage_id} is {record.status}: {folder}")


@app.command("show")
def show_stage(stage_id: Annotated[str | None, typer.Argument()] = None) -> None:
    """Say where a stage stands, or every stage of this database."""
    from arena.results import lifecycle

    with opened() as store:
        typer.echo(lifecycle.shown(store, stage_id))


@app.command("remove")
def remove_stage(stage_id: str, entrant: str, reason: Annotated[str, typer.Option(prompt=True)]) -> None:
    """Take an entrant out of an open stage for good; the reason and the moment are published."""
    from arena.results.votes import removals
    from arena.results.votes.sealed import sealed_stage

    with opened() as store:
        stage = sealed_stage(store, stage_id)
        removals.remove_entrant(store, stage, entrant, reason=reason, organizer=operator(), now=datetime.now(UTC))
    typer.echo(f"{entrant} is out of {stage_id}: {reason}")
