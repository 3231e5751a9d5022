"""The HTTP API: `routes` lists every route; one whose access is not OPEN needs a token."""

from exporter.api.routes import ROUTES, make_application

__all__ = ["ROUTES", "make_application"]
