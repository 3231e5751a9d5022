"""The command: what is printed where, what is written, and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exporter.cli.importing import run_import
from exporter.cli.usage import UsageError
from exporter.config import read_files
from exporter.importers import FORMATS
from exporter.settings import SettingsError
from tests.documents import yaml_of
from tests.importers.foreign import FILES, arguments

GATUS = FILES / "gatus.yaml"


def test_yaml_goes_out_and_losses_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_import(arguments(GATUS)) == 0

    printed = capsys.readouterr()
    assert len(yaml_of(printed.out)["services"]) == 7
    assert "endpoints[8].url: no equivalent: only http and https" in printed.err
    assert "ok: 7 services (4 enabled) from gatus; " in printed.err.splitlines()[-1]


def test_a_file_is_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "services.yaml"

    assert run_import(arguments(GATUS, output=output)) == 0
    with pytest.raises(UsageError, match="--force"):
        run_import(arguments(GATUS, output=output))
    assert run_import(arguments(GATUS, output=output, force=True)) == 0

    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"written to {output}" in printed.err
    values = dict.fromkeys(("TELEGRAM_BOT_TOKEN", "EDGE_FRONT_END_COOKIE"), "x")
    values["BACKEND_URL"] = "https://b.example"
    assert len(read_files([output], values).services) == 7


def test_machines_get_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "services.yaml"

    assert run_import(arguments(GATUS, json=True, output=output)) == 0

    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert printed.err == ""
    assert set(result) == {"format", "defaults", "services", "warnings", "variables"}
    assert set(result["warnings"][0]) == {"source", "line", "where", "what"}
    assert {"name", "service", "now"} == set(result["variables"][0])
    assert output.exists()


def test_blackbox_takes_the_targets_of_prometheus(capsys: pytest.CaptureFixture[str]) -> None:
    parsed = arguments(FILES / "blackbox.yml", targets=FILES / "prometheus.yml")

    assert run_import(parsed) == 0
    assert "ok: 8 services" in capsys.readouterr().err


def test_targets_are_for_blackbox_only(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="--targets"):
        run_import(arguments(GATUS, targets=FILES / "prometheus.yml", format="gatus"))

    assert run_import(arguments(GATUS, targets=FILES / "prometheus.yml")) == 1
    assert "--targets is for blackbox" in capsys.readouterr().err


def test_nothing_to_import_is_reported_with_every_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, output = tmp_path / "b.yml", tmp_path / "out.yaml"
    file.write_text("modules: {a: {prober: tcp}, b: {prober: icmp}}")

    assert run_import(arguments(file, output=output)) == 1

    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 3
    assert not output.exists()


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_a_mistake(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "x.yml"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(SettingsError, match=r"x\.yml:1: \(file\): "):
        run_import(arguments(file))


def test_an_output_that_cannot_be_written_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be written"):
        run_import(arguments(GATUS, output=tmp_path / "no" / "such" / "x.yaml"))


@pytest.mark.parametrize("kind", FORMATS)
def test_the_format_can_be_named(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "x.yml"
    file.write_text("nothing: known\n")

    assert run_import(arguments(file, format=kind)) == 1
