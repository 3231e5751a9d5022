"""The figures in sentences are those of the code: each is written here with the name it has there.

Where a constant changes, the sentence that a document then needs is in the message of the test.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from exporter import characters, checks, clock, evidence
from exporter.alerting import evaluator, response
from exporter.api import bodies, guard, guesses
from exporter.api import incidents as incident_routes
from exporter.cli import costs
from exporter.config import Configuration
from exporter.config.declarations import Alerts
from exporter.config.models import DEFAULT_BUDGET, ModelCheck
from exporter.config.thresholds import thresholds_of
from exporter.incidents import alerts, fold, log, peers, reconcile, spells, states
from exporter.matching import beside, data, evaluation, paths
from exporter.model import REJECTED_INTERVAL_SECONDS
from exporter.models.states import MOST_USUAL
from exporter.multitarget import capacity, module_mistakes, prober
from exporter.notifying import failing, mailbox, notifier, sending, web
from exporter.options import Options
from exporter.probers import cookies, echoes, transport, x509
from exporter.probers.curl import certificates, chains, shortages
from exporter.providers import presets
from exporter.public import bars, days, outsiders
from exporter.readings import limits, retirement, times
from exporter.registry import loading
from exporter.results import failures, minutes, persistence, recent
from exporter.results.history import WIDTH_SECONDS
from exporter.schedule import canaries, heart, scheduler
from exporter.serving import connection, listening, slots, stopping, watchdog
from exporter.sessions import retrying
from exporter.settings import document
from exporter.settings.check import MAX_SUGGESTIONS
from exporter.statuspages import freshness, pages, records
from exporter.statuspages import incidents as page_incidents
from exporter.statuspages import leads as page_leads
from exporter.statuspages.adapters import feed
from exporter.store import damage, database, keys, upkeep
from exporter.store import incidents as incident_table
from exporter.store.history import KEPT_BUCKETS
from tests.hostile.behaviours import BEHAVIOURS
from tests.sentinel import forms_of
from tests.serving.flood import IDLE, SLOW_READERS
from tests.test_rules import ALERTS, RULES
from tests.torture.rebinding import ADDRESSES, REDIRECTS

ROOT = Path(__file__).parent.parent
KIB, MIB = 1024, 1024 * 1024
MINUTE, HOUR, DAY = 60, 3600, 86_400
README, SETTINGS = "README.md", "config/README.md"
SECURITY, RUNBOOK = ".github/SECURITY.md", "prometheus/README.md"
TORTURE = "tests/torture/README.md"
OPTIONS = Options(source=Configuration, environment={})
WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

FIGURES: list[tuple[str, str, tuple[float | None, ...]]] = [
    (README, "It knows {} providers", (len(presets()),)),
    (README, "[{:w} dashboards]", (len([*ROOT.glob("grafana/dashboards/*.json")]),)),
    ("CHANGELOG.md", "Prometheus rules for {} alerts", (len(ALERTS),)),
    (README, "has the last {} results", (recent.KEPT_RESULTS,)),
    (README, "what the last {} failed probes were answered", (failures.KEPT_FAILURES,)),
    (README, "asked as well (every {} s, and at the start)", (reconcile.INTERVAL_SECONDS,)),
    (README, "judges its own results every {} seconds", (response.PERIOD_SECONDS,)),
    (README, "`--rollback` within {} h", (keys.ROLLBACK_SECONDS / HOUR,)),
    (SETTINGS, "model_checks: {{day: {}, month: {}}}", (DEFAULT_BUDGET.day, DEFAULT_BUDGET.month)),
    (SETTINGS, "the median of up to {} good checks", (MOST_USUAL,)),
    (SETTINGS, "each of the first {:w} models that cost a cent", (costs._MOST_LINES,)),
    (SETTINGS, "`api_key_file` is noticed within {:w} seconds", (loading.KEY_POLL_SECONDS,)),
    (SETTINGS, "asked every {} s at the latest", (canaries.OFFLINE_INTERVAL_SECONDS,)),
    (SETTINGS, "{:W} seconds after one answers again", (canaries.SETTLE_SECONDS,)),
    (SETTINGS, "anew, within {} s and", (scheduler.RECOVERY_SECONDS,)),
    (SETTINGS, "page is asked every {:w} minutes", (pages.INTERVAL_SECONDS / MINUTE,)),
    (
        SETTINGS,
        "{:w} minutes before our last look",
        (records.BACKDATED_SECONDS / MINUTE,),
    ),
    (SETTINGS, "One posted {:w} hours before our failure", (page_leads.BEFORE_SECONDS / HOUR,)),
    (SETTINGS, "copy of more than {:w} minutes", (freshness.MOST_AGE_SECONDS / MINUTE,)),
    (SETTINGS, "at most every {} seconds, and every minute", (pages.LEAST_SECONDS,)),
    (SETTINGS, "every minute for the {:w} minutes after it", (pages.RUNG_SECONDS / MINUTE,)),
    (SETTINGS, "made every {:w} seconds at most", (days.FRESH_SECONDS,)),
    (SETTINGS, "up to {} services are on it", (outsiders.MOST_SERVICES,)),
    (SETTINGS, "the last {:w} weeks", (outsiders._PAST_SECONDS / DAY / 7,)),
    (
        SETTINGS,
        "has more than {} services the bars and the uptime are of fewer days: {:,} quarters",
        (KEPT_BUCKETS // (bars.DAYS * DAY // WIDTH_SECONDS), KEPT_BUCKETS),
    ),
    (SETTINGS, "or until there are {:,} of them", (KEPT_BUCKETS,)),
    (SETTINGS, "ever later up to {:w} minutes", (sending.LONGEST_PAUSE_SECONDS / MINUTE,)),
    (SETTINGS, "after {:w} minutes the others are told", (failing.AFTER_SECONDS / MINUTE,)),
    (SETTINGS, "on another one half of the {}", (OPTIONS.connections,)),
    (SETTINGS, "what held it is in the log after {} s", (watchdog.STALL_SECONDS,)),
    (SETTINGS, "the same one in {:w} minutes", (REJECTED_INTERVAL_SECONDS / MINUTE,)),
    (
        SETTINGS,
        "At most {:,} probes are under way at once and {} at one host",
        (scheduler.MAX_PROBES, scheduler.MAX_PROBES_PER_HOST),
    ),
    (SECURITY, "at most {} s of pauses", (retrying.MAX_WAITS_SECONDS,)),
    (
        SECURITY,
        "at most `body_limit` ({} KiB) of body, {} KiB of head, {} headers",
        (
            transport.MAX_BODY_BYTES / KIB,
            transport.MAX_HEAD_BYTES / KIB,
            transport.MAX_HEADERS,
        ),
    ),
    (
        SECURITY,
        "{} characters of a header are read and {} links",
        (retirement.MOST_TEXT, retirement._MOST_LINKS),
    ),
    (SECURITY, "A table of some {} named behaviours", (round(len(BEHAVIOURS), -2),)),
    (
        SECURITY,
        "{:,} steps of an evaluator of our own, then the assertion fails: "
        '"too large to evaluate"; at most {} assertions of a check, {:,} characters of a path',
        (evaluation.MOST_STEPS, checks.MOST_ASSERTIONS, paths.LONGEST),
    ),
    (SECURITY, "a body of more than {} KiB", (beside.LONG_TEXT / KIB,)),
    (SECURITY, "worked on in a thread, {:w} at a time", (beside.AT_ONCE,)),
    (SECURITY, "{:,} values, counted before they are read", (data.MOST_VALUES,)),
    (
        SECURITY,
        "{:,} elements and attributes, {} items, {} KiB of text",
        (feed.MOST_MARKS, feed.MOST_ITEMS, feed.MOST_TEXT / KIB),
    ),
    (
        SECURITY,
        "{} of a page, {:,} entries of a list; {} characters of a title or an id, {} names of {}",
        (
            page_incidents.MOST_INCIDENTS,
            page_incidents.MOST_LISTED,
            page_incidents.LONGEST_TITLE,
            page_incidents.MOST_COMPONENTS,
            page_incidents.LONGEST_COMPONENT,
        ),
    ),
    (
        SECURITY,
        "{} characters of a time or number, {:,} of rate limits and request ids",
        (times.MAX_TEXT, limits._MAX_VALUE),
    ),
    (SECURITY, "{:,} of a cookie, {} cookies", (cookies.MAX_COOKIE_BYTES, cookies.MAX_COOKIES)),
    (
        SECURITY,
        "{:,} characters, {} with host and port, before anything parses it",
        (characters.LONGEST_URL, characters.LONGEST_PLACE),
    ),
    (
        SECURITY,
        "{} of a chain; {} bytes of an identifier; {:,} characters of a name",
        (certificates.MAX_CHAIN, x509._LONGEST_OID, x509.MAX_TEXT_CHARACTERS),
    ),
    (
        SECURITY,
        "{} MiB and {:,} values; long ones are read",
        (guard.MAX_BODY_BYTES / MIB, bodies.MOST_VALUES),
    ),
    (
        SECURITY,
        "{} and {} MiB; read in a thread that gives way",
        (incident_routes._MAX_MESSAGE_BYTES / MIB, peers._LARGEST / MIB),
    ),
    (
        SECURITY,
        "{} MiB, {:,} values, {:,} repeated by aliases, {} levels",
        (
            document.MAX_BYTES / MIB,
            document.MAX_VALUES,
            document.MAX_EXPANDED,
            document.MAX_DEPTH,
        ),
    ),
    (
        SECURITY,
        "{} suggestions, {:,} duplicate keys",
        (MAX_SUGGESTIONS, document.MAX_DUPLICATES),
    ),
    (SECURITY, "a thread logs after {} s which line", (watchdog.STALL_SECONDS,)),
    (SECURITY, "{} s after the first one, or at once at a second", (stopping.GRACE_SECONDS,)),
    (
        SECURITY,
        "less than {} KiB in {} s while something is unread",
        (
            connection.MIN_BYTES_PER_SECOND * OPTIONS.stall_seconds / KIB,
            OPTIONS.stall_seconds,
        ),
    ),
    (
        SECURITY,
        "{} s; idle {} s when three quarters of the slots are taken",
        (OPTIONS.head_seconds, listening._SHORT_IDLE_SECONDS),
    ),
    (
        SECURITY,
        "{} MiB and {} clients that are behind for longer than {} s",
        (connection.MAX_UNREAD_BYTES / MIB, connection.MAX_BEHIND, connection.GRACE_SECONDS),
    ),
    (SECURITY, "| {} connections; a new one closes", (OPTIONS.connections,)),
    (SECURITY, "{} more, for `/metrics`", (slots.RESERVED,)),
    (
        SECURITY,
        "{} s, doubled by each wrong one of an address, to {} s; forgotten after {} s; "
        "{:,} addresses, {} answers that wait",
        (
            guesses.FIRST_DELAY_SECONDS,
            guesses.MAX_DELAY_SECONDS,
            guesses.FORGET_SECONDS,
            guesses.MAX_ADDRESSES,
            guesses.MAX_WAITING,
        ),
    ),
    (SECURITY, "that may be one, {:w} descriptors are tried", (shortages._MOST,)),
    (SECURITY, "| {} s or a quarter of the time limit, in all", (heart.HELD_SECONDS,)),
    (SECURITY, "what was missed is spread over {} s", (scheduler.RECOVERY_SECONDS,)),
    (SECURITY, "table `damaged` (the newest {:,})", (damage.KEPT_DAMAGED,)),
    (SECURITY, "check at the start ({} s at most)", (database.CHECK_SECONDS,)),
    (SECURITY, "beside everything else, {} s at most", (upkeep.LONGEST_SECONDS,)),
    (SECURITY, "before each write, also every {} s", (persistence.SAVE_SECONDS,)),
    (SECURITY, "lasts less than {} minutes is not seen", (clock.DOUBT_SECONDS / MINUTE,)),
    (SECURITY, "smaller differences than {} s", (clock.STEP_SECONDS,)),
    (SECURITY, "come back for {} h, and not longer", (keys.ROLLBACK_SECONDS / HOUR,)),
    (
        SECURITY,
        "{} probes run at one time and their answers share {} MiB",
        (capacity.MAX_PROBES, capacity.MAX_BYTES / MIB),
    ),
    (
        SECURITY,
        "{} KiB of a body are read unless the module says more, to {} MiB",
        (prober.MAX_BODY_BYTES / KIB, module_mistakes.MAX_BODY_LIMIT_BYTES / MIB),
    ),
    (SECURITY, "Of a service's own key {:w} characters suffice", (echoes._SHORTEST,)),
    (SECURITY, "{} bytes of a body at most", (evidence.MAX_EXCERPT_BYTES,)),
    (
        SECURITY,
        "{} headers of a fixed list, {} bytes each",
        (evidence.MAX_HEADERS, evidence.MAX_VALUE_BYTES),
    ),
    (SECURITY, "more than {} minutes ahead is taken as now", (fold.LONGEST_SKEW / MINUTE,)),
    (
        SECURITY,
        "{:,} of a message, {} in one write, {} states of an incident, {:,} open ones",
        (alerts.MOST_OF_MESSAGE, log.SLICE_ALERTS, states.MOST_ALERTS, log.MOST_UNRESOLVED),
    ),
    (
        SECURITY,
        "{} entries of a timeline that no person wrote, {} past times",
        (incident_table.MOST_ENTRIES, spells.MOST_PAST),
    ),
    (SECURITY, "and {:,} incidents; the oldest that", (incident_table.MOST_INCIDENTS,)),
    (SECURITY, "in slices of {} ms;", (evaluator.SLICE_SECONDS * 1000,)),
    (
        SECURITY,
        "{} s for a request, {} s for a mail",
        (web.TIMEOUT_SECONDS, mailbox._WHOLE_SECONDS),
    ),
    (SECURITY, "{:,} messages of an entry", (notifier.MOST_WAITING,)),
    (SECURITY, "at most {} KiB of an answer are read", (web._MOST_ANSWERED / KIB,)),
    (
        SECURITY,
        "pauses up to {} min with jitter; `Retry-After` up to {} h; given up after {} h",
        (
            sending.LONGEST_PAUSE_SECONDS / MINUTE,
            sending.LONGEST_ASKED_SECONDS / HOUR,
            sending.GIVE_UP_SECONDS / HOUR,
        ),
    ),
    (RUNBOOK, "service is probed only once in {:w} minutes", (REJECTED_INTERVAL_SECONDS / MINUTE,)),
    (RUNBOOK, "and once in {:w} minutes. So a renewed", (chains.MAX_AGE_SECONDS / MINUTE,)),
    (RUNBOOK, "row says ({} times by default)", (Alerts().flapping,)),
    (SECURITY, "of {} kinds of names and redirects", (len(ADDRESSES) + len(REDIRECTS),)),
    (
        SECURITY,
        "{} clients that never read and {:,} that never ask",
        (SLOW_READERS, IDLE),
    ),
    (TORTURE, "looked for in {} spellings", (len(forms_of("a secret of 24 characters")),)),
    ("exporter/reports/README.md", "for {} days in `--data-dir`", (minutes.KEPT_DAYS,)),
    (
        "exporter/reports/README.md",
        "the newest {} of each service",
        (failures.KEPT_FAILURES,),
    ),
    (
        "exporter/library/README.md",
        "kept to the full, up to {} s, and spread by up to a tenth, at most a second",
        (retrying.MAX_WAIT_SECONDS,),
    ),
    ("exporter/library/README.md", "| all pauses | {} s |", (retrying.MAX_WAITS_SECONDS,)),
]


class Figure(float):
    """A number as documents write it: `{}` is 0.5 or 15, `{:,}` 1,000, `{:w}` five, `{:W}` Five."""

    def __format__(self, form: str) -> str:
        if form in ("w", "W"):
            word = WORDS[int(self)]
            return word.capitalize() if form == "W" else word
        return format(int(self) if self.is_integer() else float(self), form)


def said(document: str) -> str:
    return " ".join((ROOT / document).read_text().split())


@pytest.mark.parametrize(
    ("document", "sentence", "figures"), FIGURES, ids=[f"{d}-{s[:40]}" for d, s, _ in FIGURES]
)
def test_a_figure_in_a_sentence_is_that_of_the_code(
    document: str, sentence: str, figures: tuple[float | None, ...]
) -> None:
    assert sentence.format(*(Figure(figure or 0) for figure in figures)) in said(document)


# -- the rules ---------------------------------------------------------------------------------

HELD = [
    ("ProviderReportsIncident", "major outage for {:w} minutes"),
    ("ProviderSilentOutage", "For {} minutes all our services"),
    ("ServiceLatencyHigh", "has been above `alerts.latency_p95` for {:w} minutes"),
    ("ServiceCallsFailing", "It has been so for {:w} minutes"),
    ("ExporterDown", "not reached an exporter for {:w} minutes"),
    ("ExporterStorageFailing", "For {:w} minutes the exporter could not save"),
]


@pytest.mark.parametrize(("alert", "sentence"), HELD)
def test_the_runbook_says_for_how_long_it_has_to_be_so(alert: str, sentence: str) -> None:
    (held,) = {rule["for"] for rule in RULES if rule.get("alert") == alert}
    section = said(RUNBOOK).partition(f"## {alert} ")[2].partition(" ## ")[0]

    assert sentence.format(Figure(held.removesuffix("m"))) in section


def test_the_runbook_s_table_has_the_severities_of_the_rules() -> None:
    """Those of a row, in the order of its ladder, are the ones without any setting."""
    of_rows: dict[str, list[str]] = {}
    for row in thresholds_of(Alerts(latency_p95=1.0), 60.0):
        of_rows.setdefault(f"service_threshold_{row.kind}", []).append(row.severity)
    wrong = {}
    table = re.findall(r"(?m)^\| \[(\w+)\]\(#\w+\) \| ([^|]+) \|", (ROOT / RUNBOOK).read_text())
    for alert, written in table:
        parts = [_severities(rule, of_rows) for rule in RULES if rule.get("alert") == alert]
        expected = (
            "; ".join(dict.fromkeys(parts)) if "row: " in "".join(parts) else ", ".join(parts)
        )
        if expected != written:
            wrong[alert] = (written, expected)

    assert len(table) == len(ALERTS)
    assert wrong == {}


def _severities(rule: dict[str, Any], of_rows: dict[str, list[str]]) -> str:
    """Return the rule's severity as the table writes it: its own, or those of its rows."""
    if own := rule["labels"].get("severity"):
        return str(own)
    shape = r"severity[^)]*\) \(((?:service|model)_threshold_\w+)"
    (family,) = set(re.findall(shape, rule["expr"]))
    found = of_rows.get(family, [ModelCheck(id="m").severity])
    return f"row: {', '.join(dict.fromkeys(found))}"


# -- one core ----------------------------------------------------------------------------------


def test_how_many_services_fit_on_a_core_follows_from_what_a_probe_costs() -> None:
    """Half a core, a probe a minute, in two digits."""
    text = said(SETTINGS)
    http, https = (
        float(re.search(rf"one probe over {name} \| [^|]*?\(([0-9.]+) ms", text)[1])  # type: ignore[index]
        for name in ("HTTP", "HTTPS")
    )

    def services(milliseconds: float) -> str:
        return f"{float(f'{0.5 * MINUTE * 1000 / milliseconds:.2g}'):,.0f}"

    wanted = f"{services(https)} services every 60 s over HTTPS, {services(http)} over HTTP"
    assert wanted in text
