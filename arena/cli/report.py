"""`python -m arena report`: the transparency report of a frozen stage."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from arena.cli.common import keys, opened


def command(stage_id: str, out: Annotated[Path, typer.Option(help="the HTML file to write")]) -> None:
    """Write the transparency report of a frozen stage as one HTML page that needs nothing else, in Korean and English."""
    from arena.results.publish.html import report_page
    from arena.results.publish.report import report

    with opened() as store:
        page = report_page(report(store, keys(), stage_id, datetime.now(UTC)))
        aside = out.with_name(f".{out.name}.partial")
        aside.write_text(page, "utf-8")
        aside.replace(out)
    typer.echo(f"{out} is written ({len(page.encode()) // 1024} KB)")
