"""`service-registry demo`, as a person starts it: with and without the programs it wants."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from exporter.demo.shipped import write_alertmanager, write_prometheus
from exporter.programs import program_path, shipped
from tests.cli.screen import screen
from tests.programs import program

pytestmark = pytest.mark.slow


def demo(path: str, seconds: float) -> str:
    """Return what the demonstration prints with *path* as PATH; it must end well in time."""
    done = subprocess.run(
        [sys.executable, "-m", "exporter", "demo"],
        capture_output=True,
        timeout=seconds,
        text=True,
        env={"PATH": path},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def assert_in_order(output: str, *parts: str) -> None:
    """Check that *output* has all of *parts*, one after the other."""
    start = 0
    for part in parts:
        position = output.find(part, start)
        assert position >= 0, f"{part!r} is missing after {output[:start][-200:]!r}"
        start = position


def test_it_goes_from_healthy_to_notified_to_resolved_in_under_three_minutes() -> None:
    paths = {
        str(Path(program(*names)).parent)
        for names in (("prometheus",), ("alertmanager", "prometheus-alertmanager"))
    }

    output = demo(":".join(sorted(paths)), 180)

    assert_in_order(
        output,
        "stripe is healthy",
        "Stripe begins to answer 503",
        "whose fault: provider",
        "opened: stripe (production) fails its health check",
        "mailbox: CRITICAL: stripe",
        "ann acknowledges it after",
        "stripe is healthy",
        "mailbox: RESOLVED: stripe",
        "OpenAI revokes our key",
        "whose fault: credential",
        "opened: The API key of openai (production) is rejected by openai",
        "a new key is verified",
        "openai is healthy",
        "Our own network dies",
        "whose fault: network",
        "PagerDuty: CRITICAL: Our own network fails",
        "pages sent: 1",
        "the network is back",
        "mean time to acknowledge",
        "Everything ends here",
        "to look at it: service-registry demo --keep",
    )
    assert not re.search(r"sk-proj-|rk_test_|sk-ant-|SG\.", output)


def test_without_the_programs_it_names_them_and_on_a_terminal_it_stays_to_be_looked_at(
    tmp_path: Path,
) -> None:
    with screen("demo", rows=60, columns=150, PATH=str(tmp_path)) as one:
        one.until(lambda shown: "everything runs on; stop it with Ctrl-C" in shown)
        output = one.shown
        page = re.search(r"status page +(http://\S+)", output.partition("Look at it yourself")[2])
        assert page
        with urllib.request.urlopen(page[1], timeout=10) as answer:
            assert b"stripe" in answer.read()
        one.press("\x03")
        assert one.end() == 0
        assert "stopping" in one.shown

    assert_in_order(
        output,
        "not installed: prometheus, alertmanager",
        "apt-get install",
        "whose fault: provider",
        "whose fault: credential",
        "whose fault: network",
        "Look at it yourself",
        "service-registry top --url http://127.0.0.1:",
    )
    output = output.partition("Look at it yourself")[0]
    assert "incident" not in output.replace("no alerts, incidents or messages", "").replace(
        "the incident log", ""
    ).replace("there are no incidents", "").replace("What the incident log", "")


def test_a_program_is_looked_for_on_the_path_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert program_path("prometheus") is None


def test_only_addresses_secrets_and_clocks_of_the_shipped_files_change(tmp_path: Path) -> None:
    routes = write_alertmanager(
        tmp_path,
        exporter="http://127.0.0.1:1",
        sink="http://127.0.0.1:2",
        mail="127.0.0.1:3",
        token="t",
        speed=30,
    )
    rules = write_prometheus(
        tmp_path, exporter="127.0.0.1:1", alertmanager="127.0.0.1:4", own="127.0.0.1:5", speed=30
    )
    amtool, promtool = program("amtool"), program("promtool")

    subprocess.run([amtool, "check-config", routes], check=True, capture_output=True)
    subprocess.run([promtool, "check", "config", rules], check=True, capture_output=True)
    for text in (routes.read_text(), rules.read_text()):
        assert "example.org" not in re.sub(r"[\w.-]+@example\.org|\"cluster\"", "", text)
        assert "exporter:9642" not in text
    expressions = [
        line.strip()
        for path in sorted(shipped("prometheus").glob("rules/*.yml"))
        for line in path.read_text().splitlines()
        if "alert: " in line
    ]
    written = "".join(path.read_text() for path in sorted((tmp_path / "rules").glob("*.yml")))
    assert written.count('"alert": ') == len(expressions)
