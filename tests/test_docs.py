"""Every document tells the truth: its links lead somewhere, its names exist, its commands run."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from exporter.api import ROUTES
from exporter.cli.access import HttpConfig
from exporter.cli.arguments import make_parser
from exporter.config import Canary, Monitoring, Service, make_target, read_files, read_text
from exporter.metrics import FAMILIES, INCIDENT_FAMILIES
from exporter.model import Reason, Verdict, advice_of, verdict_of
from exporter.probers import command_line
from exporter.providers import Promise, presets
from exporter.serving.web_config import WebSettings
from exporter.settings import load, object_schema, reference
from tests.documents import yaml_of
from tests.patience import patient, within
from tests.programs import free_port, program
from tests.reference import GUIDES
from tests.test_process import eventually
from tests.test_rules import ALERTS, RECORDED, RECORDED_OF_OTHERS
from tests.vendor import Vendor, answer

ROOT = Path(__file__).parent.parent
FOLDERS = (
    *(".", ".github", "alertmanager", "config", "exporter", "findings", "grafana", "prometheus"),
    "tests",
)
DOCS = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.md")
    if folder != "." or path.parent == ROOT
)
FOREIGN = {ROOT / "config" / "MIGRATION.md", ROOT / "findings" / "README.md"}
"""Names of other tools' settings and variables are in these."""
LONGEST = 160  # 140 is the aim; older documents are above it
KINDS_OF_CODE = {"nginx", "", "sh", "console", "yaml", "python", "json", "promql"}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


EACH = pytest.mark.parametrize("path", DOCS, ids=name_of)
EACH_OF_OURS = pytest.mark.parametrize("path", [p for p in DOCS if p not in FOREIGN], ids=name_of)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its text, the line of its fence."""

    language: str
    text: str
    line: int


def parted(path: Path) -> tuple[str, list[Block]]:
    """Return the prose of the document, blocks left out, and its blocks."""
    prose: list[str] = []
    blocks: list[Block] = []
    inside: list[str] | None = None
    language, begun = "", 0
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.lstrip().startswith("```"):
            if inside is None:
                inside, language, begun = [], line.strip().removeprefix("```").strip(), number
            else:
                blocks.append(Block(language, "\n".join(inside), begun))
                inside = None
            prose.append("")
        elif inside is None:
            prose.append(line)
        else:
            inside.append(line)
    assert inside is None, "a block is not closed"
    return "\n".join(prose), blocks


def pieces(prose: str) -> Iterator[str]:
    """Yield what stands in backticks."""
    for found in re.finditer(r"(?<!`)`([^`]+)`(?!`)", prose):
        yield " ".join(found.group(1).split()).replace("\\|", "|")


def anchors(path: Path) -> set[str]:
    """Return the anchors of the headings, as GitHub makes them."""
    seen: dict[str, int] = {}
    found = set()
    for line in parted(path)[0].splitlines():
        if match := re.match(r"#{1,6} (.+)", line):
            text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match.group(1)).strip().lower()
            slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
            count = seen[slug] = seen.get(slug, -1) + 1
            found.add(f"{slug}-{count}" if count else slug)
    return found


# -- links -----------------------------------------------------------------------------------


@EACH
def test_every_link_leads_to_a_file_and_a_heading_of_it(path: Path) -> None:
    prose, _ = parted(path)
    prose = re.sub(r"`[^`\n]*`", "", prose)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", target):
            assert target.startswith("https://"), target
            continue
        file, _, anchor = target.partition("#")
        place = (path.parent / file).resolve() if file else path
        if not place.exists() or (anchor and anchor not in anchors(place)):
            broken.append(target)

    assert broken == []


@EACH
def test_every_block_says_its_language_and_no_line_of_prose_is_too_long(path: Path) -> None:
    prose, blocks = parted(path)

    assert {block.language for block in blocks} <= KINDS_OF_CODE
    long = [line for line in prose.splitlines() if len(line) > LONGEST and not line.startswith("|")]
    assert [line for line in long if "](" not in line] == []


def test_an_issue_template_begins_with_what_github_shows_of_it() -> None:
    for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.md"):
        head = path.read_text().split("---\n")[1]

        assert {"name", "about"} <= yaml_of(head).keys()


# -- commands --------------------------------------------------------------------------------


def lines_of(block: Block) -> Iterator[str]:
    """Yield what a person would type."""
    for line in re.sub(r"\\\n\s*", " ", block.text).splitlines():
        if block.language == "sh":
            yield line
        elif block.language == "console" and line.startswith("$ "):
            yield line[2:]


def commands(line: str) -> Iterator[list[str]]:
    """Yield the arguments of every service-registry command in a line of shell."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    for number, word in enumerate(words):
        if word != "service-registry" and not word.endswith("/service-registry"):
            continue
        rest = words[number + 1 :]
        yield list(itertools.takewhile(lambda w: not set(w) <= set("();<>|&"), rest))


TYPED = [
    (path, arguments)
    for path in DOCS
    for block in parted(path)[1]
    for line in lines_of(block)
    for arguments in commands(line)
]


def test_there_are_commands_in_the_documents() -> None:
    assert len(TYPED) > 12
    assert {arguments[0] for _, arguments in TYPED} >= {"serve", "probe", "import", "incidents"}


@pytest.mark.parametrize(
    ("path", "arguments"), TYPED, ids=[f"{name_of(p)}-{' '.join(a)}" for p, a in TYPED]
)
def test_every_command_in_a_block_can_be_typed(
    path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        make_parser("0").parse_args(arguments)
    except SystemExit:
        pytest.fail(f"{name_of(path)}: {arguments}: {capsys.readouterr().err}")


def parsers() -> Mapping[str, argparse.ArgumentParser]:
    """Return the parser of each command."""
    for action in make_parser("0")._actions:
        if isinstance(action, argparse._SubParsersAction):
            return action.choices
    raise AssertionError


def options(parser: argparse.ArgumentParser) -> set[str]:
    found: set[str] = set()
    for action in parser._actions:
        found |= set(action.option_strings)
        if isinstance(action, argparse._SubParsersAction):
            found = found.union(*map(options, action.choices.values()))
    return found


OURS = set().union(*map(options, parsers().values())) | {"--version"}
OTHERS = {
    # Prometheus, Alertmanager, amtool, promtool, the test runner, npm, systemctl and the like
    "--storage.tsdb.retention.time",
    "--http.config.file",
    "--cluster.listen-address",
    "--cluster.peer",
    "--storage.path",
    "--tail",
    "--now",
    "--dispatch.start-delay",
    "--query.max-samples",
    "--table",  # tests.bench
    "--renew",  # tests.instructions
    "--package-lock-only",
    "--ignore-scripts",
    "--legacy-peer-deps",
    "--cpu",  # stress-ng
}


@EACH
def test_every_command_and_option_in_a_sentence_exists(path: Path) -> None:
    wrong = []
    for piece in pieces(parted(path)[0]):
        words = piece.replace("[", " ").replace("]", " ").split()
        wrong += [
            w for w in words if re.fullmatch(r"--[a-z][a-z.-]+", w) and w not in OURS | OTHERS
        ]
        if words[0] == "service-registry" and len(words) > 1 and not words[1].startswith("-"):
            wrong += [w for w in words[1].split("|") if w not in parsers()]

    assert wrong == []


# -- configurations --------------------------------------------------------------------------

OUR_KEYS = {"budgets", "defaults", "canaries", "services", "monitoring", "notify"}
PROMETHEUS_KEYS = {"global", "rule_files", "scrape_configs", "alerting", "remote_write"}
WEB_KEYS = {"tls_server_config", "basic_auth_users", "http_server_config", "rate_limit"}
YAML = [(path, block) for path in DOCS for block in parted(path)[1] if block.language == "yaml"]


@pytest.mark.parametrize(("path", "block"), YAML, ids=[f"{name_of(p)}-{b.line}" for p, b in YAML])
def test_every_configuration_passes_the_check_it_is_for(
    path: Path, block: Block, tmp_path: Path
) -> None:
    file = tmp_path / "example.yml"
    file.write_text(block.text)
    data: dict[str, Any] = yaml_of(block.text)

    if data.keys() <= OUR_KEYS:
        for service in data.get("services", ()):
            if not {"provider", "base_url"} & service.keys():  # an excerpt of one
                service["base_url"] = "https://api.example.com"
        file.write_text(yaml.safe_dump(data, sort_keys=False))
        # A real key fits no example; a file that is not there is a service without a key.
        names = {name: "x" for preset in presets().values() for name in preset.variables}
        names["SLACK_WEBHOOK_URL"] = "https://hooks.example.com/x"
        read_files([file], names)
    elif data.keys() <= PROMETHEUS_KEYS:
        _passes("promtool", "check", "config", "--syntax-only", str(file))
    elif data.keys() == {"routes"}:
        file.write_text(yaml.safe_dump(_alertmanager(data["routes"])))
        _passes("amtool", "check-config", str(file))
    elif data.keys() == {"basic_auth", "tls_config"}:  # of the commands
        load(block.text, str(file), object_schema(HttpConfig))
    elif data.keys() == {"sla"}:  # of a preset
        load(yaml.safe_dump(data["sla"]), str(file), object_schema(Promise))
    else:
        assert data.keys() <= WEB_KEYS, "no configuration that is known here"


def _alertmanager(routes: list[dict[str, Any]]) -> dict[str, Any]:
    names = {"nobody", *(route["receiver"] for route in routes)}
    receivers = [{"name": name} for name in sorted(names)]
    return {"route": {"receiver": "nobody", "routes": routes}, "receivers": receivers}


def _passes(*command: str) -> None:
    done = subprocess.run(
        [program(command[0]), *command[1:]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


# -- names -----------------------------------------------------------------------------------


def _settings(cls: object) -> set[str]:
    rows = (row.split("|")[1].strip(" `") for row in reference(cls))
    return {row.replace("[]", "") for row in rows}


SETTINGS = _settings(Service) | _settings(Canary) | _settings(Monitoring)
LEAVES = {part for name in SETTINGS for part in name.split(".")}
SOURCES = "\n".join(path.read_text() for path in (ROOT / "exporter").rglob("*.py"))
METRICS = (
    {family.name for family in (*FAMILIES, *INCIDENT_FAMILIES)}
    | set(re.findall(r'"((?:exporter|service)_[a-z0-9_]+)"', SOURCES))
    | {"exporter_token"}  # a file
)
PREFIXED = re.compile(r"(?<![\w:./-])(?:probe|service|exporter)_[a-z0-9_]+(?![\w:])")
NOT_ALERTS = {"ServiceRegistry", "ManualIncident", "ServiceAccount", "PrometheusProto"}


def said(path: Path) -> list[str]:
    """Return what stands in backticks, and what is typed, outside of generated parts."""
    prose, blocks = parted(path)
    typed = [line for block in blocks for line in lines_of(block)]
    return [*pieces(prose), *typed]


VENDORS_CODES = {"service_unavailable"}
"""Codes of vendors' errors that look like names of ours."""


@EACH
def test_every_metric_that_is_named_exists(path: Path) -> None:
    unknown = set()
    for piece in said(path):
        for name in PREFIXED.findall(piece):
            bare = re.sub(r"_(bucket|sum|count)$", "", name)
            if not name.endswith("_") and not {name, bare} & METRICS:
                unknown.add(name)
        found = re.findall(r"\b[a-z_]+:[a-z_]+:[a-z0-9_]+\b", piece)
        unknown |= {*found} - RECORDED - RECORDED_OF_OTHERS

    assert unknown - VENDORS_CODES == set()


@EACH
def test_every_alert_that_is_named_exists(path: Path) -> None:
    shape = re.compile(
        r"\b(?:Service|Provider|Monitoring|Exporter|Prometheus|Alertmanager)[A-Z]\w+|\bWatchdog\w*"
    )
    named = {name for piece in said(path) for name in shape.findall(piece)}

    assert named <= ALERTS | NOT_ALERTS


@EACH_OF_OURS
def test_every_setting_with_its_place_exists(path: Path) -> None:
    groups = sorted({name.partition(".")[0] for name in SETTINGS if "." in name})
    shape = re.compile(rf"(?:{'|'.join(groups)})\.[a-z_.]+")
    named = {piece for piece in pieces(parted(path)[0]) if shape.fullmatch(piece)}

    assert {name for name in named if not name.endswith(".py")} <= SETTINGS


def _words_of_the_api() -> set[str]:
    from exporter.api.openapi import text  # the document itself is the list

    found: set[str] = set()

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            found.update(node["properties"] if isinstance(node.get("properties"), dict) else ())
            found.update(w for w in node.get("enum", ()) if isinstance(w, str))
            list(map(walk, node.values()))
        elif isinstance(node, list):
            list(map(walk, node))

    walk(json.loads(text(ROUTES, "0")))
    return found


WORDS = (
    set(map(str, Reason))
    | set(map(str, Verdict))
    | LEAVES
    | METRICS
    | _words_of_the_api()
    | _settings(WebSettings)
    | {part for name in _settings(WebSettings) for part in name.split(".")}
    | set(re.findall(r"\b[a-z]+(?:_[a-z0-9]+)+\b", SOURCES))
    | {path.stem for path in (ROOT / "alertmanager" / "templates").iterdir()}
)
WORDS_OF_OTHERS = {
    # Prometheus and Alertmanager
    "exported_service",
    "query_offset",
    "remote_write",
    "http_sd_configs",
    "scrape_samples_scraped",
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "prometheus_tsdb_head_series",
    # those who count calls elsewhere
    "api_base",
    "api_provider",
    "api_openai_com",
    "api_openai_com_8443",
    "envoy_cluster_upstream_rq_xx",
    "http_client_request_duration_seconds_count",
    "litellm_deployment_total_requests_total",
    "litellm_deployment_failure_responses_total",
    "server_address",
    "server_port",
    # providers' own words
    "restricted_api_key",
    "rak_balance_read",
}


@EACH_OF_OURS
def test_every_reason_and_setting_that_is_named_exists(path: Path) -> None:
    """Words with an underscore are names of ours, but for a few of others."""
    prose = parted(path)[0]
    if name_of(path) == GUIDES:  # generated from the presets
        prose = re.sub(r"<!-- generated: .*?<!-- end -->", "", prose, flags=re.S)
    if name_of(path) == "exporter/README.md":  # names of code, see test_the_map_answers_...
        prose = re.sub(r"<!-- generated: .*?## Adding things", "", prose, flags=re.S)
    shape = re.compile(r"[a-z]+(?:_[a-z0-9]+)+")
    named = {piece for piece in pieces(prose) if shape.fullmatch(piece)}

    assert named <= WORDS | WORDS_OF_OTHERS


def test_no_word_of_others_is_on_a_list_without_need() -> None:
    text = "\n".join(path.read_text() for path in DOCS)

    assert {word for word in WORDS_OF_OTHERS if word in WORDS or word not in text} == set()
    assert {option for option in OTHERS if option in OURS or option not in text} == set()


@EACH
def test_every_route_that_is_named_exists(path: Path) -> None:
    known = [
        (route.method, re.compile(re.sub(r"\\\{\w+\\\}", r"[^/]+", re.escape(route.path))))
        for route in ROUTES
    ]
    shape = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/(?:api/(?!v\d)|-/|sd|probe|metrics)[^\s?]*)")
    wrong = [
        piece
        for piece in said(path)
        for method, place in shape.findall(piece)
        if "/api/health" not in place  # Plausible has one, too
        and not any(m == method and p.fullmatch(place.split("|")[0]) for m, p in known)
    ]

    assert wrong == []


@EACH_OF_OURS
def test_every_variable_that_is_named_exists(path: Path) -> None:
    texts = [
        SOURCES,
        *(p.read_text() for p in ROOT.glob("*/*.y*ml")),
        (ROOT / "Makefile").read_text(),
    ]
    texts += [p.read_text() for p in (ROOT / "exporter" / "providers").glob("*.yaml")]
    texts += [(ROOT / "docker-compose.yml").read_text()]
    texts += [(ROOT / "grafana" / "provisioning" / "grafana.env").read_text()]
    everywhere = "\n".join(texts)
    shape = re.compile(r"[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+")
    generated = re.compile(r"<!-- generated: .*?<!-- end -->", re.S)
    named = {p for p in pieces(generated.sub("", parted(path)[0])) if shape.fullmatch(p)}

    assert {name for name in named if name not in everywhere} <= {
        "FAILED_PRECONDITION",
        "ALERTS_FOR_STATE",
    }


@EACH
def test_every_file_that_is_named_exists(path: Path) -> None:
    shape = re.compile(r"(?:[\w.-]+/)+[\w.-]+\.(?:py|md|json|toml|sh|env|tsv|tmpl|ya?ml)")
    named = {piece for piece in pieces(parted(path)[0]) if shape.fullmatch(piece)}
    places = (path.parent, ROOT, ROOT / "exporter")

    assert {name for name in named if not any((p / name).exists() for p in places)} == set()


# -- provider guides -------------------------------------------------------------------------


def test_every_preset_has_a_guide_and_no_other_has() -> None:
    text = (ROOT / GUIDES).read_text()

    assert set(re.findall(r"^## (\S+)$", text, re.M)) == set(presets())
    assert set(re.findall(r"<!-- generated: (\S+) -->", text)) == set(presets())


def test_every_guide_tells_how_to_make_a_key() -> None:
    text = (ROOT / GUIDES).read_text()
    guides = dict(zip(*[iter(re.split(r"^## (\S+)$", text, flags=re.M)[1:])] * 2, strict=True))

    for name, guide in guides.items():
        by_hand = re.sub(r"<!-- generated: .*?<!-- end -->", "", guide, flags=re.S)
        assert "**Key.**" in by_hand, name
        assert re.search(r"\((?:[^()]*\b)?(?:doc|code|belief)\b", by_hand), f"{name}: how sure?"


@pytest.mark.parametrize("name", sorted(presets()))
def test_a_mark_in_a_guide_is_never_above_that_of_the_preset(name: str) -> None:
    """The generated table shows each rule with the mark it has, and what is advised."""
    text = (ROOT / GUIDES).read_text().partition(f"<!-- generated: {name} -->")[2]
    preset = presets()[name]
    table = text.partition("| answer | reason |")[2].partition("<!-- end -->")[0]
    rows = re.findall(r"\| `(\w+)` \| (\w+) \| ([^|]+) \|$", table, re.M)

    expected = [
        (
            str(rule.reason),
            rule.confidence,
            advice_of(rule.reason, verdict_of(rule.reason), has_page=bool(preset.status_page)),
        )
        for rule in preset.answers
    ]
    assert rows == expected
    assert preset.status_page or "status page" not in table


# -- the commands of the README, run ---------------------------------------------------------

SMALL = """
defaults: {{health_check: {{interval: 1s, timeout: 1s, retries: 0, allow_private_addresses: true}}}}
canaries: [{{url: "{url}canary", expected_status_codes: [204], allow_private_addresses: true}}]
services:
  - {{id: billing, base_url: "{url}", health_check: {{endpoint: /health}}}}
  - id: openai
    provider: openai
    base_url: "{url}"
    api_key: sk-proj-{key}
    health_check: {{interval: 1s}}
    status_page: {{enabled: false}}
    objectives: {{availability: 99.9%, latency: {{threshold: 800ms, target: 99%}}}}
"""
BLACKBOX = "modules: {http_2xx: {prober: http, http: {preferred_ip_protocol: ip4}}}\n"
SCRAPE = """
scrape_configs:
  - job_name: blackbox
    metrics_path: /probe
    params: {module: [http_2xx]}
    static_configs: [{targets: ["https://www.example.com/health"]}]
"""


class Shell:
    """Runs commands as they stand in the README, in a directory and an environment of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        variables = {n for p in presets().values() for n in (*p.key_variables, *p.variables)}
        self.environment = {k: v for k, v in os.environ.items() if k not in variables}
        self.environment |= {"NO_COLOR": "1", "COLUMNS": "120"}

    async def start(self, *arguments: str, **variables: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "exporter",
            *arguments,
            cwd=self.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**self.environment, "PYTHONPATH": str(ROOT), **variables},
        )

    async def run(self, *arguments: str) -> tuple[int, str]:
        """Return the exit code and all that is printed."""
        process = await self.start(*arguments)
        async with patient(60):
            out, _ = await process.communicate()
        return process.returncode or 0, out.decode()


def _in_readme(command: str, *wanted: str) -> list[str]:
    """Return the arguments of *command* in the README that have all that is *wanted*."""
    readme = ROOT / "README.md"
    return next(a for p, a in TYPED if p == readme and a[0] == command and set(wanted) <= set(a))


async def test_the_readme_s_first_configuration_is_good_as_it_is_typed(tmp_path: Path) -> None:
    _, _, after = (ROOT / "README.md").read_text().partition("## Your first configuration")
    (tmp_path / "my-services.yaml").write_text(after.partition("```yaml\n")[2].partition("```")[0])

    code, shown = await Shell(tmp_path).run(*_in_readme("check-config", "my-services.yaml"))

    assert (code, "ok: 2 services (2 enabled)" in shown) == (0, True), shown


def test_the_readme_names_every_package_that_the_tests_install() -> None:
    needed = re.findall(r"^need \S+ (\S+)$", (ROOT / "tests" / "tools.sh").read_text(), re.M)
    _, _, after = (ROOT / "README.md").read_text().partition("Debian's packages\n")

    assert set(pieces(after.partition("(with")[0])) == set(needed)


def test_the_readme_shows_the_curl_line_that_a_probe_prints() -> None:
    key = f"sk-{'a' * 24}x9Qz"
    declared = read_text(f"services: [{{id: openai, provider: openai, api_key: {key}}}]", "x", {})
    endpoint = make_target(declared.services[0], {}).endpoint
    assert endpoint is not None

    assert f"  {command_line(endpoint)}\n" in (ROOT / "README.md").read_text()


@pytest.mark.slow
async def test_what_the_readme_says_in_five_minutes_works(tmp_path: Path, vendor: Vendor) -> None:
    vendor.on("/health", answer(200, {"status": "ok"}))
    vendor.on("/canary", answer(204))
    models = {"object": "list", "data": [{"object": "model", "id": "m"}]}
    vendor.on("/models", answer(200, models))
    (tmp_path / "config").mkdir()
    small = SMALL.format(url=vendor.url(), key="k" * 24)
    (tmp_path / "config" / "services.yaml").write_text(small)
    (tmp_path / "my-services.yaml").write_text(small)
    (tmp_path / "blackbox.yml").write_text(BLACKBOX)
    (tmp_path / "prometheus.yml").write_text(SCRAPE)
    shell = Shell(tmp_path)

    assert (await shell.run(*_in_readme("make-secrets")))[0] == 0
    assert (await shell.run(*_in_readme("check-config", "my-services.yaml")))[0] == 0
    code, shown = await shell.run(*_in_readme("probe", "--config"))
    assert (code, "openai  ok" in shown) == (0, True), shown
    code, shown = await shell.run("import", "blackbox.yml", "--targets", "prometheus.yml")
    assert (code, "https://www.example.com" in shown) == (0, True), shown

    port = free_port()
    served = _in_readme("serve", "--data-dir", "--admin-token-file")
    served = served if "--config" in served else [*served, "--config", "config/services.yaml"]
    own = ("--listen", f"127.0.0.1:{port}")
    key = {"SERVICE_REGISTRY_SECRET_KEY_FILE": "secrets/secret_key"}
    process = await shell.start(*_on_loopback(served), *own, **key)
    try:
        await _while_it_runs(shell, f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        out, _ = await within(20, process.communicate())
    assert process.returncode == 0, out.decode()
    assert b"Traceback" not in out


def _on_loopback(arguments: list[str]) -> list[str]:
    """Return the arguments of `serve` without peers: nobody listens there in a test."""
    pairs = iter(arguments)
    return [
        a for a in pairs if not (a.startswith(("--alertmanager.", "--prometheus.")) and next(pairs))
    ]


async def _while_it_runs(shell: Shell, base: str) -> None:
    async with aiohttp.ClientSession() as session:

        async def get(path: str) -> str:
            async with session.get(base + path) as response:
                return await response.text()

        async def probed() -> bool:
            try:
                found = json.loads(await get("/api/health"))["services"]
                return [service["reason"] for service in found] == ["ok", "ok"]
            except aiohttp.ClientError:
                return False

        await eventually(probed, 30)
        page = await get("/metrics")
    _has_the_series_that_the_documents_promise(page)
    url = ("--url", base)
    for command in ("services", "stats", "incidents"):
        code, shown = await shell.run(command, *url)
        assert code == 0, shown
    code, shown = await shell.run("probe", base + "/-/healthy")
    assert (code, " ok" in shown) == (0, True), shown  # whoever types a URL may reach any address
    token = ("--admin-token-file", "secrets/admin_token")
    code, shown = await shell.run("incidents", "create", "a rehearsal", *url, *token, "--json")
    assert code == 0, shown
    number = json.loads(shown)["id"]
    ack = _in_readme("incidents", "ack")
    code, shown = await shell.run(
        *(number if re.fullmatch(r"[a-z0-9]{10}", a) else a for a in ack), *url
    )
    assert code == 0, shown
    code, shown = await shell.run("incidents", "--status", "acknowledged", *url)
    assert (code, "a rehearsal" in shown) == (0, True), shown


def _has_the_series_that_the_documents_promise(page: str) -> None:
    """Hold config/README.md, "Scaling", to its numbers."""
    text = " ".join((ROOT / "config" / "README.md").read_text().split())
    match = re.search(r"(\d+) series without a preset, up to about (\d+)", text)
    assert match is not None
    least, most = map(int, match.groups())

    def series(service: str) -> int:
        return sum(f'service="{service}"' in line for line in page.splitlines())

    assert abs(series("billing") - least) <= 4
    assert least < series("openai") <= most
