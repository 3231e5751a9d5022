"""The web application of one exporter: its routes, and what their handlers find in it."""

from __future__ import annotations

from aiohttp import web

from exporter.api import FOR_OUTSIDERS, make_application
from exporter.api.app_keys import (
    AUDIT,
    CLOCK,
    EXPOSITION,
    FAILURES,
    HOLDS,
    INCIDENTS,
    LEADS,
    LOADER,
    MANAGEMENT,
    MODELS,
    NOTIFYING,
    OFFLINE_SINCE,
    OWN,
    PAGES,
    PERSISTENCE,
    RECEIVED,
    RECONCILE,
    REGISTRY,
    REPORTS,
    RESULTS,
    SOFTWARE_VERSION,
)
from exporter.api.guard import ADMIN_TOKEN, RECEIVER_TOKEN, STATUS_PAGE_TOKEN
from exporter.api.guesses import Guesses
from exporter.api.multitarget import PROBING, Probing
from exporter.api.status import READINESS
from exporter.app.parts import Parts
from exporter.config import USER_AGENT
from exporter.multitarget import MultiTargetProber
from exporter.page import LIVE
from exporter.public import OUTSIDERS
from exporter.serving import (
    Gate,
    HostNames,
    WebAuth,
)
from exporter.version import VERSION


def application_of(parts: Parts, host: str) -> web.Application:
    """Return the application that answers at *host*, behind its gate and its passwords."""
    guesses = Guesses(parts.clock, parts.own.count_auth_failure)
    application = make_application(guesses)
    application[EXPOSITION], application[OWN] = parts.exposition, parts.own
    application[REGISTRY], application[RESULTS] = parts.registry, parts.results
    application[LOADER], application[MANAGEMENT] = parts.loader, parts.management
    application[HOLDS], application[SOFTWARE_VERSION] = parts.holds, VERSION
    application[MODELS] = parts.models
    application[INCIDENTS] = parts.incidents
    application[PAGES], application[LEADS] = parts.pages, parts.leads
    application[NOTIFYING] = lambda: parts.notifier.states
    application[OFFLINE_SINCE] = lambda: parts.canaries.offline_since
    application[RECONCILE] = parts.reconciliation.schedule_round
    application[RECEIVED] = parts.own.count_message
    application[FAILURES] = parts.failures
    application[PERSISTENCE], application[AUDIT] = parts.persistence, parts.store.audit_entries
    prober = MultiTargetProber(parts.transport, parts.clock)
    application[PROBING] = Probing(parts.modules, prober, USER_AGENT, parts.redaction)
    application[OUTSIDERS] = parts.outsiders
    application[REPORTS], application[CLOCK] = parts.reports, parts.clock
    application[LIVE], application[READINESS] = parts.live, parts.readiness
    application[ADMIN_TOKEN] = parts.options.admin_token
    application[RECEIVER_TOKEN] = parts.options.receiver_token
    application[STATUS_PAGE_TOKEN] = parts.options.status_page_token
    if parts.options.web_config is not None:
        opened = FOR_OUTSIDERS if parts.options.public_without_password else ()
        WebAuth(parts.web, parts.clock, guesses, without_password=opened).install(application)
    Gate(HostNames(host, parts.options.allowed_hosts)).install(application)
    return application
