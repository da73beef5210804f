"""The draw of a battle, as the arena makes it."""

from arena.domain.pairing import draw

__all__ = ["draw"]
