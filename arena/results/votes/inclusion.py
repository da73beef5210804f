"""Which votes enter the fit: the one rule that the live view, the export and the stranger's check share."""

from collections.abc import Mapping
from dataclasses import dataclass

from arena.domain.stage import Stage

CHECK = "check"
"""One side was a control that answers badly on purpose."""
REMOVED = "removed"
"""One side was an entrant that has been removed from the stage."""
MARKED = "marked"
"""The battle may not have been blind, and the stage leaves such votes out."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule at one moment. A vote has at most one reason to stay out: the first of these that holds."""

    entrants: frozenset[str]
    """Those that are rated: declared, and not removed."""
    controls: frozenset[str]
    leaves_marked_out: bool
    excluded: Mapping[str, str]
    """Battles whose vote an organizer has left out, with the reason."""

    def left_out(self, battle_id: str, model_a: str, model_b: str, *, marked: bool) -> str | None:
        """Why this vote stays out of the fit; None when it counts."""
        if model_a in self.controls or model_b in self.controls:
            return CHECK
        if model_a not in self.entrants or model_b not in self.entrants:
            return REMOVED
        if battle_id in self.excluded:
            return self.excluded[battle_id]
        return MARKED if marked and self.leaves_marked_out else None


def rule_of(stage: Stage, excluded: Mapping[str, str], removed: frozenset[str] = frozenset()) -> Rule:
    """The stage's rule with these exclusions and removals."""
    return Rule(
        entrants=frozenset(stage.entrant_ids) - removed,
        controls=frozenset(control.id for control in stage.controls),
        leaves_marked_out=stage.protocol.marked == "exclude",
        excluded=excluded,
    )


def rating_seed(stage_file_sha256: str) -> int:
    """The seed of the simultaneous comparisons: 32 bits of the stage file's hash, so nobody chooses it after a vote."""
    return int(stage_file_sha256[:8], 16)
