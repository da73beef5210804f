"""The questions to begin with, of a stage that declares none of its own."""

import tomllib
from functools import cache
from pathlib import Path

from arena.domain.stage import Starters


@cache
def default_starters() -> tuple[Starters, ...]:
    """Those of `starters.toml`, by topic."""
    declared = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    return tuple(Starters.model_validate(starters) for starters in declared["starters"])
