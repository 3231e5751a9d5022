"""`import_text`: recognise the format, let its module collect services, and write our file."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import ModuleType

from exporter.importers.json_lines import read_json
from exporter.importers.prometheus import is_prometheus
from exporter.importers.report import Ledger, NoImportError, Report
from exporter.importers.result import Imported, finish
from exporter.listing import module_in, names_in, option_names_in
from exporter.settings import Loaded, SettingsError, examine

_FOLDER = "importers/formats"
_FORMATS: dict[str, ModuleType] = {
    option: module_in(_FOLDER, name)
    for option, name in zip(option_names_in(_FOLDER), names_in(_FOLDER), strict=True)
}
FORMATS = tuple(_FORMATS)
TARGET_TAKERS = tuple(name for name, module in _FORMATS.items() if module.TAKES_TARGETS)
"""The formats whose file has only how to probe; what to probe is in a second file."""


# Not after every {, which can begin YAML as well: only the files of these tools are meant as JSON.
_JSON_NAME = re.compile(r'"(?:monitorList|services|base_?[uU]rl|api_?[kK]ey|health_?[cC]heck)"\s*:')
_JSON_ENDINGS = (".json", ".jsonc", ".json5")
_JAVASCRIPT = re.compile(
    r"(?:(?:module\.)?exports\b|export\s|(?:const|let|var|import)\s)[^:\n]*[={(]"
)
_OTHERS: tuple[tuple[str, Callable[[dict[str, object]], bool]], ...] = (
    (
        "a configuration of this program (if it is not, name its format with --from)",
        lambda d: isinstance(d.get("services"), list),
    ),
    ("a Compose file", lambda d: isinstance(d.get("services"), dict)),
    (
        "a Kubernetes manifest; give the file that is inside",
        lambda d: {"apiVersion", "kind"} <= d.keys(),
    ),
    ("Alertmanager's configuration", lambda d: {"route", "receivers"} <= d.keys()),
    ("a file of Prometheus' rules", lambda d: isinstance(d.get("groups"), list)),
    ("a Grafana dashboard", lambda d: isinstance(d.get("panels"), list)),
)
"""Files that people have beside those of `FORMATS`, and how each is recognised."""


def import_text(
    text: str,
    source: str,
    *,
    kind: str | None = None,
    targets: tuple[str, str] | None = None,
    output: str = "(output)",
) -> Imported:
    """Return *text*, the content of the file *source*, as a configuration of ours.

    *targets* is text and name of the file with the targets, for a tool that keeps these apart
    (blackbox_exporter: Prometheus' configuration). *kind* is one of `FORMATS`; without it the
    content decides. *output* is the name of the new file in the remarks about it.

    >>> text = "endpoints: [{name: api, url: https://api.example.com/health}]"
    >>> imported = import_text(text, "gatus.yaml")
    >>> imported.format, imported.services[0]["base_url"], len(imported.warnings)
    ('gatus', 'https://api.example.com', 1)

    Raises:
        SettingsError: a file is wrong; lists every mistake with its line.
        NoImportError: nothing could be imported; its `warnings` say why.
    """
    loaded = _read(text, source)
    format_name = kind or format_of(loaded.data)
    module, report = _FORMATS[format_name], Report()
    if targets is not None and not module.TAKES_TARGETS:
        raise NoImportError(f"--targets is for {' and '.join(TARGET_TAKERS)} only")
    ledger = Ledger(report, loaded, text, expands=module.EXPANDS)
    module.collect(ledger, Ledger(report, _read(*targets), targets[0]) if targets else None)
    return finish(report, format_name, output)


def format_of(data: object) -> str:
    """Return the format that *data* is in.

    Raises:
        NoImportError: *data* is in no known format, or in Prometheus' alone.
    """
    # a list without a name can only be one of services
    sections = {"services": data} if isinstance(data, list) else data
    if isinstance(sections, dict):
        for name, module in _FORMATS.items():
            if module.recognised(sections):
                return name
    if isinstance(data, dict):
        if is_prometheus(data):
            raise NoImportError(
                "this is Prometheus' configuration: give the file of blackbox_exporter's modules, "
                "and this one with --targets"
            )
        for other, is_other in _OTHERS:
            if is_other(data):
                raise NoImportError(f"this is {other}: nothing can be imported from it")
    if isinstance(data, list) and any(isinstance(d, dict) and "targets" in d for d in data):
        raise NoImportError(
            "this is a list of targets for Prometheus' file_sd_configs: write them as "
            "static_configs of a job, or POST them to /api/services"
        )
    known = " or ".join(module.MARK for module in _FORMATS.values())
    raise NoImportError(f"the format is not recognised: the file has no {known}; --from names it")


def _read(text: str, source: str) -> Loaded:
    text = text.lstrip("\ufeff")
    begin = text.lstrip(" \t\r\n")[:2]
    if begin[:1] in ("{", "[") or begin in ("//", "/*"):
        try:
            return read_json(text, source)
        except SettingsError:
            if source.lower().endswith(_JSON_ENDINGS) or _JSON_NAME.search(text):
                raise
    if _JAVASCRIPT.match(text.lstrip()):
        raise NoImportError(
            "this is JavaScript, which is not run: write its object as JSON in a file, each "
            'process.env.NAME as the text "${NAME}"'
        )
    loaded, problems = examine(text, source, {})
    if problems:
        raise SettingsError(problem for _, problem in problems)
    return loaded
