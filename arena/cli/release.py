"""`python -m arena release`: the public dataset of a published stage."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from arena.cli.common import keys, opened
from arena.cli.progress import working
from arena.i18n.terminal import t


def command(stage_id: str, out: Annotated[Path, typer.Option(help=t("option_new_folder"))]) -> None:
    """Write the public dataset of a published stage: consented votes, texts where consented and free of personal data, and a card."""
    from arena.results.export.atomic_write import write_directory
    from arena.results.export.bundle import sums
    from arena.results.publish.dataset import CARD, release
    from arena.results.publish.dataset_card import dataset_card
    from arena.results.votes.sealed import sealed_stage

    with opened() as store, working(t("working_release", stage=stage_id)):
        document, files = release(store, keys(), stage_id, datetime.now(UTC))
        stage = sealed_stage(store, stage_id)
        files[CARD] = dataset_card(document, stage.protocol).encode()
        write_directory({**files, "SHA256SUMS": sums(files)}, out)
    counts = document.counts
    told = {"votes": counts.votes, "released": counts.votes_released, "texts": counts.texts_released}
    typer.echo(t("release_written", out=out, **told))
