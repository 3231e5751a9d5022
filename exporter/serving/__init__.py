"""The server side of the exporter: its socket and limits, TLS, passwords."""

from exporter.serving.listening import listen, set_process_limits
from exporter.serving.web_config import WebFile
from exporter.serving.webauth import WebAuth

__all__ = [
    "WebAuth",
    "WebFile",
    "listen",
    "set_process_limits",
]
