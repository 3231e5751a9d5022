"""The user's files: declared settings, merged and checked, made into targets. Never the network."""

from exporter.config.alike import make_targets
from exporter.config.declarations import (
    Budgets,
    Canary,
    Maintenance,
    Monitoring,
    Objectives,
    PublicPage,
    Service,
)
from exporter.config.files import (
    Configuration,
    Declared,
    check_patch,
    file_schema,
    read_files,
    read_request,
    read_text,
)
from exporter.config.mapping import Given
from exporter.config.merge import merged
from exporter.config.model_costs import (
    ModelCost,
    cap_of,
    cost_totals,
    model_costs,
    shown_money,
)
from exporter.config.models import UNITS, Budget, FirstToken, ModelCheck, ModelTarget
from exporter.config.notify import Email, Notification, PagerDuty, Slack, Webhook
from exporter.config.requests import USER_AGENT, canary_endpoint
from exporter.config.shown import service_warnings, shown_declaration
from exporter.config.targets import make_target
from exporter.config.thresholds import Threshold, ThresholdKind
from exporter.config.uses import Used
from exporter.config.values import Pause, PlannedMaintenance, SideRequest, Target

__all__ = [
    "UNITS",
    "USER_AGENT",
    "Budget",
    "Budgets",
    "Canary",
    "Configuration",
    "Declared",
    "Email",
    "FirstToken",
    "Given",
    "Maintenance",
    "ModelCheck",
    "ModelCost",
    "ModelTarget",
    "Monitoring",
    "Notification",
    "Objectives",
    "PagerDuty",
    "Pause",
    "PlannedMaintenance",
    "PublicPage",
    "Service",
    "SideRequest",
    "Slack",
    "Target",
    "Threshold",
    "ThresholdKind",
    "Used",
    "Webhook",
    "canary_endpoint",
    "cap_of",
    "check_patch",
    "cost_totals",
    "file_schema",
    "make_target",
    "make_targets",
    "merged",
    "model_costs",
    "read_files",
    "read_request",
    "read_text",
    "service_warnings",
    "shown_declaration",
    "shown_money",
]
