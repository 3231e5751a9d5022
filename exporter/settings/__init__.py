"""Settings: declared once, read from YAML, checked all at once, explained by file and line.

The only package that knows YAML and JSON Schema. It opens no file and knows no service.
"""

from exporter.settings.check import (
    Loaded,
    Problem,
    SettingsError,
    build,
    check,
    dotted,
    examine,
    load,
    parse,
    unknown_field,
)
from exporter.settings.declare import object_schema, option, schema
from exporter.settings.document import Path
from exporter.settings.kinds import Duration, Ratio, Timestamp, Url, duration, timestamp, url
from exporter.settings.reference import reference

__all__ = [
    "Duration",
    "Loaded",
    "Path",
    "Problem",
    "Ratio",
    "SettingsError",
    "Timestamp",
    "Url",
    "build",
    "check",
    "dotted",
    "duration",
    "examine",
    "load",
    "object_schema",
    "option",
    "parse",
    "reference",
    "schema",
    "timestamp",
    "unknown_field",
    "url",
]
