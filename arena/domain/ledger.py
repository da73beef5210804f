"""How the ledger of a stage keeps time, for whoever checks an export: by what clocks may differ, and how much one checkpoint may add."""

from typing import Annotated

from pydantic import Field

from arena.domain.declared import Declared


class LedgerRules(Declared):
    """What whoever checks an export may hold its moments against."""

    tolerance_s: Annotated[float, Field(ge=0, le=600)] = 60
    """So much may the clocks of processes differ, and a vote commit after another one that was cast later."""
    gap_votes: Annotated[int, Field(ge=1)] = 50_000
    """So many votes at most are new under one checkpoint; more are pointed out."""
