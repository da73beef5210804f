"""Whether a stage closed as its file says, and so whether what is said of it holds at one look or has to hold at all."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from arena.domain.closing import ClosingRule
from arena.domain.stage import Stage
from arena.results.votes.table import VoteTable
from ratings.anytime import Anytime

Intervals = Literal["fixed", "anytime"]
OVER = 1.1
"""A number is met while it is passed by no more: who waits longer may be waiting for a result."""


@dataclass(frozen=True, slots=True)
class Closed:
    """How a stage was closed."""

    rule: ClosingRule | None
    """None where the stage file declares none."""
    number: int | None
    followed: bool | None
    """None while the stage is open, and where there is no rule."""
    intervals: Intervals
    """`fixed` only where the closing cannot have looked at results."""


def closed(stage: Stage, votes: VoteTable, frozen_at: datetime | None, *, separated: bool) -> Closed:
    """Hold the freeze against the declared rule.

    Args:
        stage: as its sealed file declares it.
        votes: every sealed vote, whether it counts or not.
        frozen_at: None while it is open.
        separated: whether the first `planned_advance` are told apart from the rest, by intervals that hold at every look.
    """
    declared = stage.closing_rule
    if declared is None:
        # Votes that were invented are the same whenever one stops.
        invented = stage.synthetic and frozen_at is not None
        return Closed(None, None, None, "fixed" if invented else "anytime")
    if frozen_at is None:
        return Closed(declared.rule, declared.number, None, "anytime")
    number = declared.number or 0
    match declared.rule:
        case "time":
            followed = stage.closes is not None and frozen_at >= stage.closes
        case "votes":
            followed = number <= len(votes) <= OVER * number
        case "panelists":
            followed = number <= len(votes.voters) <= OVER * number
        case "separation":
            followed = separated
    blind = followed and declared.rule != "separation"
    return Closed(declared.rule, declared.number, followed, "fixed" if blind else "anytime")


def looks(stage: Stage, votes: VoteTable, frozen_at: datetime | None) -> Anytime | None:
    """Tell how `ratings.fit.rate` is to be asked; None where there was one look."""
    found = closed(stage, votes, frozen_at, separated=False)
    return None if found.intervals == "fixed" else Anytime(stage.planned_votes)
