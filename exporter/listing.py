"""What there is of a kind is what lies in its folder: presets, adapters, importers, probers.

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

    What begins with an underscore is private to the folder.

    >>> names_in("probers/kinds")
    ('http',)
    """
    files = resources.files(_PACKAGE).joinpath(folder).iterdir()
    names = (file.name.removesuffix(suffix) for file in files if file.name.endswith(suffix))
    return tuple(sorted(name for name in names if not name.startswith("_")))


def module_in(folder: str, name: str) -> ModuleType:
    """Return the module *name* of *folder*.

    Raises:
        LookupError: the folder has no such file.
    """
    if name not in names_in(folder):
        raise LookupError(name)
    return import_module(f"{_PACKAGE}.{folder.replace('/', '.')}.{name}")
