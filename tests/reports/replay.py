"""Lets the product live through a raw list of probes: recorded, saved, killed, started, read."""

from __future__ import annotations

from exporter.config import Target
from exporter.model import Outcome, Reason, Result, Verdict
from exporter.results import Kept, Minutes
from exporter.store.database import Database
from exporter.store.minutes import MinuteTable
from tests.fakes import service_target
from tests.reports.calculator import Probe, Raw

REASONS = {
    "ok": (Reason.OK, Verdict.OK),
    "provider": (Reason.SERVER_ERROR, Verdict.PROVIDER),
    "quota": (Reason.QUOTA_EXHAUSTED, Verdict.QUOTA),
    "network": (Reason.CONNECT, Verdict.NETWORK),
    "credential": (Reason.AUTH_INVALID, Verdict.CREDENTIAL),
    "maintenance": (Reason.SERVER_ERROR, Verdict.PROVIDER),
}


def target_of(interval: float) -> Target:
    return service_target("api", interval=interval)


def result_of(probe: Probe) -> Result:
    reason, verdict = REASONS[probe.verdict]
    status = 500 if reason is Reason.SERVER_ERROR else 0
    return Result(
        service="api", at=probe.at, outcome=Outcome(reason=reason, status=status), verdict=verdict
    )


def lived(raw: Raw, saves: list[float], start: int, end: int) -> Kept:
    """Return what is kept of *raw* when everything was saved at *saves*, sorted Unix times.

    The last of a run's saves is its `until`; what comes later dies with it.
    """
    table = MinuteTable(Database(None, 0.0))
    target, before = target_of(raw.interval), None
    for number, (since, until) in enumerate(raw.runs):
        minutes = Minutes()
        minutes.start_run(since)
        last, saved = before, before
        moments = [*(s for s in saves if since < s < until), until]
        probes = [p for p in raw.probes if p.run == number]
        for moment in moments:
            while probes and probes[0].at < moment:
                probe = probes.pop(0)
                counted = probe.verdict != "maintenance"
                minutes.add(target, result_of(probe), counted=counted, before=last)
                last = probe.at
            table.save(minutes.drain(moment))
            minutes.written()
            saved = last
        before = saved
    return table.read("api", start, end)
