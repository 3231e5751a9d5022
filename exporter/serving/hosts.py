"""By which names the exporter may be addressed: a defence against DNS rebinding.

A web page at a name whose owner lets it point to 127.0.0.1, or to an inner address, can read and
post what anybody there can; the browser sends that name in the Host header. Allowed without being
listed is what needs no name server, or a name that nobody can buy: addresses, names without a dot
(a service of Docker or Kubernetes), and names under a domain that is reserved for private use or
cannot exist. Whoever controls the search domains or the name server of the victim could make a name
without a dot point elsewhere, and any listed name just as well.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

_PRIVATE_DOMAINS = (".localhost", ".internal", ".svc", ".svc.cluster.local", ".home.arpa")
"""RFC 6761 (localhost), RFC 8375 (home.arpa), ICANN's resolution 2024.07.29.06 (internal), and the
suffixes of services in Kubernetes: `svc` is no domain of the root, `local` is RFC 6762's."""
_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_PORT = re.compile(r":[0-9]{1,5}$")
_PATTERN = re.compile(rf"\*|(?:\*\.)?{_NAME.pattern}", re.IGNORECASE)


class HostNames:
    """The names of one exporter."""

    def __init__(self, listening: str, allowed: Iterable[str]) -> None:
        """*listening* is the host it listens on; *allowed* are names, `*.domain`, or `*` for any.

        A listed name allows the requests of a web page at that name as well.
        """
        self._allowed = {name.lower().rstrip(".") for name in allowed}
        self._listening = listening.lower()

    def allows(self, header: str) -> bool:
        """Return whether a request with *header* as its Host may be answered."""
        host = host_of(header)
        if host is None:
            return False
        if _is_address(host) or "." not in host or host.endswith(_PRIVATE_DOMAINS):
            return True
        if _cannot_be_bought(host.rpartition(".")[2]):
            return True
        return host == self._listening or self.lists(header)

    def lists(self, header: str) -> bool:
        """Return whether *header* has a name that is allowed explicitly."""
        host = host_of(header)
        if host is None:
            return False
        parents = {"*" + host[at:] for at in range(len(host)) if host[at] == "."}
        return not self._allowed.isdisjoint({"*", host, *parents})


def host_of(header: str) -> str | None:
    """Return the host of *header* in lower case, without its port; None if it is not valid."""
    host = _PORT.sub("", header.strip().lower())
    if host.startswith("[") and host.endswith("]"):
        return host if _is_address(host) else None
    host = host.removesuffix(".")
    return host if len(host) <= 253 and _NAME.fullmatch(host) else None


def _cannot_be_bought(label: str) -> bool:
    """Return whether no top-level domain can be called *label*, as in `pod-0.service-registry`.

    One has letters only, or is an A-label (RFC 3696 section 2, RFC 5890).
    """
    return ("-" in label or "_" in label) and not label.startswith("xn--")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True


def is_host_pattern(text: str) -> bool:
    """Return whether *text* can be listed: a name, `*.` and a domain, or `*`."""
    return _PATTERN.fullmatch(text) is not None
