"""A configuration given as a mapping: copied, checked as a file is, and nothing of it shown."""

from __future__ import annotations

import copy
import enum
import json
import traceback
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from exporter import ServiceRegistry
from exporter.config import Given, read_files
from exporter.library import SettingsError
from exporter.secret import Secret
from exporter.settings import copied
from tests.documents import yaml_of
from tests.fakes import KEY
from tests.vendor import Vendor, answer

A = {"id": "a", "base_url": "https://a.example"}
ROOT = Path(__file__).parent.parent.parent


def mistakes(given: dict[Any, Any], variables: dict[str, str] | None = None) -> dict[str, str]:
    """Return what is wrong with *given*, by its place; nothing of it may hold the key."""
    with pytest.raises(SettingsError) as caught:
        Given(given).read(variables or {})
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert KEY not in shown
    assert {problem.source for problem in caught.value.problems} == {"config"}
    return {problem.where: problem.what for problem in caught.value.problems}


@pytest.mark.parametrize("name", ["services.yaml", "demo.yaml"])
def test_a_mapping_means_what_the_same_file_means(name: str) -> None:
    path = ROOT / "config" / name
    given = yaml_of(path.read_text())

    found, same = Given(given).read({}), read_files([path], {})

    assert [s.raw for s in found.services] == [s.raw for s in same.services]
    assert [s.missing_variable for s in found.services] == [
        s.missing_variable for s in same.services
    ]
    assert (found.canaries, found.monitoring) == (same.canaries, same.monitoring)


def test_health_check_defaults_are_those_of_every_service() -> None:
    check = {"interval": "30s", "expected_status_codes": (200, 204)}
    given = {"monitoring": {"metrics_retention_days": 7, "health_check_defaults": check}}

    found = Given({**given, "services": [A, A | {"id": "b", "health_check": {"interval": "5m"}}]})
    read = found.read({})

    assert [s.raw["health_check"] for s in read.services] == [
        {"interval": "30s", "expected_status_codes": [200, 204]},
        {"interval": "5m", "expected_status_codes": [200, 204]},
    ]
    assert read.monitoring.metrics_retention_days == 7


def test_health_check_defaults_go_with_other_defaults_but_not_with_the_same() -> None:
    monitoring = {"health_check_defaults": {"interval": "30s"}}
    both = {"defaults": {"health_check": {"timeout": "5s"}}, "monitoring": monitoring}

    (service,) = (
        Given({"defaults": {"team": "pay"}, "monitoring": monitoring, "services": [A]})
        .read({})
        .services
    )
    found = mistakes(both)

    assert (service.raw["team"], service.raw["health_check"]) == ("pay", {"interval": "30s"})
    assert found == {
        "monitoring.health_check_defaults": "means the same as defaults.health_check,"
        " which is given too; keep one"
    }


def test_every_mistake_is_named_by_its_place_as_it_was_written() -> None:
    found = mistakes(
        {
            "services": [
                A | {"api_key": KEY, "base_ur": KEY},
                A,
                {"id": "c", "base_url": KEY},
            ],
            "monitoring": {"health_check_defaults": {"timeout": KEY}, "enabeld": True},
            "notify": [{"webhook": {"url": KEY}}],
        }
    )

    assert found.keys() == {
        "services[0].base_ur",
        "services[1].id",
        "services[2].base_url",
        "monitoring.health_check_defaults.timeout",
        "monitoring.enabeld",
        "notify[0].webhook.url",
    }
    assert found["services[1].id"] == "this id is used before, in services[0].id"
    assert found["monitoring.enabeld"] == "unknown field enabeld; did you mean enabled?"


def test_a_mistake_is_shown_without_a_line_that_there_is_not() -> None:
    with pytest.raises(SettingsError) as caught:
        Given({"services": [{"id": "NO"}]}).read({})

    assert str(caught.value).splitlines()[0].startswith("config: services[0]")


class Text(enum.StrEnum):
    A = "a"


class Number(enum.IntEnum):
    ONE = 200


class Odd:
    def __repr__(self) -> str:
        return KEY


def looped() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


def deep() -> Any:
    found: Any = "x"
    for _ in range(100):
        found = {"a": found}
    return found


@pytest.mark.parametrize(
    "value",
    [
        b"x",
        bytearray(b"x"),
        Odd(),
        Odd,
        {1, 2},
        1j,
        float("nan"),
        float("inf"),
        10**18,
        -(10**5000),
        "half \ud83d",
        looped(),
        deep(),
        {1: "x"},
        {None: "x"},
        {b"x": "y"},
        (x for x in "ab"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_setting_is_refused_by_its_place(value: Any) -> None:
    found = mistakes({"services": [A | {"health_check": {"body": {"x": value}}}]})

    assert all(place.startswith("services[0].health_check.body.x") for place in found), found


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Secret(KEY), KEY),
        (PurePosixPath("/run/key"), "/run/key"),
        (("a", ["b"]), ["a", ["b"]]),
        (Text.A, "a"),
        (Number.ONE, 200),
        (True, True),
        (1.5, 1.5),
        (None, None),
    ],
)
def test_what_python_writes_otherwise_is_taken(value: Any, plain: Any) -> None:
    found = copied({"x": value})

    assert (found.data, found.problems) == ({"x": plain}, ())
    assert type(found.data["x"]) is type(plain)


def test_a_tree_that_stands_for_millions_of_values_is_refused() -> None:
    tree: Any = "x"
    for _ in range(20):
        tree = [tree, tree]

    assert mistakes({"services": tree})["(top)"] == "holds more than 1000000 values"


def test_variables_are_replaced_as_in_a_file_but_not_in_a_secret_or_a_path() -> None:
    service = A | {"name": "${NAME}", "api_key": Secret("k${NAME}$${x}"), "team": "$${NAME}"}
    file = A | {"id": "b", "api_key_file": Path("/run/${NAME}")}

    one, two = Given({"services": [service, file]}).read({"NAME": "n"}).services
    found = mistakes({"services": [A | {"name": "${NAME}"}]})

    assert (one.raw["name"], one.raw["team"]) == ("n", "${NAME}")
    assert (one.raw["api_key"], two.raw["api_key_file"]) == ("k${NAME}$${x}", "/run/${NAME}")
    assert "the environment variable NAME is not set" in found["services[0].name"]


def test_a_key_without_its_variable_is_shown_as_missing_as_in_a_file() -> None:
    (service,) = Given({"services": [A | {"api_key": "${NONE}"}]}).read({}).services

    assert service.missing_variable == "NONE"


def test_a_key_in_the_program_is_no_key_in_a_file() -> None:
    found = Given({"services": [A | {"api_key": KEY}], "defaults": {"team": "x"}}).read({})

    assert found.warnings == ()


async def test_it_is_a_copy_and_stays_as_it_was_given(vendor: Vendor) -> None:
    vendor.on("/", answer())
    given = {"services": [A | {"health_check": {"headers": {"X-A": "a"}}}]}
    before = copy.deepcopy(given)
    registry = ServiceRegistry(given, variables={})
    given["services"][0]["id"] = "changed"  # type: ignore[index]
    given["services"].append(A | {"id": "more"})

    found = [health["id"] for health in registry.get_all_service_health()]
    await registry.stop()

    assert found == ["a"]
    assert before["services"] == [A | {"health_check": {"headers": {"X-A": "a"}}}]


async def test_a_registry_shows_no_key_that_it_was_given() -> None:
    given = {"services": [A | {"api_key": KEY, "additional_headers": {"X-K": Secret(KEY)}}]}
    registry = ServiceRegistry(given, variables={"TOKEN": KEY})
    registry.get_all_service_health()
    source = registry._source

    shown = [repr(registry), repr(vars(registry)), repr(source), repr(vars(source)), str(registry)]
    shown += [repr(registry._app.options), repr(registry.get_service_config("a"))]
    shown += [repr(copied(given)), json.dumps(registry.get_all_service_health())]
    await registry.stop()

    assert KEY not in "".join(shown)


async def test_services_of_a_mapping_are_those_of_a_file(vendor: Vendor) -> None:
    vendor.on("/", answer())
    check = {"interval": "1s", "timeout": "1s", "allow_private_addresses": True}
    given = {
        "monitoring": {"health_check_defaults": check},
        "services": [{"id": "api", "base_url": vendor.url("").rstrip("/"), "api_key": KEY}],
    }

    async with ServiceRegistry(given, variables={}) as registry:
        tested = await registry.test_service("api")

    assert tested["success"]
    assert vendor.seen[0].header("Authorization") == f"Bearer {KEY}"


async def test_a_wrong_mapping_is_reported_when_it_is_needed() -> None:
    registry = ServiceRegistry({"services": [{"id": "a", "base_ur": "x"}]}, variables={})

    with pytest.raises(SettingsError, match=r"^config: services\[0\].base_ur: unknown field"):
        await registry.start_all_monitoring()
    await registry.stop()
