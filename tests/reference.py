"""Write the generated parts of the documentation; `test_conventions` fails when they are stale."""

from __future__ import annotations

import ast
import json
import sys
import textwrap
import tomllib
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from exporter.checks import AnswerRule
from exporter.config import Canary, Monitoring, Notification, Service
from exporter.demo.shipped import composed_alertmanager
from exporter.metrics import FAMILIES, INCIDENT_FAMILIES
from exporter.metrics.family import Family
from exporter.metrics.incidents import IncidentFamily
from exporter.metrics.models import MODEL_FAMILIES, ModelFamily
from exporter.model import FACTS, Reason, advice_of, verdict_of
from exporter.providers import Preset, PresetCheck, Promise, presets
from exporter.reports import FORMATS
from exporter.settings import reference
from tests.reports.example import example

ROOT = Path(__file__).parent.parent
_BEGIN, _END = "<!-- generated: {} -->", "<!-- end -->"


def settings(cls: object) -> Iterator[str]:
    """Yield the table of the settings of *cls*."""
    yield "| setting | kind | default | meaning |"
    yield "|---|---|---|---|"
    yield from reference(cls)


def metrics(families: Iterable[Family | IncidentFamily | ModelFamily]) -> Iterator[str]:
    """Yield the table of *families*."""
    yield "| metric | type | meaning |"
    yield "|---|---|---|"
    for family in families:
        yield f"| `{family.name}` | {family.kind} | {family.help} |"


def reasons() -> Iterator[str]:
    """Yield the table of reasons and what follows from them."""
    yield "| reason | in words | verdict | `service_up` | `service_key_valid` | what to do |"
    yield "|---|---|---|---|---|---|"
    shown = {True: "1", False: "0", None: "absent"}
    for reason in Reason:
        facts = FACTS[reason]
        yield (
            f"| `{reason}` | {facts.fault} | `{facts.verdict}` | {shown[facts.up]} "
            f"| {shown[facts.key_valid]} | {facts.advice} |"
        )


def providers() -> Iterator[str]:
    """Yield the table of presets."""
    yield "| provider | key variable | further variables | health call | every | at least |"
    yield "|---|---|---|---|---|---|"
    for name, preset in presets().items():
        keys = ", ".join(f"`{v}`" for v in preset.key_variables)
        more = ", ".join(f"`{v}`" for v in preset.variables)
        call = f"`{preset.health.method} {preset.health.endpoint}`"
        every, least = preset.intervals.health, preset.intervals.minimum
        yield f"| `{name}` | {keys} | {more} | {call} | {every:g}s | {least:g}s |"


GUIDES = "exporter/providers/README.md"


def guide(preset: Preset) -> Iterator[str]:
    """Yield what the preset says: what is asked and what each answer means."""
    yield "| | |"
    yield "|---|---|"
    for what, text in _facts(preset):
        yield f"| {what} | {_cell(text)} |"
    yield ""
    yield from _answers(preset)
    if preset.caveats:
        yield ""
        for caveat in preset.caveats:
            yield textwrap.fill(f"- {caveat}.", 118, subsequent_indent="  ")


def _facts(preset: Preset) -> Iterator[tuple[str, str]]:
    every = preset.intervals
    yield "variables", "; ".join(_variables(preset))
    yield "the key goes in", _place(preset)
    yield "asked with a key", _call(preset.health)
    if preset.reachability:
        yield "without", _call(preset.reachability)
    if preset.quota:
        more = f"every {preset.quota.interval:g} s"
        yield "asked beside it", f"{_call(preset.quota.check)}, {more}"
    pace = f"{every.health:g} s; warned of below {every.minimum:g} s"
    yield "every", f"{pace}; {every.note}" if every.note else pace
    if limits := preset.rate_limits:
        known = f"({limits.confidence})"
        told = f"{len(limits.headers)} headers {known}; {limits.note}"
        yield "limits it tells", told if limits.headers else f"{limits.note} {known}"
    if key := preset.idempotency:
        note = f"; {key.note}" if key.note else ""
        yield "a POST may be repeated with", f"header `{key.header}` ({key.confidence}){note}"
    both = {
        True: "two keys can be valid at once; ",
        False: "one key at a time; ",
        None: "",
    }[preset.key.parallel]
    yield "rotation", f"{both}{preset.key.rotation} ({preset.key.confidence})"
    for lint in preset.key.lint:
        where = {None: "", "production": " in production", "other": " outside production"}
        yield f"{lint.level}{where[lint.environment]}", lint.message
    if page := preset.status_page:
        read = "read" if page.adapter else "only linked"
        note = f"; {page.note}" if page.note else ""
        yield "status page", f"<{page.url}>, {read} ({page.confidence}){note}"
    if promise := preset.sla:
        yield "what it promises", _promise(promise)
    yield "sources", " ".join(f"[{n}]({url})" for n, url in enumerate(preset.docs, 1))


def _promise(promise: Promise) -> str:
    number = "" if promise.availability is None else f"{promise.availability * 100:.4g} %"
    if promise.confidence != "doc":
        number = ""  # what others repeat is not printed as the vendor's
    period = f" a {promise.period}" if number and promise.period else ""
    parts = (f"{number}{period}", promise.plan, promise.covers, promise.note)
    links = " ".join(f"[{n}]({url})" for n, url in enumerate(promise.source, 1))
    return " ".join(
        filter(None, ("; ".join(filter(None, parts)), f"({promise.confidence})", links))
    )


def _variables(preset: Preset) -> Iterator[str]:
    yield " or ".join(f"`{name}`" for name in preset.key_variables) + ": the key"
    yield from (f"`{name}`: {what}" for name, what in preset.variables.items())


def _place(preset: Preset) -> str:
    auth = preset.auth
    prefix = f" after `{auth.prefix.strip()}`" if auth.prefix else ""
    places = {
        "header": f"header `{auth.header}`{prefix}",
        "query": f"query parameter `{auth.name}`",
        "basic": f"basic authentication, user `{auth.username}`",
        "none": "nowhere",
    }
    return places[auth.kind] + (f"; {auth.note}" if auth.note else "")


def _call(check: PresetCheck) -> str:
    statuses = " or ".join(map(str, check.expected_status_codes))
    held = f" and {len(check.assertions)} assertions" if check.assertions else ""
    note = f"; {check.note}" if check.note else ""
    call = f"`{check.method} {check.endpoint}`"
    return f"{call} must answer {statuses}{held} ({check.confidence}){note}"


def _answers(preset: Preset) -> Iterator[str]:
    yield "| answer | reason | known from | what to do |"
    yield "|---|---|---|---|"
    for rule in preset.answers:
        note = f" – {rule.note}" if rule.note else ""
        answer = _cell(_condition(rule) + note)
        verdict, has_page = verdict_of(rule.reason), preset.status_page is not None
        advice = advice_of(rule.reason, verdict, has_page=has_page)
        yield f"| {answer} | `{rule.reason}` | {rule.confidence} | {advice} |"


def _condition(rule: AnswerRule) -> str:
    text = str(rule.status)
    if rule.header_absent:
        text += f" without `{rule.header_absent}`"
    if (when := rule.when) is None:
        return text
    place = "the body" if when.body else f"`{when.json or when.header}`"
    if when.in_ is not None:
        return f"{text}, {place} one of {', '.join(f'`{value}`' for value in when.in_)}"
    if when.matches is not None:
        return f"{text}, {place} matches `{when.matches}`"
    return f"{text}, {place} is `{when.equals}`"


def _cell(text: str) -> str:
    """Return *text* for a cell of a table: a bar would end it, in code as well."""
    return text.replace("|", "\\|")


def rooms() -> Iterator[str]:
    """Yield the table of rooms, from the top of the import contract to its bottom."""
    yield "| room | what it is for | files |"
    yield "|---|---|---|"
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(c["layers"] for c in contract["contracts"] if c["type"] == "layers")
    for layer in layers:
        for name in layer.replace("exporter.", "").split(" | "):
            yield _room(ROOT / "exporter" / name)


def _room(place: Path) -> str:
    if not place.is_dir():
        file = place.with_suffix(".py")
        return f"| `{file.name}` | {_first_sentence(file)} | |"
    inside = (path for path in place.iterdir() if not path.name.startswith("_"))
    folders, files = [], []
    for path in sorted(inside):
        if path.is_dir() and any(path.glob("*.py")):
            folders.append(f"`{path.name}/`")
        elif path.suffix == ".py":
            files.append(f"`{path.stem}`")
    meaning = _first_sentence(place / "__init__.py")
    return f"| `{place.name}/` | {meaning} | {' '.join(files + folders)} |"


def _first_sentence(file: Path) -> str:
    text = ast.get_docstring(ast.parse(file.read_text())) or ""
    return _cell(" ".join(text.partition("\n\n")[0].split()))


def report() -> Iterator[str]:
    """Yield the example of a report."""
    yield "```console"
    yield "$ service-registry report sms --from 2026-10 --to 2026-11"
    yield from FORMATS["text"].render([example()]).rstrip().splitlines()
    yield "```"


PARTS = {
    ("exporter/reports/README.md", "example"): report,
    ("exporter/README.md", "rooms"): rooms,
    **{(GUIDES, name): partial(guide, preset) for name, preset in presets().items()},
    ("config/README.md", "service"): lambda: settings(Service),
    ("config/README.md", "canary"): lambda: settings(Canary),
    ("config/README.md", "monitoring"): lambda: settings(Monitoring),
    ("config/README.md", "notify"): lambda: settings(Notification),
    ("config/README.md", "providers"): providers,
    ("exporter/metrics/README.md", "metrics"): lambda: metrics(FAMILIES),
    ("exporter/metrics/README.md", "models"): lambda: metrics(MODEL_FAMILIES),
    ("exporter/metrics/README.md", "incidents"): lambda: metrics(INCIDENT_FAMILIES),
    ("exporter/metrics/README.md", "reasons"): reasons,
}


def written(path: str, text: str) -> str:
    """Return the *text* of the file at *path* with its generated parts made anew."""
    for (where, name), rows in PARTS.items():
        if where == path:
            begin = _BEGIN.format(name)
            before, _, rest = text.partition(begin)
            _, _, after = rest.partition(_END)
            body = "\n".join(rows())
            text = f"{before}{begin}\n\n{body}\n\n{_END}{after}"
    return text


DEMO = ROOT / "alertmanager" / "demo.yml"


def demo_alertmanager() -> str:
    """Return alertmanager/demo.yml: JSON, which is YAML."""
    head = "# Generated from alertmanager.yml by `make reference`: what the profile demo uses.\n"
    return head + json.dumps(composed_alertmanager(), indent=1) + "\n"


SLACK_UPDATES = ROOT / "alertmanager" / "alertmanager.slack-updates.yml"
_SLACK_HEAD = """\
# Generated from alertmanager.yml by `make reference`: Slack gets one message a group, which is
# updated. From Alertmanager 0.32 on. README.md says how the token is made and what updates lack.
"""
_SLACK_EDITS = (
    (
        "  slack_api_url_file: /etc/alertmanager/secrets/slack_webhook_url\n",
        "  slack_app_token_file: /etc/alertmanager/secrets/slack_bot_token\n",
    ),
    (
        "        channel: '#api-alerts'\n",
        "        channel: '#api-alerts'\n        update_message: true\n",
    ),
    (
        "# Who is told what. Loads in Alertmanager 0.25 (Debian 12) and later (tested: to 0.35).\n",
        _SLACK_HEAD,
    ),
)


def slack_updates() -> str:
    """Return alertmanager/alertmanager.slack-updates.yml."""
    text = (ROOT / "alertmanager" / "alertmanager.yml").read_text()
    for ours, theirs in _SLACK_EDITS:
        if text.count(ours) != 1:
            raise LookupError(f"not once in alertmanager.yml: {ours}")
        text = text.replace(ours, theirs)
    return text


def main() -> int:
    DEMO.write_text(demo_alertmanager())
    SLACK_UPDATES.write_text(slack_updates())
    for path in sorted({where for where, _ in PARTS}):
        file = ROOT / path
        file.write_text(written(path, file.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
