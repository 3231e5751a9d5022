"""The HTTP engine: libcurl's multi interface on the event loop, with c-ares for names."""

from exporter.probers.curl.engine import CurlTransport

__all__ = ["CurlTransport"]
