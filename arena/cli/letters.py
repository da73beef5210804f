"""`python -m arena letters`: each team's own sheet of a published stage."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from arena import settings
from arena.cli.common import exports, keys, opened
from arena.cli.progress import working
from arena.i18n.terminal import t


def command(stage_id: str, out: Annotated[Path, typer.Option(help=t("option_letters_out"))]) -> None:
    """Write every team's own signed sheet of a published stage, a folder each: as JSON, and as a page to print in Korean and English."""
    from arena.domain.errors import Conflict
    from arena.results.export.atomic_write import write_directory
    from arena.results.publish.letters import letters

    with opened() as store, working(t("working_letters", stage=stage_id)):
        if out.is_dir() and any(out.iterdir()):
            raise Conflict("out_exists", path=str(out))
        made = letters(
            store, keys(), stage_id, exports(stage_id), datetime.now(UTC), public_url=settings.read().public_url
        )
        for team, files in made.items():
            write_directory(files, out / team)
    typer.echo(t("letters_written", out=out, n=len(made)))
