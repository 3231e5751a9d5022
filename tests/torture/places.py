"""Networks of our own: namespaces whose addresses, routes and faults are real; nothing leaves them.

A socket stays in the namespace in which it was made, so the servers of a test run in the test's own
process, and only the exporter is started inside. Needs root on Linux, `ip`, `nft` and `nsenter`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

from tests.programs import program

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET of sched.h
_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: int) -> None:
    if getattr(_libc, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _made() -> int:
    """Return a descriptor of a new namespace; it lives as long as anything uses it."""
    made: list[int] = []

    def make() -> None:
        _call("unshare", _NEW_NETWORK)  # of this thread only
        made.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if not made:
        raise PermissionError("a network namespace needs root (CAP_SYS_ADMIN)")
    return made[0]


class Place:
    """A network namespace. Use as a context manager."""

    def __init__(self) -> None:
        self._descriptor = _made()
        self.ip("link set lo up")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    @property
    def path(self) -> str:
        """A file that is the namespace, for the time of this process."""
        return f"/proc/{os.getpid()}/fd/{self._descriptor}"

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Make sockets inside; nothing may be awaited meanwhile."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            _call("setns", self._descriptor, _NEW_NETWORK)
            yield
        finally:
            _call("setns", home, _NEW_NETWORK)
            os.close(home)

    def new_socket(self, *arguments: Any) -> socket.socket:
        """Return a new socket inside; *arguments* are those of `socket.socket`."""
        with self.entered():
            made = socket.socket(*arguments)
        made.setblocking(False)
        return made

    def bound(self, address: str, port: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """Return a socket that listens inside."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        made = self.new_socket(family, kind)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with self.entered():
            made.bind((address, port))
        if kind == socket.SOCK_STREAM:
            made.listen(4096)
        return made

    def connector(self) -> Any:
        """Return an aiohttp connector whose connections begin inside."""
        import aiohttp

        return aiohttp.TCPConnector(socket_factory=lambda info: self.new_socket(*info[:3]))

    # -- programs ----------------------------------------------------------------------------

    def command(self, *command: str, resolv: Path | None = None) -> list[str]:
        """Return *command* as one that runs inside, with *resolv* as its /etc/resolv.conf."""
        inside = [program("nsenter"), f"--net={self.path}", "--"]
        if resolv is not None:
            mount = f'mount --bind "{resolv}" /etc/resolv.conf && exec "$@"'
            inside += ["unshare", "-m", "--propagation", "private", "sh", "-c", mount, "sh"]
        return [*inside, *command]

    def ip(self, *lines: str) -> None:
        """Run lines of `ip -batch` inside."""
        self._feed([program("ip"), "-batch", "-"], "\n".join(lines))

    def tc(self, *lines: str) -> None:
        """Run lines of `tc -batch` inside."""
        self._feed([program("tc"), "-batch", "-"], "\n".join(lines))

    def drop(self, *rules: str) -> None:
        """Silently drop what arrives here and meets one of *rules* of nftables; none of before."""
        lines = "".join(f"    {rule} counter drop\n" for rule in rules)
        hook = "type filter hook prerouting priority -300;"
        table = f"table inet faults {{\n  chain arriving {{\n    {hook}\n{lines}  }}\n}}\n"
        clear = "table inet faults\ndelete table inet faults\n"
        self._feed([program("nft"), "-f", "-"], clear + table)

    def dropped(self) -> int:
        """Return how many packets the rules of `drop` took."""
        listed = self._feed([program("nft"), "list", "ruleset"], "")
        words = listed.split()
        return sum(int(words[i + 1]) for i, word in enumerate(words) if word == "packets")

    def _feed(self, command: list[str], text: str) -> str:
        done = subprocess.run(
            self.command(*command), input=text, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise OSError(f"{command[0]}: {done.stderr.strip()}")
        return done.stdout


def cable(here: Place, there: Place, name: str, ours: Iterable[str], theirs: Iterable[str]) -> None:
    """Join two places by a device *name* in each, with the addresses that each has on it."""
    here.ip(f"link add {name} type veth peer name {name} netns {there.path}")
    for place, addresses in ((here, ours), (there, theirs)):
        lines = [f"address add {a} dev {name}{' nodad' * (':' in a)}" for a in addresses]
        place.ip(*lines, f"link set {name} up")
    for address in theirs:
        if ":" in address:
            _await_neighbour(here, address.partition("/")[0])


def _await_neighbour(place: Place, address: str) -> None:
    """Return once *address* answers: the kernel needs a second to set up IPv6 on a new device."""
    with place.new_socket(socket.AF_INET6, socket.SOCK_STREAM) as asking:
        asking.settimeout(30)
        with contextlib.suppress(ConnectionRefusedError):
            asking.connect((address, 9))
