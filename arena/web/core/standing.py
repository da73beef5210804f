"""Where the stage stands just now, as everybody is told: on every page and by `GET /api/v1/stage`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from arena.domain.stage import Stage, StageStatus
from arena.record.ledger import Ledger
from arena.record.stages import StageRecord
from arena.record.store import Store

StageState = Literal["draft", "open", "paused", "frozen", "published"]
TAKES_VOTES: Final[frozenset[StageState]] = frozenset({"open", "paused"})
"""While draws are paused, battles that were begun go on."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One moment of the stage."""

    state: StageState
    """As citizens live it: `draft` until votes are taken, `paused` while no battle is drawn, `frozen` from the window's end on."""
    votes: int
    """As many as the newest signed checkpoint covers."""
    record: StageRecord | None
    """None before the stage is known to the record."""


class StandingReader:
    """Reads where one stage stands: a few rows of the record, whatever the number of votes."""

    def __init__(
        self, stage: Stage, store: Store, ledger: Ledger, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._stage = stage
        self._store = store
        self._ledger = ledger
        self._clock = clock
        self.draws: Callable[[], bool] = lambda: True
        """Whether there are enough entrants to draw from; the arena's own word, once there is one."""

    def read(self) -> Standing:
        """Read it now.

        Raises:
            Unavailable: the record cannot be read.
        """
        record = self._store.stages.find(self._stage.id)
        signed = self._ledger.newest(self._stage.id)
        return Standing(self._state(record), signed.size if signed else 0, record)

    def _state(self, record: StageRecord | None) -> StageState:
        now = self._clock()
        status = record.status if record else StageStatus.DRAFT
        match status:
            case StageStatus.OPEN if self._stage.closes is not None and now >= self._stage.closes:
                return "frozen"
            case StageStatus.OPEN if self._stage.opens is not None and now < self._stage.opens:
                return "draft"
            case StageStatus.OPEN:
                return "open" if record and not record.paused_at and self.draws() else "paused"
            case _:
                return status.value
