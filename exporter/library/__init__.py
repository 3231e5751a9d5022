"""The registry as a Python library, without the web server.

    registry = ServiceRegistry()
    await registry.register_service({"id": "openai", "provider": "openai", "api_key": key})
    await registry.start_all_monitoring()
    print(registry.get_service_health("openai")["verdict"])
    await registry.stop()

Probes run on the caller's event loop. Without `data_dir` nothing outlives the process.
"""

from __future__ import annotations

from exporter.incidents import IncidentError, MessageError, UnknownIncidentError
from exporter.library.incidents import Incidents
from exporter.library.monitor import HealthMonitor
from exporter.library.registry import ServiceRegistry, create_service_registry_from_env
from exporter.library.response import IncidentResponse
from exporter.registry import (
    InFileError,
    KeyRefusedError,
    ManagementError,
    NoStorageError,
    TakenError,
    UnknownServiceError,
)
from exporter.sessions import RequestFailed, ServiceSession
from exporter.settings import SettingsError
from exporter.store import StoreError

__all__ = [
    "HealthMonitor",
    "InFileError",
    "IncidentError",
    "IncidentResponse",
    "Incidents",
    "KeyRefusedError",
    "ManagementError",
    "MessageError",
    "NoStorageError",
    "RequestFailed",
    "ServiceRegistry",
    "ServiceSession",
    "SettingsError",
    "StoreError",
    "TakenError",
    "UnknownIncidentError",
    "UnknownServiceError",
    "create_service_registry_from_env",
]
