"""The line in which the writers of one SQLite file wait: votes first, everybody else in the order in which they came."""

import threading
from collections import deque


class WritersLine:
    """One writer at a time. Votes pass whoever waits, and since they are committed in groups, others come in between."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._taken = False
        self._votes: deque[threading.Event] = deque()
        self._others: deque[threading.Event] = deque()

    def enter(self, *, vote: bool, timeout_s: float) -> bool:
        """Wait until it is this writer's turn; tell whether it came in time."""
        turn = threading.Event()
        queue = self._votes if vote else self._others
        with self._guard:
            if not self._taken:
                self._taken = True
                return True
            queue.append(turn)
        if turn.wait(timeout_s):
            return True
        with self._guard:
            if turn.is_set():  # handed over while we gave up
                return True
            queue.remove(turn)
        return False

    def leave(self) -> None:
        """Hand over to the next who waits."""
        with self._guard:
            queue = self._votes or self._others
            if queue:
                queue.popleft().set()
            else:
                self._taken = False
