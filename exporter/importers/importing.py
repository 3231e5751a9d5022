"""Importers: the configuration of another tool as one of ours, and what had no equivalent.

Pure: takes text, returns text. No secret of the foreign file is in what comes out, in a message or
in the name of anything; a variable stands in its place.
"""

from __future__ import annotations

from collections.abc import Callable

from exporter.importers.blackbox import import_blackbox, is_blackbox
from exporter.importers.gatus import import_gatus, is_gatus
from exporter.importers.json_lines import read_json
from exporter.importers.prometheus import is_prometheus
from exporter.importers.report import Ledger, NoImportError, Report
from exporter.importers.result import Imported, finish
from exporter.importers.uptime_kuma import import_kuma, is_kuma
from exporter.settings import Loaded, SettingsError, examine

FORMATS = ("blackbox", "gatus", "uptime-kuma")
_RECOGNISED: dict[str, Callable[[dict[str, object]], bool]] = {
    "uptime-kuma": is_kuma,
    "blackbox": is_blackbox,
    "gatus": is_gatus,
}


def import_text(
    text: str,
    source: str,
    *,
    kind: str | None = None,
    targets: tuple[str, str] | None = None,
    output: str = "(output)",
) -> Imported:
    """Return the configuration that *text*, of the file *source*, comes to.

    *targets* is the text and the name of Prometheus' configuration, which says what
    blackbox_exporter probes. *kind* is one of `FORMATS`, found from the content without it.

    Raises:
        SettingsError: a file is wrong; with every mistake and its place.
        NoImportError: nothing could be taken from it; `warnings` of the message say why.
    """
    loaded = _read(text, source)
    found = kind or format_of(loaded.data)
    report = Report()
    ledger = Ledger(report, loaded, text, expands=found == "gatus")
    if targets is not None and found != "blackbox":
        raise NoImportError("--targets is for blackbox_exporter's modules only")
    if found == "blackbox":
        other = Ledger(report, _read(*targets), targets[0]) if targets else None
        import_blackbox(ledger, other)
    elif found == "gatus":
        import_gatus(ledger)
    else:
        import_kuma(ledger)
    return finish(report, found, output)


def format_of(data: object) -> str:
    """Return the format that *data* is in.

    Raises:
        NoImportError: it is none that is known.
    """
    if isinstance(data, dict):
        for name, recognised in _RECOGNISED.items():
            if recognised(data):
                return name
        if is_prometheus(data):
            raise NoImportError(
                "this is Prometheus' configuration: give blackbox_exporter's modules first, "
                "and this file with --targets"
            )
    known = "modules (blackbox_exporter), endpoints (Gatus) or monitorList (Uptime Kuma)"
    raise NoImportError(f"the format is not recognised: no {known}; or name it with --from")


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
