"""Which votes enter the fit: the one rule that the live view, the export and the stranger's check share, decided for columns of votes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arena.domain.leaks import mask
from arena.domain.stage import Stage
from arena.results.votes.exclusions import ExclusionReason

CHECK = "check"
"""One side was a control that answers badly on purpose."""
REMOVED = "removed"
"""One side was an entrant that has been removed from the stage."""
LEAKS = "leaks"
"""The battle may not have been blind, and the stage leaves such votes out."""
UNREAD = "unread"
"""Too little of the answers was shown, or for too short a time: the stage's `min_exposure`."""
REPEAT = "repeat"
"""An earlier battle of the voter's own was shown again: it tells how well they agree with themselves, and has been counted once."""
REASONS = ("", CHECK, REMOVED, LEAKS, UNREAD, REPEAT, *sorted(reason.value for reason in ExclusionReason))
"""What `VoteTable.excluded_by` holds indices into; the first says that the vote counts."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule at one moment. A vote has at most one reason to stay out: the first of these that holds."""

    entrants: frozenset[str]
    """Those that are rated: declared, and not removed."""
    controls: frozenset[str]
    leaks: int
    """Bits of `arena.domain.leaks`: a battle with any of them was not blind enough to count."""
    excluded: Mapping[str, str]
    """Battles whose vote an organizer has left out, with the reason."""

    def codes(
        self,
        entrants: tuple[str, ...],
        a: NDArray[np.integer],
        b: NDArray[np.integer],
        leaks: NDArray[np.int32],
        unread: NDArray[np.bool_],
        decided: NDArray[np.int8],
        repeat: NDArray[np.bool_],
    ) -> NDArray[np.int8]:
        """Say why each vote stays out of the fit.

        Args:
            entrants: what `a` and `b` are indices into.
            a: the entrant on side a.
            b: the entrant on side b.
            leaks: bits of what may have told who is who.
            unread: whether the record says that the vote was cast below the stage's minimum of exposure.
            decided: the organizer's exclusions, as indices into `REASONS`; 0 where there is none.
            repeat: whether it is on a repeat.

        Returns:
            Indices into `REASONS`, one for each vote.
        """
        leaky = np.where(leaks & self.leaks, REASONS.index(LEAKS), np.where(unread, REASONS.index(UNREAD), 0))
        found = np.where(decided > 0, decided, leaky).astype(np.int8)
        rated = np.array([entrant in self.entrants for entrant in entrants], bool)
        control = np.array([entrant in self.controls for entrant in entrants], bool)
        if len(a):
            found[~(rated[a] & rated[b])] = REASONS.index(REMOVED)
            found[control[a] | control[b]] = REASONS.index(CHECK)
        found[repeat] = REASONS.index(REPEAT)
        return found


def rule_of(stage: Stage, excluded: Mapping[str, str], removed: frozenset[str] = frozenset()) -> Rule:
    """Read the stage's rule with these exclusions and removals."""
    return Rule(
        entrants=frozenset(stage.entrant_ids) - removed,
        controls=frozenset(control.id for control in stage.controls),
        leaks=mask(stage.protocol.excluded_leaks),
        excluded=excluded,
    )


def rating_seed(stage_file_sha256: str) -> int:
    """Make the seed of the simultaneous comparisons: 32 bits of the stage file's hash, so nobody chooses it after a vote."""
    return int(stage_file_sha256[:8], 16)
