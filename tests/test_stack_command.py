"""`service-registry stack`: three real programs as one, and what it does when one is missing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from exporter.cli import main
from exporter.programs import ProgramError
from exporter.stack import run
from tests.alertmanager import Request, Sink, alert, http_sink, post
from tests.patience import Patience, within
from tests.programs import free_port, program

ROOT = Path(__file__).parent.parent
SERVICES = """
services:
  - id: here
    base_url: http://127.0.0.1:1
    api_key: a-key-of-a-provider-0123456789
    health_check: {allow_private_addresses: true, interval: 1s, timeout: 1s, retries: 0}
"""
PATH = ":".join(
    {
        str(Path(program(*names)).parent)
        for names in (("prometheus",), ("prometheus-alertmanager", "alertmanager"))
    }
)
SECRET = "hook-secret-0123456789"


class Stack:
    """A running `service-registry stack` in *folder*."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder, self._arguments = folder, arguments
        ports = [free_port() for _ in range(3)]
        self.exporter, self.prometheus, self.alertmanager = (f"127.0.0.1:{p}" for p in ports)
        self._out = folder / "out.txt"
        (folder / "services.yaml").write_text(SERVICES)

    def start(self) -> None:
        with self._out.open("w") as out:
            self.process = subprocess.Popen(
                self.command(*self._arguments),
                cwd=self.folder,
                env={"PATH": PATH, "PYTHONPATH": str(ROOT)},
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self.until("all of them run", lambda: "Ctrl-C ends" in self.output(), 90)
        except BaseException:
            self.close()
            raise

    def command(self, *more: str) -> list[str]:
        listen = ["--listen", self.exporter, "--prometheus.listen", self.prometheus]
        listen += ["--alertmanager.listen", self.alertmanager]
        start = [sys.executable, "-m", "exporter", "stack", "--config", "services.yaml"]
        return [*start, *listen, *more]

    def output(self) -> str:
        return self._out.read_text()

    def children(self) -> dict[str, int]:
        """Return the process ids of Prometheus and Alertmanager by a part of their command."""
        found = {}
        for pid, words in commands():
            for name in ("prometheus", "alertmanager"):
                if f"--config.file={self.folder}/data/config/{name}.yml" in words:
                    found[name] = pid
        return found

    def until(self, what: str, look: Callable[[], Any], seconds: float = 30) -> Any:
        patience = Patience(seconds)
        while not (found := look()):
            assert not patience.is_over, f"in vain: {what}: {self.output()}"
            assert self.process.poll() is None, f"ended: {what}: {self.output()}"
            time.sleep(0.1)
        return found

    def end(self, number: signal.Signals, seconds: float = 15) -> int:
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def close(self) -> None:
        for pid in self.children().values():
            with contextlib.suppress(ProcessLookupError):  # it ended meanwhile
                os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()


def commands() -> Iterator[tuple[int, list[str]]]:
    """Yield the id and the command of every process."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode("utf-8", "replace")
        except OSError:
            continue
        yield int(folder.name), words.split("\0")


def gone(stack: Stack, seconds: float = 15) -> bool:
    """Return whether Prometheus and Alertmanager have ended within *seconds*."""
    patience = Patience(seconds)
    while stack.children() and not patience.is_over:
        time.sleep(0.1)
    return not stack.children()


def asked(url: str) -> Any:
    with urllib.request.build_opener().open(url, timeout=5) as answer:
        return json.load(answer)


def old(labels: dict[str, str]) -> dict[str, Any]:
    """Return an alert that began so long ago that Alertmanager sends it at once."""
    begun = (datetime.now(UTC) - timedelta(minutes=10)).isoformat()
    return alert(labels, summary="a is down.") | {"startsAt": begun}


DOWN = {
    "alertname": "ServiceDown",
    "severity": "critical",
    "environment": "production",
    "service": "a",
    "provider": "custom",
}


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Starts stacks in the test's folder; they are ended with the test."""
    made: list[Stack] = []

    def start(*arguments: str) -> Stack:
        stack = Stack(tmp_path, *arguments)
        stack.start()
        made.append(stack)
        return stack

    yield start
    for stack in made:
        stack.close()


@pytest.fixture
def hook() -> Iterator[Sink[Request]]:
    with http_sink() as sink:
        yield sink


@pytest.mark.slow
def test_a_message_reaches_the_webhook_and_its_address_is_shown_nowhere(
    tmp_path: Path, started: Callable[..., Stack], hook: Sink[Request]
) -> None:
    (tmp_path / "hook").write_text(f"{hook.url}/{SECRET}\n")
    stack = started("--minimal", "--webhook-file", "hook", "--verbose")

    post(f"http://{stack.alertmanager}", old(DOWN))
    (got,) = hook.wait(lambda request: request.body["groupLabels"]["alertname"] == "ServiceDown")
    incidents = stack.until(
        "the incident log has it",
        lambda: asked(f"http://{stack.exporter}/api/incidents?service=a")["incidents"],
    )
    up = f"http://{stack.prometheus}/api/v1/query?query=up"
    stack.until(
        "Prometheus scrapes all three",
        lambda: [row["value"][1] for row in asked(up)["data"]["result"]] == ["1"] * 3,
        60,
    )

    assert got.path == f"/{SECRET}"
    assert incidents[0]["alertname"] == "ServiceDown"
    secrets = [SECRET, "a-key-of-a-provider-0123456789"]
    secrets += [path.read_text() for path in (tmp_path / "data" / "secrets").iterdir()]
    for text in (stack.output(), *(" ".join(words) for _, words in commands())):
        assert not [secret for secret in secrets if secret in text]
    for pid in stack.children().values():
        given = Path(f"/proc/{pid}/environ").read_text()
        assert "PATH=" in given
        assert "PYTHONPATH" not in given, "only what they need is theirs"


@pytest.mark.slow
def test_an_address_that_fails_is_not_shown_either(
    tmp_path: Path, started: Callable[..., Stack]
) -> None:
    (tmp_path / "hook").write_text(f"http://127.0.0.1:1/{SECRET}")
    stack = started("--minimal", "--webhook-file", "hook", "--verbose")

    post(f"http://{stack.alertmanager}", old(DOWN))

    failed = re.compile(r"alertmanager: .*(?:notify|Notify).*connection refused")
    stack.until("Alertmanager logs it", lambda: failed.search(stack.output()))
    assert SECRET not in stack.output()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_ends_all_and_the_next_start_goes_on(
    started: Callable[..., Stack], number: signal.Signals
) -> None:
    stack = started()
    query = urllib.parse.quote("count_over_time(exporter_build_info[1h])")
    seen = f"http://{stack.prometheus}/api/v1/query?query={query}"

    def samples() -> int:
        rows = asked(seen)["data"]["result"]
        return int(rows[0]["value"][1]) if rows else 0

    stack.until("a sample", samples, 60)
    secrets = stack.folder / "data" / "secrets"
    before = {path.name: path.read_text() for path in secrets.iterdir()}
    modes = {path: path.stat().st_mode & 0o777 for path in (stack.folder / "data").rglob("*")}

    code = stack.end(number)

    assert code == 0, stack.output()
    assert not stack.children()
    assert set(before) == {"admin_token", "exporter_token", "secret_key"}
    for path, mode in modes.items():
        if path.parent.name in {"data", "secrets", "config"}:
            assert mode == (0o700 if path.is_dir() else 0o600), path
    stack.start()
    assert samples() > 0
    assert {path.name: path.read_text() for path in secrets.iterdir()} == before
    assert stack.output().count("\n") < 12, "it says where things are, and tails nothing"


@pytest.mark.slow
def test_a_page_for_outsiders_is_served_and_named_where_it_is_asked_for(
    started: Callable[..., Stack],
) -> None:
    stack = started("--public-page")

    (line,) = (line for line in stack.output().splitlines() if "for others" in line)
    address = line.split()[-1]
    with urllib.request.urlopen(address, timeout=5) as answer:
        page = answer.read().decode()

    assert address == f"http://{stack.exporter.replace('127.0.0.1', 'localhost')}/public"
    assert "here" in page


@pytest.mark.slow
@pytest.mark.parametrize("name", ["prometheus", "alertmanager"])
def test_the_death_of_one_ends_all(started: Callable[..., Stack], name: str) -> None:
    stack = started()

    os.kill(stack.children()[name], signal.SIGKILL)

    assert stack.process.wait(15) == 1
    assert not stack.children()
    assert f"service-registry: {name} ended (SIGKILL)" in stack.output()
    assert "the others were ended too" in stack.output()


@pytest.mark.slow
def test_a_second_signal_kills_what_does_not_end(started: Callable[..., Stack]) -> None:
    stack = started()
    os.kill(stack.children()["prometheus"], signal.SIGSTOP)
    stack.process.send_signal(signal.SIGINT)
    stack.until("Alertmanager ends", lambda: "alertmanager" not in stack.children())

    code = stack.end(signal.SIGINT, 5)

    assert code == 130
    assert gone(stack)


@pytest.mark.slow
def test_nothing_survives_a_kill(started: Callable[..., Stack]) -> None:
    stack = started()
    assert set(stack.children()) == {"prometheus", "alertmanager"}

    stack.end(signal.SIGKILL)

    assert gone(stack)


def test_a_missing_program_is_named_before_anything_starts(tmp_path: Path) -> None:
    stack = Stack(tmp_path)

    done = subprocess.run(
        stack.command(),
        cwd=tmp_path,
        env={"PATH": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 2
    assert "not installed: prometheus, alertmanager (apt-get install prometheus" in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_program_that_does_not_start_is_quoted_without_the_secret(tmp_path: Path) -> None:
    """It prints its whole configuration and ends, as none of the real ones does today."""
    commands_ = tmp_path / "bin"
    commands_.mkdir()
    quoting = '#!/bin/sh\ncat "${1#--config.file=}" >&2\nexit 3\n'
    for name in ("prometheus", "alertmanager"):
        (commands_ / name).write_text(quoting)
        (commands_ / name).chmod(0o755)
    (tmp_path / "hook").write_text(f"http://127.0.0.1:1/{SECRET}")
    stack = Stack(tmp_path)

    done = subprocess.run(
        stack.command("--minimal", "--webhook-file", "hook", "--verbose"),
        cwd=tmp_path,
        env={"PATH": f"{commands_}:/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1
    assert "service-registry: alertmanager ended (exit code 3)" in done.stderr
    assert re.search(r'^alertmanager:\s+"url": "…"', done.stderr, re.MULTILINE)
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("exporter", "--listen"),
        ("prometheus", "--prometheus.listen"),
        ("alertmanager", "--alertmanager.listen"),
    ],
)
def test_a_taken_port_is_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    option: str,
) -> None:
    stack = Stack(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", PATH)
    address = getattr(stack, name)
    with socket.create_server(("127.0.0.1", int(address.rpartition(":")[2]))):
        assert main(stack.command()[3:]) == 1

    error = capsys.readouterr().err
    expected = f"cannot listen on {address}: address already in use; choose another with {option}"
    assert error == f"service-registry: {expected} HOST:PORT\n"
    assert not (tmp_path / "data").exists()


def test_two_programs_cannot_share_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = Stack(tmp_path)
    stack.alertmanager = stack.prometheus
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", PATH)

    assert main(stack.command()[3:]) == 1

    assert "choose another with --alertmanager.listen" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--minimal", "one of --webhook, --webhook-file and --mail"),
        ("--minimal --webhook http://a --mail a@b", "one of --webhook, --webhook-file and --mail"),
        ("--webhook http://a", "need --minimal"),
        ("--minimal --webhook no-url-but-secret", "must be an http:// or https:// URL"),
        ("--minimal --webhook http://a --smtp a:1", "need --mail"),
        ("--minimal --mail a@b", "needs --smtp"),
        ("--minimal --mail a@b --smtp a", "--smtp must be HOST:PORT"),
        ("--minimal --mail a --smtp a:1", "--mail must be an address"),
        ("--minimal --mail a@b --smtp a:1 --smtp.username a", "need each other"),
        ("--minimal --webhook http://a --secrets s", "for the full routes"),
        ("--minimal --webhook-file absent", "--webhook-file: the file cannot be read"),
        ("--listen 127.0.0.1:0", "--listen needs a port"),
        ("--prometheus.listen 9090", "--prometheus.listen must be HOST:PORT"),
        ("--alertmanager.config.file absent.yml", "absent.yml"),
    ],
)
def test_contradictions_are_named_before_anything_starts(
    arguments: str,
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stack = Stack(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", PATH)

    code = main([*stack.command()[3:], *arguments.split()])

    error = capsys.readouterr().err
    assert code == (1 if "absent.yml" in expected else 2)
    assert expected in error
    assert "no-url-but-secret" not in error


class Ending:
    """An exporter that ends by itself, at once or with an error."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error

    async def run(self, stop: asyncio.Event, started: Callable[[Any], None]) -> None:
        if self._error:
            raise self._error


@pytest.mark.parametrize("error", [None, OSError("no such address")])
async def test_an_exporter_that_ends_by_itself_is_an_error(error: Exception | None) -> None:
    stop = asyncio.Event()

    with pytest.raises((ProgramError, OSError), match=r"the exporter ended|no such"):
        await within(5, run(Ending(error), [], stop, lambda: None))  # type: ignore[arg-type]
