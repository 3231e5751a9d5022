"""Which answers are looked at for the end of what a service uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from exporter.config.uses import NOTHING_USED, Used
from exporter.config.values import SideRequest, Target
from exporter.probers import Endpoint
from exporter.providers import ModelList, Preset

LONGEST_LIST = 4 * 1024 * 1024
"""Bytes of a list of models that are read, where it is asked for by itself."""


def with_radar(
    target: Target,
    used: Used,
    preset: Preset | None,
    *,
    is_bound: bool,
    build: Callable[[str], Endpoint | None],
) -> Target:
    """Return *target* with an eye on the end of what is *used*.

    Where the health check fetches the provider's list of models anyway, its answer is read and
    nothing more is sent; not if it asks something else (*is_bound*: by the service's own words).
    *build* makes the GET of a path, None if there is no key for it.
    """
    if used == NOTHING_USED or target.endpoint is None:
        return target
    endpoint, side = _watching(target.endpoint, used), None
    known = preset.models.list if preset is not None and preset.models is not None else None
    if preset is not None and known is not None and used.models:
        if not is_bound and not known.endpoint:
            endpoint = _listing(endpoint, known, used)
        elif (asked := build(known.endpoint or preset.health.endpoint)) is not None:
            asked = _listing(replace(asked, body_limit=LONGEST_LIST), known, used)
            side = SideRequest(endpoint=asked, interval=known.interval)
    calls = None if target.calls is None else _watching(target.calls, used)
    return replace(target, uses=used, endpoint=endpoint, calls=calls, model_list=side)


def _watching(endpoint: Endpoint, used: Used) -> Endpoint:
    """Return *endpoint* with the version in its answers looked at."""
    if not used.version_header:
        return endpoint
    radar = replace(
        endpoint.readings.radar, version_header=used.version_header, version=used.api_version
    )
    return replace(endpoint, readings=replace(endpoint.readings, radar=radar))


def _listing(endpoint: Endpoint, known: ModelList, used: Used) -> Endpoint:
    """Return *endpoint* with the models looked for in its answers."""
    radar = replace(endpoint.readings.radar, listing=known.place, models=used.models)
    return replace(endpoint, readings=replace(endpoint.readings, radar=radar))
