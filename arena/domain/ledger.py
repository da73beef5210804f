"""How the ledger of a stage keeps time: what the clocks of several processes may differ by, and how soon a vote is sealed."""

from typing import Annotated

from pydantic import Field

from arena.domain.declared import Declared


class LedgerRules(Declared):
    """What whoever checks an export may hold its moments against."""

    tolerance_s: Annotated[float, Field(ge=0, le=600)] = 60
    """So much may the clocks of processes differ, and a vote commit after another one that was cast later."""
    gap_minutes: Annotated[float, Field(ge=1, le=1440)] = 10
    """From a vote to the checkpoint that covers it; longer ones are pointed out by the check."""
    gap_votes: Annotated[int, Field(ge=1)] = 50_000
    """So many votes at most are new under one checkpoint; more are pointed out."""
