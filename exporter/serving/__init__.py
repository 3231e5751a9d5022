"""How the exporter is served: the socket and its caps, certificates, passwords."""

from exporter.serving.listening import listen, set_process_limits
from exporter.serving.web_config import WebFile
from exporter.serving.webauth import Door

__all__ = [
    "Door",
    "WebFile",
    "listen",
    "set_process_limits",
]
