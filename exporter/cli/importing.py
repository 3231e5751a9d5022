"""The import command: another tool's configuration in, ours out, and a list of what was lost."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from exporter.cli.usage import UsageError
from exporter.importers import FORMATS, TARGET_TAKERS, Imported, NoImportError, Setting, import_text
from exporter.settings import Problem, SettingsError


def run_import(arguments: argparse.Namespace) -> int:
    """Import `arguments.file`; 0 if something was taken, 1 if nothing could be."""
    output: Path | None = arguments.output
    if output is not None and output.exists() and not arguments.force:
        raise UsageError("--output exists already; --force overwrites it")
    targets: Path | None = arguments.targets
    if targets is not None and arguments.format not in (None, *TARGET_TAKERS):
        raise UsageError(f"--targets is for {' and '.join(TARGET_TAKERS)} only")
    try:
        found = import_text(
            _read(arguments.file),
            str(arguments.file),
            kind=arguments.format,
            targets=(_read(targets), str(targets)) if targets is not None else None,
            output=str(output) if output is not None else "(output)",
        )
    except NoImportError as error:
        _say(error.warnings, f"service-registry: {arguments.file}: {error}")
        return 1
    if output is not None:
        _write(output, found.text, force=arguments.force)
    if arguments.json:
        print(json.dumps(_machine(found), indent=2, ensure_ascii=False))
        return 0
    if output is None:
        sys.stdout.write(found.text)
        sys.stdout.flush()
    _say(found.warnings, *_summary(found, output))
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        what = "is not UTF-8 text"
    raise SettingsError([Problem(str(path), 1, "(file)", what)])


def _write(path: Path, text: str, *, force: bool) -> None:
    """Write the file; never over another one that appeared meanwhile, unless *force*."""
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError("--output exists already; --force overwrites it") from None
    except OSError as error:
        what = f"cannot be written: {error.strerror}"
        raise SettingsError([Problem(str(path), 1, "(file)", what)]) from None


def _say(warnings: Iterable[Problem], *lines: str) -> None:
    for line in (*warnings, *lines):
        print(line, file=sys.stderr)


def _summary(found: Imported, output: Path | None) -> list[str]:
    where = f", written to {output}" if output is not None else ""
    lines = [f"check-config: {remark}" for remark in found.remarks]
    if found.settings:
        lines += ["", "Set these variables to the values that stand in the file now:"]
        lines += [f"  {setting}" for setting in found.settings]
        lines.append("")
    kept = sum(service.get("enabled", True) is not False for service in found.services)
    lines.append(
        f"ok: {len(found.services)} services ({kept} enabled) from {found.format}{where}; "
        f"{len(found.warnings)} without equivalent or to look at, "
        f"{len(found.settings)} variables to set"
    )
    return lines


def _machine(found: Imported) -> dict[str, Any]:
    return {
        "format": found.format,
        **found.data,
        "warnings": [asdict(warning) for warning in (*found.warnings, *found.remarks)],
        "variables": [_variable(setting) for setting in found.settings],
    }


def _variable(setting: Setting) -> dict[str, Any]:
    return {"name": setting.name, "service": setting.service, "now": asdict(setting.place)}


__all__ = ["FORMATS", "run_import"]
