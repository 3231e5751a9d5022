"""Where a configuration comes from: files, or the key variables that are set; and its shards."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from exporter.config import Configuration, Declared, read_files
from exporter.providers import presets


def source_of(
    paths: list[Path] | None, environment: Mapping[str, str], *, key_files: bool = False
) -> Callable[[], Configuration]:
    """Return a function that reads *paths*, or the key variables of *environment* without paths.

    With *key_files* a file that is named for a key and holds none is a mistake.
    """
    if paths:
        return lambda: read_files(paths, environment, key_files=key_files)
    return lambda: from_environment(environment)


def from_environment(environment: Mapping[str, str]) -> Configuration:
    """Return one service for each provider whose key variable is set.

    Not for a program of one's own: where that is, and that it may be asked, only a file can say.
    """
    services = tuple(
        Declared({"id": name, "name": preset.name, "provider": name}, "(environment)", 0)
        for name, preset in presets().items()
        if not preset.local and any(environment.get(variable) for variable in preset.key_variables)
    )
    return Configuration(services=services)


def sharded(
    source: Callable[[], Configuration], index: int, count: int
) -> Callable[[], Configuration]:
    """Return *source* with the services of shard *index* of *count* only.

    A service's shard follows from its id alone, so every process that is started with the same
    *count* agrees without talking to another.
    """
    if count == 1:
        return source

    def own_shard() -> Configuration:
        whole = source()
        services = tuple(d for d in whole.services if shard_of(d.raw["id"], count) == index)
        return replace(whole, services=services)

    return own_shard


def shard_of(service: str, count: int) -> int:
    """Return which of *count* shards *service* belongs to, from 0."""
    digest = hashlib.blake2b(service.encode(), digest_size=8).digest()
    return int.from_bytes(digest) % count
