"""The shipped configuration of Prometheus and Alertmanager, on loopback and on faster clocks.

Rules, routes, inhibitions and templates stay as they are; only addresses and durations change.
What is written is JSON, which both programs read as YAML.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from exporter.settings.document import read

_HERE = Path(__file__).parent
_SECRETS = "/etc/alertmanager/secrets/"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_RULE_CLOCKS = frozenset({"for", "keep_firing_for", "interval"})
_ROUTE_CLOCKS = frozenset({"group_wait", "group_interval", "repeat_interval"})
_LEAST_INTERVAL = 1.0
_FILLED = {
    "https://hooks.example.org/service-registry": "/webhook",
    "https://hc-ping.example.org": "/deadman",
}
"""Placeholders of alertmanager.yml and the path of a sink that stands for each."""
Json = dict[str, Any]


def shipped(name: str) -> Path:
    """Return the shipped folder *name*: beside the package, or in it where it is installed."""
    beside = _HERE.parent.parent / name
    return beside if beside.is_dir() else _HERE / "files" / name


def write_prometheus(
    folder: Path, *, exporter: str, alertmanager: str, own: str, speed: float = 1.0
) -> Path:
    """Write the configuration of a Prometheus that listens on *own*; return its path.

    The others are HOST:PORT. Everything that waits in a rule waits *speed* times less.
    """
    addresses = {
        "exporter:9642": exporter,
        "alertmanager:9093": alertmanager,
        "localhost:9090": own,
    }
    rules = folder / "rules"
    rules.mkdir(parents=True, exist_ok=True)
    for path in sorted(shipped("prometheus").glob("rules/*.yml")):
        _write(rules / path.name, _hastened(_read(path), _RULE_CLOCKS, speed))
    config = _texts(_read(shipped("prometheus") / "prometheus.yml"), addresses.get)
    every = _written(max(_LEAST_INTERVAL, 15.0 / speed))
    config["global"] |= {"scrape_interval": every, "evaluation_interval": every}
    config["global"]["scrape_timeout"] = every
    return _write(folder / "prometheus.yml", config)


def write_alertmanager(
    folder: Path, *, exporter: str, sink: str, mail: str, token: str, speed: float = 1.0
) -> Path:
    """Write the configuration of an Alertmanager and its secrets; return its path.

    *exporter* is its URL and *token* what its receiver wants; *sink* is the URL of what stands for
    Slack (/slack), PagerDuty (/pagerduty), webhooks (/webhook) and the dead man's switch
    (/deadman/...); *mail* is HOST:PORT of a mail server. Every wait is *speed* times shorter.
    """
    secrets = folder / "secrets"
    secrets.mkdir(parents=True, exist_ok=True)
    to_sink = _to_sink(sink)
    given = {"slack_webhook_url": f"{sink}/slack", "exporter_token": token}

    def text(value: str) -> str | None:
        if value.startswith(_SECRETS):
            name = value.removeprefix(_SECRETS)
            (secrets / name).write_text(given.get(name, f"made-up-{name}"))
            return str(secrets / name)
        for shown, real in (
            ("http://exporter:9642", exporter),
            ("templates/", f"{shipped('alertmanager')}/templates/"),
        ):
            if value.startswith(shown):
                return real + value.removeprefix(shown)
        return to_sink(value)

    read = _read(shipped("alertmanager") / "alertmanager.yml")
    config = _hastened(_texts(read, text), _ROUTE_CLOCKS, speed)
    config["global"] |= _media(sink, mail)
    return _write(folder / "alertmanager.yml", config)


def composed_alertmanager() -> Json:
    """Return the configuration for the profile `demo` of docker-compose.yml: nothing leaves it."""
    config = _texts(
        _read(shipped("alertmanager") / "alertmanager.yml"), _to_sink("http://demo:9700")
    )
    config["global"] |= _media("http://demo:9700", "mail:1025")
    return dict(config)


def _media(sink: str, mail: str) -> Json:
    return {"smtp_smarthost": mail, "smtp_require_tls": False, "pagerduty_url": f"{sink}/pagerduty"}


def _to_sink(sink: str) -> Callable[[str], str | None]:
    """Return what puts *sink* in the place of the addresses that the user is to fill in."""

    def change(value: str) -> str | None:
        for shown, real in _FILLED.items():
            if value.startswith(shown):
                return sink + real + value.removeprefix(shown)
        return None

    return change


def _read(path: Path) -> Any:
    return read(path.read_text()).data


def _write(path: Path, config: Mapping[str, Any]) -> Path:
    path.write_text(json.dumps(config, indent=1))
    return path


def _texts(value: Any, change: Callable[[str], str | None]) -> Any:
    """Return *value* with every text that *change* has another one for in its place."""
    if isinstance(value, dict):
        return {name: _texts(one, change) for name, one in value.items()}
    if isinstance(value, list):
        return [_texts(one, change) for one in value]
    return (change(value) or value) if isinstance(value, str) else value


def _hastened(value: Any, clocks: frozenset[str], speed: float) -> Any:
    """Return *value* with the durations under the names *clocks* divided by *speed*."""
    if isinstance(value, list):
        return [_hastened(one, clocks, speed) for one in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for name, one in value.items():
        if name in clocks and isinstance(one, str):
            least = _LEAST_INTERVAL if name == "interval" else 0.001
            found[name] = _written(max(least, _seconds(one) / speed)) if _seconds(one) else one
        else:
            found[name] = _hastened(one, clocks, speed)
    return found


def _seconds(duration: str) -> float:
    parts = re.findall(r"(\d+)(ms|[smhd])", duration)
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def _written(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
