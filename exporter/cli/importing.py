"""`import`: converts another tool's configuration to ours and lists what has no equivalent."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from exporter.cli.usage import UsageError, counted
from exporter.files import exists, named, read_text
from exporter.importers import FORMATS, TARGET_TAKERS, Imported, NoImportError, Setting, import_text
from exporter.settings import Problem, SettingsError


def run_import(arguments: argparse.Namespace) -> int:
    """Import `arguments.file`; return 0 if a configuration results, 1 if nothing can be imported.

    Raises:
        UsageError: the output exists, or --targets does not go with the format.
        SettingsError: a file cannot be read or written.
    """
    output: Path | None = arguments.output
    if output is not None and exists(output) and not arguments.force:
        raise UsageError("--output exists already; --force overwrites it")
    targets: Path | None = arguments.targets
    if targets is not None and arguments.format not in (None, *TARGET_TAKERS):
        raise UsageError(f"--targets is for {' and '.join(TARGET_TAKERS)} only")
    try:
        imported = import_text(
            _read(arguments.file, "FILE"),
            str(arguments.file),
            kind=arguments.format,
            targets=(_read(targets, "--targets"), str(targets)) if targets is not None else None,
            output=str(output) if output is not None else "(output)",
        )
    except NoImportError as error:
        _print_to_stderr(error.warnings, f"service-registry: {arguments.file}: {error}")
        return 1
    if output is not None:
        _write(output, imported.text, force=arguments.force)
    if arguments.json:
        print(json.dumps(_as_json(imported), indent=2, ensure_ascii=False))
        return 0
    if output is None:
        sys.stdout.write(imported.text)
        sys.stdout.flush()
    _print_to_stderr(imported.warnings, *_summary(imported, output))
    return 0


def _read(path: Path, option: str) -> str:
    try:
        return read_text(path)
    except OSError as error:
        mistake = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        mistake = "is not UTF-8 text"
    raise SettingsError([Problem(named(path, option), 1, "(file)", mistake)])


def _write(path: Path, text: str, *, force: bool) -> None:
    """Write the file; without *force* never over one that has appeared since the first check."""
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError("--output exists already; --force overwrites it") from None
    except OSError as error:
        mistake = f"cannot be written: {error.strerror}"
        raise SettingsError([Problem(named(path, "--output"), 1, "(file)", mistake)]) from None


def _print_to_stderr(warnings: Iterable[Problem], *lines: str) -> None:
    for line in (*warnings, *lines):
        print(line, file=sys.stderr)


def _summary(imported: Imported, output: Path | None) -> list[str]:
    where = f", written to {output}" if output is not None else ""
    lines = [f"check-config: {remark}" for remark in imported.remarks]
    if imported.settings:
        lines += ["", "Set these variables to the values that are in the file now:"]
        lines += [f"  {setting}" for setting in imported.settings]
        lines.append("")
    enabled = sum(service.get("enabled", True) is not False for service in imported.services)
    lines.append(
        f"ok: {counted(len(imported.services), 'service')} ({enabled} enabled) "
        f"from {imported.format}{where}; "
        f"{counted(len(imported.warnings), 'warning')} (no equivalent, or to be checked), "
        f"{counted(len(imported.settings), 'variable')} to set"
    )
    return lines


def _as_json(imported: Imported) -> dict[str, Any]:
    return {
        "format": imported.format,
        **imported.data,
        "warnings": [asdict(warning) for warning in (*imported.warnings, *imported.remarks)],
        "variables": [_variable(setting) for setting in imported.settings],
    }


def _variable(setting: Setting) -> dict[str, Any]:
    return {"name": setting.name, "service": setting.service, "now": asdict(setting.place)}


__all__ = ["FORMATS", "run_import"]
