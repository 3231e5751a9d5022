"""A report in which every text that others choose is an attack on the format that shows it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from exporter.incidents import Incident
from exporter.providers import Promise
from exporter.providers.promises import Claim, Counting, Credit, Credits
from exporter.reports import Facts, FailedRequest, document
from exporter.results import Kept, Minute, Seen
from tests.fakes import make_endpoint, service_target

START = 29_846_880
"""The first minute of October 2026."""
ATTACKS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    '=HYPERLINK("https://evil.example","x")',
    "@SUM(1+9)*cmd|' /C calc'!A0",
    "+1\t-2",
    "\uff1d1+1",
    "[click](javascript:alert(1))",
    "![x](https://evil.example/x.png)",
    "# head\n\n- list\n1. one",
    "a | b | c",
    "`code` **bold** <https://evil.example> https://evil.example www.evil.example @team",
    "\x1b]0;title\x07\x1b[31mred",
    "\u202egnp.exe\u2066",
    "\ud800 lone",
    "&lt;b&gt; &#x41; $x^2$ ~~no~~",
)


def incident(summary: str, number: int) -> Incident:
    return Incident(
        id=f"i{number}",
        key="k",
        alertname="ServiceDown",
        service="api",
        environment="production",
        provider="custom",
        team="",
        category="",
        slo="",
        severity="high",
        reached=("high",),
        summary=summary,
        description="",
        runbook_url="",
        started_at=START * 60.0 + 60 * number,
    )


def promise(text: str) -> Promise:
    return Promise(
        availability=0.999,
        period="month",
        plan=text,
        covers=text,
        counting=Counting(kind="minutes", decided_by=text, excluded=text, confidence="doc"),
        credits=Credits(steps=(Credit(below=0.999, percent=10),), note=text, confidence="doc"),
        claim=Claim(within=30 * 86400.0, how=text, confidence="doc"),
        source=("https://vendor.example/sla?a=1&b=<2>",),
        confidence="doc",
        note=text,
    )


def facts(text: str = "plain", **changes: Any) -> Facts:
    """Return a day with an outage of half an hour, and *text* wherever others choose one."""
    endpoint = replace(make_endpoint("https://api.example"), shown=f"https://api.example/{text}")
    failing = [
        Minute(START + 100 + n, 1, Seen.FAILING, 1, 1, "server_error", 500, "answer", "operational")
        for n in range(30)
    ]
    usual: dict[str, Any] = {
        "target": replace(service_target("api", endpoint), name=text, provider=text),
        "promise": promise(text),
        "start": START,
        "end": START + 1440,
        "known": START + 1440,
        "now": (START + 1440) * 60.0,
        "kept": Kept(
            minutes=tuple(failing),
            alive=((START - 1, START + 5000),),
            watched=((START - 1, START + 5000),),
        ),
        "incidents": [incident(text, 1)],
        "failures": [
            FailedRequest(
                at=(START + 101) * 60.0,
                reason="server_error",
                status=500,
                request_id=text,
                detail=text,
                address=text,
                answer=f"an answer: {text}",
            ),
            FailedRequest(at=(START + 102) * 60.0, reason="server_error", status=502, answer=text),
        ],
        "page_story": [text],
        "version": "1",
    }
    return Facts(**(usual | changes))


def report(text: str = "plain", **changes: Any) -> dict[str, Any]:
    """Return the document of `facts`."""
    return document(facts(text, **changes))
