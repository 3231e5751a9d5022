"""The engine: libcurl's multi interface on the event loop, names resolved by c-ares."""

from exporter.probers.curl.engine import CurlTransport

__all__ = ["CurlTransport"]
