"""The HTML of answers, which never change: kept when an answer ends, or when it is first looked at, for a while and within bounds.

Nothing of it is on disk. Whoever cannot read a text cannot ask for its HTML either: that of an erased one is in nobody's reach from the moment of the
erasure, and out of memory within `LASTS_S`.
"""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from arena.battles.render import render

MOST_CHARS: Final = 32_000_000
LASTS_S: Final = 900.0


class KeptHtml:
    """For any thread. What has been kept longest goes first."""

    def __init__(
        self, most_chars: int = MOST_CHARS, lasts_s: float = LASTS_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`most_chars` bounds all HTML together, `lasts_s` each one's stay, however often it is asked for."""
        self._most_chars = most_chars
        self._lasts_s = lasts_s
        self._clock = clock
        self._guard = threading.Lock()
        self._kept: OrderedDict[bytes, tuple[float, str]] = OrderedDict()
        self._chars = 0

    def of(self, text: str) -> str:
        """Give the HTML of an answer; render it where it is not kept."""
        key = _key(text)
        with self._guard:
            self._expire()
            if key in self._kept:
                return self._kept[key][1]
        html = render(text)
        self._keep(key, html)
        return html

    def keep(self, text: str, html: str) -> None:
        """Keep what was rendered elsewhere: while the answer was written."""
        self._keep(_key(text), html)

    def clear(self) -> None:
        """Forget all of it: somebody's texts were erased."""
        with self._guard:
            self._kept.clear()
            self._chars = 0

    def _keep(self, key: bytes, html: str) -> None:
        with self._guard:
            self._expire()
            self._drop(key)
            self._kept[key] = (self._clock() + self._lasts_s, html)
            self._chars += len(html)
            while self._chars > self._most_chars:
                self._drop(next(iter(self._kept)))

    def _expire(self) -> None:
        now = self._clock()
        while self._kept and next(iter(self._kept.values()))[0] <= now:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: bytes) -> None:
        _, html = self._kept.pop(key, (0.0, ""))
        self._chars -= len(html)


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
