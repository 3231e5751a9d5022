"""The wheel and the source distribution: all that is needed is in them, and runs from elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.documents import yaml_of

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both, built without the network from the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the unpacked wheel, as an installation has it."""
    folder = tmp_path_factory.mktemp("site")
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(installed: Path, folder: Path, *arguments: str) -> str:
    """Return what a command of the installation prints; it runs in an empty *folder*."""
    found = [path for path in sys.path if path.endswith("site-packages")]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(installed), *found])}
    done = subprocess.run(
        [sys.executable, "-m", "exporter", *arguments],
        cwd=folder,
        env=env,
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.stdout


def test_every_file_of_the_package_is_in_the_wheel(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    listed = subprocess.run(
        ["git", "ls-files", "exporter"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()

    assert set(listed) <= inside


def test_the_rules_and_routes_of_the_demonstration_are_in_the_wheel(installed: Path) -> None:
    files = installed / "exporter" / "programs" / "files"

    for name in (
        "prometheus/prometheus.yml",
        "alertmanager/alertmanager.yml",
        "alertmanager/alertmanager.minimal.yml",
    ):
        assert (files / name).read_text() == (ROOT / name).read_text()
    assert {path.name for path in (files / "prometheus" / "rules").iterdir()} == {
        path.name for path in (ROOT / "prometheus" / "rules").iterdir()
    }


def test_the_source_distribution_has_what_the_tests_and_the_stack_need(built: Path) -> None:
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}

    for name in (
        "Makefile",
        "docker-compose.yml",
        "tests/conftest.py",
        "prometheus/prometheus.yml",
        "alertmanager/alertmanager.yml",
        "grafana/dashboards/registry-overview.json",
        "LICENSE",
        "config/services.yaml",
        "exporter/Dockerfile",
    ):
        assert name in inside, name


def test_what_is_installed_runs_from_elsewhere(installed: Path, tmp_path: Path) -> None:
    assert run(installed, tmp_path, "--version").startswith("service-registry ")
    assert "openai" in run(installed, tmp_path, "providers")
    assert "$schema" in run(installed, tmp_path, "schema")
    (tmp_path / "mine.yaml").write_text("services: [{id: a, base_url: https://example.com}]")
    assert "1 service " in run(installed, tmp_path, "check-config", "mine.yaml")


def test_the_demonstration_of_an_installation_uses_the_shipped_files(
    installed: Path, tmp_path: Path
) -> None:
    script = (
        "from exporter.demo.shipped import write_prometheus; import pathlib, sys;"
        "from exporter.programs import shipped;"
        "to = pathlib.Path(sys.argv[1]);"
        "write_prometheus(to, exporter='a:1', alertmanager='b:2', own='c:3');"
        "print(shipped('prometheus'))"
    )
    found = [path for path in sys.path if path.endswith("site-packages")]
    env = {"PYTHONPATH": os.pathsep.join([str(installed), *found])}
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=tmp_path,
        env=env,
        check=True,
        capture_output=True,
        text=True,
    )

    assert done.stdout.strip() == str(installed / "exporter" / "programs" / "files" / "prometheus")
    assert (tmp_path / "rules" / "20-services.yml").exists()


def test_what_is_promised_of_python_is_what_the_workflow_runs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    promised = [c.rpartition(" ")[2] for c in project["classifiers"] if "Python :: 3" in c]
    workflow = yaml_of((ROOT / ".github/workflows/tests.yml").read_text())

    assert workflow["jobs"]["tests"]["strategy"]["matrix"]["python"] == promised
    assert project["requires-python"] == f">={promised[0]}"
