"""`probe`: one probe now, printed as a waterfall of its phases or as JSON."""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from exporter.cli.usage import meant
from exporter.cli.waiting import waiting
from exporter.clock import SystemClock
from exporter.config import (
    Configuration,
    Declared,
    Target,
    canary_endpoint,
    make_target,
    read_files,
)
from exporter.files import is_file
from exporter.log import Redaction
from exporter.model import FACTS, PHASES, Outcome, Verdict, advice_of, fault_of, verdict_of
from exporter.probers import Probers, command_line, shown_evidence
from exporter.probers.curl import CurlTransport
from exporter.schedule import Canaries, CanaryPlan
from exporter.settings import Problem, SettingsError, shown_prose, url

DEFAULT_CONFIG = Path("config/services.yaml")
COLORS = {Verdict.OK: "green", Verdict.QUOTA: "yellow", Verdict.CREDENTIAL: "magenta"}
WIDTH_COLUMNS = 40
HoldsKey = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Found:
    """What is to be probed, and what its configuration says beside it."""

    target: Target
    configuration: Configuration = field(default_factory=lambda: Configuration(services=()))
    plans: tuple[CanaryPlan, ...] = ()
    holds_key: HoldsKey = lambda text: False
    """Returns whether a key of any service is in a text."""
    raw: Mapping[str, Any] = field(default_factory=dict)
    """The declaration of the service."""


def probe_once(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Probe the service or URL in *arguments* and print the outcome; return 0 on success, else 1.

    Raises:
        LookupError: there is no such service, or it cannot be probed.
        SettingsError: the configuration is wrong.
    """
    found = find(arguments, environment)
    target = found.target
    if target.endpoint is None:
        raise LookupError(f"{target.id} cannot be probed: {target.unprobed}")
    with waiting(f"probing {target.endpoint.shown}"):
        outcome, verdict = asyncio.run(_run(found))
    if arguments.json:
        print(json.dumps(_as_json(target, outcome, verdict), indent=2))
    else:
        _print_waterfall(target, outcome, verdict)
    return 0 if outcome.success else 1


async def _run(found: Found) -> tuple[Outcome, Verdict]:
    target = found.target
    assert target.endpoint is not None
    transport, clock = CurlTransport(), SystemClock()
    prober = Probers(transport, clock, found.holds_key)
    try:
        outcome = await prober.probe(target.endpoint)
        canaries = Canaries(found.plans, prober, clock)
        online = outcome.success or await canaries.confirm(clock.tick())
        return outcome, verdict_of(outcome.reason, online=online, shortage=outcome.shortage)
    finally:
        await transport.close()


def find(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Found:
    """Return the service or URL in *arguments*.

    Raises:
        LookupError: there is no such service.
        SettingsError: the configuration is wrong.
    """
    name: str = arguments.target
    if "://" in name:
        return Found(_url_target(arguments))
    paths = arguments.config or [DEFAULT_CONFIG]
    configuration = read_files(paths, environment)
    declared = {d.raw["id"]: d for d in configuration.services}
    if name not in declared:
        known = ", ".join(sorted(declared)) or "none"
        raise LookupError(
            f"no service {shown_prose(repr(name))} in {', '.join(map(str, paths))}; known: {known}"
            + meant(name, declared)
        )
    plans = tuple(
        CanaryPlan(name=str(i), endpoint=canary_endpoint(canary), interval=canary.interval)
        for i, canary in enumerate(configuration.canaries)
    )
    return Found(
        make_target(declared[name], environment),
        configuration,
        plans,
        _keys_of(configuration, environment),
        declared[name].raw,
    )


def _keys_of(configuration: Configuration, environment: Mapping[str, str]) -> HoldsKey:
    """Return what finds a key of any service in a text; reads the keys at the first text."""

    @functools.cache
    def redaction() -> Redaction:
        known = Redaction()
        targets = (make_target(declared, environment) for declared in configuration.services)
        known.replace([secret for target in targets for secret in target.secrets()])
        return known

    return lambda text: redaction().holds(text)


def _url_target(arguments: argparse.Namespace) -> Target:
    """Return a target for the URL of the command line."""
    try:
        address = url(arguments.target)
    except ValueError:
        mistake = "must be an http:// or https:// URL without user, password or #fragment"
        raise SettingsError([Problem("(arguments)", 1, "URL", mistake)]) from None
    # The caller could reach a private address from this shell anyway, so it is not refused here.
    check: dict[str, Any] = {"allow_private_addresses": True}
    if arguments.ca_file:
        if not is_file(Path(arguments.ca_file)):
            raise SettingsError([Problem("(arguments)", 1, "--ca-file", "there is no such file")])
        check["tls"] = {"ca_file": arguments.ca_file}
    raw = {"id": "url", "provider": "custom", "base_url": address, "health_check": check}
    target = make_target(Declared(raw, "(arguments)", 0), {})
    assert target.endpoint is not None
    endpoint = replace(target.endpoint, timeout=arguments.timeout)
    return replace(target, id=endpoint.shown, name=endpoint.shown, endpoint=endpoint)


def _time(at: float | None) -> str | None:
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _as_json(target: Target, outcome: Outcome, verdict: Verdict) -> dict[str, Any]:
    assert target.endpoint is not None
    facts, certificate = FACTS[outcome.reason], outcome.certificate
    return {
        "service": target.id,
        "success": outcome.success,
        "reason": outcome.reason,
        "verdict": verdict,
        "detail": outcome.detail,
        "fault": None if outcome.success else fault_of(outcome.reason, verdict),
        "advice": _advice(target, outcome, verdict),
        "up": facts.up,
        "key_configured": target.key_configured,
        "key_valid": facts.key_valid if outcome.keyed else None,
        "status": outcome.status or None,
        "http_version": outcome.http_version or None,
        "address": outcome.address or None,
        "redirects": outcome.redirects,
        "duration_ms": round(outcome.duration * 1000, 3),
        "phases_ms": {
            phase: round(seconds * 1000, 3)
            for phase, seconds in zip(PHASES, outcome.phases, strict=True)
        },
        "provider_ms": _milliseconds(outcome.provider_seconds),
        "certificate": certificate
        and {
            "expiry": _time(certificate.expiry),
            "subject": certificate.subject,
            "issuer": certificate.issuer,
            "verified": certificate.verified,
        },
        "limits": {
            name: {"limit": limit.limit, "remaining": limit.remaining, "reset": _time(limit.reset)}
            for name, limit in outcome.limits.items()
        },
        "quotas": {f"{name} {unit}": value for (name, unit), value in outcome.quotas.items()},
        "readings": {name: value for (name, _), value in outcome.readings.items()},
        "request_id": outcome.request_id or None,
        "evidence": _evidence_json(outcome),
        "note": target.unprobed or None,
        "curl": command_line(target.endpoint),
    }


def _evidence_json(outcome: Outcome) -> dict[str, Any] | None:
    """Return what the failed answer showed; the certificate is shown apart."""
    if outcome.evidence is None:
        return None
    kept = outcome.evidence
    session = {"version": kept.tls_version, "cipher": kept.cipher} if kept.tls_version else None
    return shown_evidence(outcome) | {"tls": session}


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)


def _advice(target: Target, outcome: Outcome, verdict: Verdict) -> str:
    return advice_of(outcome.reason, verdict, has_page=target.status_page is not None)


def _print_waterfall(target: Target, outcome: Outcome, verdict: Verdict) -> None:
    assert target.endpoint is not None
    console = Console(highlight=False, soft_wrap=True)
    color = COLORS.get(verdict, "red")
    head = Text(f"{target.name}  ", style="bold")
    words = f"{verdict} · {outcome.reason} · {fault_of(outcome.reason, verdict)}"
    head.append("ok" if outcome.success else words, f"bold {color}")
    console.print(head)
    line = f"  {outcome.detail}" if outcome.detail else ""
    console.print(Text(line + (f"  ({outcome.address})" if outcome.address else "")))
    if not outcome.success:
        console.print(Text(f"  what to do: {_advice(target, outcome, verdict)}"))
    if target.unprobed:
        console.print(Text(f"  note: {target.unprobed}"))
    console.print()
    for row in _waterfall(outcome):
        console.print(row)
    console.print()
    for fact in _facts(outcome):
        console.print(Text(f"  {fact}"))
    console.print(Text(f"  {command_line(target.endpoint)}", style="dim"))


def _waterfall(outcome: Outcome) -> list[Text]:
    total = outcome.duration or 1e-9  # seconds; never divide by zero
    rows, elapsed = [], 0.0
    for phase, seconds in zip(PHASES, outcome.phases, strict=True):
        start = round(elapsed / total * WIDTH_COLUMNS)
        length = max(
            1 if seconds > 0 else 0,
            round((elapsed + seconds) / total * WIDTH_COLUMNS) - start,
        )
        row = Text(f"  {phase:<11}{seconds * 1000:9.2f} ms  ")
        row.append(" " * min(start, WIDTH_COLUMNS - 1) + "█" * length, "cyan")
        rows.append(row)
        elapsed += seconds
    rows.append(Text(f"  {'total':<11}{outcome.duration * 1000:9.2f} ms", style="bold"))
    return rows


def _facts(outcome: Outcome) -> list[str]:
    rows = []
    if outcome.provider_seconds is not None:
        rows.append(f"provider's own time  {outcome.provider_seconds * 1000:.2f} ms")
    if (certificate := outcome.certificate) is not None:
        verified = "" if certificate.verified else " (not verified)"
        rows.append(f"certificate until    {_time(certificate.expiry)}{verified}")
        rows.append(f"issued by            {certificate.issuer}")
    for name, limit in outcome.limits.items():
        left = "?" if limit.remaining is None else f"{limit.remaining:g}"
        total = "" if limit.limit is None else f" of {limit.limit:g}"
        reset = f", resets at {_time(limit.reset)}" if limit.reset else ""
        rows.append(f"rate limit           {name}: {left}{total} left{reset}")
    rows += [
        f"quota                {name}: {value:g} {unit} left"
        for (name, unit), value in outcome.quotas.items()
    ]
    rows += [
        f"reading              {name}: {value:g} {unit}".rstrip()
        for (name, unit), value in outcome.readings.items()
    ]
    if outcome.key_expiry is not None:
        rows.append(f"key expires          {_time(outcome.key_expiry)}")
    if outcome.request_id:
        rows.append(f"request id           {outcome.request_id}")
    return rows + _evidence(outcome)


def _evidence(outcome: Outcome) -> list[str]:
    kept = outcome.evidence
    if kept is None:
        return []
    rows = [f"answered by          {kept.answerer}"] if kept.answerer else []
    if kept.tls_version:
        rows.append(f"TLS                  {kept.tls_version} {kept.cipher}")
    rows += [f"found                {about}: {value}" for about, value in kept.found]
    rows += [f"header               {name}: {value}" for name, value in kept.headers]
    return [*rows, f"excerpt              {kept.excerpt}"] if kept.excerpt else rows
