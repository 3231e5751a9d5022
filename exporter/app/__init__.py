"""The composition root: builds every object, connects them, owns every lifetime."""

from exporter.app.app import App
from exporter.app.parts import VERSION
from exporter.options import Options

__all__ = ["VERSION", "App", "Options"]
