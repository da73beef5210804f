"""The draw of a battle: the stage's rule, fed with what the record knows."""

from collections.abc import Callable, Mapping, Sequence

from arena.domain import draw as pairing
from arena.domain.battle import Draw
from arena.domain.draw import Pair
from arena.domain.repeat import Earlier, again, is_due
from arena.domain.stage import Stage
from arena.record.store import Store


class Pairing:
    """Draws a stage's battles. Every process that serves the stage draws the same battle for the same number."""

    def __init__(self, stage: Stage, store: Store) -> None:
        """Read nothing yet; adaptive pairing counts the pairs once in every hundred draws."""
        self._stage_id = stage.id
        self._store = store
        self._rule = pairing.rule_of(stage)
        self._entrants = frozenset(stage.entrant_ids)
        self._shown: tuple[int, Mapping[Pair, int]] = (0, {})

    def draw(self, seed: str, number: int, available: Sequence[str]) -> Draw:
        """Make the draw with this number, for `Battles.open`: called while the number's row is locked, so every lower number is there to be counted."""
        shown: Mapping[Pair, int] = {}
        if self._rule.pairing == "adaptive":
            start = pairing.epoch_start(number)
            counted, shown = self._shown
            if counted != start:
                shown = self._store.draws.by_pair(self._stage_id, start)
                self._shown = (start, shown)
        return pairing.draw(seed, number, available, self._rule, shown)

    def repeat(
        self, seed: str, number: int, removed: frozenset[str], history: Callable[[], Sequence[Earlier]]
    ) -> Draw | None:
        """Show one of the citizen's own battles again, where this number is due for it and there is one; for `Battles.open`, before the draw."""
        if not is_due(seed, number, self._rule.repeats):
            return None
        return again(seed, number, self._rule.repeats, history(), self._entrants - removed)
