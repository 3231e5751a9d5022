"""A report as sections of sentences, facts and tables; each format draws these in its own way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from exporter.evidence import NETWORK_WORDS
from exporter.reports.document import Json
from exporter.reports.sheet import Link, Section, Sheet, Table
from exporter.reports.vendor import vendor_section
from exporter.reports.words import UNOBSERVED, count, ending, fault_words, moment, percent, span
from exporter.results import KEPT_FAILURES

_ANSWERS, _ADDRESSES = 10, 3
"""Different answers that are listed, and addresses of each."""
_LEAST_ID = 6
"""Characters of a request id; a shorter one may be a word."""


def laid_out(report: Json) -> Sheet:
    """Return *report*, a `document`, as sections."""
    return Sheet(
        title=f"Availability of {report['name']}",
        lead=_lead(report),
        sections=(
            _summary(report),
            _downtime(report),
            vendor_section(report),
            _requests(report),
            _page(report),
            _incidents(report),
            _method(report),
        ),
        footer=f"Made at {report['generated_at']} by TekUp Service Registry {report['version']}",
    )


def _lead(report: Json) -> str:
    windows, minutes = report["windows"], report["minutes"]
    when = f"From {moment(report['from'])} to {moment(report['to'])} UTC"
    if report["availability"] is None:
        return f"{when} nothing was observed of {report['service']}: there is nothing to claim."
    number = len(windows) + report["windows_left_out"]
    times = "once" if number == 1 else count(number, "time")
    down = f"was down {times}" if number else "was never down"
    lasted = f", for {count(minutes['failing'], 'minute')}" if number else ""
    lasted += " in all" if number > 1 else ""
    return (
        f"{when} {report['service']} {down}{lasted}: available in "
        f"{percent(report['availability'])} of the minutes that we observed."
    )


def _summary(report: Json) -> Section:
    minutes, probe = report["minutes"], report["probe"]
    asked = f"{probe['method']} {probe['address']}" if probe["address"] else "not probed"
    facts = [
        ("Service", f"{report['service']} ({report['environment']})"),
        ("Provider", report["provider"]),
        ("Probe", f"{asked}, every {probe['interval_seconds']:g} s"),
        ("Availability", percent(report["availability"])),
        ("Observed", f"{count(minutes['observed'], 'minute')} of {minutes['total']:,}"),
    ]
    facts += [
        ("Not observed", f"{count(number, 'minute')}: {UNOBSERVED[name]}")
        for name, number in minutes["unobserved"].items()
        if number
    ]
    incidents = report["incidents"]
    facts += _objective(report["objective"])
    facts.append(("Mean time to acknowledge", span(incidents["mtta_seconds"])))
    facts.append(("Mean time to resolve", span(incidents["mttr_seconds"])))
    return Section(title="Summary", facts=facts)


def _objective(objective: Json | None) -> list[tuple[str, str]]:
    if objective is None:
        return [("Our objective", "none is set")]
    met = {True: "met", False: "missed", None: "not known"}[objective["met"]]
    used, budget = objective["used_minutes"], objective["budget_minutes"]
    return [
        ("Our objective", f"{percent(objective['availability'])}: {met}"),
        ("Error budget", f"{count(used, 'minute')} used of {count(budget, 'minute')}"),
    ]


def _downtime(report: Json) -> Section:
    rows = [
        (
            moment(one["start"]),
            moment(one["end"]),
            str(one["minutes"]),
            f"{one['failed']} of {one['probes']}",
            _in_minutes({fault_words(name): n for name, n in one["reasons"].items()}),
            _in_minutes(one["statuses"]) or "no answer",
            NETWORK_WORDS["" if one["network"] == "unproven" else one["network"]],
            ", ".join(state.replace("_", " ") for state in one["status_page"]) or "not read",
            ending(one["ended"]),
        )
        for one in report["windows"]
    ]
    if not rows:
        return Section(title="Downtime", sentences=("There was none in the observed minutes.",))
    head = (
        "From (UTC)",
        "To (UTC)",
        "Minutes",
        "Failed probes",
        "What failed",
        "Status codes",
        "Our network",
        "Their status page",
        "Ended by",
    )
    left_out = report["windows_left_out"]
    more = [f"{count(left_out, 'shorter window')} of downtime left out."] if left_out else []
    table = Table(caption="Windows of downtime, in UTC", head=head, rows=rows)
    return Section(title="Downtime", tables=(table,), sentences=more)


def _in_minutes(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{name} in {count(minutes, 'minute')}" for name, minutes in counted.items())


_LEFT_OUT = "Those of our own network or exporter are left out."


def _requests(report: Json) -> Section:
    rows = [
        (
            moment(one["at"], seconds=True),
            fault_words(one["reason"]),
            str(one["status"] or "–"),
            one["request_id"] or "–",
            one["detail"],
        )
        for one in report["failures"]
    ]
    title = "Failed requests"
    if not rows:
        text = f"No failed request of this time is kept any more, or there was none. {_LEFT_OUT}"
        return Section(title=title, sentences=(text,))
    head = ("At (UTC)", "What failed", "Status", "Request id", "Detail")
    listed = Table(caption="Failed requests that are kept, in UTC", head=head, rows=rows)
    return Section(
        title=title,
        tables=(listed, *_answers(report["failures"])),
        sentences=(
            "The vendor's support finds a request in its logs by its id and time.",
            f"At least the newest {KEPT_FAILURES} of a service are kept, and the first and the"
            f" last of each incident. {_LEFT_OUT}",
        ),
    )


def _answers(failures: Sequence[Json]) -> Iterator[Table]:
    """Yield what was answered, each text once: those that came most often."""
    groups = defaultdict[tuple[str, str], list[Json]](list)
    for one in failures:
        if one["answer"]:
            groups[str(one["status"] or "–"), _without_id(one)].append(one)
    if not groups:
        return
    rows = [
        (
            text,
            status,
            count(len(alike), "time"),
            moment(alike[0]["at"], seconds=True),
            moment(alike[-1]["at"], seconds=True),
            ", ".join(list(dict.fromkeys(one["address"] or "–" for one in alike))[:_ADDRESSES]),
        )
        for (status, text), alike in sorted(groups.items(), key=lambda pair: -len(pair[1]))
    ]
    caption = "Beginnings of the answers; … is a secret of ours or the id of the request"
    if len(rows) > _ANSWERS:
        caption += f"; the {_ANSWERS} most frequent of {len(rows)}"
    head = ("Answer", "Status", "Seen", "First (UTC)", "Last (UTC)", "From")
    yield Table(caption=caption, head=head, rows=rows[:_ANSWERS])


def _without_id(failure: Json) -> str:
    """Return an answer without its request id: apart from that it is often the same."""
    answer, id_ = str(failure["answer"]), failure["request_id"] or ""
    return answer.replace(id_, "…") if len(id_) >= _LEAST_ID else answer


def _page(report: Json) -> Section:
    story = report["status_page"] or [
        "Nothing is kept of incidents on the vendor's status page; the table of downtime has the"
        " state that the page showed meanwhile."
    ]
    url = report["status_page_url"]
    facts = (("Page", Link(url)),) if url else ()
    return Section(title="Their status page", facts=facts, sentences=story)


def _incidents(report: Json) -> Section:
    rows = [
        (
            one["id"],
            one["severity"],
            moment(one["started_at"]),
            moment(one["acknowledged_at"]),
            moment(one["resolved_at"]),
            one["summary"],
        )
        for one in report["incidents"]["list"]
    ]
    title = "Incidents"
    if not rows:
        return Section(title=title, sentences=("There were none.",))
    head = ("Id", "Severity", "Started (UTC)", "Acknowledged", "Resolved", "Summary")
    return Section(title=title, tables=(Table(caption="Our incidents", head=head, rows=rows),))


def _method(report: Json) -> Section:
    number = report["network"]["canaries"]
    network = (
        "Our own network is watched by "
        + (f"{number} canaries" if number > 1 else "one canary")
        + ": while none answers, a failure is our network's and its minutes are not observed."
        if number
        else "No canary watches our own network."
    )
    return Section(
        title="How this was measured",
        sentences=(
            "A minute is down if a probe that began in it failed for a reason of the provider's;"
            " of a minute with good and failed probes, the failed share counts. Minutes after it"
            " without a probe of their own hold until the next probe, for three intervals at most.",
            "Minutes that nobody saw (exporter or network down, quota or key of ours, maintenance)"
            " are left out of our availability, and count as available in the vendor's rule.",
            network,
            "All times are UTC.",
        ),
    )
