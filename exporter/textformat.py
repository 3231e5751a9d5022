"""Prometheus' text format and OpenMetrics: how heads, labels and numbers are written.

Source: prometheus/docs `exposition_formats.md` (0.0.4) and OpenMetrics 1.0.
"""

from __future__ import annotations

TEXT = "text/plain; version=0.0.4; charset=utf-8"
PROTOBUF = "application/vnd.google.protobuf"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def head(name: str, kind: str, meaning: str, *, openmetrics: bool = False) -> str:
    """Return the HELP and TYPE lines; in OpenMetrics a counter is named without its `_total`."""
    if openmetrics and kind == "counter":
        name = name.removesuffix("_total")
    return f"# HELP {name} {meaning}\n# TYPE {name} {kind}\n"


def escaped(text: str) -> str:
    """Return *text* escaped for the value of a label."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def labelled(**labels: str) -> str:
    """Return *labels*, in their order, as the text between the braces.

    >>> labelled(service="a", name='say "hi"')
    'service="a",name="say \\\\"hi\\\\""'
    """
    return ",".join([f'{name}="{escaped(value)}"' for name, value in labels.items()])


def number(value: float) -> str:
    """Return *value* with at most six decimals and no trailing zeros.

    >>> number(3.0), number(0.25)
    ('3', '0.25')
    """
    if value == int(value):
        return str(int(value))
    return f"{value:.6f}".rstrip("0").rstrip(".")
