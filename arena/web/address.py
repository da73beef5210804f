"""Where a request comes from: the connection, or as many steps back as there are proxies of ours. No other header is believed."""

import ipaddress

from starlette.requests import Request

UNKNOWN = "unknown"


def client_address(request: Request, trusted_proxies: int) -> str:
    """The client's address, as the outermost trusted proxy saw it.

    Each proxy appends whom it heard from to X-Forwarded-For, so with n of ours in front the n-th entry from the right is the client;
    what stands further left was written by the client itself.
    """
    peer = request.client.host if request.client else UNKNOWN
    if trusted_proxies == 0:
        return peer
    heard = [entry.strip() for line in request.headers.getlist("x-forwarded-for") for entry in line.split(",")]
    if len(heard) < trusted_proxies:
        return peer  # it did not come through all of our proxies
    return _plain(heard[-trusted_proxies]) or peer


def _plain(entry: str) -> str | None:
    """An address without its port; nothing when it is none."""
    bare = entry[1:].partition("]")[0] if entry.startswith("[") else entry
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return None
