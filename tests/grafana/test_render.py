"""What draws the dashboards: its packages, without installing one."""

from __future__ import annotations

import json

from tests.grafana.reading import ROOT

RENDER = ROOT / "tests" / "grafana" / "render"


def test_what_draws_is_pinned_and_free_of_addresses_and_of_the_agpl() -> None:
    wanted = json.loads((RENDER / "package.json").read_text())["dependencies"]
    lock = json.loads((RENDER / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}

    assert "://" not in json.dumps(lock)
    assert lock["packages"][""]["dependencies"] == wanted
    assert all(packages[f"node_modules/{n}"]["version"] == v for n, v in wanted.items())
    assert all(package["integrity"] for package in packages.values())
    assert not [n for n, package in packages.items() if "GPL" in package.get("license", "")]
    grafana = {package["version"] for n, package in packages.items() if "/@grafana/" in n}
    assert wanted["@grafana/ui"] in grafana
    assert sum(n.endswith("@grafana/data") for n in packages) == 1, "or there are two themes"
