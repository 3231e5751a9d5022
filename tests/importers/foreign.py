"""What the tests of the importers share: the example files, and short ways to import a text."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from exporter.config import make_target, read_text
from exporter.importers import Imported, import_text
from exporter.matching import json_of
from exporter.model import Reason
from exporter.probers import Answer
from exporter.probers.judging import judge

FILES = Path(__file__).parent / "files"
EXAMPLES = {
    "blackbox": ("blackbox.yml", "prometheus.yml"),
    "gatus": ("gatus.yaml", None),
    "uptime-kuma": ("uptime-kuma.json", None),
    "node-registry": ("node-registry.json", None),
    "node-registry-snake": ("node-registry-snake.json", None),
}


def example(kind: str) -> Imported:
    """Import the example file of *kind*."""
    name, targets = EXAMPLES[kind]
    second = ((FILES / targets).read_text(), targets) if targets else None
    return import_text((FILES / name).read_text(), name, targets=second)


def gatus(text: str, **fields: Any) -> Imported:
    """Import one Gatus endpoint with *text* after its name and url."""
    url = fields.get("url", "https://api.example.com/health")
    return import_text(f"endpoints:\n  - name: api\n    url: {url}\n{text}", "gatus.yaml")


def conditions(*lines: str) -> Imported:
    """Import one Gatus endpoint with conditions."""
    listed = "".join(f"      - {json.dumps(line)}\n" for line in lines)
    return gatus(f"    conditions:\n{listed}")


def kuma(**fields: Any) -> Imported:
    """Import one monitor of Uptime Kuma."""
    monitor = {"name": "api", "type": "http", "url": "https://api.example.com/health"} | fields
    return import_text(json.dumps({"monitorList": [monitor]}, indent=1), "kuma.json")


def original(*services: Any, **top: Any) -> Imported:
    """Import services of the original registry, each with an id and an address by default."""
    whole = [{"id": "api", "baseUrl": "https://api.example.com"} | service for service in services]
    return import_text(json.dumps({"services": whole, **top}, indent=1), "registry.json")


def blackbox(http: str, target: str = "https://api.example.com/health") -> Imported:
    """Import one target that a module with the section *http* probes."""
    module = f"modules:\n  m:\n    prober: http\n    http:\n{http}"
    jobs = (
        "scrape_configs:\n  - job_name: j\n    metrics_path: /probe\n    params: {module: [m]}\n"
        f"    static_configs: [{{targets: [{json.dumps(target)}]}}]\n"
    )
    return import_text(module, "blackbox.yml", targets=(jobs, "prometheus.yml"))


def only_service(imported: Imported) -> dict[str, Any]:
    """Return the only service of *imported*."""
    assert len(imported.services) == 1
    return imported.services[0]


def accepts(imported: Imported, body: str, status: int = 200) -> bool:
    """Return whether the only service of *imported* is healthy with this answer."""
    (declared,) = read_text(imported.text, "services.yaml", {}).services
    endpoint = make_target(declared, {}).endpoint
    assert endpoint is not None
    answer = Answer(status=status, body=body.encode())
    return judge(answer, endpoint.expect, lambda: json_of(answer.body))[0] is Reason.OK


def warnings_of(imported: Imported) -> list[str]:
    """Return the warnings as the command prints them."""
    return [str(warning) for warning in imported.warnings]


def arguments(file: Path, **options: Any) -> argparse.Namespace:
    """Return the parsed command line of an import of *file*."""
    defaults = {"targets": None, "format": None, "output": None, "force": False, "json": False}
    return argparse.Namespace(file=file, **(defaults | options))
