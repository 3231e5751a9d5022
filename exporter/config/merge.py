"""What wins: the service's own field over the defaults; `targets` puts the preset below both.

Mappings are merged field by field, lists and scalars replaced. Pure, on plain data, of which
places are looked at and taken out here too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from exporter.settings import FieldPath, Loaded, Problem

# One source each: naming one in the service drops the other kind from what is below.
_EITHER = (("api_key", "api_key_file"), ("base_url", "region"))
_OTHER = dict((*_EITHER, *(pair[::-1] for pair in _EITHER)))
_WHOLE = frozenset({"body"})


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return *above* completed by *below*."""
    out = dict(below)
    for name in above:
        if name in _OTHER:
            out.pop(_OTHER[name], None)
    for name, value in above.items():
        known = out.get(name)
        if isinstance(known, dict) and isinstance(value, dict) and name not in _WHOLE:
            out[name] = merged(known, value)
        else:
            out[name] = value
    return out


def prune(data: Any, path: FieldPath) -> None:
    """Take out the place at *path*; of a list inside a service the whole list."""
    while len(path) > 2 and isinstance(path[-1], int):
        path = path[:-1]
    for step in path[:-1]:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return
    if path and isinstance(data, dict):
        data.pop(path[-1], None)


def has_value(data: Any, path: FieldPath) -> bool:
    """Return whether *data* has a value of its own at *path*."""
    for step in path:
        if isinstance(step, int) or not isinstance(data, dict):
            return data is not None  # a list, or a scalar, takes the place of the whole
        if step not in data:
            return False
        data = data[step]
    return True


def listed(data: Any, name: str) -> list[Any]:
    """Return the list *name* of a file's *data*, empty without one."""
    found = data.get(name) if isinstance(data, dict) else None
    return found if isinstance(found, list) else []


def empty_files(files: list[Loaded]) -> Iterator[Problem]:
    """Yield a warning for each file that declares nothing, and one if no file has a service."""
    blank = [file.problem((), "is empty: it declares nothing") for file in files if not file.data]
    if blank or any(listed(file.data, "services") for file in files):
        yield from blank
    else:
        what = "no service is declared, so nothing is probed until the API adds one"
        yield files[0].problem(("services",), what)


def only(name: str, loaded: list[Loaded]) -> tuple[Loaded | None, dict[str, Any]]:
    """Return the mapping *name* and its file; None and an empty one where it is in none."""
    for file in loaded:
        found = file.data.get(name) if isinstance(file.data, dict) else None
        if isinstance(found, dict) and found:
            return file, found
    return None, {}


def once(name: str, loaded: list[Loaded]) -> Iterator[Problem]:
    """Yield each further file in which *name* is: it may be in one only."""
    holders = [file for file in loaded if isinstance(file.data, dict) and file.data.get(name)]
    for file in holders[1:]:
        first = holders[0]
        where = f"{first.source}:{first.document.line((name,))}"
        yield file.problem((name,), f"is in another file already, {where}; keep one")
