"""Settings: declared once, read from YAML, checked all at once, explained by file and line.

The only package that knows YAML and JSON Schema. It opens no file and knows no service.
"""

from exporter.settings.check import (
    Loaded,
    Problem,
    SettingsError,
    Similar,
    build,
    check,
    dotted,
    examine,
    load,
    parse,
    unknown_field,
)
from exporter.settings.declare import object_schema, option, schema
from exporter.settings.document import FieldPath, value_of
from exporter.settings.kinds import Duration, Ratio, Timestamp, Url, duration, timestamp, url
from exporter.settings.plain import Plain, copied
from exporter.settings.reference import reference
from exporter.settings.showing import (
    AddressText,
    ExpressionText,
    OpenText,
    PublicText,
    SecretData,
    Showing,
    readable_texts,
    secrets_in,
    showing_of,
    shown,
    shown_address,
    shown_expression,
    shown_prose,
    split_secrets,
)

__all__ = [
    "AddressText",
    "Duration",
    "ExpressionText",
    "FieldPath",
    "Loaded",
    "OpenText",
    "Plain",
    "Problem",
    "PublicText",
    "Ratio",
    "SecretData",
    "SettingsError",
    "Showing",
    "Similar",
    "Timestamp",
    "Url",
    "build",
    "check",
    "copied",
    "dotted",
    "duration",
    "examine",
    "load",
    "object_schema",
    "option",
    "parse",
    "readable_texts",
    "reference",
    "schema",
    "secrets_in",
    "showing_of",
    "shown",
    "shown_address",
    "shown_expression",
    "shown_prose",
    "split_secrets",
    "timestamp",
    "unknown_field",
    "url",
    "value_of",
]
