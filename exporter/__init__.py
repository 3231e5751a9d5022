"""TekUp Service Registry: what is broken, since when, whose fault it is, and what to do.

`from exporter import ServiceRegistry` is the registry as a Python library; see `exporter.library`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exporter.library import ServiceRegistry, create_service_registry_from_env

__all__ = ["ServiceRegistry", "create_service_registry_from_env"]


def __getattr__(name: str) -> Any:
    """Import the library on first use, so that importing one subpackage alone stays light."""
    if name in __all__:
        from exporter import library  # noqa: PLC0415, see above

        return getattr(library, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
