"""A running application with an admin token, a directory for its data, and how to ask it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
from cryptography.fernet import Fernet

from exporter.app import App, Options
from exporter.clock import Clock
from exporter.config import Configuration, read_text
from exporter.secret import Secret
from exporter.store.vault import VARIABLE
from tests.patience import patient

TOKEN = "an-admin-token-of-some-length"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}
QUIET = {"enabled": False, "allow_private_addresses": True, "timeout": "2s", "retries": 0}
OLD, NEW, NEXT = "sk-old-key-0123456789", "sk-new-key-0123456789", "sk-next-key-012345678"


class Answer:
    """What came back."""

    def __init__(self, status: int, headers: Any, text: str) -> None:
        self.status, self.headers, self.text = status, headers, text

    @property
    def type(self) -> str:
        return str(self.headers.get("Content-Type", "")).partition(";")[0]

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Client:
    """Asks a running application, with the admin token."""

    def __init__(self, app: App, session: aiohttp.ClientSession) -> None:
        self.app, self.session = app, session
        self.base = f"http://127.0.0.1:{app.port}"
        self.answered: Callable[[str, str, Answer], None] = lambda method, path, answer: None

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        """Ask; *body* is sent as JSON."""
        if body is not None:
            more["data"] = io.BytesIO(json.dumps(body).encode())
        kind = {"Content-Type": "application/json"}
        headers = {**ADMIN, **(kind if body is not None else {}), **more.pop("headers", {})}
        async with self.session.request(
            method, self.base + path, headers=headers, **more
        ) as response:
            found = Answer(response.status, response.headers, await response.text())
        self.answered(method, path, found)
        return found

    async def probed(self, service: str) -> None:
        """Return once *service* has a result."""
        async with patient(5):
            while self.app.results.of(service).last is None:
                await asyncio.sleep(0.02)


def declared(name: str, url: str, **more: Any) -> dict[str, Any]:
    """Return a service that is probed on demand only."""
    return {"id": name, "base_url": url.rstrip("/"), "health_check": QUIET, **more}


def secret_key(folder: Path) -> dict[str, str]:
    """Return the environment that names a new secret key."""
    path = folder / "secret-key"
    if not path.exists():
        path.write_bytes(Fernet.generate_key())
    return {VARIABLE: str(path)}


@contextlib.asynccontextmanager
async def running(
    config: str | Callable[[], str] = "services: []",
    *,
    data: Path | None = None,
    environment: dict[str, str] | None = None,
    token: str | None = TOKEN,
    clock: Clock | None = None,
    **more: Any,
) -> AsyncIterator[Client]:
    """Run an application with *config* until the block ends; *more* are further `Options`."""
    environment = environment or {}

    def source() -> Configuration:
        text = config if isinstance(config, str) else config()
        return read_text(text, "services.yaml", environment)

    options = Options(
        source=source,
        environment=environment,
        port=0,
        data_dir=data,
        admin_token=None if token is None else Secret(token),
        **more,
    )
    app, stop, started = App(options, clock=clock), asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(app.run(stop, lambda _: started.set()))
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task.done():
        await task
    try:
        async with aiohttp.ClientSession() as session:
            yield Client(app, session)
    finally:
        stop.set()
        await task
