"""GET /probe?target=URL&module=NAME&debug=true, as blackbox_exporter answers it.

Off unless asked for: it lets whoever may scrape us send requests. Errors are problem+json here.
"""

from __future__ import annotations

import asyncio
import json
import math
import typing
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any

from aiohttp import web

from exporter.api.guard import problem
from exporter.model import Reason
from exporter.multitarget import (
    MAX_TIMEOUT,
    Check,
    CheckError,
    Module,
    Modules,
    MultiTargetProber,
    Sighting,
    hostname_mistake,
    make_check,
)
from exporter.multitarget.families import exposition
from exporter.probers import Answer
from exporter.settings import Showing, showing_of
from exporter.textformat import TEXT

OFFSET = 0.5
DEFAULT_MODULE = "http_2xx"


@dataclass(frozen=True, slots=True)
class Probing:
    """What `/probe` works with; `user_agent` is sent unless the module has its own."""

    modules: Modules
    prober: MultiTargetProber
    user_agent: str


PROBING: web.AppKey[Probing] = web.AppKey("PROBING", Probing)


async def probe(request: web.Request) -> web.Response:
    """Probe the target once, now; a failed probe is an answer like any other."""
    probing = request.app[PROBING]
    if not probing.modules.enabled:
        return problem(404, "/probe is off", detail="start with serve --probe.enable")
    query = request.query
    module = probing.modules.get(name := query.get("module") or DEFAULT_MODULE)
    if module is None:
        return problem(400, "unknown module", detail="see --probe.config.file for those there are")
    try:
        timeout = _timeout(request.headers.get("X-Prometheus-Scrape-Timeout-Seconds"), module)
    except ValueError:
        return problem(400, "X-Prometheus-Scrape-Timeout-Seconds is not a number of seconds")
    if not (target := query.get("target")):
        return problem(400, "target parameter is missing")
    if mistake := hostname_mistake(module, hostname := query.get("hostname", "")):
        return problem(400, mistake)
    seen = await _sighting(probing, module, target, timeout, hostname)
    page = exposition(seen)
    if query.get("debug") == "true":
        return web.Response(text=debug_page(name, module, timeout, seen, page))
    response = web.Response(text=page)
    response.headers["Content-Type"] = TEXT
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        response.enable_compression(web.ContentCoding.gzip)
    return response


def _timeout(header: str | None, module: Module) -> float:
    """Return the seconds a probe may take: less than the scrape, at most the module's."""
    scrape = float(header) if header else MAX_TIMEOUT
    if not math.isfinite(scrape):
        raise ValueError
    left = (scrape or MAX_TIMEOUT) - OFFSET
    if left <= 0:  # as blackbox: a scrape that short has the module's own timeout
        return module.timeout or 0.001
    return min(left, module.timeout or left, MAX_TIMEOUT)


async def _sighting(
    probing: Probing, module: Module, target: str, seconds: float, hostname: str
) -> Sighting:
    def make() -> Check:
        return make_check(
            module, target, timeout=seconds, user_agent=probing.user_agent, hostname=hostname
        )

    try:
        # off the loop only if there are files to read
        check = await asyncio.to_thread(make) if module.has_files else make()
    except CheckError as error:
        seen = Sighting(answer=Answer(failure=Reason.CLIENT_ERROR))
        seen.fail(Reason.CLIENT_ERROR, str(error))
        return seen
    return await probing.prober.probe(check)


def debug_page(name: str, module: Module, timeout: float, seen: Sighting, page: str) -> str:
    """Return what the probe did, its metrics and its module, without a secret or an answer."""
    log = [("beginning the probe", {"module": name, "timeout_seconds": timeout}), *seen.log]
    lines = "\n".join(_logged(message, values) for message, values in log)
    settings = "\n".join(_written(module, ""))
    return (
        f"Logs for the probe:\n{lines}\n\n\n\n"
        f"Metrics that would have been returned:\n{page}\n\n\n"
        f"Module configuration:\n{settings}\n"
    )


def _logged(message: str, values: dict[str, object]) -> str:
    shown = (f"{key}={_plain(value)}" for key, value in values.items())
    return " ".join((f"msg={json.dumps(message)}", *shown))


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.9g}"
    text = str(value)
    return text if text.isalnum() else json.dumps(text)


def _written(value: Any, indent: str) -> Iterator[str]:
    """Yield the settings that are not the default as YAML; what nobody may read is `<secret>`."""
    types = typing.get_type_hints(type(value), include_extras=True)
    for f in fields(value):
        found = getattr(value, f.name)
        usual = f.default if f.default_factory is MISSING else f.default_factory()
        if found is None or (found == usual and f.name != "prober"):
            continue
        if is_dataclass(found):
            yield f"{indent}{f.name}:"
            yield from _written(found, indent + "  ")
        else:
            yield from _field(f.name, found, types[f.name], indent)


def _field(name: str, value: Any, tp: Any, indent: str) -> Iterator[str]:
    inner = typing.get_args(tp)
    if isinstance(value, dict):
        yield f"{indent}{name}:"
        yield from (f"{indent}  {key}: {_scalar(value[key], inner[1])}" for key in value)
    elif isinstance(value, tuple):
        yield f"{indent}{name}:"
        for item in value:
            if is_dataclass(item):
                first, *others = _written(item, f"{indent}  ")
                yield f"{indent}- {first.strip()}"
                yield from others
            else:
                yield f"{indent}- {_scalar(item, inner[0])}"
    else:
        yield f"{indent}{name}: {_scalar(value, tp)}"


def _scalar(value: Any, tp: Any) -> str:
    if showing_of(tp) is not Showing.PUBLIC:
        return "<secret>"
    if isinstance(value, float):
        return f"{value * 1000:g}ms" if value % 1 else f"{value:g}s"  # all of them are durations
    return json.dumps(value)
