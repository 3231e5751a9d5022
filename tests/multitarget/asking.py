"""`/probe` for tests: the modules, the route alone as a server, and its page as data."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from exporter.api import make_application
from exporter.api.multitarget import PROBING, Probing
from exporter.clock import SystemClock
from exporter.log import Redaction
from exporter.multitarget import Capacity, Modules, MultiTargetProber
from exporter.probers import Transport
from tests.conftest import Authority
from tests.fakes import KEY
from tests.mischief import hang, packed, raw
from tests.vendor import Vendor, answer, head_of, redirect

Client = TestClient[web.Request, web.Application]
Ask = Callable[..., Awaitable[tuple[int, str]]]
MODIFIED = ("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT")
# PRIVATE marks where ours needs leave to ask loopback; blackbox does not know that setting.
MODULES = """
modules:
  http_2xx: {prober: http, http: {PRIVATE preferred_ip_protocol: ip4}}
  post: {prober: http, http: {PRIVATE preferred_ip_protocol: ip4, method: POST, body: hello}}
  only_302: {prober: http, http: {PRIVATE valid_status_codes: [302], follow_redirects: false}}
  gzip: {prober: http, http: {PRIVATE preferred_ip_protocol: ip4, compression: gzip}}
  only_ip6: {prober: http, http: {PRIVATE ip_protocol_fallback: false}}
  small: {prober: http, http: {PRIVATE preferred_ip_protocol: ip4, body_size_limit: 4B}}
  short: {prober: http, timeout: 200ms, http: {PRIVATE preferred_ip_protocol: ip4}}
  body: {prober: http, http: {PRIVATE fail_if_body_not_matches_regexp: ['"ok"', good]}}
  no_body: {prober: http, http: {PRIVATE fail_if_body_matches_regexp: [hello]}}
  header: {prober: http, http: {PRIVATE fail_if_header_matches: [{header: X-A, regexp: .*}]}}
  lax: {prober: http, http: {PRIVATE fail_if_header_matches:
    [{header: X-A, regexp: .*, allow_missing: true}]}}
  no_b: {prober: http, http: {PRIVATE fail_if_header_matches:
    [{header: Set-Cookie, regexp: ^b=, allow_missing: true}]}}
  ready: {prober: http, http: {PRIVATE fail_if_body_not_matches_regexp: [^prêt$]}}
  one: {prober: http, http: {PRIVATE fail_if_header_not_matches: [{header: X-A, regexp: ^one$}]}}
  http2: {prober: http, http: {PRIVATE valid_http_versions: [HTTP/2.0]}}
  tls: {prober: http, http: {PRIVATE fail_if_not_ssl: true, preferred_ip_protocol: ip4,
    tls_config: {ca_file: CA}}}
  no_tls: {prober: http, http: {PRIVATE fail_if_ssl: true, tls_config: {ca_file: CA}}}
  name: {prober: http, http: {PRIVATE preferred_ip_protocol: ip4,
    tls_config: {ca_file: CA, server_name: localhost}}}
  blind: {prober: http, http: {PRIVATE tls_config: {insecure_skip_verify: true}}}
"""
OURS = """
  ping: {prober: icmp, icmp: {preferred_ip_protocol: ip4}}
  http3: {prober: http, http: {enable_http3: true}}
  public: {prober: http, http: {preferred_ip_protocol: ip4}}
  keyed: {prober: http, http: {PRIVATE bearer_token: KEY, headers: {X-Api-Key: KEY}, body: KEY,
    method: POST, tls_config: {ca_file: CA},
    allowed_targets: ['http://127.0.0.1:*', 'https://127.0.0.1:*']}}
  strict: {prober: http, http: {PRIVATE bearer_token: KEY, allowed_targets: [api.example.com]}}
  large: {prober: http, http: {PRIVATE preferred_ip_protocol: ip4, body_size_limit: 10MB}}
"""


@dataclass(frozen=True, slots=True)
class Family:
    """One family as the page has it."""

    help: str
    type: str
    samples: dict[str, float]


def families(page: str) -> dict[str, Family]:
    found: dict[str, Family] = {}
    for block in page.split("# HELP ")[1:]:
        first, second, *samples = block.splitlines()
        name, _, text = first.partition(" ")
        values = {s.rpartition(" ")[0]: float(s.rpartition(" ")[2]) for s in samples if s}
        found[name] = Family(text, second.rpartition(" ")[2], values)
    return found


def value(page: str, sample: str) -> float:
    return families(page)[sample.partition("{")[0]].samples[sample]


def theirs(authority: Authority) -> str:
    """Return the modules as blackbox_exporter reads them."""
    return _with_files(MODULES.replace("PRIVATE ", ""), authority)


def ours(authority: Authority) -> str:
    """Return the modules as we read them, and more."""
    text = (MODULES + OURS).replace("PRIVATE", "allow_private_addresses: true,")
    return _with_files(text, authority)


def _with_files(text: str, authority: Authority) -> str:
    for end in ",}":
        text = text.replace(f"ca_file: CA{end}", f"ca_file: {authority.file}{end}")
    return text.replace("KEY", KEY)


def application_of(transport: Transport, file: Path | None) -> web.Application:
    """Return the web application with nothing behind it but `/probe`."""
    modules = Modules(file)
    modules.loading_with(lambda: None)()
    modules.activate()
    made = make_application()
    redaction = Redaction()
    redaction.watch(modules.secrets)
    redaction.refresh()
    prober = MultiTargetProber(transport, SystemClock())
    made[PROBING] = Probing(modules, prober, "agent", redaction, Capacity())
    return made


@contextlib.asynccontextmanager
async def asking(application: web.Application) -> AsyncIterator[Ask]:
    """Serve *application*; yield what asks `/probe` and returns status and page."""
    async with TestClient(TestServer(application)) as client:

        async def ask(*, scrape: str = "", **query: str) -> tuple[int, str]:
            headers = {"X-Prometheus-Scrape-Timeout-Seconds": scrape} if scrape else {}
            async with client.get("/probe", params=query, headers=headers) as response:
                return response.status, await response.text()

        yield ask


def scripted(vendor: Vendor) -> None:
    """Give *vendor* an answer for every case."""
    vendor.on("/ok", answer(200, b"hello there", [MODIFIED]))
    vendor.on("/json", answer(200, b'{"status": "ok"} good'))
    vendor.on("/header", answer(200, b"x", [("X-A", "b")]))
    twice = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-A", "two"), ("X-A", "one")]
    latin = [("Content-Type", "text/plain; charset=iso-8859-1")]
    vendor.on("/latin", answer(200, "prêt".encode("latin-1"), latin))
    vendor.on("/twice", answer(200, b"x", twice))
    vendor.on("/hop", redirect("/ok"))
    vendor.on("/307", redirect("/ok", 307))
    vendor.on("/nowhere", redirect("http://127.0.0.1:1/"))
    vendor.on("/loop", redirect("/loop"))
    vendor.on("/empty", answer(302))
    vendor.on("/500", answer(500, b"x"))
    vendor.on("/gzip", raw(packed(b"a" * 500, "gzip")))
    chunked = head_of(200, [("Transfer-Encoding", "chunked")]) + b"5\r\nhello\r\n0\r\n\r\n"
    vendor.on("/chunked", raw(chunked))
    vendor.on("/hang", hang)
    vendor.on("/short", raw(head_of(200, [("Content-Length", "20")]) + b"half"))
    vendor.on("/close", raw(b""))
