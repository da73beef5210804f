"""Retention from the command line: erases the texts that the stage file no longer allows to keep."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from arena.cli.common import opened


def purge(
    stage_id: Annotated[str | None, typer.Argument(help="one stage; without it, every stage of this database")] = None,
) -> None:
    """Erase prompts, answers and comments past their time, by each stage's own retention rule; votes and proofs stay. Run it daily."""
    from arena.battles import retention
    from arena.results.votes.sealed import sealed_stage

    now = datetime.now(UTC)
    with opened() as store:
        for known in [stage_id] if stage_id else [record.id for record in store.stages.all()]:
            report = retention.purge(store, sealed_stage(store, known), now)
            end = "texts of judged battles stay until the stage has ended"
            if report.texts_end is not None:
                when = "were due on" if report.texts_end <= now else "are due on"
                end = f"texts of judged battles {when} {report.texts_end:%Y-%m-%d}"
            typer.echo(
                f"{known}: erased the texts of {report.judged} judged and {report.unjudged} unjudged battles; {end}"
            )
