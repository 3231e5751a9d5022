"""A client key with a passphrase: refused by the check of a configuration, never asked for."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from exporter.config import read_text
from exporter.multitarget import read_modules
from exporter.settings import SettingsError
from tests.conftest import Authority
from tests.vendor import Vendor

MESSAGE = "holds a key with a passphrase, which nobody could type; give a key without one"
FORMS = {
    "PKCS #8": serialization.PrivateFormat.PKCS8,
    "of OpenSSL": serialization.PrivateFormat.TraditionalOpenSSL,
}


@pytest.fixture(params=FORMS)
def files(request: pytest.FixtureRequest, authority: Authority, tmp_path: Path) -> tuple[str, str]:
    """Certificate and encrypted key."""
    issued = authority.ca.issue_cert("client@example.com")
    plain = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
    cert, key = tmp_path / "client.pem", tmp_path / "client.key"
    issued.cert_chain_pems[0].write_to_path(cert)
    encryption = serialization.BestAvailableEncryption(b"sesame")
    form = FORMS[request.param]
    key.write_bytes(plain.private_bytes(serialization.Encoding.PEM, form, encryption))
    return str(cert), str(key)


def mistakes_of(tls: str) -> list[str]:
    services = f"services: [{{id: a, base_url: 'https://a.example', health_check: {{tls: {tls}}}}}]"
    canaries = f"canaries: [{{url: 'https://a.example', tls: {tls}}}]"
    with pytest.raises(SettingsError) as caught:
        read_text(f"{services}\n{canaries}\n", "services.yaml", {})
    return [f"{problem.where}: {problem.what}" for problem in caught.value.problems]


def test_a_key_with_a_passphrase_is_refused_with_its_place(files: tuple[str, str]) -> None:
    found = mistakes_of(f"{{cert_file: {files[0]}, key_file: {files[1]}}}")

    assert found == [
        f"services[0].health_check.tls.key_file: {MESSAGE}",
        f"canaries[0].tls.key_file: {MESSAGE}",
    ]


def test_a_key_in_the_file_of_the_certificate_is_looked_at_too(files: tuple[str, str]) -> None:
    both = Path(files[0])
    both.write_bytes(both.read_bytes() + Path(files[1]).read_bytes())

    found = mistakes_of(f"{{cert_file: {both}}}")

    assert found[0] == f"services[0].health_check.tls.cert_file: {MESSAGE}"


def test_a_module_with_such_a_key_is_refused_too(files: tuple[str, str]) -> None:
    tls = f"tls_config: {{cert_file: {files[0]}, key_file: {files[1]}}}"
    http = f"{{allowed_targets: [api.example], {tls}}}"

    with pytest.raises(SettingsError) as caught:
        read_modules(f"modules: {{m: {{prober: http, http: {http}}}}}", "m.yaml")

    assert str(caught.value) == f"m.yaml:1: modules.m.http.tls_config.key_file: {MESSAGE}"


IN_A_TERMINAL = """
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    import asyncio
    from exporter.checks import TlsSettings
    from exporter.probers import Request
    from exporter.probers.curl import CurlTransport
    url, cert, key = sys.argv[1:]
    tls = TlsSettings(cert_file=cert, key_file=key, insecure_skip_verify=True)
    request = Request(url=url, method="GET", headers=(), timeout=5, tls=tls, allow_private=True)
    async def ask():
        print((await CurlTransport().fetch(request)).detail)
    asyncio.run(ask())
    os._exit(0)
text = b""
try:
    while b"pass phrase" not in text and (more := os.read(terminal, 4096)):
        text += more
except OSError:  # the child has ended
    pass
os.kill(pid, 9)
print(text.decode())
"""


@pytest.mark.parametrize("files", ["PKCS #8"], indirect=True)
async def test_the_terminal_is_never_asked_for_a_passphrase(
    files: tuple[str, str], tls_vendor: Vendor
) -> None:
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", IN_A_TERMINAL, tls_vendor.url(), *files),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await program.communicate()

    assert output.decode().strip() == "our client certificate or its key cannot be used"
