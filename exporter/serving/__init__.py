"""The server side of the exporter: sockets, limits, signals, host names, TLS, passwords."""

from exporter.serving.gate import Gate
from exporter.serving.hosts import HostNames, is_host_pattern
from exporter.serving.listening import Limits, listen, set_process_limits
from exporter.serving.stopping import stop_on_signals
from exporter.serving.supervisor import Supervisor
from exporter.serving.watchdog import Watchdog
from exporter.serving.web_config import WebFile
from exporter.serving.webauth import WebAuth

__all__ = [
    "Gate",
    "HostNames",
    "Limits",
    "Supervisor",
    "Watchdog",
    "WebAuth",
    "WebFile",
    "is_host_pattern",
    "listen",
    "set_process_limits",
    "stop_on_signals",
]
