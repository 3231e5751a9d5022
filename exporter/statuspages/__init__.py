"""Providers' own status pages: polled with ETags, read by adapters; who saw an outage first."""

from exporter.statuspages.declarations import StatusPage
from exporter.statuspages.incidents import Impact, PageIncident, Stage
from exporter.statuspages.leads import Claim, Lead, lead_of
from exporter.statuspages.pages import StatusPages, address_of
from exporter.statuspages.reading import ADAPTERS
from exporter.statuspages.records import Change, Health, PageRecord, Sighting
from exporter.statuspages.states import State
from exporter.statuspages.words import page_sentence, sentence

__all__ = [
    "ADAPTERS",
    "Change",
    "Claim",
    "Health",
    "Impact",
    "Lead",
    "PageIncident",
    "PageRecord",
    "Sighting",
    "Stage",
    "State",
    "StatusPage",
    "StatusPages",
    "address_of",
    "lead_of",
    "page_sentence",
    "sentence",
]
