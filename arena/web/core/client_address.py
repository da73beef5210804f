"""Where a request comes from: the connection, or what proxies of ours say about it. No other header is believed."""

from collections.abc import Callable, Sequence
from typing import Final

from starlette.requests import Request

from arena.domain.proxies import Mismatch, TrustedProxies, read_address

UNKNOWN = "unknown"
_SAID_BY_PROXIES: Final = ("x-real-ip", "forwarded")
"""Not believed, but where it comes from may stand a proxy (`Forwarded`: RFC 7239)."""


class WatchedProxies:
    """The proxies that the setting tells of, and who hears when requests tell otherwise."""

    def __init__(self, trusted: TrustedProxies, on_mismatch: Callable[[Mismatch], None]) -> None:
        """`on_mismatch` is called on the loop, once for each way to contradict the setting: whoever forges headers fills no log."""
        self.trusted = trusted
        self._on_mismatch = on_mismatch
        self._told: set[Mismatch] = set()

    def tell(self, mismatch: Mismatch) -> None:
        """Tell of a contradiction, unless that was told before."""
        if mismatch not in self._told:
            self._told.add(mismatch)
            self._on_mismatch(mismatch)


def client_address(request: Request, proxies: WatchedProxies) -> str:
    """Find the client's address, as the outermost trusted proxy saw it.

    Each proxy appends whom it heard from to X-Forwarded-For. With a number n of proxies the n-th entry from the right is the client; with
    networks it is the rightmost that stands in none of them, and whoever connects from outside of them is the client itself. What
    stands further left was written by the client.
    """
    peer = request.client.host if request.client else UNKNOWN
    heard = [entry.strip() for line in request.headers.getlist("x-forwarded-for") for entry in line.split(",")]
    trusted = proxies.trusted
    through = read_address(peer)
    if trusted.hops == 0 and (through is None or through not in trusted):
        if heard or any(name in request.headers for name in _SAID_BY_PROXIES):
            proxies.tell("proxies.unexpected")
        return peer
    found = _in_networks(heard, trusted) if trusted.networks else _steps_back(heard, trusted.hops)
    if found is None:
        proxies.tell("proxies.missing")
    return found or peer


def _steps_back(heard: Sequence[str], hops: int) -> str | None:
    """Return the entry so many steps back; nothing where the request did not come through all of our proxies."""
    address = read_address(heard[-hops]) if len(heard) >= hops else None
    return None if address is None else str(address)


def _in_networks(heard: Sequence[str], trusted: TrustedProxies) -> str | None:
    """Return the rightmost entry that is no proxy of ours, or the leftmost where all are; nothing where there is none to read."""
    found: str | None = None
    for entry in reversed(heard):
        address = read_address(entry)
        if address is None:
            return found
        found = str(address)
        if address not in trusted:
            break
    return found
