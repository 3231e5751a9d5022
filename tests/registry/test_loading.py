"""From files to the registry: all or nothing, and keys that change by themselves."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.config import Configuration, Declared, read_files
from exporter.registry import Loader, Registry, RegistryChange
from exporter.settings import SettingsError
from tests.clocks import QuickClock

TWO = """\
services:
  - {id: first, base_url: "https://first.example", api_key: "${FIRST_KEY}"}
  - {id: second, base_url: "https://second.example", health_check: {interval: 30s}}
"""
OTHER = """\
services:
  - {id: second, base_url: "https://second.example", health_check: {interval: 45s}}
  - {id: third, base_url: "https://third.example"}
"""
BAD = 'services:\n  - {id: first, base_url: "https://first.example", timout: 3s}\n'


class House:
    """A loader over files in *folder*, with its registry, clock and listener."""

    def __init__(self, folder: Path) -> None:
        self.file, self.key = folder / "services.yaml", folder / "key"
        self.environment = {"FIRST_KEY": "first-key-0123"}
        self.clock, self.registry = QuickClock(), Registry()
        self.changes: list[RegistryChange] = []
        self.registry.subscribe(self.changes.append)
        self.configurations: list[Configuration] = []
        self.source: Callable[[], Configuration] = lambda: read_files([self.file], self.environment)
        self.loader = Loader(self._read, self.registry, self.environment, self.clock)
        self.loader.subscribe(self.configurations.append)

    def _read(self) -> Configuration:
        return self.source()

    def load(self, text: str) -> None:
        self.file.write_text(text, encoding="utf-8")
        self.loader.load()
        self.changes.clear()
        self.configurations.clear()

    async def reload(self, text: str) -> SettingsError | None:
        self.file.write_text(text, encoding="utf-8")
        return await self.loader.reload()

    def with_key_file(self, more: str = "") -> str:
        return (
            'services:\n  - {id: api, base_url: "https://api.example",'
            f' api_key_file: "{self.key}"{more}}}\n'
        )

    @contextmanager
    def watching(self) -> Iterator[None]:
        task = asyncio.get_running_loop().create_task(self.loader.watch_keys())
        try:
            yield
        finally:
            task.cancel()

    def write_key(self, value: str) -> None:
        """Put the key in its place as Kubernetes and careful people do: by a rename."""
        fresh = self.key.with_suffix(".new")
        fresh.write_text(value, encoding="utf-8")
        fresh.replace(self.key)

    @property
    def shown_key(self) -> str | None:
        key = self.registry.get("api").key
        return None if key is None else key.reveal()


def names(change: RegistryChange) -> tuple[list[str], list[str], list[str]]:
    """Return the ids in each part of *change*."""
    added, changed, removed = (
        [target.id for target in part] for part in (change.added, change.changed, change.removed)
    )
    return added, changed, removed


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_the_first_load_fills_the_registry(house: House) -> None:
    house.file.write_text(TWO, encoding="utf-8")

    house.loader.load()

    assert [names(change) for change in house.changes] == [(["first", "second"], [], [])]
    assert len(house.configurations) == 1


def test_a_bad_first_load_is_an_error(house: House) -> None:
    house.file.write_text(BAD, encoding="utf-8")

    with pytest.raises(SettingsError, match="timout"):
        house.loader.load()

    assert len(house.registry) == 0


async def test_a_reload_tells_what_was_added_changed_and_removed(house: House) -> None:
    house.load(TWO)

    error = await house.reload(OTHER)

    assert error is None
    assert [names(change) for change in house.changes] == [(["third"], ["second"], ["first"])]
    assert house.registry.get("second").interval == 45


async def test_a_reload_of_the_same_file_changes_nothing(house: House) -> None:
    house.load(TWO)
    before = list(house.registry)

    error = await house.reload("# only a comment\n" + TWO)

    assert error is None
    assert house.changes == []
    assert all(one is other for one, other in zip(house.registry, before, strict=True))
    assert len(house.configurations) == 1


async def test_a_reload_that_changes_one_service_leaves_the_others_the_same_objects(
    house: House,
) -> None:
    house.load(TWO)
    first = house.registry.get("first")

    await house.reload(TWO.replace("30s", "31s"))

    assert [names(change) for change in house.changes] == [([], ["second"], [])]
    assert house.registry.get("first") is first


@pytest.mark.parametrize("text", [BAD, "services: [", "services: 3\n", TWO + TWO])
async def test_a_bad_file_changes_nothing_and_says_why(house: House, text: str) -> None:
    house.load(TWO)
    before = list(house.registry)

    error = await house.reload(text)

    assert error is not None
    assert error.problems
    assert list(house.registry) == before
    assert (house.changes, house.configurations) == ([], [])
    assert house.loader.refused_at is not None


async def test_a_missing_file_changes_nothing(house: House) -> None:
    house.load(TWO)
    house.file.unlink()

    error = await house.loader.reload()

    assert error is not None
    assert len(house.registry) == 2
    assert house.loader.refused_at is not None


async def test_a_good_file_after_a_bad_one_is_taken(house: House) -> None:
    house.load(TWO)

    for _ in range(20):
        for text in (OTHER, TWO):
            await house.reload(BAD)
            assert house.loader.refused_at is not None
            await house.reload(text)
            assert house.loader.refused_at is None

    assert [target.id for target in house.registry] == ["first", "second"]
    assert len(house.changes) == 40


async def test_a_bug_while_reading_changes_nothing_and_is_told(house: House) -> None:
    house.load(TWO)

    def bug() -> Configuration:
        raise RuntimeError("bug")

    house.source = bug
    with pytest.raises(RuntimeError):
        await house.loader.reload()

    assert (len(house.registry), house.changes) == (2, [])
    assert house.loader.refused_at is not None


async def test_reloads_at_once_are_done_one_after_the_other(house: House) -> None:
    house.load(TWO)
    house.file.write_text(OTHER, encoding="utf-8")

    errors = await asyncio.gather(*(house.loader.reload() for _ in range(5)))

    assert errors == [None] * 5
    assert len(house.changes) == 1
    assert len(house.configurations) == 5


async def test_monitoring_switched_off_disables_every_service_until_it_is_on_again(
    house: House,
) -> None:
    house.load(TWO)

    await house.reload(TWO + "monitoring: {enabled: false}\n")
    off = [target.enabled for target in house.registry]
    await house.reload(TWO)

    assert off == [False, False]
    assert [target.enabled for target in house.registry] == [True, True]


async def test_a_changed_key_file_makes_a_changed_target(house: House) -> None:
    house.write_key("first-key-0123\n")
    house.load(house.with_key_file())

    with house.watching():
        await house.clock.advance(10)
        quiet = list(house.changes)
        house.write_key("second-key-456\n")
        await house.clock.advance(2.1)

    assert quiet == []
    assert [names(change) for change in house.changes] == [([], ["api"], [])]
    assert house.shown_key == "second-key-456"
    assert house.configurations == []


async def test_a_key_file_with_the_same_key_is_no_change(house: House) -> None:
    house.write_key("first-key-0123")
    house.load(house.with_key_file())

    with house.watching():
        house.write_key("first-key-0123\n")
        await house.clock.advance(5)

    assert house.changes == []


async def test_a_removed_key_file_leaves_a_service_without_key_until_it_is_back(
    house: House,
) -> None:
    house.write_key("first-key-0123")
    house.load(house.with_key_file())

    with house.watching():
        house.key.unlink()
        await house.clock.advance(3)
        gone = (house.registry.get("api").key_configured, house.shown_key)
        house.write_key("second-key-456")
        await house.clock.advance(3)

    assert gone == (False, None)
    assert (house.registry.get("api").key_configured, house.shown_key) == (True, "second-key-456")


class Restless(tuple[Declared, ...]):
    """Services whose key file changes whenever somebody has looked at all of them."""

    change: Callable[[], None]

    def __iter__(self) -> Iterator[Declared]:
        yield from super().__iter__()
        self.change()


async def test_a_key_that_changes_during_a_reload_is_not_missed(house: House) -> None:
    house.write_key("first-key-0123")
    house.load(house.with_key_file())
    read, numbers = house.source, itertools.count()

    def restless() -> Configuration:
        configuration = read()
        services = Restless(configuration.services)
        services.change = lambda: house.write_key(f"key-number-{next(numbers)}")
        return replace(configuration, services=services)

    house.source = restless
    await house.loader.reload()
    with house.watching():
        await house.clock.advance(3)

    assert house.shown_key == house.key.read_text(encoding="utf-8")


async def test_a_key_file_is_read_again_when_monitoring_is_off_and_stays_off(house: House) -> None:
    house.write_key("first-key-0123")
    house.load(house.with_key_file() + "monitoring: {enabled: false}\n")

    with house.watching():
        house.write_key("second-key-456")
        await house.clock.advance(3)

    assert (house.shown_key, house.registry.get("api").enabled) == ("second-key-456", False)


async def test_the_key_file_of_a_removed_service_is_not_watched(house: House) -> None:
    house.write_key("first-key-0123")
    house.load(house.with_key_file())
    await house.reload(TWO)
    house.changes.clear()

    with house.watching():
        house.write_key("second-key-456")
        await house.clock.advance(5)

    assert house.changes == []
    assert "api" not in house.registry


async def test_two_services_of_one_key_file_both_change(house: House) -> None:
    house.write_key("first-key-0123")
    text = house.with_key_file()
    house.load(text + text.partition("\n")[2].replace("id: api", "id: other"))

    with house.watching():
        house.write_key("second-key-456")
        await house.clock.advance(3)

    assert [names(change)[1] for change in house.changes] == [["api"], ["other"]]


async def test_a_path_that_cannot_exist_is_a_service_without_key(house: House) -> None:
    house.load('services: [{id: api, base_url: "https://api.example", api_key_file: "/x\\0y"}]\n')

    with house.watching():
        await house.clock.advance(5)

    assert house.registry.get("api").key_configured is False


async def test_since_when_a_newer_configuration_is_refused_is_known(house: House) -> None:
    house.load('services: [{id: api, base_url: "https://api.example"}]\n')
    assert house.loader.refused_at is None

    await house.reload(BAD)
    first = house.loader.refused_at
    await house.clock.advance(60)
    await house.reload(BAD)

    assert first == house.loader.refused_at == house.clock.now() - 60
    await house.reload('services: [{id: api, base_url: "https://other.example"}]\n')
    assert house.loader.refused_at is None


async def test_no_key_reaches_the_log(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    house.write_key("first-key-0123")
    house.load(house.with_key_file())

    with house.watching():
        house.write_key("second-key-456")
        await house.clock.advance(3)
        await house.reload(BAD)

    shown = " ".join(str(record.__dict__) for record in caplog.records)
    assert "key file changed" in shown
    assert "configuration refused" in shown
    assert "first-key" not in shown
    assert "second-key" not in shown


def test_a_directory_in_place_of_the_key_file_is_a_service_without_key(house: House) -> None:
    house.key.mkdir()

    house.load(house.with_key_file())

    assert house.registry.get("api").key_configured is False
