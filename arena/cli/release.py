"""`python -m arena release`: the public dataset of a frozen stage."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from arena.cli.common import keys, opened


def command(stage_id: str, out: Annotated[Path, typer.Option(help="a folder that does not exist yet")]) -> None:
    """Write the public dataset of a frozen stage: consented votes, texts where consented and free of personal data, and a card."""
    from arena.results.export.atomic_write import lay
    from arena.results.export.bundle import sums
    from arena.results.publish.dataset import CARD, release
    from arena.results.publish.dataset_card import card
    from arena.results.votes.sealed import sealed_stage

    with opened() as store:
        document, files = release(store, keys(), stage_id, datetime.now(UTC))
        stage = sealed_stage(store, stage_id)
        files[CARD] = card(document, stage.protocol.model_dump()).encode()
        lay({**files, "SHA256SUMS": sums(files)}, out)
    counts = document["counts"]
    typer.echo(
        f"{out}: {counts['votes_released']:,} of {counts['votes']:,} votes, {counts['texts_released']:,} of them with texts"
    )
