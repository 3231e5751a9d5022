"""The HTTP API: `routes` lists every route; one whose access is not OPEN needs a token."""

from exporter.api.application import make_application
from exporter.api.routes import FOR_OUTSIDERS, ROUTES

__all__ = ["FOR_OUTSIDERS", "ROUTES", "make_application"]
