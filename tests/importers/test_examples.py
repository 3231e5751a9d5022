"""The example files become the golden files next to them; UPDATE=1 writes those."""

from __future__ import annotations

import os

import pytest

from exporter.config import make_target, read_text
from tests.importers.foreign import EXAMPLES, FILES, example


def golden(name: str, text: str) -> str:
    path = FILES / name
    if os.environ.get("UPDATE"):
        path.write_text(text)
    return path.read_text()


@pytest.mark.parametrize("kind", EXAMPLES)
def test_an_example_becomes_its_golden_file(kind: str) -> None:
    imported = example(kind)

    assert imported.text == golden(f"{kind}.golden.yaml", imported.text)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_what_an_example_loses_is_listed(kind: str) -> None:
    imported = example(kind)
    lines = "\n".join(map(str, (*imported.warnings, *imported.remarks, *imported.settings))) + "\n"

    assert lines == golden(f"{kind}.golden.txt", lines)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_what_comes_out_can_be_served(kind: str) -> None:
    imported = example(kind)
    values = {setting.name: "value-0123456789" for setting in imported.settings}
    values |= {"BACKEND_URL": "https://backend.example.com", "BACKEND_TOKEN": "x"}
    values |= dict.fromkeys(
        (
            "ANTHROPIC_API_KEY",
            "HUBSPOT_TOKEN",
            "OPENAI_ORG_ID",
            "OPENAI_STAGING_KEY",
            "PLAUSIBLE_API_KEY",
            "STRIPE_KEY",
        ),
        "x",
    )

    configuration = read_text(imported.text, "services.yaml", values)

    assert len(configuration.services) == len(imported.services)
    for declared in configuration.services:
        target = make_target(declared, values)
        assert target.endpoint is not None or target.key_file, target.unprobed
