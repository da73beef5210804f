"""The card of a release: what it is, what is in it, what is not and by which rule. Markdown, Korean first."""

from arena.domain.clock import kst
from arena.domain.stage import Protocol
from arena.results.publish.dataset import BATTLES, COLUMN_WORDS, LEFT_OUT, META, Level, Release
from arena.results.publish.html import rendered


def dataset_card(document: Release, protocol: Protocol) -> str:
    """Write the card of this release; `protocol` is the stage's, for the command that rates it again."""
    counts = document.counts
    return rendered(
        "card.md",
        d=document,
        title=document.stage.title,
        frozen=kst(document.stage.frozen_at),
        counts=counts,
        everything=counts.votes_released == counts.votes,
        protocol=protocol,
        battles=BATTLES,
        left_out=LEFT_OUT,
        meta=META,
        columns=COLUMN_WORDS,
        cells=_cells,
    )


def _cells(level: Level) -> str:
    if level.rating is None or level.rating_ci95 is None:
        return f"– | – | {level.n_votes:g}"
    low, high = level.rating_ci95
    return f"{level.rating:.1f} | {low:.1f}–{high:.1f} | {level.n_votes:g}"
