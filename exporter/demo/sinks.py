"""Where notifications end in a demonstration: Slack, PagerDuty, a webhook and a mailbox."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes, policy

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Notice:
    """One notification as it arrived: by mail, slack, pagerduty or webhook."""

    medium: str
    title: str
    at: float
    """Seconds on the loop's clock."""

    @property
    def resolved(self) -> bool:
        return "resolved" in self.title.lower()


class Sinks:
    """Accepts every notification; `notices` is in the order of arrival."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.on_notice: Callable[[Notice], None] = lambda notice: None
        self.beats = 0
        """Signs of life for the dead man's switch."""
        self._runner: web.AppRunner | None = None
        self._mail: asyncio.Server | None = None
        self.url = self.mail = ""

    async def start(self) -> None:
        application = web.Application()
        application.router.add_post("/slack", self._slack)
        application.router.add_post("/pagerduty", self._pagerduty)
        application.router.add_post("/webhook", self._webhook)
        application.router.add_post("/deadman/{beat:.*}", self._deadman)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._mail = await asyncio.start_server(self._mailbox, "127.0.0.1", 0)
        self.mail = f"127.0.0.1:{self._mail.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        if self._mail is not None:
            self._mail.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def _record(self, medium: str, title: str) -> None:
        notice = Notice(medium, " ".join(title.split()), asyncio.get_running_loop().time())
        self.notices.append(notice)
        self.on_notice(notice)

    async def _slack(self, request: web.Request) -> web.Response:
        body = await request.json()
        self._record("slack", str(body["attachments"][0]["title"]))
        return web.Response(text="ok")

    async def _pagerduty(self, request: web.Request) -> web.Response:
        body = await request.json()
        self._record("pagerduty", str(body["payload"]["summary"]))
        return web.json_response({"status": "success"}, status=202)

    async def _webhook(self, request: web.Request) -> web.Response:
        body = await request.json()
        notes = body["alerts"][0]["annotations"] if body["alerts"] else {}
        self._record("webhook", f"{body['status'].upper()} {notes.get('summary', '')}")
        return web.Response()

    async def _deadman(self, request: web.Request) -> web.Response:
        self.beats += 1
        return web.Response()

    async def _mailbox(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak as much SMTP (RFC 5321, AUTH of RFC 4954) as Alertmanager needs."""
        writer.write(b"220 demo\r\n")
        while line := (await reader.readline()).decode("utf-8", "replace").strip():
            match line.split(" ")[0].upper():
                case "EHLO":
                    writer.write(b"250-demo\r\n250 AUTH PLAIN\r\n")
                case "AUTH":
                    writer.write(b"235 welcome\r\n")
                case "DATA":
                    writer.write(b"354 go on\r\n")
                    content = await reader.readuntil(b"\r\n.\r\n")
                    message = message_from_bytes(content, policy=policy.default)
                    writer.write(b"250 taken\r\n")
                    self._record("mail", str(message["Subject"]))
                case "QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                case _:
                    writer.write(b"250 ok\r\n")
        writer.close()
