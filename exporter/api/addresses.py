"""What a client is counted under, by its address."""

from __future__ import annotations

import ipaddress


def network_of(address: str) -> tuple[str, bool]:
    """Return what *address* is counted under, and whether it is another machine's.

    An IPv6 client can use every address of its /64, so these count as one.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address, True
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if isinstance(ip, ipaddress.IPv6Address) and not ip.is_loopback:
        return str(ipaddress.ip_network((ip, 64), strict=False)), True
    return str(ip), not ip.is_loopback
