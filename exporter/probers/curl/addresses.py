"""Which addresses may be connected to: public unicast only, unless a service allows others.

The table is explicit because `ipaddress.is_global` is wrong or silent for several blocks (Python
3.11: ::/96, 64:ff9b:1::/48, 3fff::/20, 5f00::/16, fec0::/10, 2002::/16, 192.88.99.0/24,
multicast). Source: the IANA IPv4 and IPv6 Special-Purpose Address Registries, RFC 6890 with its
updates, and RFC 4291 for fec0::/10. An address that embeds an IPv4 address (mapped, compatible,
NAT64, 6to4, Teredo) is always refused: where it leads depends on the network.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache

_REFUSED_V4 = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
)
_REFUSED_V6 = (
    "::/96",
    "::ffff:0:0/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "2620:4f:8000::/48",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
)
_V4 = tuple(ipaddress.IPv4Network(text) for text in _REFUSED_V4)
_V6 = tuple(ipaddress.IPv6Network(text) for text in _REFUSED_V6)
_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")


@lru_cache(maxsize=4096)
def is_public(address: str) -> bool:
    """Return whether the IP *address*, perhaps with a %zone, is public unicast.

    >>> is_public("9.9.9.9"), is_public("10.0.0.1"), is_public("::ffff:9.9.9.9")
    (True, False, False)
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv4Address):
        return not any(ip in net for net in _V4)
    return ip in _UNICAST_V6 and not any(ip in net for net in _V6)
