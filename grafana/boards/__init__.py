"""The eight dashboards, one module each."""

from __future__ import annotations

from grafana.boards import incidents, limits, models, monitoring, overview, service, slo, status

BOARDS = (overview, service, incidents, slo, limits, models, monitoring, status)
