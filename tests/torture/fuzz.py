"""Nearly right input wherever the program reads something: taken, or told what is wrong.

Each `…_is_…` takes one input and raises if a promise is broken; `tests/test_fuzz.py` tries some,
`run` tries 400 of each, or as many as `TORTURE_EXAMPLES` says.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families as families

from exporter import ServiceRegistry
from exporter.config import make_target, read_text
from exporter.importers import FORMATS, NoImportError, import_text
from exporter.library import ManagementError, UnknownIncidentError, UnknownServiceError
from exporter.serving.web_config import read_web
from exporter.settings import Problem, SettingsError
from tests.api.managed import Answer, Client
from tests.documents import yaml_of
from tests.importers.foreign import EXAMPLES, FILES
from tests.incidents import test_app as receiving
from tests.incidents.saying import NOW, alert, message
from tests.programs import program
from tests.sentinel import forms_of
from tests.torture.mutations import OBJECTS, SENTINEL, TEXTS, mutated

EXAMPLES_OF_EACH = int(os.environ.get("TORTURE_EXAMPLES", "400"))
TITLE = "Nearly right input: taken, or told what is wrong"
ROOT = Path(__file__).parent.parent.parent
CONFIGS = [
    yaml_of(path.read_text()) for path in sorted((ROOT / "tests/configs").glob("good-*.yaml"))
]
HASH = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"
WEB = {
    "tls_server_config": {
        "cert_file": "cert.pem",
        "key_file": "key.pem",
        "key": SENTINEL,
        "client_auth_type": "RequireAndVerifyClientCert",
        "client_ca_file": "ca.pem",
        "client_allowed_sans": ["a.example", "10.0.0.1"],
        "min_version": "TLS12",
        "max_version": "TLS13",
        "cipher_suites": ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"],
        "curve_preferences": ["CurveP521"],
    },
    "http_server_config": {"http2": False, "headers": {"X-Frame-Options": "deny"}},
    "basic_auth_users": {"alice": HASH},
    "rate_limit": {"interval": "1s", "burst": 20},
}
SERVICE = {
    "id": "a",
    "name": "A",
    "provider": "custom",
    "base_url": "https://api.example.org",
    "api_key": SENTINEL,
    "additional_headers": {"X-Also": SENTINEL},
    "environment": "production",
    "team": "pay",
    "enabled": False,
    "metadata": {"owner": "ann", "runbook": "https://wiki.example.org/a"},
    "health_check": {"endpoint": "/v1", "method": "GET", "interval": "30s", "timeout": "5s"},
    "objectives": {"availability": "99.9%", "latency": {"threshold": "800ms", "target": "99%"}},
    "rate_limit": {"requests": 10, "per": "1m"},
    "alerts": {"down": 3},
}
MESSAGES = [
    message(alert(NOW), alert(NOW, service="other", severity="high")),
    message(alert(NOW, NOW + 50)),
    message(alert(NOW, alertname="Watchdog")),
]
KEYS = {"api_key": SENTINEL, "force": True, "allow_limited": False, "rollback": False}


class BrokenError(AssertionError):
    """A promise was not kept for some input."""


def told(problems: list[Problem], *shown: str, least: int = 1) -> None:
    """Raise unless each problem has file, line and place, and none has a piece of the secret.

    *least* is the least number of a line: 0 for objects, which have none.
    """
    for problem in problems:
        if not (problem.source and problem.line >= least and problem.where and problem.what):
            raise BrokenError(f"a message without its place: {problem!r}")
        if "\n" in str(problem) or "Traceback" in str(problem):
            raise BrokenError(f"no line: {problem!r}")
    kept_secret("\n".join([*map(str, problems), *shown]))


def kept_secret(text: str) -> None:
    raw = text.encode(errors="surrogateescape")
    if leaked := [form for form, one in forms_of(SENTINEL).items() if one in raw]:
        raise BrokenError(f"the secret is shown: {leaked}")


def as_yaml(document: Any) -> str:
    """Return *document* in YAML; where that cannot write it, in JSON, which is YAML nearly."""
    try:
        return yaml.safe_dump(document, allow_unicode=True)
    except yaml.YAMLError:
        return json.dumps(document)


# -- files -----------------------------------------------------------------------------------


def web_configuration_is_read(document: Any, folder: Path) -> None:
    try:
        read_web(as_yaml(document), "web.yml", folder)
    except SettingsError as error:
        told(error.problems, str(error))


def configuration_is_read(document: Any) -> None:
    try:
        read = read_text(as_yaml(document), "services.yaml", {})
        targets = [make_target(declared, {}) for declared in read.services]
    except SettingsError as error:
        told(error.problems, str(error))
        return
    told(list(read.warnings), repr(targets), repr(read))


def foreign_configuration_is_imported(kind: str, documents: tuple[Any, Any]) -> None:
    text, targets = documents
    second = None if targets is None else (as_yaml(targets), "targets.yml")
    write = json.dumps if EXAMPLES[kind][0].endswith(".json") else as_yaml
    known = kind if kind in FORMATS else None
    try:
        found = import_text(write(text), "foreign", kind=known, targets=second)
    except SettingsError as error:
        if "check-config" in str(error):
            raise BrokenError("what was made is not valid") from error
        told(error.problems, str(error))
    except NoImportError as error:
        told(list(error.warnings), str(error))
    else:
        told(list(found.warnings), found.text)


def foreign(kind: str) -> st.SearchStrategy[tuple[Any, Any]]:
    name, targets = EXAMPLES[kind]
    text = st.just(yaml_of((FILES / name).read_text()))
    first = text.flatmap(lambda document: mutated(document) | st.just(document))
    if targets is None:
        return first.map(lambda document: (document, None))
    second = yaml_of((FILES / targets).read_text())
    return st.tuples(first, mutated(second) | st.just(second))


# -- texts -----------------------------------------------------------------------------------


def a_label_is_read_back(name: str, text: str) -> None:
    """The two parsers of the Python client read the value that was written."""
    from exporter.textformat import labelled

    line = "x{" + labelled(service=name, summary=text) + "} 1.0\n"
    for parsed in (
        families("# TYPE x gauge\n" + line),
        open_families("# TYPE x gauge\n" + line + "# EOF\n"),
    ):
        (family,) = parsed
        if family.samples[0].labels != {"service": name, "summary": text}:
            raise BrokenError(f"labels changed: {family.samples[0].labels}")


def exposition_is_read(classic: str, open_: str) -> None:
    """Both formats are read by their parsers, and by promtool, and have the same services."""
    seen = []
    for parsed in (families(classic), open_families(open_)):
        found = {s.labels.get("service") for family in parsed for s in family.samples}
        seen.append(found - {None})
    if seen[0] != seen[1]:
        raise BrokenError(f"the formats differ: {seen[0] ^ seen[1]}")
    for text in (classic, open_):
        kept_secret(text)


def promtool_reads(classic: str) -> None:
    command = [program("promtool"), "check", "metrics", "--extended"]
    done = subprocess.run(command, input=classic, capture_output=True, text=True, check=False)
    if "error while linting" in done.stderr or done.returncode == 1:
        raise BrokenError(f"promtool: {done.stderr[-2000:]}")


# -- the running program -----------------------------------------------------------------------


class Server:
    """An application that runs between two questions only, in a loop of its own."""

    def __init__(self, folder: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self._running = receiving.running(data=folder / "data")
        self.client: Client = self.do(self._running.__aenter__())
        self.client.app.scheduler  # noqa: B018, it exists

    def do(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def close(self) -> None:
        self.do(self._running.__aexit__(None, None, None))
        self.loop.close()

    def ask(self, method: str, path: str, body: Any, **more: Any) -> Answer:
        answer: Answer = self.do(self.client.ask(method, path, body, **more))
        if answer.status >= 500:
            raise BrokenError(f"{method} {path}: {answer.status} {answer.text[:500]}")
        if answer.status >= 400 and answer.type not in ("application/problem+json", "text/html"):
            raise BrokenError(f"{method} {path}: {answer.status} without a problem: {answer.type}")
        kept_secret(answer.text)
        return answer

    def is_asked(self, given: tuple[str, str, Any]) -> None:
        """Send a body that is nearly right."""
        method, path, body = given
        self.ask(method, path, body)

    def is_told(self, body: Any) -> None:
        """Send a message that is nearly Alertmanager's."""
        headers = receiving.AS_RECEIVER
        answer = self.ask("POST", "/api/alertmanager", body, headers=headers)
        if answer.status not in (200, 400):
            raise BrokenError(f"the receiver answers {answer.status}")
        self.ask("GET", "/api/incidents?limit=1000", None)

    def pages(self) -> tuple[str, str]:
        kind = {"Accept": "application/openmetrics-text; version=1.0.0"}
        return (
            self.ask("GET", "/metrics", None).text,
            self.ask("GET", "/metrics", None, headers=kind).text,
        )

    def is_shown(self, given: tuple[str, str, Any]) -> None:
        """Change a service, then read its metrics and its page."""
        self.is_asked(given)
        exposition_is_read(*self.pages())
        for path in ("/", "/services/a", "/sd", "/api/services/a"):
            self.ask("GET", path, None)


BODIES = st.one_of(
    st.tuples(st.just("POST"), st.just("/api/services"), mutated(SERVICE)),
    st.tuples(st.just("PATCH"), st.just("/api/services/a"), mutated(SERVICE)),
    st.tuples(st.just("PUT"), st.just("/api/services/a/key"), mutated(KEYS)),
    st.tuples(
        st.just("POST"),
        st.just("/api/incidents"),
        mutated({"severity": "high", "summary": "x", "by": "ann", "service": "stripe"}),
    ),
)


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            server.ask("POST", "/api/services", SERVICE | {"api_key": None})
            yield server
        finally:
            server.close()


# -- the library -----------------------------------------------------------------------------

GIVEN = mutated(SERVICE, values=OBJECTS)
EXPECTED = (ManagementError, SettingsError, UnknownIncidentError, UnknownServiceError, ValueError)


class Library:
    """A registry in a loop of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.registry = ServiceRegistry(variables={})

    def close(self) -> None:
        self.loop.run_until_complete(self.registry.stop())
        self.loop.close()

    def is_given(self, service: Any, changes: Any, texts: tuple[str, str], number: int) -> None:
        self.loop.run_until_complete(self._is_given(service, changes, texts, number))

    async def _is_given(
        self, service: Any, changes: Any, texts: tuple[str, str], number: int
    ) -> None:
        one, other = texts
        incidents = self.registry.incidents
        calls: list[Callable[[], Any]] = [
            lambda: self.registry.register_service(service),
            lambda: self.registry.update_service("a", changes),
            lambda: self.registry.update_service(one, changes),
            lambda: self.registry.rotate_api_key(one, other),
            lambda: self.registry.remove_service(one),
            lambda: incidents.create_incident(one, severity=other),
            lambda: incidents.create_incident(one or "x", description=other, by=one),
            lambda: incidents.get_incidents(service=one, status=other, limit=number),
            lambda: incidents.acknowledge_incident(one, other),
            lambda: self.registry.start_incident_response(service, changes, service),
            lambda: self.registry.start_incident_response(one, {one: other}, {one: changes}),
            lambda: self._configured({"services": [service], "monitoring": changes}),
            lambda: self._configured({"defaults": changes, one: service, other: one}),
        ]
        for call in calls:
            try:
                await call()
            except EXPECTED as error:
                kept_secret(f"{error} {error!r}")
                if isinstance(error, SettingsError):
                    told(error.problems, least=0)
        for made in self.registry.get_all_service_health():
            kept_secret(str(made) + str(self.registry.get_service_config(made["id"])))
        kept_secret(await self.registry.metrics())
        with contextlib.suppress(*EXPECTED):
            await self.registry.remove_service("a")

    async def _configured(self, given: Any) -> None:
        """Read *given* as the configuration of another registry."""
        registry = ServiceRegistry(given, variables={})
        try:
            registry.get_all_service_health()
        finally:
            await registry.stop()


@contextlib.contextmanager
def library() -> Iterator[Library]:
    made = Library()
    try:
        yield made
    finally:
        made.close()


# -- all of it -------------------------------------------------------------------------------


def many(check: Callable[..., None], number: int, *given_: Any) -> int:
    """Try *check* with *number* examples; return how many there were."""
    tried = 0

    @settings(max_examples=number, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.tuples(*given_))
    def each(values: tuple[Any, ...]) -> None:
        nonlocal tried
        tried += 1
        check(*values)

    each()
    return tried


def all_checks(number: int) -> dict[str, str | float]:
    """Try *number* examples of every kind of input; return how many of which."""
    figures: dict[str, str | float] = {}
    figures["configurations"] = many(configuration_is_read, number, mutated(*CONFIGS))
    with tempfile.TemporaryDirectory() as folder:
        web = mutated(WEB)
        figures["web configurations"] = many(
            web_configuration_is_read, number, web, st.just(Path(folder))
        )
    for kind in EXAMPLES:
        figures[f"imports from {kind}"] = many(
            foreign_configuration_is_imported, number, st.just(kind), foreign(kind)
        )
    labels = st.text(st.characters(exclude_categories=["Cs"]))
    figures["labels"] = many(a_label_is_read_back, number, labels, labels)
    with library() as made:
        texts = st.tuples(TEXTS, TEXTS)
        figures["calls of the library"] = 9 * many(
            made.is_given, number // 10, GIVEN, GIVEN, texts, st.integers()
        )
    with serving() as server:
        figures["bodies"] = many(server.is_asked, number, BODIES)
        figures["messages"] = many(server.is_told, number, mutated(*MESSAGES))
        figures["pages after a body"] = many(server.is_shown, number // 10, BODIES)
        promtool_reads(server.pages()[0])
    return figures


def run() -> dict[str, str | float]:
    """Try `TORTURE_EXAMPLES` of each; return how many of which.

    Raises:
        AssertionError: a promise is broken; hypothesis shows the input.
    """
    return all_checks(EXAMPLES_OF_EACH)
