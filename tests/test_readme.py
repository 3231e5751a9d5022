"""The README's commands run as they are typed there, and print what it shows."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import aiohttp
import pytest

from exporter.config import make_target, read_text
from exporter.probers import command_line
from exporter.providers import presets
from tests.patience import patient, within
from tests.programs import free_port
from tests.prose import ROOT, TYPED, pieces
from tests.test_process import eventually
from tests.vendor import Vendor, answer

SMALL = """
defaults: {{health_check: {{interval: 1s, timeout: 1s, retries: 0, allow_private_addresses: true}}}}
canaries: [{{url: "{url}canary", expected_status_codes: [204], allow_private_addresses: true}}]
services:
  - {{id: billing, base_url: "{url}", health_check: {{endpoint: /health}}}}
  - id: openai
    provider: openai
    base_url: "{url}"
    api_key: sk-proj-{key}
    health_check: {{interval: 1s}}
    status_page: {{enabled: false}}
    objectives: {{availability: 99.9%, latency: {{threshold: 800ms, target: 99%}}}}
"""
BLACKBOX = "modules: {http_2xx: {prober: http, http: {preferred_ip_protocol: ip4}}}\n"
SCRAPE = """
scrape_configs:
  - job_name: blackbox
    metrics_path: /probe
    params: {module: [http_2xx]}
    static_configs: [{targets: ["https://www.example.com/health"]}]
"""


class Shell:
    """Runs commands as they stand in the README, in a directory and an environment of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        variables = {n for p in presets().values() for n in (*p.key_variables, *p.variables)}
        self.environment = {k: v for k, v in os.environ.items() if k not in variables}
        self.environment |= {"NO_COLOR": "1", "COLUMNS": "120"}

    async def start(self, *arguments: str, **variables: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "exporter",
            *arguments,
            cwd=self.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**self.environment, "PYTHONPATH": str(ROOT), **variables},
        )

    async def run(self, *arguments: str) -> tuple[int, str]:
        """Return the exit code and all that is printed."""
        process = await self.start(*arguments)
        async with patient(60):
            out, _ = await process.communicate()
        return process.returncode or 0, out.decode()


def _in_readme(command: str, *wanted: str) -> list[str]:
    """Return the arguments of *command* in the README that have all that is *wanted*."""
    readme = ROOT / "README.md"
    return next(a for p, a in TYPED if p == readme and a[0] == command and set(wanted) <= set(a))


async def test_the_readme_s_first_configuration_is_good_as_it_is_typed(tmp_path: Path) -> None:
    _, _, after = (ROOT / "README.md").read_text().partition("## Your first configuration")
    (tmp_path / "my-services.yaml").write_text(after.partition("```yaml\n")[2].partition("```")[0])

    code, shown = await Shell(tmp_path).run(*_in_readme("check-config", "my-services.yaml"))

    assert (code, "ok: 2 services (2 enabled)" in shown) == (0, True), shown


def test_the_readme_names_every_package_that_the_tests_install() -> None:
    needed = re.findall(r"^need \S+ (\S+)$", (ROOT / "tests" / "tools.sh").read_text(), re.M)
    _, _, after = (ROOT / "README.md").read_text().partition("Debian's packages\n")

    assert set(pieces(after.partition("(with")[0])) == set(needed)


def test_the_readme_shows_the_curl_line_that_a_probe_prints() -> None:
    key = f"sk-{'a' * 24}x9Qz"
    declared = read_text(f"services: [{{id: openai, provider: openai, api_key: {key}}}]", "x", {})
    endpoint = make_target(declared.services[0], {}).endpoint
    assert endpoint is not None

    assert f"  {command_line(endpoint)}\n" in (ROOT / "README.md").read_text()


@pytest.mark.slow
async def test_what_the_readme_says_in_five_minutes_works(tmp_path: Path, vendor: Vendor) -> None:
    vendor.on("/health", answer(200, {"status": "ok"}))
    vendor.on("/canary", answer(204))
    models = {"object": "list", "data": [{"object": "model", "id": "m"}]}
    vendor.on("/models", answer(200, models))
    (tmp_path / "config").mkdir()
    small = SMALL.format(url=vendor.url(), key="k" * 24)
    (tmp_path / "config" / "services.yaml").write_text(small)
    (tmp_path / "my-services.yaml").write_text(small)
    (tmp_path / "blackbox.yml").write_text(BLACKBOX)
    (tmp_path / "prometheus.yml").write_text(SCRAPE)
    shell = Shell(tmp_path)

    assert (await shell.run(*_in_readme("make-secrets")))[0] == 0
    assert (await shell.run(*_in_readme("check-config", "my-services.yaml")))[0] == 0
    code, shown = await shell.run(*_in_readme("probe", "--config"))
    assert (code, "openai  ok" in shown) == (0, True), shown
    code, shown = await shell.run("import", "blackbox.yml", "--targets", "prometheus.yml")
    assert (code, "https://www.example.com" in shown) == (0, True), shown

    port = free_port()
    served = _in_readme("serve", "--data-dir", "--admin-token-file")
    served = served if "--config" in served else [*served, "--config", "config/services.yaml"]
    own = ("--listen", f"127.0.0.1:{port}")
    key = {"SERVICE_REGISTRY_SECRET_KEY_FILE": "secrets/secret_key"}
    process = await shell.start(*_on_loopback(served), *own, **key)
    try:
        await _while_it_runs(shell, f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        out, _ = await within(20, process.communicate())
    assert process.returncode == 0, out.decode()
    assert b"Traceback" not in out


def _on_loopback(arguments: list[str]) -> list[str]:
    """Return the arguments of `serve` without peers: nobody listens there in a test."""
    pairs = iter(arguments)
    return [
        a for a in pairs if not (a.startswith(("--alertmanager.", "--prometheus.")) and next(pairs))
    ]


async def _while_it_runs(shell: Shell, base: str) -> None:
    async with aiohttp.ClientSession() as session:

        async def get(path: str) -> str:
            async with session.get(base + path) as response:
                return await response.text()

        async def probed() -> bool:
            try:
                found = json.loads(await get("/api/health"))["services"]
                return [service["reason"] for service in found] == ["ok", "ok"]
            except aiohttp.ClientError:
                return False

        await eventually(probed, 30)
        page = await get("/metrics")
    _has_the_series_that_the_documents_promise(page)
    url = ("--url", base)
    for command in ("services", "stats", "incidents"):
        code, shown = await shell.run(command, *url)
        assert code == 0, shown
    code, shown = await shell.run("probe", base + "/-/healthy")
    assert (code, " ok" in shown) == (0, True), shown  # whoever types a URL may reach any address
    token = ("--admin-token-file", "secrets/admin_token")
    code, shown = await shell.run("incidents", "create", "a rehearsal", *url, *token, "--json")
    assert code == 0, shown
    number = json.loads(shown)["id"]
    ack = _in_readme("incidents", "ack")
    code, shown = await shell.run(
        *(number if re.fullmatch(r"[a-z0-9]{10}", a) else a for a in ack), *url
    )
    assert code == 0, shown
    code, shown = await shell.run("incidents", "--status", "acknowledged", *url)
    assert (code, "a rehearsal" in shown) == (0, True), shown


def _has_the_series_that_the_documents_promise(page: str) -> None:
    """Hold config/README.md, "Scaling", to its numbers."""
    text = " ".join((ROOT / "config" / "README.md").read_text().split())
    match = re.search(r"(\d+) series without a preset, up to about (\d+)", text)
    assert match is not None
    least, most = map(int, match.groups())

    def series(service: str) -> int:
        return sum(f'service="{service}"' in line for line in page.splitlines())

    assert abs(series("billing") - least) <= 4
    assert least < series("openai") <= most
