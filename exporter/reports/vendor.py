"""The section of a report about the vendor's own rule."""

from __future__ import annotations

from exporter.reports.document import Json
from exporter.reports.sheet import Link, Section, Table
from exporter.reports.words import moment, percent


def vendor_section(report: Json) -> Section:
    title, vendor = "The vendor's own rule", report["vendor"]
    if vendor is None:
        return Section(title=title, sentences=("We know of no promise of this vendor.",))
    facts = [(name, text) for name, text in _promise(vendor) if text]
    facts += [("Source", Link(url)) for url in vendor["source"]]
    sentences = [vendor["remark"], vendor["note"], *vendor["cautions"]]
    for one in vendor["periods"]:
        sentences += [text for text in one["cannot_prove"] if text not in sentences]
    tables = [_periods(vendor)] if vendor["periods"] else []
    return Section(
        title=title, facts=facts, tables=tables, sentences=[_sentence(s) for s in sentences if s]
    )


def _sentence(text: str) -> str:
    """Return a note of a preset, which begins small and has no full stop, as a sentence."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", ":")) else ".")


def _promise(vendor: Json) -> list[tuple[str, str]]:
    number, claim = vendor["availability"], vendor["claim"] or {}
    period = f" a {vendor['period']}" if vendor["period"] else ""
    days = claim.get("within_days")
    limit = f"within {days:g} days of the end of the period" if days else ""
    return [
        ("Promise", f"{percent(number)}{period}" if number is not None else ""),
        ("For", vendor["plan"]),
        ("Covers", vendor["covers"]),
        ("Counted", _counting(vendor["counting"] or {})),
        ("Decided by", (vendor["counting"] or {}).get("decided_by", "")),
        ("Does not count", (vendor["counting"] or {}).get("excluded", "")),
        ("Credit", _credits(vendor["credits"] or {})),
        ("Claim", ", ".join(filter(None, (limit, claim.get("how", ""))))),
        ("Text of", vendor["as_of"]),
    ]


def _counting(rule: Json) -> str:
    if not rule:
        return ""
    if rule["kind"] == "error_rate":
        return f"mean share of failed requests over windows of {rule['window']}"
    above = f"more than {percent(rule['above'])} of" if rule["above"] else "any of"
    least = rule["minimum_requests"]
    enough = f", of at least {least}," if least > 1 else ""
    return f"a window of {rule['window']} is down if {above} its requests{enough} failed"


_LIMIT = {True: "at or below", False: "below"}


def _credits(credits: Json) -> str:
    steps = [
        f"{one['percent']} % {_LIMIT[one['or_equal']]} {percent(one['below'])}"
        for one in credits.get("steps", ())
    ]
    return "; ".join(filter(None, (", ".join(steps), credits.get("note", ""))))


def _kept(period: Json) -> str:
    if period["kept"] is None:
        return "–"
    return ("kept" if period["kept"] else "missed") + ("" if period["complete"] else " so far")


def _periods(vendor: Json) -> Table:
    rows = [
        (
            one["period"] + ("" if one["complete"] else " (not over)"),
            percent(one["availability"]),
            _kept(one),
            f"{one['credit_percent']} %" if one["credit_percent"] else "–",
            f"{one['unobserved_minutes']:,}",
            moment(one["claim_until"]),
        )
        for one in vendor["periods"]
    ]
    head = (
        "Period",
        "Availability by the rule",
        "Promise",
        "Credit by it",
        "Minutes we did not see",
        "Claim until (UTC)",
    )
    return Table(caption="By the vendor's rule, from our minutes", head=head, rows=rows)
