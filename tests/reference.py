"""Write the generated parts of the documentation; `test_conventions` fails when they are stale."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from exporter.config import Canary, Monitoring, Service
from exporter.demo.shipped import composed_alertmanager
from exporter.metrics import FAMILIES, INCIDENT_FAMILIES
from exporter.metrics.families import Family
from exporter.metrics.incidents import IncidentFamily
from exporter.model import FACTS, Reason
from exporter.providers import presets
from exporter.settings import reference

ROOT = Path(__file__).parent.parent
_BEGIN, _END = "<!-- generated: {} -->", "<!-- end -->"


def settings(cls: object) -> Iterator[str]:
    """Yield the table of the settings of *cls*."""
    yield "| setting | kind | default | meaning |"
    yield "|---|---|---|---|"
    yield from reference(cls)


def metrics(families: Iterable[Family | IncidentFamily]) -> Iterator[str]:
    """Yield the table of *families*."""
    yield "| metric | type | meaning |"
    yield "|---|---|---|"
    for family in families:
        yield f"| `{family.name}` | {family.kind} | {family.help} |"


def reasons() -> Iterator[str]:
    """Yield the table of reasons and what follows from them."""
    yield "| reason | verdict | `service_up` | `service_key_valid` | what to do |"
    yield "|---|---|---|---|---|"
    shown = {True: "1", False: "0", None: "absent"}
    for reason in Reason:
        facts = FACTS[reason]
        yield (
            f"| `{reason}` | `{facts.verdict}` | {shown[facts.up]} | {shown[facts.key_valid]} "
            f"| {facts.advice} |"
        )


def providers() -> Iterator[str]:
    """Yield the table of presets."""
    yield "| provider | key variable | further variables | health call | every | at least |"
    yield "|---|---|---|---|---|---|"
    for name, preset in presets().items():
        keys = ", ".join(f"`{v}`" for v in preset.key_variables)
        more = ", ".join(f"`{v}`" for v in preset.variables)
        call = f"`{preset.health.method} {preset.health.endpoint}`"
        every, least = preset.intervals.health, preset.intervals.minimum
        yield f"| `{name}` | {keys} | {more} | {call} | {every:g}s | {least:g}s |"


PARTS = {
    ("config/README.md", "service"): lambda: settings(Service),
    ("config/README.md", "canary"): lambda: settings(Canary),
    ("config/README.md", "monitoring"): lambda: settings(Monitoring),
    ("config/README.md", "providers"): providers,
    ("exporter/metrics/README.md", "metrics"): lambda: metrics(FAMILIES),
    ("exporter/metrics/README.md", "incidents"): lambda: metrics(INCIDENT_FAMILIES),
    ("exporter/metrics/README.md", "reasons"): reasons,
}


def written(path: str, text: str) -> str:
    """Return the *text* of the file at *path* with its generated parts made anew."""
    for (where, name), rows in PARTS.items():
        if where == path:
            begin = _BEGIN.format(name)
            before, _, rest = text.partition(begin)
            _, _, after = rest.partition(_END)
            body = "\n".join(rows())
            text = f"{before}{begin}\n\n{body}\n\n{_END}{after}"
    return text


DEMO = ROOT / "alertmanager" / "demo.yml"


def demo_alertmanager() -> str:
    """Return alertmanager/demo.yml: JSON, which is YAML."""
    head = "# Generated from alertmanager.yml by `make reference`: what the profile demo uses.\n"
    return head + json.dumps(composed_alertmanager(), indent=1) + "\n"


def main() -> int:
    DEMO.write_text(demo_alertmanager())
    for path in sorted({where for where, _ in PARTS}):
        file = ROOT / path
        file.write_text(written(path, file.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
