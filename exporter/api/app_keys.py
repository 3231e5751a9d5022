"""The parts of the program that handlers may reach, as typed keys of the web application."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from exporter.clock import Clock
from exporter.incidents import IncidentLog
from exporter.metrics import Exposition, OwnMetrics
from exporter.models import ModelChecks
from exporter.notifying import EntryState
from exporter.registry import Holds, Loader, Management, Registry
from exporter.reports import Reports
from exporter.results import Failures, Leads, Persistence, Results
from exporter.statuspages import StatusPages

EXPOSITION: web.AppKey[Exposition] = web.AppKey("EXPOSITION", Exposition)
OWN: web.AppKey[OwnMetrics] = web.AppKey("OWN", OwnMetrics)
REGISTRY: web.AppKey[Registry] = web.AppKey("REGISTRY", Registry)
RESULTS: web.AppKey[Results] = web.AppKey("RESULTS", Results)
HOLDS: web.AppKey[Holds] = web.AppKey("HOLDS", Holds)
MANAGEMENT: web.AppKey[Management] = web.AppKey("MANAGEMENT", Management)
MODELS: web.AppKey[ModelChecks] = web.AppKey("MODELS", ModelChecks)
INCIDENTS: web.AppKey[IncidentLog] = web.AppKey("INCIDENTS", IncidentLog)
# AppKey takes a class, and mypy does not count Callable as one: hence the ignores.
RECONCILE: web.AppKey[Callable[[], None]] = web.AppKey("RECONCILE", Callable[[], None])  # type: ignore[arg-type]
NOTIFYING: web.AppKey[Callable[[], list[EntryState]]] = web.AppKey("NOTIFYING", Callable)  # type: ignore[arg-type]
OFFLINE_SINCE: web.AppKey[Callable[[], float | None]] = web.AppKey("OFFLINE_SINCE", Callable)  # type: ignore[arg-type]
RECEIVED: web.AppKey[Callable[[str], None]] = web.AppKey("RECEIVED", Callable[[str], None])  # type: ignore[arg-type]
FAILURES: web.AppKey[Failures] = web.AppKey("FAILURES", Failures)
PERSISTENCE: web.AppKey[Persistence] = web.AppKey("PERSISTENCE", Persistence)
AUDIT: web.AppKey[Callable[[str | None, int], list[Any]]] = web.AppKey("AUDIT", Callable)  # type: ignore[arg-type]
LOADER: web.AppKey[Loader] = web.AppKey("LOADER", Loader)
REPORTS: web.AppKey[Reports] = web.AppKey("REPORTS", Reports)
CLOCK: web.AppKey[Clock] = web.AppKey("CLOCK", object)  # type: ignore[arg-type]
PAGES: web.AppKey[StatusPages] = web.AppKey("PAGES", StatusPages)
LEADS: web.AppKey[Leads] = web.AppKey("LEADS", Leads)
SOFTWARE_VERSION: web.AppKey[str] = web.AppKey("SOFTWARE_VERSION", str)
Json = dict[str, Any]
