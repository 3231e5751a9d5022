"""The HTTP edge: `routes` is all there is; a route that is not OPEN needs a token."""

from exporter.api.routes import ROUTES, make_application

__all__ = ["ROUTES", "make_application"]
