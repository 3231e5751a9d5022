"""Importers: the configuration of another tool as one of ours, and what had no equivalent.

Pure: takes text, returns text. No secret of the foreign file is in what comes out, in a message or
in the name of anything; a variable stands in its place.
"""

from __future__ import annotations

from types import ModuleType

from exporter.importers.json_lines import read_json
from exporter.importers.prometheus import is_prometheus
from exporter.importers.report import Ledger, NoImportError, Report
from exporter.importers.result import Imported, finish
from exporter.listing import module_in, names_in
from exporter.settings import Loaded, SettingsError, examine

_FOLDER = "importers/formats"
_FORMATS: dict[str, ModuleType] = {
    module.NAME: module for name in names_in(_FOLDER) for module in [module_in(_FOLDER, name)]
}
FORMATS = tuple(_FORMATS)
TARGET_TAKERS = tuple(name for name, form in _FORMATS.items() if form.TAKES_TARGETS)
"""The formats that say how to probe, and need a second file that says what."""


def import_text(
    text: str,
    source: str,
    *,
    kind: str | None = None,
    targets: tuple[str, str] | None = None,
    output: str = "(output)",
) -> Imported:
    """Return the configuration that *text*, of the file *source*, comes to.

    *targets* is the text and the name of the file that says what is probed, for a tool that keeps
    this apart (blackbox_exporter: Prometheus' configuration). *kind* is one of `FORMATS`, found
    from the content without it.

    Raises:
        SettingsError: a file is wrong; with every mistake and its place.
        NoImportError: nothing could be taken from it; `warnings` of the message say why.
    """
    loaded = _read(text, source)
    found = kind or format_of(loaded.data)
    form, report = _FORMATS[found], Report()
    if targets is not None and not form.TAKES_TARGETS:
        raise NoImportError(f"--targets is for {' and '.join(TARGET_TAKERS)} only")
    ledger = Ledger(report, loaded, text, expands=form.EXPANDS)
    form.take(ledger, Ledger(report, _read(*targets), targets[0]) if targets else None)
    return finish(report, found, output)


def format_of(data: object) -> str:
    """Return the format that *data* is in.

    Raises:
        NoImportError: it is none that is known.
    """
    if isinstance(data, dict):
        for name, form in _FORMATS.items():
            if form.recognised(data):
                return name
        if is_prometheus(data):
            raise NoImportError(
                "this is Prometheus' configuration: give blackbox_exporter's modules first, "
                "and this file with --targets"
            )
    known = " or ".join(form.MARK for form in _FORMATS.values())
    raise NoImportError(f"the format is not recognised: there is no {known}; or use --from")


def _read(text: str, source: str) -> Loaded:
    if text.lstrip("\ufeff \t\r\n")[:1] == "{":
        try:
            return read_json(text.lstrip("\ufeff"), source)
        except SettingsError:
            if '"monitorList"' in text:
                raise
    loaded, problems = examine(text, source, {})
    if problems:
        raise SettingsError(problem for _, problem in problems)
    return loaded
