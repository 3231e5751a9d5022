"""What is held back is shown under its cause, and equal titles are told apart."""

from __future__ import annotations

from typing import Any

from exporter.incidents import Incident, causes_of, differences, folded
from exporter.incidents.model import AlertState
from tests.incidents.saying import NOW


def incident(id_: str, *, held_by: str = "", **more: Any) -> Incident:
    """Return an open incident of an alert with the fingerprint *id_*."""
    state = AlertState(
        fingerprint=id_,
        severity="high",
        firing=True,
        starts_at=NOW,
        suppressed="inhibited" if held_by else "",
        held_by=(held_by,) if held_by else (),
    )
    usual: dict[str, Any] = {
        "key": id_,
        "alertname": "ServiceDown",
        "severity": "high",
        "started_at": NOW,
        "alerts": (state,),
    }
    return Incident(id=id_, **(usual | more))


def shown(*incidents: Incident) -> dict[str, list[str]]:
    found = folded(incidents)
    return {one.id: [e.id for e in found.under.get(one.id, ())] for one in found.causes}


def test_what_is_held_back_is_under_its_cause() -> None:
    network, provider = incident("n"), incident("p", held_by="n")
    services = [incident(name, held_by="p") for name in ("a", "b")]

    assert causes_of([*services, provider, network]) == {"a": "p", "b": "p", "p": "n"}
    assert shown(*services, provider, network, incident("x")) == {"n": ["a", "b", "p"], "x": []}


def test_what_is_held_back_by_something_unknown_is_on_its_own() -> None:
    assert shown(incident("a", held_by="gone")) == {"a": []}


def test_an_incident_does_not_hold_itself_back() -> None:
    assert shown(incident("a", held_by="a")) == {"a": []}


def test_a_circle_holds_nothing_back() -> None:
    circle = [incident("a", held_by="b"), incident("b", held_by="a"), incident("c", held_by="a")]

    assert shown(*circle) == {"a": [], "b": [], "c": []}


def test_an_alert_that_has_ended_holds_nothing_back() -> None:
    over = AlertState(fingerprint="n", severity="high", firing=False, starts_at=NOW, ended_at=NOW)

    assert causes_of([incident("a", held_by="n"), incident("m", alerts=(over,))]) == {}


def test_equal_titles_are_told_apart_by_the_labels_that_differ() -> None:
    keys = {
        "a": "Failing\x1fcluster=c\x1fintegration=email\x1finstance=am:9093",
        "b": "Failing\x1fcluster=c\x1fintegration=slack\x1finstance=am:9093",
    }
    incidents = [incident(id_, key=key, summary="Not sent") for id_, key in keys.items()]

    found = differences([*incidents, incident("c", summary="Other")])

    assert found == {"a": "integration=email", "b": "integration=slack"}


def test_equal_titles_of_services_are_told_apart_by_what_differs() -> None:
    incidents = [
        incident("a", summary="Slow", service="s", environment="prod"),
        incident("b", summary="Slow", service="s", environment="dev"),
    ]

    assert differences(incidents) == {"a": "environment=prod", "b": "environment=dev"}


def test_what_does_not_differ_is_not_shown() -> None:
    assert differences([incident("a", key="k\x1fa=1"), incident("b", key="k\x1fa=1")]) == {}


def test_equal_titles_of_two_models_are_told_apart() -> None:
    alike = {
        "service": "ai",
        "environment": "prod",
        "alertname": "ModelFailing",
        "summary": "Fails.",
    }
    two = [
        incident(name, **alike, key=f"ModelFailing\x1fprod\x1fai\x1f\x1f{name}")
        for name in ("big", "small")
    ]

    assert differences(two) == {"big": "model=big", "small": "model=small"}
