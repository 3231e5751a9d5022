"""GET /probe?target=URL&module=NAME&debug=true, as blackbox_exporter answers it.

Off by default: every client that may scrape the exporter could send requests through it. Errors
are problem+json, unlike blackbox_exporter's.
"""

from __future__ import annotations

import asyncio
import json
import math
import typing
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import Any

from aiohttp import web

from exporter.api.accepting import takes_gzip
from exporter.api.guard import problem
from exporter.model import Reason
from exporter.multitarget import (
    MAX_TIMEOUT,
    RETRY_AFTER_SECONDS,
    BusyError,
    Capacity,
    Check,
    CheckError,
    Module,
    Modules,
    MultiTargetProber,
    Observation,
    TargetError,
    hostname_mistake,
    make_check,
)
from exporter.multitarget.families import exposition
from exporter.probers import Answer
from exporter.settings import Showing, showing_of
from exporter.textformat import TEXT

OFFSET_SECONDS = 0.5
"""Taken off the scrape's timeout; the default of blackbox_exporter's --timeout-offset."""
DEFAULT_MODULE = "http_2xx"
MAX_DEBUG_CHARACTERS = 64 * 1024
"""Of the debug page's log, and of its module; the metrics between them are bounded by theirs."""


@dataclass(frozen=True, slots=True)
class Probing:
    """The parts that `/probe` needs; `user_agent` is sent unless the module has its own.

    `strike` replaces the known secrets in a text.
    """

    modules: Modules
    prober: MultiTargetProber
    user_agent: str
    strike: Callable[[str], str]
    capacity: Capacity = field(default_factory=Capacity)


PROBING: web.AppKey[Probing] = web.AppKey("PROBING", Probing)


async def probe(request: web.Request) -> web.Response:
    """Probe the target once, now; a failed probe is a 200 with `probe_success 0`."""
    probing = request.app[PROBING]
    if not probing.modules.enabled:
        return problem(404, "/probe is off", detail="start with serve --probe.enable")
    query = request.query
    module = probing.modules.get(name := query.get("module") or DEFAULT_MODULE)
    if module is None and (why := probing.modules.why_left_out(name)):
        return problem(400, "this module is not supported", detail=why)
    if module is None:
        return problem(400, "unknown module", detail="the modules are those of --probe.config.file")
    try:
        timeout = _timeout(request.headers.get("X-Prometheus-Scrape-Timeout-Seconds"), module)
    except ValueError:
        return problem(400, "X-Prometheus-Scrape-Timeout-Seconds is not a number of seconds")
    if not (target := query.get("target")):
        return problem(400, "target parameter is missing")
    if mistake := hostname_mistake(module, hostname := query.get("hostname", "")):
        return problem(400, mistake)
    try:
        observation = await _observe(probing, module, target, timeout, hostname)
    except TargetError:
        why = "its allowed_targets name all targets that it may be used for"
        return problem(403, "this module may not be used for this target", detail=why)
    except BusyError:
        return _busy()
    page = exposition(observation)
    if query.get("debug") == "true":
        text = debug_page(name, module, timeout, observation, page)
        return web.Response(text=probing.strike(text))
    response = web.Response(text=page)
    response.headers["Content-Type"] = TEXT
    if takes_gzip(request.headers.getall("Accept-Encoding", ())):
        response.enable_compression(web.ContentCoding.gzip)
    return response


def _busy() -> web.Response:
    refusal = problem(503, "too many probes run at this time", detail="ask again a little later")
    refusal.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return refusal


def _timeout(header: str | None, module: Module) -> float:
    """Return the seconds a probe may take: less than the scrape, at most the module's timeout."""
    scrape = float(header) if header else MAX_TIMEOUT
    if not math.isfinite(scrape):
        raise ValueError
    left = (scrape or MAX_TIMEOUT) - OFFSET_SECONDS
    if left <= 0:  # as blackbox: a scrape that short has the module's own timeout
        return module.timeout or 0.001
    return min(left, module.timeout or left, MAX_TIMEOUT)


async def _observe(
    probing: Probing, module: Module, target: str, seconds: float, hostname: str
) -> Observation:
    def make() -> Check:
        return make_check(
            module, target, timeout=seconds, user_agent=probing.user_agent, hostname=hostname
        )

    try:
        # Reading files would block the loop; a module without files needs no thread.
        check = await asyncio.to_thread(make) if module.has_files else make()
    except CheckError as error:
        observation = Observation(answer=Answer(failure=Reason.CLIENT_ERROR))
        observation.fail(Reason.CLIENT_ERROR, str(error))
        return observation
    with probing.capacity.taken(check):
        return await probing.prober.probe(check)


def debug_page(
    name: str, module: Module, timeout: float, observation: Observation, page: str
) -> str:
    """Return the probe's log, its metrics and its module, without secrets and without the body."""
    log = [("beginning the probe", {"module": name, "timeout_seconds": timeout}), *observation.log]
    lines = "\n".join(_log_line(message, values) for message, values in log)
    settings = "\n".join(_yaml_lines(module, ""))
    return (
        f"Logs for the probe:\n{_cut(lines)}\n\n\n\n"
        f"Metrics that would have been returned:\n{page}\n\n\n"
        f"Module configuration:\n{_cut(settings)}\n"
    )


def _cut(text: str) -> str:
    return text if len(text) <= MAX_DEBUG_CHARACTERS else f"{text[:MAX_DEBUG_CHARACTERS]}\n(cut)"


def _log_line(message: str, values: dict[str, object]) -> str:
    shown = (f"{key}={_log_value(value)}" for key, value in values.items())
    return " ".join((f"msg={json.dumps(message)}", *shown))


def _log_value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.9g}"
    text = str(value)
    return text if text.isalnum() else json.dumps(text)


def _yaml_lines(value: Any, indent: str) -> Iterator[str]:
    """Yield the settings that differ from their default as YAML; secret values are `<secret>`."""
    types = typing.get_type_hints(type(value), include_extras=True)
    for one in fields(value):
        name, setting = one.name, getattr(value, one.name)
        default = one.default if one.default_factory is MISSING else one.default_factory()
        if setting is None or (setting == default and name != "prober"):
            continue
        if is_dataclass(setting):
            yield f"{indent}{name}:"
            yield from _yaml_lines(setting, indent + "  ")
        else:
            yield from _field_lines(name, setting, types[name], indent)


def _field_lines(name: str, value: Any, tp: Any, indent: str) -> Iterator[str]:
    item_types = typing.get_args(tp)
    if isinstance(value, dict):
        yield f"{indent}{name}:"
        yield from (f"{indent}  {key}: {_scalar(value[key], item_types[1])}" for key in value)
    elif isinstance(value, tuple):
        yield f"{indent}{name}:"
        for item in value:
            if is_dataclass(item):
                first, *others = _yaml_lines(item, f"{indent}  ")
                yield f"{indent}- {first.strip()}"
                yield from others
            else:
                yield f"{indent}- {_scalar(item, item_types[0])}"
    else:
        yield f"{indent}{name}: {_scalar(value, tp)}"


def _scalar(value: Any, tp: Any) -> str:
    if showing_of(tp) is not Showing.PUBLIC:
        return "<secret>"
    if isinstance(value, float):
        return (
            f"{value * 1000:g}ms" if value % 1 else f"{value:g}s"
        )  # every float of a module is a duration
    return json.dumps(value)
