"""What `serve` was asked for, whoever asks: the command, the stack, the library."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exporter.config import Configuration
from exporter.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What `serve` was asked for."""

    source: Callable[[], Configuration]
    environment: Mapping[str, str] = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 9642
    admin_token: Secret | None = None
    lean: bool = False
    """Whether the page has no histograms, and only reasons that occurred."""
    compact: bool = False
    """Whether the page has only what the shipped rules and dashboards read."""
    connections: int = 512
    """Connections at once; one without a request is closed when another needs its place."""
    head_seconds: float = 15.0
    """Time for a request's head, and for an idle connection."""
    stall_seconds: float = 10.0
    """Time in which a client must read or send 1 KiB a second on average."""
    allowed_hosts: tuple[str, ...] = ()
    """Names by which the exporter may be addressed, besides those that nobody can buy."""
    data_dir: Path | None = None
    """Where changes and results are kept; nothing survives a restart without it."""
    modules: Path | None = None
    """The modules of /probe, which is off without them."""
    alertmanagers: tuple[str, ...] = field(default=(), repr=False)
    """URLs of every peer: asked what they list, sent manual incidents."""
    poll_interval: float = 30.0
    """Seconds between two polls of what they list."""
    prometheus: str = field(default="", repr=False)
    """Asked once, at the start, for incidents that came and went meanwhile."""
    receiver_token: Secret | None = None
    """Alertmanager's; the admin token opens its route too."""
    status_page_token: Secret | None = None
    """Of webhooks of status pages; it may be in their address."""
    web_config: Path | None = None
    """TLS and passwords in exporter-toolkit's format; plain HTTP for everybody without it."""
    public_page: bool = False
    """Whether outsiders get a page of their own; badges are then of the services on it only."""
    public_without_password: bool = False
    """Whether that page and badges need no password of the web configuration."""
