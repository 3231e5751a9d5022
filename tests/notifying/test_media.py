"""Media against real receivers on loopback: what arrives, what is made of refusals and silence."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import Notification
from exporter.incidents import from_webhook
from exporter.notifying import Media, mailbox
from exporter.notifying import web as web_media
from exporter.notifying.media import UndeliveredError
from exporter.notifying.messages import Message
from exporter.notifying.routes import group_of, route_of
from tests.alertmanager import http_sink, mail_sink
from tests.conftest import Authority
from tests.notifying.stage import START, alert, entries

PAGE = "https://registry.example.org"
TOKEN = "sentinel-0123456789-never-shown"
Answer = Callable[[web.Request], Any]


def message(**labels: str) -> Message:
    one = alert(**labels)
    route = route_of(one.labels)
    assert route is not None
    group = group_of(route, one.labels)
    return Message(id="0123abcd", entry="hook", group=group, at=START, alerts=(one,))


def setting(text: str, **environment: str) -> Notification:
    return entries(text, **environment).notify[0]


@contextlib.asynccontextmanager
async def receiver(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Run a server that answers every request with *answer*; yield its URL."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def taken(request: web.Request) -> web.Response:
    return web.Response()


async def send(entry: Notification, what: Message | None = None, page: str = PAGE) -> None:
    media = Media()
    try:
        await media.make(entry).send(what or message(), page)
    finally:
        await media.close()


async def refused(entry: Notification) -> UndeliveredError:
    with pytest.raises(UndeliveredError) as caught:
        await send(entry)
    assert TOKEN not in f"{caught.value} {caught.value.advice} {caught.value!r}"
    assert caught.value.__cause__ is None, "a cause may hold the address"
    return caught.value


# What arrives


async def test_a_webhook_gets_what_the_incident_log_reads_of_alertmanager() -> None:
    with http_sink() as sink:
        url = f"{sink.url}/hook?token={TOKEN}"
        await send(
            setting(f"{{webhook: {{url: '{url}', headers: {{Authorization: 'Bearer x'}}}}}}")
        )
        (got,) = sink.wait(lambda got: True)

    assert got.headers["authorization"] == "Bearer x"
    assert got.headers["idempotency-key"] == "0123abcd"
    assert got.headers["content-type"] == "application/json"
    (read,) = from_webhook(got.body)
    assert (read.labels, read.starts_at) == (alert().labels, START)
    assert got.body["groupKey"].endswith('service="openai"}')
    assert got.body["alerts"][0]["generatorURL"] == f"{PAGE}/services/openai"


async def test_slack_gets_one_attachment() -> None:
    with http_sink() as sink:
        await send(setting(f"{{slack: {{url: '{sink.url}/slack', channel: '#api'}}}}"))
        (got,) = sink.wait(lambda got: True)

    assert got.body["channel"] == "#api"
    (attachment,) = got.body["attachments"]
    assert attachment["title"] == "CRITICAL: openai is down."
    assert attachment["title_link"] == f"{PAGE}/services/openai"


async def test_pagerduty_gets_an_event_with_the_key_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{TOKEN}\n")
    with http_sink() as sink:
        text = f"{{pagerduty: {{routing_key_file: {tmp_path}/key, url: '{sink.url}/pagerduty'}}}}"
        await send(setting(text))
        (got,) = sink.wait(lambda got: True)

    assert got.body["routing_key"] == TOKEN
    assert got.body["event_action"] == "trigger"
    assert got.body["dedup_key"] == message().dedup_key
    assert got.body["payload"]["severity"] == "critical"


async def test_mail_arrives_as_text_and_html_with_an_id() -> None:
    with mail_sink() as sink:
        text = (
            "{email: {to: [a@example.com, b@example.com], from: registry@example.com,"
            f" smtp: '{sink.address}', tls: none, username: u, password: '{TOKEN}'}}}}"
        )
        await send(setting(text))
        (got,) = sink.wait(lambda mail: True)

    assert got.to == ["a@example.com", "b@example.com"]
    assert got.password == TOKEN
    assert got.subject == "CRITICAL: openai is down."
    assert got.message["Message-ID"] == "<0123abcd@example.com>"
    assert got.message["Auto-Submitted"] == "auto-generated"
    assert "Service: openai" in got.part("plain")
    assert f'<a href="{PAGE}/services/openai">Page</a>' in got.part("html")


async def test_mail_goes_over_starttls_and_tls_with_verified_certificates(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.ca.issue_cert("127.0.0.1").configure_cert(context)
    for tls in ("tls", "starttls"):
        async with mail_server(context, tls) as (address, heard):
            entry = setting(f"{{email: {{to: [a@example.com], smtp: '{address}', tls: {tls}}}}}")
            error = await refused(entry)
            assert error.certain
            assert heard == []
            monkeypatch.setenv("SSL_CERT_FILE", authority.file)
            await send(entry)
            assert heard == ["a@example.com"]
            monkeypatch.delenv("SSL_CERT_FILE")


@contextlib.asynccontextmanager
async def mail_server(
    context: ssl.SSLContext, tls: str, replies: dict[str, str] | None = None
) -> AsyncIterator[tuple[str, list[str]]]:
    """Run a mail server; yield its address and the recipients of what it took."""
    heard = list[str]()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            await converse(reader, writer, heard, context if tls == "starttls" else None, replies)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context if tls == "tls" else None)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", heard


async def converse(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    heard: list[str],
    context: ssl.SSLContext | None,
    replies: dict[str, str] | None,
) -> None:
    writer.write(b"220 hello\r\n")
    encrypted, to = context is None, list[str]()
    while line := (await reader.readline()).decode().strip():
        verb = line.split(" ")[0].upper()
        if reply := (replies or {}).get(verb):
            writer.write(f"{reply}\r\n".encode())
            if verb == "DATA" and reply.startswith("354"):
                await reader.readuntil(b"\r\n.\r\n")
                writer.write(f"{(replies or {})['.']}\r\n".encode())
        elif verb == "EHLO":
            writer.write(b"250-hello\r\n" + (b"" if encrypted else b"250-STARTTLS\r\n"))
            writer.write(b"250 AUTH PLAIN\r\n")
        elif verb == "AUTH":
            writer.write(b"235 welcome\r\n")
        elif verb == "STARTTLS" and context is not None:
            writer.write(b"220 go\r\n")
            await writer.start_tls(context)
            encrypted = True
        elif verb == "RCPT":
            assert encrypted
            to.append(line.partition("<")[2].partition(">")[0])
            writer.write(b"250 ok\r\n")
        elif verb == "DATA":
            writer.write(b"354 go on\r\n")
            await reader.readuntil(b"\r\n.\r\n")
            heard += to
            writer.write(b"250 taken\r\n")
        else:
            writer.write(b"221 bye\r\n" if verb == "QUIT" else b"250 ok\r\n")


# What is refused


@pytest.mark.parametrize(
    ("status", "is_refused", "certain"),
    [
        (301, True, True),
        (307, True, True),
        (400, True, True),
        (401, True, True),
        (403, True, True),
        (404, True, True),
        (408, False, True),
        (429, False, True),
        (500, False, False),
        (503, False, False),
    ],
)
async def test_a_status_says_whether_another_try_helps(
    status: int, is_refused: bool, certain: bool
) -> None:
    asked = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        headers = {"Location": "/elsewhere", "Retry-After": "7"}
        return web.Response(status=status, headers=headers, text=f"no {TOKEN}")

    async with receiver(answer) as url:
        error = await refused(setting(f"{{webhook: {{url: '{url}/{TOKEN}'}}}}"))

    assert (error.refused, error.certain, error.retry_after) == (is_refused, certain, 7.0)
    assert str(error) == f"HTTP {status}"
    assert error.advice
    assert asked == [f"/{TOKEN}"], "no redirect is followed"


async def test_only_a_plain_word_of_an_answer_is_shown() -> None:
    words = ["invalid_token", TOKEN, "x" * 50, "Two words", "<b>"]

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=403, text=words[int(request.path[1:])])

    async with receiver(answer) as url:
        shown = [
            str(await refused(setting(f"{{slack: {{url: '{url}/{number}'}}}}")))
            for number in range(len(words))
        ]

    assert shown == ["HTTP 403 (invalid_token)"] + ["HTTP 403"] * 4


async def test_an_endless_answer_is_not_read_to_its_end() -> None:
    written = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse(status=400)
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b"x" * 65536)
                written += 65536
        return response

    async with receiver(answer) as url:
        error = await refused(setting(f"{{webhook: {{url: '{url}'}}}}"))

    assert str(error) == "HTTP 400"
    assert written < 64 * 1024 * 1024


async def test_who_does_not_answer_in_time_may_have_taken_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(web_media, "TIMEOUT_SECONDS", 0.2)
    release = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        await release.wait()
        return web.Response()

    async with receiver(answer) as url:
        error = await refused(setting(f"{{webhook: {{url: '{url}'}}}}"))
        release.set()

    assert str(error) == "no answer within 0.2 s"
    assert (error.refused, error.certain) == (False, False)


async def test_nobody_there_has_certainly_not_taken_it() -> None:
    async with receiver(taken) as url:
        pass
    error = await refused(setting(f"{{webhook: {{url: '{url}/{TOKEN}'}}}}"))

    assert str(error) == "no connection (ECONNREFUSED)"
    assert (error.refused, error.certain) == (False, True)


async def test_a_certificate_of_nobody_known_is_refused(authority: Authority) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.ca.issue_cert("127.0.0.1").configure_cert(context)
    asked = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request)
        return web.Response()

    async with receiver(answer, context) as url:
        error = await refused(setting(f"{{webhook: {{url: '{url}/{TOKEN}'}}}}"))

    assert str(error) == "its certificate is not trusted"
    assert asked == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "cannot be read"),
        ("", "is empty"),
        ("a\nb", "more than one line"),
        ("ftp://example.com", "no http"),
    ],
)
async def test_a_file_without_an_address_is_explained(
    tmp_path: Path, text: str | None, why: str
) -> None:
    if text is not None:
        (tmp_path / "url").write_text(text)

    error = await refused(setting(f"{{webhook: {{url_file: {tmp_path}/url}}}}"))

    assert why in str(error)
    assert error.advice


async def test_a_file_is_read_again_for_every_message(tmp_path: Path) -> None:
    with http_sink() as sink:
        media = Media()
        medium = media.make(setting(f"{{webhook: {{url_file: {tmp_path}/url}}}}"))
        for path in ("/one", "/two"):
            (tmp_path / "url").write_text(sink.url + path)
            await medium.send(message(), PAGE)
            (secret,) = medium.secrets()
            assert secret.reveal() == sink.url + path
        await media.close()
        got = await asyncio.to_thread(sink.wait, lambda got: True, 2)

        assert [one.path for one in got] == ["/one", "/two"]


@pytest.mark.parametrize(
    ("replies", "why", "is_refused"),
    [
        ({"AUTH": "535 no"}, "the login is refused (SMTP 535)", True),
        ({"MAIL": "550 no"}, "the sender is refused (SMTP 550)", True),
        ({"RCPT": "550 no"}, "every address is refused (SMTP 550)", True),
        ({"RCPT": "450 later"}, "every address is refused (SMTP 450)", False),
        ({"DATA": "451 later"}, "the message is refused (SMTP 451)", False),
        ({"DATA": "354 go", ".": "554 spam"}, "the message is refused (SMTP 554)", True),
        ({"DATA": "354 go", ".": "452 full"}, "the message is refused (SMTP 452)", False),
        ({"EHLO": "250 hello"}, "the server offers no such encryption or login", True),
    ],
)
async def test_a_mail_server_that_refuses_is_explained(
    replies: dict[str, str], why: str, is_refused: bool
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    replies = {verb: f"{reply} {TOKEN}" for verb, reply in replies.items()}
    async with mail_server(context, "none", replies) as (address, heard):
        text = (
            f"{{email: {{to: [a@example.com], smtp: '{address}', tls: none,"
            f" username: u, password: '{TOKEN}'}}}}"
        )
        error = await refused(setting(text))

    assert str(error) == why
    assert error.refused is is_refused
    assert heard == []


async def test_a_mail_server_that_hangs_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "TIMEOUT_SECONDS", 0.2)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        text = f"{{email: {{to: [a@example.com], smtp: '127.0.0.1:{port}', tls: none}}}}"
        error = await refused(setting(text))

    assert not error.refused


@given(st.text(max_size=40))
def test_any_retry_after_is_a_number_or_nothing(text: str) -> None:
    found = web_media.retry_after(text, datetime.now(UTC))

    assert found is None or 0 <= found < 1e12


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Fri, 15 Jan 2027 08:01:00 GMT", 60.0),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
    ],
)
def test_retry_after_may_be_a_date(text: str, seconds: float | None) -> None:
    now = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)

    assert web_media.retry_after(text, now) == seconds
