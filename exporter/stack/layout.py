"""Where everything of a stack is: its folders, its secrets, its addresses."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from exporter.stack.secrets import GENERATED, make

_OWN_SECRETS = ("admin_token", "exporter_token", "secret_key")


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders below `--data-dir`, each for its owner alone."""

    root: Path

    @property
    def exporter(self) -> Path:
        return self.root / "exporter"

    @property
    def prometheus(self) -> Path:
        return self.root / "prometheus"

    @property
    def alertmanager(self) -> Path:
        return self.root / "alertmanager"

    @property
    def config(self) -> Path:
        """What is written at every start: prometheus.yml, alertmanager.yml."""
        return self.root / "config"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    def make(self, given: Path | None = None) -> dict[str, Path]:
        """Make every folder and secret that is missing; return the secrets by their names.

        A secret that is in the folder *given* is used from there and not made.

        Raises:
            OSError: the disk refuses.
        """
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        folders = (self.exporter, self.prometheus, self.alertmanager, self.config, self.secrets)
        for folder in folders:
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(0o700)
        paths = {name: self.secrets / name for name in _OWN_SECRETS}
        if given is not None:
            paths |= {name: given / name for name in _OWN_SECRETS if (given / name).exists()}
        for name, path in paths.items():
            make(path, GENERATED[name]())
        return paths


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where each of the three listens, as HOST:PORT."""

    exporter: str = "127.0.0.1:9642"
    prometheus: str = "127.0.0.1:9090"
    alertmanager: str = "127.0.0.1:9093"

    def by_option(self) -> Iterator[tuple[str, str]]:
        """Yield each with the option that sets it."""
        yield "--listen", self.exporter
        yield "--prometheus.listen", self.prometheus
        yield "--alertmanager.listen", self.alertmanager


def taken(addresses: Addresses) -> str | None:
    """Return what is wrong with the first address that cannot be used now, as a sentence."""
    with ExitStack() as probes:
        for option, address in addresses.by_option():
            host, _, port = address.rpartition(":")
            host = host.strip("[]")
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            probe = probes.enter_context(socket.socket(family))
            # as the programs themselves: a connection that has just ended is no obstacle
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, int(port)))
                probe.listen(1)  # two sockets that do not listen may share a port
            except OSError as error:
                why = (error.strerror or str(error)).lower()
                return f"cannot listen on {address}: {why}; choose another with {option} HOST:PORT"
    return None
