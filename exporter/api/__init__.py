"""The HTTP API: `routes` lists every route; one whose access is not OPEN needs a token."""

from exporter.api.routes import FOR_OUTSIDERS, ROUTES, make_application

__all__ = ["FOR_OUTSIDERS", "ROUTES", "make_application"]
