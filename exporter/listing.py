"""The presets, adapters, importers and probers that exist: the files of their folders.

To add one is to add a file; no list names it a second time.
"""

from __future__ import annotations

import functools
from importlib import import_module, resources
from types import ModuleType

_PACKAGE = "exporter"


@functools.cache
def names_in(folder: str, suffix: str = ".py") -> tuple[str, ...]:
    """Return the names of the files in *folder* of this package, sorted, without *suffix*.

    A file whose name begins with an underscore is private to the folder and left out.

    >>> names_in("probers/kinds")
    ('http',)
    """
    files = resources.files(_PACKAGE).joinpath(folder).iterdir()
    names = (file.name.removesuffix(suffix) for file in files if file.name.endswith(suffix))
    return tuple(sorted(name for name in names if not name.startswith("_")))


def option_names_in(folder: str) -> tuple[str, ...]:
    """Return the names of the modules in *folder* as options have them, without importing any.

    >>> option_names_in("importers/formats")
    ('blackbox', 'gatus', 'node-registry', 'uptime-kuma')
    """
    return tuple(name.replace("_", "-") for name in names_in(folder))


def module_in(folder: str, name: str) -> ModuleType:
    """Return the module *name* of *folder*, imported if it is not yet.

    Raises:
        LookupError: the folder has no such file.
    """
    # Without this check a name from a configuration file could import any module below.
    if name not in names_in(folder):
        raise LookupError(name)
    return import_module(f"{_PACKAGE}.{folder.replace('/', '.')}.{name}")
