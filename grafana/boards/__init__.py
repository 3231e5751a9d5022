"""The seven dashboards, one module each."""

from __future__ import annotations

from grafana.boards import incidents, limits, monitoring, overview, service, slo, status

BOARDS = (overview, service, incidents, slo, limits, monitoring, status)
