"""User and password of Alertmanager and Prometheus: sent to them, shown nowhere else."""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from exporter.app import App, Options
from exporter.cli import main
from exporter.cli.addresses import server_url
from exporter.cli.usage import UsageError
from exporter.config import Configuration
from exporter.incidents.peers import Peers
from tests.incidents.saying import NOW

PASSWORD = "p@ss-sentinel-0123456789"
LOGIN = "user:p%40ss-sentinel-0123456789@"
SENT = f"Basic {b64encode(f'user:{PASSWORD}'.encode()).decode()}"


class Server:
    """Keeps the Authorization of each request by its path; `/moved` leads to *elsewhere*."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str | None]] = []
        self.url = self.elsewhere = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request.path, request.headers.get("Authorization")))
        if self.elsewhere:
            raise web.HTTPFound(self.elsewhere)
        return web.json_response({"data": {"result": [], "storageRetention": "15d"}})


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", made.handle)
    async with TestServer(application) as running:
        made.url = str(running.make_url("")).rstrip("/")
        yield made


async def test_a_login_is_sent_to_its_own_server_only(server: Server) -> None:
    url = f"{server.url.replace('//', f'//{LOGIN}')}/am/"
    peers = Peers([url], server.url)

    await peers.snapshot(NOW)
    taken = await peers.report([({"alertname": "A"}, {}, NOW)], NOW)
    await peers.fired(NOW, NOW, 60)
    await peers.close()

    assert taken
    assert {auth for path, auth in server.seen if path.startswith("/am/")} == {SENT}
    assert {auth for path, auth in server.seen if not path.startswith("/am/")} == {None}


async def test_prometheus_gets_its_own(server: Server) -> None:
    peers = Peers([], server.url.replace("//", f"//{LOGIN}"))

    assert await peers.prometheus_retention() == 15 * 86_400
    await peers.close()

    assert {auth for _, auth in server.seen} == {SENT}


async def test_a_redirect_takes_no_login_along(server: Server) -> None:
    peers = Peers([], server.url.replace("//", f"//{LOGIN}"))
    server.elsewhere = server.url.replace("127.0.0.1", "localhost") + "/landed"

    await peers.prometheus_retention()
    await peers.close()

    assert ("/landed", None) in server.seen
    assert {auth for path, auth in server.seen if path == "/landed"} == {None}


async def test_it_is_in_no_log_and_no_evidence(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    peers = Peers([f"http://{LOGIN}127.0.0.1:1"], f"http://{LOGIN}127.0.0.1:1")

    await peers.snapshot(NOW)
    await peers.report([({"alertname": "A"}, {}, NOW)], NOW)
    await peers.prometheus_retention()
    await peers.close()

    said = "\n".join(str(vars(record)) for record in caplog.records)
    assert "not reached" in said
    assert "sentinel" not in said
    assert [secret.reveal() for secret in peers.secrets()] == [PASSWORD]


def test_the_log_of_the_exporter_strikes_it_and_the_options_hide_it() -> None:
    options = Options(
        source=Configuration, environment={}, alertmanagers=(f"http://{LOGIN}am.example",)
    )
    app = App(options)
    app.loader.load()

    assert PASSWORD not in app.redaction(f"a {PASSWORD} b")
    assert "sentinel" not in repr(options)


@pytest.mark.parametrize("option", ["--alertmanager.url", "--prometheus.url"])
@pytest.mark.parametrize(
    "url",
    [f"http://{LOGIN}am.example:9093", f"https://{PASSWORD}@am.example/x", "http://@a.example"],
)
def test_a_login_on_the_command_line_is_refused_with_the_way_out(
    option: str, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["serve", "--config", "missing.yaml", option, url])

    said = capsys.readouterr().err
    assert code == 2
    assert f"{option} must not have a user or a password" in said
    assert f"give {option} file:PATH" in said
    assert "sentinel" not in said
    assert "am.example" not in said


def test_a_file_may_have_it(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(f"http://{LOGIN}am.example:9093\n")

    assert server_url(f"file:{file}", "--x") == f"http://{LOGIN}am.example:9093"


@pytest.mark.parametrize(
    "text",
    [
        "sentinel",
        "ftp://sentinel",
        "http://",
        "http://a:99999/sentinel",
        "http://a/?token=sentinel",
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(text: str, tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(text)
    for given in (text, f"file:{file}", f"file:{tmp_path / 'missing-sentinel'}"):
        with pytest.raises(UsageError) as caught:
            server_url(given, "--x")

        assert "--x" in str(caught.value)
        assert "sentinel" not in str(caught.value)


def test_the_address_of_the_exporter_has_none_either(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["services", "--url", f"http://{LOGIN}127.0.0.1:1"])

    said = capsys.readouterr().err
    assert code == 2
    assert "must not have a user or a password" in said
    assert "sentinel" not in said
