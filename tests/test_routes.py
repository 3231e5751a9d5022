"""Who is told: shipped routes, inhibitions and texts, by amtool and a running Alertmanager."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.programs import write_templates
from tests.alertmanager import (
    SHIPPED,
    Mail,
    Request,
    Sink,
    alert,
    alertmanager,
    http_sink,
    mail_sink,
    muted,
    post,
    seconds,
    shipped,
)
from tests.documents import yaml_of
from tests.programs import program

ROOM = SHIPPED.parent
CONFIG = yaml_of(SHIPPED.read_text())
CASES = list(csv.reader((ROOM / "tests" / "routes.tsv").read_text().splitlines(), delimiter="\t"))
RUNBOOK = "https://runbooks.example.org/prometheus#servicedown"
TEXTS = {  # every text a receiver sends, by the engine Alertmanager uses for it
    "registry.slack.title": "text",
    "registry.slack.text": "text",
    "registry.slack.color": "text",
    "registry.email.subject": "text",
    "registry.email.escalation": "text",
    "registry.email.text": "text",
    "registry.email.html": "html",
    "registry.email.team": "text",
    "registry.email.duty_manager": "text",
    "registry.pagerduty.title": "text",
    "registry.pagerduty.severity": "text",
    "registry.pagerduty.source": "text",
    "registry.pagerduty.firing": "text",
    "registry.pagerduty.resolved": "text",
    "registry.link": "text",
}


def amtool(*arguments: str) -> str:
    command = [program("amtool"), *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def rendered(name: str, data: str | Path, templates: Path = ROOM / "templates") -> str:
    path = ROOM / "tests" / f"{data}.json" if isinstance(data, str) else data
    return amtool(
        "template",
        "render",
        f"--template.glob={templates}/*.tmpl",
        f"--template.data={path}",
        f"--template.type={TEXTS[name]}",
        f'--template.text={{{{ template "{name}" . }}}}',
    )


def routes(route: dict[str, Any] = CONFIG["route"]) -> Iterator[dict[str, Any]]:
    yield route
    for child in route.get("routes", ()):
        yield from routes(child)


def fields(node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield name, value
            yield from fields(value)
    elif isinstance(node, list):
        for value in node:
            yield from fields(value)


def matchers() -> Iterator[str]:
    for name, value in fields(CONFIG):
        if name in {"matchers", "source_matchers", "target_matchers"}:
            yield from value


# The file


def test_the_shipped_file_loads() -> None:
    amtool("check-config", str(SHIPPED))


def test_no_secret_is_in_the_file() -> None:
    for name, value in fields(CONFIG):
        if re.search(r"(password|token|key|secret|credentials|api_url)$", name):
            raise AssertionError(f"{name} is inline")
        if name.endswith("_file"):
            assert re.fullmatch(r"/etc/alertmanager/secrets/\w+", value), f"{name}: {value}"


def test_every_secret_file_is_explained_in_the_readme() -> None:
    both = [CONFIG, yaml_of((ROOM / "alertmanager.slack-updates.yml").read_text())]
    files = {Path(value).name for name, value in fields(both) if name.endswith("_file")}

    listed = re.findall(r"^\| `(\w+)` \|", (ROOM / "README.md").read_text(), re.MULTILINE)

    assert sorted(files) == sorted(listed)


def test_every_address_is_a_placeholder() -> None:
    for path in (SHIPPED, *(ROOM / "templates").glob("*.tmpl")):
        text = re.sub(r"(?m)#.*$|\{\{/\*.*?\*/\}\}", "", path.read_text())
        for host in re.findall(r"(?:https?://|@)([a-z0-9.-]+\.[a-z]+)", text):
            assert host.endswith(("example.org", "example.com")), f"{path.name}: {host}"


def alerts_of_the_rules() -> set[str]:
    return {
        rule["alert"]
        for path in (ROOM.parent / "prometheus" / "rules").glob("*.yml")
        for group in yaml_of(path.read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }


def test_every_alert_that_is_named_exists() -> None:
    known = {*alerts_of_the_rules(), "ManualIncident"}

    named = [
        m[1] for m in (re.fullmatch(r'alertname[=!~]+"(.*)"', text) for text in matchers()) if m
    ]

    assert len(named) > 20
    for names in named:
        for name in names.split("|"):
            assert any(re.fullmatch(name, alert) for alert in known), f"no rule is called {name}"


def test_every_alert_of_the_rules_has_a_route_case() -> None:
    tried = {re.findall(r"alertname=(\w+)", labels)[0] for labels, _, _ in CASES[1:]}

    assert alerts_of_the_rules() - tried == set()


def test_no_alert_can_mute_itself() -> None:
    names = sorted(
        {n for m in matchers() for n in re.findall(r"\b[A-Z]\w+", m)} | {"ServiceUnresolved"}
    )
    severities = ("critical", "high", "medium", "low", "none")
    places = ({}, {"service": "a"}, {"service": "a", "environment": "b", "provider": "c"})
    for rule in CONFIG["inhibit_rules"]:
        for name in names:
            for severity in severities:
                for place in places:
                    labels = {"alertname": name, "severity": severity, **place}
                    both = [
                        _matches(rule[side], labels)
                        for side in ("source_matchers", "target_matchers")
                    ]
                    assert both != [True, True], f"{labels}: {rule}"


def _matches(rules: list[str], labels: dict[str, str]) -> bool:
    for rule in rules:
        name, operator, value = re.fullmatch(r'(\w+)(=~|!~|!=|=)"(.*)"', rule).groups()  # type: ignore[union-attr]
        value = value if "~" in operator else re.escape(value)
        if bool(re.fullmatch(value, labels.get(name, ""))) is operator.startswith("!"):
            return False
    return True


def test_the_last_route_takes_what_no_other_took() -> None:
    assert set(CONFIG["route"]["routes"][-1]) == {"receiver"}


def test_every_receiver_of_a_route_exists_and_spares_are_single_media() -> None:
    there = {receiver["name"] for receiver in CONFIG["receivers"]}
    used = {route["receiver"] for route in routes() if "receiver" in route}

    assert used <= there
    assert there - used == {"webhook", "pagerduty"}


def test_what_ends_is_told_by_every_medium_but_the_heartbeat() -> None:
    for receiver in CONFIG["receivers"]:
        for name, configs in receiver.items():
            if name != "name":
                ends = [config["send_resolved"] for config in configs]
                assert all(ends) is (receiver["name"] != "deadman"), receiver["name"]


def test_sources_have_two_evaluations_to_arrive_before_a_page() -> None:
    pages = next(r for r in routes() if r.get("matchers") == ['severity="critical"'])

    assert seconds(pages["group_wait"]) >= 30


def test_a_beat_is_never_skipped() -> None:
    beat = next(route for route in routes() if route.get("receiver") == "deadman")

    assert seconds(beat["repeat_interval"]) < seconds(beat["group_interval"])


def test_updates_of_slack_messages_are_the_only_difference() -> None:
    text = (ROOM / "alertmanager.slack-updates.yml").read_text()
    found = json.loads(json.dumps(yaml_of(text)))  # what anchors share is separate then

    assert found["global"].pop("slack_app_token_file")
    assert found["global"] == {k: v for k, v in CONFIG["global"].items() if "slack" not in k}
    assert {
        name: value for name, value in found.items() if name not in {"global", "receivers"}
    } == {name: value for name, value in CONFIG.items() if name not in {"global", "receivers"}}
    for ours, theirs in zip(CONFIG["receivers"], found["receivers"], strict=True):
        updated = {one.pop("update_message") for one in theirs.get("slack_configs", ())}
        assert updated <= {True}
        assert bool(updated) is bool(ours.get("slack_configs"))
        assert theirs == ours


@pytest.mark.parametrize("name", ["teams", "opsgenie", "incidentio"])
def test_an_example_is_one_receiver_with_our_texts_and_no_secret(tmp_path: Path, name: str) -> None:
    path = ROOM / "examples" / f"{name}.yml"
    text = path.read_text()
    (receiver,) = yaml_of(text)["receivers"]
    (media,) = [value for key, value in receiver.items() if key != "name"]
    secrets = [v for key, v in fields(media) if key.endswith("_file")]

    assert receiver["name"] == name
    assert media[0]["send_resolved"] is True
    assert secrets
    for secret in secrets:
        assert re.fullmatch(r"/etc/alertmanager/secrets/\w+", secret)
        assert Path(secret).name in re.sub(r"\s*\n# ", " ", text.partition("receivers:")[0])
    assert not [key for key, _ in fields(media) if re.search(r"(token|key|secret|_url|^url)$", key)]
    defined = "".join(path.read_text() for path in (ROOM / "templates").glob("*.tmpl"))
    for template in re.findall(r'template "([\w.]+)"', text):
        assert f'define "{template}"' in defined
    if name == "opsgenie":  # the others are newer than Debian's Alertmanager
        whole = CONFIG | {"receivers": [*CONFIG["receivers"], receiver]}
        (tmp_path / "whole.yml").write_text(yaml.safe_dump(whole))
        amtool("check-config", str(tmp_path / "whole.yml"))


# The routes


@pytest.mark.parametrize(("labels", "receivers", "why"), CASES[1:], ids=lambda text: text[:40])
def test_an_alert_goes_where_the_table_says(labels: str, receivers: str, why: str) -> None:
    amtool(
        "config",
        "routes",
        "test",
        f"--config.file={SHIPPED}",
        f"--verify.receivers={receivers}",
        *labels.split(),
    )
    assert why


# The texts


@pytest.mark.parametrize("data", ["firing", "resolved", "several", "hostile"])
@pytest.mark.parametrize("name", TEXTS)
def test_a_text_renders(name: str, data: str) -> None:
    text = rendered(name, data)

    assert text.strip() or (name, data) in {
        ("registry.pagerduty.firing", "resolved"),
        ("registry.pagerduty.resolved", "firing"),
        ("registry.pagerduty.resolved", "hostile"),
    }
    assert "<no value>" not in text
    assert "not-for-everybody" not in text, "only labels we know are shown"


def test_every_text_of_a_receiver_is_defined_and_tested() -> None:
    used = set(re.findall(r'template "([\w.]+)"', SHIPPED.read_text()))

    assert used - {"registry.runbook", "registry.name"} == set(TEXTS)


@pytest.mark.parametrize(
    "name",
    [
        "registry.slack.text",
        "registry.email.text",
        "registry.email.html",
        "registry.pagerduty.firing",
    ],
)
def test_a_message_says_what_since_when_whose_fault_and_what_to_do(name: str) -> None:
    text = rendered(name, "firing").replace("&#39;", "'")

    assert "CRITICAL" in text
    assert "openai (production) fails its health check." in text
    assert "Since 10:21 UTC on 27 November: server error. At fault: the provider." in text
    assert "Alert since Wed 25 Nov 2026 02:03:04 UTC" in text
    assert RUNBOOK in text
    assert "/#/silences/new?filter=%7Balertname%3D%22ServiceDown%22%2Cenvironment%3D" in text
    assert "severity%3D" not in text, "a silence outlives a rise of severity"


@pytest.mark.parametrize(
    "name",
    [
        "registry.slack.text",
        "registry.email.text",
        "registry.email.html",
        "registry.pagerduty.resolved",
    ],
)
def test_a_message_of_the_end_says_how_long_it_lasted(name: str) -> None:
    text = rendered(name, "resolved")

    assert "openai (production): ServiceDown is over, it lasted 1h12m" in text
    assert "From Wed 25 Nov 02:03:04 to Wed 25 Nov 03:15:09 UTC" in text
    assert text.index("RESOLVED") < text.index("From Wed")
    for of_the_failure in ("is down", "503", "fault", "silences/new", RUNBOOK, "CRITICAL"):
        assert of_the_failure not in text


def test_a_title_is_what_and_why_or_the_number_of_problems() -> None:
    for name in ("registry.email.subject", "registry.slack.title", "registry.pagerduty.title"):
        assert rendered(name, "firing") == (
            "CRITICAL: openai (production) fails its health check: "
            "server error, at fault: the provider"
        )
        assert rendered(name, "resolved") == (
            "RESOLVED: openai (production): ServiceDown is over, it lasted 1h12m"
        )
    assert rendered("registry.email.subject", "several") == (
        "CRITICAL: several problems (2 alerts, openai, production)"
    )


@pytest.mark.parametrize(
    ("severity", "word"),
    [
        ("critical", "critical"),
        ("high", "error"),
        ("medium", "warning"),
        ("low", "info"),
        ("", "info"),
    ],
)
def test_pagerduty_hears_its_own_words(tmp_path: Path, severity: str, word: str) -> None:
    data = json.loads((ROOM / "tests" / "firing.json").read_text())
    data["alerts"][0]["labels"]["severity"] = severity
    (tmp_path / "data.json").write_text(json.dumps(data))

    assert rendered("registry.pagerduty.severity", tmp_path / "data.json") == word


@pytest.mark.parametrize("data", ["firing", "several", "hostile", "crafted"])
def test_details_for_pagerduty_are_text_for_a_newer_alertmanager_too(
    tmp_path: Path, data: str
) -> None:
    """A detail that reads as YAML becomes a structure there, and is rendered once more."""
    found = json.loads((ROOM / "tests" / "firing.json").read_text())
    found["alerts"][0] |= {"annotations": {"summary": "'", "description": "{{ .Labels }}"}}
    found["alerts"][0]["labels"]["team"] = "'\nSilence: '"
    (tmp_path / "crafted.json").write_text(json.dumps(found))
    path = tmp_path / "crafted.json" if data == "crafted" else data

    text = rendered("registry.pagerduty.firing", path)

    with pytest.raises(yaml.YAMLError):
        yaml_of(text)


def test_slack_sees_no_command_in_a_hostile_text() -> None:
    for name in ("registry.slack.title", "registry.slack.text"):
        text = rendered(name, "hostile")

        commands = re.findall(r"<[^>]*>", text)

        assert all(c.startswith("<http://alertmanager.example.org:9093/#/") for c in commands), (
            commands
        )
        assert "&lt;!channel&gt;" in text


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_a_mail_has_no_tag_or_attribute_from_a_hostile_text() -> None:
    tags = _Tags()
    tags.feed(rendered("registry.email.html", "hostile"))

    names = {tag for tag, _ in tags.seen}
    attributes = {name for _, attrs in tags.seen for name in attrs}
    links = [attrs["href"] or "" for tag, attrs in tags.seen if tag == "a"]

    assert names <= {
        "html",
        "head",
        "meta",
        "title",
        "body",
        "div",
        "h1",
        "p",
        "b",
        "br",
        "a",
        "span",
    }
    assert attributes <= {"lang", "charset", "name", "content", "style", "href"}
    assert all(link.startswith("http://alertmanager.example.org:9093/#/") for link in links)


def test_a_mail_leaves_ground_and_text_colour_to_the_reader() -> None:
    html = rendered("registry.email.html", "firing")

    assert not re.search(r"background|[^-]color:", html)
    assert '<meta name="color-scheme" content="light dark">' in html


def test_the_address_of_a_mail_never_comes_from_a_label() -> None:
    assert rendered("registry.email.team", "hostile") == "api-owners@example.org"
    assert rendered("registry.email.team", "firing") == "platform@example.org"


def test_a_dashboard_is_linked_once_grafana_is_known(tmp_path: Path) -> None:
    for path in (ROOM / "templates").glob("*.tmpl"):
        text = path.read_text().replace(
            '$grafana := ""', '$grafana := "https://grafana.example.org"'
        )
        (tmp_path / path.name).write_text(text)
    line = "Dashboard: https://grafana.example.org/d/registry-service?var-service=openai"

    for name in ("registry.slack.text", "registry.email.text", "registry.email.html"):
        assert line not in rendered(name, "firing")
        assert line in rendered(name, "firing", tmp_path)
        assert "/d/" not in rendered(name, "hostile", tmp_path)


def ended(folder: Path, *, seconds_long: int = 725, count: int = 1, **labels: str) -> Path:
    """Write *count* alerts that have ended, with *labels* besides the file's; return the path."""
    data = json.loads((ROOM / "tests" / "resolved.json").read_text())
    begun = datetime(2026, 11, 25, 2, 3, 4, tzinfo=UTC)
    (one,) = data["alerts"]
    one["labels"] |= labels
    one["endsAt"] = (begun + timedelta(seconds=seconds_long)).isoformat()
    data["alerts"] = [one] * count
    data["commonLabels"] = one["labels"]
    (folder / "ended.json").write_text(json.dumps(data))
    return folder / "ended.json"


@pytest.mark.parametrize(
    ("seconds_long", "shown"),
    [(7, "7s"), (59, "59s"), (60, "1m"), (725, "12m"), (3600, "1h"), (90000, "25h")],
)
def test_how_long_it_lasted_is_read_at_a_glance(
    tmp_path: Path, seconds_long: int, shown: str
) -> None:
    title = rendered("registry.email.subject", ended(tmp_path, seconds_long=seconds_long))

    assert title.endswith(f" is over, it lasted {shown}")


def test_the_end_of_several_says_how_many(tmp_path: Path) -> None:
    same = rendered("registry.slack.title", ended(tmp_path, count=3))
    mixed = rendered("registry.slack.title", ended(tmp_path, count=3, alertname=""))

    assert same == "RESOLVED: openai (production): ServiceDown is over (3 alerts)"
    assert mixed == "RESOLVED: openai (production): several problems are over (3 alerts)"


def test_the_end_of_what_has_no_service_names_the_alert(tmp_path: Path) -> None:
    nowhere = {"service": "", "provider": "", "environment": ""}

    title = rendered("registry.slack.title", ended(tmp_path, **nowhere))

    assert title == "RESOLVED: ServiceDown is over, it lasted 12m"


@pytest.mark.parametrize("name", ["registry.slack.text", "registry.email.text"])
def test_the_end_of_a_manual_incident_quotes_its_reporter(tmp_path: Path, name: str) -> None:
    text = rendered(name, ended(tmp_path, alertname="ManualIncident"))

    assert '"openai (production) is down." is over, it lasted 12m' in text


def test_slack_sees_no_command_in_the_end_of_a_hostile_alert(tmp_path: Path) -> None:
    data = json.loads((ROOM / "tests" / "hostile.json").read_text())
    data["status"] = data["alerts"][0]["status"] = "resolved"
    data["alerts"][0]["endsAt"] = "2026-11-25T03:15:09Z"
    path = tmp_path / "ended.json"
    for alertname in (data["alerts"][0]["labels"]["alertname"], "ManualIncident"):
        data["alerts"][0]["labels"]["alertname"] = data["commonLabels"]["alertname"] = alertname
        path.write_text(json.dumps(data))

        for name in ("registry.slack.title", "registry.slack.text"):
            text = rendered(name, path)
            assert "RESOLVED" in text
            assert not re.search(r"<[^>]*>", text)
        assert "<script" not in rendered("registry.email.html", path)


def test_the_page_of_the_service_is_linked_once_its_address_is_known(tmp_path: Path) -> None:
    to = tmp_path / "to"
    to.mkdir()
    page = "https://registry.example.org"
    templates = Path(write_templates(to, ROOM, ["templates/*.tmpl"], page)[0]).parent
    for path in (ROOM / "templates").glob("*.tmpl"):
        if not (templates / path.name).exists():
            shutil.copy(path, templates)
    texts = ("registry.slack.text", "registry.email.text", "registry.email.html")
    began = round(datetime(2026, 11, 25, 2, 3, 4, tzinfo=UTC).timestamp())
    holds = "(failed requests with ids and answers, a report for the vendor)"
    failure = f"?until={began}#failures {holds}"

    for name in (*texts, "registry.pagerduty.firing"):
        assert f"Page: {page}/services/openai{failure}" in rendered(name, "firing", templates)
        assert "Page:" not in rendered(name, "firing")
        hostile = rendered(name, "hostile", templates)
        assert f"Page: {page}/services/%3Cimg" in hostile
    for name in texts:
        assert f"Page: {page}/services/openai" in rendered(name, "resolved", templates)
        assert "#failures" not in rendered(name, "resolved", templates)
        alone = rendered(name, ended(tmp_path, service=""), templates)
        assert re.search(rf"Page: {page}/incidents\s*(?:<|$|\n)", alone)


def test_an_address_of_the_page_that_somebody_wrote_stays(tmp_path: Path) -> None:
    own = tmp_path / "addresses.tmpl"
    text = (ROOM / "templates" / "addresses.tmpl").read_text()
    own.write_text(text.replace('$page := ""', '$page := "https://mine.example.org"'))

    assert write_templates(tmp_path / "to", tmp_path, ["*.tmpl"], "http://localhost") == [str(own)]


# A running Alertmanager


@dataclass(frozen=True, slots=True)
class Stage:
    """A running Alertmanager with the shipped configuration and everything it talks to."""

    url: str
    web: Sink[Request]
    mail: Sink[Mail]

    def post(self, *alerts: dict[str, Any]) -> None:
        post(self.url, *alerts)

    def pages(self, count: int) -> list[dict[str, Any]]:
        got = self.web.wait(
            lambda r: r.path == "/pagerduty" and r.body["event_action"] == "trigger", count
        )
        return [request.body for request in got]

    def slack(self, text: str, count: int = 1) -> list[dict[str, Any]]:
        got = self.web.wait(lambda r: r.path == "/slack" and text in json.dumps(r.body), count)
        return [request.body for request in got]

    def told(self, text: str) -> list[dict[str, Any]]:
        """Return what Slack heard of *text* so far."""
        heard = [request.body for request in list(self.web.items) if request.path == "/slack"]
        return [body for body in heard if text in json.dumps(body)]


@pytest.fixture
def web() -> Iterator[Sink[Request]]:
    with http_sink() as sink:
        yield sink


@pytest.fixture
def mail() -> Iterator[Sink[Mail]]:
    with mail_sink() as sink:
        yield sink


@pytest.fixture
def stage(tmp_path: Path, web: Sink[Request], mail: Sink[Mail]) -> Iterator[Stage]:
    with alertmanager(shipped(tmp_path, sink=web.url, mail=mail.address)) as url:
        yield Stage(url, web, mail)


def about(
    service: str, name: str = "ServiceDown", severity: str = "critical", **more: str
) -> dict[str, str]:
    """Return the labels of an alert about *service*, a provider's only one."""
    labels = {
        "alertname": name,
        "severity": severity,
        "service": service,
        "environment": "production",
        "provider": service,
        "team": "platform",
        "category": "availability",
        "cluster": "main",
    }
    return {label: value for label, value in {**labels, **more}.items() if value}


def fire(*args: str, ended: bool = False, summary: str = "", **more: str) -> dict[str, Any]:
    labels = about(*args, **more)
    told = summary or f"{labels['alertname']} {labels.get('service', '')} {labels['severity']}"
    return alert(labels, ended=ended, summary=told, runbook_url=RUNBOOK)


def network(**more: str) -> dict[str, Any]:
    more = {"provider": "", "environment": "", "team": "", **more}
    return fire("", "MonitoringNetworkDown", **more)


def outage(provider: str, **more: str) -> dict[str, Any]:
    return fire("", "ProviderOutage", provider=provider, **more)


def components(pages: list[dict[str, Any]]) -> list[str]:
    return sorted(page["payload"]["summary"].split(": ", 1)[1] for page in pages)


def test_our_network_down_is_one_page_instead_of_fifty(stage: Stage) -> None:
    services = [f"s{i}" for i in range(50)]
    stage.post(*map(fire, services), *map(outage, services), network())
    stage.pages(1)

    stage.post(fire("elsewhere", cluster="other"))

    assert components(stage.pages(2)) == [
        "MonitoringNetworkDown critical",
        "ServiceDown elsewhere critical",
    ]


def test_our_network_down_mutes_no_certificate_and_no_key_that_expires(stage: Stage) -> None:
    stage.post(
        network(),
        fire("a", "ServiceCertificateExpiringSoon", "high"),
        fire("a", "ServiceNotProbed", "high"),
        fire("a", "ServiceKeyExpiringSoon", "medium"),
        fire("a", "ServiceFlapping", "medium"),
    )
    stage.slack("ServiceCertificateExpiringSoon")
    mails = stage.mail.wait(lambda m: "ServiceKeyExpiringSoon" in m.subject)

    assert "Flapping" not in mails[0].part("plain")
    stage.post(fire("b", "ServiceRateLimited", "high", cluster="other"))
    stage.slack("ServiceRateLimited")
    assert not stage.told("NotProbed")


def test_a_guess_about_the_network_of_staging_mutes_no_production(stage: Stage) -> None:
    stage.post(network(environment="staging"), fire("a"), fire("b", environment="staging"))
    stage.slack("MonitoringNetworkDown")

    stage.post(fire("c", environment="staging", cluster="other"))

    assert components(stage.pages(1)) == ["ServiceDown a critical"]
    stage.slack("ServiceDown c")
    assert not stage.told("ServiceDown b")
    assert [labels["service"] for labels in muted(stage.url)] == ["b"]


def test_a_provider_outage_is_one_page_and_escalates_once(stage: Stage) -> None:
    services = [f"model-{i}" for i in range(12)]
    burns = (
        fire(name, "ServiceErrorBudgetBurn", provider="openai", slo="availability")
        for name in services
    )
    stage.post(*(fire(name, provider="openai") for name in services), *burns, outage("openai"))
    stage.pages(1)

    stage.post(
        *(fire(name, "ServiceUnresolved", provider="openai", escalation="1") for name in services)
    )
    (escalation,) = stage.mail.wait(lambda m: m.subject.startswith("Escalation 1: "))
    stage.post(fire("stripe"), fire("claude", environment="prod", provider="openai"))

    assert components(stage.pages(4)) == [
        "ProviderOutage critical",
        "ServiceDown claude critical",
        "ServiceDown stripe critical",
        "ServiceUnresolved (12 alerts, openai, production)",
    ]
    assert escalation.to == ["duty-manager@example.org"]


def test_each_service_of_one_provider_is_an_incident_of_its_own(stage: Stage) -> None:
    stage.post(fire("billing", provider="custom"))
    stage.pages(1)

    stage.post(fire("stock", provider="custom"))
    stage.pages(2)
    burn = fire("billing", "ServiceErrorBudgetBurn", provider="custom", slo="availability")
    stage.post(fire("billing", provider="custom", ended=True), burn)

    pages = stage.pages(3)
    assert pages[2]["payload"]["component"] == "billing"
    assert pages[2]["dedup_key"] == pages[0]["dedup_key"] != pages[1]["dedup_key"]


def test_services_of_no_provider_escalate_one_by_one(stage: Stage) -> None:
    def unresolved(service: str) -> dict[str, Any]:
        return fire(service, "ServiceUnresolved", escalation="1", provider="custom")

    stage.post(unresolved("billing"), unresolved("stock"))

    one, other = stage.pages(2)
    assert one["dedup_key"] != other["dedup_key"]


@pytest.mark.parametrize(
    ("source", "severity", "target"),
    [
        ("ServiceKeyRejected", "high", "ServiceDown"),
        ("ServiceKeyRejected", "high", "ServiceErrorBudgetBurn"),
        ("ServiceKeyRejected", "high", "ServiceUnresolved"),
        ("ServiceQuotaExhausted", "high", "ServiceDown"),
        ("ServiceQuotaExhausted", "high", "ServiceUnresolved"),
        ("ServiceMaintenance", "none", "ServiceDown"),
        ("ServiceMaintenance", "none", "ServiceUnresolved"),
        ("ServiceMaintenance", "none", "ServiceErrorBudgetBurn"),
    ],
)
def test_a_page_is_muted_by_what_explains_it(
    stage: Stage, source: str, severity: str, target: str
) -> None:
    escalation = "1" if target == "ServiceUnresolved" else ""
    stage.post(fire("a", target, escalation=escalation), fire("a", source, severity))

    stage.post(fire("b", target, escalation=escalation))
    stage.post(fire("a", target, escalation=escalation, environment="prod"))

    pages = stage.pages(2)
    assert sorted(page["payload"]["group"] for page in pages) == ["a", "b"]
    assert [(m["alertname"], m["service"], m["environment"]) for m in muted(stage.url)] == [
        (target, "a", "production")
    ]


def test_an_outage_explains_slow_unsteady_and_burning(stage: Stage) -> None:
    def effects(service: str, **more: str) -> list[dict[str, Any]]:
        return [
            fire(service, "ServiceFlapping", "medium", **more),
            fire(service, "ServiceLatencyHigh", "medium", **more),
            fire(service, "ServiceErrorBudgetBurn", "medium", slo="latency", **more),
        ]

    stage.post(*effects("a"), fire("a"), *effects("a", environment="prod"), *effects("b"))
    stage.post(fire("b", severity="high"))

    mails = stage.mail.wait(lambda m: "(3 alerts" in m.subject, 2)
    assert {m.subject for m in mails} == {
        "MEDIUM: several problems (3 alerts, a, prod)",
        "MEDIUM: several problems (3 alerts, b, production)",
    }
    assert len(muted(stage.url)) == 3


def test_an_expired_certificate_explains_an_outage_but_not_its_escalation(stage: Stage) -> None:
    burn = fire("a", "ServiceErrorBudgetBurn", slo="availability")
    unresolved = fire("a", "ServiceUnresolved", escalation="1")
    stage.post(fire("a", "ServiceCertificateExpired"), fire("a"), burn, unresolved)

    assert components(stage.pages(2)) == [
        "ServiceCertificateExpired a critical",
        "ServiceUnresolved a critical",
    ]
    assert sorted(m["alertname"] for m in muted(stage.url)) == [
        "ServiceDown",
        "ServiceErrorBudgetBurn",
    ]


def test_quota_exhausted_explains_rate_limited(stage: Stage) -> None:
    stage.post(
        fire("a", "ServiceRateLimited", "medium"),
        fire("a", "ServiceFlapping", "medium"),
        fire("a", "ServiceQuotaExhausted", "high"),
    )

    stage.post(fire("b", "ServiceRateLimited", "medium"))

    (message,) = stage.mail.wait(lambda m: "ServiceRateLimited" in m.subject)
    assert "Service: b" in message.part("plain")
    assert "Service: a" not in message.part("plain")


def test_an_outage_on_its_way_to_critical_is_told_once_per_medium(stage: Stage) -> None:
    stage.post(fire("a", severity="high"))
    stage.web.wait(lambda r: r.path == "/api/alertmanager")

    stage.post(fire("a", severity="critical"))
    stage.pages(1)
    stage.post(fire("b", severity="high"))

    stage.slack("ServiceDown b high")
    assert len(stage.told("")) == 2
    assert not stage.told("ServiceDown a high")


def test_the_higher_severity_mutes_the_lower_of_the_same_objective_only(stage: Stage) -> None:
    def burn(severity: str, slo: str) -> dict[str, Any]:
        return fire("a", "ServiceErrorBudgetBurn", severity, slo=slo, summary=f"{severity} {slo}")

    stage.post(burn("high", "availability"), burn("medium", "availability"))
    stage.post(burn("medium", "latency"), burn("low", "latency"), burn("low", "availability"))
    (message,) = stage.mail.wait(lambda m: m.subject == "MEDIUM: medium latency")
    stage.post(fire("b", "ServiceRateLimitHeadroomLow", "low"))

    stage.slack("ServiceRateLimitHeadroomLow b")
    stage.slack("high availability")
    assert "medium availability" not in message.part("plain")
    assert not stage.told("low latency")
    assert not stage.told("low availability")


def test_two_manual_incidents_never_mute_each_other(stage: Stage) -> None:
    def manual(incident: str, severity: str, service: str = "") -> dict[str, Any]:
        labels = {"incident": incident, "source": "manual", "category": "manual"}
        if not service:
            labels |= {"environment": "", "provider": "", "team": ""}
        return fire(service, "ManualIncident", severity, summary=f"incident {incident}", **labels)

    stage.post(manual("1", "critical"), manual("2", "critical"), manual("3", "high"))
    stage.post(manual("4", "critical", "a"), manual("5", "high", "a"))

    assert components(stage.pages(3)) == ["incident 1", "incident 2", "incident 4"]
    stage.slack("incident 3")
    stage.slack("incident 5")


def test_a_missing_exporter_explains_what_it_does_not_probe(stage: Stage) -> None:
    gone = {"provider": "", "environment": "", "team": "", "category": "monitoring"}
    stage.post(
        fire("a", "ServiceNotProbed", "high"),
        fire("a", "ServiceVanished", "medium"),
        network(),
        fire("", "ExporterDown", **gone),
    )

    stage.post(
        fire("b", "ServiceNotProbed", "high", cluster="other"),
        fire("b", "ServiceVanished", "medium", cluster="other"),
        network(cluster="third"),
    )

    stage.slack("ServiceNotProbed b")
    stage.mail.wait(lambda m: "ServiceVanished b" in m.subject)
    pages = stage.pages(2)
    assert components(pages) == ["ExporterDown critical", "MonitoringNetworkDown critical"]
    assert not stage.told("NotProbed a")
    assert not [m for m in stage.mail.items if "ServiceVanished a" in m.part("plain")]


def test_a_missing_exporter_explains_why_its_webhook_fails_and_no_other_medium(
    stage: Stage,
) -> None:
    own = {"provider": "", "environment": "", "team": "", "category": "monitoring"}
    failing = [
        fire("", "AlertmanagerNotificationsFailing", integration=name, **own)
        for name in ("webhook", "email")
    ]
    stage.post(fire("", "ExporterDown", **own), *failing)

    assert components(stage.pages(2)) == [
        "AlertmanagerNotificationsFailing critical",
        "ExporterDown critical",
    ]
    assert [m["integration"] for m in muted(stage.url)] == ["webhook"]


def test_a_mail_arrives_as_text_and_as_html(stage: Stage) -> None:
    note = "Latency is high.\r\nBcc: everybody@example.com"
    stage.post(fire("a", "ServiceLatencyHigh", "medium", team="payments", summary=note))

    (message,) = stage.mail.wait(lambda _: True)

    assert message.to == ["payments@example.org"]
    assert message.password == "made-up-smtp_password"
    assert message.message["Bcc"] is None
    assert message.message.get_content_type() == "multipart/alternative"
    assert "What to do: " + RUNBOOK in message.part("plain")
    assert f'<a href="{RUNBOOK}">' in message.part("html")
    assert f"{stage.url}/#/silences/new?filter=" in message.part("html")


def test_slack_gets_text_colour_and_channel_and_no_command(stage: Stage) -> None:
    stage.post(fire("a", summary="<!channel> <http://evil.example.com|log in>", pod="secret-pod"))

    (message,) = stage.slack("", 1)

    (shown,) = message["attachments"]
    assert message["channel"] == "#api-alerts"
    assert shown["color"] == "#d1242f"
    assert shown["title"] == shown["fallback"]
    assert "CRITICAL: &lt;!channel&gt;" in shown["title"]
    assert "<!" not in str(message)
    assert "<http://evil" not in str(message)
    assert f"<{RUNBOOK}|What to do>" in shown["text"]
    assert "secret-pod" not in str(message)


def test_pagerduty_gets_one_incident_that_ends(stage: Stage) -> None:
    stage.post(fire("a", pod="secret-pod", summary="<!channel> a is down."))
    (begun,) = stage.pages(1)

    stage.post(fire("a", pod="secret-pod", summary="<!channel> a is down.", ended=True))

    (ended,) = stage.web.wait(
        lambda r: r.path == "/pagerduty" and r.body["event_action"] == "resolve"
    )
    payload = begun["payload"]
    assert begun["routing_key"] == "made-up-pagerduty_routing_key"
    assert begun["dedup_key"] == ended.body["dedup_key"]
    assert begun["links"] == [{"href": RUNBOOK, "text": "What to do"}]
    assert payload["summary"] == "CRITICAL: <!channel> a is down."
    assert (payload["severity"], payload["source"], payload["component"]) == ("critical", "a", "a")
    assert set(payload["custom_details"]) == {"firing", "resolved", "num_firing", "num_resolved"}
    assert "secret-pod" not in str(begun)


def test_a_team_with_a_rota_is_paged_by_its_own_key(stage: Stage) -> None:
    stage.post(fire("a", team="payments"))

    (page,) = stage.pages(1)

    assert page["routing_key"] == "made-up-pagerduty_routing_key_payments"


def test_a_page_reaches_every_medium(stage: Stage) -> None:
    stage.post(fire("a"))

    stage.pages(1)
    stage.slack("ServiceDown a")
    stage.mail.wait(lambda m: m.to == ["platform@example.org"])
    (hook,) = stage.web.wait(lambda r: r.path == "/webhook")
    assert hook.headers["authorization"] == "Bearer made-up-webhook_token"


def test_the_log_gets_every_alert_alone_with_its_token_and_its_end(stage: Stage) -> None:
    stage.post(fire("a"), fire("b", "ServiceMaintenance", "none"), fire("c", environment="staging"))

    got = stage.web.wait(lambda r: r.path == "/api/alertmanager", 3)
    stage.post(fire("a", ended=True))
    (ended,) = stage.web.wait(
        lambda r: r.path == "/api/alertmanager" and r.body["status"] == "resolved"
    )

    assert {r.headers["authorization"] for r in got} == {"Bearer made-up-exporter-token"}
    assert [len(r.body["alerts"]) for r in got] == [1, 1, 1]
    assert ended.body["commonLabels"]["service"] == "a"


def test_the_heartbeat_beats_outside_and_in_the_exporter_only(stage: Stage) -> None:
    stage.post(alert({"alertname": "Watchdog", "severity": "none", "cluster": "main"}))

    beats = stage.web.wait(lambda r: r.path.startswith("/deadman/"), 3)
    stage.web.wait(lambda r: r.path == "/api/alertmanager", 3)

    assert beats[0].path == "/deadman/00000000-0000-0000-0000-000000000000"
    assert {r.path for r in stage.web.items} == {beats[0].path, "/api/alertmanager"}
    assert {r.body["receiver"] for r in stage.web.items} == {"deadman"}


@pytest.mark.parametrize("office_open", [True, False])
def test_staging_never_pages_and_is_told_in_office_hours_only(
    tmp_path: Path, web: Sink[Request], mail: Sink[Mail], *, office_open: bool
) -> None:
    config = shipped(tmp_path, sink=web.url, mail=mail.address, office_open=office_open)
    text = config.read_text()
    waits = '"group_wait": "1200ms"'  # the marker below must come after the group of staging
    assert text.count(waits) == 1
    config.write_text(text.replace(waits, '"group_wait": "100ms"'))
    with alertmanager(config) as url:
        stage = Stage(url, web, mail)
        stage.post(fire("a", environment="staging"), fire("b", environment="staging", provider="a"))

        stage.post(fire("c", "ServiceRateLimited", "high"))
        stage.slack("ServiceRateLimited c")

        quiet = stage.told("staging")
        assert len(quiet) == (1 if office_open else 0)
        assert {message["channel"] for message in quiet} <= {"#api-alerts-non-production"}
        assert not [r for r in web.items if r.path == "/pagerduty"]
        web.wait(lambda r: r.path == "/api/alertmanager", 3)
