"""The checks before every handler on real connections: TLS, certificates, passwords, the rate."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import logging
import ssl
import threading
import time
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import bcrypt
import pytest
import trustme

from exporter.api import ROUTES
from exporter.app import App, Options
from exporter.config import Configuration, read_text
from exporter.secret import Secret
from exporter.serving.web_config import RateLimit
from exporter.serving.webauth import CACHED_ANSWERS, Bucket, Passwords
from exporter.settings import SettingsError
from tests.conftest import Authority
from tests.fakes import FakeClock
from tests.patience import patient

TOKEN = "an-admin-token-of-some-length"
ALICE = ("alice", "wonderland")
SALT = b"$2b$04$IGU48cWL.SHCBwPN4Jck4e"  # a fixed one: it is part of the names of tests
HASH = bcrypt.hashpw(b"wonderland", SALT).decode()
OTHER = bcrypt.hashpw(b"builder", SALT).decode()
USERS = f"basic_auth_users: {{alice: '{HASH}'}}\n"
TLS = "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n"
CLIENTS = TLS + "  client_ca_file: ca.pem\n  client_auth_type: RequireAndVerifyClientCert\n"


class Client:
    """A running application and how to reach it."""

    def __init__(self, app: App, file: Path) -> None:
        self.app, self.file = app, file
        self.scheme = "https" if app.web.tls else "http"

    async def ask(
        self,
        method: str = "GET",
        path: str = "/-/healthy",
        auth: tuple[str, str] | None = None,
        **more: Any,
    ) -> tuple[int, Any, str]:
        """Send a request over a connection of its own, with user and password if there are any."""
        if auth is not None:
            coded = base64.b64encode(":".join(auth).encode()).decode()
            more["headers"] = more.get("headers", {}) | {"Authorization": f"Basic {coded}"}
        url = f"{self.scheme}://127.0.0.1:{self.app.port}{path}"
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, **more) as response,
        ):
            return response.status, response.headers, await response.text()

    async def status(self, **more: Any) -> int:
        return (await self.ask(**more))[0]


@contextlib.asynccontextmanager
async def running(folder: Path, text: str, **changes: Any) -> AsyncIterator[Client]:
    def source() -> Configuration:
        return read_text("services: []", "services.yaml", {})

    file = folder / "web.yml"
    file.write_text(text)
    usual = {"port": 0, "admin_token": Secret(TOKEN), "web_config": file}
    app = App(Options(source=source, environment={}, **(usual | changes)))
    stop, started = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(app.run(stop, lambda _: started.set()))
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        waiting.cancel()
        await task
    try:
        yield Client(app, file)
    finally:
        stop.set()
        await task


@pytest.fixture(autouse=True)
def _looked_at_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a changed file count at the very next request instead of within a second."""
    monkeypatch.setattr("exporter.serving.web_config.LOOK_SECONDS", 0.0)


@pytest.fixture
def folder(tmp_path: Path, authority: Authority) -> Path:
    """Our certificate, its key, and the authority of the clients."""
    put_certificate(authority.ca, tmp_path)
    authority.ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path


def put_certificate(ca: trustme.CA, folder: Path) -> None:
    cert = ca.issue_cert("127.0.0.1", "localhost", key_type=trustme.KeyType.ECDSA)
    cert.private_key_pem.write_to_path(folder / "key.pem")
    cert.cert_chain_pems[0].write_to_path(folder / "cert.pem")


def trusting(ca: trustme.CA, own: trustme.LeafCert | None = None) -> ssl.SSLContext:
    """Return a client that trusts *ca*, maybe with a certificate of its own."""
    context = ssl.create_default_context()
    ca.configure_trust(context)
    if own is not None:
        own.configure_cert(context)
    return context


# -- TLS -------------------------------------------------------------------------------------


async def test_an_empty_file_serves_plain_http_to_everybody(folder: Path) -> None:
    async with running(folder, "") as client:
        status = await client.status()

    assert (status, client.scheme) == (200, "http")


async def test_a_wrong_file_keeps_the_exporter_from_starting(folder: Path) -> None:
    with pytest.raises(SettingsError, match=r"web\.yml:1: .*bcrypt"):
        async with running(folder, "basic_auth_users: {alice: open}"):
            pass


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_whoever_trusts_our_authority_is_served_over_tls(
    folder: Path, authority: Authority, version: ssl.TLSVersion
) -> None:
    context = trusting(authority.ca)
    context.minimum_version = context.maximum_version = version

    async with running(folder, TLS) as client:
        status, headers, _ = await client.ask("GET", "/metrics", ssl=context)

    assert status == 200
    assert headers["X-Frame-Options"] == "DENY"


async def handshake_error(client: Client, context: ssl.SSLContext) -> str:
    """Return why no connection comes about: the server only hangs up, so it is asked itself."""
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", client.app.port, ssl=context)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(back, there, server_hostname="localhost").do_handshake()
    listening = client.app.web.context()
    assert listening is not None
    with pytest.raises(ssl.SSLError) as caught:
        listening.wrap_bio(there, back, server_side=True).do_handshake()
    return str(caught.value.reason)


async def test_tls_1_1_is_refused(folder: Path, authority: Authority) -> None:
    context = trusting(authority.ca)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1

    async with running(folder, TLS) as client:
        said = await handshake_error(client, context)

    assert said == "UNSUPPORTED_PROTOCOL"


async def test_a_client_without_a_common_suite_is_refused(
    folder: Path, authority: Authority
) -> None:
    context = trusting(authority.ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    suites = "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n"

    async with running(folder, TLS + suites) as client:
        said = await handshake_error(client, context)

    assert said == "NO_SHARED_CIPHER"


async def test_a_client_without_a_common_curve_is_refused(
    folder: Path, authority: Authority
) -> None:
    context = trusting(authority.ca)
    context.set_ecdh_curve("secp384r1")

    async with running(folder, TLS + "  curve_preferences: [CurveP521]\n") as client:
        said = await handshake_error(client, context)

    assert said == "NO_SUITABLE_KEY_SHARE"


async def test_plain_http_is_not_answered_on_a_tls_port(folder: Path) -> None:
    async with running(folder, TLS) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.app.port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            assert b"HTTP/1.1 200" not in await reader.read()
        writer.close()


async def test_a_handshake_that_never_ends_is_cut_off(folder: Path) -> None:
    async with running(folder, TLS, head_seconds=0.3) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.app.port)
        async with patient(10):
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()


async def test_a_swapped_certificate_is_shown_to_the_next_connection(
    folder: Path, authority: Authority
) -> None:
    new = trustme.CA(key_type=trustme.KeyType.ECDSA)

    async with running(folder, TLS) as client:
        before = await client.status(ssl=trusting(authority.ca))
        put_certificate(new, folder)
        after = await client.status(ssl=trusting(new))
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await client.status(ssl=trusting(authority.ca))

    assert (before, after) == (200, 200)


async def test_a_connection_of_before_the_swap_is_served_once_more_and_ended(
    folder: Path, authority: Authority
) -> None:
    context = trusting(authority.ca)

    async with running(folder, TLS) as client, aiohttp.ClientSession() as session:
        url = f"https://127.0.0.1:{client.app.port}/-/healthy"
        async with session.get(url, ssl=context) as first:
            await first.read()
        put_certificate(authority.ca, folder)
        async with session.get(url, ssl=context) as second:
            await second.read()
        async with session.get(url, ssl=context) as third:
            await third.read()

    found = [(one.status, one.headers.get("Connection")) for one in (first, second, third)]
    assert found == [(200, None), (200, "close"), (200, None)]


async def test_a_living_connection_without_a_certificate_is_refused_once_one_is_required(
    folder: Path, authority: Authority
) -> None:
    context = trusting(authority.ca)

    async with running(folder, TLS) as client, aiohttp.ClientSession() as session:
        url = f"https://127.0.0.1:{client.app.port}/-/healthy"
        async with session.get(url, ssl=context) as first:
            await first.read()
        client.file.write_text(CLIENTS)
        async with session.get(url, ssl=context) as second:
            await second.read()

    assert (first.status, second.status) == (200, 403)


# -- client certificates ---------------------------------------------------------------------


async def test_a_client_with_a_certificate_of_the_authority_is_served(
    folder: Path, authority: Authority
) -> None:
    own = authority.ca.issue_cert("prometheus.example")

    async with running(folder, CLIENTS) as client:
        status = await client.status(ssl=trusting(authority.ca, own))

    assert status == 200


@pytest.mark.parametrize("stranger", [True, False])
async def test_a_client_without_such_a_certificate_is_not(
    folder: Path, authority: Authority, stranger: bool
) -> None:
    own = trustme.CA().issue_cert("prometheus.example") if stranger else None

    async with running(folder, CLIENTS) as client:
        with pytest.raises((aiohttp.ClientError, ssl.SSLError, ConnectionError)):
            await client.status(ssl=trusting(authority.ca, own))


async def test_who_may_show_none_may_not_show_a_strangers(
    folder: Path, authority: Authority
) -> None:
    text = CLIENTS.replace("RequireAndVerifyClientCert", "VerifyClientCertIfGiven")
    own = trustme.CA().issue_cert("prometheus.example")

    async with running(folder, text) as client:
        status = await client.status(ssl=trusting(authority.ca))
        with pytest.raises((aiohttp.ClientError, ssl.SSLError, ConnectionError)):
            await client.status(ssl=trusting(authority.ca, own))

    assert status == 200


SANS = ["prometheus.example", "10.0.0.7", "fd00::7", "scrape@example.org"]


@pytest.mark.parametrize("san", [*SANS, "spiffe://example.org/prometheus"])
async def test_an_allowed_name_of_each_kind_is_served(
    folder: Path, authority: Authority, san: str
) -> None:
    own = with_uri(authority.ca, san) if "//" in san else authority.ca.issue_cert("x.example", san)
    text = CLIENTS + f"  client_allowed_sans: ['{san}', other.example]\n"

    async with running(folder, text) as client:
        status = await client.status(ssl=trusting(authority.ca, own))

    assert status == 200


def with_uri(ca: trustme.CA, uri: str) -> Any:
    """Return a certificate of *ca* with a URI as its name, which trustme makes none of."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    issuer = x509.load_pem_x509_certificate(ca.cert_pem.bytes())
    signer: Any = serialization.load_pem_private_key(ca.private_key_pem.bytes(), None)
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), True)
        .sign(signer, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, *form)
    return trustme.LeafCert(private, made.public_bytes(serialization.Encoding.PEM), [])


@pytest.mark.parametrize(
    "sans",
    [["other.example"], ["*.example"], ["PROMETHEUS.EXAMPLE"], ["prometheus"], []],
)
async def test_any_other_name_is_refused_and_the_connection_closed(
    folder: Path, authority: Authority, sans: list[str]
) -> None:
    own = authority.ca.issue_cert("prometheus.example", common_name="other.example")
    text = CLIENTS + f"  client_allowed_sans: {sans}\n"

    async with running(folder, text) as client:
        status, headers, page = await client.ask(ssl=trusting(authority.ca, own))

    assert (status, headers["Connection"]) == (403, "close")
    assert "prometheus" not in page


async def test_a_name_taken_off_the_list_is_refused_on_a_living_connection(
    folder: Path, authority: Authority
) -> None:
    context = trusting(authority.ca, authority.ca.issue_cert("prometheus.example"))
    allowed = CLIENTS + "  client_allowed_sans: [prometheus.example]\n"

    async with running(folder, allowed) as client:
        url = f"https://127.0.0.1:{client.app.port}/metrics"
        async with aiohttp.ClientSession() as session:
            async with session.get(url, ssl=context) as first:
                await first.read()
            client.file.write_text(allowed.replace("[prometheus", "[grafana"))
            async with session.get(url, ssl=context) as second:
                await second.read()

    assert (first.status, second.status) == (200, 403)


# -- passwords -------------------------------------------------------------------------------


async def test_the_right_password_is_served_and_the_same_over_and_over(folder: Path) -> None:
    async with running(folder, USERS) as client:
        found = [await client.status(auth=ALICE, path="/metrics") for _ in range(3)]

    assert found == [200] * 3


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("alice", "Wonderland"),
        ("alice", ""),
        ("bob", "wonderland"),
        ("", ""),
        ("Alice", "x"),
        ("alice", HASH),
        ("alice\0", "wonderland"),
        ("al", "ice:wonderland"),
    ],
)
async def test_anything_else_is_refused_and_asked_for_a_password(
    folder: Path, user: str, password: str
) -> None:
    async with running(folder, USERS) as client:
        auth = (user, password)
        status, headers, page = await client.ask(auth=auth)
        again = await client.status(auth=auth)

    assert (status, again) == (401, 401)
    assert headers["WWW-Authenticate"].startswith("Basic realm=")
    assert headers["Content-Type"].startswith("application/problem+json")
    assert "alice" not in page


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic !!!",
        "Basic YWxpY2U=",
        "Bearer YWxpY2U6d29uZGVybGFuZA==",
        "Basic é",
        "Digest YWxpY2U6d29uZGVybGFuZA==",
        "Basic YWxpY2U6d29uZGVybGFuZA== x",
    ],
)
async def test_a_header_that_is_no_password_is_refused(folder: Path, header: str) -> None:
    async with running(folder, USERS) as client:
        status = await client.status(headers={"Authorization": header})

    assert status == 401


async def test_every_route_is_behind_the_password_and_so_is_what_is_no_route(
    folder: Path,
) -> None:
    asked = [(route[0], route[1].replace("{id}", "x")) for route in ROUTES]
    others = [
        ("HEAD", "/metrics"),
        ("OPTIONS", "/"),
        ("GET", "/nowhere"),
        ("DELETE", "/metrics"),
        ("GET", "//metrics"),
        ("GET", "/%2e%2e/metrics"),
        ("GET", "/metrics?a=/-/ready"),
        ("PROPFIND", "/"),
    ]

    async with running(folder, USERS) as client:
        for method, path in [*asked, *others]:
            status, headers, _ = await client.ask(method, path)
            assert status == 401, (method, path)
            assert headers["WWW-Authenticate"].startswith("Basic"), (method, path)
        found = [await client.status(method="HEAD", path="/nowhere", auth=ALICE)]

    assert found == [404]


async def test_the_admin_token_is_needed_beside_the_password_in_a_header_of_its_own(
    folder: Path,
) -> None:
    reload = {"method": "POST", "path": "/-/reload"}

    async with running(folder, USERS) as client:
        bearer = await client.status(**reload, headers={"Authorization": f"Bearer {TOKEN}"})
        alone = await client.status(**reload, headers={"X-Admin-Token": TOKEN})
        without, headers, _ = await client.ask(**reload, auth=ALICE)
        wrong = await client.status(**reload, auth=ALICE, headers={"X-Admin-Token": TOKEN + "x"})
        right = await client.status(**reload, auth=ALICE, headers={"X-Admin-Token": TOKEN})

    assert (bearer, alone, without, wrong, right) == (401, 401, 401, 401, 200)
    assert headers["WWW-Authenticate"] == "Bearer"


async def test_a_new_user_may_log_in_and_a_removed_one_may_not(folder: Path) -> None:
    bob = ("bob", "builder")

    async with running(folder, USERS) as client:
        before = [await client.status(auth=one) for one in (ALICE, bob)]
        client.file.write_text(f"basic_auth_users: {{bob: '{OTHER}'}}\n")
        after = [await client.status(auth=one) for one in (ALICE, bob)]

    assert (before, after) == ([200, 401], [401, 200])


async def test_a_bad_file_keeps_the_old_one_and_is_logged_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(folder, USERS) as client:
        client.file.write_text("basic_auth_users: {alice: open}\n")
        found = [await client.status(auth=ALICE) for _ in range(3)]
        stranger = await client.status()

    said = [r for r in caplog.records if r.getMessage() == "web configuration refused"]
    assert (found, stranger, len(said)) == ([200] * 3, 401, 1)


def slow_users(count: int = 2) -> dict[str, Secret]:
    return {
        f"user{i}": Secret(bcrypt.hashpw(b"right", bcrypt.gensalt(10)).decode())
        for i in range(count)
    }


async def test_an_unknown_user_takes_as_long_as_a_known_one() -> None:
    passwords, users, numbers = Passwords(), slow_users(), itertools.count()

    async def shortest(user: bytes) -> float:
        times = []
        for _ in range(4):
            begun = time.perf_counter()
            assert not await passwords.verify(users, user, b"wrong%d" % next(numbers))
            times.append(time.perf_counter() - begun)
        return min(times)

    known, unknown = await shortest(b"user0"), await shortest(b"nobody")

    assert 1 / 4 < known / unknown < 4, "without its bcrypt it would be a hundred times less"


class Counted:
    """bcrypt that counts its calls, and records their thread and how many ran at once."""

    def __init__(self) -> None:
        self.calls, self.at_once, self.most = 0, 0, 0
        self.on_the_loop = False

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        self.calls += 1
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.on_the_loop |= threading.current_thread() is threading.main_thread()
        time.sleep(0.005)
        self.at_once -= 1
        return password == b"right"


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    found = Counted()
    monkeypatch.setattr("exporter.serving.webauth.bcrypt.checkpw", found)
    return found  # type: ignore[return-value]


KNOWN = {"alice": Secret(HASH), "bob": Secret(OTHER)}


async def test_the_same_password_at_once_is_computed_once_beside_the_loop(
    counted: Counted,
) -> None:
    passwords = Passwords()

    found = await asyncio.gather(*(passwords.verify(KNOWN, b"alice", b"right") for _ in range(20)))

    assert found == [True] * 20
    assert (counted.calls, counted.on_the_loop) == (1, False)


async def test_guesses_are_computed_one_at_a_time(counted: Counted) -> None:
    passwords = Passwords()

    await asyncio.gather(*(passwords.verify(KNOWN, b"alice", b"guess%d" % i) for i in range(10)))

    assert (counted.calls, counted.most) == (10, 1)


@pytest.mark.parametrize(("user", "password"), [(b"alice", b"wrong"), (b"nobody", b"right")])
async def test_a_refusal_is_remembered_too(counted: Counted, user: bytes, password: bytes) -> None:
    passwords = Passwords()

    found = [await passwords.verify(KNOWN, user, password) for _ in range(3)]

    assert (found, counted.calls) == ([False] * 3, 1)


async def test_guessing_neither_fills_the_memory_nor_pushes_out_who_may(counted: Counted) -> None:
    passwords = Passwords()
    await passwords.verify(KNOWN, b"alice", b"right")

    for i in range(CACHED_ANSWERS + 50):
        await passwords.verify(KNOWN, b"alice", b"guess%d" % i)
    calls = counted.calls
    again = await passwords.verify(KNOWN, b"alice", b"right")

    assert (again, counted.calls) == (True, calls)
    assert len(passwords._right) + len(passwords._wrong) == CACHED_ANSWERS


async def test_no_other_split_of_user_and_password_meets_what_is_remembered(
    counted: Counted,
) -> None:
    passwords, hashed = Passwords(), HASH.encode()
    await passwords.verify(KNOWN, b"alice", b"right")

    assert passwords._digest(b"ab", b"c") != passwords._digest(b"a", b"bc")

    for user, password in (
        (b"alic", b"eright"),
        (b"alicer", b"ight"),
        (b"alice\0" + hashed + b"\0right", b""),
        (b"alice\0" + hashed, b"right"),
        (b"alice\0", b"right"),
        (b"", b"aliceright"),
        (b"alice", hashed + b"\0right"),
    ):
        assert not await passwords.verify(KNOWN, user, password), user


async def test_a_changed_hash_forgets_the_old_password() -> None:
    passwords = Passwords()

    before = await passwords.verify({"alice": Secret(HASH)}, b"alice", b"wonderland")
    after = await passwords.verify({"alice": Secret(OTHER)}, b"alice", b"wonderland")

    assert (before, after) == (True, False)


async def test_a_password_beyond_bcrypts_length_is_compared_and_no_error() -> None:
    hashed = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()

    assert await Passwords().verify({"a": Secret(hashed)}, b"a", b"x" * 80)
    assert not await Passwords().verify({"a": Secret(hashed)}, b"a", b"y" * 80)


# -- the rate, the headers, the warning ------------------------------------------------------


async def test_requests_beyond_the_rate_are_answered_429(folder: Path) -> None:
    limit = "rate_limit: {interval: 1h, burst: 3}\n"

    async with running(folder, USERS + limit) as client:
        found = [await client.status(path=p, auth=ALICE) for p in ("/metrics", "/nowhere")]
        found.append(await client.status())
        status, headers, _ = await client.ask(auth=ALICE)

    assert (found, status) == ([200, 404, 401], 429)
    assert 3500 < int(headers["Retry-After"]) <= 3600


async def test_the_bucket_fills_again_with_time_and_not_beyond_its_size() -> None:
    clock = FakeClock()
    bucket = Bucket(RateLimit(interval="2s", burst=2), clock)

    at_first = [bucket.take() for _ in range(3)]
    await clock.advance(2)
    after_one = [bucket.take() for _ in range(2)]
    await clock.advance(1000)
    later = [bucket.take() for _ in range(3)]

    assert at_first == [0, 0, 2]
    assert after_one == [0, 2]
    assert later == [0, 0, 2]


@pytest.mark.parametrize("path", ["/metrics", "/nowhere"])
async def test_the_headers_of_the_file_are_sent_with_every_answer(folder: Path, path: str) -> None:
    text = (
        "http_server_config:\n  headers:\n    X-Frame-Options: sameorigin\n"
        "    Strict-Transport-Security: max-age=60\n    X-Content-Type-Options: ''\n"
    )

    async with running(folder, text) as client:
        _, headers, _ = await client.ask("GET", path)

    assert headers["X-Frame-Options"] == "sameorigin"
    assert headers["Strict-Transport-Security"] == "max-age=60"
    assert headers["X-Content-Type-Options"] == "nosniff", "ours, as none is given"


@pytest.mark.parametrize(
    ("host", "text", "warned"),
    [
        ("127.0.0.1", "", 0),
        ("0.0.0.0", "", 1),
        ("0.0.0.0", USERS, 0),
        ("0.0.0.0", TLS, 0),
        ("localhost", "", 0),
    ],
)
async def test_an_open_address_without_tls_and_passwords_is_warned_of_once(
    folder: Path, caplog: pytest.LogCaptureFixture, host: str, text: str, warned: int
) -> None:
    async with running(folder, text, host=host):
        pass

    said = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert len([r for r in said if "can read everything" in r.getMessage()]) == warned
