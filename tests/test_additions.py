"""What is added by touching one place: one of each is added to a copy of the package, and works."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
SECRET = "s3cret-of-a-new-setting-0123456789"


class Copy:
    """The package in a folder of its own; counts the files that are touched."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(
            ROOT / "exporter", folder / "exporter", ignore=shutil.ignore_patterns("__pycache__")
        )
        self.touched: set[str] = set()

    def add(self, path: str, text: str) -> None:
        """Add the file *path*."""
        file = self.folder / "exporter" / path
        assert not file.exists()
        file.write_text(textwrap.dedent(text).lstrip())
        self.touched.add(path)

    def insert(self, path: str, before: str, text: str) -> None:
        """Put *text* in front of the first *before* in the file *path*."""
        file = self.folder / "exporter" / path
        found = file.read_text()
        assert before in found
        file.write_text(found.replace(before, text + before, 1))
        self.touched.add(path)

    def run(self, code: str) -> Any:
        """Run *code* with the copy in place of the package; return the JSON that it prints last."""
        sites = [path for path in sys.path if path.endswith("site-packages")]
        path = os.pathsep.join([str(self.folder), *sites])
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def test_a_provider_is_one_file(copy: Copy) -> None:
    copy.add(
        "providers/acme.yaml",
        """
        name: Acme
        type: api
        docs: ["https://acme.example/docs"]
        base_url: https://api.acme.example
        key_variables: [ACME_KEY]
        auth: {kind: header, header: X-Acme, prefix: ""}
        health: {endpoint: /me, confidence: belief}
        intervals: {health: 60s, minimum: 10s}
        key: {pattern: "^acme_", confidence: belief}
        """,
    )

    made = copy.run("""
        import json
        from exporter.cli.sources import from_environment
        from exporter.config import file_schema, make_target
        found = from_environment({"ACME_KEY": "acme_0123456789abcdef"}).services
        target = make_target(found[0], {"ACME_KEY": "acme_0123456789abcdef"})
        enum = file_schema()["properties"]["services"]["items"]["properties"]["provider"]["enum"]
        print(json.dumps([target.endpoint.url, target.endpoint.credentials[0][0], "acme" in enum]))
    """)

    assert made == ["https://api.acme.example/me", "X-Acme", True]
    assert len(copy.touched) == 1


def test_a_setting_is_one_line(copy: Copy) -> None:
    copy.insert(
        "config/declarations.py",
        "    rate_limit: RateLimit = option(",
        '    tier: int = option(3, "How much it matters.", minimum=1, maximum=5)\n',
    )

    schema, mistake, row, shown = copy.run("""
        import json
        from exporter.config import Service, file_schema, read_text, shown_declaration
        from exporter.settings import SettingsError, reference
        schema = file_schema()["properties"]["services"]["items"]["properties"]["tier"]
        text = "services: [{id: a, base_url: 'https://a.example', tier: %d}]"
        try:
            read_text(text % 9, "x.yaml", {})
        except SettingsError as error:
            mistake = str(error.problems[0])
        row = next(row for row in reference(Service) if "`tier`" in row)
        good = read_text(text % 2, "x.yaml", {}).services[0]
        print(json.dumps([schema, mistake, row, shown_declaration(good)["tier"]]))
    """)

    assert (schema["minimum"], schema["maximum"]) == (1, 5)
    assert "tier: must be at most 5" in mistake
    assert row == "| `tier` | whole number | `3` | How much it matters. |"
    assert shown == 2
    assert len(copy.touched) == 1


def test_a_secret_setting_is_one_line_and_shows_itself_nowhere(copy: Copy) -> None:
    copy.insert(
        "config/declarations.py",
        "    rate_limit: RateLimit = option(",
        '    signing_secret: Secret | None = option(None, "Signs what we send.")\n',
    )

    made = copy.run(f"""
        import asyncio, io, json, logging, pathlib, sys
        from aiohttp.test_utils import TestClient, TestServer
        from exporter.app import App, Options
        from exporter.app.application import application_of
        from exporter.config import Configuration, read_text, shown_declaration
        from exporter.log import configure
        from exporter.registry.management import Management
        from exporter.secret import Secret
        from exporter.store import new_secret_key

        SECRET = {SECRET!r}
        raw = {{"id": "api", "base_url": "https://api.example", "enabled": False,
               "signing_secret": SECRET}}
        folder = pathlib.Path("data")
        pathlib.Path("key").write_text(new_secret_key())
        environment = {{"SERVICE_REGISTRY_SECRET_KEY_FILE": "key", "S": SECRET}}
        text = "services: [{{id: file, base_url: 'https://f.example', signing_secret: '${{S}}'}}]"
        sys.stderr = log = io.StringIO()
        redaction = configure("logfmt", logging.DEBUG)
        options = Options(
            source=lambda: read_text(text, "services.yaml", environment),
            environment=environment, data_dir=folder, admin_token=Secret("t" * 20),
        )

        async def main():
            app = App(options, redaction=redaction)
            app.prepare()
            await app.management.add(raw, "test")
            seen = []
            async with TestClient(TestServer(application_of(app, "127.0.0.1"))) as client:
                for path in ("/", "/services/api", "/api/services/api", "/api/services/file",
                             "/api/health", "/api/services", "/metrics", "/sd"):
                    async with client.get(path) as response:
                        seen.append((await response.read()).decode())
            for target in app.registry:
                seen += [repr(target), str(target), json.dumps(shown_declaration(
                    app.loader.declared(target.id)), ensure_ascii=False)]
            logging.getLogger("exporter").warning("a careless line: %s", SECRET)
            await app.close()
            return seen

        seen = asyncio.run(main())
        kept = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
        restored = App(options)
        restored.prepare()
        again = restored.loader.declared("api").raw["signing_secret"] == SECRET
        places = [number for number, text in enumerate(seen) if SECRET in text]
        logged = log.getvalue()
        print(json.dumps([len(seen), places, SECRET in logged, "a careless line" in logged,
                          SECRET.encode() in kept, again]))
    """)

    texts, places, in_log, logged, on_disk, again = made
    assert texts == 14
    assert (places, in_log, on_disk) == ([], False, False)
    assert (logged, again) == (True, True)
    assert len(copy.touched) == 1


def test_a_metric_is_one_entry(copy: Copy) -> None:
    copy.insert(
        "metrics/families.py",
        '    of_state(\n        "service_maintenance",',
        '    of_state(\n        "service_failing",\n        "gauge",\n'
        '        "Whether it fails now.",\n'
        "        gauge(lambda state: state.failures_in_a_row > 0),\n    ),\n",
    )

    before, after, row = copy.run("""
        import asyncio, json, sys
        from exporter.metrics import FAMILIES, Exposition, IncidentMetrics, OwnMetrics
        from exporter.config import read_text, make_target
        from exporter.model import Outcome, Reason, Result, verdict_of
        from exporter.registry import Registry
        from exporter.results import Results
        declared = read_text("services: [{id: a, base_url: 'https://a.example'}]", "x", {})
        target, results = make_target(declared.services[0], {}), Results()
        exposition = Exposition(results, OwnMetrics("1"), IncidentMetrics(Registry()))

        async def value():
            page = b"".join([piece async for piece in exposition.chunks()]).decode()
            return next(line for line in page.splitlines() if line.startswith("service_failing{"))

        async def main():
            exposition.put(target)
            before = await value()
            seen = Outcome(reason=Reason.SERVER_ERROR)
            result = Result(service="a", at=1.8e9, outcome=seen, verdict=verdict_of(seen.reason))
            results.of("a").add(result, target)
            exposition.refresh(target)
            return [before, await value()]

        before, after = asyncio.run(main())
        row = next(f.help for f in FAMILIES if f.name == "service_failing")
        print(json.dumps([before[-1], after[-1], row]))
    """)

    assert (before, after, row) == ("0", "1", "Whether it fails now.")
    assert len(copy.touched) == 1


def test_a_status_page_adapter_is_one_file(copy: Copy) -> None:
    copy.add(
        "statuspages/adapters/traffic_light.py",
        '''
        """A page that has one colour."""

        from exporter.matching import json_of
        from exporter.statuspages.incidents import Reading
        from exporter.statuspages.states import State

        PATH = "/light.json"


        def read(body: bytes, component_filter: str | None, now: float) -> Reading:
            """Return the state of the light."""
            colours = {"green": State.OPERATIONAL, "red": State.MAJOR_OUTAGE}
            return Reading(state=colours[json_of(body)["light"]])
        ''',
    )

    made = copy.run("""
        import json
        from exporter.config import read_text, make_target
        from exporter.statuspages import address_of
        from exporter.statuspages.adapters import read
        page = "{url: 'https://status.example', adapter: traffic_light}"
        text = "services: [{id: a, base_url: 'https://a.example', status_page: %s}]" % page
        target = make_target(read_text(text, "x", {}).services[0], {})
        bodies = (b'{"light": "red"}', b'{"light": "pink"}', b"")
        print(json.dumps([address_of(target.status_page),
                          *(read("traffic_light", body, None) for body in bodies)]))
    """)

    assert made == ["https://status.example/light.json", "major_outage", "unknown", "unknown"]
    assert len(copy.touched) == 1


def test_an_importer_is_one_file(copy: Copy) -> None:
    copy.add(
        "importers/formats/pinger.py",
        '''
        """Pinger's configuration."""

        from exporter.importers.fields import Fields
        from exporter.importers.report import Draft, Ledger
        from exporter.importers.request import Builder

        MARK = "pings (Pinger)"
        TAKES_TARGETS, EXPANDS = False, False


        def recognised(data: dict[str, object]) -> bool:
            """Return whether *data* looks like Pinger's configuration."""
            return "pings" in data


        def collect(ledger: Ledger, targets: Ledger | None) -> None:
            """Add every ping."""
            for path, url in Fields(ledger, (), ledger.data).texts("pings"):
                draft = Draft("ping", ledger.problem_at(path))
                Builder(ledger, draft).address(url, path)
                ledger.report.drafts.append(draft)
        ''',
    )

    text, formats, help_ = copy.run("""
        import json
        from exporter.cli.arguments import make_parser
        from exporter.importers import FORMATS, import_text
        found = import_text("pings: ['https://a.example/health']", "pinger.yaml")
        parser = make_parser("1")
        print(json.dumps([found.text, FORMATS,
                          vars(parser.parse_args(["import", "x", "--from", "pinger"]))["format"]]))
    """)

    assert "base_url: https://a.example" in text
    assert "pinger" in formats
    assert help_ == "pinger"
    assert len(copy.touched) == 1


def test_a_kind_of_probe_is_one_file(copy: Copy) -> None:
    copy.add(
        "probers/kinds/tcp.py",
        '''
        """The TCP probe: can a connection be opened."""

        import asyncio
        from collections.abc import Callable
        from urllib.parse import urlsplit

        from exporter.clock import Clock
        from exporter.model import Outcome, Reason
        from exporter.probers.endpoint import Endpoint
        from exporter.probers.transport import Transport


        class TcpProber:
            """Connects, and ends the connection."""

            async def probe(self, endpoint: Endpoint) -> Outcome:
                """Return whether a connection could be opened."""
                parts = urlsplit(endpoint.url)
                try:
                    async with asyncio.timeout(endpoint.timeout):
                        _, writer = await asyncio.open_connection(parts.hostname, parts.port)
                except TimeoutError:
                    return Outcome(reason=Reason.TIMEOUT)
                except OSError:
                    return Outcome(reason=Reason.CONNECT)
                writer.close()
                return Outcome(reason=Reason.OK, detail="connected")


        def make(
            transport: Transport, clock: Clock, holds_key: Callable[[str], bool]
        ) -> TcpProber:
            """Return the prober of this kind."""
            return TcpProber()


        def command(endpoint: Endpoint) -> str:
            """Return what a person would type."""
            parts = urlsplit(endpoint.url)
            return f"nc -z {parts.hostname} {parts.port}"
        ''',
    )

    reasons, command, mistake = copy.run("""
        import asyncio, json, socket
        from exporter.clock import SystemClock
        from exporter.config import make_target, read_text
        from exporter.probers import Probers, command_line
        from exporter.probers.curl import CurlTransport
        from exporter.settings import SettingsError

        def target(port, kind="tcp"):
            check = "{prober: %s, endpoint: ''}" % kind
            text = "services: [{id: a, base_url: 'http://127.0.0.1:%d', health_check: %s}]"
            return make_target(read_text(text % (port, check), "x", {}).services[0], {})

        async def main():
            server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1")
            port = server.sockets[0].getsockname()[1]
            transport = CurlTransport()
            prober, reasons = Probers(transport, SystemClock()), []
            reasons.append((await prober.probe(target(port).endpoint)).reason)
            server.close()
            await server.wait_closed()
            reasons.append((await prober.probe(target(port).endpoint)).reason)
            await transport.close()
            return reasons

        try:
            target(1, "udp")
        except SettingsError as error:
            mistake = str(error.problems[0])
        print(json.dumps([asyncio.run(main()), command_line(target(7).endpoint), mistake]))
    """)

    assert reasons == ["ok", "connect"]
    assert command == "nc -z 127.0.0.1 7"
    assert mistake.endswith("health_check.prober: must be one of http, tcp")
    assert len(copy.touched) == 1


def test_a_reason_is_a_member_and_its_facts(copy: Copy) -> None:
    copy.insert("model.py", '    INTERNAL = "internal"\n', '    ON_STRIKE = "on_strike"\n')
    copy.insert(
        "model.py",
        "    Reason.INTERNAL: Facts(\n",
        '    Reason.ON_STRIKE: Facts(_P, False, None, "on strike", "the provider is on strike"),\n',
    )

    line, verdict, advice, answer = copy.run("""
        import asyncio, json
        from exporter.config import make_target, read_text
        from exporter.metrics import Exposition, IncidentMetrics, OwnMetrics
        from exporter.model import Outcome, Reason, advice_of, verdict_of
        from exporter.providers import load
        from exporter.registry import Registry
        from exporter.results import Results
        declared = read_text("services: [{id: a, base_url: 'https://a.example'}]", "x", {})
        exposition = Exposition(Results(), OwnMetrics("1"), IncidentMetrics(Registry()))
        exposition.put(make_target(declared.services[0], {}))

        async def page():
            return b"".join([piece async for piece in exposition.chunks()]).decode()

        line = next(l for l in asyncio.run(page()).splitlines() if "on_strike" in l)
        reason = Reason("on_strike")
        preset = load("x", '''
        name: X
        type: api
        docs: ["https://x.example"]
        base_url: https://x.example
        auth: {kind: none}
        health: {endpoint: /, confidence: belief}
        answers: [{status: 418, reason: on_strike, confidence: belief}]
        intervals: {health: 60s, minimum: 10s}
        key: {pattern: ".", confidence: belief}
        ''')
        verdict = verdict_of(reason)
        print(json.dumps([line, verdict, advice_of(reason, verdict), preset.answers[0].reason]))
    """)

    assert line.startswith("probe_results_total{")
    assert line.endswith('reason="on_strike"} 0')
    assert (verdict, advice, answer) == ("provider", "the provider is on strike", "on_strike")
    assert len(copy.touched) == 1


def test_a_route_is_one_line(copy: Copy) -> None:
    copy.insert(
        "api/routes.py",
        '    Route("GET", "/sd",',
        '    Route("POST", "/api/rain", status.healthy, ADMIN, "Rain.", ((200, alike.PLAIN),)),\n',
    )

    answered, described = copy.run("""
        import asyncio, json
        from aiohttp.test_utils import TestClient, TestServer
        from exporter.api import ROUTES, make_application
        from exporter.api.guard import ADMIN_TOKEN
        from exporter.api.openapi import text

        async def main():
            application = make_application()
            application[ADMIN_TOKEN] = None
            async with TestClient(TestServer(application)) as client:
                return (await client.post("/api/rain")).status

        described = json.loads(text(ROUTES, "0"))["paths"]["/api/rain"]["post"]["summary"]
        print(json.dumps([asyncio.run(main()), described]))
    """)

    assert (answered, described) == (403, "Rain.")
    assert len(copy.touched) == 1


CLAIMS = ["provider", "setting", "reason", "metric", "status page adapter", "importer"]
CLAIMS += ["kind of probe", "route"]


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_map_says_what_is_proven_here(claim: str) -> None:
    text = (ROOT / "exporter" / "README.md").read_text()

    rows = [row for row in text.splitlines() if row.startswith(("| a ", "| an "))]
    assert any(row.split("|")[1].strip() in (f"a {claim}", f"an {claim}") for row in rows)
