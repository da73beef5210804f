"""Which votes enter the fit: the one rule that the live view, the export and the stranger's check share."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arena.domain.stage import Stage
from arena.results.votes.exclusions import ExclusionReason

CHECK = "check"
"""One side was a control that answers badly on purpose."""
REMOVED = "removed"
"""One side was an entrant that has been removed from the stage."""
MARKED = "marked"
"""The battle may not have been blind, and the stage leaves such votes out."""
REASONS = ("", CHECK, REMOVED, MARKED, *sorted(reason.value for reason in ExclusionReason))
"""What `VoteTable.excluded_by` holds indices into; the first says that the vote counts."""


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
        """Say why this vote stays out of the fit; None when it counts."""
        if model_a in self.controls or model_b in self.controls:
            return CHECK
        if model_a not in self.entrants or model_b not in self.entrants:
            return REMOVED
        if battle_id in self.excluded:
            return self.excluded[battle_id]
        return MARKED if marked and self.leaves_marked_out else None

    def codes(
        self,
        entrants: tuple[str, ...],
        a: NDArray[np.int16],
        b: NDArray[np.int16],
        leaks: NDArray[np.bool_],
        excluded: Mapping[int, str],
    ) -> NDArray[np.int8]:
        """Decide the same for columns of votes.

        Args:
            entrants: what `a` and `b` are indices into.
            a: the entrant on side a.
            b: the entrant on side b.
            leaks: whether the battle may not have been blind.
            excluded: the organizer's exclusions by the vote's place in the columns.

        Returns:
            Indices into `REASONS`, one for each vote.
        """
        found = np.zeros(len(a), np.int8)
        if self.leaves_marked_out:
            found[leaks] = REASONS.index(MARKED)
        for place, reason in excluded.items():
            found[place] = REASONS.index(reason)
        rated = np.array([entrant in self.entrants for entrant in entrants], bool)
        control = np.array([entrant in self.controls for entrant in entrants], bool)
        if len(a):
            found[~(rated[a] & rated[b])] = REASONS.index(REMOVED)
            found[control[a] | control[b]] = REASONS.index(CHECK)
        return found


def rule_of(stage: Stage, excluded: Mapping[str, str], removed: frozenset[str] = frozenset()) -> Rule:
    """Read the stage's rule with these exclusions and removals."""
    return Rule(
        entrants=frozenset(stage.entrant_ids) - removed,
        controls=frozenset(control.id for control in stage.controls),
        leaves_marked_out=stage.protocol.marked == "exclude",
        excluded=excluded,
    )


def rating_seed(stage_file_sha256: str) -> int:
    """The seed of the simultaneous comparisons: 32 bits of the stage file's hash, so nobody chooses it after a vote."""
    return int(stage_file_sha256[:8], 16)
