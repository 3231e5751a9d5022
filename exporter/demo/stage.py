"""Everything that the story needs, running: providers, sinks, exporter, the chain behind it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from exporter.app import App, Options
from exporter.config import read_text
from exporter.demo.providers import Providers
from exporter.demo.shipped import write_alertmanager, write_prometheus
from exporter.demo.sinks import Sinks
from exporter.programs import Program, alertmanager_program, free_address, prometheus_program
from exporter.secret import Secret
from exporter.store import SECRET_KEY_VARIABLE, new_secret_key

SPEED = 30.0
"""What the durations of the shipped rules and routes are divided by."""
_READY_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that runs; `prometheus` and `alertmanager` are URLs, empty without the program."""

    app: App
    providers: Providers
    sinks: Sinks
    keys: dict[str, str]
    prometheus: str = ""
    alertmanager: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.app.port}/"


@contextlib.asynccontextmanager
async def running_stage(folder: Path, port: int, *, chain: bool) -> AsyncIterator[Stage]:
    """Run everything in *folder* until the block ends.

    Raises:
        ProgramError: Prometheus or Alertmanager does not start.
        OSError: the port cannot be bound, or one of the two is not ready within 30 s.
    """
    providers, sinks = Providers(), Sinks()
    keys = {name: new_key(name) for name in ("openai", "anthropic", "stripe", "sendgrid")}
    token = secrets.token_urlsafe(24)
    async with contextlib.AsyncExitStack() as stack:
        for server in (providers, sinks):
            await server.start()
            stack.push_async_callback(server.stop)
        addresses = {name: free_address() for name in ("prometheus", "alertmanager")}
        decider = "alertmanager" if chain else "off"  # the embedded response takes minutes
        peers = (f"http://{addresses['alertmanager']}",) if chain else ()
        options = Options(
            source=lambda: read_text(services(providers.url, keys, decider), "demo.yaml", {}),
            environment={SECRET_KEY_VARIABLE: str(_secret_key(folder))},
            port=port,
            data_dir=folder / "data",
            alertmanagers=peers,
            poll_interval=1.0,
            prometheus=f"http://{addresses['prometheus']}" if chain else "",
            admin_token=Secret(token),
        )
        app = App(options)
        await _run(app, stack)
        stage = Stage(app=app, providers=providers, sinks=sinks, keys=keys)
        if chain:
            stage = await _with_chain(stage, folder, addresses, token, stack)
        yield stage


async def _with_chain(
    stage: Stage,
    folder: Path,
    addresses: dict[str, str],
    token: str,
    stack: contextlib.AsyncExitStack,
) -> Stage:
    exporter = f"127.0.0.1:{stage.app.port}"
    routes = write_alertmanager(
        folder,
        exporter=f"http://{exporter}",
        sink=stage.sinks.url,
        mail=stage.sinks.mail,
        token=token,
        speed=SPEED,
    )
    rules = write_prometheus(
        folder,
        exporter=exporter,
        alertmanager=addresses["alertmanager"],
        own=addresses["prometheus"],
        speed=SPEED,
    )
    alertmanager_url, prometheus_url = [
        await stack.enter_async_context(program.running(_READY_SECONDS))
        for program in _programs(folder, addresses, routes, rules)
    ]
    return Stage(
        app=stage.app,
        providers=stage.providers,
        sinks=stage.sinks,
        keys=stage.keys,
        prometheus=prometheus_url,
        alertmanager=alertmanager_url,
    )


def _programs(
    folder: Path, addresses: dict[str, str], routes: Path, rules: Path
) -> tuple[Program, Program]:
    """Return Alertmanager and Prometheus."""
    alertmanager = alertmanager_program(
        routes, folder / "alertmanager", addresses["alertmanager"], "--log.level=warn"
    )
    prometheus = prometheus_program(
        rules,
        folder / "tsdb",
        addresses["prometheus"],
        # the default of 1m is too slow for these clocks
        "--rules.alert.resend-delay=1s",
        "--log.level=warn",
    )
    return alertmanager, prometheus


async def _run(app: App, stack: contextlib.AsyncExitStack) -> None:
    stop, started = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(app.run(stop, lambda _: started.set()))

    async def end() -> None:
        stop.set()
        await task

    waiting = asyncio.create_task(started.wait())
    await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    # it ended before it listened: raise its error
    if task.done():
        task.result()
    stack.push_async_callback(end)


def services(url: str, keys: dict[str, str], decider: str) -> str:
    """Return the configuration: four providers by their presets and an API of our own."""
    check = {"interval": "1s", "timeout": "1s", "retries": 0, "allow_private_addresses": True}
    alerts = {"key_invalid_after": "2s", "escalate_after": ["30s", "60s"]}
    page = {"enabled": False}
    declared = [
        {
            "id": name,
            "provider": name,
            "base_url": f"{url}/{name}",
            "api_key": key,
            "status_page": page,
        }
        for name, key in keys.items()
    ]
    declared.append({"id": "billing", "name": "Our own billing", "base_url": f"{url}/billing"})
    return json.dumps(
        {
            "defaults": {"team": "platform", "health_check": check, "alerts": alerts},
            "canaries": [{"url": f"{url}/canary", "expected_status_codes": [204], **check}],
            "monitoring": {"incidents": decider},
            "services": declared,
        }
    )


def new_key(name: str) -> str:
    """Return a made-up key that looks like the provider's."""
    tail = secrets.token_hex(24)
    return {
        "openai": f"sk-proj-{tail}",
        "anthropic": f"sk-ant-{tail}",
        "stripe": f"rk_test_{tail}",
        "sendgrid": f"SG.{tail[:22]}.{(tail * 2)[:43]}",
    }[name]


def _secret_key(folder: Path) -> Path:
    path = folder / "secret-key"
    # private before it has any content
    path.touch(mode=0o600)
    path.write_text(new_secret_key())
    return path
