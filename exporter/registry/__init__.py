"""Which targets exist now: read from files, changed at run time, told to listeners."""

from exporter.registry.loading import Loader, NoOverlay, Overlay
from exporter.registry.management import (
    InFileError,
    KeyRefusedError,
    Management,
    ManagementError,
    NoStorageError,
    OnlyKeyError,
    Rotation,
    Storage,
    StoredKey,
    TakenError,
)
from exporter.registry.targets import Change, Registry, UnknownServiceError

__all__ = [
    "Change",
    "InFileError",
    "KeyRefusedError",
    "Loader",
    "Management",
    "ManagementError",
    "NoOverlay",
    "NoStorageError",
    "OnlyKeyError",
    "Overlay",
    "Registry",
    "Rotation",
    "Storage",
    "StoredKey",
    "TakenError",
    "UnknownServiceError",
]
