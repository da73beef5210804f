"""Addresses as they may be printed and logged: without what lets their reader in."""

import re


def redacted(address: str) -> str:
    """Return an address without what may be secret in it: its password, and the values of its query; anything else as it is."""
    scheme, separator, rest = address.partition("://") if "://" in address else ("", "", address)
    credentials, at, place = rest.rpartition("@") if separator else ("", "", rest)
    place, asked, query = place.partition("?")
    if at:  # a password may hold any character: all up to the last @ belongs to it
        place = f"{credentials.partition(':')[0]}:***@{place}" if ":" in credentials else f"***@{place}"
    names = [pair.partition("=")[0] for pair in re.split("[&;]", query)]
    return f"{scheme}{separator}{place}{asked}{'&'.join(f'{name}=***' for name in names if name)}"
