"""The protocols, read from the YAML files in `protocols/`; a new file is a new protocol."""

from __future__ import annotations

import functools
from importlib import resources

from exporter.listing import names_in
from exporter.settings import build, load, object_schema
from exporter.streams.declarations import StreamProtocol

PROTOCOLS = names_in("streams/protocols", ".yaml")


@functools.cache
def protocol(name: str) -> StreamProtocol:
    """Return the protocol of *name*, one of `PROTOCOLS`; read once."""
    file = resources.files(__package__).joinpath("protocols", f"{name}.yaml")
    source = f"exporter/streams/protocols/{name}.yaml"
    loaded = load(file.read_text(encoding="utf-8"), source, object_schema(StreamProtocol))
    found: StreamProtocol = build(StreamProtocol, loaded.data)
    return found
