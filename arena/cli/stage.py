"""A stage's one way: draft → open → frozen → published."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arena import settings
from arena.cli import stage_page
from arena.cli.common import battles_in, evidence, exports, keys, opened, operator, read_stage, refusals, refuse
from arena.cli.progress import working
from arena.domain.errors import StageError, Unusable
from arena.domain.stage import Stage
from arena.i18n.terminal import t
from models.errors import ModelError

if TYPE_CHECKING:
    from models.smoke_test import SmokeTest
from models import artifacts
from models.errors import RosterError
from models.probe import QUESTION
from models.specification import TransformersSpecification, parse_entrant

app = typer.Typer(no_args_is_help=True, help=t("help_stage"))

StageFile = Annotated[Path, typer.Argument(help=t("argument_stage_file"), exists=True, dir_okay=False)]


@app.command("check", help=t("help_stage_check"))
def check_stage(
    file: StageFile,
    question: Annotated[str, typer.Option(help=t("option_question"))] = QUESTION,
    ask: Annotated[bool, typer.Option(help=t("option_ask"))] = True,
    times: Annotated[int, typer.Option(help=t("option_times"), min=1)] = 1,
) -> None:
    """Read a stage file, say what it declares, load every entrant, ask each one question, and propose the pacing.

    Exit code 1 if the operator of a real stage leaves something out, or an entrant does not answer or shows a tag of its reasoning.
    """
    with refusals():
        stage = read_stage(file)
        typer.echo(stage_page.described(stage, file.read_bytes()))
        stage.require_operator(str(file))
        if not ask:
            return
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        try:
            trials = asyncio.run(_asked(stage, question, times))
        except ModelError as error:
            raise StageError("stage_file", file=str(file), cause=str(error)) from None
    # Of each entrant the first answer that must not be, or its last one.
    worst = [next((trial for trial in answers if trial.failed), answers[-1]) for answers in trials]
    typer.echo(f"\n{stage_page.answered(worst)}")
    for line in stage_page.timed(stage, trials):
        typer.echo(line)
    for trial in worst:
        if trial.error:
            refuse(t("stage_no_answer", file=file, entrant=trial.entrant_id))
        elif trial.tags:
            refuse(t("stage_tags", file=file, tags=trial.tags, entrant=trial.entrant_id))
    if any(trial.failed for trial in worst):
        raise typer.Exit(1)


async def _asked(stage: Stage, question: str, times: int) -> "list[list[SmokeTest]]":
    """Every entrant's answers, in the file's order, under the stage's own conditions."""
    from arena.battles.turn import sampling_of
    from models.base import Deadlines, Message
    from models.roster import Roster
    from models.smoke_test import ask_all

    entrants = (*stage.entrants, *stage.controls)
    limits, system = stage.limits, stage.protocol.system_prompt
    messages = [*([Message("system", system)] if system else []), Message("user", question)]
    async with Roster.open(
        stage.served(),
        base_dir=settings.ROOT,
        progress=lambda step: typer.echo(t.of(step), err=True),
        deadlines=Deadlines(limits.first_token_s, limits.between_tokens_s, limits.answer_s),
    ) as roster:
        ids = [entrant.id for entrant in entrants]
        return await ask_all(roster, ids, messages, sampling_of(stage.protocol), times)


@app.command("draft", help=t("help_stage_draft"))
def draft_stage(file: StageFile) -> None:
    """Make the seed of a stage that is not open yet, and say its commitment; it is public from now on."""
    with opened() as store:
        stage = read_stage(file)
        record = store.stages.draft(stage, file.read_bytes(), datetime.now(UTC))
    typer.echo(t("stage_drafted", stage=stage.id, commitment=record.draw_commitment, sha256=record.file_sha256))


@app.command("open", help=t("help_stage_open"))
def open_stage(file: StageFile, beacon: Annotated[str | None, typer.Option(help=t("option_beacon"))] = None) -> None:
    """Seal a stage file and open its stage."""
    from arena.results import lifecycle

    with opened() as store:
        stage = read_stage(file)
        with working(t("working_open", stage=stage.id)):
            require_artifacts(stage)
            record = lifecycle.open_stage(
                store,
                keys(),
                stage,
                file.read_bytes(),
                organizer=operator(),
                now=datetime.now(UTC),
                beacon=beacon,
                evidence=evidence(),
            )
    typer.echo(t("stage_opened", stage=stage.id, sha256=record.file_sha256))
    typer.echo(t("stage_evidence", folder=evidence() / stage.id, teams=[t.pick(each.team) for each in stage.entrants]))


def require_artifacts(stage: Stage) -> None:
    """Hold every entrant that runs from a folder here against its seal.

    Raises:
        Unusable: no model lies there, or another one; names both hashes.
    """
    for entrant in (*stage.entrants, *stage.controls):
        try:
            specification = parse_entrant(entrant.id, entrant.served())
            if not isinstance(specification, TransformersSpecification):
                continue
            model = specification.checkpoint(entrant.id, settings.ROOT)
        except RosterError as error:
            raise Unusable("entrant_unusable", entrant=entrant.id, problem=str(error)) from None
        if model.path is None or model.sha256 is None:
            continue
        found = artifacts.digest(model.path, model.template)
        if found != model.sha256:
            raise Unusable(
                "artifact_differs", entrant=entrant.id, sealed=model.sha256, path=str(model.path), found=found
            )


@app.command("freeze", help=t("help_stage_freeze"))
def freeze_stage(stage_id: str, reason: Annotated[str, typer.Option(help=t("option_freeze_reason"))] = "") -> None:
    """Close a stage for good: what is committed counts, everything later is refused, the final checkpoint is signed."""
    from arena.results import lifecycle

    with opened() as store, working(t("working_freeze", stage=stage_id)):
        now = datetime.now(UTC)
        record, head = lifecycle.freeze(store, keys(), stage_id, organizer=operator(), now=now, reason=reason)
    typer.echo(t("stage_frozen", stage=stage_id, status=record.status.value, votes=head.size, root=head.root))


@app.command("publish", help=t("help_stage_publish"))
def publish_stage(
    stage_id: str,
    supersede: Annotated[bool, typer.Option("--supersede", help=t("option_supersede"))] = False,
    reason: Annotated[str, typer.Option(help=t("option_supersede_reason"))] = "",
    leave_out: Annotated[Path | None, typer.Option(help=t("option_leave_out"), exists=True, dir_okay=False)] = None,
    take_back: Annotated[Path | None, typer.Option(help=t("option_take_back"), exists=True, dir_okay=False)] = None,
) -> None:
    """Export a frozen stage, verify the export, and declare it the stage's result; or put another in the place of a published one."""
    from arena.results import lifecycle
    from arena.results.votes.sealed import known

    if not supersede and (reason or leave_out or take_back):
        raise typer.BadParameter(t("supersede_needed"), param_hint="--supersede")
    with opened() as store, working(t("working_publish", stage=stage_id)):
        shared = {
            "organizer": operator(),
            "now": datetime.now(UTC),
            "webhooks": settings.read().webhook_urls,
        }
        where = (store, keys(), stage_id, exports(stage_id), settings.ROOT)
        if supersede:
            out, back = (battles_in(store, stage_id, file) for file in (leave_out, take_back))
            folder = lifecycle.correct(*where, reason=reason, leave_out=out, take_back=back, **shared)
        else:
            folder, _ = lifecycle.publish(*where, **shared)
        status = known(store, stage_id).status.value
    typer.echo(t("stage_published", stage=stage_id, status=status, folder=folder))


@app.command("show", help=t("help_stage_show"))
def show_stage(stage_id: Annotated[str | None, typer.Argument()] = None) -> None:
    """Say where a stage stands, or every stage of this database."""
    with opened() as store:
        typer.echo(stage_page.shown(store, stage_id))


@app.command("remove", help=t("help_stage_remove"))
def remove_stage(stage_id: str, entrant: str, reason: Annotated[str, typer.Option(prompt=t("stage_reason"))]) -> None:
    """Take an entrant out of an open stage for good; the reason and the moment are published."""
    from arena.results.votes import removals
    from arena.results.votes.sealed import sealed_stage

    with opened() as store:
        stage = sealed_stage(store, stage_id)
        removals.remove_entrant(store, stage, entrant, reason=reason, organizer=operator(), now=datetime.now(UTC))
    typer.echo(t("stage_removed", entrant=entrant, stage=stage_id, reason=reason))
