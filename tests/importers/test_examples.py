"""The example files come out as the golden files beside them; UPDATE=1 writes those."""

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
def test_an_example_comes_out_as_before(kind: str) -> None:
    found = example(kind)

    assert found.text == golden(f"{kind}.golden.yaml", found.text)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_what_an_example_loses_is_listed(kind: str) -> None:
    found = example(kind)
    lines = "\n".join(map(str, (*found.warnings, *found.remarks, *found.settings))) + "\n"

    assert lines == golden(f"{kind}.golden.txt", lines)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_what_comes_out_can_be_served(kind: str) -> None:
    found = example(kind)
    values = {setting.name: "value-0123456789" for setting in found.settings}
    values |= {"BACKEND_URL": "https://backend.example.com", "BACKEND_TOKEN": "x"}

    configuration = read_text(found.text, "services.yaml", values)

    assert len(configuration.services) == len(found.services)
    for declared in configuration.services:
        target = make_target(declared, values)
        assert target.endpoint is not None or target.key_file, target.unprobed
