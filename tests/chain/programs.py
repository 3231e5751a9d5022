"""The programs of the chain as they are started: exporter, engines, Alertmanager."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from exporter.store import SECRET_KEY_VARIABLE
from tests.programs import program, wait_for

SPEED = 20
"""Of the clocks: a scrape has a second."""
RESEND = f"{60 // SPEED}s"
"""Prometheus' own minute. To Alertmanager an alert is over that is not sent for four of them: so
long may a program take that is killed and comes back."""


class Program:
    """One process that can end and begin again."""

    def __init__(
        self,
        folder: Path,
        name: str,
        url: str,
        command: list[str],
        env: dict[str, str] | None = None,
    ) -> None:
        self.url, self._command, self._env = url, command, env
        self._log: IO[bytes] = (folder / f"{name}.log").open("a+b")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        env = {**os.environ, **self._env} if self._env else None
        self._process = subprocess.Popen(self._command, stdout=self._log, stderr=self._log, env=env)
        wait_for(self.url + "/-/ready", self._process, self._log)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Send *how* and wait for the end."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def signal(self, which: signal.Signals) -> None:
        """Send *which* and go on."""
        assert self._process is not None
        self._process.send_signal(which)

    def kill(self) -> None:
        self.end(signal.SIGKILL)

    def close(self) -> None:
        self.kill()
        self._log.close()


def exporter(folder: Path, services: Path, here: Mapping[str, str]) -> Program:
    """Return the exporter; its secrets are in files of *folder*."""
    return Program(
        folder,
        "exporter",
        f"http://{here['exporter']}",
        [
            sys.executable,
            "-m",
            "exporter",
            "serve",
            "--config",
            str(services),
            "--listen",
            here["exporter"],
            "--data-dir",
            str(folder / "data"),
            "--admin-token-file",
            str(folder / "admin"),
            "--alertmanager.token-file",
            str(folder / "receiver"),
            "--alertmanager.url",
            f"http://{here['alertmanager']}",
            "--alertmanager.interval",
            "1",
            "--prometheus.url",
            f"http://{here['prometheus']}",
        ],
        {SECRET_KEY_VARIABLE: str(folder / "secret-key")},
    )


def alertmanager(folder: Path, routes: Path, here: Mapping[str, str]) -> Program:
    return Program(
        folder,
        "alertmanager",
        f"http://{here['alertmanager']}",
        [
            program("prometheus-alertmanager", "alertmanager"),
            f"--config.file={routes}",
            f"--storage.path={folder / 'alertmanager'}",
            "--cluster.listen-address=",
            f"--web.listen-address={here['alertmanager']}",
            # What was sent is on the disk so soon: a kill sends nothing twice.
            "--data.maintenance-interval=1s",
        ],
    )


def prometheus(folder: Path, config: Path, here: Mapping[str, str]) -> Program:
    return Program(
        folder,
        "prometheus",
        f"http://{here['prometheus']}",
        [
            program("prometheus"),
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address={here['prometheus']}",
            f"--rules.alert.resend-delay={RESEND}",
        ],
    )


def victoria_metrics(
    folder: Path, config: Path, here: Mapping[str, str]
) -> tuple[Program, Program]:
    """Return VictoriaMetrics, which scrapes what *config* says, and vmalert with the same rules.

    Their usual delay of 30 s is divided by `SPEED` as everything else is.
    """
    scrapes = json.loads(config.read_text())
    wanted = {name: scrapes[name] for name in ("scrape_configs",)}
    wanted["global"] = {"scrape_interval": scrapes["global"]["scrape_interval"]}
    (folder / "scrape.json").write_text(json.dumps(wanted))
    storage, delay = f"http://{here['prometheus']}", f"{30000 // SPEED}ms"
    labels = scrapes["global"]["external_labels"]
    victoria = Program(
        folder,
        "victoria-metrics",
        storage,
        [
            program("victoria-metrics"),
            f"-promscrape.config={folder / 'scrape.json'}",
            f"-storageDataPath={folder / 'victoria'}",
            "-retentionPeriod=100d",
            f"-httpListenAddr={here['prometheus']}",
            f"-search.latencyOffset={delay}",
            # A kill loses what is not on the disk: five seconds, 100 on these clocks.
            "-inmemoryDataFlushInterval=1s",
        ],
    )
    vmalert = Program(
        folder,
        "vmalert",
        f"http://{here['rules']}",
        [
            program("vmalert"),
            f"-rule={folder / 'rules'}/*.yml",
            f"-datasource.url={storage}",
            f"-remoteWrite.url={storage}",
            f"-remoteRead.url={storage}",
            "-remoteWrite.flushInterval=200ms",
            f"-notifier.url=http://{here['alertmanager']}",
            *(f"-external.label={name}={value}" for name, value in labels.items()),
            "-evaluationInterval=1s",
            f"-rule.evalDelay={delay}",
            f"-rule.resendDelay={RESEND}",
            f"-httpListenAddr={here['rules']}",
        ],
    )
    return victoria, vmalert
