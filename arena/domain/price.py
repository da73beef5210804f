"""What a new citizen or a battle costs the browser that asks for it: a proof of work, whose price doubles as acts pile up and halves as they drain."""

from dataclasses import dataclass
from math import ceil, log2

from arena.domain.limits import Limits

WHILE_WORKING = 2
"""A price may double between the challenge and the act: whoever has worked for half of it has worked enough."""


@dataclass(frozen=True, slots=True)
class Price:
    """The price of one act, in tries of `proof_cost` iterations each, by the acts that have piled up before it."""

    limits: Limits

    def tries(self, citizen: int, networks: float) -> int:
        """How many tries a proof has to take on average; 0 where none is asked.

        Args:
            citizen: battles of this citizen that have not drained yet.
            networks: acts that have not drained yet of the fullest network around them, in one network's worth (see `share`).
        """
        d = self.limits
        pressed = citizen >= d.citizen_proof_after or networks >= d.proof_after
        if d.proof == "never" or (d.proof == "pressure" and not pressed):
            return 0
        doublings = max(0.0, networks - d.proof_after) / d.proof_doubles
        doublings += max(0, citizen - d.citizen_proof_after) / d.citizen_proof_doubles
        return ceil(d.proof_tries * 2 ** min(doublings, log2(d.proof_most / d.proof_tries)))

    @property
    def most_of_network(self) -> float:
        """The pile of a network at which its price is the highest; it grows no further."""
        return self._full(self.limits.proof_after, self.limits.proof_doubles)

    @property
    def most_of_citizen(self) -> float:
        """The same of a citizen."""
        return self._full(self.limits.citizen_proof_after, self.limits.citizen_proof_doubles)

    def _full(self, after: int, doubles: int) -> float:
        return after + doubles * log2(self.limits.proof_most / self.limits.proof_tries)


def enough(worked: int, due: int) -> bool:
    """Tell whether a proof of so many tries (0: none) is one for this price."""
    return worked * WHILE_WORKING >= due
