"""What is accepted without jsonschema: nothing that jsonschema refuses, and all that is good."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.config.files import _rules
from exporter.providers.presets import _rules as preset_rules
from exporter.settings.accepting import accepts
from exporter.settings.check import _validator
from exporter.settings.document import read
from tests.documents import yaml_of

CONFIGS = Path(__file__).parents[1] / "configs"
PRESETS = Path(__file__).parents[2] / "exporter/providers"
ODD = (None, True, 0, -1, 1.0, 2.5, 10**20, "", "x", "1s", "GET", "a\n", [], ["x", "x"], [1], {})


def refused(rules: dict[str, Any], data: Any) -> bool:
    return next(_validator()(rules).iter_errors(data), None) is not None


def places(data: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container in *data* with each of its keys."""
    inner = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in list(inner):
        yield data, key
        if isinstance(value, (dict, list)):
            yield from places(value)


def spoiled(data: Any) -> Iterator[Any]:
    """Yield *data* with one value replaced by an odd one, taken out, or beside an unknown one."""
    for number, _ in enumerate(places(data)):
        for odd in ODD:
            changed = copy.deepcopy(data)
            held, key = list(places(changed))[number]
            held[key] = odd
            yield changed
        for change in ("taken", "added"):
            changed = copy.deepcopy(data)
            held, key = list(places(changed))[number]
            if isinstance(held, dict):
                held.update(unknown=1) if change == "added" else held.pop(key)
            yield changed


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_configuration_is_accepted_only_if_the_schema_has_nothing_against_it(path: Path) -> None:
    try:
        data = yaml_of(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError):
        return
    assert not (accepts(_rules(), data) and refused(_rules(), data))


def test_a_spoiled_configuration_is_accepted_only_if_the_schema_has_nothing_against_it() -> None:
    found = []
    for data in spoiled(
        {
            "defaults": {"team": "core"},
            "services": [
                {
                    "id": "shop",
                    "base_url": "https://shop.example.com",
                    "metadata": {"squad": "red"},
                    "alerts": {"down_after": 3, "escalate_after": ["5m"]},
                    "health_check": {
                        "interval": "30s",
                        "expected_status_codes": [200],
                        "assertions": [{"json": "$.ok", "equals": True}],
                    },
                }
            ],
        }
    ):
        judged = accepts(_rules(), data), refused(_rules(), data)
        found.append(judged)
        assert judged != (True, True), data

    assert found.count((True, False)) > 20
    assert found.count((False, True)) > 200


def test_every_shipped_preset_is_accepted_without_the_library() -> None:
    for path in sorted(PRESETS.glob("*.yaml")):
        assert accepts(preset_rules(), read(path.read_text(encoding="utf-8")).data)


@pytest.mark.parametrize(
    ("rules", "value"),
    [
        ({"if": {"type": "string"}, "then": {"minLength": 2}}, "ab"),
        ({"oneOf": [{"type": "string"}]}, "ab"),
        ({"enum": [1]}, True),
        ({"type": "integer"}, True),
        ({"type": "number"}, False),
        ({"uniqueItems": True}, [1, 1]),
        ({"pattern": "^a$"}, "a\n"),
    ],
)
def test_what_is_not_known_or_doubtful_is_left_to_the_library(
    rules: dict[str, Any], value: Any
) -> None:
    assert not accepts(rules, value)
