"""The commands that only print: `providers` and `schema`."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from exporter.cli.usage import UsageError, counted, meant
from exporter.config import file_schema
from exporter.providers import Preset, load_file, presets
from exporter.settings import shown_prose


def run_providers(arguments: argparse.Namespace) -> int:
    """Print the presets, one of them, or what is in one of the user's own.

    Raises:
        SettingsError: with every mistake in the user's file.
        UsageError: there is no preset of that name.
    """
    if arguments.check:
        return check_preset(arguments.check)
    try:
        return print_providers(arguments.name, as_json=arguments.json)
    except LookupError as error:
        raise UsageError(str(error.args[0])) from None


def print_schema(arguments: argparse.Namespace) -> int:
    """Print the JSON Schema with which editors complete and check a configuration."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **file_schema(references=True),
    }
    print(json.dumps(schema, indent=2, sort_keys=True))
    return 0


def print_providers(name: str | None, *, as_json: bool) -> int:
    """Print a table of all presets, or every detail of the preset *name*.

    Raises:
        LookupError: there is no preset of that name.
    """
    known = presets()
    if name is not None and name not in known:
        shown = shown_prose(repr(name))
        raise LookupError(f"no provider {shown}; known: {', '.join(known)}{meant(name, known)}")
    chosen = {name: known[name]} if name else known
    if as_json:
        print(json.dumps({n: dataclasses.asdict(p) for n, p in chosen.items()}, indent=2))
    elif name:
        _print_preset(name, known[name])
    else:
        _print_presets(known)
    return 0


def check_preset(path: Path) -> int:
    """Print what is in a preset of the user's own.

    Raises:
        SettingsError: with every mistake in the file.
    """
    preset = load_file(path)
    replaced = ", replaces the shipped one" if path.stem in presets() else ""
    print(
        f"ok: provider {path.stem}{replaced}: {preset.health.method} {preset.health.endpoint}, "
        f"{counted(len(preset.answers), 'answer')}"
    )
    return 0


def _print_presets(known: Mapping[str, Preset]) -> None:
    table = Table("provider", "type", "key variable", "health call", "interval", "confidence")
    for name, preset in known.items():
        table.add_row(
            name,
            preset.type,
            (preset.key_variables or ("",))[0],
            f"{preset.health.method} {preset.health.endpoint}",
            f"{preset.intervals.health:g}s",
            preset.health.confidence,
        )
    Console(width=None if Console().is_terminal else 140).print(table)


def _print_preset(name: str, preset: Preset) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    lines = [
        f"{preset.name} ({name}, {preset.type})",
        f"  base URL      {preset.base_url}",
        *(f"  region {region:6} {url}" for region, url in preset.regions.items()),
        f"  key           {' or '.join(preset.key_variables)}, sent as {preset.auth.kind}"
        + (f" {preset.auth.header}" if preset.auth.kind == "header" else ""),
        *(f"  variable      ${{{v}}}: {text}" for v, text in preset.variables.items()),
        f"  health        {preset.health.method} {preset.health.endpoint}"
        f" [{preset.health.confidence}] every {preset.intervals.health:g}s",
    ]
    if preset.reachability:
        expected = ", ".join(map(str, preset.reachability.expected_status_codes))
        lines.append(
            f"  without a key {preset.reachability.method} {preset.reachability.endpoint} "
            f"-> {expected} [{preset.reachability.confidence}]"
        )
    lines += [
        f"  answer {rule.status}    {rule.reason} [{rule.confidence}]"
        + (" (depends on the answer)" if rule.when else "")
        for rule in preset.answers
    ]
    if key := preset.idempotency:
        lines.append(f"  POST again    with {key.header} [{key.confidence}]")
    if preset.key.rotation:
        lines.append(f"  rotation      {preset.key.rotation}")
    if preset.status_page:
        lines.append(f"  status page   {preset.status_page.url}")
    lines += [f"  caveat        {text}" for text in preset.caveats]
    lines += [f"  source        {url}" for url in preset.docs]
    console.print("\n".join(lines))
