"""The proxies of ours that stand in front of the arena: how many there are, or the networks in which they stand."""

import ipaddress
from dataclasses import dataclass
from typing import Literal, Self

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

Mismatch = Literal["proxies.unexpected", "proxies.missing"]
"""How a request contradicts the setting: it was forwarded by what is no proxy of ours, or did not come through all of ours; the kind of its event."""


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """Whose word about where a request comes from is believed: of so many proxies, or of those in these networks; of nobody where there are neither."""

    hops: int = 0
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a number, or networks with spaces between them (`10.0.0.0/8 fd00::/8`; a single address is one, too).

        Raises:
            ValueError: it is neither, or a network holds everybody.
        """
        words = text.split()
        if len(words) == 1 and words[0].isdecimal():
            return cls(hops=int(words[0]))
        networks = tuple(map(ipaddress.ip_network, words))
        if any(network.prefixlen == 0 for network in networks):
            raise ValueError("a network of everybody")
        return cls(networks=networks)

    def __contains__(self, address: Address) -> bool:
        """Tell whether a proxy of ours stands at this address, by the networks."""
        return any(address in network for network in self.networks)


def read_address(text: str) -> Address | None:
    """Read an address as proxies write it, with or without a port; one of IPv4 in IPv6's form is IPv4; nothing when it is none."""
    bare = text[1:].partition("]")[0] if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
