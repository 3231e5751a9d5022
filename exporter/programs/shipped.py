"""The shipped configuration of Prometheus and Alertmanager, with the addresses of this machine.

What is written is JSON, which both programs read as YAML.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from exporter.settings.document import read

_HERE = Path(__file__).parent
EXPORTER_URL = "http://exporter:9642"
"""What the shipped alertmanager.yml calls the exporter."""
SECRETS = "/etc/alertmanager/secrets/"
"""Where the shipped alertmanager.yml looks for secrets."""
Json = dict[str, Any]
_NO_PAGE = '$page := ""'
"""In addresses.tmpl, while it names no status page."""


def shipped(name: str) -> Path:
    """Return the shipped folder *name*: next to the package in a checkout, in it when installed."""
    checkout = _HERE.parent.parent / name
    return checkout if checkout.is_dir() else _HERE / "files" / name


def read_config(path: Path) -> Any:
    """Return the content of the YAML file *path*.

    Raises:
        OSError: it cannot be read.
        DocumentError: it is not YAML.
    """
    return read(path.read_text()).data


def write_config(path: Path, config: Mapping[str, Any]) -> Path:
    """Write *config* to *path*, for us alone: an address may be a secret; return *path*."""
    return _write(path, json.dumps(config, indent=1))


def _write(path: Path, text: str) -> Path:
    path.unlink(missing_ok=True)
    # private before it has any content
    path.touch(mode=0o600)
    path.write_text(text)
    return path


def with_texts(value: Any, change: Callable[[str], str | None]) -> Any:
    """Return *value* with each text replaced by what *change* returns, unless that is None."""
    if isinstance(value, dict):
        return {name: with_texts(item, change) for name, item in value.items()}
    if isinstance(value, list):
        return [with_texts(item, change) for item in value]
    return (change(value) or value) if isinstance(value, str) else value


def prometheus_config(*, exporter: str, alertmanager: str, own: str) -> Json:
    """Return the shipped prometheus.yml of a Prometheus that listens on *own*.

    *exporter*, *alertmanager* and *own* are HOST:PORT; the rules are the shipped files themselves.
    """
    addresses = {
        "exporter:9642": exporter,
        "alertmanager:9093": alertmanager,
        "localhost:9090": own,
        "rules/*.yml": f"{shipped('prometheus')}/rules/*.yml",
    }
    return dict(with_texts(read_config(shipped("prometheus") / "prometheus.yml"), addresses.get))


def write_templates(folder: Path, base: Path, patterns: list[str], page: str) -> list[str]:
    """Return the `templates:` of an alertmanager.yml: *patterns*, relative to *base*, as files.

    addresses.tmpl is written to *folder* with *page*, the URL of the status page, where it names
    none itself.
    """
    written = []
    for path in (path for pattern in patterns for path in _files(base, pattern)):
        text = path.read_text()
        if _NO_PAGE in text:
            # a template reads JSON's quotes as its own
            filled = text.replace(_NO_PAGE, f"$page := {json.dumps(page)}")
            _write(folder / path.name, filled)
        written.append(str(folder / path.name if _NO_PAGE in text else path))
    return written


def _files(base: Path, pattern: str) -> list[Path]:
    path = base / pattern
    return sorted(path.parent.glob(path.name))
