"""Cookies as browsers send them: whoever reads a name more generously than browsers write it lets a neighbour plant one."""

from collections.abc import Iterable
from typing import Final

_PADDING: Final = b" \t"


def cookie_of(headers: Iterable[tuple[bytes, bytes]], name: str) -> str | None:
    """Read the cookie of exactly this name from a request's raw headers; nothing where it comes twice, for then one of them is not ours.

    Browsers keep `__Host-` for whoever may set it by comparing a name's bytes, of which they have stripped space and tab (RFC 6265bis, section 5).
    A name that differs by any other white space is a neighbour's to set, so it is another name here, too.
    """
    wanted = name.encode("ascii")
    pairs = (pair.partition(b"=") for header, line in headers if header == b"cookie" for pair in line.split(b";"))
    found = [value.strip(_PADDING) for given, named, value in pairs if named and given.strip(_PADDING) == wanted]
    return found[0].decode("latin-1") if len(found) == 1 else None
