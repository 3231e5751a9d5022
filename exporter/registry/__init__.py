"""Which targets exist now: read from files, changed at run time, announced to followers."""

from exporter.registry.holding import Hold
from exporter.registry.holds import HoldError, Holds, Which
from exporter.registry.loading import Loader
from exporter.registry.management import (
    InFileError,
    KeyRefusedError,
    Management,
    ManagementError,
    NoStorageError,
    OnlyKeyError,
    Rotation,
    TakenError,
)
from exporter.registry.overlay import Overlay, Storage, StoredKey
from exporter.registry.targets import Registry, RegistryChange, UnknownServiceError

__all__ = [
    "Hold",
    "HoldError",
    "Holds",
    "InFileError",
    "KeyRefusedError",
    "Loader",
    "Management",
    "ManagementError",
    "NoStorageError",
    "OnlyKeyError",
    "Overlay",
    "Registry",
    "RegistryChange",
    "Rotation",
    "Storage",
    "StoredKey",
    "TakenError",
    "UnknownServiceError",
    "Which",
]
