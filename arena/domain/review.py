"""The review of integrity between freeze and publication, as the stage file declares it before the first vote."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from arena.domain.declared import Bilingual, Declared

Tests = Literal["kai.integrity/1"]
"""The version of the integrity tests that this arena has; another one proposes other votes."""
ReviewRule = Literal["follow_all", "decide_each"]
_DEFAULTS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


class Review(Declared):
    """What proposes votes to be left out, how surely, and who decides on them."""

    rule: ReviewRule = "decide_each"
    """`follow_all`: whatever is proposed is left out, by one act; `decide_each`: each proposal is followed, or declined with a reason."""
    tests: Tests = "kai.integrity/1"
    voter_rate: Annotated[float, Field(gt=0, le=0.5)] = 0.05
    """The false-discovery rate at which single voters are proposed."""
    campaign_rate: Annotated[float, Field(gt=0, le=0.5)] = 0.01
    """That of networks and hours: a false one would cost many people their votes."""
    decides: Bilingual = Bilingual.model_validate(_DEFAULTS["decides"])
    """Who decides."""
    hours: Annotated[int, Field(ge=1, le=8760)] = 168
    """How long after the freeze at most; what is decided later is published as late."""
