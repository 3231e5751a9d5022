"""The server side of the exporter: its sockets and limits, host names, TLS, passwords."""

from exporter.serving.gate import Gate
from exporter.serving.hosts import HostNames, is_host_pattern
from exporter.serving.listening import Limits, listen, set_process_limits
from exporter.serving.web_config import WebFile
from exporter.serving.webauth import WebAuth

__all__ = [
    "Gate",
    "HostNames",
    "Limits",
    "WebAuth",
    "WebFile",
    "is_host_pattern",
    "listen",
    "set_process_limits",
]
