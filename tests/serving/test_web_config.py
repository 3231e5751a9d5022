"""The file of --web.config.file: what is accepted, what is refused, and where the mistake is."""

from __future__ import annotations

import logging
import os
import ssl
import stat
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from exporter.serving.web_config import Web, WebFile, read_web
from exporter.settings import SettingsError
from tests.fakes import FakeClock

HASH = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"
SECRET = "sk-sentinel-web-0123456789"
OWN = "cert_file: cert.pem, key_file: key.pem"
CLIENTS = f"{OWN}, client_ca_file: ca.pem, client_auth_type: RequireAndVerifyClientCert"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate with its key, another key, an authority, and files without any."""
    found = tmp_path_factory.mktemp("web")
    ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
    issue(ca, found)
    ca.cert_pem.write_to_path(found / "ca.pem")
    other = ca.issue_cert("localhost", key_type=trustme.KeyType.ECDSA)
    other.private_key_pem.write_to_path(found / "other.pem")
    (found / "empty.pem").write_text("")
    (found / "junk.pem").write_text("no certificate at all\n")
    return found


def issue(ca: trustme.CA, folder: Path) -> None:
    cert = ca.issue_cert("localhost", "127.0.0.1", key_type=trustme.KeyType.ECDSA)
    cert.private_key_pem.write_to_path(folder / "key.pem")
    cert.cert_chain_pems[0].write_to_path(folder / "cert.pem")


def read(text: str, folder: Path) -> Web:
    return read_web(text, "web.yml", folder)


def tls(fields: str) -> str:
    return f"tls_server_config: {{{fields}}}"


def context(fields: str, folder: Path) -> ssl.SSLContext:
    found = read(tls(fields), folder).context
    assert found is not None
    return found


def mistakes(text: str, folder: Path) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read(text, folder)
    return [str(problem) for problem in caught.value.problems]


GOOD = {
    "empty": "",
    "only a comment": "# nothing yet\n",
    "sections without content": "tls_server_config:\nbasic_auth_users:\nrate_limit:\n",
    "a certificate": tls(OWN),
    "no client certificate": tls(f"{OWN}, client_auth_type: NoClientCert"),
    "client certificates": tls(CLIENTS),
    "allowed names": tls(f"{CLIENTS}, client_allowed_sans: [prometheus.example, 10.0.0.1]"),
    "no name allowed": tls(f"{CLIENTS}, client_allowed_sans: []"),
    "both versions": tls(f"{OWN}, min_version: TLS12, max_version: TLS13"),
    "one version": tls(f"{OWN}, min_version: TLS13"),
    "suites": tls(f"{OWN}, cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]"),
    "suites of 1.3": tls(f"{OWN}, min_version: TLS13, cipher_suites: [TLS_AES_128_GCM_SHA256]"),
    "no order": tls(f"{OWN}, prefer_server_cipher_suites: false"),
    "a curve": tls(f"{OWN}, curve_preferences: [CurveP521]"),
    "all curves": tls(f"{OWN}, curve_preferences: [CurveP256, CurveP384, CurveP521, X25519]"),
    "http2": "http_server_config: {http2: false}",
    "headers": (
        "http_server_config:\n  headers:\n    Content-Security-Policy: default-src 'self'\n"
        "    X-Frame-Options: deny\n    X-Content-Type-Options: nosniff\n"
        "    X-XSS-Protection: '1'\n    Strict-Transport-Security: max-age=31536000\n"
    ),
    "an empty header": "http_server_config: {headers: {X-Frame-Options: ''}}",
    "users": f"basic_auth_users: {{alice: {HASH}, 'bob@example': '{HASH.replace('2y', '2b')}'}}",
    "a limit": "rate_limit: {interval: 1s, burst: 20}",
    "a limit of parts": "rate_limit: {interval: 1m1.5s, burst: 1}",
    "no limit": "rate_limit: {interval: 0, burst: 0}",
    "no limit as text": "rate_limit: {interval: 0s}",
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_what_exporter_toolkit_accepts_is_accepted(text: str, folder: Path) -> None:
    web = read(text, folder)

    assert (web.context is not None) == ("cert_file" in text)


BAD = {
    "no mapping": ("- cert_file", "1: (top): must be a mapping"),
    "broken": ("tls_server_config: {", "not valid YAML"),
    "unknown section": ("tls_config: {}", "1: tls_config: unknown field tls_config; did you mean"),
    "unknown field": (tls(f"{OWN}, cert_fil: x"), "did you mean cert_file?"),
    "excluded paths": ("auth_excluded_paths: [/]", "unknown field auth_excluded_paths"),
    "empty tls": (tls(""), "needs cert_file or cert; leave tls_server_config out"),
    "no certificate": (tls("key_file: key.pem"), "needs cert_file or cert"),
    "empty certificate": (tls("cert_file: '', key_file: key.pem"), "needs cert_file or cert"),
    "no key": (tls("cert_file: cert.pem"), "needs key_file or key"),
    "versions alone": (tls("min_version: TLS13"), "needs cert_file or cert"),
    "two certificates": (tls(f"{OWN}, cert: x"), "tls_server_config.cert: give cert or cert_file"),
    "two keys": (tls(f"{OWN}, key: x"), "tls_server_config.key: give key or key_file, not both"),
    "missing certificate": (
        tls("cert_file: no.pem, key_file: key.pem"),
        "cert_file: there is no such file",
    ),
    "missing key": (tls("cert_file: cert.pem, key_file: no.pem"), "key_file: there is no such"),
    "a folder as key": (
        tls("cert_file: cert.pem, key_file: ."),
        "key_file: cannot be read: Is a dir",
    ),
    "junk certificate": (tls("cert_file: junk.pem, key_file: key.pem"), "is not usable PEM"),
    "empty key": (tls("cert_file: cert.pem, key_file: empty.pem"), "is not usable PEM"),
    "junk inline": (tls(f"cert: {SECRET}, key: {SECRET}"), "cert: certificate or key is not"),
    "another's key": (tls("cert_file: cert.pem, key_file: other.pem"), "do not belong together"),
    "old version": (tls(f"{OWN}, min_version: TLS11"), "must be TLS12 or TLS13; older"),
    "wrong version": (tls(f"{OWN}, max_version: TLS111"), "max_version: must be TLS12 or TLS13"),
    "versions crossed": (
        tls(f"{OWN}, min_version: TLS13, max_version: TLS12"),
        "is older than min_version",
    ),
    "invented suite": (tls(f"{OWN}, cipher_suites: [TLS_A, x]"), "cipher_suites[1]: must be one"),
    "suites of lists": (tls(f"{OWN}, cipher_suites: [[a]]"), "cipher_suites[0]: must be"),
    "curves of lists": (
        tls(f"{OWN}, curve_preferences: [[a], {{}}]"),
        "curve_preferences[0]: must",
    ),
    "client auth of lists": (tls(f"{OWN}, client_auth_type: [a]"), "client_auth_type: must be"),
    "only new suites": (
        tls(f"{OWN}, cipher_suites: [TLS_AES_128_GCM_SHA256]"),
        "no suite of TLS 1.2",
    ),
    "invented curve": (tls(f"{OWN}, curve_preferences: [CurveP257]"), "[0]: must be one of Curve"),
    "two curves": (tls(f"{OWN}, curve_preferences: [CurveP256, X25519]"), "must be one curve, or"),
    "invented client auth": (tls(f"{OWN}, client_auth_type: Maybe"), "must be one of NoClient"),
    "ca without a type": (tls(f"{OWN}, client_ca_file: ca.pem"), "verifies nothing, though there"),
    "ca only asked for": (
        tls(f"{OWN}, client_ca_file: ca.pem, client_auth_type: RequestClientCert"),
        "use RequireAndVerifyClientCert",
    ),
    "verify without ca": (
        tls(f"{OWN}, client_auth_type: RequireAndVerifyClientCert"),
        "needs client_ca_file or",
    ),
    "any without ca": (
        tls(f"{OWN}, client_auth_type: RequireAnyClientCert"),
        "a certificate is always verified",
    ),
    "missing ca": (tls(CLIENTS.replace("ca.pem", "no.pem")), "client_ca_file: there is no such"),
    "junk ca": (tls(CLIENTS.replace("ca.pem", "junk.pem")), "client_ca_file: contains no"),
    "empty ca": (
        tls(CLIENTS.replace("ca.pem", "empty.pem")),
        "contains no certificate in PEM form",
    ),
    "two cas": (tls(f"{CLIENTS}, client_ca: x"), "client_ca: give client_ca or client_ca_file"),
    "names without a type": (
        tls(f"{OWN}, client_allowed_sans: [a]"),
        "otherwise a client without a certificate would",
    ),
    "names if given": (
        tls(
            CLIENTS.replace("RequireAndVerifyClientCert", "VerifyClientCertIfGiven")
            + ", client_allowed_sans: [a]"
        ),
        "client_allowed_sans: needs client_auth_type RequireAndVerifyClientCert",
    ),
    "other header": ("http_server_config: {headers: {Server: x}}", "this header cannot be set"),
    "frame options": (
        "http_server_config: {headers: {X-Frame-Options: allow}}",
        "must be deny or sameorigin",
    ),
    "content type options": (
        "http_server_config: {headers: {X-Content-Type-Options: sniff}}",
        "must be nosniff",
    ),
    "header of two lines": (
        'http_server_config: {headers: {X-XSS-Protection: "1\\nX: y"}}',
        "must be one line of",
    ),
    "password in the clear": (f"basic_auth_users: {{alice: {SECRET}}}", "alice: must be a bcrypt"),
    "hash cut short": (f"basic_auth_users: {{alice: {HASH[:-1]}}}", "must be a bcrypt hash"),
    "cost beyond reason": (
        f"basic_auth_users: {{alice: {HASH.replace('$10$', '$31$')}}}",
        "cost from 4 to 18",
    ),
    "no password": ("basic_auth_users: {alice: ''}", "alice: must not be empty"),
    "user with a colon": (f"basic_auth_users: {{'a:b': {HASH}}}", "a user name must not be empty"),
    "user without a name": (f"basic_auth_users: {{'': {HASH}}}", "a user name must not be empty"),
    "user twice": (f"basic_auth_users:\n  a: {HASH}\n  a: {HASH}\n", "3: basic_auth_users.a: this"),
    "interval without unit": ("rate_limit: {interval: 5, burst: 1}", "must be a duration such as"),
    "negative interval": ("rate_limit: {interval: -1s, burst: 1}", "must be a duration such as 1s"),
    "no burst": ("rate_limit: {interval: 1s}", "burst: must be at least 1, or every"),
    "negative burst": ("rate_limit: {interval: 1s, burst: -1}", "burst: must be at least 0"),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_a_mistake_is_reported_with_its_line(text: str, message: str, folder: Path) -> None:
    found = mistakes(text, folder)

    assert any(message in mistake for mistake in found), found
    assert all(mistake.startswith("web.yml:") for mistake in found)
    assert SECRET not in "".join(found)


def test_all_mistakes_are_reported_at_once(folder: Path) -> None:
    text = (
        "tls_server_config:\n  cert_file: no.pem\n  min_version: TLS10\n"
        "http_server_config:\n  headers: {Server: x}\nbasic_auth_users:\n  alice: open\n"
        "rate_limit:\n  interval: soon\n"
    )

    found = [mistake.partition(" ")[0] for mistake in mistakes(text, folder)]

    assert found == [
        "web.yml:1:",
        "web.yml:2:",
        "web.yml:3:",
        "web.yml:5:",
        "web.yml:7:",
        "web.yml:9:",
    ]


def test_tls_1_2_and_newer_is_offered_by_default(folder: Path) -> None:
    usual, newest = context(OWN, folder), context(f"{OWN}, min_version: TLS13", folder)

    assert usual.minimum_version is ssl.TLSVersion.TLSv1_2
    assert usual.verify_mode is ssl.CERT_NONE
    assert newest.minimum_version is ssl.TLSVersion.TLSv1_3


def test_only_the_suites_of_the_list_are_offered(folder: Path) -> None:
    suites = "[TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_AES_128_GCM_SHA256]"

    found = context(f"{OWN}, cipher_suites: {suites}", folder).get_ciphers()

    old = [one["name"] for one in found if one["protocol"] != "TLSv1.3"]
    assert old == ["ECDHE-ECDSA-CHACHA20-POLY1305"]


def test_the_order_of_suites_is_the_servers_by_default(folder: Path) -> None:
    ours = context(OWN, folder)
    theirs = context(f"{OWN}, prefer_server_cipher_suites: false", folder)

    assert ours.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    assert not theirs.options & ssl.OP_CIPHER_SERVER_PREFERENCE


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("RequireAndVerifyClientCert", ssl.CERT_REQUIRED),
        ("RequireAnyClientCert", ssl.CERT_REQUIRED),
        ("VerifyClientCertIfGiven", ssl.CERT_OPTIONAL),
    ],
)
def test_a_client_certificate_is_requested_as_configured(
    kind: str, mode: ssl.VerifyMode, folder: Path
) -> None:
    fields = CLIENTS.replace("RequireAndVerifyClientCert", kind)

    assert context(fields, folder).verify_mode is mode


def test_certificate_key_and_authority_may_be_in_the_file_itself(folder: Path) -> None:
    def block(name: str) -> str:
        return "|\n" + "".join(f"    {line}\n" for line in (folder / name).read_text().splitlines())

    text = (
        f"tls_server_config:\n  cert: {block('cert.pem')}  key: {block('key.pem')}"
        f"  client_ca: {block('ca.pem')}  client_auth_type: VerifyClientCertIfGiven\n"
    )

    found = read(text, folder).context

    assert found is not None
    assert found.cert_store_stats()["x509_ca"] == 1


def test_a_key_with_a_password_is_refused_instead_of_asking_on_the_terminal(folder: Path) -> None:
    from cryptography.hazmat.primitives import serialization as kinds

    key = kinds.load_pem_private_key((folder / "key.pem").read_bytes(), None)
    locked = kinds.BestAvailableEncryption(b"a password")
    form = kinds.Encoding.PEM, kinds.PrivateFormat.PKCS8
    (folder / "locked.pem").write_bytes(key.private_bytes(*form, locked))

    found = mistakes(tls("cert_file: cert.pem, key_file: locked.pem"), folder)

    assert "the key must have no password" in found[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("http_server_config: {http2: true}", "answers are HTTP/1.1"),
        (tls(f"{OWN}, client_auth_type: RequestClientCert"), "no certificate is asked for"),
        (tls(CLIENTS.replace("AndVerify", "Any")), "the certificate is verified"),
    ],
)
def test_an_accepted_setting_that_differs_is_a_warning(
    text: str, message: str, folder: Path
) -> None:
    assert message in read(text, folder).warnings[0]


def test_secrets_do_not_show_themselves(folder: Path) -> None:
    web = read(f"basic_auth_users: {{alice: {HASH}}}", folder)

    assert HASH not in repr(web)
    assert HASH not in str(replace(web).settings)


def test_the_documented_example_is_good(folder: Path) -> None:
    text = (Path(__file__).parents[2] / "config" / "README.md").read_text()
    example = text.partition("## Serving over TLS")[2].split("```yaml\n")[1].partition("```")[0]
    for ours, theirs in (
        ("server.crt", "cert.pem"),
        ("server.key", "key.pem"),
        ("clients-ca.crt", "ca.pem"),
    ):
        example = example.replace(ours, theirs)

    web = read(example, folder)

    assert (web.context is not None, set(web.users), web.warnings) == (True, {"prometheus"}, ())


# -- re-reading ------------------------------------------------------------------------------


class FilesOnDisk:
    """A web configuration on disk, its files always old enough to count."""

    def __init__(self, folder: Path) -> None:
        self.path, self.clock = folder / "web.yml", FakeClock()
        self._age = 0

    def write(self, text: str) -> None:
        self.path.write_text(text)
        self.touch(self.path)

    def touch(self, path: Path) -> None:
        self._age += 1
        os.utime(path, (self._age, self._age))

    def open(self) -> WebFile:
        found = WebFile(self.path, self.clock)
        found.load()
        return found


@pytest.fixture
def disk(tmp_path: Path) -> FilesOnDisk:
    return FilesOnDisk(tmp_path)


async def test_a_changed_file_is_active_at_the_next_look(disk: FilesOnDisk) -> None:
    disk.write("")
    web = disk.open()
    before = web.current().users

    disk.write(f"basic_auth_users: {{alice: {HASH}}}")
    at_once = web.current().users
    await disk.clock.advance(1)
    later = web.current().users

    assert (before, at_once) == ({}, {})
    assert set(later) == {"alice"}


async def test_a_file_that_is_being_written_is_not_active_yet(disk: FilesOnDisk) -> None:
    disk.write(f"basic_auth_users: {{alice: {HASH}}}")
    web = disk.open()
    await disk.clock.advance(1)

    disk.path.write_text("")  # as an editor does before it writes anew
    now = disk.clock.now()
    os.utime(disk.path, (now, now))

    assert set(web.current().users) == {"alice"}


async def test_a_bad_file_keeps_the_old_and_is_logged_once(
    disk: FilesOnDisk, caplog: pytest.LogCaptureFixture
) -> None:
    disk.write(f"basic_auth_users: {{alice: {HASH}}}")
    web = disk.open()

    disk.write("basic_auth_users: {alice: open}")
    for _ in range(3):
        await disk.clock.advance(1)
        assert set(web.current().users) == {"alice"}

    errors = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert [r.getMessage() for r in errors] == ["web configuration refused"]


async def test_a_file_of_the_future_is_active_once_it_stays_the_same(disk: FilesOnDisk) -> None:
    disk.write(f"basic_auth_users: {{alice: {HASH}}}")
    web = disk.open()
    ahead = disk.clock.now() + 86_400  # the clock of the machine was set back since
    seen = []

    for text in ("", f"basic_auth_users: {{bob: {HASH}}}"):
        disk.path.write_text(text)
        os.utime(disk.path, (ahead, ahead))
        await disk.clock.advance(1)
        seen.append(set(web.current().users))
    await disk.clock.advance(1)

    assert seen == [{"alice"}, {"alice"}]
    assert set(web.current().users) == {"bob"}


async def test_a_file_that_is_gone_keeps_the_old_until_it_is_back(disk: FilesOnDisk) -> None:
    disk.write(f"basic_auth_users: {{alice: {HASH}}}")
    web = disk.open()

    disk.path.unlink()
    await disk.clock.advance(1)
    gone = web.current().users
    disk.write(f"basic_auth_users: {{bob: {HASH}}}")
    await disk.clock.advance(1)

    assert set(gone) == {"alice"}
    assert set(web.current().users) == {"bob"}


async def test_a_new_certificate_is_active_once_its_key_is_there_too(disk: FilesOnDisk) -> None:
    folder, ca = disk.path.parent, trustme.CA(key_type=trustme.KeyType.ECDSA)
    issue(ca, folder)
    disk.write(tls(OWN))
    web = disk.open()
    first = web.current().context
    key = (folder / "key.pem").read_bytes()

    issue(ca, folder)
    new_key = (folder / "key.pem").read_bytes()
    (folder / "key.pem").write_bytes(key)
    for name in ("cert.pem", "key.pem"):
        disk.touch(folder / name)
    await disk.clock.advance(1)
    halfway = web.current().context
    (folder / "key.pem").write_bytes(new_key)
    disk.touch(folder / "key.pem")
    await disk.clock.advance(1)

    assert halfway is first
    assert web.current().context is not first


@pytest.mark.parametrize("start", [True, False])
async def test_switching_tls_needs_a_restart_and_is_logged(
    start: bool, disk: FilesOnDisk, caplog: pytest.LogCaptureFixture
) -> None:
    issue(trustme.CA(key_type=trustme.KeyType.ECDSA), disk.path.parent)
    disk.write(tls(OWN) if start else "")
    web = disk.open()

    users = f"\nbasic_auth_users: {{alice: {HASH}}}"
    disk.write(("" if start else tls(OWN)) + users)
    await disk.clock.advance(1)

    assert set(web.current().users) == {"alice"}
    assert web.tls is start
    assert (web.current().settings.tls_server_config is not None) is start
    assert "restart to switch TLS" in [r.getMessage() for r in caplog.records]


def test_an_inline_key_is_on_disk_for_its_owner_only_and_not_for_long(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []
    real = ssl.SSLContext.load_cert_chain

    def spy(self: ssl.SSLContext, cert: Path, key: Path, **more: object) -> None:
        modes.append(stat.S_IMODE(key.stat().st_mode))
        real(self, cert, key, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", spy)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    lines = (folder / "key.pem").read_text().splitlines()
    text = "tls_server_config:\n  cert_file: cert.pem\n  key: |\n" + "".join(
        f"    {line}\n" for line in lines
    )

    read(text, folder)

    assert modes == [0o600]
    assert list(tmp_path.iterdir()) == []
