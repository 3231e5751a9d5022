"""The server side of the exporter: its socket, limits and signals, TLS, passwords."""

from exporter.serving.listening import listen, set_process_limits
from exporter.serving.stopping import stop_on_signals
from exporter.serving.watchdog import Watchdog
from exporter.serving.web_config import WebFile
from exporter.serving.webauth import WebAuth

__all__ = [
    "Watchdog",
    "WebAuth",
    "WebFile",
    "listen",
    "set_process_limits",
    "stop_on_signals",
]
