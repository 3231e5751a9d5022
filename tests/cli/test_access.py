"""Commands against an exporter with TLS and passwords, and what they say of a wrong file."""

from __future__ import annotations

import asyncio
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import trustme

from exporter.cli import main
from exporter.cli.remote_arguments import ACCESS_VARIABLE
from tests.conftest import Authority
from tests.serving.test_webauth import CLIENTS, TLS, TOKEN, USERS, put_certificate, running

PASSWORD = "wonderland"


@pytest.fixture
def folder(tmp_path: Path, authority: Authority) -> Path:
    """What exporter and command need: certificates, a password, the admin token."""
    put_certificate(authority.ca, tmp_path)
    authority.ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    ours = authority.ca.issue_cert("ann@example.com", key_type=trustme.KeyType.ECDSA)
    ours.private_key_pem.write_to_path(tmp_path / "ann.key.pem")
    ours.cert_chain_pems[0].write_to_path(tmp_path / "ann.pem")
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    (tmp_path / "token").write_text(TOKEN)
    return tmp_path


def configured(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    (folder / "http.yml").write_text(text)
    monkeypatch.setenv(ACCESS_VARIABLE, str(folder / "http.yml"))


async def run(*arguments: str) -> int:
    """Return the exit code of a command, which blocks and so runs in a thread."""
    return await asyncio.to_thread(main, arguments)


@pytest.mark.parametrize("password", [f"password: {PASSWORD}", "password_file: password"])
async def test_a_password_and_a_certificate_of_ones_own_get_a_command_through(
    password: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tls = "tls_config: {ca_file: ca.pem, cert_file: ann.pem, key_file: ann.key.pem}\n"
    configured(monkeypatch, folder, f"{tls}basic_auth: {{username: alice, {password}}}\n")

    async with running(folder, CLIENTS + USERS, data_dir=folder / "data") as client:
        url = f"https://127.0.0.1:{client.app.port}"
        token = ("--admin-token-file", str(folder / "token"))
        listed = await run("services", "--url", url)
        added = await run(
            "add", "billing", "--base-url", "https://127.0.0.1:1", "--url", url, *token
        )

    written = capsys.readouterr()
    assert (listed, added) == (0, 0), written.err
    assert PASSWORD not in written.out + written.err


async def test_who_has_no_password_is_shown_where_it_goes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configured(monkeypatch, folder, "basic_auth: {username: alice, password: builder}\n")

    async with running(folder, USERS) as client:
        url = f"http://127.0.0.1:{client.app.port}"
        wrong = await run("stats", "--url", url)
        monkeypatch.delenv(ACCESS_VARIABLE)
        without = await run("stats", "--url", url)

    written = capsys.readouterr()
    assert (wrong, without) == (1, 1)
    assert written.err.count("user and password are needed") == 2
    assert (
        written.err.count(f"{ACCESS_VARIABLE} names a file with basic_auth: username, password")
        == 2
    )
    assert "builder" not in written.out + written.err


async def test_an_unknown_authority_is_told_with_both_ways_to_name_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(folder, TLS) as client:
        code = await run("stats", "--url", f"https://127.0.0.1:{client.app.port}")

    assert code == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "is not trusted here; set SSL_CERT_FILE to the file of its authority" in error
    assert ACCESS_VARIABLE in error


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("basic_auth: {username: alice}", "basic_auth needs either password or password_file"),
        (
            "basic_auth: {username: a, password: sesame-open, password_file: password}",
            "basic_auth needs either password or password_file",
        ),
        ("basic_auth: {username: a, password_file: gone}", "basic_auth.password_file: the file"),
        ("\nbasic_auth: {user: alice, password: sesame-open}", "http.yml:2"),
        ("bearer: sesame-open", "http.yml:1"),
        ("tls_config: {ca_file: gone.pem}", "tls_config.ca_file cannot be used: No such file"),
        ("tls_config: {ca_file: password}", "tls_config.ca_file cannot be used: it is no PEM"),
        ("tls_config: {cert_file: ann.pem, key_file: key.pem}", "tls_config.cert_file cannot"),
        ("tls_config: {key_file: key.pem}", "tls_config.key_file needs cert_file"),
    ],
)
def test_a_wrong_file_is_told_by_its_place_and_shows_no_password(
    text: str,
    expected: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    configured(monkeypatch, folder, text)

    ended = main(("stats", "--url", "http://127.0.0.1:1"))

    written = capsys.readouterr()
    assert ended == (1 if "http.yml:" in expected else 2)
    assert expected in " ".join(written.err.split())
    assert "sesame-open" not in written.out + written.err


def test_a_file_that_is_not_there_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(ACCESS_VARIABLE, "sesame-open")

    code = main(("stats", "--url", "http://127.0.0.1:1"))

    error = capsys.readouterr().err
    assert code == 2
    assert f"{ACCESS_VARIABLE}: cannot be read" in error
    assert "sesame-open" not in error


def test_password_and_token_go_to_no_other_host(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    class Redirecting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{server.server_port}/elsewhere")
            self.end_headers()

        def log_message(self, *given: object) -> None:
            pass

    configured(monkeypatch, folder, f"basic_auth: {{username: alice, password: {PASSWORD}}}\n")
    with HTTPServer(("127.0.0.1", 0), Redirecting) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        code = main(("stats", "--url", f"http://127.0.0.1:{server.server_port}"))
        server.shutdown()

    assert code == 1
    assert asked == ["/api/stats"]
    assert "give the URL that it redirects to as --url" in capsys.readouterr().err


async def test_a_command_without_a_file_sends_what_it_did(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(folder, "") as client:
        code = await run("stats", "--json", "--url", f"http://127.0.0.1:{client.app.port}")

    assert code == 0
    assert json.loads(capsys.readouterr().out)["services"] == 0
