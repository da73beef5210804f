"""Retention from the command line: erases the texts that the stage file no longer allows to keep."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from arena.cli.common import opened
from arena.cli.progress import working
from arena.i18n.terminal import t


def purge(
    stage_id: Annotated[str | None, typer.Argument(help=t("argument_purge_stage"))] = None,
) -> None:
    """Erase prompts, answers and comments past their time, by each stage's own retention rule; votes and proofs stay. Run it daily."""
    from arena.battles import retention
    from arena.results.votes.sealed import sealed_stage

    now = datetime.now(UTC)
    with opened() as store:
        for known in [stage_id] if stage_id else [record.id for record in store.stages.all()]:
            with working(t("working_purge", stage=known)):
                report = retention.purge(store, sealed_stage(store, known), now)
            end = t("purge_not_ended")
            if report.texts_end is not None:
                due = report.texts_end <= now
                end = t("purge_were_due" if due else "purge_are_due", at=report.texts_end)
            typer.echo(t("purge_line", stage=known, judged=report.judged, unjudged=report.unjudged, end=end))
            if report.strata:
                typer.echo(t("purge_strata", stage=known))
