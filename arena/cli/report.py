"""`python -m arena report`: the transparency report of a published stage."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from arena.cli.common import opened
from arena.cli.progress import working
from arena.i18n.terminal import t


def command(stage_id: str, out: Annotated[Path, typer.Option(help=t("option_report_out"))]) -> None:
    """Write the transparency report of a published stage as one HTML page that needs nothing else, in Korean and English."""
    from arena.results.export.atomic_write import write_file
    from arena.results.publish.report import report, report_page

    with opened() as store, working(t("working_report", stage=stage_id)):
        page = report_page(report(store, stage_id, datetime.now(UTC))).encode()
        write_file(page, out)
    typer.echo(t("report_written", out=out, size=len(page) // 1024))
