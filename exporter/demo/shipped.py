"""The shipped rules and routes on faster clocks, with the demonstration's receivers.

Rules, routes, inhibitions and templates stay as they are; only addresses, secrets and durations
change.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from exporter.programs import (
    EXPORTER_URL,
    SECRETS,
    prometheus_config,
    read_config,
    shipped,
    with_texts,
    write_config,
    write_templates,
)

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_RULE_DURATIONS = frozenset({"for", "keep_firing_for", "interval"})
_ROUTE_DURATIONS = frozenset({"group_wait", "group_interval", "repeat_interval"})
_MIN_INTERVAL_SECONDS = 1.0
_MIN_WINDOW_SECONDS = 4.0
"""A rate needs two samples, and one may be late."""
_WINDOW = re.compile(r"\[([^\]:]+)(?::([^\]]+))?\]")
_OFFSET = re.compile(r"\boffset (\w+)")
# A number of two digits or more in a rule is of seconds, but for a number of days.
_SECONDS_IN_RULE = re.compile(r"(?<![\w.\[:-])(\d{2,})(?![\w.\]:]| \* 86400)")
_SINK_PATHS = {
    "https://hooks.example.org/service-registry": "/webhook",
    "https://hc-ping.example.org": "/deadman",
}
"""Placeholders of alertmanager.yml and the path of the sink that replaces each."""
Json = dict[str, Any]


def write_prometheus(
    folder: Path, *, exporter: str, alertmanager: str, own: str, speed: float = 1.0
) -> Path:
    """Write the configuration of a Prometheus that listens on *own*; return its path.

    *exporter*, *alertmanager* and *own* are HOST:PORT. The durations in rules and the windows and
    seconds in their expressions are divided by *speed*, and so is the interval of 15 s, down to
    1 s.
    """
    rules = folder / "rules"
    rules.mkdir(parents=True, exist_ok=True)
    for path in sorted(shipped("prometheus").glob("rules/*.yml")):
        config = _accelerated(read_config(path), _RULE_DURATIONS, speed)
        for rule in (rule for group in config["groups"] for rule in group["rules"]):
            rule["expr"] = _on_faster_clocks(rule["expr"], speed)
        write_config(rules / path.name, config)
    config = prometheus_config(exporter=exporter, alertmanager=alertmanager, own=own)
    config["rule_files"] = ["rules/*.yml"]
    interval = _milliseconds(max(_MIN_INTERVAL_SECONDS, 15.0 / speed))
    config["global"] |= {"scrape_interval": interval, "evaluation_interval": interval}
    config["global"]["scrape_timeout"] = interval
    return write_config(folder / "prometheus.yml", config)


def write_alertmanager(
    folder: Path, *, exporter: str, sink: str, mail: str, token: str, speed: float = 1.0
) -> Path:
    """Write the configuration of an Alertmanager and its secrets; return its path.

    *exporter* is its URL and *token* the one of its receiver; *sink* is the URL of a server that
    replaces Slack (/slack), PagerDuty (/pagerduty), webhooks (/webhook) and the dead man's switch
    (/deadman/...); *mail* is HOST:PORT of a mail server. Durations are divided by *speed*.
    """
    secrets = folder / "secrets"
    secrets.mkdir(parents=True, exist_ok=True)
    to_sink = _sink_addresses(sink)
    known_secrets = {"slack_webhook_url": f"{sink}/slack", "exporter_token": token}

    def replaced(value: str) -> str | None:
        if value.startswith(SECRETS):
            name = value.removeprefix(SECRETS)
            (secrets / name).write_text(known_secrets.get(name, f"made-up-{name}"))
            return str(secrets / name)
        if value.startswith(EXPORTER_URL):
            return exporter + value.removeprefix(EXPORTER_URL)
        return to_sink(value)

    read = read_config(shipped("alertmanager") / "alertmanager.yml")
    config = _accelerated(with_texts(read, replaced), _ROUTE_DURATIONS, speed)
    config["global"] |= _media_addresses(sink, mail)
    config["templates"] = write_templates(
        folder, shipped("alertmanager"), config["templates"], exporter
    )
    return write_config(folder / "alertmanager.yml", config)


def composed_alertmanager() -> Json:
    """Return the configuration for the profile `demo` of docker-compose.yml.

    Its notifications go to the simulated receivers at http://demo:9700 and mail:1025.
    """
    read = read_config(shipped("alertmanager") / "alertmanager.yml")
    config = with_texts(read, _sink_addresses("http://demo:9700"))
    config["global"] |= _media_addresses("http://demo:9700", "mail:1025")
    return dict(config)


def _media_addresses(sink: str, mail: str) -> Json:
    return {"smtp_smarthost": mail, "smtp_require_tls": False, "pagerduty_url": f"{sink}/pagerduty"}


def _sink_addresses(sink: str) -> Callable[[str], str | None]:
    """Return a function that replaces the addresses that the user is to fill in by *sink*."""

    def change(value: str) -> str | None:
        for placeholder, real in _SINK_PATHS.items():
            if value.startswith(placeholder):
                return sink + real + value.removeprefix(placeholder)
        return None

    return change


def _accelerated(value: Any, names: frozenset[str], speed: float) -> Any:
    """Return *value* with the durations under *names* divided by *speed*."""
    if isinstance(value, list):
        return [_accelerated(item, names, speed) for item in value]
    if not isinstance(value, dict):
        return value
    accelerated = {}
    for name, item in value.items():
        if name in names and isinstance(item, str):
            minimum = _MIN_INTERVAL_SECONDS if name == "interval" else 0.001
            accelerated[name] = (
                _milliseconds(max(minimum, _seconds(item) / speed)) if _seconds(item) else item
            )
        else:
            accelerated[name] = _accelerated(item, names, speed)
    return accelerated


def _on_faster_clocks(expr: str, speed: float) -> str:
    """Return the PromQL *expr* with its windows, offsets and seconds divided by *speed*."""
    if speed == 1.0:
        return expr

    def window(found: re.Match[str]) -> str:
        length = _milliseconds(max(_MIN_WINDOW_SECONDS, _seconds(found[1]) / speed))
        if found[2] is None:
            return f"[{length}]"
        return f"[{length}:{_milliseconds(max(_MIN_INTERVAL_SECONDS, _seconds(found[2]) / speed))}]"

    expr = _SECONDS_IN_RULE.sub(lambda found: f"{float(found[1]) / speed:g}", expr)
    expr = _OFFSET.sub(lambda found: f"offset {_milliseconds(_seconds(found[1]) / speed)}", expr)
    return _WINDOW.sub(window, expr)


def _seconds(duration: str) -> float:
    parts = re.findall(r"(\d+)(ms|[smhd])", duration)
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def _milliseconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
