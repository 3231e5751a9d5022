"""Every Alertmanager of a cluster is asked and told; none of them can harm the log."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from exporter.incidents import Peers
from tests.incidents.saying import NOW, listed
from tests.incidents.servers import Alertmanager, Prometheus
from tests.patience import patient
from tests.programs import free_port, program, running


@pytest.fixture
async def peers(alertmanager: Alertmanager, second: Alertmanager) -> AsyncIterator[Peers]:
    made = Peers([alertmanager.url + "/", second.url], timeout=5.0)
    yield made
    await made.close()


async def services(peers: Peers) -> list[str] | None:
    found = await peers.snapshot(NOW)
    return None if found is None else sorted(a.labels["service"] for a in found.alerts)


async def test_what_either_lists_is_listed(
    peers: Peers, alertmanager: Alertmanager, second: Alertmanager
) -> None:
    alertmanager.alerts = [listed(NOW, service="a"), listed(NOW, service="both", by="silenced")]
    second.alerts = [listed(NOW, service="b"), listed(NOW, service="both")]

    found = await peers.snapshot(NOW)

    assert found is not None
    states = {alert.labels["service"]: alert.suppressed for alert in found.alerts}
    assert states == {"a": "", "b": "", "both": ""}
    assert "GET /api/v2/alerts?active=true&silenced=true&inhibited=true&unprocessed=true" in (
        alertmanager.asked
    )


async def test_what_both_suppress_is_suppressed(
    peers: Peers, alertmanager: Alertmanager, second: Alertmanager
) -> None:
    alertmanager.alerts = second.alerts = [listed(NOW, by="inhibited")]

    found = await peers.snapshot(NOW)

    assert found is not None
    assert [alert.suppressed for alert in found.alerts] == ["inhibited"]


async def test_the_youngest_decides_what_an_empty_list_means(
    peers: Peers, alertmanager: Alertmanager, second: Alertmanager
) -> None:
    alertmanager.started, second.started = NOW - 40, NOW - 9000

    found = await peers.snapshot(NOW)

    assert found is not None
    assert found.uptime == 40


async def test_one_that_is_dead_takes_nothing_from_the_other(
    peers: Peers, alertmanager: Alertmanager, second: Alertmanager
) -> None:
    alertmanager.dead = True
    second.alerts = [listed(NOW, service="b")]

    assert await services(peers) == ["b"]


async def test_both_dead_is_no_answer_and_told_once(
    peers: Peers,
    alertmanager: Alertmanager,
    second: Alertmanager,
    caplog: pytest.LogCaptureFixture,
) -> None:
    alertmanager.dead = second.dead = True

    with caplog.at_level(logging.INFO):
        found = [await services(peers) for _ in range(3)]
        told = len(caplog.messages)
        second.dead = False
        found.append(await services(peers))
        second.dead = True
        found.append(await services(peers))

    assert found == [None, None, None, [], None]
    assert told == 2
    assert caplog.messages == ["not reached"] * 3


async def test_nobody_at_the_address_is_no_answer() -> None:
    peers = Peers(["http://127.0.0.1:1"])

    assert await services(peers) is None
    assert not await peers.report([({"a": "b"}, {}, NOW)], NOW)
    await peers.close()


async def test_one_that_hangs_is_given_up(alertmanager: Alertmanager, second: Alertmanager) -> None:
    peers = Peers([alertmanager.url, second.url], timeout=0.3)
    alertmanager.hangs = True

    try:
        async with patient(20):
            found = await services(peers)
            taken = await peers.report([({"a": "b"}, {}, NOW)], NOW)
    finally:
        await peers.close()

    assert (found, taken) == ([], True)


def _raw(body: bytes) -> Callable[[Alertmanager], None]:
    return lambda server: setattr(server, "raw", body)


def _status(status: Any) -> Callable[[Alertmanager], None]:
    return lambda server: setattr(server, "status", status)


@pytest.mark.parametrize(
    "harm",
    [
        _raw(b""),
        _raw(b"<html>"),
        _raw(b"{}"),
        _raw(b"null"),
        _raw(b'["x"]'),
        _raw(b"\xff\xfe"),
        _raw(b"[" * 200_000),
        _raw(b'[{"status": {}, "labels": {}}]'),
        _raw(b"[NaN]"),
        _raw(
            b'[{"status": {}, "labels": {}, "startsAt": "2027-01-15T08:00:00Z", "receivers": null}]'
        ),
        _status([1]),
        _status({"uptime": 5}),
        _status({"uptime": "0001-01-01T00:00:00"}),
        _status({"up": 1}),
        _status("x"),
        lambda server: setattr(server, "huge", True),
    ],
)
async def test_garbage_is_no_answer_of_one_and_harms_no_other(
    peers: Peers,
    alertmanager: Alertmanager,
    second: Alertmanager,
    harm: Callable[[Alertmanager], None],
) -> None:
    harm(alertmanager)
    second.alerts = [listed(NOW, service="b")]

    assert await services(peers) == ["b"]


async def test_every_peer_is_told(
    peers: Peers, alertmanager: Alertmanager, second: Alertmanager
) -> None:
    taken = await peers.report([({"a": "b"}, {"summary": "x", "empty": ""}, NOW)], NOW + 300.25)

    assert taken
    assert (
        alertmanager.posted
        == second.posted
        == [
            [
                {
                    "labels": {"a": "b"},
                    "annotations": {"summary": "x"},
                    "startsAt": "2027-01-15T08:00:00.000000+00:00",
                    "endsAt": "2027-01-15T08:05:00.250000+00:00",
                }
            ]
        ]
    )


@pytest.mark.parametrize("refusing", [(True, True), (True, False), (False, True)])
async def test_one_that_takes_it_is_enough(
    peers: Peers,
    alertmanager: Alertmanager,
    second: Alertmanager,
    caplog: pytest.LogCaptureFixture,
    refusing: tuple[bool, bool],
) -> None:
    alertmanager.refuses, second.refuses = refusing

    assert await peers.report([({"a": "b"}, {}, NOW)], NOW) is not all(refusing)
    assert caplog.messages == ["Alertmanager refuses an alert"] * sum(refusing)


async def test_nothing_to_tell_is_not_told(peers: Peers, alertmanager: Alertmanager) -> None:
    assert await peers.report([], NOW)
    assert alertmanager.posted == []


async def test_a_password_in_an_address_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    peers = Peers(["http://user:hush-hush@127.0.0.1:1/am?token=hush-hush"])

    await peers.snapshot(NOW)

    assert "hush-hush" not in str([record.__dict__ for record in caplog.records])
    assert "127.0.0.1:1/am" in str([record.__dict__ for record in caplog.records])
    await peers.close()


def test_peers_know_whether_they_are_any() -> None:
    assert not Peers([])
    assert Peers(["http://a"])
    assert (Peers([], "http://p").knows_prometheus, Peers([]).knows_prometheus) == (True, False)


# -- Prometheus ------------------------------------------------------------------------------


async def test_prometheus_is_asked_in_windows_of_a_step(prometheus: Prometheus) -> None:
    peers = Peers([], prometheus.url)
    prometheus.series = [{"metric": {}, "values": []}]

    assert await peers.fired(NOW, NOW + 60, 15.0) == prometheus.series
    assert prometheus.asked == [
        {
            "query": 'count_over_time(ALERTS{alertstate="firing"}[15s])',
            "start": "1800000000.000",
            "end": "1800000060.000",
            "step": "15",
        }
    ]
    await peers.close()


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"data": null}', b'{"data": {"result": {}}}', b"[" * 200_000, b'"x"'],
)
async def test_garbage_of_prometheus_is_no_answer(prometheus: Prometheus, body: bytes) -> None:
    peers = Peers([], prometheus.url)
    prometheus.raw = body

    assert await peers.fired(NOW, NOW + 60, 15.0) is None
    await peers.close()


async def test_a_prometheus_that_fails_is_told_once_and_again_when_it_fails_anew(
    prometheus: Prometheus, caplog: pytest.LogCaptureFixture
) -> None:
    peers = Peers([], prometheus.url)
    for dead in (True, True, False, True):
        prometheus.dead = dead
        found = await peers.fired(NOW, NOW + 60, 15.0)
        assert (found is None) is dead

    assert caplog.messages == ["not reached"] * 2
    await peers.close()


# -- retention -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "days"),
    [(["--storage.tsdb.retention.time=400d"], 400), ([], 15)],
    ids=["as asked", "its default"],
)
async def test_a_real_prometheus_says_how_long_it_keeps_its_samples(
    flags: list[str], days: int, tmp_path: Path
) -> None:
    (tmp_path / "empty.yml").write_text("{}")
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        program("prometheus"),
        f"--config.file={tmp_path / 'empty.yml'}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address={url.removeprefix('http://')}",
        *flags,
    ]
    with running(command, None, url + "/-/ready"):
        peers = Peers([], url)
        try:
            assert await peers.prometheus_retention() == days * 86_400.0
        finally:
            await peers.close()
