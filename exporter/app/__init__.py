"""The composition root: builds every object, connects them, owns every lifetime."""

from exporter.app.app import App
from exporter.options import Options

__all__ = ["App", "Options"]
